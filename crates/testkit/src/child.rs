//! A child process that is killed as a power cut would: `kill -9`, no warning.
//!
//! Promise: it does not outlive the test; what it prints is read as it comes, and shown where
//! the awaited line does not come.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Lines of output that are kept until they are asked for; a child that prints more waits.
const LINES_KEPT: usize = 10_000;

#[derive(Debug)]
pub struct Child {
    child: tokio::process::Child,
    lines: mpsc::Receiver<String>,
    heard: Vec<String>,
}

impl Child {
    /// Starts a program with its output (both kinds) read by us.
    ///
    /// # Panics
    /// Where it cannot be started.
    pub fn start<A: AsRef<OsStr>>(program: impl AsRef<Path>, arguments: impl IntoIterator<Item = A>) -> Child {
        let program = program.as_ref();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap_or_else(|e| panic!("{}: {e}", program.display()));
        let (sender, lines) = mpsc::channel(LINES_KEPT);
        forward(child.stdout.take().expect("stdout is piped"), sender.clone());
        forward(child.stderr.take().expect("stderr is piped"), sender);
        Child { child, lines, heard: Vec::new() }
    }

    /// Waits for a line that contains `text` and returns it.
    ///
    /// # Panics
    /// Where it does not come in time; shows what came.
    pub async fn wait_for(&mut self, text: &str, within: Duration) -> String {
        let end = Instant::now() + within;
        while let Ok(Some(line)) = timeout_at(end, self.lines.recv()).await {
            self.heard.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
        panic!("no line with {text:?} within {within:?}; it said:\n{}", self.heard.join("\n"));
    }

    pub fn id(&self) -> Option<u32> {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    ///
    /// # Panics
    /// Where it had ended by itself.
    pub async fn kill_hard(&mut self) {
        if let Ok(Some(status)) = self.child.try_wait() {
            panic!("it had ended by itself with {status}; it said:\n{}", self.heard.join("\n"));
        }
        self.child.kill().await.expect("our own running child can be killed");
    }

    /// Waits for it to end by itself.
    ///
    /// # Panics
    /// Where it does not within the time.
    pub async fn ended(&mut self, within: Duration) -> ExitStatus {
        let waited = tokio::time::timeout(within, self.child.wait()).await;
        waited.unwrap_or_else(|_| panic!("still running after {within:?}")).expect("our own child can be waited for")
    }
}

fn forward(output: impl tokio::io::AsyncRead + Send + Unpin + 'static, to: mpsc::Sender<String>) {
    tokio::spawn(async move {
        let mut lines = BufReader::new(output).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if to.send(line).await.is_err() {
                return;
            }
        }
    });
}
