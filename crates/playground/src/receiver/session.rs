//! A conversation over a socket: lines, TLS, dots and chunks. Replies are held back while
//! commands of the peer wait unread, as a pipelining server does (RFC 2920 §3.2).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use memchr::memmem;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use repute_trust::receivers::{Decision, receivers};
use repute_types::{Clock as _, SystemClock};

use super::conversation::{Conversation, Next};
use super::inbox::Received;
use super::{House, Personality};
use crate::judge::{Facts, Seen};

/// RFC 5321 §4.5.3.2.7: a server waits at least five minutes for the next command.
const PATIENCE: Duration = Duration::from_secs(300);
/// RFC 5321 §4.5.3.1.4 asks for 512 octets, RFC 6531 and DSN for more.
const LINE_MOST: usize = 4096;

pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Session<'a> {
    stream: Box<dyn Stream>,
    input: BytesMut,
    output: Vec<u8>,
    peer: SocketAddr,
    house: &'a House,
}

pub(super) async fn run(socket: TcpStream, peer: SocketAddr, house: &House, has_place: bool) -> io::Result<()> {
    socket.set_nodelay(true)?;
    talk(Box::new(socket), peer, house, has_place).await
}

/// Over any stream.
pub(super) async fn talk(stream: Box<dyn Stream>, peer: SocketAddr, house: &House, has_place: bool) -> io::Result<()> {
    let mut session = Session { stream, input: BytesMut::new(), output: Vec::new(), peer, house };
    if !has_place {
        session.say("421 4.7.0 Too many connections").await;
        return session.flush().await;
    }
    session.say(&format!("220 {} ESMTP", house.host)).await;
    let mut conversation = Conversation::default();
    loop {
        let line = session.line().await?;
        match conversation.command(&line, peer.ip(), house) {
            Next::Reply(text) => {
                if line.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"RCPT")) {
                    pause(house.personality.tarpit).await;
                }
                session.say(&text).await;
            }
            Next::Close(text) => {
                session.say(&text).await;
                session.flush().await?;
                return session.stream.shutdown().await;
            }
            Next::StartTls(text) => {
                session.say(&text).await;
                session.flush().await?;
                session = session.start_tls(&mut conversation).await?;
            }
            Next::Data(text) => {
                session.say(&text).await;
                session.flush().await?;
                let content = session.dotted().await?;
                session.end_of_data(&mut conversation, content).await?;
            }
            Next::Chunk { octets, last, accepted } => {
                session.chunk(&mut conversation, octets, last, accepted).await?;
            }
        }
    }
}

/// What a receiver of the world would do with it; the reply to the last dot.
async fn decide(house: &House, mut received: Received, number: u64) -> String {
    let taken = format!("250 2.0.0 Ok: taken as {number}");
    let Personality { decides_as, bulk, mirror, .. } = &house.personality;
    if let (Some(judge), true) = (&house.judge, decides_as.is_some() || mirror.is_some()) {
        let seen = judge.see(&received.facts, *bulk, SystemClock.now()).await;
        received.decision = decides_as.map(|receiver| seen.decide(receiver));
        received.seen = Some(Arc::new(seen));
    }
    if let Some(mirror) = mirror {
        let reply = match (&received.seen, mirror.reply_report) {
            (Some(seen), true) => format!("250 2.0.0 {}", short(seen)),
            _ => taken,
        };
        // Whoever reads decides how fast mail comes; without a reader nothing is lost by it.
        let _ = mirror.tell.send(received).await;
        return reply;
    }
    if let Some(Decision::Refused { reply, .. }) = received.decision.clone() {
        house.inbox.refuse(received);
        return reply;
    }
    house.inbox.put(received);
    taken
}

/// A line of a reply has 512 octets (RFC 5321 §4.5.3.1.5).
const REPLY_MOST: usize = 480;

/// What was seen, in a line.
fn short(seen: &Seen) -> String {
    let sight = &seen.sight;
    let spf = sight.spf.as_ref().map_or("unknown", |report| report.verdict.as_str());
    let dkim = if sight.signs.iter().any(|s| s == "dkim.pass") { "pass" } else { "no pass" };
    let dmarc = if sight.signs.iter().any(|s| s == "dmarc.pass") { "pass" } else { "no pass" };
    let mut text = format!("trust {}/100; spf {spf}; dkim {dkim}; dmarc {dmarc}", sight.trust);
    for receiver in receivers() {
        let decision = seen.decide(receiver);
        let check = decision.check().map_or(String::new(), |check| format!(" ({check})"));
        text += &format!("; {} {}{check}", receiver.name, decision.as_str());
    }
    text.chars().filter(|c| c.is_ascii() && !c.is_control()).take(REPLY_MOST).collect()
}

