//! What became of each message, step by step, for as long as is kept.
//!
//! Promise: [`History::emit`](EventSink::emit) never blocks. Events are written in batches by
//! a thread of its own (after 200 ms, or 1,000 of them); where it cannot keep up, or the disk
//! refuses, the newest events are dropped, counted, and the count becomes a note of its own. A batch that
//! is refused for another cause than the disk is written event by event; what is refused even so is dropped and counted.
//! A crash loses the last batch: this is history, not mail.

mod batch;
mod find;
mod questions;
mod schema;
mod step;
mod traffic;
mod volume;
mod write;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use repute_types::event::EventSink;
use repute_types::{Clock, Event, SystemClock};

pub use self::questions::{Counts, Questions};
pub use self::step::{Cause, Settled, Step, StepKind};
pub use self::traffic::{ReceiverTraffic, Traffic};
use self::write::Writer;
use crate::LedgerError;

/// How long the first event of a batch waits for others.
const LINGER: Duration = Duration::from_millis(200);
/// So many events are written without waiting longer.
const BATCH: usize = 1000;
/// Between two tries where the disk refuses.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct HistoryOptions {
    /// What is older is deleted.
    pub retention: Duration,
    /// Events that may wait to be written; one more is dropped and counted.
    pub waiting: usize,
    pub clock: Arc<dyn Clock>,
}

impl Default for HistoryOptions {
    fn default() -> HistoryOptions {
        HistoryOptions { retention: Duration::from_secs(30 * 24 * 3600), waiting: 50_000, clock: Arc::new(SystemClock) }
    }
}

#[derive(Default)]
struct State {
    events: Vec<Arc<Event>>,
    /// Events dropped since the last note about it.
    lost: u64,
    /// Events taken in and events dealt with (written or given up), counted from the start.
    taken_in: u64,
    dealt_with: u64,
    hurry: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// For the writer: there is a first event, enough events, a flush, or the end.
    wake: Condvar,
    /// For those who flush.
    written: Condvar,
}

pub struct History {
    shared: Arc<Shared>,
    path: PathBuf,
    waiting: usize,
    writer: Option<JoinHandle<()>>,
}

impl History {
    /// Opens the history in the file `path`, making it where there is none.
    pub fn open(path: &Path, options: HistoryOptions) -> Result<History, LedgerError> {
        let writer = Writer::open(path, options.retention, options.clock)?;
        let shared = Arc::new(Shared::default());
        let for_thread = shared.clone();
        let thread = std::thread::Builder::new()
            .name("history".into())
            .spawn(move || run(writer, &for_thread))
            .map_err(LedgerError::Thread)?;
        Ok(History { shared, path: path.to_owned(), waiting: options.waiting.max(1), writer: Some(thread) })
    }

    /// A connection to ask with; it blocks, so it belongs off the async threads.
    pub fn questions(&self) -> Result<Questions, LedgerError> {
        Questions::open(&self.path)
    }

    /// Asks off the async threads.
    pub async fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Questions) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let path = self.path.clone();
        let asked = tokio::task::spawn_blocking(move || question(&Questions::open(&path)?));
        asked.await.unwrap_or(Err(LedgerError::Closed))
    }

    /// Waits until what was emitted so far is written or given up, however long the disk refuses it; blocks.
    pub fn flush(&self) {
        while !self.flush_within(RETRY) {}
    }

    /// As [`History::flush`], but not for longer; whether all of it was written or given up in that time.
    pub fn flush_within(&self, patience: Duration) -> bool {
        let began = Instant::now();
        let mut state = self.shared.lock();
        let until = state.taken_in;
        state.hurry = true;
        self.shared.wake.notify_one();
        while state.dealt_with < until {
            let left = patience.saturating_sub(began.elapsed());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.written.wait_timeout(state, left);
            state = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
        true
    }
}

impl History {
    /// Takes an event in. Never blocks.
    pub fn record(&self, event: Arc<Event>) {
        let mut state = self.shared.lock();
        if state.events.len() >= self.waiting {
            state.lost += 1;
            return;
        }
        state.events.push(event);
        state.taken_in += 1;
        let waiting = state.events.len();
        drop(state);
        if waiting == 1 || waiting == BATCH {
            self.shared.wake.notify_one();
        }
    }
}

