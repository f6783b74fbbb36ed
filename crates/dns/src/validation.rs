//! Whether the name servers let answers be validated (RFC 4035 §3.2, §4.9).
//!
//! Many forwarders (in home routers, containers, older caches) drop the records that
//! validation needs; asked through them, every signed domain looks forged and all mail to it
//! would wait until it expires. So the root's own keys are asked for first: where they come
//! and validate, all answers are validated, and a forged one is a failure; where they do not,
//! answers are taken as a plain resolver gives them, none is `authentic`, and the question is
//! put again after a while. What is lost then is DANE, not the mail.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use hickory_proto::dnssec::Proof;
use hickory_proto::rr::{Name, RecordType};
use hickory_resolver::net::dnssec::DnssecDnsHandle;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::RetryDnsHandle;
use hickory_resolver::{NameServerPool, TokioResolver};
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::able;

/// A recursive server that has just started may need some seconds for the root's keys.
const PATIENCE: Duration = Duration::from_secs(6);
/// How long servers that do not pass DNSSEC on are believed to be so.
const AGAIN: Duration = Duration::from_secs(600);

const UNKNOWN: u8 = 0;
const CAPABLE: u8 = 1;
const INCAPABLE: u8 = 2;

/// hickory's validator by itself: it says of each record how well it is known.
pub(crate) type Bare = DnssecDnsHandle<RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>>;

/// Two ways to the same servers, both of which validate.
pub(crate) struct Validating {
    pub resolver: TokioResolver,
    /// For answers that the first one refuses (`piecewise`).
    pub bare: Box<Bare>,
}

pub(crate) struct Validation {
    validating: Validating,
    /// Keys were handed in: they are the operator's word that validation works.
    always: bool,
    state: AtomicU8,
    /// When it was found that the servers are not capable; held while they are asked.
    asked: Mutex<Option<Instant>>,
}

impl Validation {
    pub fn new(validating: Validating, always: bool) -> Validation {
        Validation { validating, always, state: AtomicU8::new(UNKNOWN), asked: Mutex::new(None) }
    }

    /// The validating resolver, where its servers let it validate.
    pub async fn usable(&self, servers: &[SocketAddr]) -> Option<&Validating> {
        if self.always || self.state.load(Ordering::Relaxed) == CAPABLE {
            return Some(&self.validating);
        }
        let mut asked = self.asked.lock().await;
        let lately = asked.is_some_and(|at| at.elapsed() < AGAIN);
        if self.state.load(Ordering::Relaxed) == CAPABLE || (!lately && self.root_validates().await) {
            self.state.store(CAPABLE, Ordering::Relaxed);
            return Some(&self.validating);
        }
        // Where they could not be asked that says nothing about them.
        if !lately && able::cannot_ask(servers).is_none() {
            *asked = Some(Instant::now());
            self.state.store(INCAPABLE, Ordering::Relaxed);
        }
        None
    }

    async fn root_validates(&self) -> bool {
        match timeout(PATIENCE, self.validating.resolver.lookup(Name::root(), RecordType::DNSKEY)).await {
            Ok(Ok(found)) => {
                let mut keys = found.answers().iter().filter(|r| r.record_type() == RecordType::DNSKEY).peekable();
                keys.peek().is_some() && keys.all(|key| key.proof == Proof::Secure)
            }
            _ => false,
        }
    }
}
