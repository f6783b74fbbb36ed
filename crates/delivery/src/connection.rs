//! An open session with a server, over which messages are sent one after the other.
//!
//! Promise: each recipient of a message ends with exactly one outcome that names the peer and
//! its TLS. A server that closed an idle session before it looked at the next message is no
//! attempt: that is [`Sent::Stale`]. One that left after the message's end was sent without saying
//! what became of it leaves a deferral that says that it may have been delivered.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use repute_dns::Resolver;
use repute_net::Network;
use repute_smtp::client::{Exchange, Extensions, Loss, Next, Payload, TOO_MANY, Transaction};
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Peer, Reply, Stage, TlsUsed, Verdict};
use tokio::time::Instant;

use crate::dane::Vouched;
use crate::opening::Opener;
use crate::rules::{self, TlsRule, Wanted};
use crate::tally::Counting;
use crate::wire::{Wire, Written};
use crate::{DeliverySettings, Egress, HostMemory, Route, Timeouts};

/// Further transactions for recipients who were too many for the one before: a server that
/// takes ten at a time gets a thousand in one attempt.
const FURTHER_MOST: usize = 100;

/// What became of a message that was to be sent.
#[derive(Debug)]
pub enum Sent {
    /// For each recipient, in order, an outcome. `None`: the session carries no more, and the recipient is for another.
    Done(Vec<Option<Outcome>>),
    /// The server refused the BDAT that it had offered, and what came of the session cannot be known: nothing is decided, and
    /// another session with it will do without. So may one with any other host of the site, if it is told to.
    Again,
    /// The server had ended the session before: nothing was tried. The outcome is for the
    /// caller that cannot open another.
    Stale(Outcome),
}

pub struct Connection {
    wire: Wire,
    offered: Extensions,
    tls: Option<TlsUsed>,
    peer: Peer,
    local_address: Option<IpAddr>,
    timeouts: Timeouts,
    /// It is known that the host is one of the domain's.
    safe: bool,
    /// The only domain whose mail it may carry.
    bound_to: Option<Domain>,
    /// For reports on TLS.
    counting: Option<Counting>,
    memory: HostMemory,
    messages: u32,
    alive: bool,
    /// RSET has to come before the next MAIL.
    unclean: bool,
    opened: Instant,
    /// For commands; kept for its memory.
    out: BytesMut,
}

impl Connection {
    /// Opens a session with one of the route's hosts. `Err` is the outcome for each recipient of the message that
    /// it is wanted for.
    pub async fn open(
        route: &Route,
        wanted: Wanted<'_>,
        egress: &Egress,
        settings: &DeliverySettings,
        network: &dyn Network,
        resolver: &dyn Resolver,
    ) -> Result<Connection, Outcome> {
        let rule = TlsRule::prepare(route, wanted)?;
        let opened = Opener { route, egress, settings, rule, wanted, network }.open(resolver).await?;
        let mut counting = settings.tally.clone().filter(|_| route.counted).map(|tally| Counting {
            seen: opened.seen,
            tally,
            policies: settings.policies.clone(),
            domains: Vec::new(),
        });
        if let Some(counting) = &mut counting {
            counting.count_for(wanted.domain);
        }
        let mut offered = opened.offered;
        if address_of(&opened.peer).is_some_and(|host| settings.memory.refuses_chunks(host)) {
            offered.chunking = false;
        }
        Ok(Connection {
            bound_to: (opened.vouched == Vouched::ForDomain).then(|| wanted.domain.clone()),
            counting,
            memory: settings.memory.clone(),
            local_address: opened.wire.stream().local_address(),
            wire: opened.wire,
            offered,
            tls: opened.tls,
            peer: opened.peer,
            timeouts: settings.timeouts.clone(),
            safe: route.is_safe(),
            messages: 0,
            alive: true,
            unclean: false,
            opened: Instant::now(),
            out: BytesMut::new(),
        })
    }

    /// Sends one message. Where the server limits the recipients of a transaction, beforehand (RFC
    /// 9422) or by its replies (RFC 5321 §4.5.3.1.10), it takes several.
    pub async fn send(&mut self, transaction: &Transaction<'_>) -> Sent {
        let most = self.offered.recipients_most.map_or(usize::MAX, |most| most as usize).max(1);
        let mut outcomes: Vec<Option<Outcome>> = Vec::with_capacity(transaction.recipients.len());
        for recipients in transaction.recipients.chunks(most) {
            if !outcomes.is_empty() && !self.is_reusable() {
                let rest = if self.alive { None } else { Some(self.marked(ended_early())) };
                outcomes.extend(recipients.iter().map(|_| rest.clone()));
                continue;
            }
            match self.exchange_as_offered(&Transaction { recipients, ..*transaction }).await {
                Exchanged::Decided(some) => outcomes.extend(some.into_iter().map(Some)),
                Exchanged::Ended(stale) if outcomes.is_empty() => return Sent::Stale(stale),
                Exchanged::Ended(stale) => outcomes.extend(recipients.iter().map(|_| Some(stale.clone()))),
                Exchanged::NotAsOffered(_) if outcomes.is_empty() => return Sent::Again,
                Exchanged::NotAsOffered(_) => outcomes.extend(recipients.iter().map(|_| None)),
            }
        }
        if outcomes.iter().any(is_one_too_many) {
            self.send_to_the_rest(transaction, &mut outcomes).await;
        }
        Sent::Done(outcomes)
    }

