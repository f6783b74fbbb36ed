//! `repute setup`: from nothing to mail that may leave.
//!
//! Steps: answers (flags, configuration, proposals, questions); the configuration; keys;
//! the records, published after the difference was shown and agreed to, or printed; what only
//! the hoster can do; the wait while DNS spreads; the check; when the first mail may leave, or with `--to`
//! the first mail itself.
//!
//! Promise: running it again changes nothing that is right. Exit code 0: all records are right, and the first
//! message was delivered, if one was asked for; 1: something is left to do, which was said; 2: an answer is missing or wrong.

mod answers;
mod first;
mod found;
mod hoster;
pub mod publish;
pub mod spread;
pub mod survey;
mod write;

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::CommandFactory as _;
use repute_trust::records::{self, State, Wanted, Who};
use repute_types::{Address, Clock as _, Domain, SystemClock, Timestamp};

use self::survey::Row;
use crate::cli::{Cli, Context, Exit};
use crate::config::{self, Config, Files};
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    /// What this server is called in DNS, such as mail.example.com
    #[arg(long)]
    hostname: Option<Domain>,
    /// The domain to send as; may be given several times
    #[arg(long = "domain", value_name = "DOMAIN")]
    domains: Vec<Domain>,
    /// The address mail leaves from; once for IPv4 and once for IPv6, or more
    #[arg(long = "address", value_name = "IP")]
    addresses: Vec<IpAddr>,
    #[command(flatten)]
    dns: publish::Args,
    /// Let bounces go to the sender's own address, not to bounces.DOMAIN and this server
    #[arg(long)]
    no_return_path: bool,
    /// Add the MTA-STS record, once https://mta-sts.RETURN_PATH/.well-known/mta-sts.txt serves the policy
    #[arg(long)]
    mta_sts: bool,
    /// The host that is to take the mail of a domain that has no MX yet; one that is there stays
    #[arg(long, value_name = "HOST")]
    mx: Option<Domain>,
    /// Where all is right, send the first message there and say what becomes of it
    #[arg(long, value_name = "ADDRESS")]
    to: Option<Address>,
    /// Whose address it is, if that is not seen from its name
    #[arg(long, value_name = "NAME")]
    hoster: Option<String>,
}

pub fn run(mut args: Args, context: &Context) -> anyhow::Result<Exit> {
    args.dns.quiet = context.json;
    args.dns.check()?;
    let patience = args.dns.patience()?;
    let file = write::place(context.config.as_deref());
    let old = write::read(&file)?;
    let answers = answers::gather(&args, old.as_ref())?;
    let written = write::write(&file, old.as_ref(), &answers, &args)?;
    let config = config::load(&file, Files::Ignore)?;
    let made = make_keys(&config)?;
    let setup = super::records::of(&config, None)?;
    let mut list = records::wanted(&setup);
    if args.mta_sts {
        list.extend(records::mta_sts(&setup));
    }
    if let Some(host) = &args.mx {
        list.extend(records::first_mx(&setup, host));
    }
    if !args.dns.quiet {
        tell_local(&config, &written, &made);
    }
    let runtime = tokio::runtime::Runtime::new().context("the runtime cannot be started")?;
    let end = runtime.block_on(in_dns(&config, &list, patience, &args))?;
    if args.dns.quiet {
        return end_in_json(&end, &config, &written, &made, args.to.as_ref());
    }
    tell_records(&end);
    if !end.all_right() {
        tell_what_is_left(&end);
        return Ok(Exit::Problem);
    }
    // It runs while the check looks, too: what it answers itself is looked at.
    let server = args.to.is_some().then(|| first::Server::find_or_start(&config)).transpose()?;
    let checked = if checks_are_there() { run_check(&config)? } else { Checked::Good };
    tell_first_mail(&end, checked);
    let mut good = checked == Checked::Good;
    if let (Some(to), true) = (&args.to, checked != Checked::Failures) {
        let became = first::send(&config, to)?;
        became.tell(to);
        good &= became.is_delivered();
    }
    drop(server);
    out::line("Next: `repute account add NAME --write` for whoever sends, then `repute serve`.");
    Ok(if good { Exit::Done } else { Exit::Problem })
}

/// For programs, which run the check by themselves.
fn end_in_json(
    end: &End,
    config: &Config,
    written: &[String],
    made: &[String],
    to: Option<&Address>,
) -> anyhow::Result<Exit> {
    let mut value = end.json(config, written, made);
    let mut good = end.all_right();
    if let (Some(to), true) = (to, good) {
        let server = first::Server::find_or_start(config)?;
        let became = first::send(config, to)?;
        drop(server);
        value["first_message"] = became.json();
        good = became.is_delivered();
    }
    out::json(&value);
    Ok(if good { Exit::Done } else { Exit::Problem })
}

/// Keys of every domain that is to be signed, as `domain add` makes them.
fn make_keys(config: &Config) -> anyhow::Result<Vec<String>> {
    let mut made = Vec::new();
    for domain in config.domains.iter().filter(|d| !d.danger_unsigned) {
        let new = super::domain::prepare(config, &domain.name)?;
        made.extend(new.iter().map(|selector| format!("{selector}._domainkey.{}", domain.name)));
    }
    Ok(made)
}

