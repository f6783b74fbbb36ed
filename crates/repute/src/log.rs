//! The log: each event is one line on standard error that reads alone.
//!
//! Promise: [`Log::record`] never blocks and makes no system call: it writes the line into
//! memory (under 0.5 µs in either format, by `examples/log_cost.rs` on one 2-core machine), and a thread
//! of its own writes what gathered, at most fifty times a second. Over
//! [`ROOM`] the newest lines are dropped and counted, and the count becomes a line. Where whoever reads has
//! stopped reading, the end waits [`LAST_LINES`] for it and no longer. Bodies and secrets never stand in it.
//!
//! Addresses of senders and recipients do stand in it, although a log is kept by many: "what
//! became of the mail to this person" is the question that an operator of a mail server is
//! asked every day, and RFC 5321 §4.4 and every postmaster expect it. Who must not keep them
//! keeps the log short.

mod json;
pub mod text;

use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use repute_hooks::Feed;
use repute_ledger::History;
use repute_metrics::Counters;
use repute_types::Event;
use repute_types::event::EventSink;

use crate::config::meant::LogFormat;

/// Octets that wait to be written, at most: some ten thousand lines.
const ROOM: usize = 4 << 20;
/// How long the first line waits for others.
const GATHER: Duration = Duration::from_millis(20);
/// How long the end waits for what was not written yet.
const LAST_LINES: Duration = Duration::from_secs(5);
/// A buffer that grew beyond this in a burst is given back.
const KEPT: usize = 64 << 10;

#[derive(Default)]
struct Waiting {
    lines: Vec<u8>,
    /// Lines dropped since it was last said.
    lost: u64,
    format: Option<LogFormat>,
    closed: bool,
    /// Everything was written, and the thread has ended.
    ended: bool,
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    /// There is a first line, or the end.
    wake: Condvar,
    over: Condvar,
}

pub struct Log {
    shared: Arc<Shared>,
}

impl Log {
    pub fn to_stderr(format: LogFormat) -> std::io::Result<Log> {
        Log::to(format, std::io::stderr())
    }

    pub fn to(format: LogFormat, out: impl Write + Send + 'static) -> std::io::Result<Log> {
        let shared = Arc::new(Shared::default());
        shared.lock().format = Some(format);
        let of_thread = shared.clone();
        let run = move || {
            write_all(&of_thread, out);
            of_thread.lock().ended = true;
            of_thread.over.notify_all();
        };
        std::thread::Builder::new().name("log".into()).spawn(run)?;
        Ok(Log { shared })
    }

    /// The form of lines from now on.
    pub fn set_format(&self, format: LogFormat) {
        self.shared.lock().format = Some(format);
    }

    pub fn record(&self, event: &Event) {
        self.add(|lines, format| add_line(lines, format, event));
    }

    /// Words of the server that are no event, as whole lines, in their turn.
    pub fn say(&self, text: &str) {
        self.add(|lines, _| lines.extend_from_slice(text.as_bytes()));
    }

    fn add(&self, add: impl FnOnce(&mut Vec<u8>, Option<LogFormat>)) {
        let mut waiting = self.shared.lock();
        if waiting.lines.len() >= ROOM {
            waiting.lost += 1;
            return;
        }
        let (first, format) = (waiting.lines.is_empty(), waiting.format);
        add(&mut waiting.lines, format);
        drop(waiting);
        if first {
            self.shared.wake.notify_one();
        }
    }
}

/// The event's line by itself.
pub fn line(format: LogFormat, event: &Event) -> Vec<u8> {
    let mut line = Vec::new();
    add_line(&mut line, Some(format), event);
    line
}

fn add_line(lines: &mut Vec<u8>, format: Option<LogFormat>, event: &Event) {
    match format {
        Some(LogFormat::Json) => json::line(lines, event),
        Some(LogFormat::Text) | None => text::line(lines, event),
    }
}

impl Drop for Log {
    /// Writes what waits, then ends. A pipe that is full and that nobody reads keeps the server from nothing.
    fn drop(&mut self) {
        let mut waiting = self.shared.lock();
        waiting.closed = true;
        self.shared.wake.notify_one();
        let _ = self.shared.over.wait_timeout_while(waiting, LAST_LINES, |waiting| !waiting.ended);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn write_all(shared: &Shared, mut out: impl Write) {
    let mut batch = Vec::new();
    loop {
        let mut waiting = shared.lock();
        while waiting.lines.is_empty() && waiting.lost == 0 && !waiting.closed {
            waiting = shared.wake.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        if !waiting.closed {
            drop(waiting);
            std::thread::sleep(GATHER);
            waiting = shared.lock();
        }
        std::mem::swap(&mut waiting.lines, &mut batch);
        let (lost, closed) = (std::mem::take(&mut waiting.lost), waiting.closed);
        drop(waiting);
        if lost > 0 {
            let _ = writeln!(batch, "log dropped lines={lost} reason=\"standard error did not keep up\"");
        }
        // Where standard error is gone there is nobody to tell.
        let _ = out.write_all(&batch).and_then(|()| out.flush());
        batch.clear();
        batch.shrink_to(KEPT);
        if closed {
            return;
        }
    }
}

/// The stream's readers: what counts and the log first, then what tells the outside, then the history, which keeps the event.
pub struct FanOut {
    pub counters: Arc<Counters>,
    pub log: Arc<Log>,
    pub feed: Arc<Feed>,
    pub history: Arc<History>,
}

impl EventSink for FanOut {
    fn emit(&self, event: Event) {
        let event = Arc::new(event);
        self.counters.record(&event);
        self.log.record(&event);
        self.feed.record(&event);
        self.history.record(event);
    }
}

#[cfg(test)]
mod tests;
