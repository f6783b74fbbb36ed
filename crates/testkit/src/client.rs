//! An SMTP client for tests that are code and not text: it says what it is told and returns
//! what it hears, and helps in nothing.

use std::io;

use tokio::net::{TcpStream, ToSocketAddrs};

use crate::stream::{Stream, Wire};

pub struct Client {
    wire: Wire,
}

/// A whole reply: the code of its lines, and their texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub lines: Vec<String>,
}

impl Answer {
    /// Whether a line begins with this text, letters' case aside (`STARTTLS`, `SIZE`).
    pub fn offers(&self, keyword: &str) -> bool {
        self.lines.iter().any(|l| l.get(..keyword.len()).is_some_and(|k| k.eq_ignore_ascii_case(keyword)))
    }

    pub fn text(&self) -> String {
        self.lines.join("\n")
    }
}

impl Client {
    /// Connects and reads the greeting.
    pub async fn connect(address: impl ToSocketAddrs) -> io::Result<(Client, Answer)> {
        let socket = TcpStream::connect(address).await?;
        socket.set_nodelay(true)?;
        Client::over(socket).await
    }

    /// Over any stream; reads the greeting.
    pub async fn over(stream: impl Stream) -> io::Result<(Client, Answer)> {
        let mut client = Client { wire: Wire::new(stream) };
        let greeting = client.answer().await?;
        Ok((client, greeting))
    }

    /// Says a line and returns the reply to it.
    pub async fn say(&mut self, line: &str) -> io::Result<Answer> {
        self.send(format!("{line}\r\n").as_bytes()).await?;
        self.answer().await
    }

    /// Says many lines in one write and returns a reply for each.
    pub async fn pipeline(&mut self, lines: &[&str]) -> io::Result<Vec<Answer>> {
        self.send((lines.join("\r\n") + "\r\n").as_bytes()).await?;
        let mut answers = Vec::new();
        for _ in lines {
            answers.push(self.answer().await?);
        }
        Ok(answers)
    }

    /// Sends octets as they are.
    pub async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.wire.send(octets).await
    }

    /// DATA, the content dot-stuffed, and the final reply.
    pub async fn data(&mut self, content: &[u8]) -> io::Result<Answer> {
        let ready = self.say("DATA").await?;
        if ready.code != 354 {
            return Ok(ready);
        }
        let mut octets = Vec::with_capacity(content.len() + 16);
        for line in content.split_inclusive(|b| *b == b'\n') {
            if line.starts_with(b".") {
                octets.push(b'.');
            }
            octets.extend_from_slice(line);
        }
        if !octets.ends_with(b"\r\n") {
            octets.extend_from_slice(b"\r\n");
        }
        octets.extend_from_slice(b".\r\n");
        self.send(&octets).await?;
        self.answer().await
    }

    /// STARTTLS and the handshake; say EHLO again afterwards.
    pub async fn start_tls(&mut self) -> io::Result<Answer> {
        let answer = self.say("STARTTLS").await?;
        if answer.code == 220 {
            self.wire.start_tls_as_client("server.invalid").await?;
        }
        Ok(answer)
    }

    /// Reads one whole reply.
    pub async fn answer(&mut self) -> io::Result<Answer> {
        let mut lines = Vec::new();
        loop {
            let line = self.wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
            let line = String::from_utf8_lossy(&line).into_owned();
            let code = line.get(..3).and_then(|c| c.parse().ok());
            let code = code.ok_or_else(|| io::Error::other(format!("not a reply: {line:?}")))?;
            let more = line.as_bytes().get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or("").to_owned());
            if !more {
                return Ok(Answer { code, lines });
            }
        }
    }

    /// Whether the server has closed and said nothing more.
    pub async fn is_closed(&mut self) -> io::Result<bool> {
        Ok(self.wire.line().await?.is_none())
    }
}
