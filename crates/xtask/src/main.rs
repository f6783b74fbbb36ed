//! The house's own tools: `cargo run -p xtask -- tidy` and `... generate [--check]`.
//!
//! `tidy` holds what the compiler does not: floors, openings of files, cited RFCs, words that
//! must not be committed. `generate` writes everything that is made from the code.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let root = xtask::root();
    let done = match words[..] {
        ["tidy"] => xtask::tidy::run(&root),
        ["generate"] => xtask::generate::run(&root, xtask::generate::Mode::Write),
        ["generate", "--check"] => xtask::generate::run(&root, xtask::generate::Mode::Check),
        _ => {
            eprintln!("usage: cargo run -p xtask -- tidy | generate [--check]");
            return ExitCode::from(64);
        }
    };
    match done {
        Ok(faults) if faults.is_empty() => ExitCode::SUCCESS,
        Ok(faults) => {
            for fault in &faults {
                eprintln!("{fault}");
            }
            eprintln!("{} to put right", faults.len());
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::from(2)
        }
    }
}
