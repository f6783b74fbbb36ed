//! What tells the outside: the feed of events, webhooks on a thread of their own with name look-ups
//! of their own, and the file of lines.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use repute_dns::HickoryResolver;
use repute_hooks::lines::Lines;
use repute_hooks::{Caller, Feed, FeedOptions, Hooks, Webhook};
use repute_ledger::Trust;
use repute_net::{TcpNetwork, TlsClient};
use repute_spool::sqlite;
use repute_types::event::EventSink;
use repute_types::{SystemClock, SystemRandom};
use tokio::sync::oneshot;

use super::incidents;
use crate::config::Config;

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
