//! From two files to a campaign: the whole list is checked, what is refused is written down with
//! the reason, the sender is asked, and the list goes to the server in batches.
//!
//! Steps: preview, or: check row by row (syntax, twice, office mailboxes, fields, suppressed), check
//! domains, tell, ask, load, launch, watch. A load that was broken off goes on where it ended, when the
//! same command is given again.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{BufRead as _, IsTerminal as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use indicatif::ProgressBar;
use repute_engine::bulk::words::{Add, Added, Begin, Begun, Preview, Refused, Row, WhyNot};
use repute_engine::bulk::{CheckAddresses, DomainTakes, Takes};
use repute_message::merge::{FormLetter, Given};
use repute_types::{Address, Content, Domain};
use serde::Deserialize;

use super::people::People;
use super::{Send, needed, watch};
use crate::cli::{Context, Ended, Exit};
use crate::config::Config;
use crate::control::client::Talk;
use crate::control::wire::Request;
use crate::out;

/// Rows or domains in one question.
const BATCH: usize = 1_000;

pub fn run(args: Send, config: &Config, context: &Context) -> anyhow::Result<Exit> {
    let list = needed(args.list.clone(), "list")?;
    let letter = needed(args.letter.clone(), "letter")?;
    let text = std::fs::read(&letter).with_context(|| letter.display().to_string())?;
    let text = String::from_utf8(text)
        .map_err(|_| Ended::usage(format!("{} is not in UTF-8: save the letter as UTF-8", letter.display())))?;
    let people = People::open(&list)?;
    let begin = Begin {
        account: needed(args.account.clone(), "account")?,
        campaign: args.campaign.clone().unwrap_or_else(|| stem(&letter)),
        list: Some(args.list_name.clone().unwrap_or_else(|| stem(&list))),
        letter: text,
        fields: people.fields().to_vec(),
        tags: Vec::new(),
    };
    let mut server = Talk::with_server(&config.state)?;
    if let Some(count) = args.preview {
        return preview(&mut server, begin, people, count, &args, context);
    }
    let may_begin = server.ask(&Request::BulkMayBeginV1(begin.clone()));
    if let (Err(refusal), false) = (&may_begin, args.check) {
        bail!("{refusal}");
    }
    let mut found = check(&mut server, &begin, people, &args)?;
    found.refusal = may_begin.err().map(|refusal| refusal.to_string());
    let file = args.refused.clone().unwrap_or_else(|| list.with_extension("refused.csv"));
    if !found.refused.is_empty() {
        write_refused(&file, &found.refused)?;
    }
    if !context.json {
        tell(&found, &file);
    }
    if args.check || found.good == 0 {
        if context.json {
            out::json(&found.to_json(&file));
        }
        return Ok(if found.good == 0 || found.refusal.is_some() { Exit::Problem } else { Exit::Done });
    }
    if !args.yes && !agreed(&begin, found.good)? {
        return Ok(Exit::Problem);
    }
    let campaign = format!("{}/{}", begin.account, begin.campaign);
    let loaded = load(&mut server, &begin, &list, &found);
    loaded.map_err(|error| {
        Ended::going_on(error, || "Nothing is sent yet: the same command goes on with the list".into())
    })?;
    let launched = server.ask(&Request::BulkLaunchV1 { campaign: campaign.clone() });
    let launched = launched.map_err(|error| {
        Ended::going_on(error, || format!("`repute bulk show {campaign}` says whether it was launched"))
    })?;
    if args.no_watch {
        match context.json {
            true => out::json(&launched),
            false => out::line(&format!("launched; `repute bulk watch {}` shows how far it is", begin.campaign)),
        }
        return Ok(Exit::Done);
    }
    if !context.json {
        out::line(&format!("launched; Ctrl-C leaves it running, `repute bulk pause {}` holds it", begin.campaign));
    }
    watch::run(&mut server, &campaign, context)
}

/// The file's name as a campaign's or a list's.
fn stem(path: &Path) -> String {
    let stem = path.file_stem().map(|s| s.to_string_lossy().into_owned()).unwrap_or_default();
    let good = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' };
    stem.chars().map(good).take(64).collect()
}

