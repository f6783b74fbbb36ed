//! What tells the outside: the feed of events, webhooks on a thread of their own with name look-ups
//! of their own, and the file of lines.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use repute_dns::HickoryResolver;
use repute_hooks::lines::Lines;
use repute_hooks::{Caller, EventId, Feed, FeedOptions, Hooks, Webhook};
use repute_ledger::Trust;
use repute_net::{TcpNetwork, TlsClient};
use repute_spool::{Campaign, MessageMeta, PartRecord, Spool, Stretch, Walk};
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

pub fn open_feed(config: &Config) -> anyhow::Result<Arc<Feed>> {
    let store = config.events.kept.map(|bounds| (config.state.join("events.sqlite"), bounds));
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
/// was not: everything else about them is still to come.
pub async fn tell_missed(feed: &Feed, spool: &dyn Spool) -> anyhow::Result<()> {
    let newest = *feed.newest().borrow();
    if !feed.is_stored() || newest == EventId(0) {
        return Ok(());
    }
    let from = MessageId::first_at(MessageId(newest.0).time() - OVERLAP);
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
