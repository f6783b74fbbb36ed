//! Floor 4, the works: what happens to a message between a client's last dot and the
//! receiver's 250.
//!
//! One place accepts ([`intake`]), one loop dispatches ([`dispatch`]), one function settles
//! ([`settle`]). Around them: routes ([`routing`]), sessions ([`courier`]) with what they send ([`load`]), notices to
//! senders ([`notice`]), and what an operator may ask ([`control`]). Knows neither SMTP text nor HTTP.

mod accounts;
mod age;
mod allowance;
mod aside;
pub mod bulk;
mod cause;
mod circuit;
pub mod config;
pub mod control;
mod courier;
mod disk;
mod dispatch;
pub mod door;
mod doorway;
mod fresh;
mod held;
mod intake;
pub mod listed;
mod load;
mod notice;
pub mod once;
mod once_more;
mod outgoing;
mod own;
mod pace;
pub mod permit;
pub mod policies;
mod refill;
mod refused;
mod reload;
mod returned;
mod routing;
mod settle;
mod suppress;
mod tlsrpt;
mod unwelcome;
mod warm_up;
mod works;

use std::sync::Arc;
use std::time::Duration;

use repute_spool::SpoolError;
use repute_types::MessageId;
use repute_types::event::Level;
use repute_types::id::IdSource;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use allowance::Allowance;
pub use circuit::{CircuitRow, CircuitSettings, HabitRow};
pub use config::Settings;
pub use control::Control;
pub use door::Door;
pub use held::Begin;
pub use pace::{PaceRow, SiteRule};
pub use repute_ledger::requests::Request;
pub use returned::ReturnSettings;
pub use suppress::SuppressionSettings;
pub use tlsrpt::TlsReportSettings;
pub use unwelcome::UnwelcomeRow;
pub use warm_up::WarmUpRow;
pub use works::Doors;
use works::Works;

/// The running works. End them with [`Engine::stop`]: dropped, they begin nothing new, but what they
/// settled last may not be on disk.
pub struct Engine {
    works: Arc<Works>,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

impl Engine {
    /// Starts the works. Ready to accept at once; what the spool held from before is entered
    /// in the queue in the background.
    pub async fn start(doors: Doors, settings: Settings) -> Result<Engine, SpoolError> {
        Engine::begin(doors, settings, Begin::GoesOn).await
    }

    /// The same, saying what becomes of what the spool held; where that is held, it is so on disk when this returns.
    pub async fn begin(doors: Doors, settings: Settings, how: Begin) -> Result<Engine, SpoolError> {
        let last = doors.spool.last_id().await?;
        let ids = IdSource::after(last.unwrap_or(MessageId(0))).salted(doors.random.next());
        let campaigns = doors.spool.campaigns().await?;
        let works = Arc::new(Works::new(doors, settings, ids, last.is_some()));
        works.bulk.restore(&campaigns);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();
        match works.doors.trust.clone() {
            Some(doors) => tasks.push(begin_watch(&works, doors, stopped.clone()).await),
            // Nothing was ever bad where nothing is checked.
            None => drop(permit::board::configure(&works)),
        }
        disk::restore(&works).await;
        refused::restore(&works).await;
        tasks.push(tokio::spawn(disk::run(works.clone(), stopped.clone())));
        match how {
            Begin::GoesOn => tasks.push(tokio::spawn(refill::run(works.clone(), last, stopped.clone(), how))),
            Begin::Held => held::begin(&works, last, stopped.clone()).await?,
        }
        tasks.push(tokio::spawn(dispatch::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(bulk::sweep(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(bulk::take_out(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(suppress::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(returned::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(policies::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(tlsrpt::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(refused::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(unwelcome::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(warm_up::run(works.clone(), stopped.clone())));
        tasks.push(tokio::spawn(circuit::run(works.clone(), stopped)));
        Ok(Engine { works, stop, tasks })
    }

    /// What listeners speak to.
    pub fn door(&self) -> Arc<dyn Door> {
        self.works.clone()
    }

    pub fn control(&self) -> Control {
        Control { works: self.works.clone() }
    }

    /// Ends when all that the spool held at the start is in the queue, or cannot be read now.
    pub fn scheduled(&self) -> impl Future<Output = ()> + Send + use<> {
        let works = self.works.clone();
        async move { refill::ended(&works).await }
    }

    /// Takes another state of the configuration; messages under way end by the earlier one.
    pub fn reload(&self, settings: Settings) {
        let before = self.works.settings();
        self.works.replace_settings(settings);
        reload::follow(&self.works, before);
        let gone = permit::board::configure(&self.works);
        if let Some(doors) = self.works.doors.trust.clone() {
            self.works.board.ask(Vec::new());
            let works = self.works.clone();
            tokio::spawn(async move { close_gone(&works, &doors, gone).await });
        }
    }

    /// Ends in order: no new attempts, those under way end (up to `patience`), everything
    /// settled is on disk. Returns whether all attempts ended in time; those that did not are
    /// made again at the next start.
    pub async fn stop(mut self, patience: Duration) -> Result<bool, SpoolError> {
        let _ = self.stop.send(true);
        let all = async {
            for task in &mut self.tasks {
                let _ = task.await;
            }
        };
        let in_time = tokio::time::timeout(patience, all).await.is_ok();
        for task in &self.tasks {
            task.abort();
        }
        suppress::write_learnt(&self.works).await;
        circuit::save_or_tell(&self.works).await;
        warm_up::save_or_tell(&self.works).await;
        tlsrpt::keep(&self.works).await;
        self.works.doors.spool.flush().await?;
        Ok(in_time)
    }
}

/// Permits are as they were before the restart, from the first attempt on.
async fn begin_watch(works: &Arc<Works>, doors: permit::TrustDoors, stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    if let Err(error) = permit::board::restore(works, &doors).await {
        let text = format!("what was known of permits cannot be read, and is found out again: {error}");
        works.note(Level::Error, "trust", text);
    }
    let gone = permit::board::configure(works);
    close_gone(works, &doors, gone).await;
    tokio::spawn(permit::watch::run(works.clone(), doors, stopped))
}

/// Incidents about what is not set up any more, or otherwise, are over.
async fn close_gone(works: &Works, doors: &permit::TrustDoors, gone: Vec<repute_trust::permit::Changed>) {
    permit::incidents::follow(works, doors, &gone, works.now()).await;
    permit::board::save(works, doors).await;
}