fn preview(
    server: &mut Talk,
    begin: Begin,
    mut people: People,
    count: usize,
    args: &Send,
    context: &Context,
) -> anyhow::Result<Exit> {
    let form = form_of(&begin, args)?;
    let (mut number, mut rows, mut seen) = (0, Vec::new(), HashSet::new());
    while rows.len() < count.min(100) {
        let Some(read) = people.next()? else { break };
        let judged = read.map_err(|text| (String::new(), WhyNot::Syntax, text));
        match judged.and_then(|row| judge(&form, row.clone(), &mut seen).map(|_| row)) {
            Ok(row) => rows.push(row),
            Err(_) if context.json => {}
            Err((email, _, text)) => out::error(&format!("row {}, {email}: {text}\n", as_counted(number))),
        }
        number += 1;
    }
    if rows.is_empty() {
        return Ok(Exit::Problem);
    }
    let answer = server.ask(&Request::BulkPreviewV1 { begin, rows })?;
    if context.json {
        out::json(&answer);
        return Ok(Exit::Done);
    }
    for preview in Vec::<Preview>::deserialize(&answer)? {
        out::line(&out::tone(&format!("──── {}", preview.email), out::Tone::Strong));
        out::print(&preview.message.replace("\r\n", "\n"));
    }
    Ok(Exit::Done)
}

/// What the check found.
struct Found {
    rows: u32,
    good: u32,
    refused: Vec<Refused>,
    /// Domains of which it could not be found out.
    unknown: usize,
    shows_link: bool,
    /// Why the server would not begin the campaign, whatever the list is.
    refusal: Option<String>,
}

impl Found {
    fn count(&self) -> BTreeMap<WhyNot, usize> {
        let mut counts = BTreeMap::new();
        for refused in &self.refused {
            *counts.entry(refused.why).or_default() += 1;
        }
        counts
    }

    fn to_json(&self, file: &Path) -> serde_json::Value {
        let counts: serde_json::Map<_, _> =
            self.count().into_iter().map(|(why, n)| (why.as_str().to_owned(), n.into())).collect();
        serde_json::json!({
            "rows": self.rows, "good": self.good, "refused": counts, "unknown_domains": self.unknown,
            "refusal": self.refusal,
            "refused_file": (!self.refused.is_empty()).then(|| file.display().to_string()),
        })
    }
}

fn form_of(begin: &Begin, args: &Send) -> anyhow::Result<FormLetter> {
    let letter = begin.letter.replace("\r\n", "\n").replace('\n', "\r\n");
    FormLetter::read(&Content::from(letter.into_bytes()), &begin.fields).map_err(|fault| {
        Ended::usage(format!("{}: {fault}", args.letter.as_ref().map(|l| l.display().to_string()).unwrap_or_default()))
    })
}

/// Goes through the list once; only what is refused stays in memory, and a hash of each address.
fn check(server: &mut Talk, begin: &Begin, mut people: People, args: &Send) -> anyhow::Result<Found> {
    let form = form_of(begin, args)?;
    let bar = spinner("checking the list");
    let shows_link = form.shows_unsubscribe_url();
    let mut found = Found { rows: 0, good: 0, refused: Vec::new(), unknown: 0, shows_link, refusal: None };
    let (mut seen, mut batch) = (HashSet::new(), Vec::new());
    let mut domains: HashMap<Domain, Vec<(u32, String)>> = HashMap::new();
    while let Some(read) = people.next()? {
        let number = found.rows;
        found.rows += 1;
        match read.map_err(|text| (String::new(), WhyNot::Syntax, text)).and_then(|row| judge(&form, row, &mut seen)) {
            Ok(address) => batch.push((number, address)),
            Err((email, why, text)) => found.refused.push(Refused { row: number, email, why, text }),
        }
        if batch.len() == BATCH {
            ask_about(server, begin, args, &mut batch, &mut domains, &mut found.refused)?;
            bar.set_message(format!("{} rows checked", found.rows));
        }
    }
    ask_about(server, begin, args, &mut batch, &mut domains, &mut found.refused)?;
    if !args.no_dns {
        ask_domains(server, domains, &mut found, &bar)?;
    }
    bar.finish_and_clear();
    found.refused.sort_by_key(|refused| refused.row);
    found.good = found.rows - found.refused.len() as u32;
    Ok(found)
}

