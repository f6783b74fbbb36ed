//! From two files to a campaign: the whole list is checked, what is refused is written down with
//! the reason, the sender is asked, and the list goes to the server in batches.
//!
//! Steps: preview, or: check row by row (syntax, twice, office mailboxes, fields, suppressed), check
//! domains, tell, ask, load, launch, watch. A load that was broken off goes on where it ended, when the
//! same command is given again.

use std::collections::BTreeSet;
use std::io::{BufRead as _, IsTerminal as _};
use std::path::Path;

use anyhow::{Context as _, bail};
use repute_engine::bulk::words::{Add, Added, Begin, Begun, Row, WhyNot};
use serde::Deserialize;

use super::check::{Found, Refused, check, tell, write_refused};
use super::people::People;
use super::preview::preview;
use super::{BATCH, Send, needed, spinner, watch};
use crate::cli::{Context, Ended, Exit};
use crate::config::Config;
use crate::control::client::Talk;
use crate::control::wire::Request;
use crate::out;

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
    let refused: BTreeSet<u32> = found.refused.iter().filter(ours).map(|refused| refused.place.row).collect();
    let bar = spinner("loading");
    let mut people = People::open(list)?;
    let (mut number, mut next, mut batch) = (0u32, begun.next_row, Vec::new());
    while let Some(read) = people.next()? {
        if number >= next {
            let row = read.row.ok().filter(|_| !refused.contains(&number));
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
