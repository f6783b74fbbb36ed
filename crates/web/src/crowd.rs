//! Who finds all places taken: the client is told where that costs nothing, and the operator is told as of clients by SMTP.
//!
//! A client is answered with 503 and `Retry-After` before its request is read; what it sends meanwhile is thrown away for a
//! second, so that the answer reaches it (RFC 9112 §9.6). That is done for [`TOLD`] at a time; further ones, and all who come
//! by TLS, where nothing can be said without a handshake, are closed without a word.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use repute_engine::door::{Crowd, Door, Protocol};
use repute_net::accept::Spell;
use repute_net::seats::{Full, Seat, Seats};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::problem::{self, Problem};

/// Clients that are told at a time.
const TOLD: usize = 32;
/// For telling one, and octets of its request that are thrown away meanwhile.
const LASTS: Duration = Duration::from_secs(1);
const THROWN: usize = 64 * 1024;

/// The places of a listener, and what comes of there being no more.
pub(crate) struct Places {
    pub seats: Arc<Seats>,
    door: Arc<dyn Door>,
    crowd: Mutex<Spell>,
    told: Arc<Semaphore>,
}

/// Somebody without a place, who can be told.
pub(crate) struct Turned {
    full: Full,
    _turn: OwnedSemaphorePermit,
}

impl Places {
    pub fn new(most: usize, most_per_client: usize, door: Arc<dyn Door>) -> Places {
        let (seats, told) = (Seats::new(most, most_per_client), Arc::new(Semaphore::new(TOLD)));
        Places { seats, door, crowd: Mutex::default(), told }
    }

    /// A place; or else `Some` where the client can be told.
    pub fn enter(&self, client: Option<IpAddr>) -> Result<Seat, Option<Turned>> {
        let entered = self.seats.enter(client);
        if matches!(entered, Ok((_, true)) | Err(Full::All)) {
            let mut spell = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(crowd) = Crowd::of(Protocol::Http, &self.seats, &mut spell) {
                self.door.crowded(crowd);
            }
        }
        match entered {
            Ok((seat, _)) => Ok(seat),
            Err(full) => {
                let turn = self.told.clone().try_acquire_owned().ok();
                Err(turn.map(|turn| Turned { full, _turn: turn }))
            }
        }
    }
}

impl Turned {
    /// Tells it, and lets it go.
    pub async fn tell(self, mut stream: TcpStream) {
        let telling = async {
            stream.write_all(&self.answer()).await?;
            stream.shutdown().await?;
            let (mut left, mut thrown) = (THROWN, [0; 4096]);
            while left > 0 {
                match stream.read(&mut thrown).await? {
                    0 => break,
                    octets => left = left.saturating_sub(octets),
                }
            }
            std::io::Result::Ok(())
        };
        // Who has gone, or takes longer, knows as much as can be told.
        let _ = timeout(LASTS, telling).await;
    }

    fn answer(&self) -> Vec<u8> {
        let detail = match self.full {
            Full::All => "too many connections: try again in a moment",
            Full::Client => "too many connections from your address: use those that are open, or try again in a moment",
        };
        let problem = Problem::unavailable(detail);
        let body = problem.body();
        let mut answer = format!(
            "HTTP/1.1 503 Service Unavailable\r\ncontent-type: {}\r\ncontent-length: {}\r\ncache-control: no-store\r\n\
             connection: close\r\n",
            problem::MEDIA,
            body.len(),
        )
        .into_bytes();
        for (name, value) in problem.headers() {
            let line = [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"];
            line.iter().for_each(|piece| answer.extend_from_slice(piece));
        }
        answer.extend_from_slice(b"\r\n");
        answer.extend_from_slice(&body);
        answer
    }
}
