//! A short SMTP conversation with somebody's server: what it says to a client that has no mail.
//!
//! Promise: every wait ends by its own deadline and by that of the run; a reply is bounded; nothing
//! is ever sent but greetings, STARTTLS, the envelope of a message that is not handed over, and QUIT.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use repute_net::{ConnectKind, Network, Stream, TlsPolicy};
use repute_smtp::reply::ReplyReader;
use repute_types::Reply;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

/// For a connection: within it, whoever is there has answered.
const CONNECT: Duration = Duration::from_secs(8);
/// For one reply. Some servers wait some seconds before they greet, to see who speaks first.
const REPLY: Duration = Duration::from_secs(12);

pub(crate) struct Talk {
    stream: Stream,
    input: BytesMut,
    reader: ReplyReader,
    until: Instant,
}

/// Why there is no conversation.
#[derive(Debug)]
pub(crate) enum NoTalk {
    /// The address that it should come from is not on this machine.
    NotOurs,
    /// Timed out, unreachable, broken.
    Closed(String),
    /// Whoever has the address says that nothing listens there.
    Refused(String),
    /// The run ended before the host had its time to answer.
    Late,
}

impl Talk {
    pub async fn open(
        network: &dyn Network,
        to: SocketAddr,
        from: Option<IpAddr>,
        until: Instant,
    ) -> Result<Talk, NoTalk> {
        let left = until.saturating_duration_since(Instant::now());
        let within = CONNECT.min(left);
        match network.connect(to, from, within).await {
            Ok(stream) => Ok(Talk { stream, input: BytesMut::new(), reader: ReplyReader::new(), until }),
            Err(error) if error.kind == ConnectKind::SourceUnavailable => Err(NoTalk::NotOurs),
            Err(error) if error.kind == ConnectKind::NoSockets => Err(NoTalk::Late),
            Err(error) if error.kind == ConnectKind::TimedOut && left < CONNECT => Err(NoTalk::Late),
            Err(error) if error.kind == ConnectKind::Refused => Err(NoTalk::Refused(error.text)),
            Err(error) => Err(NoTalk::Closed(error.text)),
        }
    }

    pub async fn reply(&mut self) -> Result<Reply, String> {
        let until = self.until.min(Instant::now() + REPLY);
        let reading = async {
            loop {
                if let Some(reply) = self.reader.read(&mut self.input).map_err(|error| error.to_string())? {
                    return Ok(reply);
                }
                match self.stream.read_buf(&mut self.input).await {
                    Ok(0) => return Err("it closed the connection".to_owned()),
                    Ok(_) => {}
                    Err(error) => return Err(format!("the connection broke: {error}")),
                }
            }
        };
        timeout_at(until, reading).await.unwrap_or_else(|_| Err("no reply in time".into()))
    }

    pub async fn say(&mut self, line: &str) -> Result<Reply, String> {
        let line = format!("{line}\r\n");
        let writing = self.stream.write_all(line.as_bytes());
        match timeout_at(self.until.min(Instant::now() + REPLY), writing).await {
            Ok(Ok(())) => self.reply().await,
            Ok(Err(error)) => Err(format!("the connection broke: {error}")),
            Err(_) => Err("it takes no command in time".into()),
        }
    }

    /// STARTTLS and the handshake; then the conversation begins anew. The text says why not.
    pub async fn encrypt(mut self, network: &dyn Network, host: &str) -> Result<(Talk, bool), String> {
        let reply = self.say("STARTTLS").await?;
        if reply.code != 220 {
            return Err(format!("it answered STARTTLS with {reply}"));
        }
        let until = self.until.min(Instant::now() + REPLY);
        let shaking = network.tls().start(self.stream, host, TlsPolicy::Opportunistic);
        match timeout_at(until, shaking).await {
            Ok(Ok((stream, used))) => {
                let talk = Talk { stream, input: BytesMut::new(), reader: ReplyReader::new(), until: self.until };
                Ok((talk, used.verified))
            }
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no handshake in time".into()),
        }
    }

    pub fn certificates(&self) -> Vec<Vec<u8>> {
        self.stream.peer_certificates()
    }

    /// Leaves without waiting: whoever is there knows by QUIT that nothing went wrong.
    pub async fn quit(mut self) {
        let until = self.until.min(Instant::now() + Duration::from_secs(1));
        // Nothing more is wanted from it.
        let _ = timeout_at(until, self.stream.write_all(b"QUIT\r\n")).await;
    }
}

/// The text of a reply, without its code.
pub(crate) fn text_of(reply: &Reply) -> String {
    reply.text().chars().filter(|c| !c.is_control()).take(200).collect()
}
