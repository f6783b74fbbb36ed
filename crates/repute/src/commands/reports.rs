//! `repute reports`: what receivers report about mail in our name (DMARC, RFC 9990; TLS, RFC 8460), and what a
//! report, notice or complaint in a file says.
//!
//! Works without a running server: the store is its own file. Exit code 1 where nothing is known or what is read
//! is no report.

use std::path::PathBuf;
use std::time::Duration;

use repute_ledger::{ReportDetail, ReportSummary, Reports, Source};
use repute_types::{Clock as _, SystemClock};

use crate::cli::{Context, Ended, Exit};
use crate::config::Files;
use crate::{out, state};

mod read;

#[derive(clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand)]
enum Command {
    /// The reports that came, newest first
    List {
        /// Only about this domain
        #[arg(long)]
        domain: Option<String>,
        /// At most so many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// One report with all it says
    Show {
        /// Its number in `reports list`
        #[arg(value_parser = number)]
        id: i64,
    },
    /// Who sends in our name, what passes, and how that changed
    Sources {
        /// Only mail of this domain
        #[arg(long)]
        domain: Option<String>,
        /// What came in so many days, compared with as many before them
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=400))]
        days: u32,
    },
    /// Say what a file is: a report, packed or not, or a message that came back
    Read {
        /// The file; `-` reads standard input
        file: PathBuf,
    },
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    match args.command {
        Command::Read { file } => read::run(&file, context),
        Command::List { domain, limit } => {
            let Some(store) = store(context)? else { return nothing(context, serde_json::json!({"reports": []})) };
            let found = store.list(lower(domain).as_deref(), limit)?;
            if found.is_empty() || context.json {
                return told(context, found.is_empty(), serde_json::json!({ "reports": found }));
            }
            out::print(&list(&found));
            Ok(Exit::Done)
        }
        Command::Show { id } => {
            let found = store(context)?.map(|store| store.show(id)).transpose()?.flatten();
            let found =
                found.ok_or_else(|| Ended::usage(format!("there is no report {id}: see `repute reports list`")))?;
            match context.json {
                true => out::json(&serde_json::to_value(&found)?),
                false => out::print(&show(&found)),
            }
            Ok(Exit::Done)
        }
        Command::Sources { domain, days } => {
            let Some(store) = store(context)? else { return nothing(context, serde_json::json!({"sources": []})) };
            let span = Duration::from_secs(u64::from(days) * 24 * 3600);
            let found = store.sources(lower(domain).as_deref(), span, SystemClock.now())?;
            if found.is_empty() || context.json {
                return told(context, found.is_empty(), serde_json::json!({ "days": days, "sources": found }));
            }
            out::print(&sources(&found));
            Ok(Exit::Done)
        }
    }
}

fn number(text: &str) -> Result<i64, String> {
    text.parse()
        .map_err(|_| "a report is shown by its number: `repute reports list` has them in its first column".to_owned())
}

/// `None` where no report ever came.
fn store(context: &Context) -> anyhow::Result<Option<Reports>> {
    let file = state::reports(&context.load(Files::Ignore)?.state);
    if !file.exists() {
        return Ok(None);
    }
    Ok(Some(Reports::open_reader(&file)?))
}

fn lower(domain: Option<String>) -> Option<String> {
    domain.map(|domain| domain.trim_end_matches('.').to_ascii_lowercase())
}

fn nothing(context: &Context, answer: serde_json::Value) -> anyhow::Result<Exit> {
    told(context, true, answer)
}

fn told(context: &Context, is_empty: bool, answer: serde_json::Value) -> anyhow::Result<Exit> {
    if context.json {
        out::json(&answer);
    } else if is_empty {
        out::line("no report came: is `rua=mailto:` in the DMARC record an address that Repute receives?");
    }
    Ok(if is_empty { Exit::Problem } else { Exit::Done })
}

fn list(reports: &[ReportSummary]) -> String {
    let now = SystemClock.now();
    let row = |r: &ReportSummary| {
        let cells = [r.id.to_string(), out::relative(r.at, now), r.kind.clone(), r.domain.clone(), r.good.to_string()];
        cells.into_iter().chain([r.bad.to_string(), r.reporter.clone()]).map(|cell| out::plain(&cell)).collect()
    };
    let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
    out::table(&["id", "came", "kind", "domain", "passed", "failed", "reporter"], &rows)
}

fn show(report: &ReportDetail) -> String {
    let s = &report.summary;
    let plain = |text: &str| out::plain(text);
    let mut text = format!(
        "{} report {} of {} about {}: {} passed, {} failed\npolicy {}, span {}\n\n",
        s.kind,
        plain(&s.name),
        plain(&s.reporter),
        plain(&s.domain),
        s.good,
        s.bad,
        plain(&s.policy),
        plain(&s.span),
    );
    let word = |passes: bool| if passes { "pass" } else { "fail" }.to_owned();
    let rows: Vec<Vec<String>> = report
        .records
        .iter()
        .map(|r| {
            let what = [plain(&r.disposition), plain(&r.header_from), plain(&r.signers), plain(&r.spf_seen)];
            let counted = [plain(&r.source), r.count.to_string(), word(r.dkim), word(r.spf)];
            counted.into_iter().chain(what).collect()
        })
        .collect();
    if !rows.is_empty() {
        text += &out::table(&["source", "count", "dkim", "spf", "done", "from", "signed by", "spf of"], &rows);
    }
    let failures = report.failures.iter();
    let rows: Vec<Vec<String>> = failures
        .map(|f| vec![plain(&f.result), f.count.to_string(), plain(&f.domain), plain(&f.host), plain(&f.source)])
        .collect();
    if !rows.is_empty() {
        text += &out::table(&["failure", "sessions", "domain", "host", "from address"], &rows);
    }
    text
}

fn sources(sources: &[Source]) -> String {
    let share = |passed: u64, count: u64| match count {
        0 => "-".to_owned(),
        count => format!("{:.0} %", 100.0 * passed as f64 / count as f64),
    };
    let row = |s: &Source| {
        let before = format!("{} / {}", s.count_before, share(s.passed_before, s.count_before));
        vec![
            out::plain(&s.source),
            out::plain(&s.header_from),
            s.count.to_string(),
            share(s.passed, s.count),
            s.dkim.to_string(),
            s.spf.to_string(),
            s.refused.to_string(),
            before,
        ]
    };
    let rows: Vec<Vec<String>> = sources.iter().map(row).collect();
    out::table(&["source", "from", "messages", "passed", "dkim", "spf", "refused", "before"], &rows)
}
