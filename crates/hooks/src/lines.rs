//! JSON lines: a file to which each event is added as one line, for programs that follow files.
//!
//! A thread of its own reads the feed and writes; where the file cannot be written it says so once,
//! tries again each second with the same lines, and reads no further meanwhile. What the feed no
//! longer keeps by then is missing in the file, and that is told. [`Lines::reopen`] begins the file
//! anew after it was moved away (by logrotate). Lines are not synced.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use repute_types::event::{EventSink, Level};
use repute_types::{Clock, Event, EventKind};
use tokio::sync::watch;

use crate::feed::Feed;
use crate::store::StoreError;
use crate::subscription::{Batch, Since, Subscription};
use crate::wire::Filter;

const RETRY: Duration = Duration::from_secs(1);

pub struct Lines {
    reopen: watch::Sender<u64>,
    thread: Option<JoinHandle<()>>,
}

impl Lines {
    /// Begins with the next event. The file is made where it is not, readable by its group.
    pub fn start(
        feed: &Arc<Feed>,
        path: &Path,
        notes: Arc<dyn EventSink>,
        clock: Arc<dyn Clock>,
    ) -> Result<Lines, StoreError> {
        let events = feed.subscribe(Since::Now, Filter::ALL);
        let (reopen, asked) = watch::channel(0);
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(StoreError::Thread)?;
        let writer = Writer { path: path.to_owned(), file: None, events, asked, notes, clock };
        let thread = std::thread::Builder::new()
            .name("events-file".into())
            .spawn(move || runtime.block_on(writer.run()))
            .map_err(StoreError::Thread)?;
        Ok(Lines { reopen, thread: Some(thread) })
    }

    /// The next line goes into a file that is opened then.
    pub fn reopen(&self) {
        self.reopen.send_modify(|n| *n += 1);
    }

    /// Waits until what the feed had is written; the feed is closed before.
    pub fn join(mut self) {
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    file: Option<File>,
    events: Subscription,
    asked: watch::Receiver<u64>,
    notes: Arc<dyn EventSink>,
    clock: Arc<dyn Clock>,
}

impl Writer {
    async fn run(mut self) {
        loop {
            let batch = tokio::select! {
                batch = self.events.next() => batch,
                asked = self.asked.changed() => match asked {
                    Ok(()) => {
                        self.file = None;
                        continue;
                    }
                    // Nobody is there to ask any more; what the feed has is written all the same.
                    Err(_) => self.events.next().await,
                },
            };
            match batch {
                Ok(Some(batch)) => self.add(&batch).await,
                Ok(None) | Err(StoreError::Closed) => return,
                Err(_) => tokio::time::sleep(RETRY).await,
            }
        }
    }

    async fn add(&mut self, batch: &Batch) {
        if batch.gap {
            self.note(format!("{}: events are missing, which came while it could not be written", self.path.display()));
        }
        let mut lines = Vec::new();
        for event in &batch.events {
            lines.extend_from_slice(event.json.as_bytes());
            lines.push(b'\n');
        }
        let mut told = false;
        while let Err(error) = self.write(&lines) {
            self.file = None;
            if !std::mem::replace(&mut told, true) {
                self.note(format!("{} cannot be written: {error}; its lines wait", self.path.display()));
            }
            // At the end of the server nothing is waited for.
            if self.events.has_ended() {
                return;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(OpenOptions::new().append(true).create(true).mode(0o640).open(&self.path)?),
        };
        let about = file.metadata()?;
        let written = file.write_all(lines);
        if written.is_err() && about.is_file() {
            // Half a line is no line: it is written again as a whole.
            let _ = file.set_len(about.len());
        }
        written
    }

    fn note(&self, text: String) {
        let kind = EventKind::Note { level: Level::Error, what: "events", text };
        self.notes.emit(Event { at: self.clock.now(), kind });
    }
}