    /// Those who were too many, in transactions of as many as the last one took, as long as the session lasts. Ends
    /// where one takes nobody: then it was no limit of a transaction, and they wait.
    async fn send_to_the_rest(&mut self, transaction: &Transaction<'_>, outcomes: &mut [Option<Outcome>]) {
        let delivered = |outcome: &Option<Outcome>| outcome.as_ref().is_some_and(|o| o.verdict == Verdict::Delivered);
        let mut taken = outcomes.iter().filter(|o| delivered(o)).count();
        for _ in 0..FURTHER_MOST {
            let left = outcomes.iter().enumerate().filter(|(_, o)| is_one_too_many(o));
            let left: Vec<usize> = left.map(|(i, _)| i).take(taken).collect();
            if left.is_empty() {
                return;
            }
            if !self.is_reusable() {
                if self.alive {
                    outcomes.iter_mut().filter(|o| is_one_too_many(o)).for_each(|outcome| *outcome = None);
                }
                return;
            }
            let recipients: Vec<_> = left.iter().map(|i| transaction.recipients[*i]).collect();
            let again = self.exchange_as_offered(&Transaction { recipients: &recipients, ..*transaction }).await;
            // Where the session had ended, what was said before stands.
            let Exchanged::Decided(again) = again else { return };
            taken = again.iter().filter(|o| o.verdict == Verdict::Delivered).count();
            for (i, outcome) in left.into_iter().zip(again) {
                outcomes[i] = Some(outcome);
            }
        }
    }

    /// One transaction, and once more without the parameters that the server offered and then did not know.
    async fn exchange_as_offered(&mut self, transaction: &Transaction<'_>) -> Exchanged {
        match self.exchange(transaction).await {
            Exchanged::NotAsOffered(outcomes) if self.alive => {
                // The last transaction that it takes has been spent on finding that out.
                if self.is_reusable() { self.exchange(transaction).await } else { Exchanged::Decided(outcomes) }
            }
            exchanged => exchanged,
        }
    }

    /// One transaction.
    async fn exchange(&mut self, transaction: &Transaction<'_>) -> Exchanged {
        let reused = self.messages > 0;
        self.messages += 1;
        let Connection { wire, offered, out, timeouts, .. } = self;
        let mut exchange = Exchange::begin(transaction, offered, self.unclean);
        let ended_before = loop {
            match exchange.next(out) {
                Next::Send(_) if exchange.speaks_alone() && wire.has_unread() => {
                    out.clear();
                    exchange.answered_early();
                }
                Next::Send(payload) if exchange.speaks_alone() => {
                    let sent = wire.send_alone(out, payload, timeouts.block).await;
                    out.clear();
                    match sent {
                        Ok(Written::All) => {}
                        Ok(Written::Interrupted) => match wire.reply(timeouts.reply(Stage::Body)).await {
                            Ok(reply) => exchange.answered_midway(reply),
                            Err(loss) => exchange.lost(loss),
                        },
                        Err(loss) => exchange.lost(loss),
                    }
                }
                Next::Send(payload) => {
                    let sent = wire.send(out, payload, timeouts.block).await;
                    out.clear();
                    if let Err(loss) = sent {
                        exchange.lost(loss);
                    }
                }
                Next::Reply(stage) => {
                    let first = reused && exchange.replies() == 0;
                    match wire.reply(timeouts.reply(stage)).await {
                        Ok(reply) if first && reply.code == 421 => break true,
                        Err(Loss::Closed | Loss::Unsent) if first => break true,
                        Ok(reply) => exchange.reply(reply),
                        Err(loss) => exchange.lost(loss),
                    }
                }
                Next::Done => break false,
            }
        };
        // A reply too many: which belongs to what cannot be known any more.
        self.alive = exchange.is_alive() && !ended_before && !wire.has_unread();
        self.unclean = exchange.is_unclean();
        if ended_before {
            return Exchanged::Ended(self.marked(ended_early()));
        }
        let outcomes: Vec<_> = exchange.finish().into_iter().map(|outcome| self.marked(outcome)).collect();
        self.learn_from_data(transaction, &outcomes);
        if self.takes_back(&outcomes) { Exchanged::NotAsOffered(outcomes) } else { Exchanged::Decided(outcomes) }
    }

