//! Octets in and out of one connection, each wait with its deadline.
//!
//! Promise: a reply has to be complete within its time, however slowly it trickles; a write
//! has to make progress within its. What was written is gathered from slices, so that
//! commands and content go out in one system call, and nothing is copied that is not small.
//!
//! A write that fails is no loss yet: a server that refuses and leaves has often said why, and
//! that is read first. What a server says before the end of a message was written is noticed, as far as it has come, and ends the
//! writing: it cannot be the answer to that end.

mod pieces;

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use repute_net::Stream;
use repute_smtp::client::{Loss, Payload, Stuffed};
use repute_smtp::reply::ReplyReader;
use repute_types::Reply;
use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, Sleep};

use self::pieces::{Pieces, SLICES};

/// Room that is asked for before a read; replies are far smaller.
const READ: usize = 4096;

pub(crate) struct Wire {
    stream: Stream,
    input: BytesMut,
    reader: ReplyReader,
    /// A write failed: what comes now was said before it, and then nothing comes.
    unsent: bool,
    /// One timer for all waits; it is set only where something is really waited for.
    timer: Pin<Box<Sleep>>,
}

impl Wire {
    pub fn new(stream: Stream) -> Wire {
        let timer = Box::pin(tokio::time::sleep(Duration::ZERO));
        Wire { stream, input: BytesMut::new(), reader: ReplyReader::new(), unsent: false, timer }
    }

    pub fn stream(&self) -> &Stream {
        &self.stream
    }

    /// The stream, for a handshake. What was received and not read is dropped: it came in
    /// clear, and must have no effect inside TLS (CVE-2011-0411, from the client's side).
    pub fn into_stream(self) -> Stream {
        self.stream
    }

    /// Whether something was received that nobody waited for.
    pub fn has_unread(&self) -> bool {
        !self.input.is_empty() || self.reader.is_inside()
    }

    /// The next reply, complete within the time.
    pub async fn reply(&mut self, within: Duration) -> Result<Reply, Loss> {
        let (stream, input, reader) = (&mut self.stream, &mut self.input, &mut self.reader);
        let read = async {
            loop {
                if let Some(reply) = reader.read(input).map_err(Loss::Malformed)? {
                    return Ok(reply);
                }
                input.reserve(READ);
                match stream.read_buf(input).await {
                    Ok(0) | Err(_) => return Err(Loss::Closed),
                    Ok(_) => {}
                }
            }
        };
        match timed(&mut self.timer, within, read).await {
            Some(Err(Loss::Closed)) if self.unsent => Err(Loss::Unsent),
            Some(read) => read,
            None => Err(Loss::TimedOut),
        }
    }

    /// Writes out commands and what follows them; each write within the time.
    pub async fn send(&mut self, commands: &[u8], payload: Payload<'_>, within: Duration) -> Result<(), Loss> {
        self.write_out(commands, payload, Meanwhile::NotHeard, within).await.map(|_| ())
    }

    /// The same for a message with nothing else unanswered before it: stops where the server says something before the end.
    pub async fn send_alone(
        &mut self,
        commands: &[u8],
        payload: Payload<'_>,
        within: Duration,
    ) -> Result<Written, Loss> {
        self.write_out(commands, payload, Meanwhile::Heard, within).await
    }

    async fn write_out(
        &mut self,
        commands: &[u8],
        payload: Payload<'_>,
        meanwhile: Meanwhile,
        within: Duration,
    ) -> Result<Written, Loss> {
        let commands = std::iter::once(commands);
        let written = match payload {
            Payload::None => self.write(commands, meanwhile, within).await,
            Payload::Plain(content) => {
                self.write(commands.chain(content.chunks().iter().map(|c| &c[..])), meanwhile, within).await
            }
            Payload::Stuffed(content) => self.write(commands.chain(Stuffed::new(content)), meanwhile, within).await,
        };
        self.unsent = !matches!(written, Some(Ok(Written::All)));
        match written {
            None => Err(Loss::Unsent),
            Some(Ok(Written::Interrupted)) => Ok(Written::Interrupted),
            // What is still to be read says more than the error.
            Some(Ok(Written::All) | Err(_)) => Ok(Written::All),
        }
    }