impl EventSink for History {
    fn emit(&self, event: Event) {
        self.record(Arc::new(event));
    }
}

impl Drop for History {
    /// Writes what waits, once.
    fn drop(&mut self) {
        self.shared.lock().closed = true;
        self.shared.wake.notify_one();
        if let Some(writer) = self.writer.take() {
            // A writer that panicked has nothing more to write.
            let _ = writer.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing under the lock leaves the state half changed when it panics.
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The next batch with the number of events lost before it; `None` at the end.
    fn take(&self) -> Option<(Vec<Arc<Event>>, u64)> {
        let mut state = self.lock();
        while state.events.is_empty() {
            if state.closed {
                return None;
            }
            state = self.wake.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner());
        }
        let wait_on = |s: &mut State| s.events.len() < BATCH && !s.hurry && !s.closed;
        let (mut state, _) =
            self.wake.wait_timeout_while(state, LINGER, wait_on).unwrap_or_else(|poisoned| poisoned.into_inner());
        state.hurry = false;
        Some((std::mem::take(&mut state.events), std::mem::take(&mut state.lost)))
    }

    /// Waits before another try; `false` where there is no time for one.
    fn pause(&self) -> bool {
        let (state, _) = self
            .wake
            .wait_timeout_while(self.lock(), RETRY, |s| !s.closed)
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        !state.closed
    }

    fn dealt_with(&self, events: usize) {
        self.lock().dealt_with += events as u64;
        self.written.notify_all();
    }
}

fn run(mut writer: Writer, shared: &Shared) {
    while let Some((events, lost)) = shared.take() {
        let refused = write(&mut writer, &events, lost, || shared.pause());
        if refused > 0 {
            shared.lock().lost += refused;
        }
        shared.dealt_with(events.len());
        // What is old can be deleted the next time as well.
        let _ = writer.forget_old();
    }
}

/// Writes a batch; returns how many events, and losses before them, are not in the history after all.
fn write(writer: &mut Writer, events: &[Arc<Event>], lost: u64, mut pause: impl FnMut() -> bool) -> u64 {
    loop {
        match writer.write(events, lost) {
            Ok(()) => return 0,
            // It passes: meanwhile the newest events wait, within a bound.
            Err(error) if is_of_disk(&error) && pause() => {}
            // An event that can never be written must not keep the rest from it for ever.
            Err(_) => break,
        }
    }
    // The count of what was lost before goes with the first event that can be written.
    let (mut refused, mut untold) = (0, lost);
    for event in events {
        match writer.write(std::slice::from_ref(event), untold) {
            Ok(()) => untold = 0,
            Err(_) => refused += 1,
        }
    }
    refused + untold
}

fn is_of_disk(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode::{
        CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure,
    };
    let passing =
        [CannotOpen, DatabaseBusy, DatabaseLocked, DiskFull, OutOfMemory, PermissionDenied, ReadOnly, SystemIoFailure];
    error.sqlite_error_code().is_some_and(|code| passing.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::event::Level;
    use repute_types::{EventKind, Timestamp};

    fn note(text: &str) -> Event {
        let kind = EventKind::Note { level: Level::Info, what: "test", text: text.into() };
        Event { at: Timestamp(0), kind }
    }

    fn notes(path: &Path) -> Vec<String> {
        let steps = Questions::open(path).unwrap().notes(10).unwrap();
        steps.into_iter().map(|step| step.kind.to_string()).collect()
    }

    #[test]
    fn an_event_that_can_never_be_written_does_not_stop_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("history.sqlite");
        let options = HistoryOptions::default();
        let mut writer = Writer::open(&path, options.retention, options.clock).unwrap();
        let trap = "CREATE TRIGGER trap BEFORE INSERT ON note WHEN new.text = 'poison'
                    BEGIN SELECT RAISE(ABORT, 'never'); END";
        rusqlite::Connection::open(&path).unwrap().execute_batch(trap).unwrap();
        let pause = || panic!("nothing is waited for: the disk is not the cause");
        let events = [note("before"), note("poison"), note("after")].map(Arc::new);
        assert_eq!(write(&mut writer, &events, 7, pause), 1);
        let said = notes(&path).join("\n");
        assert!(said.contains("before") && said.contains("after") && !said.contains("poison"), "{said}");
        assert!(said.contains("7 events came faster"), "{said}");
    }
}
