//! `queue list|show` and `why` where no server runs: the spool and the history are opened
//! here for the moment of the question.

use repute_engine::control::{self, About, QueueList, QueueRow, Selector, Why};
use repute_ledger::Questions;
use repute_spool::{SqliteSpool, sqlite};
use repute_types::{Clock as _, SystemClock};

use crate::config::Config;
use crate::control::{history_file, spool_folder};

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
    let history = history_file(&config.state);
    let steps = match history.exists() {
        true => about.steps(&Questions::open(&history)?, limit)?,
        false => Vec::new(),
    };
    let queued = match about.selector() {
        Some(selector) => rows(config, &selector, limit)?,
        None => Vec::new(),
    };
    Ok(serde_json::to_value(Why { steps, queued })?)
}

fn rows(config: &Config, selector: &Selector, limit: usize) -> anyhow::Result<Vec<QueueRow>> {
    let folder = spool_folder(&config.state);
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let spool = SqliteSpool::open(&folder, sqlite::Options::default())?;
    let now = SystemClock.now();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let found = runtime.block_on(control::select(&spool, selector, limit, now))?;
    Ok(found.into_iter().map(|(meta, part)| control::row(&meta, part, None, now)).collect())
}
