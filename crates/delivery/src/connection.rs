//! An open session with a server, over which messages are sent one after the other.
//!
//! Promise: each recipient of a message ends with exactly one outcome that names the peer and
//! its TLS. A server that closed an idle session before it looked at the next message is no
//! attempt: that is [`Sent::Stale`]. One that left after the message's end was sent without saying
//! what became of it leaves a deferral that says that it may have been delivered.

use std::net::IpAddr;
use std::time::Duration;

use bytes::BytesMut;
use repute_dns::Resolver;
use repute_net::Network;
use repute_smtp::client::{Exchange, Extensions, Loss, Next, Payload, TOO_MANY, Transaction};
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Peer, Stage, TlsUsed, Verdict};
use tokio::time::Instant;

use crate::dane::Vouched;
use crate::opening::Opener;
use crate::rules::{self, TlsRule, Wanted};
use crate::tally::Counting;
use crate::wire::Wire;
use crate::{DeliverySettings, Egress, Route, Timeouts};

/// Further transactions for recipients who were too many for the one before: a server that
/// takes ten at a time gets a thousand in one attempt.
const FURTHER_MOST: usize = 100;

/// What became of a message that was to be sent.
#[derive(Debug)]
pub enum Sent {
    /// One outcome for each recipient, in order.
    Done(Vec<Outcome>),
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
        Ok(Connection {
            bound_to: (opened.vouched == Vouched::ForDomain).then(|| wanted.domain.clone()),
            counting,
            local_address: opened.wire.stream().local_address(),
            wire: opened.wire,
            offered: opened.offered,
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
        let mut outcomes = Vec::with_capacity(transaction.recipients.len());
        for recipients in transaction.recipients.chunks(most) {
            if !outcomes.is_empty() && !self.is_reusable() {
                outcomes.extend(recipients.iter().map(|_| self.marked(ended_early())));
                continue;
            }
            match self.exchange(&Transaction { recipients, ..*transaction }).await {
                Ok(some) => outcomes.extend(some),
                Err(stale) if outcomes.is_empty() => return Sent::Stale(stale),
                Err(stale) => outcomes.extend(recipients.iter().map(|_| stale.clone())),
            }
        }
        if outcomes.iter().any(is_one_too_many) {
            self.send_to_the_rest(transaction, &mut outcomes).await;
        }
        Sent::Done(outcomes)
    }

    /// Those who were too many, in transactions of as many as the last one took. Ends where one
    /// takes nobody: then it was no limit of a transaction, and they wait.
    async fn send_to_the_rest(&mut self, transaction: &Transaction<'_>, outcomes: &mut [Outcome]) {
        let mut taken = outcomes.iter().filter(|o| o.verdict == Verdict::Delivered).count();
        for _ in 0..FURTHER_MOST {
            let left = outcomes.iter().enumerate().filter(|(_, o)| is_one_too_many(o));
            let left: Vec<usize> = left.map(|(i, _)| i).take(taken).collect();
            if left.is_empty() || !self.is_reusable() {
                return;
            }
            let recipients: Vec<_> = left.iter().map(|i| transaction.recipients[*i]).collect();
            let again = self.exchange(&Transaction { recipients: &recipients, ..*transaction }).await;
            // Where the session had ended, what was said before stands.
            let Ok(again) = again else { return };
            taken = again.iter().filter(|o| o.verdict == Verdict::Delivered).count();
            for (i, outcome) in left.into_iter().zip(again) {
                outcomes[i] = outcome;
            }
        }
    }

    /// One transaction; `Err` where the session had ended before it.
    async fn exchange(&mut self, transaction: &Transaction<'_>) -> Result<Vec<Outcome>, Outcome> {
        let reused = self.messages > 0;
        self.messages += 1;
        let Connection { wire, offered, out, timeouts, .. } = self;
        let mut exchange = Exchange::begin(transaction, offered, self.unclean);
        let ended_before = loop {
            match exchange.next(out) {
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
            return Err(self.marked(ended_early()));
        }
        Ok(exchange.finish().into_iter().map(|outcome| self.marked(outcome)).collect())
    }

    fn marked(&self, outcome: Outcome) -> Outcome {
        Outcome { peer: Some(self.peer.clone()), tls: self.tls.clone(), ..outcome }
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

fn is_one_too_many(outcome: &Outcome) -> bool {
    outcome.stage == Stage::Rcpt && outcome.verdict == Verdict::Deferred && outcome.status == TOO_MANY
}

fn ended_early() -> Outcome {
    let text = "the server ended the session before this message";
    Outcome::ours(Verdict::Deferred, Stage::Mail, Culprit::Network, EnhancedCode(4, 4, 2), text)
}
