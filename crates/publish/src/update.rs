//! DNS UPDATE (RFC 2136), signed with TSIG (RFC 8945): one message a zone, made whole or not at all.
//!
//! What is taken away is guarded: the whole set as it was read is a prerequisite (§2.4.2), so
//! that a change by somebody else in between is refused and not undone. The guard is left out
//! only where records come from a wildcard, which no prerequisite can name.

use std::io;
use std::net::SocketAddr;

use hickory_proto::op::{Message, OpCode, Query, ResponseCode, UpdateMessage as _};
use hickory_proto::rr::rdata::tsig::TsigError;
use hickory_proto::rr::{DNSClass, Record, RecordType};
use repute_trust::records::Data;
use repute_types::{Clock, Domain};

use crate::convert;
use crate::key::TsigKey;
use crate::wire;

/// The server that takes changes, and the key that it knows.
#[derive(Clone, Debug)]
pub struct Primary {
    pub address: SocketAddr,
    pub key: TsigKey,
}

/// A change of the records at one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub name: Domain,
    /// All that stood there when it was read, of the types that are taken away.
    pub seen: Vec<Data>,
    pub remove: Vec<Data>,
    pub add: Vec<Data>,
    /// Of what is added, in seconds.
    pub ttl: u32,
}

/// Whether a change is made only if the records are still as they were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guard {
    AsSeen,
    Off,
}

#[derive(Debug, thiserror::Error)]
pub enum UpdateError {
    #[error("{0} did not take the change: it could not be reached; see that it listens on TCP")]
    Silent(SocketAddr, #[source] io::Error),
    #[error("the records were changed by somebody else meanwhile: run this again")]
    Conflict,
    #[error("{0} does not know the key {1}: add it to the server's configuration, under the same name")]
    UnknownKey(SocketAddr, Domain),
    #[error("{0} has another secret for the key {1}: copy the key again")]
    WrongSecret(SocketAddr, Domain),
    #[error("{0} finds our clock wrong: set this machine's or the server's by NTP")]
    Clock(SocketAddr),
    #[error("{0} does not let the key change {1}: allow it there (BIND: `update-policy` or `allow-update`)")]
    NotAllowed(SocketAddr, Domain),
    #[error("{0} is not the primary server of {1}, or has no such zone: name the right one")]
    NotPrimary(SocketAddr, Domain),
    #[error("{0} failed ({1}); its log says why")]
    Failed(SocketAddr, ResponseCode),
    #[error("the answer of {0} is not signed with the key, so whether it made the change is not known")]
    Unsigned(SocketAddr),
    #[error("the change is too large for one message")]
    TooLarge,
}

/// Makes the changes, all of them in `zone`.
pub async fn update(
    primary: &Primary,
    zone: &Domain,
    changes: &[Change],
    guard: Guard,
    clock: &dyn Clock,
) -> Result<(), UpdateError> {
    let mut message = message(zone, changes, guard);
    let now = u64::try_from(clock.now().seconds()).unwrap_or(0);
    let signed = message.finalize(&primary.key.signer, now).map_err(|_| UpdateError::TooLarge)?;
    let octets = message.to_vec().map_err(|_| UpdateError::TooLarge)?;
    if octets.len() > usize::from(u16::MAX) {
        return Err(UpdateError::TooLarge);
    }
    let silent = |error| UpdateError::Silent(primary.address, error);
    let answer = wire::by_tcp(primary.address, &octets).await.map_err(silent)?;
    let read = Message::from_vec(&answer).map_err(|error| silent(io::Error::other(error)))?;
    // What the server says of the key itself it cannot sign (RFC 8945 §5.3.2).
    if let Some(error) = of_key(primary, &read) {
        return Err(error);
    }
    let good = signed.is_some_and(|mut s| read.metadata.id == message.metadata.id && s.verify(&answer).is_ok());
    // A refusal is believed without a signature: it changes nothing.
    if !good && read.metadata.response_code == ResponseCode::NoError {
        return Err(UpdateError::Unsigned(primary.address));
    }
    of_code(primary, zone, read.metadata.response_code)
}

fn message(zone: &Domain, changes: &[Change], guard: Guard) -> Message {
    let mut message = Message::query();
    message.metadata.op_code = OpCode::Update;
    message.metadata.recursion_desired = false;
    let mut section = Query::new();
    section.set_name(convert::name(zone)).set_query_type(RecordType::SOA);
    message.add_zone(section);
    for change in changes {
        let name = convert::name(&change.name);
        let record = |data: &Data, ttl: u32, class: DNSClass| {
            let mut record = Record::from_rdata(name.clone(), ttl, convert::rdata(data));
            record.dns_class = class;
            record
        };
        if guard == Guard::AsSeen && !change.remove.is_empty() {
            message
                .add_pre_requisites(change.seen.iter().map(|data| record(data, 0, DNSClass::IN)).collect::<Vec<_>>());
        }
        message.add_updates(change.remove.iter().map(|data| record(data, 0, DNSClass::NONE)).collect::<Vec<_>>());
        message.add_updates(change.add.iter().map(|data| record(data, change.ttl, DNSClass::IN)).collect::<Vec<_>>());
    }
    message
}

fn of_key(primary: &Primary, answer: &Message) -> Option<UpdateError> {
    let (address, name) = (primary.address, primary.key.name().clone());
    match answer.signature()?.data.error? {
        TsigError::BadKey => Some(UpdateError::UnknownKey(address, name)),
        TsigError::BadSig | TsigError::BadTrunc => Some(UpdateError::WrongSecret(address, name)),
        TsigError::BadTime => Some(UpdateError::Clock(address)),
        TsigError::Unknown(_) => None,
    }
}

fn of_code(primary: &Primary, zone: &Domain, code: ResponseCode) -> Result<(), UpdateError> {
    let address = primary.address;
    match code {
        ResponseCode::NoError => Ok(()),
        ResponseCode::NXDomain | ResponseCode::NXRRSet | ResponseCode::YXDomain | ResponseCode::YXRRSet => {
            Err(UpdateError::Conflict)
        }
        ResponseCode::Refused => Err(UpdateError::NotAllowed(address, zone.clone())),
        ResponseCode::NotAuth | ResponseCode::NotZone | ResponseCode::NotImp => {
            Err(UpdateError::NotPrimary(address, zone.clone()))
        }
        other => Err(UpdateError::Failed(address, other)),
    }
}
