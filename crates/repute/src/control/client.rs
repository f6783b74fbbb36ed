//! The asking side: one question, one answer, over the control socket.

use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail};

use super::wire::{Answer, Request};
use crate::cli::Ended;

/// Cancelling a full queue takes a while; a server that is silent for longer is stuck.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection, or `None` where no server runs.
pub fn connect(state: &Path) -> anyhow::Result<Option<UnixStream>> {
    let path = super::socket(state);
    match UnixStream::connect(&path) {
        Ok(stream) => Ok(Some(stream)),
        // A socket that nobody listens on is left over from a killed server.
        Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => Ok(None),
        Err(e) if e.kind() == ErrorKind::PermissionDenied => {
            bail!("{} may be used by root and the server's user only: try it with sudo", path.display())
        }
        Err(e) => Err(e).with_context(|| format!("{}", path.display())),
    }
}

/// Asks the running server, which has to be there.
pub fn ask(state: &Path, request: &Request) -> anyhow::Result<serde_json::Value> {
    match connect(state)? {
        Some(stream) => ask_over(stream, request),
        None => Err(not_running(state)),
    }
}

pub fn not_running(state: &Path) -> anyhow::Error {
    let text =
        format!("no server runs on {}: start it with `repute serve` or `systemctl start repute`", state.display());
    Ended::temporary(text)
}

pub fn ask_over(stream: UnixStream, request: &Request) -> anyhow::Result<serde_json::Value> {
    Talk::over(stream)?.ask(request)
}

/// A connection for several questions, one after another.
pub struct Talk {
    stream: BufReader<UnixStream>,
}

impl Talk {
    /// With the running server, which has to be there.
    pub fn with_server(state: &Path) -> anyhow::Result<Talk> {
        match connect(state)? {
            Some(stream) => Talk::over(stream),
            None => Err(not_running(state)),
        }
    }

    fn over(stream: UnixStream) -> anyhow::Result<Talk> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Talk { stream: BufReader::new(stream) })
    }

    pub fn ask(&mut self, request: &Request) -> anyhow::Result<serde_json::Value> {
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        self.stream.get_mut().write_all(line.as_bytes()).context("the server does not listen")?;
        let mut answer = String::new();
        self.stream.read_line(&mut answer).context("the server does not answer")?;
        if answer.is_empty() {
            bail!("the server closed the connection: it answers root and its own user only");
        }
        match serde_json::from_str(&answer)
            .context("the server answered in words unknown here: is it another version?")?
        {
            Answer::Ok(value) => Ok(value),
            Answer::Error(text) => bail!("{text}"),
        }
    }
}
