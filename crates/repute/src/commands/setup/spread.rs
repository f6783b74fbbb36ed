//! Waiting while DNS spreads: every authoritative server is asked until all say the same and
//! the right thing, or until the time is up. What is already right is not asked again.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use repute_publish::Directory;
use repute_trust::records::Wanted;
use tokio::time::Instant;

use super::survey::{self, Row};
use crate::out;

/// Between two rounds: at first a transfer between name servers may take a second, later it is a
/// person at a web page who is waited for.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// The last state of every record. `waited` says for which of them the wait is; the others are
/// looked at once.
pub async fn wait(
    directory: &Directory,
    list: &[Wanted],
    waited: impl Fn(&Wanted) -> bool,
    patience: Duration,
) -> Vec<Row> {
    let deadline = Instant::now() + patience;
    let mut rows = survey::survey(directory, list).await;
    let bar = bar(rows.len());
    let mut pause = FIRST_PAUSE;
    loop {
        bar.set_position(rows.iter().filter(|row| row.is_right()).count() as u64);
        bar.set_message(message(&rows));
        let open = |row: &Row| !row.is_right() && waited(&row.wanted);
        if !rows.iter().any(open) || Instant::now() + pause > deadline {
            bar.finish_and_clear();
            return rows;
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
        let again: Vec<Wanted> = rows.iter().filter(|row| open(row)).map(|row| row.wanted.clone()).collect();
        for new in survey::survey(directory, &again).await {
            if let Some(row) = rows.iter_mut().find(|row| row.wanted == new.wanted) {
                *row = new;
            }
        }
    }
}

/// A bar on a terminal; nothing where output is piped.
fn bar(length: usize) -> ProgressBar {
    let bar = ProgressBar::new(length as u64);
    let style = ProgressStyle::with_template("  records right {bar:30.green} {pos}/{len}  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.enable_steady_tick(Duration::from_millis(200));
    bar
}

/// What is waited for: the first record that is not right, and where.
fn message(rows: &[Row]) -> String {
    let Some(row) = rows.iter().find(|row| !row.is_right()) else { return String::new() };
    let place = row.behind.first().map(|b| format!(": {b}")).unwrap_or_default();
    out::plain(&format!("{} {}{place}", row.wanted.purpose.as_str(), row.wanted.name))
}
