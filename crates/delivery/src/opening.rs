//! Opening a connection: which host, which address, and the conversation up to the point where
//! mail may be sent.
//!
//! 1. Hosts are tried in the order of the route, of each host its addresses in theirs; what could not
//!    be reached a moment ago comes last.
//! 2. An address is given up, and the next one tried, whatever goes wrong there.
//! 3. A handshake that breaks is tried again in clear, on a new connection, where the rule allows it.
//! 4. If none will do, the outcome that tells most is the attempt's; it says how many addresses were tried.
//!
//! A refusal before MAIL is about us, or about the host, and says nothing about the recipient
//! (RFC 5321 §3.1 lets a 554 greeting mean either). So it is temporary, also where the code is
//! 5xx: else one listing of our address would bounce a whole queue. Only 521, "this host
//! never takes mail" (RFC 7504 §3), is final, if all hosts say it.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::BytesMut;
use repute_dns::Resolver;
use repute_net::{CertificateFault, ConnectError, ConnectKind, Network, TlsError};
use repute_smtp::client::{Extensions, Loss, Opening, Payload, Refusal, Step, TlsWish};
use repute_trust::tlsrpt::ResultType;
use repute_types::{Culprit, EnhancedCode, Outcome, Peer, Reply, Stage, TlsUsed, Verdict};
use tokio::time::Instant;

use crate::dane::{NoWay, Vouched};
use crate::hosts::{self, Found};
use crate::rules::{HostRule, TlsRule, Wanted};
use crate::tally::{Flaw, Seen};
use crate::wire::Wire;
use crate::{DeliverySettings, Egress, HostName, Route};

/// Addresses that are tried for one opening, over all hosts: with 30 s each this bounds how
/// long a site that swallows packets keeps a session's place.
const TRIES_MOST: usize = 10;

/// An open session.
pub(crate) struct Opened {
    pub wire: Wire,
    pub offered: Extensions,
    pub tls: Option<TlsUsed>,
    pub peer: Peer,
    pub vouched: Vouched,
    pub seen: Seen,
}

pub(crate) struct Opener<'a> {
    pub route: &'a Route,
    pub egress: &'a Egress,
    pub settings: &'a DeliverySettings,
    pub rule: TlsRule<'a>,
    pub wanted: Wanted<'a>,
    pub network: &'a dyn Network,
}

/// What is left of an opening's patience.
struct Tries {
    left: usize,
    until: Instant,
}

impl Tries {
    fn are_over(&self) -> bool {
        self.left == 0 || Instant::now() >= self.until
    }

    /// Whether another address may be begun, which is then counted.
    fn another(&mut self) -> bool {
        let may = !self.are_over();
        self.left -= usize::from(may);
        may
    }
}

/// Why an address was given up.
struct Fault {
    outcome: Outcome,
    /// The handshake broke; the same address may do in clear.
    in_handshake: bool,
    /// Where it is one of TLS: what its domain is told.
    flaw: Option<Flaw>,
}

impl From<Outcome> for Fault {
    fn from(outcome: Outcome) -> Fault {
        Fault { outcome, in_handshake: false, flaw: None }
    }
}

