//! How a receiver judges what it gets: facts of a connection and a message in, a report out.
//!
//! Two judges stand side by side. `mail-auth`, with answers from the playground's own DNS, so that
//! nothing of ours vouches for itself: SPF, DKIM, DMARC of a [`Report`]. And the trust engine of
//! the house, which is what `repute check` judges with: the [`Sight`] that a receiver decides by
//! ([`Judge::see`]). A test holds that they agree. Promise: What could not be found out is `Unknown`, and is
//! neither a pass nor a failure. Here: FCrDNS, the EHLO name, SPF (RFC 7208), DKIM (RFC 6376,
//! 8463) and DMARC (RFC 9989). What a receiver does with a report is its personality's matter.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, RecordType};
use mail_auth::common::crypto::Algorithm as TheirAlgorithm;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::TokioResolver;
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use mail_auth::hickory_resolver::net::runtime::TokioRuntimeProvider;
use mail_auth::spf::verify::SpfParameters;
use mail_auth::{AuthenticatedMessage, DkimOutput, DkimResult, DmarcResult, Error, MessageAuthenticator, SpfResult};

use repute_audit::{Arrival, Connection, Limits, Sight};
use repute_dns::Inspect;
use repute_trust::receivers::{Decision, Receiver};
use repute_types::{Content, Timestamp};

use crate::dns::{Asking, ask};

/// A name server on loopback answers at once or not at all.
const DNS_PATIENCE: Duration = Duration::from_secs(2);

/// What a receiver knows of a message when its last octet has come.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The receiver's own name.
    pub host: Arc<str>,
    pub peer: IpAddr,
    /// As said in EHLO or HELO.
    pub helo: String,
    /// Protocol and cipher, where STARTTLS was used.
    pub tls: Option<String>,
    /// `None` is the null sender.
    pub from: Option<String>,
    /// Those accepted.
    pub recipients: Vec<String>,
    /// Header and body, CRLF line ends, no dot-stuffing.
    pub content: Bytes,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    /// With the reason, as the checking library says it.
    Fail(String),
    /// There is nothing to check: no record, no signature.
    None,
    /// It could not be found out.
    Unknown(String),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    RsaSha256,
    Ed25519Sha256,
    /// RSA with SHA-1 (RFC 8301 forbids it), or a signature too malformed to say.
    Other,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    pub domain: String,
    pub selector: String,
    pub algorithm: Algorithm,
    pub verdict: Verdict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The names of the address lead back to it (FCrDNS).
    pub reverse: Verdict,
    /// The EHLO name is one of the names of the address.
    pub helo: Verdict,
    pub spf: Verdict,
    /// In the order of the fields.
    pub dkim: Vec<Signature>,
    pub dmarc: Verdict,
}

impl Report {
    /// Whether a signature by this algorithm verified.
    pub fn verified(&self, algorithm: Algorithm) -> bool {
        self.dkim.iter().any(|s| s.algorithm == algorithm && s.verdict == Verdict::Pass)
    }

    /// Whether every signature there is verified, and there is one.
    pub fn all_verified(&self) -> bool {
        !self.dkim.is_empty() && self.dkim.iter().all(|s| s.verdict == Verdict::Pass)
    }
}

/// Judges by what one name server says, or by a resolver of any kind; clones share it.
#[derive(Clone)]
pub struct Judge {
    independent: Option<Independent>,
    dns: Arc<dyn Inspect>,
    limits: Limits,
}

/// `mail-auth`, with the one name server that it asks.
#[derive(Clone)]
struct Independent {
    dns: MessageAuthenticator,
    server: SocketAddr,
}

#[derive(Debug, thiserror::Error)]
#[error("the resolver for {server} could not be made: {why}")]
pub struct JudgeError {
    server: SocketAddr,
    why: String,
}

impl Judge {
    /// Asks the name server at this address and no other.
    pub fn asking(server: SocketAddr) -> Result<Judge, JudgeError> {
        let on_port = |mut connection: ConnectionConfig| {
            connection.port = server.port();
            connection
        };
        let connections = vec![on_port(ConnectionConfig::udp()), on_port(ConnectionConfig::tcp())];
        let server_config = NameServerConfig::new(server.ip(), true, connections);
        let config = ResolverConfig::from_parts(None, Vec::new(), vec![server_config]);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let options = builder.options_mut();
        options.use_hosts_file = ResolveHosts::Never;
        options.timeout = DNS_PATIENCE;
        options.attempts = 2;
        let resolver = builder.build().map_err(|e| JudgeError { server, why: e.to_string() })?;
        // Many receivers ask one small server at the same moment.
        let limits = Limits { at_once: 16, ..Limits::default() };
        let independent = Independent { dns: MessageAuthenticator(resolver), server };
        Ok(Judge { independent: Some(independent), dns: Arc::new(Asking::new(server)), limits })
    }

    /// Judges by this resolver, with the trust engine alone.
    pub fn by(dns: Arc<dyn Inspect>) -> Judge {
        Judge { independent: None, dns, limits: Limits::default() }
    }

    /// Whether black lists are asked.
    #[must_use]
    pub fn with_lists(mut self, asked: bool) -> Judge {
        self.limits.lists = asked;
        self
    }

    /// What `mail-auth` says; `None` where it has no name server to ask.
    pub async fn judge(&self, facts: &Facts) -> Option<Report> {
        match &self.independent {
            Some(independent) => Some(independent.judge(facts).await),
            None => None,
        }
    }