/// What can be said of a row without asking anybody.
fn judge(form: &FormLetter, row: Row, seen: &mut HashSet<u64>) -> Result<Address, (String, WhyNot, String)> {
    let refused = |why: WhyNot, text: String| (row.email.clone(), why, text);
    let address = Address::parse(row.email.trim()).map_err(|error| refused(WhyNot::Syntax, error.to_string()))?;
    let mut hasher = DefaultHasher::new();
    repute_ledger::suppression::spelling(&address).hash(&mut hasher);
    if !seen.insert(hasher.finish()) {
        return Err(refused(WhyNot::Duplicate, "this address was on the list before".into()));
    }
    let given = Given { email: &address, values: &row.values, unsubscribe_url: "https://unsubscribe.example/" };
    form.merge(&given).map_err(|fault| refused(WhyNot::Field, fault.to_string()))?;
    Ok(address)
}

/// Asks the server about a batch of addresses; the good ones wait for what is said of their domains.
fn ask_about(
    server: &mut Talk,
    begin: &Begin,
    args: &Send,
    batch: &mut Vec<(u32, Address)>,
    domains: &mut HashMap<Domain, Vec<(u32, String)>>,
    refused: &mut Vec<Refused>,
) -> anyhow::Result<()> {
    if batch.is_empty() {
        return Ok(());
    }
    let emails = batch.iter().map(|(_, address)| address.to_string()).collect();
    let question = CheckAddresses { account: begin.account.clone(), list: begin.list.clone(), emails };
    let answer = Vec::<Refused>::deserialize(server.ask(&Request::BulkCheckAddressesV1(question))?)?;
    let bad: HashMap<u32, Refused> =
        answer.into_iter().filter(|r| r.why != WhyNot::Role || !args.allow_roles).map(|r| (r.row, r)).collect();
    for (place, (number, address)) in (0u32..).zip(batch.drain(..)) {
        match bad.get(&place) {
            Some(found) => refused.push(Refused { row: number, ..found.clone() }),
            None if args.no_dns => {}
            None => domains.entry(address.domain().clone()).or_default().push((number, address.local().to_owned())),
        }
    }
    Ok(())
}

fn ask_domains(
    server: &mut Talk,
    domains: HashMap<Domain, Vec<(u32, String)>>,
    found: &mut Found,
    bar: &ProgressBar,
) -> anyhow::Result<()> {
    let names: Vec<Domain> = domains.keys().cloned().collect();
    for (n, some) in names.chunks(100).enumerate() {
        bar.set_message(format!("{} of {} domains asked for", n * 100, names.len()));
        let answer = server.ask(&Request::BulkCheckDomainsV1 { domains: some.to_vec() })?;
        for DomainTakes { domain, takes, text } in Vec::<DomainTakes>::deserialize(answer)? {
            let who = domains.get(&domain).map(Vec::as_slice).unwrap_or_default();
            match takes {
                Takes::Mail => {}
                Takes::Unknown => found.unknown += 1,
                Takes::Nothing => found.refused.extend(who.iter().map(|(row, local)| Refused {
                    row: *row,
                    email: format!("{local}@{domain}"),
                    why: WhyNot::Domain,
                    text: text.clone(),
                })),
            }
        }
    }
    Ok(())
}

/// The number of a row as a spreadsheet counts: from 1, and the first row is the names.
fn as_counted(row: u32) -> u32 {
    row + 2
}

