//! `repute records`: every DNS record that the configuration asks for, at any time.
//!
//! Reads the configuration and the keys; with `--diff` also DNS, at every authoritative server.
//! Exit code 0: printed, or all right; 1: something is not as it should be.

use std::net::SocketAddr;
use std::sync::Arc;

use clap::ValueEnum;
use repute_trust::dkim::SigningKey;
use repute_trust::records::{self, Purpose, Wanted, Who};
use repute_trust::setup::{Egress, Sending, Setup};
use repute_types::Domain;

use super::setup::survey::{self, Row};
use crate::cli::{Context, Exit};
use crate::config::{Config, Files, meant};
use crate::{keys, out};

#[derive(clap::Args)]
pub struct Args {
    /// The domain; all of the configuration without it
    domain: Option<Domain>,
    /// How they are printed; `--json` is `--format json`
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Compare with what every authoritative name server says
    #[arg(long)]
    diff: bool,
    /// A name server of the zone that listens on another port than 53
    #[arg(long, requires = "diff", value_name = "IP:PORT")]
    server: Option<SocketAddr>,
    /// Add the MTA-STS record, once https://mta-sts.RETURN_PATH/.well-known/mta-sts.txt serves the policy
    #[arg(long)]
    mta_sts: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// Lines for a zone file
    Zone,
    Json,
    /// Commands for nsupdate; with --diff those that make it right
    Nsupdate,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let config = context.load(Files::Ignore)?;
    let setup = of(&config, args.domain.as_ref())?;
    let mut list = records::wanted(&setup);
    if args.mta_sts {
        list.extend(records::mta_sts(&setup));
    }
    let format = if context.json { Format::Json } else { args.format };
    if args.diff {
        return diff(&config, &setup, &list, (format, args.server));
    }
    match format {
        Format::Table => table(&list),
        Format::Zone => out::print(&records::zone_file(&list)),
        Format::Json => out::json(&list.iter().map(|wanted| json(wanted, &wanted.fresh())).collect()),
        Format::Nsupdate => out::print(&records::nsupdate(&list, &names(&setup))),
    }
    if args.mta_sts && format == Format::Table {
        let policy = records::mta_sts_policy(&setup.hostname).replace("\r\n", "\n");
        out::print(&format!("\nThe MTA-STS policy to serve, each line ended by CR LF:\n\n{policy}"));
    }
    Ok(Exit::Done)
}

/// What records are made from, as the configuration and the keys have it.
pub fn of(config: &Config, only: Option<&Domain>) -> anyhow::Result<Setup> {
    if let Some(name) = only.filter(|name| config.domains.iter().all(|d| d.name != **name)) {
        anyhow::bail!("{name} is not set up: repute domain add {name} --write");
    }
    if config.egresses.is_empty() {
        anyhow::bail!(
            "the configuration names no address that mail leaves from: add an [[egress]], or run `repute setup`"
        );
    }
    let mut domains = Vec::new();
    for domain in config.domains.iter().filter(|d| only.is_none_or(|name| d.name == *name)) {
        // Also those that are coming or leaving: their records are ours, too.
        let stored = keys::read_aged(&keys::folder(&config.state, &domain.name))?;
        if stored.iter().all(|aged| aged.age != keys::Age::Signing) && !domain.danger_unsigned {
            anyhow::bail!("{} has no keys: repute domain add {}", domain.name, domain.name);
        }
        let keys = stored.into_iter().map(|aged| Arc::new(aged.key)).collect();
        domains.push(sending(config, domain, keys));
    }
    Ok(Setup { hostname: config.hostname.clone(), egresses: egresses(config), domains })
}

/// The addresses that the configuration names.
pub fn egresses(config: &Config) -> Vec<Egress> {
    let egress = |e: &meant::Egress| Egress {
        ehlo: e.ehlo.clone().unwrap_or_else(|| config.hostname.clone()),
        addresses: e.addresses().collect(),
    };
    config.egresses.iter().map(egress).collect()
}

pub fn sending(config: &Config, domain: &meant::SendingDomain, keys: Vec<Arc<SigningKey>>) -> Sending {
    let of_pool = || domain.leaves_from(&config.egresses).flat_map(|egress| egress.addresses()).collect();
    Sending {
        name: domain.name.clone(),
        return_path: domain.return_path.clone(),
        pool: domain.pool.is_some().then(of_pool),
        keys,
    }
}

pub fn names(setup: &Setup) -> Vec<Domain> {
    setup.domains.iter().map(|domain| domain.name.clone()).collect()
}

/// For people: what goes into the zone.
pub fn table_of_zone(list: &[Wanted]) {
    table_of(list, Who::Zone);
}

fn table_of(list: &[Wanted], who: Who) {
    let row = |wanted: &Wanted| {
        let cells = |data: records::Data| {
            vec![
                format!("{}.", wanted.name),
                data.kind().to_string(),
                purpose(&wanted.purpose).to_owned(),
                data.to_string(),
            ]
        };
        wanted.fresh().into_iter().map(cells).collect::<Vec<_>>()
    };
    let rows = list.iter().filter(|w| w.who() == who).flat_map(row).collect::<Vec<_>>();
    out::print(&out::table(&["NAME", "TYPE", "FOR", "VALUE"], &rows));
}

/// For people: what goes into the zone, then what only the hoster can do.
pub fn table(list: &[Wanted]) {
    table_of_zone(list);
    out::line("\nAn SPF record that stands there already is to be merged, not doubled: `--diff` shows how.");
    out::line("\nTo ask of the hoster, who owns the addresses:\n");
    table_of(list, Who::Hoster);
}

fn purpose(purpose: &Purpose) -> &'static str {
    purpose.as_str()
}

pub fn json(wanted: &Wanted, data: &[records::Data]) -> serde_json::Value {
    let value = |data: &records::Data| match data.joined() {
        Some(text) => String::from_utf8_lossy(&text).into_owned(),
        None => data.to_string(),
    };
    serde_json::json!({
        "name": wanted.name,
        "type": wanted.kind().as_str(),
        "purpose": wanted.purpose.as_str(),
        "who": match wanted.who() { Who::Zone => "zone", Who::Hoster => "hoster" },
        "ttl": records::TTL,
        "values": data.iter().map(value).collect::<Vec<_>>(),
        "zone_file": data.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}

fn diff(
    config: &Config,
    setup: &Setup,
    list: &[Wanted],
    (format, server): (Format, Option<SocketAddr>),
) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Runtime::new()?;
    let mut directory = survey::directory(config, &[]);
    if let Some(server) = server {
        directory = directory.with_server(server);
    }
    let rows = runtime.block_on(survey::survey(&directory, list));
    match format {
        Format::Json => out::json(&rows.iter().map(Row::json).collect()),
        Format::Nsupdate => {
            let changes: Vec<_> = rows.iter().map(|row| (row.wanted.clone(), row.verdict.clone())).collect();
            out::print(&records::nsupdate_changes(&changes, &names(setup)));
        }
        Format::Table | Format::Zone => survey::show(&rows),
    }
    Ok(if rows.iter().all(Row::is_right) { Exit::Done } else { Exit::Problem })
}
