//! One session to one site: opens it, sends what the lane gives it, waits a little for more,
//! ends it. Steps 6 to 8 of a message's path. It decides nothing about what an outcome means:
//! that is `settle`'s.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use repute_delivery::{Connection, Egress, NO_SOCKETS, Sent, Transaction, Wanted};
use repute_queue::{Feedback, LaneId, Lease, Next, Then};
use repute_spool::Pending;
use repute_types::{Culprit, EnhancedCode, Outcome, Recipient, Stage, Stream, Verdict};
use tokio::sync::watch;

use crate::aside;
use crate::config::Settings;
use crate::fresh::Loaded;
use crate::load::{self, Load};
use crate::returned;
use crate::settle::{self, By, Decided};
use crate::suppress;
use crate::warm_up;
use crate::works::{LaneWork, Works};

/// Recipients in one transaction: what every server has to take (RFC 5321 §4.5.3.1.8).
const RECIPIENTS: usize = 100;

struct Session {
    works: Arc<Works>,
    id: LaneId,
    lane: Arc<LaneWork>,
    connection: Option<Connection>,
    /// Counts the connection among the lane's while there is one, or one is being opened.
    seat: Option<Seat>,
    /// That the attempt took so far.
    transactions: u32,
}

/// One connection of a lane, open or being opened.
struct Seat(Arc<LaneWork>);