    /// Whether the server did not know what it had offered, which happens where something that speaks for it knows
    /// less than it. It is not used again.
    fn takes_back(&mut self, outcomes: &[Outcome]) -> bool {
        let unknown = |stage: Stage, outcome: &Outcome| {
            outcome.stage == stage && outcome.reply.as_ref().is_some_and(|reply| is_not_known(reply, stage))
        };
        if self.offered.chunking && outcomes.iter().any(|outcome| unknown(Stage::Body, outcome)) {
            self.offered.chunking = false;
            if let Some(host) = address_of(&self.peer) {
                self.memory.chunks_refused(host);
            }
            // It may take the content for commands.
            self.alive = false;
            return true;
        }
        let params = self.offered.size || self.offered.dsn;
        let refused = |outcome: &Outcome| unknown(Stage::Mail, outcome) || unknown(Stage::Rcpt, outcome);
        if params && self.alive && outcomes.iter().any(refused) {
            (self.offered.size, self.offered.dsn) = (false, false);
            return true;
        }
        false
    }

    /// What failed by BDAT went by DATA: others do not need to fail first.
    fn learn_from_data(&mut self, transaction: &Transaction<'_>, outcomes: &[Outcome]) {
        let went = outcomes.iter().any(|outcome| outcome.verdict == Verdict::Delivered);
        if went && self.offered.chunking && !transaction.chunks {
            self.offered.chunking = false;
            if let Some(host) = address_of(&self.peer) {
                self.memory.chunks_refused(host);
            }
        }
    }

    fn marked(&self, outcome: Outcome) -> Outcome {
        let outcome = if self.is_refused_for_want_of_tls(&outcome) { needs_tls(outcome) } else { outcome };
        Outcome { peer: Some(self.peer.clone()), tls: self.tls.clone(), ..outcome }
    }

    /// A server that wants TLS (RFC 3207 §4), and with which a handshake broke, or which refused STARTTLS.
    fn is_refused_for_want_of_tls(&self, outcome: &Outcome) -> bool {
        let refused = outcome.reply.as_ref().is_some_and(|reply| reply.code == 530);
        refused && self.tls.is_none() && self.offered.starttls
    }

    /// Whether another message may be sent.
    pub fn is_reusable(&self) -> bool {
        self.alive && self.offered.messages_most.is_none_or(|most| self.messages < most)
    }

    /// Whether such mail may go over this session too: it is as safe as the mail asks for, and was not opened by a
    /// certificate that says nothing of its domain. It then counts as a session for that domain.
    pub fn claim(&mut self, wanted: Wanted<'_>) -> bool {
        let safe = !wanted.require_tls || rules::suits_require_tls(self.safe, self.tls.as_ref(), &self.offered);
        let suits = safe && self.bound_to.as_ref().is_none_or(|domain| domain == wanted.domain);
        if let (true, Some(counting)) = (suits, &mut self.counting) {
            counting.count_for(wanted.domain);
        }
        suits
    }

    /// Transactions so far.
    pub fn messages(&self) -> u32 {
        self.messages
    }

    pub fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    pub fn tls(&self) -> Option<&TlsUsed> {
        self.tls.as_ref()
    }

    /// What the server offers; whether it takes DSN on decides who tells of a success (RFC
    /// 3461 §5.2.2).
    pub fn offered(&self) -> &Extensions {
        &self.offered
    }

    /// The address that this session left from.
    pub fn local_address(&self) -> Option<IpAddr> {
        self.local_address
    }

    /// Says goodbye, within a short time.
    pub async fn quit(mut self) {
        let within = self.timeouts.quit;
        if self.alive && self.wire.send(b"QUIT\r\n", Payload::None, within).await.is_ok() {
            // Nothing depends on what it says.
            let _ = self.wire.reply(within).await;
        }
        self.wire.close(within).await;
    }
}

/// Its TLS may work again, and the refusal says nothing about the recipient.
fn needs_tls(outcome: Outcome) -> Outcome {
    let text = "the server takes mail over TLS alone, and TLS with it could not be had";
    Outcome { verdict: Verdict::Deferred, status: EnhancedCode(4, 7, 0), text: text.into(), ..outcome }
}

fn is_one_too_many(outcome: &Option<Outcome>) -> bool {
    outcome.as_ref().is_some_and(|o| o.stage == Stage::Rcpt && o.verdict == Verdict::Deferred && o.status == TOO_MANY)
}

/// One transaction's end.
enum Exchanged {
    /// An outcome for each recipient.
    Decided(Vec<Outcome>),
    /// The session had ended before it.
    Ended(Outcome),
    /// The server did not know what it had offered; what it said to that.
    NotAsOffered(Vec<Outcome>),
}

/// A command (BDAT) or a parameter (of MAIL, RCPT) that the server does not know, by RFC 5321 §4.2.2 and §4.1.1.11. What
/// it has against the mail itself is said with other codes.
fn is_not_known(reply: &Reply, stage: Stage) -> bool {
    match stage {
        Stage::Body => matches!(reply.code, 500..=504 | 555),
        _ => reply.code == 555 || (matches!(reply.code, 501 | 504) && reply.enhanced == Some(EnhancedCode(5, 5, 4))),
    }
}

fn address_of(peer: &Peer) -> Option<SocketAddr> {
    peer.address.map(|address| SocketAddr::new(address, peer.port))
}

fn ended_early() -> Outcome {
    let text = "the server ended the session before this message";
    Outcome::ours(Verdict::Deferred, Stage::Mail, Culprit::Network, EnhancedCode(4, 4, 2), text)
}