impl Opener<'_> {
    /// Steps 1, 2 and 4.
    pub async fn open(&self, resolver: &dyn Resolver) -> Result<Opened, Outcome> {
        let mut worst: Option<Outcome> = None;
        let mut later = Vec::new();
        let mut tries = Tries { left: TRIES_MOST, until: Instant::now() + self.settings.timeouts.opening };
        for host in self.route.hosts_in_turn() {
            if tries.are_over() {
                break;
            }
            let (addresses, authentic) =
                match hosts::addresses(host, self.route, self.egress, self.settings, resolver).await {
                    Found::Addresses(addresses, authentic) => (addresses, authentic),
                    Found::Ourselves => {
                        worst = Some(more_telling(worst, loops(&host.name)));
                        break;
                    }
                    Found::Nothing(outcome) => {
                        worst = Some(more_telling(worst, outcome));
                        continue;
                    }
                };
            let rule = match self.rule.for_host(&host.name, authentic, resolver).await {
                Ok(rule) => Arc::new(rule),
                Err(NoWay { outcome, seen }) => {
                    if let Some((dane, flaw)) = seen {
                        self.count(&Seen::unspoken(&host.name, dane, flaw));
                    }
                    worst = Some(more_telling(worst, outcome));
                    continue;
                }
            };
            for address in addresses {
                if self.settings.memory.is_unreachable(address) {
                    later.push((&host.name, rule.clone(), address));
                } else if tries.another() {
                    match self.attempt(&host.name, &rule, address).await {
                        Ok(opened) => return Ok(opened),
                        Err(outcome) => worst = Some(more_telling(worst, outcome)),
                    }
                }
            }
        }
        for (name, rule, address) in later {
            if tries.another() {
                match self.attempt(name, &rule, address).await {
                    Ok(opened) => return Ok(opened),
                    Err(outcome) => worst = Some(more_telling(worst, outcome)),
                }
            }
        }
        let mut worst = worst.unwrap_or_else(no_hosts);
        let tried = TRIES_MOST - tries.left;
        if worst.stage == Stage::Connect && tried > 1 {
            worst.text += &format!("; {tried} addresses were tried");
        }
        Err(worst)
    }

    /// Step 3. It is one session to those who count, also where it took two connections.
    async fn attempt(&self, host: &HostName, rule: &HostRule, address: SocketAddr) -> Result<Opened, Outcome> {
        let memory = &self.settings.memory;
        let peer = Peer { name: host.to_string(), address: Some(address.ip()), port: address.port() };
        let broken = memory.is_tls_broken(address);
        let (dane, unusable) = rule.applied();
        let mut seen = Seen {
            host: host.clone(),
            receiving: Some(address.ip()),
            sending: self.egress.source_for(address),
            dane,
            flaw: (broken && rule.may_go_clear()).then(broke_before),
            certificate: None,
        };
        let mut broke = None;
        let mut opened = self.session(&peer, rule, address, rule.wish(broken), &seen).await;
        if let Err(Fault { in_handshake: true, flaw, .. }) = &opened
            && rule.may_go_clear()
        {
            memory.tls_broke(address);
            broke = flaw.clone();
            seen.flaw = flaw.clone();
            opened = self.session(&peer, rule, address, TlsWish::Never, &seen).await;
        }
        match opened {
            Ok(mut opened) => {
                opened.seen.flaw = opened.seen.flaw.or(unusable);
                Ok(opened)
            }
            Err(Fault { outcome, flaw, .. }) => {
                // What is only remembered is no session.
                if let Some(flaw) = flaw.or(broke) {
                    self.count(&Seen { flaw: Some(flaw), ..seen });
                }
                Err(Outcome { peer: Some(peer), ..outcome })
            }
        }
    }

    fn count(&self, seen: &Seen) {
        if let Some(tally) = self.settings.tally.as_ref().filter(|_| self.route.counted) {
            seen.count_for(self.wanted.domain, tally, self.settings.policies.as_deref());
        }
    }

    /// `seen`: what is known of it already.
    async fn session(
        &self,
        peer: &Peer,
        rule: &HostRule,
        address: SocketAddr,
        wish: TlsWish,
        seen: &Seen,
    ) -> Result<Opened, Fault> {
        let timeouts = &self.settings.timeouts;
        let from = self.egress.source_for(address);
        let connected = self.network.connect(address, from, timeouts.connect).await;
        let stream = connected.map_err(|e| self.not_connected(address, e))?;
        self.settings.memory.was_reached(address);
        let mut session = Session {
            wire: Wire::new(stream),
            tls: None,
            vouched: Vouched::ForAll,
            out: BytesMut::new(),
            peer,
            rule,
            opener: self,
        };
        if rule.is_implicit() {
            session = session.handshake().await?;
        }
        let mut opening = Opening::new(&self.egress.ehlo, wish, self.route.login.as_ref());
        let mut step = Step::Reply(Stage::Greeting);
        loop {
            step = match step {
                Step::Reply(stage) => {
                    let reply = session.ask(stage).await?;
                    opening.reply(reply, &mut session.out).map_err(|refusal| refused(rule, refusal))?
                }
                Step::StartTls => {
                    session = session.handshake().await?;
                    opening.tls_started(&mut session.out)
                }
                Step::Ready => break,
            };
        }
        let offered = opening.finish();
        rule.check_offer(&offered)?;
        let Session { wire, tls, vouched, .. } = session;
        let missing = || tls.is_none().then(|| no_starttls(&offered));
        let seen = Seen {
            sending: wire.stream().local_address().or(seen.sending),
            flaw: seen.flaw.clone().or_else(missing),
            certificate: wire.stream().certificate_fault(),
            ..seen.clone()
        };
        Ok(Opened { wire, offered, tls, peer: peer.clone(), vouched, seen })
    }

    fn not_connected(&self, address: SocketAddr, error: ConnectError) -> Outcome {
        let ours = match error.kind {
            ConnectKind::SourceUnavailable => Some(EnhancedCode(4, 3, 5)),
            ConnectKind::NoSockets => Some(NO_SOCKETS),
            _ => None,
        };
        if let Some(status) = ours {
            return Outcome::ours(Verdict::Deferred, Stage::Connect, Culprit::Us, status, error.text);
        }
        self.settings.memory.was_unreachable(address);
        Outcome::ours(Verdict::Deferred, Stage::Connect, Culprit::Network, EnhancedCode(4, 4, 1), error.text)
    }
}