impl Seat {
    fn take(lane: &Arc<LaneWork>) -> Seat {
        lane.connected.fetch_add(1, Ordering::Relaxed);
        Seat(lane.clone())
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Why nothing was said of a message.
enum Unsaid {
    /// The site refused this session while others to it are open or being opened: the part is
    /// theirs to send, and the last of them finds out whether the site can be reached at all.
    Crowded,
    /// Its campaign was cancelled while the session was opened.
    Cancelled,
}

pub(crate) async fn run(works: Arc<Works>, id: LaneId, first: Lease, mut stop: watch::Receiver<bool>) {
    let Some(lane) = works.lane(id) else {
        // A lane is known here before the queue can start a session for it.
        works.queue(|queue| queue.session_ended(id, works.now()));
        return;
    };
    let mut session = Session { works: works.clone(), id, lane, connection: None, seat: None, transactions: 0 };
    let mut next = Next::Work(first);
    loop {
        match next {
            Next::Work(lease) => session.attempt(lease, &stop).await,
            Next::Idle => {
                let more = session.wait(&mut stop).await;
                works.queue(|queue| queue.no_longer_idle(id));
                if !more {
                    break;
                }
            }
            Next::Close => break,
        }
        let go_on = !*stop.borrow() && works.may_start_attempts();
        next = if go_on { works.queue(|queue| queue.lease(id, works.now())) } else { Next::Close };
    }
    session.seat = None;
    // The connection is given back to the queue before the goodbye: QUIT may take its time.
    works.queue(|queue| queue.session_ended(id, works.now()));
    if let Some(connection) = session.connection.take() {
        connection.quit().await;
    }
}

impl Session {
    /// Whether there may be work again; `false` ends the session.
    async fn wait(&mut self, stop: &mut watch::Receiver<bool>) -> bool {
        let settings = self.works.settings();
        let carries_more = self.connection.as_ref().is_some_and(|c| carries_more(c, &settings));
        if !carries_more || *stop.borrow() {
            return false;
        }
        let idle = settings.limits.session_idle;
        drop(settings);
        tokio::select! {
            () = self.lane.work.notified() => true,
            () = tokio::time::sleep(idle) => false,
            _ = stop.changed() => false,
        }
    }

    async fn attempt(&mut self, lease: Lease, stop: &watch::Receiver<bool>) {
        let works = self.works.clone();
        // The queue leads nothing here that may not leave; a permit that was lost a moment ago is
        // seen here alone.
        if !works.gate.table().allows(lease.sender, self.lane.way, self.lane.route().is_relay) {
            return aside::put_back_unread(&works, lease.part, Then::Unchanged { held: false }).await;
        }
        let Some(loaded) = load::for_attempt(&works, lease.part, Load::ToSend).await else { return };
        // It may have waited for memory.
        if *stop.borrow() {
            return aside::put_back(&works, loaded, Then::Unchanged { held: false }, Feedback::None);
        }
        if works.now() >= works.expires(&loaded.meta) {
            return settle::expire(&works, loaded);
        }
        if let Some(hold) = works.circuits.stops(&loaded.meta) {
            return aside::stop(&works, loaded, hold);
        }
        let settings = works.settings();
        let left_out = suppress::before_attempt(&works, &loaded);
        let all = loaded.part.recipients.iter().enumerate();
        let recipients: Vec<_> = all.filter(|(n, _)| !left_out.has(*n)).map(|(_, pending)| pending).collect();
        if recipients.is_empty() {
            let (outcomes, suppressed) = left_out.with(Vec::new());
            let decided = Decided { suppressed, ..Decided::apart(loaded, By::Suppression, outcomes) };
            return settle::settle(&works, decided);
        }
        let (outcomes, feedback) = match self.transactions(&settings, &loaded, &recipients).await {
            Ok(ended) => ended,
            Err(Unsaid::Crowded) => return self.put_back(loaded),
            Err(Unsaid::Cancelled) => {
                return settle::cancel(&works, loaded, settle::CAMPAIGN_CANCELLED.to_owned());
            }
        };
        if feedback == Feedback::Unreachable
            && let Some(why) = outcomes.iter().find(|outcome| outcome.verdict == Verdict::Deferred)
        {
            self.lane.set_trouble(why.reason());
        }
        let transactions = std::mem::take(&mut self.transactions);
        warm_up::count(&works, &settings, &self.lane, &outcomes, transactions);
        // A rate counts each of them; the first is what the part was leased for.
        if transactions > 1 {
            works.queue(|queue| queue.spend(self.id, transactions - 1, works.now()));
        }
        let (outcomes, suppressed) = left_out.with(outcomes);
        let relay_tells = self.connection.as_ref().is_some_and(|c| c.offered().dsn);
        let egress = self.connection.as_ref().and_then(Connection::local_address);
        let egress = egress.or_else(|| refused_from(&self.lane.egress, &outcomes));
        let by = By::Attempt(lease.attempt);
        let route = self.lane.route();
        if let Some(address) = egress
            && outcomes.iter().any(|outcome| outcome.verdict == Verdict::Delivered)
        {
            works.unwelcome.taken(&route.site, address, works.now());
        }
        let site = (!route.is_relay).then(|| route.site.clone());
        settle::settle(&works, Decided { loaded, by, outcomes, feedback, egress, site, suppressed, relay_tells });
    }

    /// One attempt for all recipients: an outcome for each, in their order. Those at whose RCPT a session broke the last
    /// time come last, each in a transaction of its own, so that they keep nobody else waiting.
    async fn transactions(
        &mut self,
        settings: &Settings,
        loaded: &Loaded,
        pending: &[&Pending],
    ) -> Result<(Vec<Outcome>, Feedback), Unsaid> {
        let broke = |place: &usize| pending[*place].last.as_ref().is_some_and(Outcome::broke_the_session);
        let (alone, together): (Vec<usize>, Vec<usize>) = (0..pending.len()).partition(broke);
        let mut outcomes: Vec<Option<Outcome>> = vec![None; pending.len()];
        let (mut feedback, mut first) = (Feedback::None, true);
        for places in together.chunks(RECIPIENTS).chain(alone.chunks(1)) {
            let some: Vec<&Recipient> = places.iter().map(|place| &pending[*place].recipient).collect();
            let (some, learnt) = self.transaction(settings, loaded, &some, first).await?;
            places.iter().zip(some).for_each(|(place, outcome)| outcomes[*place] = Some(outcome));
            (feedback, first) = (feedback.worse(learnt), false);
        }
        // Each of them was in one transaction.
        Ok((outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(settle::not_tried_yet)).collect(), feedback))
    }

    /// No attempt was made: the part is ready again at once, for the sessions that are open.
    fn put_back(&mut self, loaded: Loaded) {
        self.works.fresh().keep(loaded.meta.clone(), loaded.content.clone(), vec![loaded.part.clone()]);
        aside::put_back(&self.works, loaded, Then::Unchanged { held: false }, Feedback::Crowded);
    }

    /// One attempt for some recipients, over the open connection or a new one, and over further ones where the server
    /// limits what a session carries. A connection that turns out to have been closed meanwhile is replaced once and is
    /// no attempt.
    async fn transaction(
        &mut self,
        settings: &Settings,
        loaded: &Loaded,
        recipients: &[&Recipient],
        first: bool,
    ) -> Result<(Vec<Outcome>, Feedback), Unsaid> {
        let meta = &loaded.meta;
        let path = returned::path_of(&self.works, settings, loaded, recipients);
        let wanted = Wanted { domain: &loaded.part.domain, require_tls: meta.options.require_tls };
        let mut slots = Slots::new(recipients.len());
        // What failed behind a BDAT may go by DATA.
        let failed = |pending: &Pending| pending.last.as_ref().is_some_and(|last| last.stage == Stage::Body);
        let mut chunks = !loaded.part.recipients.iter().any(failed);
        let (mut refused_its_offer, mut has_waited) = (false, !first);
        loop {
            let fresh = !self.has_usable(settings, wanted);
            if fresh && let Err(outcome) = self.open(settings, wanted).await {
                let feedback = connect_feedback(&outcome);
                let others = self.lane.connected.load(Ordering::Relaxed) > 0;
                if first && slots.is_untouched() && others && feedback == Feedback::Unreachable {
                    return Err(Unsaid::Crowded);
                }
                return Ok(slots.end(|| outcome.clone(), feedback));
            }
            if !std::mem::replace(&mut has_waited, true) {
                self.wait_for_pace(settings, meta.stream).await;
            }
            if meta.letter.is_some() && self.works.bulk.is_over(meta.id) {
                return Err(Unsaid::Cancelled);
            }
            let Some(connection) = self.connection.as_mut() else { continue };
            let left = slots.left(recipients);
            let transaction = Transaction {
                from: path.as_ref().or(meta.from.as_ref()),
                options: &meta.options,
                recipients: &left,
                content: &loaded.content,
                chunks,
            };
            let before = connection.messages();
            let sent = connection.send(&transaction).await;
            self.transactions += connection.messages() - before;
            match sent {
                Sent::Done(some) => {
                    let went_on = slots.fill(some);
                    if slots.is_full() || !went_on {
                        return Ok(slots.end(carries_no_more, Feedback::None));
                    }
                }
                Sent::Again if !refused_its_offer => {
                    (refused_its_offer, chunks) = (true, false);
                    (self.connection, self.seat) = (None, None);
                }
                Sent::Again => return Ok(slots.end(refuses_its_offer, Feedback::None)),
                Sent::Stale(outcome) => {
                    (self.connection, self.seat) = (None, None);
                    if fresh {
                        return Ok(slots.end(|| outcome.clone(), Feedback::PushedBack));
                    }
                }
            }
        }
    }

    /// Until the site's rate lets this message begin. A greeting that took long has used up the distance to the next.
    async fn wait_for_pace(&self, settings: &Settings, stream: Stream) {
        if settings.sites.is_empty() && settings.warm_up.is_empty() {
            return;
        }
        let now = self.works.now();
        let at = self.works.queue(|queue| queue.speaks_at(self.id, stream, now));
        tokio::time::sleep(at.since(now)).await;
    }

    fn has_usable(&mut self, settings: &Settings, wanted: Wanted<'_>) -> bool {
        self.connection.as_mut().is_some_and(|c| carries_more(c, settings) && c.claim(wanted))
    }

    async fn open(&mut self, settings: &Settings, wanted: Wanted<'_>) -> Result<(), Outcome> {
        self.seat = Some(Seat::take(&self.lane));
        if let Some(old) = self.connection.take() {
            // The goodbye may take its time, and nothing depends on it.
            tokio::spawn(old.quit());
        }
        let route = self.lane.route();
        let opened = Connection::open(
            &route,
            wanted,
            &self.lane.egress,
            &settings.delivery,
            &*self.works.doors.network,
            &*self.works.doors.resolver,
        );
        match opened.await {
            Ok(connection) => self.connection = Some(connection),
            Err(outcome) => {
                self.seat = None;
                return Err(outcome);
            }
        }
        Ok(())
    }
}

/// The outcomes of an attempt's recipients, as sessions fill them.
struct Slots {
    outcomes: Vec<Option<Outcome>>,
    feedback: Feedback,
}

impl Slots {
    fn new(recipients: usize) -> Slots {
        Slots { outcomes: vec![None; recipients], feedback: Feedback::None }
    }

