//! The server as a process of its own, and what the kernel knows of it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::Result;

/// An empty folder for one run; what an earlier run left there is deleted.
pub fn empty_folder() -> Result<PathBuf> {
    let dir = std::env::var_os("BENCH_DIR").map_or("/var/tmp/repute-server".into(), PathBuf::from);
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    std::fs::create_dir_all(dir.join("state"))?;
    Ok(dir)
}

pub fn spool_folder(dir: &Path) -> PathBuf {
    dir.join("state/spool")
}

pub struct Server {
    child: Child,
    lines: Receiver<(Instant, String)>,
    begun: Instant,
    /// Where it takes mail.
    pub address: String,
    pub ready_after: Duration,
}

impl Server {
    /// Starts it with everything routed to a port on loopback.
    pub fn start(dir: &Path, relay: u16) -> Result<Server> {
        let config = dir.join("repute.toml");
        let state = dir.join("state");
        std::fs::write(
            &config,
            format!(
                "hostname = \"mail.example.com\"\nstate = {state:?}\nuser = \"root\"\n\
                 [resolver]\nservers = \"127.0.0.1\"\ndnssec = false\n\
                 [limits]\nconnections = 5000\nconnections_per_client = 5000\n\
                 [[listener]]\nkind = \"submission\"\naddress = \"127.0.0.1:0\"\n\
                 [[route]]\nhost = \"127.0.0.1\"\nport = {relay}\ntls = \"none\"\n\
                 [[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n\
                 [[account]]\nname = \"shop\"\ndomains = \"example.com\"\naddresses = \"127.0.0.1\"\n"
            ),
        )?;
        let program = std::env::var_os("REPUTE").map_or("target/release/repute".into(), PathBuf::from);
        let begun = Instant::now();
        let mut child =
            Command::new(program).arg("serve").arg("--config").arg(&config).stderr(Stdio::piped()).spawn()?;
        let stderr = BufReader::new(child.stderr.take().ok_or("its error output was asked for")?);
        let (send, lines) = channel();
        std::thread::spawn(move || {
            stderr.lines().map_while(|line| line.ok()).try_for_each(|line| send.send((Instant::now(), line)))
        });
        let mut server = Server { child, lines, begun, address: String::new(), ready_after: Duration::ZERO };
        let (after, ready) = server.wait_for("repute: ready")?;
        server.ready_after = after;
        server.address = ready.split("submission=").nth(1).unwrap_or_default().trim().to_owned();
        Ok(server)
    }

    /// The first line with this text, and how long after the start it was said.
    pub fn wait_for(&mut self, text: &str) -> Result<(Duration, String)> {
        let deadline = Instant::now() + Duration::from_secs(120);
        loop {
            let (at, line) = self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now()))?;
            if line.contains(text) {
                return Ok((at - self.begun, line));
            }
        }
    }

    /// Whether this text was said since the last look.
    pub fn has_said(&mut self, text: &str) -> Option<Duration> {
        self.lines.try_iter().find(|(_, line)| line.contains(text)).map(|(at, _)| at - self.begun)
    }

    /// Memory that is its own, in MiB.
    pub fn memory(&self) -> f64 {
        let status = self.file("status");
        let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        kib.and_then(|text| text.trim().split(' ').next()?.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Duration {
        let stat = self.file("stat");
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        // utime and stime, in hundredths of a second.
        let ticks: u64 = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
        Duration::from_millis(ticks * 10)
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{name}", self.child.id())).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended by itself already where this fails.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
