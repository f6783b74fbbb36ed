//! A client that submits, a command at a time.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::Result;

pub struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    /// Connects and waits for the 220.
    pub fn connect(address: &str) -> Result<Client> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let mut client = Client { stream: BufReader::new(stream) };
        client.expect("220")?;
        Ok(client)
    }

    pub fn hello(&mut self) -> Result<()> {
        self.say("EHLO client.example.com\r\n", "250")
    }

    /// Submits one message; how long the server took from the final dot to its 250.
    pub fn submit(&mut self, to: &str, content: &str) -> Result<Duration> {
        self.say("MAIL FROM:<shop@example.com>\r\n", "250")?;
        self.say(&format!("RCPT TO:<{to}>\r\n"), "250")?;
        self.say("DATA\r\n", "354")?;
        let begun = Instant::now();
        self.say(&format!("{content}.\r\n"), "250")?;
        Ok(begun.elapsed())
    }

    fn say(&mut self, text: &str, expected: &str) -> Result<()> {
        self.stream.get_mut().write_all(text.as_bytes())?;
        self.expect(expected)
    }

    fn expect(&mut self, code: &str) -> Result<()> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            if !line.starts_with(code) {
                return Err(format!("expected {code}, got {line:?}").into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return Ok(());
            }
        }
    }
}

/// A message of about so many octets.
pub fn letter(subject: &str, octets: usize) -> String {
    let head = format!("From: <shop@example.com>\r\nTo: <you@example.net>\r\nSubject: {subject}\r\n\r\n");
    let text = "A line of a letter that says what such letters say, over and over.\r\n";
    let lines = octets.saturating_sub(head.len()) / text.len();
    head + &text.repeat(lines)
}
