//! The rest of a request that was answered before it was read to its end, such as a body that is too large: it is read
//! and thrown away for a while before the connection goes (RFC 9112 §9.6).
//!
//! Closed at once, the connection would be reset while the client still sends, and a reset takes the answer with it: a client that
//! sends first and reads then would see a broken connection and not the reason. A client that has said `Expect:
//! 100-continue` and was not told to go on sends nothing more, and nothing is waited for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::Request;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

use crate::settings::Limits;

/// Octets that are thrown away at a time.
const STEP: usize = 16 * 1024;

/// Whether something that the client was to send was left unread.
#[derive(Clone, Default)]
pub(crate) struct Unread(Arc<AtomicBool>);

impl Unread {
    /// Puts the body of a request under watch.
    pub fn watch(&self, request: Request<Incoming>) -> Request<Watched> {
        let (parts, body) = request.into_parts();
        let waits = expects(&parts);
        // The one before was read by now, or the connection would have ended.
        self.0.store(false, Ordering::Relaxed);
        Request::from_parts(parts, Watched { body, waits, ended: false, unread: self.0.clone() })
    }

    pub fn is_left(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

fn expects(parts: &Parts) -> bool {
    parts.headers.get(EXPECT).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// A body that says, when it is dropped, whether it was read to its end.
pub(crate) struct Watched {
    body: Incoming,
    /// The client waits until the body is asked for.
    waits: bool,
    ended: bool,
    unread: Arc<AtomicBool>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        this.waits = false;
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        this.ended |= matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.ended && !self.waits && !self.body.is_end_stream() {
            self.unread.store(true, Ordering::Relaxed);
        }
    }
}

/// Ends our side, then reads what still comes, within the bounds, or until the client has seen the end.
pub(crate) async fn linger(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), limits: &Limits) {
    let reading = async {
        if stream.shutdown().await.is_err() {
            return;
        }
        let (mut left, mut thrown) = (limits.unread, vec![0; STEP]);
        while left > 0 {
            match timeout(limits.unread_idle, stream.read(&mut thrown)).await {
                Ok(Ok(octets)) if octets > 0 => left = left.saturating_sub(octets),
                _ => return,
            }
        }
    };
    // Out of time it is closed all the same.
    let _ = timeout(limits.unread_whole, reading).await;
}
