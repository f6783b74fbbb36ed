//! The first message: handed to the server, which is started for it where none runs, and followed until its fate
//! is known.
//!
//! Promise: a server that was started here is stopped here. What is not delivered by the deadline stays in
//! the spool, and goes when the server runs again.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use repute_ledger::{Step, StepKind};
use repute_types::Address;
use serde::Deserialize;
use serde_json::Value;

use crate::config::Config;
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

/// A debug build on a busy machine makes its certificate in some seconds.
const STARTS_WITHIN: Duration = Duration::from_secs(30);
/// Its permit takes some seconds, and a receiver that greylists longer than anybody waits.
const PATIENCE: Duration = Duration::from_secs(50);
const PAUSE: Duration = Duration::from_millis(200);
/// Of what a server that does not start says.
const WORDS_MOST: u64 = 16 << 10;

/// A server that takes the message.
pub struct Server {
    /// Started here, and stopped when this goes.
    child: Option<Child>,
}

impl Server {
    /// The running one, or one that is started.
    pub fn find_or_start(config: &Config) -> anyhow::Result<Server> {
        if client::connect(&config.state)?.is_some() {
            return Ok(Server { child: None });
        }
        let program = std::env::current_exe().context("this program's own file is not known")?;
        let child = Command::new(program)
            .arg("--config")
            .arg(&config.file)
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .context("the server cannot be started")?;
        let mut server = Server { child: Some(child) };
        server.wait_until_ready(config)?;
        Ok(server)
    }

    fn wait_until_ready(&mut self, config: &Config) -> anyhow::Result<()> {
        let Some(child) = &mut self.child else { return Ok(()) };
        let Some(said) = child.stderr.take() else { bail!("the server's output is not there") };
        let (tell, heard) = std::sync::mpsc::channel();
        // It is read to its end, so that the server never waits for a reader.
        std::thread::spawn(move || {
            let mut said = BufReader::new(said);
            let mut words = String::new();
            let mut line = String::new();
            while words.len() < WORDS_MOST as usize
                && said.by_ref().take(WORDS_MOST).read_line(&mut line).is_ok_and(|n| n > 0)
            {
                words += &line;
                line.clear();
            }
            // Nobody may listen any more.
            let _ = tell.send(words);
            let _ = std::io::copy(&mut said, &mut std::io::sink());
        });
        let deadline = Instant::now() + STARTS_WITHIN;
        while client::connect(&config.state)?.is_none() {
            if child.try_wait()?.is_some() {
                let words = heard.recv_timeout(Duration::from_secs(1)).unwrap_or_default();
                let words: Vec<String> = words.lines().map(out::plain).collect();
                bail!("the server does not start:\n{}", words.join("\n"));
            }
            if Instant::now() > deadline {
                bail!("the server does not start within {}", out::short(STARTS_WITHIN));
            }
            std::thread::sleep(PAUSE);
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let Some(child) = &mut self.child else { return };
        if let Ok(pid) = i32::try_from(child.id()) {
            // It may have ended by itself.
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let _ = child.wait();
    }
}

/// What became of it.
pub enum Became {
    Delivered(String),
    /// With the reason, as far as there is one.
    Waits(String),
    Failed(String),
}

impl Became {
    pub fn json(&self) -> Value {
        let (state, text) = match self {
            Became::Delivered(text) => ("delivered", text),
            Became::Waits(text) => ("waits", text),
            Became::Failed(text) => ("failed", text),
        };
        serde_json::json!({ "state": state, "text": text })
    }

    pub fn is_delivered(&self) -> bool {
        matches!(self, Became::Delivered(_))
    }

    pub fn tell(&self, to: &Address) {
        let (text, tone) = match self {
            Became::Delivered(text) => (format!("The first message is delivered: {text}"), Tone::Good),
            Became::Waits(text) => {
                (format!("The first message waits, and goes by itself when it may: {text}"), Tone::Warning)
            }
            Became::Failed(text) => (format!("The first message was refused: {text}"), Tone::Bad),
        };
        out::line("");
        out::line(&out::tone(&out::plain(&text), tone));
        if !self.is_delivered() {
            out::line(&format!("`repute why {to}` tells more."));
        }
    }
}

/// Hands the message in, and follows it.
pub fn send(config: &Config, to: &Address) -> anyhow::Result<Became> {
    let domain = config.domains.first().context("no domain is set up")?.name.clone();
    let taken = client::ask(&config.state, &Request::FirstMessageV1 { domain, to: to.clone() })?;
    let about = taken["id"].as_str().context("the server names no id")?.to_owned();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = client::ask(&config.state, &Request::WhyV1 { about: about.clone(), limit: 100 })?;
        let became = became(&answer)?;
        let settled = !matches!(became, Became::Waits(_));
        if settled || Instant::now() > deadline {
            return Ok(became);
        }
        std::thread::sleep(PAUSE);
    }
}

/// By the last step of its only recipient, or by what it waits for.
fn became(answer: &Value) -> anyhow::Result<Became> {
    let steps = Vec::<Step>::deserialize(&answer["steps"])?;
    let settled = steps.iter().rev().find_map(|step| match &step.kind {
        StepKind::Settled(settled) => Some((settled.verdict.as_str(), step.kind.to_string())),
        StepKind::CameBack { what, .. } if what == "suppressed" => Some(("failed", step.kind.to_string())),
        _ => None,
    });
    let waits_for = answer["queued"][0]["reason"].as_str().unwrap_or("it is on its way");
    Ok(match settled {
        Some(("delivered", text)) => Became::Delivered(text),
        Some(("deferred", text)) => Became::Waits(text),
        Some((_, text)) => Became::Failed(text),
        None => Became::Waits(waits_for.to_owned()),
    })
}
