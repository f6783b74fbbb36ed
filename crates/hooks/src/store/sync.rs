//! Syncs the file of events, about once a second and only after something was written, on a thread
//! of its own: the thread that takes events in never waits for the disk.

use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use repute_ledger::LedgerError;
use rusqlite::Connection;

use super::StoreError;

const EVERY: Duration = Duration::from_secs(1);

pub(super) struct Syncer {
    wake: Option<SyncSender<()>>,
    /// Dropped to end the thread's sleep.
    end: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Syncer {
    pub fn start(path: &Path) -> Result<Syncer, StoreError> {
        let db = Connection::open(path).map_err(|source| LedgerError::Open { path: path.to_owned(), source })?;
        db.busy_timeout(EVERY)?;
        let (wake, woken) = sync_channel::<()>(1);
        let (end, ended) = channel::<()>();
        let thread = std::thread::Builder::new().name("events-sync".into()).spawn(move || {
            while woken.recv().is_ok() {
                // A checkpoint syncs the log before it copies it. What fails here is met again by the writer.
                let _ = db.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
                if ended.recv_timeout(EVERY) == Err(RecvTimeoutError::Disconnected) {
                    return;
                }
            }
        });
        Ok(Syncer { wake: Some(wake), end: Some(end), thread: Some(thread.map_err(StoreError::Thread)?) })
    }

    /// Something was written.
    pub fn written(&self) {
        if let Some(wake) = &self.wake
            && let Err(TrySendError::Disconnected(())) = wake.try_send(())
        {
            debug_assert!(self.end.is_none(), "the thread ends after this does");
        }
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        self.wake = None;
        self.end = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