    fn is_untouched(&self) -> bool {
        self.outcomes.iter().all(Option::is_none)
    }

    fn is_full(&self) -> bool {
        self.outcomes.iter().all(Option::is_some)
    }

    fn left<'a>(&self, recipients: &[&'a Recipient]) -> Vec<&'a Recipient> {
        let open = self.outcomes.iter().zip(recipients).filter(|(slot, _)| slot.is_none());
        open.map(|(_, recipient)| *recipient).collect()
    }

    /// Takes what a session decided of those who were left. Says whether another session is worth it: the server has
    /// not just put off everyone.
    fn fill(&mut self, some: Vec<Option<Outcome>>) -> bool {
        self.feedback = self.feedback.worse(feedback(&some));
        let went_on = some.iter().flatten().any(|outcome| outcome.verdict != Verdict::Deferred);
        let open = self.outcomes.iter_mut().filter(|slot| slot.is_none());
        open.zip(some).for_each(|(slot, outcome)| *slot = outcome);
        went_on
    }

    /// All of them; those who are still left with this one.
    fn end(self, rest: impl Fn() -> Outcome, learnt: Feedback) -> (Vec<Outcome>, Feedback) {
        let outcomes = self.outcomes.into_iter().map(|slot| slot.unwrap_or_else(&rest)).collect();
        (outcomes, self.feedback.worse(learnt))
    }
}

