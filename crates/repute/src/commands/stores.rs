//! `queue list|show`, `why` and `suppression list` where no server runs: the spool, the history and
//! the suppression list are opened here for the moment of the question.

use repute_engine::control::suppression::SuppressionList;
use repute_engine::control::{self, About, QueueList, QueueRow, Selector, Why};
use repute_ledger::suppression::Query;
use repute_ledger::{Questions, Suppressions};
use repute_spool::{SqliteSpool, sqlite};
use repute_types::{Clock as _, SystemClock};

use crate::config::Config;
use crate::state;

/// What `repute queue list` shows.
pub fn list(config: &Config, selector: &Selector, limit: usize) -> anyhow::Result<serde_json::Value> {
    let mut rows = rows(config, selector, limit.saturating_add(1))?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    Ok(serde_json::to_value(QueueList { rows, more })?)
}

/// What `repute why` shows.
pub fn why(config: &Config, about: &str, limit: usize) -> anyhow::Result<serde_json::Value> {
    let about = About::parse(about)?;
    let history = state::history(&config.state);
    let steps = match history.exists() {
        true => about.steps(&Questions::open(&history)?, limit)?,
        false => Vec::new(),
    };
    let queued = match about.selector() {
        Some(selector) => rows(config, &selector, limit)?,
        None => Vec::new(),
    };
    Ok(serde_json::to_value(Why { steps, queued, behind: false })?)
}

/// What `repute suppression list` shows.
pub fn suppressions(config: &Config, query: Query) -> anyhow::Result<serde_json::Value> {
    let path = state::suppression(&config.state);
    if !path.exists() {
        return Ok(serde_json::to_value(SuppressionList { entries: Vec::new(), more: false })?);
    }
    let list = Suppressions::open(&path)?;
    Ok(serde_json::to_value(runtime()?.block_on(control::suppression::page(&list, query, SystemClock.now()))?)?)
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}

fn rows(config: &Config, selector: &Selector, limit: usize) -> anyhow::Result<Vec<QueueRow>> {
    let folder = state::spool(&config.state);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let spool = SqliteSpool::open(&folder, sqlite::Options::default())?;
    let now = SystemClock.now();
    let found = runtime()?.block_on(control::select(&spool, selector, limit, now))?;
    Ok(found.into_iter().map(|(meta, part)| control::row(&meta, part, None, None, now)).collect())
}
