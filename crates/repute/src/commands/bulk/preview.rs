//! `repute bulk --preview`: the letters of the first people of a list who are written to, and beside them who is not, and
//! why not.

use std::collections::HashSet;

use indicatif::ProgressBar;
use repute_engine::bulk::words::{Begin, Preview, Row};
use serde::Deserialize;

use super::Send;
use super::check::{Place, Refused, Sieve};
use super::people::People;
use crate::cli::{Context, Exit};
use crate::control::client::Talk;
use crate::control::wire::Request;
use crate::out;

/// Letters at most, and rows about which the server is asked at once.
const MOST: usize = 100;

pub fn preview(
    server: &mut Talk,
    begin: Begin,
    people: People,
    count: usize,
    args: &Send,
    context: &Context,
) -> anyhow::Result<Exit> {
    let Chosen { shown, left_out } = choose(server, &begin, people, count.min(MOST), args)?;
    let (places, rows): (Vec<Place>, Vec<Row>) = shown.into_iter().unzip();
    let letters = match rows.is_empty() {
        true => Vec::new(),
        false => Vec::<Preview>::deserialize(server.ask(&Request::BulkPreviewV1 { begin, rows })?)?,
    };
    let exit = if letters.is_empty() { Exit::Problem } else { Exit::Done };
    tell(&places, &letters, &left_out, context);
    Ok(exit)
}

struct Chosen {
    shown: Vec<(Place, Row)>,
    left_out: Vec<Refused>,
}

/// The first `count` rows that are written to, and those before the last of them that are not.
fn choose(server: &mut Talk, begin: &Begin, mut people: People, count: usize, args: &Send) -> anyhow::Result<Chosen> {
    let mut sieve = Sieve::new(server, begin, args)?;
    let mut shown: Vec<(Place, Row)> = Vec::new();
    let mut is_over = count == 0;
    while !is_over && shown.len() < count {
        let mut some = Vec::new();
        // As many as are missing are read, so that a file that goes wrong later is shown from all the same.
        while some.len() < count - shown.len() {
            let Some(read) = people.next()? else {
                is_over = true;
                break;
            };
            some.extend(sieve.take(read));
        }
        sieve.ask_addresses()?;
        sieve.ask_domains(&ProgressBar::hidden())?;
        let refused: HashSet<u32> = sieve.refused.iter().map(|refused| refused.place.row).collect();
        shown.extend(some.into_iter().filter(|(place, _)| !refused.contains(&place.row)));
    }
    let mut left_out = sieve.refused;
    left_out.sort_by_key(|refused| refused.place.row);
    Ok(Chosen { shown, left_out })
}

/// In the order of the file.
fn tell(places: &[Place], letters: &[Preview], left_out: &[Refused], context: &Context) {
    let mut all: Vec<(u32, Result<&Preview, &Refused>, u64)> = Vec::new();
    all.extend(places.iter().zip(letters).map(|(place, letter)| (place.row, Ok(letter), place.line)));
    all.extend(left_out.iter().map(|refused| (refused.place.row, Err(refused), refused.place.line)));
    all.sort_by_key(|(row, ..)| *row);
    if context.json {
        let one = |(_, what, line): &(u32, Result<&Preview, &Refused>, u64)| match what {
            Ok(Preview { email, message }) => serde_json::json!({ "line": line, "email": email, "message": message }),
            Err(Refused { email, why, text, .. }) => {
                serde_json::json!({ "line": line, "email": email, "left_out": { "why": why, "text": text } })
            }
        };
        return out::json(&all.iter().map(one).collect());
    }
    for (_, what, line) in all {
        match what {
            Ok(Preview { email, message }) => {
                out::line(&out::tone(&format!("──── {}", out::plain(email)), out::Tone::Strong));
                out::print(&message.replace("\r\n", "\n"));
            }
            Err(Refused { email, text, .. }) => {
                out::error(&format!("line {line}, {}: is left out: {}\n", out::plain(email), out::plain(text)));
            }
        }
    }
}
