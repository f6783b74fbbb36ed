//! Who of a list is written to: row by row what can be said without asking (syntax, twice, fields), then the server is asked
//! about addresses (suppressed, office mailboxes), some at a time, and about their domains.
//!
//! Only what is refused stays in memory, a hash of each address, and of each domain its local parts.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use anyhow::Context as _;
use indicatif::ProgressBar;
use repute_engine::bulk::words::{self, Begin, Row, WhyNot};
use repute_engine::bulk::{CheckAddresses, DomainTakes, Takes};
use repute_message::merge::{FormLetter, Given};
use repute_types::{Address, Content, Domain};
use serde::Deserialize;

use super::people::{People, Read};
use super::{BATCH, Send, spinner};
use crate::cli::Ended;
use crate::control::client::Talk;
use crate::control::wire::Request;
use crate::out;

/// Where a row is: its number as the server counts, from 0, and its line in the file.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    pub row: u32,
    pub line: u64,
}

/// A row that is not written to, and why.
pub struct Refused {
    pub place: Place,
    pub email: String,
    pub why: WhyNot,
    pub text: String,
}

/// What the check found.
pub struct Found {
    pub rows: u32,
    pub good: u32,
    pub refused: Vec<Refused>,
    /// Domains of which it could not be found out.
    unknown: usize,
    shows_link: bool,
    /// Why the server would not begin the campaign, whatever the list is.
    pub refusal: Option<String>,
}

impl Found {
    fn count(&self) -> BTreeMap<WhyNot, usize> {
        let mut counts = BTreeMap::new();
        for refused in &self.refused {
            *counts.entry(refused.why).or_default() += 1;
        }
        counts
    }

    pub fn to_json(&self, file: &Path) -> serde_json::Value {
        let counts: serde_json::Map<_, _> =
            self.count().into_iter().map(|(why, n)| (why.as_str().to_owned(), n.into())).collect();
        serde_json::json!({
            "rows": self.rows, "good": self.good, "refused": counts, "unknown_domains": self.unknown,
            "refusal": self.refusal,
            "refused_file": (!self.refused.is_empty()).then(|| file.display().to_string()),
        })
    }
}

/// Goes through the list once.
pub fn check(server: &mut Talk, begin: &Begin, mut people: People, args: &Send) -> anyhow::Result<Found> {
    let mut sieve = Sieve::new(server, begin, args)?;
    let bar = spinner("checking the list");
    while let Some(read) = people.next()? {
        sieve.take(read);
        if sieve.unasked.len() == BATCH {
            sieve.ask_addresses()?;
            bar.set_message(format!("{} rows checked", sieve.rows));
        }
    }
    sieve.ask_addresses()?;
    sieve.ask_domains(&bar)?;
    bar.finish_and_clear();
    let Sieve { rows, mut refused, unknown, form, .. } = sieve;
    refused.sort_by_key(|refused| refused.place.row);
    let good = rows - refused.len() as u32;
    Ok(Found { rows, good, refused, unknown, shows_link: form.shows_unsubscribe_url(), refusal: None })
}

/// Rows in their order: those that are refused are left in it.
pub struct Sieve<'a> {
    server: &'a mut Talk,
    begin: &'a Begin,
    args: &'a Send,
    form: FormLetter,
    /// Hashes of the addresses so far.
    seen: HashSet<u64>,
    rows: u32,
    /// About these the server is asked next.
    pub unasked: Vec<(Place, Address)>,
    /// What is good but for its domain, which is asked about at the end.
    domains: HashMap<Domain, Vec<(Place, String)>>,
    pub refused: Vec<Refused>,
    unknown: usize,
}

