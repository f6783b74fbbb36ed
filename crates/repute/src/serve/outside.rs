//! What tells the outside: the feed of events, webhooks on a thread of their own with name look-ups
//! of their own, and the file of lines.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use repute_dns::HickoryResolver;
use repute_hooks::lines::Lines;
use repute_hooks::{Caller, Feed, FeedOptions, Hooks, Webhook};
use repute_ledger::Trust;
use repute_net::{TcpNetwork, TlsClient};
use repute_spool::{Campaign, MessageMeta, PartRecord, Spool, Stretch, Walk, sqlite};
use repute_types::event::EventSink;
use repute_types::{Address, Clock as _, Event, EventKind, MessageId, PartId, SystemClock, SystemRandom, Timestamp};
use tokio::sync::oneshot;

use super::incidents;
use crate::config::Config;

/// How far behind the newest event that is kept the acceptance of a message may lie that was not
/// told before a kill: transactions of the two files overlap by no more.
const OVERLAP: Duration = Duration::from_secs(60);
const PAGE: usize = 10_000;

pub struct Outside {
    pub hooks: Arc<Hooks>,
    lines: Option<Lines>,
    /// Where incidents of webhooks stand beside the others.
    trust: Arc<Trust>,
    /// Ends the thread of the webhooks.
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// What became of mail is forgotten by the spool only after it is kept here.
struct Kept(Arc<Feed>);

impl sqlite::Told for Kept {
    fn handed_in(&self) -> u64 {
        self.0.recorded()
    }

    fn kept(&self) -> u64 {
        self.0.stored()
    }
}

/// For the spool, which waits for it; `None` where nothing is kept.
pub fn told(feed: &Arc<Feed>) -> Option<Arc<dyn sqlite::Told>> {
    feed.is_stored().then(|| Arc::new(Kept(feed.clone())) as Arc<dyn sqlite::Told>)
}

pub fn open_feed(config: &Config) -> anyhow::Result<Arc<Feed>> {
    let store = config.events.kept.map(|bounds| (crate::state::events(&config.state), bounds));
    Ok(Feed::open(FeedOptions { store, ..FeedOptions::default() })?)
}

impl Outside {
    /// Starts the readers; webhooks begin where they were.
    pub async fn start(
        config: &Config,
        feed: Arc<Feed>,
        events: Arc<dyn EventSink>,
        trust: Arc<Trust>,
    ) -> anyhow::Result<Outside> {
        feed.tell_to(&events);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let run = move || {
            runtime.block_on(async {
                // Dropped or sent, it is the end.
                let _ = stopped.await;
            });
        };
        let thread = std::thread::Builder::new().name("webhooks".into()).spawn(run)?;
        let lines = match &config.events.file {
            Some(path) => Some(Lines::start(&feed, path, events.clone(), Arc::new(SystemClock))?),
            None => None,
        };
        let caller = Caller {
            network: Arc::new(TcpNetwork::new(TlsClient::with_native_roots())),
            resolver: Arc::new(HickoryResolver::new(&crate::resolver::settings(config))?),
            clock: Arc::new(SystemClock),
        };
        let random = Arc::new(SystemRandom::new());
        let tell = Arc::new(incidents::Kept::new(events, trust.clone()));
        let hooks = Arc::new(Hooks::new(feed, Arc::new(caller), random, tell, handle));
        hooks.configure(config.webhooks.clone()).await.context("the webhooks cannot be started")?;
        incidents::compare(&hooks, &trust).await?;
        Ok(Outside { hooks, lines, trust, stop, thread })
    }

    /// Takes another state of the configuration, and opens the file of lines anew.
    pub fn reload(&self, webhooks: Vec<Webhook>) {
        if let Some(lines) = &self.lines {
            lines.reopen();
        }
        if self.hooks.feed().is_stored() {
            let (hooks, trust) = (self.hooks.clone(), self.trust.clone());
            tokio::spawn(async move {
                // It fails only where the store cannot be used, which the feed tells by itself; what is written of
                // incidents is compared again at the next start.
                if hooks.configure(webhooks).await.is_ok() {
                    let _ = incidents::compare(&hooks, &trust).await;
                }
            });
        }
    }