fn tell_local(config: &Config, written: &[String], made: &[String]) {
    let file = config.file.display();
    match written.is_empty() {
        true => out::line(&format!("{file} is right as it is")),
        false => out::line(&format!("{file}: written {}", written.join(", "))),
    }
    match made.is_empty() {
        true => out::line("every domain has its keys"),
        false => out::line(&format!("new keys: {}", made.join(", "))),
    }
    for address in config.egresses.iter().flat_map(|e| e.addresses()) {
        if !found::is_here(address) {
            let warning = format!("{address} is not an address of this machine: mail cannot leave from it here");
            out::line(&out::tone(&warning, Tone::Warning));
        }
    }
}

/// How it ended.
struct End {
    rows: Vec<Row>,
    changed: usize,
    /// By then nobody remembers what stood there before.
    remembered_until: Option<Timestamp>,
    advice: Vec<String>,
    /// Sending domains whose mail nobody takes.
    without_mx: Vec<Domain>,
}

/// Publishes or prints, then waits and looks.
async fn in_dns(config: &Config, list: &[Wanted], patience: Duration, args: &Args) -> anyhow::Result<End> {
    let directory = args.dns.directory(config).await?;
    let target = publish::target(&args.dns).await?;
    let mut done = publish::Done::default();
    if let Some(target) = &target {
        done = publish::publish(target, &directory, list, &args.dns).await?;
        if !args.dns.quiet {
            match done.changed {
                0 => out::line("nothing was changed in DNS"),
                n => out::line(&format!("{n} record sets changed at {}", target.to)),
            }
        }
    } else if !args.dns.quiet {
        out::line("\nPublish in DNS:\n");
        super::records::table(list);
    }
    let remembered_until = (done.changed > 0).then(|| SystemClock.now() + done.remembered);
    // Without publishing a person is waited for, who can do all of it; else only what was in reach.
    let in_reach = |wanted: &Wanted| target.is_none() || !done.elsewhere.contains(&wanted.name);
    let rows = spread::wait(&directory, list, in_reach, patience).await;
    let hoster = hoster::recognise(&directory, &rows, args.hoster.as_deref()).await;
    let advice = hoster::advice(&rows, hoster);
    let names: Vec<Domain> = config.domains.iter().map(|domain| domain.name.clone()).collect();
    let without_mx = survey::without_mx(&directory, &names).await;
    Ok(End { rows, changed: done.changed, remembered_until, advice, without_mx })
}

impl End {
    fn all_right(&self) -> bool {
        self.rows.iter().all(Row::is_right)
    }

    fn json(&self, config: &Config, written: &[String], made: &[String]) -> serde_json::Value {
        serde_json::json!({
            "config": config.file,
            "written": written,
            "keys_made": made,
            "changed": self.changed,
            "ready": self.all_right(),
            "remembered_until": self.remembered_until,
            "hoster": self.advice,
            "without_mx": self.without_mx,
            "records": self.rows.iter().map(Row::json).collect::<Vec<_>>(),
        })
    }
}

fn tell_records(end: &End) {
    out::line("");
    survey::show(&end.rows);
    hoster::tell(&end.advice);
    for domain in &end.without_mx {
        let text = format!(
            "{domain} has no MX record: answers to its mail are lost, and receivers distrust it. Say which host takes its \
             mail, and run this again: --mx HOST"
        );
        out::line(&out::tone(&text, Tone::Warning));
    }
    out::line("");
}

fn tell_what_is_left(end: &End) {
    if end.rows.iter().all(|row| row.verdict.state == State::Unknown) {
        out::line(&out::tone("Not known yet: DNS could not be asked. Run this again any time.", Tone::Warning));
        return;
    }
    let by = |who: Who| end.rows.iter().filter(|row| !row.is_right() && row.wanted.who() == who).count();
    let text = format!(
        "Not yet: {} to publish or to wait for, {} to ask of the hoster. Run this again any time: it changes nothing that \
         is right.",
        by(Who::Zone),
        by(Who::Hoster)
    );
    out::line(&out::tone(&text, Tone::Warning));
}

fn tell_first_mail(end: &End, checked: Checked) {
    let now = SystemClock.now();
    match (checked, end.remembered_until.filter(|at| *at > now)) {
        (Checked::Failures, _) => {
            let text =
                "\nThe records are right, and the check found something else: put that right before the first mail.";
            out::line(&out::tone(text, Tone::Warning));
        }
        (Checked::Unknown, _) => {
            let text = "\nThe records are right; what could not be found out is above: `repute check` looks again.";
            out::line(&out::tone(text, Tone::Warning));
        }
        (Checked::Good, None) => out::line(&out::tone("\nThe first mail may leave now.", Tone::Good)),
        (Checked::Good, Some(at)) => {
            let text = format!(
                "\nThe first mail may leave now. Until {at} ({}) a receiver that asked before may still remember what stood \
                 in DNS then.",
                out::relative(at, now)
            );
            out::line(&out::tone(&text, Tone::Good));
        }
    }
}

/// Whether this program can check itself.
fn checks_are_there() -> bool {
    Cli::command().find_subcommand("check").is_some()
}

/// What the check came to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Checked {
    /// Nothing that keeps mail from leaving; warnings at most.
    Good,
    Failures,
    Unknown,
}

/// The check as a person would run it: 0 and 1 (warnings) are good, 2 are failures.
fn run_check(config: &Config) -> anyhow::Result<Checked> {
    let program = std::env::current_exe().context("this program's own file is not known")?;
    let status = std::process::Command::new(program).arg("--config").arg(&config.file).arg("check").status();
    Ok(match status.context("the check cannot be run")?.code() {
        Some(0 | 1) => Checked::Good,
        Some(2) => Checked::Failures,
        _ => Checked::Unknown,
    })
}
