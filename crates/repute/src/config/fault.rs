//! What is wrong with a configuration: file, line, column, what, and the cure.
//!
//! Promise: all faults that can be found together are reported together, in the order of the
//! file, and each names what to do. A fault without a place (a missing required section)
//! names the file alone.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// Octets of the file that are at fault.
    pub span: Option<Range<usize>>,
    pub what: String,
    pub cure: String,
}

impl Fault {
    pub fn at(span: Range<usize>, what: impl Into<String>, cure: impl Into<String>) -> Fault {
        // A value that was filled in from a default stands nowhere in the file.
        let span = Some(span).filter(|s| s.start < s.end);
        Fault { span, what: what.into(), cure: cure.into() }
    }

    pub fn nowhere(what: impl Into<String>, cure: impl Into<String>) -> Fault {
        Fault { span: None, what: what.into(), cure: cure.into() }
    }
}

/// All faults of one file, with its text, so that each can show its line.
#[derive(Debug)]
pub struct Faults {
    file: PathBuf,
    text: String,
    list: Vec<Fault>,
}

impl std::error::Error for Faults {}

/// Where a fault is, as an editor counts: both from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub line: usize,
    pub column: usize,
}

impl Faults {
    pub fn new(file: &Path, text: &str, mut list: Vec<Fault>) -> Faults {
        list.sort_by_key(|f| f.span.as_ref().map_or(usize::MAX, |s| s.start));
        Faults { file: file.to_owned(), text: text.to_owned(), list }
    }

    pub fn place(&self, fault: &Fault) -> Option<Place> {
        let start = fault.span.as_ref()?.start.min(self.text.len());
        let before = self.text.get(..start)?;
        let line_start = before.rfind('\n').map_or(0, |i| i + 1);
        Some(Place { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 })
    }

    /// For `--json`.
    pub fn to_json(&self) -> serde_json::Value {
        let one = |f: &Fault| {
            let place = self.place(f);
            serde_json::json!({
                "file": self.file,
                "line": place.map(|p| p.line),
                "column": place.map(|p| p.column),
                "what": f.what,
                "cure": f.cure,
            })
        };
        serde_json::json!({ "faults": self.list.iter().map(one).collect::<Vec<_>>() })
    }

    fn excerpt(&self, f: &mut fmt::Formatter<'_>, fault: &Fault, place: Place) -> fmt::Result {
        let Some(span) = &fault.span else { return Ok(()) };
        let Some(line) = self.text.lines().nth(place.line - 1) else { return Ok(()) };
        let line = line.trim_end();
        let wide = self.text.get(span.clone()).and_then(|t| t.lines().next()).map_or(1, |t| t.chars().count());
        let room = line.chars().count().saturating_sub(place.column - 1);
        let carets = "^".repeat(wide.min(room).max(1));
        writeln!(f, "{:5} | {line}", place.line)?;
        writeln!(f, "      | {:indent$}{carets}", "", indent = place.column - 1)
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.list.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            match self.place(fault) {
                Some(place) => {
                    writeln!(f, "{}:{}:{}: {}", self.file.display(), place.line, place.column, fault.what)?;
                    self.excerpt(f, fault, place)?;
                }
                None => writeln!(f, "{}: {}", self.file.display(), fault.what)?,
            }
            writeln!(f, "  fix  {}", fault.cure)?;
        }
        Ok(())
    }
}
