//! What was accepted just before a kill and whose event was lost with it: found in the spool at the next start, and told then to
//! each that keeps events, the feed and the history.
//!
//! Promise: of what waits, everybody knows who sent it: an account may ask about its message before and after a crash. What became
//! of it is still to come, since the feed keeps that before it is settled on disk. A start waits for the feed, whose order is
//! promised, and for a page of the history; all else that the history may miss it is told while the server runs ([`Rest`]), since
//! of a million messages that came in the last minute each has to be asked about. That waits until the mail is scheduled.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use repute_hooks::Feed;
use repute_ledger::History;
use repute_spool::{Campaign, MessageMeta, PartRecord, Spool, Stretch, Walk};
use repute_types::{Address, Clock as _, Event, EventKind, MessageId, SystemClock};

/// How far behind the newest event that is kept the acceptance of a message may lie that was not
/// told before a kill: transactions of the two files overlap by no more.
const OVERLAP: Duration = Duration::from_secs(60);
const PAGE: usize = 10_000;
/// How long a page is waited for that the disk does not take.
const WRITTEN_WITHIN: Duration = Duration::from_secs(5);

/// Who keeps events.
enum Keeper<'a> {
    Feed(&'a Feed),
    History(&'a History),
}

/// Tells each what it misses, and what is left for later. A history that cannot be read stops no start: it tells of that itself.
pub async fn tell(feed: &Feed, history: &History, spool: &dyn Spool) -> anyhow::Result<Option<Rest>> {
    if feed.is_stored() {
        let newest = MessageId(feed.newest().borrow().0);
        // What was accepted before events were kept is not told. The first that was to be kept may be among what is missed.
        let begin = MessageId(feed.begins_after().await?.0);
        let from = MessageId::first_at(newest.time() - OVERLAP).max(begin);
        let keeper = Keeper::Feed(feed);
        keeper.tell_campaigns(spool, from).await?;
        let mut pass = Pass::of(keeper, spool, from);
        while pass.page().await? {}
    }
    let Ok(newest) = history.ask(|questions| questions.newest()).await else { return Ok(None) };
    let now = SystemClock.now();
    let from = MessageId::first_at(newest.map_or(now, MessageId::time) - OVERLAP);
    Keeper::History(history).tell_campaigns(spool, from).await?;
    // The newest of all are what it is likely to miss, and some of them are delivered at once.
    Pass::of(Keeper::History(history), spool, newest.map_or(from, |newest| MessageId(newest.0 + 1))).page().await?;
    // One that knew nothing is new, or was taken away: what it never had it does not miss.
    Ok(newest.map(|_| Rest { from, until: MessageId::first_at(now) }))
}

/// What the history may miss besides: messages from the one to the other.
pub struct Rest {
    from: MessageId,
    until: MessageId,
}

impl Rest {
    /// A page at a time, each written before the next, behind whatever `first` waits for. What the disk refuses now is left.
    pub async fn tell(self, first: impl Future<Output = ()>, history: Arc<History>, spool: Arc<dyn Spool>) {
        first.await;
        let mut pass = Pass { until: self.until, ..Pass::of(Keeper::History(&history), &*spool, self.from) };
        while pass.page().await.unwrap_or(false) {
            // The history drops what it cannot write in time, and what happens now is told to it as well.
            let history = history.clone();
            let _ = tokio::task::spawn_blocking(move || history.flush_within(WRITTEN_WITHIN)).await;
        }
    }
}

/// A way through what the spool holds.
struct Pass<'a> {
    keeper: Keeper<'a>,
    spool: &'a dyn Spool,
    walk: Walk,
    /// A message that two pages share is one.
    last: Option<MessageId>,
    until: MessageId,
}

impl<'a> Pass<'a> {
    fn of(keeper: Keeper<'a>, spool: &'a dyn Spool, from: MessageId) -> Pass<'a> {
        Pass { keeper, spool, walk: Walk::starting_at(from), last: None, until: MessageId(u64::MAX) }
    }

    /// Tells of a page what is missed; whether there may be another.
    async fn page(&mut self) -> anyhow::Result<bool> {
        let page = match self.walk.next(self.spool, PAGE).await? {
            Some(Stretch::Parts(page)) => page,
            stretch => return Ok(stretch.is_some()),
        };
        let is_new = |(meta, _): &&(MessageMeta, PartRecord)| {
            Some(meta.id) != self.last && meta.letter.is_none() && meta.id < self.until
        };
        let mut ids: Vec<MessageId> = page.iter().filter(is_new).map(|(meta, _)| meta.id).collect();
        ids.dedup();
        let unknown: HashSet<MessageId> = self.keeper.unknown(ids).await?.into_iter().collect();
        for group in page.chunk_by(|(a, _), (b, _)| a.id == b.id) {
            if unknown.contains(&group[0].0.id) {
                let recipients: Vec<Address> = group.iter().flat_map(|(_, part)| part.addresses()).collect();
                let count = recipients.len() as u64;
                self.keeper.record(&group[0].0, recipients, count);
            }
        }
        self.last = page.last().map(|(meta, _)| meta.id);
        Ok(self.last.is_some_and(|last| last < self.until))
    }
}

