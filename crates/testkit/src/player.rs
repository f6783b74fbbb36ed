//! Plays a dialogue over a stream: says one side's lines, compares the other's.

use std::time::Duration;

use crate::dialogue::{Dialogue, Kind, Mismatch, Side, Step};
use crate::stream::{Stream, Wire};
use crate::tls;

/// Plays `side`; the other end of `stream` plays the other.
pub(crate) async fn play(dialogue: &Dialogue, side: Side, stream: impl Stream) -> Result<(), Mismatch> {
    let mut wire = Wire::new(stream);
    wire.patience = dialogue.patience;
    let mut player = Player { dialogue, side, wire, to_send: Vec::new(), said: String::new() };
    for step in &dialogue.steps {
        player.step(step).await?;
    }
    player.end().await
}

struct Player<'a> {
    dialogue: &'a Dialogue,
    side: Side,
    wire: Wire,
    /// What our side has said and not yet written.
    to_send: Vec<u8>,
    said: String,
}

impl Player<'_> {
    async fn step(&mut self, step: &Step) -> Result<(), Mismatch> {
        let done = match &step.kind {
            Kind::Line(side, text) if *side == self.side => self.say(text, 1, b"\r\n"),
            Kind::Raw(side, text) if *side == self.side => self.say(text, 1, b""),
            Kind::Repeat(side, count, text) if *side == self.side => self.say(text, *count, b""),
            _ => self.listen_or_act(step).await,
        };
        done.map_err(|actual| self.mismatch(step.number, &step.text, actual))?;
        self.said.push_str(&format!("    {}\n", step.text));
        Ok(())
    }

    fn say(&mut self, text: &str, times: usize, end: &[u8]) -> Result<(), String> {
        let octets = self.dialogue.pattern(text)?.octets();
        self.to_send.extend(octets.repeat(times));
        self.to_send.extend_from_slice(end);
        Ok(())
    }

    /// All steps before which our own words have to be written out.
    async fn listen_or_act(&mut self, step: &Step) -> Result<(), String> {
        self.flush().await?;
        match &step.kind {
            Kind::Line(_, text) => {
                let pattern = self.dialogue.pattern(text)?;
                self.line().await.and_then(|line| agree(pattern.matches(&line), &line))
            }
            Kind::Raw(_, text) => self.hear_octets(&self.dialogue.pattern(text)?.octets()).await,
            Kind::Repeat(_, count, text) => {
                self.hear_octets(&self.dialogue.pattern(text)?.octets().repeat(*count)).await
            }
            Kind::Reply(code, texts) => self.hear_reply(code, texts).await,
            Kind::Close(side) if *side == self.side => {
                self.wire.close().await;
                Ok(())
            }
            Kind::Close(_) => match self.wire.line().await {
                Ok(None) => Ok(()),
                Ok(Some(line)) => Err(show(&line)),
                Err(e) => Err(e.to_string()),
            },
            Kind::Tls => self.tls().await.map_err(|e| format!("the handshake failed: {e}")),
            Kind::Flush => {
                // Long enough for the other side to read this part by itself.
                tokio::time::sleep(Duration::from_millis(20)).await;
                Ok(())
            }
            Kind::Wait(time) => {
                tokio::time::sleep(*time).await;
                Ok(())
            }
        }
    }

    async fn flush(&mut self) -> Result<(), String> {
        let octets = std::mem::take(&mut self.to_send);
        if octets.is_empty() {
            return Ok(());
        }
        self.wire.send(&octets).await.map_err(|e| format!("writing the lines before failed: {e}"))
    }

    async fn line(&mut self) -> Result<Vec<u8>, String> {
        match self.wire.line().await {
            Ok(Some(line)) => Ok(line),
            Ok(None) => Err("the connection was closed".into()),
            Err(e) => Err(format!("{e}; unread: {}", show(self.wire.unread()))),
        }
    }

    async fn hear_octets(&mut self, expected: &[u8]) -> Result<(), String> {
        match self.wire.octets(expected.len()).await {
            Ok(got) => agree(got == expected, &got),
            Err(e) => Err(format!("{e}; unread: {}", show(self.wire.unread()))),
        }
    }

    async fn hear_reply(&mut self, code: &str, texts: &[String]) -> Result<(), String> {
        if self.side == Side::Server {
            return Err("S~ is for dialogues played as the client".into());
        }
        let mut lines = Vec::new();
        loop {
            let line = self.line().await?;
            if !line.starts_with(code.as_bytes()) {
                return Err(show(&line));
            }
            let more = line.get(3) == Some(&b'-');
            lines.push(line.get(4..).unwrap_or_default().to_vec());
            if !more {
                break;
            }
        }
        for text in texts {
            let pattern = self.dialogue.pattern(text)?;
            if !lines.iter().any(|l| pattern.matches(l)) {
                let all: Vec<String> = lines.iter().map(|l| show(l)).collect();
                return Err(format!("no line of the reply is {text:?}: {}", all.join(" | ")));
            }
        }
        Ok(())
    }

    async fn tls(&mut self) -> std::io::Result<()> {
        match self.side {
            Side::Client => self.wire.start_tls_as_client("server.invalid").await,
            Side::Server => {
                let own = || tls::server_config(&["server.invalid"]);
                let config = self.dialogue.tls.clone().unwrap_or_else(own);
                self.wire.start_tls_as_server(config).await
            }
        }
    }

    async fn end(mut self) -> Result<(), Mismatch> {
        let last = self.dialogue.steps.last().map_or(0, |s| s.number);
        self.flush().await.map_err(|e| self.mismatch(last, "the end of the dialogue", e))?;
        if !self.wire.unread().is_empty() {
            let rest = show(self.wire.unread());
            return Err(self.mismatch(last, "the end of the dialogue", rest));
        }
        self.wire.close().await;
        Ok(())
    }

    fn mismatch(&self, line: usize, expected: &str, actual: String) -> Mismatch {
        Mismatch {
            name: self.dialogue.name.clone(),
            line,
            expected: expected.into(),
            actual,
            transcript: self.said.clone(),
        }
    }
}

fn agree(same: bool, got: &[u8]) -> Result<(), String> {
    if same { Ok(()) } else { Err(show(got)) }
}

fn show(octets: &[u8]) -> String {
    format!("\"{}\"", octets.escape_ascii())
}