/// The status where this machine can open no more sockets, or has no way to a name server, which says nothing about the
/// site (RFC 3463 §3.4).
pub const NO_SOCKETS: EnhancedCode = EnhancedCode(4, 3, 1);

fn broke_before() -> Flaw {
    Flaw::new(ResultType::ValidationFailure, "a TLS handshake with it broke not long ago")
}

/// Of a session in clear.
fn no_starttls(offered: &Extensions) -> Flaw {
    match offered.starttls {
        true => Flaw::new(ResultType::ValidationFailure, "STARTTLS was offered, and refused"),
        false => Flaw::new(ResultType::StartTlsNotSupported, ""),
    }
}

fn refused(rule: &HostRule, refusal: Refusal) -> Fault {
    let ours = |text: &str| Outcome::ours(Verdict::Deferred, Stage::Auth, Culprit::Us, EnhancedCode(4, 7, 0), text);
    match refusal {
        Refusal::Reply(Stage::StartTls, reply) => {
            let outcome = rule.unmet(Stage::StartTls, "TLS is needed, and the server refused STARTTLS");
            let flaw = Flaw::new(ResultType::ValidationFailure, format!("STARTTLS was refused: {reply}"));
            Fault { outcome: Outcome { reply: Some(reply), ..outcome }, in_handshake: false, flaw: Some(flaw) }
        }
        Refusal::Reply(Stage::Auth, reply) => {
            let text = "the relay host refused our name and password: correct them in [[route]]";
            let status = EnhancedCode(4, 7, 8);
            let outcome = Outcome::ours(Verdict::Deferred, Stage::Auth, Culprit::Us, status, text);
            Outcome { reply: Some(reply), ..outcome }.into()
        }
        Refusal::Reply(stage, reply) => before_mail(stage, reply).into(),
        Refusal::NoStartTls => {
            let outcome = rule.unmet(Stage::StartTls, "TLS is needed, and the server does not offer STARTTLS");
            let flaw = Flaw::new(ResultType::StartTlsNotSupported, "");
            Fault { outcome, in_handshake: false, flaw: Some(flaw) }
        }
        Refusal::NoAuth => ours("the relay host offers neither AUTH PLAIN nor AUTH LOGIN").into(),
        Refusal::AuthWithoutTls => ours("the relay host offers no TLS, and a password is not sent in clear").into(),
    }
}

/// A session that is being opened.
struct Session<'a> {
    wire: Wire,
    tls: Option<TlsUsed>,
    vouched: Vouched,
    /// What is to be said next.
    out: BytesMut,
    peer: &'a Peer,
    rule: &'a HostRule,
    opener: &'a Opener<'a>,
}