    /// Ends in order, after the last event was recorded.
    pub async fn stop(self) {
        self.hooks.stop().await;
        let Outside { hooks, lines, stop, thread, .. } = self;
        let _ = stop.send(());
        // Threads are waited for off the async ones.
        let ended = tokio::task::spawn_blocking(move || {
            hooks.feed().close();
            if let Some(lines) = lines {
                lines.join();
            }
            let _ = thread.join();
        });
        let _ = ended.await;
    }
}

/// Tells the acceptance of messages again that were committed just before a kill, and whose event
/// was not. What became of them is still to come: it is kept before it is settled on disk.
pub async fn tell_missed(feed: &Feed, spool: &dyn Spool) -> anyhow::Result<()> {
    if !feed.is_stored() {
        return Ok(());
    }
    let newest = MessageId(feed.newest().borrow().0);
    // What was accepted before events were kept is not told. The first that was to be kept may be among what is missed.
    let begin = MessageId(feed.begins_after().await?.0);
    let from = MessageId::first_at(newest.time() - OVERLAP).max(begin);
    let first = PartId { message: MessageId(from.0.saturating_sub(1)), number: u32::MAX };
    tell_missed_campaigns(feed, spool, from).await?;
    let mut walk = Walk::behind(Some(first));
    while let Some(stretch) = walk.next(spool, PAGE).await? {
        let Stretch::Parts(page) = stretch else { continue };
        let is_first = |(meta, part): &&(MessageMeta, PartRecord)| part.id.number == 0 && meta.letter.is_none();
        let ids: Vec<MessageId> = page.iter().filter(is_first).map(|(meta, _)| meta.id).collect();
        let unknown = feed.unknown(ids).await?;
        for group in page.chunk_by(|(a, _), (b, _)| a.id == b.id) {
            if unknown.contains(&group[0].0.id) {
                let recipients: Vec<Address> = group.iter().flat_map(|(_, part)| part.addresses()).collect();
                let count = recipients.len() as u64;
                feed.record(&Arc::new(accepted(&group[0].0, recipients, count)));
            }
        }
    }
    Ok(())
}

/// The same for campaigns: they are accepted when they are launched. Of one that is done all was told.
async fn tell_missed_campaigns(feed: &Feed, spool: &dyn Spool, from: MessageId) -> anyhow::Result<()> {
    let launched = |campaign: &Campaign| campaign.launched.is_some_and(|at| MessageId::first_at(at) >= from);
    let campaigns: Vec<Campaign> = spool.campaigns().await?.into_iter().filter(launched).collect();
    let unknown = feed.unknown(campaigns.iter().map(|campaign| campaign.id).collect()).await?;
    for campaign in campaigns.iter().filter(|campaign| unknown.contains(&campaign.id)) {
        if let Ok(meta) = spool.meta(campaign.id).await {
            feed.record(&Arc::new(accepted(&meta, Vec::new(), campaign.tally.taken)));
        }
    }
    Ok(())
}

fn accepted(meta: &MessageMeta, recipients: Vec<Address>, recipient_count: u64) -> Event {
    let kind = EventKind::Accepted {
        message: meta.id,
        account: meta.account.clone(),
        from: meta.from.clone(),
        recipients,
        recipient_count,
        size: usize::try_from(meta.size).unwrap_or(usize::MAX),
        header_id: meta.header_id.clone(),
        client: None,
        tls: None,
        labels: meta.labels.clone(),
    };
    // Ids of events go with the time at which they are told.
    let now: Timestamp = SystemClock.now();
    Event { at: now, kind }
}

#[cfg(test)]
mod tests {
    use repute_hooks::Bounds;
    use repute_spool::{MemorySpool, NewMessage};
    use repute_types::{Content, Domain, Recipient};

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
        let (spool, now) = (MemorySpool::new(), SystemClock.now());
        let (before, after) = (message(now - Duration::from_secs(5)), message(now + Duration::from_secs(5)));
        let ids = vec![before.meta.id, after.meta.id];
        // It waits from before events were kept.
        spool.commit(before).await.unwrap();
        let feed = open();
        tell_missed(&feed, &spool).await.unwrap();
        assert_eq!(feed.unknown(ids.clone()).await.unwrap(), ids);
        drop(feed);
        spool.commit(after).await.unwrap();
        let feed = open();
        tell_missed(&feed, &spool).await.unwrap();
        assert_eq!(feed.unknown(ids.clone()).await.unwrap(), ids[..1]);
    }
}