impl<'a> Sieve<'a> {
    pub fn new(server: &'a mut Talk, begin: &'a Begin, args: &'a Send) -> anyhow::Result<Sieve<'a>> {
        Ok(Sieve {
            form: form_of(begin, args)?,
            server,
            begin,
            args,
            seen: HashSet::new(),
            rows: 0,
            unasked: Vec::new(),
            domains: HashMap::new(),
            refused: Vec::new(),
            unknown: 0,
        })
    }

    /// What can be said of a row without asking anybody; the row and where it is, unless it is refused.
    pub fn take(&mut self, Read { line, row }: Read) -> Option<(Place, Row)> {
        let place = Place { row: self.rows, line };
        self.rows += 1;
        let judged = row.map_err(|text| (String::new(), WhyNot::Syntax, text));
        match judged.and_then(|row| Ok((judge(&self.form, &row, &mut self.seen)?, row))) {
            Ok((address, row)) => {
                self.unasked.push((place, address));
                Some((place, row))
            }
            Err((email, why, text)) => {
                self.refused.push(Refused { place, email, why, text });
                None
            }
        }
    }

    /// Asks the server about addresses; the good ones wait for what is said of their domains.
    pub fn ask_addresses(&mut self) -> anyhow::Result<()> {
        if self.unasked.is_empty() {
            return Ok(());
        }
        let emails = self.unasked.iter().map(|(_, address)| address.to_string()).collect();
        let question = CheckAddresses { account: self.begin.account.clone(), list: self.begin.list.clone(), emails };
        let answer = Vec::<words::Refused>::deserialize(self.server.ask(&Request::BulkCheckAddressesV1(question))?)?;
        let wanted = |why: WhyNot| why != WhyNot::Role || !self.args.allow_roles;
        let mut bad: HashMap<u32, words::Refused> =
            answer.into_iter().filter(|r| wanted(r.why)).map(|r| (r.row, r)).collect();
        for (n, (place, address)) in (0u32..).zip(self.unasked.drain(..)) {
            match bad.remove(&n) {
                Some(words::Refused { email, why, text, .. }) => {
                    self.refused.push(Refused { place, email, why, text });
                }
                None if self.args.no_dns => {}
                None => {
                    let domain = self.domains.entry(address.domain().clone()).or_default();
                    domain.push((place, address.local().to_owned()));
                }
            }
        }
        Ok(())
    }

    pub fn ask_domains(&mut self, bar: &ProgressBar) -> anyhow::Result<()> {
        let domains = std::mem::take(&mut self.domains);
        let names: Vec<Domain> = domains.keys().cloned().collect();
        for (n, some) in names.chunks(100).enumerate() {
            bar.set_message(format!("{} of {} domains asked for", n * 100, names.len()));
            let answer = self.server.ask(&Request::BulkCheckDomainsV1 { domains: some.to_vec() })?;
            for DomainTakes { domain, takes, text } in Vec::<DomainTakes>::deserialize(answer)? {
                let who = domains.get(&domain).map(Vec::as_slice).unwrap_or_default();
                match takes {
                    Takes::Mail => {}
                    Takes::Unknown => self.unknown += 1,
                    Takes::Nothing => self.refused.extend(who.iter().map(|(place, local)| Refused {
                        place: *place,
                        email: format!("{local}@{domain}"),
                        why: WhyNot::Domain,
                        text: text.clone(),
                    })),
                }
            }
        }
        Ok(())
    }
}

fn form_of(begin: &Begin, args: &Send) -> anyhow::Result<FormLetter> {
    let letter = begin.letter.replace("\r\n", "\n").replace('\n', "\r\n");
    FormLetter::read(&Content::from(letter.into_bytes()), &begin.fields).map_err(|fault| {
        Ended::usage(format!("{}: {fault}", args.letter.as_ref().map(|l| l.display().to_string()).unwrap_or_default()))
    })
}

/// As the server judges a row that it is to add: what is refused does not make a later row of the same address a second one.
fn judge(form: &FormLetter, row: &Row, seen: &mut HashSet<u64>) -> Result<Address, (String, WhyNot, String)> {
    let refused = |why: WhyNot, text: String| (row.email.clone(), why, text);
    let address = Address::parse(row.email.trim()).map_err(|error| refused(WhyNot::Syntax, error.to_string()))?;
    let mut hasher = DefaultHasher::new();
    repute_ledger::suppression::spelling(&address).hash(&mut hasher);
    let spelt = hasher.finish();
    if seen.contains(&spelt) {
        return Err(refused(WhyNot::Duplicate, "this address was on the list before".into()));
    }
    if let Some(text) = row.too_long() {
        return Err(refused(WhyNot::Long, text));
    }
    let given = Given { email: &address, values: &row.values, unsubscribe_url: "https://unsubscribe.example/" };
    form.merge(&given).map_err(|fault| refused(WhyNot::Field, fault.to_string()))?;
    seen.insert(spelt);
    Ok(address)
}

pub fn write_refused(file: &Path, refused: &[Refused]) -> anyhow::Result<()> {
    let mut writer = csv::Writer::from_path(file).with_context(|| file.display().to_string())?;
    writer.write_record(["line", "email", "why", "text"])?;
    for Refused { place, email, why, text } in refused {
        writer.write_record([place.line.to_string().as_str(), email, why.as_str(), text])?;
    }
    writer.flush()?;
    Ok(())
}

fn meaning(why: WhyNot) -> String {
    let text = match why {
        WhyNot::Syntax => "no address, or a row that cannot be read",
        WhyNot::Duplicate => "on the list before",
        WhyNot::Suppressed => "suppressed: they left, complained, or do not exist",
        WhyNot::Role => "mailboxes of offices (--allow-roles writes to them)",
        WhyNot::Domain => "domains that take no mail",
        WhyNot::Field => "a field that the letter needs is empty, or the letter cannot be made with it",
        WhyNot::Long => return format!("fields longer than {} KiB together", words::ROW_OCTETS >> 10),
    };
    text.to_owned()
}

pub fn tell(found: &Found, file: &Path) {
    let mut rows = vec![vec![found.good.to_string(), "to be written to".to_owned()]];
    rows.extend(found.count().into_iter().map(|(why, n)| vec![n.to_string(), meaning(why)]));
    out::print(&out::table(&["ROWS", ""], &rows));
    if !found.refused.is_empty() {
        out::line(&format!("refused rows, with the reasons: {}", file.display()));
    }
    if found.unknown > 0 {
        out::line(&format!("{} domain(s) could not be asked about; they are written to", found.unknown));
    }
    let bad = found.refused.iter().filter(|r| matches!(r.why, WhyNot::Syntax | WhyNot::Domain)).count();
    if bad * 20 > found.rows as usize {
        out::line(&out::tone(
            "one row in twenty or more cannot exist: receivers take this for a bad list",
            out::Tone::Warning,
        ));
    }
    if !found.shows_link {
        out::line("the letter shows nobody how to leave: write {{ unsubscribe_url }} into it");
    }
    if let Some(refusal) = &found.refusal {
        out::line(&out::tone(&format!("it would be refused: {}", out::plain(refusal)), out::Tone::Bad));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The check promised letters that the load then refused, and called twice whom the load took.
    #[test]
    fn a_row_is_judged_as_the_server_judges_it() {
        let letter = "From: News <news@example.com>\r\nTo: {{ email }}\r\nSubject: Hello {{ name }}\r\n\r\nHello\r\n";
        let form =
            FormLetter::read(&Content::from(letter.as_bytes().to_vec()), &["name".to_owned()]).expect("a letter");
        let mut seen = HashSet::new();
        let mut check = |name: String, expect: Option<WhyNot>| {
            let row = Row { email: "ann@a.example".into(), values: vec![name] };
            assert_eq!(judge(&form, &row, &mut seen).err().map(|(_, why, _)| why), expect, "{}", row.values[0].len());
        };
        // This was told as a field that is empty.
        check("A".repeat(20_000), Some(WhyNot::Long));
        assert_eq!(meaning(WhyNot::Long), "fields longer than 16 KiB together");
        check(String::new(), Some(WhyNot::Field));
        check("Ann".into(), None);
        check("Ann".into(), Some(WhyNot::Duplicate));
    }
}
