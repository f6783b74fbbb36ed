//! Floor 6, the program: command line, configuration, wiring, signals. It orders what the
//! other crates do and holds no logic of mail.
//!
//! Called as `sendmail` it is that command (see `commands::sendmail`); as `mailq` it is `repute queue list`, and as
//! `newaliases`, which some packages call, nothing: there are no aliases.

mod accounts;
mod cli;
mod commands;
mod config;
mod control;
#[doc(hidden)]
pub mod dry;
mod keys;
mod log;
mod out;
mod private;
mod resolver;
mod serve;
mod state;
mod talk;
mod tls;
mod tokens;

use std::process::ExitCode;

/// All that the program does.
pub fn main() -> ExitCode {
    let called = std::env::args_os().next().unwrap_or_default();
    let name = std::path::Path::new(&called).file_name().and_then(|n| n.to_str()).unwrap_or_default();
    let line = std::env::args_os();
    match name {
        "sendmail" => commands::sendmail::main(line.skip(1).collect()).into(),
        "mailq" => cli::mailq(line.skip(1)).into(),
        "newaliases" => ExitCode::SUCCESS,
        _ => cli::main(line).into(),
    }
}
