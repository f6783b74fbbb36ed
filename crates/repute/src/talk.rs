//! An SMTP conversation as a person would hold it: say a line, hear the reply. For `repute
//! send`, which prints it, and for `sendmail`, which says it over the server's local socket.
//! Mail that leaves the server goes through `repute_delivery` instead.

use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::BytesMut;
use repute_smtp::client::{Extensions, Stuffed};
use repute_smtp::reply::ReplyReader;
use repute_types::{Content, Reply};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::time::timeout;

/// RFC 5321 §4.5.3.2.6: the reply to the end of a message may take ten minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// Who watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    Nobody,
    /// Each line is printed, `C:` ours and `S:` theirs.
    Print,
}

pub struct Talk<S> {
    stream: S,
    input: BytesMut,
    reader: ReplyReader,
    watch: Watch,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Talk<S> {
    pub fn new(stream: S, watch: Watch) -> Talk<S> {
        Talk { stream, input: BytesMut::new(), reader: ReplyReader::new(), watch }
    }

    /// The stream alone; what was heard beyond the last reply is forgotten, as it has to be
    /// before a TLS handshake (RFC 3207 §6).
    pub fn into_stream(self) -> S {
        self.stream
    }

    pub async fn hear(&mut self) -> anyhow::Result<Reply> {
        loop {
            if let Some(reply) = self.reader.read(&mut self.input).context("this is not SMTP")? {
                self.print_reply(&reply);
                return Ok(reply);
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.input)).await;
            if read.context("the server does not answer")?? == 0 {
                bail!("the server closed the connection");
            }
        }
    }

    pub async fn say(&mut self, line: &str) -> anyhow::Result<Reply> {
        self.say_as(line, line).await
    }

    /// Says a line that is printed as `shown`: a password is not for the screen.
    pub async fn say_as(&mut self, line: &str, shown: &str) -> anyhow::Result<Reply> {
        self.print("C:", shown);
        let written = async {
            self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
            self.stream.flush().await
        };
        timeout(PATIENCE, written).await.context("the server does not read")?.context("the connection broke")?;
        self.hear().await
    }

    /// Says EHLO; what the server offers.
    pub async fn hello(&mut self, name: &str) -> anyhow::Result<Extensions> {
        let reply = self.say(&format!("EHLO {name}")).await?;
        match reply.is_positive() {
            true => Ok(Extensions::from_ehlo(&reply)),
            false => bail!("the server refuses us: {reply}"),
        }
    }

    /// The content after a 354, dots doubled (RFC 5321 §4.5.2); the reply to its end.
    pub async fn content(&mut self, content: &Content) -> anyhow::Result<Reply> {
        self.print("C:", &format!("({} octets)", content.len()));
        let wire = Stuffed::new(content).collect::<Vec<_>>().concat();
        let written = async {
            self.stream.write_all(&wire).await?;
            self.stream.flush().await
        };
        timeout(PATIENCE, written).await.context("the server does not read")?.context("the connection broke")?;
        self.hear().await
    }

    fn print(&self, who: &str, text: &str) {
        if self.watch == Watch::Print {
            crate::out::line(&format!("{who} {}", crate::out::plain(text)));
        }
    }

    fn print_reply(&self, reply: &Reply) {
        if self.watch == Watch::Nobody {
            return;
        }
        let last = reply.lines.len().saturating_sub(1);
        for (i, line) in reply.lines.iter().enumerate() {
            let sign = if i == last { ' ' } else { '-' };
            let enhanced = reply.enhanced.map_or_else(String::new, |e| format!("{e} "));
            self.print("S:", &format!("{}{sign}{enhanced}{line}", reply.code));
        }
    }
}