    async fn write<'a>(
        &mut self,
        pieces: impl Iterator<Item = &'a [u8]>,
        meanwhile: Meanwhile,
        within: Duration,
    ) -> Option<io::Result<Written>> {
        let mut pieces = Pieces::new(pieces);
        loop {
            let mut slices = [IoSlice::new(&[]); SLICES];
            let count = pieces.next(&mut slices);
            if count == 0 {
                return timed(&mut self.timer, within, self.stream.flush()).await.map(|r| r.map(|()| Written::All));
            }
            let (stream, input, slices) = (&mut self.stream, &mut self.input, &slices[..count]);
            let step = poll_fn(|cx| {
                if meanwhile == Meanwhile::Heard
                    && let Poll::Ready(heard) = poll_heard(stream, input, cx)
                {
                    return Poll::Ready(heard.map(|()| None));
                }
                Pin::new(&mut *stream).poll_write_vectored(cx, slices).map_ok(Some)
            });
            match timed(&mut self.timer, within, step).await? {
                Ok(Some(0)) => return Some(Err(io::ErrorKind::WriteZero.into())),
                Ok(Some(count)) => pieces.advance(count),
                Ok(None) => return Some(Ok(Written::Interrupted)),
                Err(e) => return Some(Err(e)),
            }
        }
    }

    /// Ends our direction in order (FIN, or close_notify).
    pub async fn close(&mut self, within: Duration) {
        // Whether the other side still listens does not matter any more.
        let _ = timed(&mut self.timer, within, self.stream.shutdown()).await;
    }
}

/// How far writing came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    All,
    /// The server said something before the end was written. What it is, [`Wire::reply`] tells.
    Interrupted,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meanwhile {
    Heard,
    NotHeard,
}

/// Reads what has come without waiting for it; a connection that is at its end is an error.
fn poll_heard(stream: &mut Stream, input: &mut BytesMut, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
    input.reserve(READ);
    match std::task::ready!(pin!(stream.read_buf(input)).poll(cx))? {
        0 => Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into())),
        _ => Poll::Ready(Ok(())),
    }
}

/// `None` where the work is not done in time. The timer is touched only if the work has to wait.
async fn timed<T>(timer: &mut Pin<Box<Sleep>>, within: Duration, work: impl Future<Output = T>) -> Option<T> {
    let mut work = pin!(work);
    let mut set = false;
    poll_fn(|cx| {
        if let Poll::Ready(done) = work.as_mut().poll(cx) {
            return Poll::Ready(Some(done));
        }
        if !set {
            timer.as_mut().reset(Instant::now() + within);
            set = true;
        }
        timer.as_mut().poll(cx).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use repute_net::{MemoryNetwork, Network, TlsClient};
    use repute_types::Content;
    use tokio::io::DuplexStream;

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    async fn pair() -> (Wire, DuplexStream) {
        let network = MemoryNetwork::new(TlsClient::without_roots());
        let host = "192.0.2.1:25".parse().unwrap();
        let mut listener = network.listen(host);
        let ours = network.connect(host, None, MINUTE).await.unwrap();
        (Wire::new(ours), listener.accept().await.unwrap().stream)
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_server_says_before_it_leaves_is_heard() {
        let (mut wire, mut server) = pair().await;
        tokio::spawn(async move {
            let mut some = [0; 1000];
            server.read_exact(&mut some).await.unwrap();
            server.write_all(b"552 5.3.4 too large\r\n").await.unwrap();
        });
        let content = Content::from(vec![b'x'; 300_000]);
        assert_eq!(wire.send(b"", Payload::Stuffed(&content), MINUTE).await, Ok(()));
        assert_eq!(wire.reply(MINUTE).await.unwrap().code, 552);
        assert_eq!(wire.reply(MINUTE).await, Err(Loss::Unsent));
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_server_says_before_the_end_of_a_message_ends_the_writing() {
        let (mut wire, mut server) = pair().await;
        let listening = tokio::spawn(async move {
            let mut some = [0; 1000];
            server.read_exact(&mut some).await.unwrap();
            server.write_all(b"250 ok\r\n").await.unwrap();
            let mut heard = Vec::new();
            server.read_to_end(&mut heard).await.unwrap();
            heard
        });
        let content = Content::from(vec![b'x'; 300_000]);
        assert_eq!(wire.send_alone(b"", Payload::Stuffed(&content), MINUTE).await, Ok(Written::Interrupted));
        assert_eq!(wire.reply(MINUTE).await.unwrap().code, 250);
        drop(wire);
        assert!(!listening.await.unwrap().ends_with(b".\r\n"), "the end was sent all the same");
    }

    #[tokio::test(start_paused = true)]
    async fn many_small_slices_arrive_in_order() {
        let (mut wire, mut server) = pair().await;
        let content = Content::from(b".\r\n".repeat(1000));
        wire.send(b"DATA\r\n", Payload::Stuffed(&content), MINUTE).await.unwrap();
        drop(wire);
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.unwrap();
        assert_eq!(heard, [b"DATA\r\n".to_vec(), b"..\r\n".repeat(1000), b".\r\n".to_vec()].concat());
    }
}
