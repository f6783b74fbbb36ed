//! What an operation could not do, as a sentence for who asked; the cause behind it is for the log.

use repute_ledger::LedgerError;
use repute_spool::SpoolError;
use repute_types::Domain;

use crate::bulk::words::BulkError;

#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    #[error("{0:?} is not a message id: an id is 13 letters and digits, as `repute queue list` prints it")]
    NoSuchId(String),
    #[error("{0:?} is no message id, no <Message-ID>, no address, no @domain and no from:address")]
    NotAskable(String),
    #[error("say which messages are meant: --id, --domain, --sender, --older-than, or --all")]
    NothingSelected,
    #[error("{0:?} is not the end of a page: it is an id, a dot and a number")]
    NoSuchPlace(String),
    #[error("requests are not kept here, so that none can be carried out once: leave the key out")]
    NoRequests,
    #[error(
        "requests with an Idempotency-Key cannot be written down or looked up now, so nothing was accepted: send it again later"
    )]
    Requests(#[source] LedgerError),
    #[error("{0}")]
    NoMailTaken(String),
    #[error("the spool cannot be read or written now")]
    Spool(#[source] SpoolError),
    #[error("the suppression list cannot be read or written now")]
    Suppression(#[source] LedgerError),
    #[error("this server keeps no suppression list")]
    NoSuppression,
    #[error("say who is meant: an address, a domain, an account, a cause, a time, or all")]
    NoAddressSelected,
    #[error("no circuit {0:?} is open: `repute circuit list` has the names")]
    NoSuchCircuit(String),
    #[error("there is no account {0}: [[account]] in the configuration has the names")]
    NoSuchAccount(String),
    #[error("a campaign could not be cancelled: {0}")]
    Campaign(#[source] BulkError),
    #[error("what the circuits know cannot be written now")]
    Circuit(#[source] LedgerError),
    #[error("the history cannot be read now")]
    History(#[source] LedgerError),
    #[error("the history of trust cannot be read or written now")]
    Trust(#[source] LedgerError),
    #[error("the reports cannot be read now")]
    Reports(#[source] LedgerError),
    #[error("what was counted of sessions cannot be read now")]
    TlsSessions(#[source] LedgerError),
    #[error("this server counts no sessions")]
    NoTlsSessions,
    #[error("this server keeps no permits")]
    NoPermits,
    #[error("mail does not leave from {0}: `repute permit` lists the addresses")]
    NoSuchEgress(std::net::IpAddr),
    #[error("mail is not sent as {0}: `repute permit` lists the domains")]
    NoSuchDomain(Domain),
    #[error("mail of {1} never leaves from {0}, which is not in its pool")]
    NotInPool(std::net::IpAddr, Domain),
    #[error("the message was not taken: {0}")]
    NotTaken(String),
}
