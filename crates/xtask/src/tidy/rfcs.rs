//! Every RFC that the code cites stands in `docs/rfc.toml` with how far it is followed, and
//! none stands there that nothing cites.

use std::collections::BTreeMap;

use anyhow::Context as _;

use super::File;
use crate::Fault;

const LIST: &str = "docs/rfc.toml";

/// How far an RFC is followed.
const STATES: [&str; 3] = ["yes", "partly", "no"];

pub fn check(files: &[File]) -> anyhow::Result<Vec<Fault>> {
    let list = files.iter().find(|f| f.name == LIST).with_context(|| format!("there is no {LIST}"))?;
    let (listed, mut faults) = read(&list.text)?;
    let mut cited = BTreeMap::new();
    for file in files.iter().filter(|f| f.name.ends_with(".rs")) {
        for (index, line) in file.text.lines().enumerate() {
            for number in citations(line) {
                cited.entry(number).or_insert((file.name.as_str(), index + 1));
            }
        }
    }
    for (number, (file, line)) in &cited {
        if !listed.contains_key(number) {
            let cure = format!("add it to {LIST}, with its status");
            faults.push(Fault::new(file, *line, format!("RFC {number} is cited and not listed"), cure));
        }
    }
    for (number, status) in &listed {
        if status != "no" && !cited.contains_key(number) {
            let cure = "cite it beside the code that follows it, or list it as \"no\"";
            faults.push(Fault::new(
                LIST,
                0,
                format!("[{number}] is listed as \"{status}\" and nothing cites it"),
                cure,
            ));
        }
    }
    Ok(faults)
}

/// The list: number to status.
fn read(text: &str) -> anyhow::Result<(BTreeMap<u32, String>, Vec<Fault>)> {
    let table: toml::Table = text.parse().context(LIST)?;
    let mut listed = BTreeMap::new();
    let mut faults = Vec::new();
    for (key, entry) in &table {
        let number = key.parse().with_context(|| format!("{LIST}: [{key}] is no number of an RFC"))?;
        let word = |name: &str| entry.get(name).and_then(|v| v.as_str()).unwrap_or_default();
        if !STATES.contains(&word("status")) {
            faults.push(Fault::new(
                LIST,
                0,
                format!("[{key}] has no status"),
                "status = \"yes\", \"partly\" or \"no\"",
            ));
        }
        if word("title").is_empty() || (word("status") == "partly" && word("what").is_empty()) {
            faults.push(Fault::new(
                LIST,
                0,
                format!("[{key}] does not say enough"),
                "give title, and for \"partly\" what is done",
            ));
        }
        listed.insert(number, word("status").to_owned());
    }
    Ok((listed, faults))
}

/// The numbers that follow `RFC ` or `RFCs `, also in a row (`RFC 6376, 8301`).
fn citations(line: &str) -> Vec<u32> {
    let mut numbers = Vec::new();
    for (at, _) in line.match_indices("RFC") {
        let mut rest = line[at + 3..].trim_start_matches('s').trim_start();
        loop {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let Some(number) = rest[..digits].parse().ok().filter(|_| (3..=5).contains(&digits)) else { break };
            numbers.push(number);
            rest = rest[digits..].trim_start_matches([',', ' ']).trim_start_matches("and ");
        }
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::super::file;
    use super::*;

    fn check_line(line: &str, expect: &[u32]) {
        assert_eq!(citations(line), expect, "{line}");
    }

    #[test]
    fn citations_are_found() {
        check_line("// RFC 5321 §4.5.3.2", &[5321]);
        check_line("RFC 6376, 8301 and 8463", &[6376, 8301, 8463]);
        check_line("see RFCs 7208 and RFC7505", &[7208, 7505]);
        check_line("RFC 5321, 12 of them", &[5321]);
        check_line("no RFC at all, 5321", &[]);
    }

    #[test]
    fn what_is_not_listed_and_what_is_not_cited_are_found() {
        let list = "[5321]\ntitle = \"SMTP\"\nstatus = \"yes\"\n[822]\ntitle = \"Old\"\nstatus = \"yes\"\n";
        let files = [file(LIST, list), file("a.rs", "//! RFC 5321, RFC 5322")];
        let found: Vec<String> = check(&files).unwrap().into_iter().map(|f| f.what).collect();
        assert_eq!(found, ["RFC 5322 is cited and not listed", "[822] is listed as \"yes\" and nothing cites it"]);
    }
}
