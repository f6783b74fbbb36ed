//! What is wrong with a configuration: file, line, column, what, and the cure.
//!
//! Promise: all faults that can be found together are reported together, in the order of the
//! file, and each names what to do. A fault without a place (a missing required section)
//! names the file alone. The line of a fault is shown, but no secret in it: what is said here goes into logs.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::schema;

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

/// What is shown in place of a secret.
const MASK: &str = "\"********\"";

/// As many are shown to people; who has more has one cause for many.
const SHOWN: usize = 50;

/// All faults of one file, with its text, so that each can show its line.
#[derive(Debug)]
pub struct Faults {
    file: PathBuf,
    text: String,
    /// Where each line begins.
    lines: Vec<usize>,
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
        let lines = std::iter::once(0).chain(text.match_indices('\n').map(|(end, _)| end + 1)).collect();
        Faults { file: file.to_owned(), text: text.to_owned(), lines, list }
    }

    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// One line each, for a log.
    pub fn sentences(&self) -> impl Iterator<Item = String> {
        self.list.iter().map(|fault| {
            let place = self.place(fault).map_or_else(String::new, |place| format!(":{}", place.line));
            format!("{}{place}: {}: {}", self.file.display(), fault.what, fault.cure)
        })
    }

    pub fn place(&self, fault: &Fault) -> Option<Place> {
        let start = fault.span.as_ref()?.start.min(self.text.len());
        let line = self.lines.partition_point(|begin| *begin <= start);
        let before = self.text.get(*self.lines.get(line.checked_sub(1)?)?..start)?;
        Some(Place { line, column: before.chars().count() + 1 })
    }

    /// For `--json`: all of them.
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::json!({ "faults": self.list() })
    }

    /// Each for `--json`.
    pub fn list(&self) -> Vec<serde_json::Value> {
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
        self.list.iter().map(one).collect()
    }

    /// Whether the line has a secret's value, or goes on with one: a list over several lines.
    fn is_secret(&self, line: usize) -> bool {
        let lines = self.text.lines().take(line).collect::<Vec<_>>();
        let key = lines.iter().rev().take_while(|line| !line.starts_with('[')).find_map(|line| assigned(line));
        key.is_some_and(|key| schema::SECTIONS.iter().flat_map(|s| s.keys).any(|k| k.kind.is_secret() && k.name == key))
    }

    fn excerpt(&self, f: &mut fmt::Formatter<'_>, fault: &Fault, place: Place) -> fmt::Result {
        let Some(span) = &fault.span else { return Ok(()) };
        let begin = self.lines.get(place.line - 1).copied().unwrap_or_default();
        let Some(line) = self.text.get(begin..).and_then(|rest| rest.lines().next()) else { return Ok(()) };
        let line = line.trim_end();
        if self.is_secret(place.line) {
            // The key alone, where it stands on this line.
            let key = line.split_once('=').filter(|_| assigned(line).is_some()).map_or("", |(key, _)| key);
            let equals = if key.is_empty() { "" } else { "= " };
            return writeln!(f, "{:5} | {key}{equals}{MASK}", place.line);
        }
        let wide = self.text.get(span.clone()).and_then(|t| t.lines().next()).map_or(1, |t| t.chars().count());
        let room = line.chars().count().saturating_sub(place.column - 1);
        let carets = "^".repeat(wide.min(room).max(1));
        writeln!(f, "{:5} | {line}", place.line)?;
        writeln!(f, "      | {:indent$}{carets}", "", indent = place.column - 1)
    }
}

/// The key that a line gives a value to.
fn assigned(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim().trim_matches(['"', '\'']);
    let is_name = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    is_name.then_some(key)
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, fault) in self.list.iter().take(SHOWN).enumerate() {
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
        match self.list.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => writeln!(f, "\n{}: and {more} more: these first, one cause often makes many", self.file.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All of them ran through the terminal, each counted from the beginning of the file.
    #[test]
    fn of_thousands_of_faults_the_first_fifty_are_shown() {
        let text = "wrong = 1\n".repeat(5000);
        let fault = |n: usize| Fault::at(n * 10..n * 10 + 5, format!("fault {n}"), "take it out");
        let faults = Faults::new(Path::new("repute.toml"), &text, (0..5000).rev().map(fault).collect());
        let shown = faults.to_string();
        assert_eq!(shown.matches("  fix  ").count(), SHOWN);
        assert!(shown.contains("repute.toml:50:1: fault 49\n   50 | wrong = 1\n      | ^^^^^\n"), "{shown}");
        assert!(shown.ends_with("repute.toml: and 4950 more: these first, one cause often makes many\n"), "{shown}");
        assert_eq!(faults.to_json()["faults"][4999]["line"], 5000);
    }

    /// Hashes of passwords and keys of webhooks stood in the journal of a server that refused to start because of them.
    #[test]
    fn a_secret_is_not_shown_beside_what_is_wrong_with_it() {
        let text = "name = \"shop\"\npassword = \"$argon2id$x\"\nsecret = [\n  \"whsec_b25l\",\n]\nurl = \"https://shop.example\"\n";
        let at = |word: &str| {
            let start = text.find(word).unwrap();
            Fault::at(start..start + word.len(), "it is wrong", "put it right")
        };
        let faults = ["\"$argon2id$x\"", "\"whsec_b25l\"", "\"https://shop.example\""].map(at).to_vec();
        let shown = Faults::new(Path::new("f"), text, faults).to_string();
        assert!(!shown.contains("argon2id") && !shown.contains("whsec_"), "{shown}");
        assert!(shown.contains("f:2:12: it is wrong\n    2 | password = \"********\"\n  fix  put it right"), "{shown}");
        assert!(shown.contains("f:4:3: it is wrong\n    4 | \"********\"\n"), "{shown}");
        assert!(shown.contains("    6 | url = \"https://shop.example\"\n      |       ^^^^"), "{shown}");
    }

    #[test]
    fn a_place_is_counted_in_characters() {
        let text = "é = 1\nüü = x";
        let at = |span: Range<usize>| {
            Faults::new(Path::new("f"), text, Vec::new()).place(&Fault::at(span, "", "")).map(|p| (p.line, p.column))
        };
        assert_eq!(
            (at(0..1), at(5..6), at(7..8), at(12..13)),
            (Some((1, 1)), Some((1, 5)), Some((2, 1)), Some((2, 4)))
        );
        assert_eq!(at(text.len()..text.len() + 1), Some((2, 7)));
    }
}
