//! The demo's application: logs in under TLS and hands the letters in, over several
//! connections at once. A plain client of its own, so that the server is not talked to by
//! itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indicatif::ProgressBar;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncBufReadExt, AsyncReadExt as _, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use super::letters::Letter;

/// As a worker pool of an application would have.
const CONNECTIONS: usize = 4;
/// On loopback an answer takes milliseconds; a log-in hashes a password.
const PATIENCE: Duration = Duration::from_secs(20);
/// More than any reply line (RFC 5321 §4.5.3.1.5: 512).
const LINE_MOST: u64 = 4096;

/// Where the application sends, and as whom.
#[derive(Clone)]
pub struct Submission {
    pub server: SocketAddr,
    /// The name in the server's certificate.
    pub name: String,
    /// Trusts the server's certificate and no other.
    pub tls: Arc<rustls::ClientConfig>,
    pub user: String,
    pub password: String,
}

/// The letters that were answered 250, by number. Others have ended in an error.
pub async fn submit(to: &Submission, letters: &[Arc<Letter>], bar: &ProgressBar) -> anyhow::Result<Vec<u32>> {
    let mut workers = JoinSet::new();
    for worker in 0..CONNECTIONS {
        let mine: Vec<Arc<Letter>> = letters.iter().skip(worker).step_by(CONNECTIONS).cloned().collect();
        let (to, bar) = (to.clone(), bar.clone());
        workers.spawn(async move { work(&to, &mine, &bar).await });
    }
    let mut accepted = Vec::new();
    while let Some(done) = workers.join_next().await {
        accepted.extend(done.context("a worker of the application broke")??);
    }
    Ok(accepted)
}

async fn work(to: &Submission, letters: &[Arc<Letter>], bar: &ProgressBar) -> anyhow::Result<Vec<u32>> {
    if letters.is_empty() {
        return Ok(Vec::new());
    }
    let mut client = Client::log_in(to).await.context("logging in to the server")?;
    let mut accepted = Vec::new();
    for letter in letters {
        client.send(letter).await.with_context(|| format!("handing in letter {}", letter.number))?;
        accepted.push(letter.number);
        bar.inc(1);
    }
    client.say("QUIT", 221).await?;
    Ok(accepted)
}

trait Stream: tokio::io::AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: tokio::io::AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Client {
    stream: BufStream<Box<dyn Stream>>,
}

impl Client {
    async fn log_in(to: &Submission) -> anyhow::Result<Client> {
        let socket = TcpStream::connect(to.server).await?;
        socket.set_nodelay(true)?;
        let mut client = Client { stream: BufStream::new(Box::new(socket)) };
        client.hear(220).await?;
        client.say("EHLO app.shop.test", 250).await?;
        client.say("STARTTLS", 220).await?;
        let name = ServerName::try_from(to.name.clone())?;
        let tls = TlsConnector::from(to.tls.clone()).connect(name, client.stream.into_inner()).await?;
        let mut client = Client { stream: BufStream::new(Box::new(tls)) };
        client.say("EHLO app.shop.test", 250).await?;
        let token = STANDARD.encode(format!("\0{}\0{}", to.user, to.password));
        client.say(&format!("AUTH PLAIN {token}"), 235).await?;
        Ok(client)
    }

    async fn send(&mut self, letter: &Letter) -> anyhow::Result<()> {
        let body = if letter.eight_bit { " BODY=8BITMIME" } else { "" };
        self.say(&format!("MAIL FROM:<{}>{body}", letter.from), 250).await?;
        for recipient in letter.to.iter().chain(&letter.unknown) {
            self.say(&format!("RCPT TO:<{recipient}>"), 250).await?;
        }
        self.say("DATA", 354).await?;
        for line in letter.content.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b".") {
                self.stream.write_all(b".").await?;
            }
            self.stream.write_all(line).await?;
        }
        self.say(".", 250).await
    }

    async fn say(&mut self, line: &str, expected: u16) -> anyhow::Result<()> {
        self.stream.write_all(line.as_bytes()).await?;
        self.stream.write_all(b"\r\n").await?;
        self.stream.flush().await?;
        // A password never stands in an error.
        let said = line.split(' ').next().unwrap_or_default();
        self.hear(expected).await.with_context(|| format!("after {said}"))
    }

    /// Reads a whole reply.
    async fn hear(&mut self, expected: u16) -> anyhow::Result<()> {
        loop {
            let mut line = String::new();
            let mut bounded = (&mut self.stream).take(LINE_MOST);
            let read = tokio::time::timeout(PATIENCE, bounded.read_line(&mut line));
            if read.await.context("the server does not answer")?? == 0 {
                bail!("the server closed the connection");
            }
            let line = line.trim_end();
            if !line.starts_with(&expected.to_string()) {
                bail!("the server says {line:?}");
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}