/// A sleep of no time takes until the clock's next millisecond.
async fn pause(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

impl<'a> Session<'a> {
    async fn say(&mut self, text: &str) {
        pause(self.house.personality.pace).await;
        self.output.extend_from_slice(text.as_bytes());
        self.output.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> io::Result<()> {
        let write = async {
            self.stream.write_all(&self.output).await?;
            self.stream.flush().await
        };
        timeout(PATIENCE, write).await.map_err(|_| io::ErrorKind::TimedOut)??;
        self.output.clear();
        Ok(())
    }

    /// Reads more; what we have to say is said before we wait.
    async fn fill(&mut self) -> io::Result<()> {
        if !self.output.is_empty() {
            self.flush().await?;
        }
        self.input.reserve(16 << 10);
        let count =
            timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        if count == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    /// A line that ends in CRLF, and in nothing less.
    async fn line(&mut self) -> io::Result<BytesMut> {
        let end = self.line_end(LINE_MOST - 1, "a line without an end").await?;
        let line = self.input.split_to(end);
        self.input.advance(2);
        Ok(line)
    }

    /// Where the CRLF stands that ends the line, at most so many octets behind its begin, in however many pieces it comes.
    async fn line_end(&mut self, most: usize, beyond: &'static str) -> io::Result<usize> {
        let mut looked_at = 0;
        loop {
            let end = memmem::find(&self.input[looked_at..], b"\r\n").map(|at| looked_at + at);
            looked_at = self.input.len().saturating_sub(1);
            if end.unwrap_or(looked_at) > most {
                self.say("500 5.5.2 The line is too long").await;
                self.flush().await?;
                return Err(io::Error::other(beyond));
            }
            if let Some(end) = end {
                return Ok(end);
            }
            self.fill().await?;
        }
    }

    async fn start_tls(mut self, conversation: &mut Conversation) -> io::Result<Session<'a>> {
        if !self.input.is_empty() {
            // RFC 3207 §4: what came in clear behind STARTTLS is an attack or a fault.
            self.house.inbox.count(|c| c.protocol_errors += 1);
            return Err(io::Error::other("octets behind STARTTLS"));
        }
        let config = self.house.personality.tls.clone().ok_or(io::ErrorKind::Unsupported)?;
        let accepted = timeout(PATIENCE, TlsAcceptor::from(config).accept(self.stream)).await;
        let stream = accepted.map_err(|_| io::ErrorKind::TimedOut)??;
        let session = stream.get_ref().1;
        let version = session.protocol_version().map(|v| format!("{v:?}")).unwrap_or_default();
        let cipher = session.negotiated_cipher_suite().map(|s| format!("{:?}", s.suite())).unwrap_or_default();
        *conversation = Conversation { tls: Some(format!("{version} {cipher}")), ..Conversation::default() };
        self.house.inbox.count(|c| c.over_tls += 1);
        self.stream = Box::new(stream);
        Ok(self)
    }

    /// Content up to CRLF.CRLF, dots unstuffed (RFC 5321 §4.5.2). `None` where it is too big.
    async fn dotted(&mut self) -> io::Result<Option<BytesMut>> {
        let most = self.house.personality.offers.size;
        let mut content = BytesMut::new();
        let mut too_big = false;
        loop {
            let line = self.data_line().await?;
            if line == b".\r\n"[..] {
                return Ok((!too_big).then_some(content));
            }
            let line = line.strip_prefix(b".").unwrap_or(&line);
            too_big |= content.len() + line.len() > most;
            if !too_big {
                content.extend_from_slice(line);
            }
        }
    }

    /// A line with its CRLF, of any length that fits the size.
    async fn data_line(&mut self) -> io::Result<BytesMut> {
        let end = self.line_end(self.house.personality.offers.size, "a line longer than the greatest message").await?;
        Ok(self.input.split_to(end + 2))
    }

    async fn chunk(
        &mut self,
        conversation: &mut Conversation,
        octets: usize,
        last: bool,
        accepted: bool,
    ) -> io::Result<()> {
        let most = self.house.personality.offers.size;
        let mut content = conversation.envelope.as_mut().map(|e| std::mem::take(&mut e.chunks)).unwrap_or_default();
        let mut left = octets;
        while left > 0 {
            if self.input.is_empty() {
                self.fill().await?;
            }
            let piece = self.input.split_to(left.min(self.input.len()));
            left -= piece.len();
            if accepted {
                // One octet over is kept, as the sign that it was too big.
                let room = (most + 1).saturating_sub(content.len()).min(piece.len());
                content.extend_from_slice(&piece[..room]);
            }
        }
        if !accepted {
            self.say("503 5.5.1 No valid recipients").await;
        } else if last {
            let fits = content.len() <= most;
            self.end_of_data(conversation, fits.then_some(content)).await?;
        } else {
            if let Some(envelope) = &mut conversation.envelope {
                envelope.chunks = content;
            }
            self.say(&format!("250 2.0.0 {octets} octets")).await;
        }
        Ok(())
    }

    async fn end_of_data(&mut self, conversation: &mut Conversation, content: Option<BytesMut>) -> io::Result<()> {
        let envelope = conversation.envelope.take().unwrap_or_default();
        let Some(content) = content else {
            self.say("552 5.3.4 Too big").await;
            return Ok(());
        };
        conversation.messages += 1;
        let number = self.house.inbox.count(|c| {
            c.ends_of_data += 1;
            c.ends_of_data
        });
        if self.house.personality.hang_up_every.is_some_and(|n| number.is_multiple_of(n)) {
            self.house.inbox.count(|c| c.hung_up += 1);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let facts = Facts {
            host: self.house.host.clone(),
            peer: self.peer.ip(),
            helo: conversation.helo.clone(),
            tls: conversation.tls.clone(),
            from: envelope.from,
            recipients: envelope.recipients,
            content: content.freeze(),
        };
        let report = match &self.house.judge {
            Some(judge) => judge.judge(&facts).await,
            None => None,
        };
        let reply = decide(self.house, Received::new(facts, report), number).await;
        self.say(&reply).await;
        Ok(())
    }
}