impl Keeper<'_> {
    /// The same for campaigns: they are accepted when they are launched. Of one that is done all was told.
    async fn tell_campaigns(&self, spool: &dyn Spool, from: MessageId) -> anyhow::Result<()> {
        let launched = |campaign: &Campaign| campaign.launched.is_some_and(|at| MessageId::first_at(at) >= from);
        let campaigns: Vec<Campaign> = spool.campaigns().await?.into_iter().filter(launched).collect();
        let unknown = self.unknown(campaigns.iter().map(|campaign| campaign.id).collect()).await?;
        for campaign in campaigns.iter().filter(|campaign| unknown.contains(&campaign.id)) {
            if let Ok(meta) = spool.meta(campaign.id).await {
                self.record(&meta, Vec::new(), campaign.tally.taken);
            }
        }
        Ok(())
    }

    /// Those of them whose acceptance is not kept.
    async fn unknown(&self, ids: Vec<MessageId>) -> anyhow::Result<Vec<MessageId>> {
        match self {
            Keeper::Feed(feed) => Ok(feed.unknown(ids).await?),
            Keeper::History(history) => {
                Ok(history.ask(move |questions| questions.unknown(ids)).await.unwrap_or_default())
            }
        }
    }

    fn record(&self, meta: &MessageMeta, recipients: Vec<Address>, recipient_count: u64) {
        let kind = EventKind::Accepted(meta.accepted(recipients, recipient_count));
        match self {
            // Ids of events go with the time at which they are told.
            Keeper::Feed(feed) => feed.record(&Arc::new(Event { at: SystemClock.now(), kind })),
            Keeper::History(history) => history.record(Arc::new(Event { at: meta.id.time(), kind })),
        }
    }
}

#[cfg(test)]
mod tests {
    use repute_hooks::{Bounds, FeedOptions};
    use repute_ledger::HistoryOptions;
    use repute_spool::{MemorySpool, NewMessage};
    use repute_types::{Content, Domain, PartId, Recipient, Timestamp};

    use super::*;

    fn message(at: Timestamp) -> NewMessage {
        let id = MessageId::first_at(at);
        let expires = at + Duration::from_secs(86_400);
        let meta = MessageMeta { account: Some("shop".into()), size: 1, ..MessageMeta::new(id, at, expires) };
        let recipients = vec![Recipient::to("x@a.test".parse().unwrap())];
        let id = PartId { message: id, number: 0 };
        let part = PartRecord::new(id, Domain::parse("a.test").unwrap(), recipients, at);
        NewMessage { meta, content: Content::from(&b"x"[..]), parts: vec![part] }
    }

    /// With a file of events in which none stood yet, nothing was looked for.
    #[tokio::test]
    async fn the_first_message_of_all_is_told_after_a_kill() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let store = Some((folder.path().join("events.sqlite"), Bounds::default()));
            Feed::open(FeedOptions { store, ..FeedOptions::default() }).unwrap()
        };
        let history = History::open(&folder.path().join("history.sqlite"), HistoryOptions::default()).unwrap();
        let (spool, now) = (MemorySpool::new(), SystemClock.now());
        let (before, after) = (message(now - Duration::from_secs(5)), message(now + Duration::from_secs(5)));
        let ids = vec![before.meta.id, after.meta.id];
        // It waits from before events were kept.
        spool.commit(before).await.unwrap();
        let feed = open();
        tell(&feed, &history, &spool).await.unwrap();
        assert_eq!(feed.unknown(ids.clone()).await.unwrap(), ids);
        drop(feed);
        spool.commit(after).await.unwrap();
        let feed = open();
        tell(&feed, &history, &spool).await.unwrap();
        assert_eq!(feed.unknown(ids.clone()).await.unwrap(), ids[..1]);
    }

    /// The history loses its last moments in a crash: whose message it was, nobody knew, and its account was told that there is none.
    #[tokio::test]
    async fn a_message_whose_acceptance_the_history_lost_is_its_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let history = History::open(&folder.path().join("history.sqlite"), HistoryOptions::default()).unwrap();
        let history = Arc::new(history);
        let feed = Feed::open(FeedOptions::default()).unwrap();
        let (spool, now) = (Arc::new(MemorySpool::new()), SystemClock.now());
        let (old, lost) = (message(now - Duration::from_secs(300)), message(now - Duration::from_secs(1)));
        let (old_id, lost_id) = (old.meta.id, lost.meta.id);
        spool.commit(old).await.unwrap();
        spool.commit(lost).await.unwrap();
        for _ in 0..2 {
            tell(&feed, &history, &*spool).await.unwrap();
            history.flush();
            let questions = history.questions().unwrap();
            // It is older than what the history may have lost.
            assert_eq!(questions.steps_of(old_id).unwrap(), []);
            let steps = questions.steps_of(lost_id).unwrap();
            assert_eq!(steps.len(), 1, "{steps:?}");
            assert_eq!(steps[0].kind.to_string(), "accepted from <> for x@a.test, 1 octets, account shop");
            assert_eq!(questions.newest().unwrap(), Some(lost_id));
        }
        // What came a little before the newest is looked for while the server runs; what came since then tells of itself.
        let (late, new) = (message(now - Duration::from_secs(2)), message(now + Duration::from_secs(5)));
        let (late_id, new_id) = (late.meta.id, new.meta.id);
        spool.commit(late).await.unwrap();
        let rest = tell(&feed, &history, &*spool).await.unwrap().unwrap();
        spool.commit(new).await.unwrap();
        history.flush();
        assert_eq!(history.questions().unwrap().steps_of(late_id).unwrap(), []);
        rest.tell(std::future::ready(()), history.clone(), spool.clone()).await;
        history.flush();
        let questions = history.questions().unwrap();
        assert_eq!(questions.steps_of(late_id).unwrap().len(), 1);
        assert_eq!(questions.steps_of(new_id).unwrap(), []);
    }
}
