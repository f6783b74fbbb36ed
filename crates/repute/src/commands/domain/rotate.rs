//! `repute domain rotate`: new DKIM keys in the place of old ones, without one message whose signature
//! cannot be verified.
//!
//! Steps, each of which a run takes up where the one before left it:
//! 1. New keys are made, one of each algorithm. They do not sign yet.
//! 2. Their records are published (DNS UPDATE) or printed, and waited for.
//! 3. When every authoritative server has them, they sign and the old ones do not; a running
//!    server is told at once.
//! 4. The old records stay for as long as mail that was signed by them may still be read. A run after
//!    that revokes them (an empty `p=`, RFC 6376 §3.6.1) and deletes the old keys.
//!
//! Exit code 0: nothing is left to do now; 1: something is, which was said.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use repute_trust::records::{Purpose, Wanted};
use repute_types::{Clock as _, Domain, SystemClock, Timestamp};

use crate::cli::{Context, Exit};
use crate::commands::setup::publish::{self, Target};
use crate::commands::setup::spread;
use crate::commands::setup::survey::{self, Row};
use crate::config::{Config, value};
use crate::keys::{self, Age, Aged, Algorithm};
use crate::out::{self, Tone};

/// A message waits in our queue for five days at most and is read within a week after, by then also by
/// whoever verifies late.
const KEPT: Duration = Duration::from_secs(12 * 24 * 3600);

#[derive(clap::Args)]
pub struct Args {
    /// The domain whose keys are exchanged
    name: Domain,
    /// How long the record of an old key stays in DNS [default: 12d]
    #[arg(long, value_name = "TIME", value_parser = value::duration)]
    keep: Option<Duration>,
    #[command(flatten)]
    dns: publish::Args,
}

pub fn run(mut args: Args, config: &Config, context: &Context) -> anyhow::Result<Exit> {
    args.dns.quiet = context.json;
    args.dns.check()?;
    let Some(domain) = config.domains.iter().find(|d| d.name == args.name) else {
        anyhow::bail!("{} is not set up: repute domain add {} --write", args.name, args.name);
    };
    if domain.names_selectors {
        anyhow::bail!(
            "[[domain]] \"{}\" names its `selectors`, so only a person can exchange them: take the line out and all \
             keys of the domain's folder sign, the new ones in their time",
            args.name
        );
    }
    let folder = keys::folder(&config.state, &args.name);
    let mut rotation = Rotation::begin(&args, config, &folder)?;
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    runtime.block_on(rotation.in_dns(&args, config))?;
    rotation.exchange(&folder)?;
    super::set_right(config, &folder)?;
    let told = rotation.exchanged && tell_server(&config.state);
    match context.json {
        true => out::json(&rotation.json(&args.name, told)),
        false => rotation.tell(&args.name, told),
    }
    Ok(if rotation.is_done() { Exit::Done } else { Exit::Problem })
}

/// A rotation where it stands.
struct Rotation {
    made: Vec<String>,
    keys: Vec<Aged>,
    keep: Duration,
    rows: Vec<Row>,
    exchanged: bool,
    revoked: Vec<String>,
}

impl Rotation {
    /// New keys are made where no rotation is under way: none are coming, and none are leaving.
    fn begin(args: &Args, config: &Config, folder: &Path) -> anyhow::Result<Rotation> {
        let keep = args.keep.unwrap_or(KEPT);
        let there = keys::read_aged(folder)?;
        if there.iter().all(|aged| aged.age != Age::Signing) {
            anyhow::bail!("{} has no keys: repute domain add {}", args.name, args.name);
        }
        let mut made = Vec::new();
        if there.iter().all(|aged| aged.age == Age::Signing) {
            for algorithm in [Algorithm::Rsa, Algorithm::Ed25519] {
                let selector = keys::free_selector(folder, algorithm);
                keys::make_of(folder, algorithm, &selector, Age::Coming)?;
                made.push(selector);
            }
            super::set_right(config, folder)?;
        }
        let keys = keys::read_aged(folder)?;
        Ok(Rotation { made, keys, keep, rows: Vec::new(), exchanged: false, revoked: Vec::new() })
    }

    fn of(&self, age: Age) -> impl Iterator<Item = &Aged> {
        self.keys.iter().filter(move |aged| aged.age == age)
    }

    fn leaves_at(&self, aged: &Aged) -> Timestamp {
        aged.since + self.keep
    }

    /// Old keys whose time is over.
    fn left(&self) -> impl Iterator<Item = &Aged> {
        let now = SystemClock.now();
        self.of(Age::Leaving).filter(move |aged| self.leaves_at(aged) <= now)
    }

    /// The records of coming keys, and the empty ones of keys that have left.
    fn records(&self, name: &Domain) -> anyhow::Result<Vec<Wanted>> {
        let record = |aged: &Aged, text: String| {
            let name = Domain::parse(&aged.key.record_name(name)).context("the selector makes no name")?;
            Ok(Wanted { name, purpose: Purpose::Dkim(text) })
        };
        let coming = self.of(Age::Coming).map(|aged| record(aged, aged.key.record()));
        let left = self.left().map(|aged| record(aged, format!("v=DKIM1; k={}; p=", aged.key.algorithm().key_type())));
        coming.chain(left).collect()
    }

