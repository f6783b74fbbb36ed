//! One connection, HTTP/1.1, used again while the other side keeps it open.
//!
//! Bounds: 32 KiB of header, 64 KiB of a body that is thrown away, a second for it, and a minute
//! of age, so that a name that has moved is looked up again.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use repute_net::Stream;
use repute_types::Timestamp;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const HEADER: usize = 32 << 10;
const BODY: usize = 64 << 10;
const DRAIN: Duration = Duration::from_secs(1);
const OLDEST: Duration = Duration::from_secs(60);
/// Connections kept for one receiver.
const KEPT: usize = 8;

/// Why there is no answer, for people.
#[derive(Debug)]
pub struct Failure(pub String);

pub type Head = Response<Incoming>;

pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    since: Option<Timestamp>,
    /// Moves the octets; ended with the connection.
    driver: JoinHandle<()>,
}

impl Connection {
    pub async fn open(stream: Stream) -> Result<Connection, Failure> {
        let mut builder = http1::Builder::new();
        let made = builder.max_buf_size(HEADER).max_headers(100).handshake(TokioIo::new(stream)).await;
        let (sender, connection) = made.map_err(|error| failure(&error))?;
        let driver = tokio::spawn(async move {
            // What goes wrong is told to whoever waits for the answer.
            let _ = connection.await;
        });
        Ok(Connection { sender, since: None, driver })
    }

    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Head, Failure> {
        self.sender.ready().await.map_err(|error| failure(&error))?;
        self.sender.send_request(request).await.map_err(|error| failure(&error))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

fn failure(error: &hyper::Error) -> Failure {
    let what = match () {
        () if error.is_incomplete_message() => "it closed the connection without an answer".to_owned(),
        () if error.is_parse() => format!("its answer is not HTTP: {error}"),
        () => super::chain(error),
    };
    Failure(what)
}

/// Reads the body away; whether it ended, so that the connection can be used again.
pub async fn drain(head: Head) -> bool {
    let mut body = head.into_body();
    let whole = async {
        let mut octets = 0;
        while let Some(frame) = body.frame().await {
            let Ok(frame) = frame else { return false };
            octets += frame.data_ref().map_or(0, Bytes::len);
            if octets > BODY {
                return false;
            }
        }
        true
    };
    timeout(DRAIN, whole).await.unwrap_or(false)
}

/// Connections that wait for the next request.
#[derive(Default)]
pub struct Pool(Mutex<Vec<Connection>>);

impl Pool {
    pub fn take(&self, now: Timestamp) -> Option<Connection> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|c| c.since.is_some_and(|since| now.since(since) < OLDEST) && !c.sender.is_closed());
        kept.pop()
    }

    pub fn give(&self, mut connection: Connection, now: Timestamp) {
        connection.since.get_or_insert(now);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }

    /// Closes them all: another configuration may lead elsewhere.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