fn carries_no_more() -> Outcome {
    let text = "the server's sessions carry few recipients, and it put off those of the last one";
    Outcome::ours(Verdict::Deferred, Stage::Mail, Culprit::Receiver, EnhancedCode(4, 5, 3), text)
}

fn refuses_its_offer() -> Outcome {
    let text = "the server offers CHUNKING and does not know BDAT; the next attempt does without";
    Outcome::ours(Verdict::Deferred, Stage::Body, Culprit::Receiver, EnhancedCode(4, 5, 0), text)
}

/// Whether another message may go over a connection.
fn carries_more(connection: &Connection, settings: &Settings) -> bool {
    connection.is_reusable() && connection.messages() < settings.limits.messages_per_session
}

/// What a failed opening says about the site. A message that asks for more than the site has
/// (REQUIRETLS) says nothing about mail that does not, and our own want of sockets nothing at all.
fn connect_feedback(outcome: &Outcome) -> Feedback {
    match outcome.verdict {
        Verdict::Deferred if outcome.culprit == Culprit::Us && outcome.status == NO_SOCKETS => Feedback::None,
        Verdict::Deferred => Feedback::Unreachable,
        _ => Feedback::None,
    }
}

fn feedback(outcomes: &[Option<Outcome>]) -> Feedback {
    let pushed = |o: &Outcome| match &o.reply {
        Some(reply) => reply.code == 421,
        None => o.verdict == Verdict::Deferred && o.stage >= Stage::Mail,
    };
    if outcomes.iter().flatten().any(pushed) { Feedback::PushedBack } else { Feedback::Reached }
}

/// The address of ours that a server saw which answered and would have no session.
fn refused_from(egress: &Egress, outcomes: &[Outcome]) -> Option<IpAddr> {
    let answered = outcomes.iter().find(|outcome| outcome.reply.is_some())?;
    match answered.peer.as_ref()?.address? {
        IpAddr::V4(_) => egress.v4.map(IpAddr::V4),
        IpAddr::V6(_) => egress.v6.map(IpAddr::V6),
    }
}