    async fn in_dns(&mut self, args: &Args, config: &Config) -> anyhow::Result<()> {
        let list = self.records(&args.name)?;
        if list.is_empty() {
            return Ok(());
        }
        let directory = args.dns.directory(config).await?;
        let target: Option<Target> = publish::target(&args.dns).await?;
        match &target {
            Some(target) => drop(publish::publish(target, &directory, &list, &args.dns).await?),
            None if args.dns.quiet => {}
            None => {
                out::line("Publish in DNS:\n");
                crate::commands::records::table_of_zone(&list);
            }
        }
        self.rows = spread::wait(&directory, &list, |_| true, args.dns.patience()?).await;
        Ok(())
    }

    fn is_right(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.wanted.name.as_str().starts_with(&format!("{name}.")) && row.is_right())
    }

    /// New keys sign before old ones stop: at no instant is there none.
    fn exchange(&mut self, folder: &Path) -> anyhow::Result<()> {
        let coming: Vec<String> = self.of(Age::Coming).map(|aged| aged.key.selector().to_owned()).collect();
        if !coming.is_empty() && coming.iter().all(|selector| self.is_right(selector)) {
            let old: Vec<String> = self.of(Age::Signing).map(|aged| aged.key.selector().to_owned()).collect();
            for selector in &coming {
                keys::come_of_age(folder, selector, Age::Coming, Age::Signing)?;
            }
            for selector in &old {
                keys::come_of_age(folder, selector, Age::Signing, Age::Leaving)?;
            }
            self.exchanged = true;
        }
        let left = self.left().map(|aged| aged.key.selector().to_owned());
        let revoked: Vec<String> = left.filter(|selector| self.is_right(selector)).collect();
        for selector in &revoked {
            keys::forget(folder, selector)?;
        }
        self.revoked = revoked;
        self.keys = keys::read_aged(folder)?;
        Ok(())
    }

    fn is_done(&self) -> bool {
        self.of(Age::Coming).next().is_none() && self.left().next().is_none()
    }

    fn json(&self, name: &Domain, told: bool) -> serde_json::Value {
        let selectors = |age| self.of(age).map(|aged| aged.key.selector()).collect::<Vec<_>>();
        let leaving = self.of(Age::Leaving).map(|aged| {
            serde_json::json!({ "selector": aged.key.selector(), "since": aged.since, "until": self.leaves_at(aged) })
        });
        serde_json::json!({
            "domain": name,
            "made": self.made,
            "coming": selectors(Age::Coming),
            "signing": selectors(Age::Signing),
            "leaving": leaving.collect::<Vec<_>>(),
            "exchanged": self.exchanged,
            "server_told": told,
            "revoked": self.revoked,
            "done": self.is_done(),
            "records": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }

    fn tell(&self, name: &Domain, told: bool) {
        if !self.rows.is_empty() {
            out::line("");
            survey::show(&self.rows);
            out::line("");
        }
        for selector in &self.revoked {
            out::line(&format!("{selector} is revoked, and its key is deleted"));
        }
        if self.exchanged {
            let signing: Vec<&str> = self.of(Age::Signing).map(|aged| aged.key.selector()).collect();
            let how =
                if told { "the server signs with them now" } else { "the server signs with them at its next start" };
            out::line(&out::tone(&format!("{name} has new keys, {}: {how}.", signing.join(" and ")), Tone::Good));
        }
        if self.of(Age::Coming).next().is_some() {
            let text = "Not yet: the new keys sign when every name server has their records. Run this again any time.";
            out::line(&out::tone(text, Tone::Warning));
        }
        let now = SystemClock.now();
        for aged in self.of(Age::Leaving) {
            let (selector, at) = (aged.key.selector(), self.leaves_at(aged));
            match at > now {
                true => out::line(&format!(
                    "{selector} signs no more; its record has to stay until {at} ({}): run this again then",
                    out::relative(at, now)
                )),
                false => out::line(&format!("{selector} has had its time: its record is to be emptied, as above")),
            }
        }
        if self.of(Age::Coming).next().is_none() && self.of(Age::Leaving).next().is_none() && !self.exchanged {
            out::line(&format!("the rotation of {name} is done"));
        }
    }
}

/// Tells a running server to read its keys again (SIGHUP, as `systemctl reload` does); whether one was told.
fn tell_server(state: &Path) -> bool {
    let Ok(Some(socket)) = crate::control::client::connect(state) else { return false };
    let Ok(peer) = nix::sys::socket::getsockopt(&socket, nix::sys::socket::sockopt::PeerCredentials) else {
        return false;
    };
    let pid = nix::unistd::Pid::from_raw(peer.pid());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGHUP).is_ok()
}
