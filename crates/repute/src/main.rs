//! Floor 6, the program: command line, configuration, wiring, signals. It orders what the
//! other crates do and holds no logic of mail.
//!
//! Called as `sendmail` it is that command; see `commands::sendmail`.

mod accounts;
mod cli;
mod commands;
mod config;
mod keys;
mod out;
mod private;
mod tls;

use std::process::ExitCode;

/// Gives memory back after a burst and is fast under many small objects.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    cli::main().into()
}
