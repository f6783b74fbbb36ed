//! The house's own tools: what has to be tidy, and what is made from the code. A library, so
//! that `cargo test` runs the same as `cargo run -p xtask`.

use std::fmt;
use std::path::{Path, PathBuf};

pub mod floors;
pub mod generate;
pub mod tidy;

/// Something to put right: where, what, and the cure.
#[derive(Debug, PartialEq)]
pub struct Fault {
    /// File, relative to the root.
    pub file: String,
    /// Line, from 1; 0 for the file as a whole.
    pub line: usize,
    pub what: String,
    pub cure: String,
}

impl Fault {
    pub fn new(file: &str, line: usize, what: impl Into<String>, cure: impl Into<String>) -> Fault {
        Fault { file: file.to_owned(), line, what: what.into(), cure: cure.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}\n  fix  {}", self.file, self.what, self.cure),
            line => write!(f, "{}:{line}: {}\n  fix  {}", self.file, self.what, self.cure),
        }
    }
}

/// The root of the workspace.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_owned()
}
