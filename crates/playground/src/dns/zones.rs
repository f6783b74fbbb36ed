//! All zones of a playground, shared and changed while they are served; and the troubles
//! that a name can be given: failure, refusal, silence.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::TXT;
use hickory_proto::rr::{DNSClass, LowerName, Name, RData, Record, RecordType};

use super::zone::{Answer, Zone, ZoneError, name, resolve};

/// What goes wrong when a name is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// SERVFAIL.
    Fail,
    /// REFUSED.
    Refuse,
    /// Nobody answers.
    Silence,
    /// The answer comes after this.
    Delay(Duration),
}

/// A reply, and after what time it is sent.
pub(crate) struct Said {
    pub(crate) message: Message,
    pub(crate) after: Duration,
}

/// A handle on the zones: clones share them.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    table: Arc<RwLock<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    zones: HashMap<LowerName, Zone>,
    troubles: HashMap<LowerName, Trouble>,
}

impl Zones {
    pub fn new() -> Zones {
        Zones::default()
    }

    /// Zones from a text, each after a line `$ORIGIN name.`; those of the same name are replaced.
    pub fn load(&self, text: &str) -> Result<(), ZoneError> {
        let zones = Zone::parse_all(text)?;
        self.change(|table| {
            for zone in zones {
                table.zones.insert(zone.origin().clone(), zone);
            }
        });
        Ok(())
    }

    /// Adds a TXT record of any length (cut into strings of 255 octets), in place of those there.
    pub fn set_txt(&self, owner: &str, text: &str) -> Result<(), ZoneError> {
        let pieces = text.as_bytes().chunks(255).collect();
        self.set(owner, vec![RData::TXT(TXT::from_bytes(pieces))])
    }

    /// Adds the reverse record of an address; its zone has to be there.
    pub fn set_ptr(&self, address: IpAddr, host: &str) -> Result<(), ZoneError> {
        let host = hickory_proto::rr::rdata::PTR(name(host)?);
        self.set(&Name::from(address).to_ascii(), vec![RData::PTR(host)])
    }

    /// Replaces the records of one type at a name in the zone that holds it.
    pub fn set(&self, owner: &str, data: Vec<RData>) -> Result<(), ZoneError> {
        let owner = name(owner)?;
        let lower = LowerName::new(&owner);
        self.change(|table| {
            let zone = table.zone_of(&lower).map(|z| z.origin().clone());
            let zone = zone.and_then(|origin| table.zones.get_mut(&origin));
            let zone =
                zone.ok_or_else(|| ZoneError::Text { origin: owner.to_string(), why: "no zone holds it".into() })?;
            for kind in data.iter().map(RData::record_type).collect::<Vec<_>>() {
                zone.remove(&lower, kind);
            }
            for data in data {
                zone.insert(Record::from_rdata(owner.clone(), 2, data));
            }
            Ok(())
        })
    }

    /// Takes a whole zone away.
    pub fn remove_zone(&self, origin: &str) -> Result<(), ZoneError> {
        let origin = LowerName::new(&name(origin)?);
        self.change(|table| table.zones.remove(&origin));
        Ok(())
    }

    /// Gives a name a trouble, or takes it away.
    pub fn trouble(&self, owner: &str, trouble: Option<Trouble>) -> Result<(), ZoneError> {
        let owner = LowerName::new(&name(owner)?);
        self.change(|table| match trouble {
            Some(trouble) => table.troubles.insert(owner, trouble),
            None => table.troubles.remove(&owner),
        });
        Ok(())
    }

    fn change<T>(&self, f: impl FnOnce(&mut Table) -> T) -> T {
        f(&mut self.table.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The reply to a question; `None` where there is silence.
    pub(crate) fn reply(&self, question: &Message) -> Option<Said> {
        let table = self.table.read().unwrap_or_else(PoisonError::into_inner);
        let mut message = Message::response(question.metadata.id, question.metadata.op_code);
        message.metadata = Metadata::response_from_request(&question.metadata);
        message.queries.clone_from(&question.queries);
        if let Some(theirs) = &question.edns {
            let mut edns = Edns::new();
            edns.set_max_payload(super::server::UDP_MOST);
            edns.set_dnssec_ok(theirs.flags().dnssec_ok);
            message.set_edns(edns);
        }
        let mut after = Duration::ZERO;
        message.metadata.response_code = match question.queries.as_slice() {
            _ if question.metadata.message_type != MessageType::Query => ResponseCode::FormErr,
            _ if question.metadata.op_code != OpCode::Query => ResponseCode::NotImp,
            [query] if query.query_class() == DNSClass::IN => {
                let asked = LowerName::new(query.name());
                match table.troubles.get(&asked) {
                    Some(Trouble::Silence) => return None,
                    Some(Trouble::Fail) => ResponseCode::ServFail,
                    Some(Trouble::Refuse) => ResponseCode::Refused,
                    other => {
                        if let Some(Trouble::Delay(time)) = other {
                            after = *time;
                        }
                        table.answer(&asked, query.query_type(), &mut message)
                    }
                }
            }
            [_] => ResponseCode::Refused,
            _ => ResponseCode::FormErr,
        };
        Some(Said { message, after })
    }
}

impl Table {
    /// The zone with the longest name that holds this one.
    fn zone_of(&self, asked: &LowerName) -> Option<&Zone> {
        let mut name = asked.clone();
        loop {
            if let Some(zone) = self.zones.get(&name) {
                return Some(zone);
            }
            if name.is_root() {
                return None;
            }
            name = name.base_name();
        }
    }

    fn answer(&self, asked: &LowerName, kind: RecordType, message: &mut Message) -> ResponseCode {
        let Some((chain, last, zone)) = resolve(|n| self.zone_of(n), asked, kind) else {
            return ResponseCode::Refused;
        };
        message.metadata.authoritative = true;
        message.answers = chain;
        // RFC 2308 §2: a negative answer carries the SOA, which says how long it may be kept.
        let negative = match last {
            Answer::Records(records) => {
                message.answers.extend(records);
                return ResponseCode::NoError;
            }
            Answer::NoName => ResponseCode::NXDomain,
            Answer::NoData | Answer::Alias(..) => ResponseCode::NoError,
        };
        message.authorities.extend(zone.soa().cloned());
        negative
    }
}
