//! The program's own parsers without the program, for fuzzing.

use std::path::Path;

use repute_types::Event;

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
