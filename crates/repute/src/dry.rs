//! The program's own parsers without the program, for fuzzing.

use std::path::Path;

use repute_ledger::suppression::{Entry, Scope, Why};
use repute_types::{Address, Content, Event, Timestamp};

use crate::commands::{sendmail, suppression};
use crate::config::meant::LogFormat;
use crate::config::{self, Files};
use crate::control::wire::Request;
use crate::log;

/// Checks a text as `/repute.toml`, without looking at the files that it names. `Err` is what a person reads.
pub fn config(text: &str) -> Result<(), String> {
    match config::parse(Path::new("/repute.toml"), text, Files::Ignore) {
        Ok(config) => {
            // What is meant can be handed to the works.
            let _ = format!("{}", config.hostname);
            Ok(())
        }
        Err(faults) => Err(format!("{faults}{}", faults.to_json())),
    }
}

/// A line of the control socket: the request as it is written, where it is one.
pub fn control(line: &[u8]) -> Option<String> {
    let request: Request = serde_json::from_slice(line).ok()?;
    serde_json::to_string(&request).ok()
}

/// The event's line in the log.
pub fn log_line(event: &Event, json: bool) -> Vec<u8> {
    log::line(if json { LogFormat::Json } else { LogFormat::Text }, event)
}

/// A message as a program hands it to `sendmail` with these arguments: to whom it goes, and what is said to the
/// server. `Err` is what the program reads.
pub fn sendmail(args: &[&str], input: &[u8]) -> Result<(Vec<Address>, Content), String> {
    sendmail::dry(args, input).map_err(|failed| failed.text)
}

/// A file of people who are not to be written to, as it is written again: as CSV and as JSON lines.
pub fn suppressions(text: &str) -> Option<[String; 2]> {
    let given = |address| Entry::new(address, Scope::All, Why::Manual, Timestamp(1_795_485_950_000));
    let entries = suppression::file::parse(text, given).ok()?;
    let csv = suppression::file::head().ok()? + &suppression::file::rows(&entries).ok()?;
    Some([csv, suppression::file::lines(&entries).ok()?])
}