    /// What the trust engine sees. `bulk`: the sender is known to send to many.
    pub async fn see(&self, facts: &Facts, bulk: bool, now: Timestamp) -> Seen {
        let arrival = Arrival {
            connection: Some(Connection { ip: facts.peer, helo: facts.helo.clone(), tls: facts.tls.is_some() }),
            mail_from: Some(facts.from.clone().unwrap_or_default()),
            content: Content::from(facts.content.clone()),
            bulk,
        };
        let sight = repute_audit::judge(&arrival, self.dns.clone(), &self.limits, now).await;
        Seen { arrival, sight }
    }
}

/// What came, and everything that was found out about it.
#[derive(Clone, Debug)]
pub struct Seen {
    pub arrival: Arrival,
    pub sight: Sight,
}

impl Seen {
    pub fn decide(&self, receiver: &Receiver) -> Decision {
        receiver.decide(&self.sight.view(&self.arrival))
    }
}

impl Independent {
    async fn judge(&self, facts: &Facts) -> Report {
        let (reverse, helo) = self.names(facts).await;
        let spf = self.spf(facts).await;
        let Some(message) = AuthenticatedMessage::parse(&facts.content) else {
            let none = Verdict::Fail("the message has no header that can be read".into());
            return Report { reverse, helo, spf: spf_verdict(&spf), dkim: Vec::new(), dmarc: none };
        };
        let dkim = self.dns.verify_dkim(&message).await;
        let domain = facts.from.as_deref().and_then(|f| f.rsplit_once('@')).map_or(&*facts.helo, |(_, d)| d);
        let dmarc = self.dns.verify_dmarc(DmarcParameters::new(&message, &dkim, domain, &spf)).await;
        let dmarc = match (dmarc.dmarc_record(), dmarc.dkim_result(), dmarc.spf_result()) {
            (_, DmarcResult::Pass, _) | (_, _, DmarcResult::Pass) => Verdict::Pass,
            (_, DmarcResult::TempError(e), _) | (_, _, DmarcResult::TempError(e)) => Verdict::Unknown(e.to_string()),
            (None, _, _) => Verdict::None,
            (Some(_), a, b) => Verdict::Fail(format!("dkim {a:?}, spf {b:?}")),
        };
        Report { reverse, helo, spf: spf_verdict(&spf), dkim: dkim.iter().map(signature).collect(), dmarc }
    }

    /// The names of the address that lead back to it, asked for without a resolver between.
    async fn names(&self, facts: &Facts) -> (Verdict, Verdict) {
        let names = match ask(self.server, Name::from(facts.peer), RecordType::PTR).await {
            Err(e) => return (Verdict::Unknown(e.to_string()), Verdict::Unknown(e.to_string())),
            Ok((ResponseCode::NoError | ResponseCode::NXDomain, data)) => data,
            Ok((code, _)) => return (Verdict::Unknown(code.to_string()), Verdict::Unknown(code.to_string())),
        };
        let mut confirmed = Vec::new();
        // Bounded as SPF's ptr is (RFC 7208 §4.6.4), though here each name is our own.
        for data in names.iter().take(10) {
            let RData::PTR(host) = data else { continue };
            let kind = if facts.peer.is_ipv4() { RecordType::A } else { RecordType::AAAA };
            let Ok((_, addresses)) = ask(self.server, host.0.clone(), kind).await else { continue };
            if addresses.iter().any(|a| a.ip_addr() == Some(facts.peer)) {
                confirmed.push(host.0.to_ascii().trim_end_matches('.').to_owned());
            }
        }
        if names.is_empty() {
            return (Verdict::None, Verdict::None);
        }
        if confirmed.is_empty() {
            let why = format!("no name of {} leads back to it", facts.peer);
            return (Verdict::Fail(why.clone()), Verdict::Fail(why));
        }
        if confirmed.iter().any(|name| name.eq_ignore_ascii_case(&facts.helo)) {
            return (Verdict::Pass, Verdict::Pass);
        }
        (Verdict::Pass, Verdict::Fail(format!("{} is {}, not {}", facts.peer, confirmed.join(", "), facts.helo)))
    }

    /// For the null sender the EHLO name is checked (RFC 7208 §2.4).
    async fn spf(&self, facts: &Facts) -> mail_auth::SpfOutput {
        let parameters = match &facts.from {
            Some(from) => SpfParameters::verify_mail_from(facts.peer, &facts.helo, &facts.host, from),
            None => SpfParameters::verify_ehlo(facts.peer, &facts.helo, &facts.host),
        };
        self.dns.verify_spf(parameters).await
    }
}

fn spf_verdict(found: &mail_auth::SpfOutput) -> Verdict {
    match found.result() {
        SpfResult::Pass => Verdict::Pass,
        SpfResult::None => Verdict::None,
        SpfResult::TempError => Verdict::Unknown(format!("the record of {} could not be got", found.domain())),
        other => Verdict::Fail(format!("{other} for {}", found.domain())),
    }
}

fn signature(found: &DkimOutput<'_>) -> Signature {
    let verdict = match found.result() {
        DkimResult::Pass => Verdict::Pass,
        DkimResult::Neutral(e) | DkimResult::Fail(e) | DkimResult::PermError(e) => Verdict::Fail(e.to_string()),
        DkimResult::TempError(e) => unknown(e),
        DkimResult::None => Verdict::None,
    };
    let Some(signature) = found.signature() else {
        return Signature { domain: String::new(), selector: String::new(), algorithm: Algorithm::Other, verdict };
    };
    let algorithm = match signature.a {
        TheirAlgorithm::RsaSha256 => Algorithm::RsaSha256,
        TheirAlgorithm::Ed25519Sha256 => Algorithm::Ed25519Sha256,
        TheirAlgorithm::RsaSha1 => Algorithm::Other,
    };
    Signature { domain: signature.d.clone(), selector: signature.s.clone(), algorithm, verdict }
}

fn unknown(error: &Error) -> Verdict {
    Verdict::Unknown(error.to_string())
}