fn write_refused(file: &PathBuf, refused: &[Refused]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(file).with_context(|| file.display().to_string())?;
    writer.write_record(["row", "email", "why", "text"])?;
    for Refused { row, email, why, text } in refused {
        writer.write_record([as_counted(*row).to_string().as_str(), email, why.as_str(), text])?;
    }
    writer.flush()?;
    Ok(())
}

fn tell(found: &Found, file: &Path) {
    let meaning = |why: WhyNot| match why {
        WhyNot::Syntax => "no address, or a row that cannot be read",
        WhyNot::Duplicate => "on the list before",
        WhyNot::Suppressed => "suppressed: they left, complained, or do not exist",
        WhyNot::Role => "mailboxes of offices (--allow-roles writes to them)",
        WhyNot::Domain => "domains that take no mail",
        WhyNot::Field => "a field that the letter needs is empty",
    };
    let mut rows = vec![vec![found.good.to_string(), "to be written to".to_owned()]];
    rows.extend(found.count().into_iter().map(|(why, n)| vec![n.to_string(), meaning(why).to_owned()]));
    out::print(&out::table(&["ROWS", ""], &rows));
    if !found.refused.is_empty() {
        out::line(&format!("refused rows, with the reasons: {}", file.display()));
    }
    if found.unknown > 0 {
        out::line(&format!("{} domain(s) could not be asked about; they are written to", found.unknown));
    }
    let bad = found.refused.iter().filter(|r| matches!(r.why, WhyNot::Syntax | WhyNot::Domain)).count();
    if bad * 20 > found.rows as usize {
        out::line(&out::tone(
            "one row in twenty or more cannot exist: receivers take this for a bad list",
            out::Tone::Warning,
        ));
    }
    if !found.shows_link {
        out::line("the letter shows nobody how to leave: write {{ unsubscribe_url }} into it");
    }
    if let Some(refusal) = &found.refusal {
        out::line(&out::tone(&format!("it would be refused: {}", out::plain(refusal)), out::Tone::Bad));
    }
}

fn agreed(begin: &Begin, count: u32) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        return Err(Ended::usage("say --yes to send without being asked"));
    }
    out::print(&format!("Send {} to {count} people as {}? [y/N] ", begin.campaign, begin.account));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// Sends the list to the server, from where it has come to. A row's number is its place in the file,
/// so that what was judged otherwise before a break moves no other row; what only we refuse is
/// sent as an empty row.
fn load(server: &mut Talk, begin: &Begin, list: &Path, found: &Found) -> anyhow::Result<()> {
    let begun = Begun::deserialize(server.ask(&Request::BulkBeginV1(begin.clone()))?)?;
    let ours = |refused: &&Refused| matches!(refused.why, WhyNot::Role | WhyNot::Domain);
    let refused: BTreeSet<u32> = found.refused.iter().filter(ours).map(|refused| refused.row).collect();
    let bar = spinner("loading");
    let mut people = People::open(list)?;
    let (mut number, mut next, mut batch) = (0u32, begun.next_row, Vec::new());
    while let Some(read) = people.next()? {
        if number >= next {
            let row = read.ok().filter(|_| !refused.contains(&number));
            batch.push(row.unwrap_or_else(|| Row { email: String::new(), values: Vec::new() }));
        }
        number += 1;
        if batch.len() == BATCH {
            next = add(server, &begun, next, &mut batch)?;
            bar.set_message(format!("{next} of {} loaded", found.rows));
        }
    }
    add(server, &begun, next, &mut batch)?;
    bar.finish_and_clear();
    Ok(())
}

fn add(server: &mut Talk, begun: &Begun, first_row: u32, batch: &mut Vec<Row>) -> anyhow::Result<u32> {
    if batch.is_empty() {
        return Ok(first_row);
    }
    let add = Add { id: begun.id, first_row, rows: std::mem::take(batch) };
    // What is refused now came to be so since the check; the campaign counts it.
    let added = Added::deserialize(server.ask(&Request::BulkAddV1(add))?)?;
    Ok(added.next_row)
}

fn spinner(message: &'static str) -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    bar.set_message(message);
    bar.enable_steady_tick(std::time::Duration::from_millis(200));
    bar
}