impl Session<'_> {
    /// Says what is to be said, and hears the reply.
    async fn ask(&mut self, stage: Stage) -> Result<Reply, Fault> {
        let timeouts = &self.opener.settings.timeouts;
        let said = match self.out.is_empty() {
            true => Ok(()),
            false => self.wire.send(&self.out, Payload::None, timeouts.block).await,
        };
        self.out.clear();
        let heard = match said {
            Ok(()) => self.wire.reply(timeouts.reply(stage)).await,
            Err(loss) => Err(loss),
        };
        // In TLS 1.3 a server that does not like our side of the handshake says so only now.
        let in_handshake = self.tls.is_some() && stage == Stage::Ehlo;
        heard.map_err(|loss| {
            let outcome = lost(stage, loss);
            let told = || Flaw::new(ResultType::ValidationFailure, outcome.text.clone());
            Fault { in_handshake, flaw: in_handshake.then(told), outcome }
        })
    }

    async fn handshake(self) -> Result<Self, Fault> {
        let rule = self.rule;
        let tls = self.opener.network.tls();
        let name = self.peer.name.as_str();
        let start = tls.start(self.wire.into_stream(), rule.server_name(name), rule.policy());
        let started = tokio::time::timeout(self.opener.settings.timeouts.handshake, start).await;
        let (text, fault) = match started {
            Ok(Ok((stream, used))) => {
                let (used, vouched) = rule.check_session(&stream, used, name).map_err(|(outcome, flaw)| Fault {
                    outcome,
                    in_handshake: false,
                    flaw: Some(flaw),
                })?;
                return Ok(Session { wire: Wire::new(stream), tls: Some(used), vouched, ..self });
            }
            Ok(Err(TlsError::Certificate(why))) => {
                let words = CertificateFault::in_words(&why);
                (format!("the certificate is not valid for {name}: {words}"), CertificateFault::of(&why))
            }
            Ok(Err(TlsError::Handshake(why))) => {
                (format!("the TLS handshake with {name} failed: {why}"), CertificateFault::Other)
            }
            Ok(Err(TlsError::Name)) => (format!("a certificate cannot be asked for {name}"), CertificateFault::Other),
            Err(_) => (format!("the TLS handshake with {name} took too long"), CertificateFault::Other),
        };
        let flaw = Some(Flaw::of_certificate(fault, text.clone()));
        Err(Fault { outcome: rule.unmet(Stage::StartTls, text), in_handshake: true, flaw })
    }
}

/// A refusal at greeting or EHLO; see the head of this file.
fn before_mail(stage: Stage, reply: Reply) -> Outcome {
    let never = reply.code == 521;
    let outcome = Outcome::from_reply(stage, reply);
    match outcome.verdict {
        Verdict::Failed if !never => {
            let EnhancedCode(_, subject, detail) = outcome.status;
            Outcome { verdict: Verdict::Deferred, status: EnhancedCode(4, subject, detail), ..outcome }
        }
        // A 2xx that makes no sense here is no delivery.
        Verdict::Delivered => Outcome { verdict: Verdict::Deferred, status: EnhancedCode(4, 5, 0), ..outcome },
        _ => outcome,
    }
}

fn lost(stage: Stage, loss: Loss) -> Outcome {
    let at = stage.as_str();
    // Before there is a message, what could not be sent is no more than a connection that was lost.
    let loss = if loss == Loss::Unsent { Loss::Closed } else { loss };
    let (culprit, status, what) = loss.told();
    Outcome::ours(Verdict::Deferred, stage, culprit, status, format!("{what} ({at})"))
}

fn loops(host: &HostName) -> Outcome {
    let text = format!("mail loops back to this server: {host} has our own address, and the domain is not ours");
    Outcome::ours(Verdict::Failed, Stage::Route, Culprit::Dns, EnhancedCode(5, 4, 6), text)
}

fn no_hosts() -> Outcome {
    let text = "the route has no host";
    Outcome::ours(Verdict::Deferred, Stage::Route, Culprit::Us, EnhancedCode(4, 3, 5), text)
}

/// Which of two outcomes is the attempt's: a temporary one, because there is hope; else the one
/// that got further; else the earlier, which is the better host's.
fn more_telling(before: Option<Outcome>, now: Outcome) -> Outcome {
    let Some(before) = before else { return now };
    let rank = |o: &Outcome| (o.verdict == Verdict::Deferred, o.stage);
    if rank(&now) > rank(&before) { now } else { before }
}
