//! What only the hoster can do: the reverse name and port 25, and the way to it.

use std::net::IpAddr;

use repute_publish::Directory;
use repute_trust::names::reverse::reverse_name;
use repute_trust::records::hosters::{self, Hoster};
use repute_trust::records::{Data, Found, Kind, Purpose};
use repute_types::Domain;

use super::survey::Row;
use crate::out;

/// The hoster of an address, known by the name that it gave the address.
pub async fn recognise(directory: &Directory, rows: &[Row], named: Option<&str>) -> Option<&'static Hoster> {
    if let Some(hoster) = named.and_then(hosters::named) {
        return Some(hoster);
    }
    let reverse = rows.iter().find(|row| matches!(row.wanted.purpose, Purpose::Reverse { .. }))?;
    let answers = directory.look(&reverse.wanted.name, Kind::Ptr).await.ok()?;
    let names = answers.iter().flat_map(|answer| match &answer.found {
        Found::Records { records, .. } => records.clone(),
        Found::Unknown(_) => Vec::new(),
    });
    names
        .filter_map(|data| if let Data::Ptr(name) = data { Some(name) } else { None })
        .find_map(|name| hosters::of_reverse_name(&name))
}

/// The sentences, for people. Empty where every reverse name is right.
pub fn advice(rows: &[Row], hoster: Option<&Hoster>) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows.iter().filter(|row| !row.is_right()) {
        if let Purpose::Reverse { address, host } = &row.wanted.purpose {
            lines.push(sentence(*address, host, row));
        }
    }
    if lines.is_empty() {
        return lines;
    }
    match hoster {
        Some(hoster) => {
            lines.push(format!("{}: {}", hoster.name, hoster.ptr));
            lines.push(format!("{}, port 25: {}", hoster.name, hoster.port25));
            lines.push(format!("{}: {}", hoster.name, hoster.link));
        }
        None => {
            let names: Vec<&str> = hosters::all().iter().map(|h| h.name.as_str()).collect();
            lines.push(format!(
                "it is set where the address comes from, not in your zone; the way to it for one of {}: --hoster NAME",
                names.join(", ")
            ));
            lines.push("ask also that port 25 is open for outgoing connections".to_owned());
        }
    }
    lines
}

fn sentence(address: IpAddr, host: &Domain, row: &Row) -> String {
    let now: Vec<String> = row.verdict.remove.iter().map(ToString::to_string).collect();
    let now = if now.is_empty() { String::new() } else { format!(" (it is {} now)", now.join(" and ")) };
    format!("ask for the reverse name (PTR) of {address}: {}. PTR {host}.{now}", reverse_name(address))
}

/// Prints them.
pub fn tell(lines: &[String]) {
    if let [first, rest @ ..] = lines {
        out::line("\nWhat only the hoster can do:");
        out::line(&format!("  {}", out::plain(first)));
        rest.iter().for_each(|line| out::line(&format!("  {}", out::plain(line))));
    }
}
