//! The asking side: one question, one answer, over the control socket.

use std::io::{self, BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use super::wire::{Answer, Request};
use crate::cli::Ended;
use crate::state;

/// Cancelling a full queue takes a while; a server that is silent for longer is stuck.
const PATIENCE: Duration = Duration::from_secs(120);
/// The server hangs up after a minute without a question.
const REST: Duration = Duration::from_secs(45);

/// A connection, or `None` where no server runs.
pub fn connect(state: &Path) -> anyhow::Result<Option<UnixStream>> {
    let path = state::control_socket(state);
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

fn not_running(state: &Path) -> anyhow::Error {
    let text =
        format!("no server runs on {}: start it with `repute serve` or `systemctl start repute`", state.display());
    Ended::temporary(text)
}

pub fn ask_over(stream: UnixStream, request: &Request) -> anyhow::Result<serde_json::Value> {
    Talk::over(stream, None)?.ask(request)
}

/// A connection for several questions, one after another.
pub struct Talk {
    stream: BufReader<UnixStream>,
    /// Where to connect again.
    state: Option<PathBuf>,
    asked: Instant,
}

impl Talk {
    /// With the running server, which has to be there.
    pub fn with_server(state: &Path) -> anyhow::Result<Talk> {
        match connect(state)? {
            Some(stream) => Talk::over(stream, Some(state.to_owned())),
            None => Err(not_running(state)),
        }
    }

    fn over(stream: UnixStream, state: Option<PathBuf>) -> anyhow::Result<Talk> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Talk { stream: BufReader::new(stream), state, asked: Instant::now() })
    }

    /// Fails with [`Ended::temporary`] where the server goes away.
    pub fn ask(&mut self, request: &Request) -> anyhow::Result<serde_json::Value> {
        // A person may think for longer about a question of ours than the server waits for one.
        if let Some(state) = self.state.as_ref().filter(|_| self.asked.elapsed() > REST) {
            *self = Talk::with_server(state)?;
        }
        let mut line = serde_json::to_string(request)?;
        line.push('\n');
        let mut answer = String::new();
        let heard = self.stream.get_mut().write_all(line.as_bytes());
        let heard = heard.and_then(|()| self.stream.read_line(&mut answer)).map_err(|error| broken(&error))?;
        // Whole answers end with the line.
        if heard == 0 || !answer.ends_with('\n') {
            return Err(gone());
        }
        self.asked = Instant::now();
        match serde_json::from_str(&answer)
            .context("the server answered in words unknown here: is it another version?")?
        {
            Answer::Ok(value) => Ok(value),
            Answer::Error(text) => bail!("{text}"),
        }
    }
}

fn broken(error: &io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Ended::temporary(format!(
            "the server has not answered for {} s: its log says what it does",
            PATIENCE.as_secs()
        )),
        // What is not a whole line of text came from a server that ended in the middle of it.
        _ => gone(),
    }
}

/// A server closes a connection under way where it stops; it turns nobody away whom the socket lets in.
fn gone() -> anyhow::Error {
    Ended::temporary("the server went away before it answered: it was stopped or restarted; try again once it runs")
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;
    use crate::cli::Exit;

    /// It was said that the server answers root and its own user only, with the exit code for something that was found.
    #[test]
    fn a_server_that_goes_away_before_its_answer_is_told_so_and_is_worth_another_try() {
        for said in [&b""[..], b"{\"ok\":"] {
            let place = tempfile::tempdir().unwrap();
            let listener = UnixListener::bind(crate::state::control_socket(place.path())).unwrap();
            let server = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                let mut line = String::new();
                BufReader::new(&mut stream).read_line(&mut line).unwrap();
                stream.write_all(said).unwrap();
            });
            let error = ask(place.path(), &Request::StatusV1 {}).unwrap_err();
            server.join().unwrap();
            assert!(error.to_string().starts_with("the server went away before it answered"), "{error}");
            assert_eq!(error.downcast_ref::<Ended>().map(|ended| ended.exit), Some(Exit::Temporary));
        }
    }

    /// Who thought for over a minute about whether to send a campaign was told of other users.
    #[test]
    fn a_connection_that_rested_for_long_is_made_anew() {
        let place = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(crate::state::control_socket(place.path())).unwrap();
        let server = std::thread::spawn(move || {
            // The first was closed meanwhile.
            drop(listener.accept().unwrap());
            let (stream, _) = listener.accept().unwrap();
            let mut stream = BufReader::new(stream);
            stream.read_line(&mut String::new()).unwrap();
            stream.get_mut().write_all(b"{\"ok\":7}\n").unwrap();
        });
        let mut talk = Talk::with_server(place.path()).unwrap();
        talk.asked = talk.asked.checked_sub(REST * 2).unwrap();
        assert_eq!(talk.ask(&Request::StatusV1 {}).unwrap(), 7);
        server.join().unwrap();
    }
}
