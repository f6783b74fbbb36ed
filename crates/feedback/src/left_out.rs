//! How well notices are read that nobody has seen, estimated from those of `tests/bounces`: each file, or each family of
//! files, is read without the phrases and words that nothing else in the collection has. What is known
//! from elsewhere ([`Known::ELSEWHERE`], [`Known::GIVEN_UP`]) stays, so the estimate is as good as that is: a rule belongs
//! there only with a source that is no notice of the collection. How good, is told by the estimates that leave out what is known
//! from elsewhere as well: between these and the others lies what to expect. Slow, so asked for by hand:
//!
//! `cargo test -p repute-feedback --lib left_out -- --ignored --nocapture`

#[path = "../tests/reading/agreement.rs"]
mod agreement;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use toml::{Table, Value};

use self::agreement::{Rates, expected, folder, judge};
use crate::cause::Known;
use crate::hints::Words;
use crate::mail::{Leaf, Mail};

thread_local! {
    static KNOWN: Cell<Option<&'static Known>> = const { Cell::new(None) };
}

/// What this thread reads by, if that is less than everything.
pub(crate) fn known() -> Option<&'static Known> {
    KNOWN.get()
}

/// Which files hold a phrase, by the phrase.
type Holders = BTreeMap<String, BTreeSet<String>>;

struct Corpus {
    texts: BTreeMap<String, String>,
    phrases: Holders,
    stems: Holders,
}

impl Corpus {
    fn read() -> Corpus {
        let mut texts = BTreeMap::new();
        for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            if name.ends_with(".eml") {
                let content = fs::read(entry.path()).unwrap();
                let mail = Mail::read(&content);
                let said = mail.leaves.iter().take_while(|leaf| leaf.kind != "message/rfc822").map(Leaf::text);
                let said: Vec<String> = said.collect();
                texts.insert(name, said.join("\n").split_whitespace().collect::<Vec<_>>().join(" "));
            }
        }
        let mut corpus = Corpus { texts, phrases: Holders::new(), stems: Holders::new() };
        let lower: Vec<(&String, String)> =
            corpus.texts.iter().map(|(name, text)| (name, text.to_lowercase())).collect();
        for phrase in notices().into_iter().chain(over()).flat_map(phrases) {
            let holders =
                lower.iter().filter(|(_, text)| holds(text, &phrase)).map(|(name, _)| (*name).clone()).collect();
            corpus.phrases.insert(phrase, holders);
        }
        let words: Vec<(&String, Words<'_>)> = lower.iter().map(|(name, text)| (*name, Words::of(text))).collect();
        for stem in stems(Known::HINTS) {
            let holders: BTreeSet<String> =
                words.iter().filter(|(_, words)| words.hold(&stem)).map(|(name, _)| (*name).clone()).collect();
            corpus.stems.insert(stem, holders);
        }
        corpus
    }

    /// What only these files hold.
    fn theirs(&self, files: &BTreeSet<String>, what: LeftOut) -> BTreeSet<&str> {
        let words = self.stems.iter().filter(|_| what.words);
        let theirs = self.phrases.iter().chain(words);
        let theirs = theirs.filter(|(_, holders)| !holders.is_empty() && holders.is_subset(files));
        theirs.map(|(phrase, _)| phrase.as_str()).collect()
    }
}

/// What is left out beside the phrases known from notices.
#[derive(Clone, Copy)]
struct LeftOut {
    words: bool,
    /// Phrases known from elsewhere.
    elsewhere: bool,
}

const NOTHING_MORE: LeftOut = LeftOut { words: false, elsewhere: false };
const WORDS: LeftOut = LeftOut { words: true, elsewhere: false };
const ELSEWHERE: LeftOut = LeftOut { words: false, elsewhere: true };

fn notices() -> Vec<&'static str> {
    [&Known::ELSEWHERE[..], &[Known::NOTICES]].concat()
}

fn over() -> [&'static str; 2] {
    [Known::GIVEN_UP, Known::EXPIRED]
}

/// All that is known, without these phrases and words.
fn known_without(gone: &BTreeSet<&str>, what: LeftOut) -> Known {
    let is_from_notices = |file: &str| [Known::NOTICES, Known::EXPIRED].contains(&file);
    let less =
        |file: &&str| if what.elsewhere || is_from_notices(file) { without(file, gone) } else { (*file).to_owned() };
    let [notices, expired] = [notices(), over().to_vec()].map(|files| files.iter().map(less).collect::<Vec<_>>());
    let hints = Known::HINTS.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).filter_map(|line| {
        let groups = line.split(" & ").enumerate().map(|(nth, group)| {
            let (lead, group) = if nth == 0 { lead(group) } else { ("", group) };
            let left: Vec<&str> = group.split('|').filter(|stem| !gone.contains(stem)).collect();
            (!left.is_empty()).then(|| format!("{lead}{}", left.join("|")))
        });
        groups.collect::<Option<Vec<String>>>().map(|groups| groups.join(" & "))
    });
    let [notices, expired] = [&notices, &expired].map(|files| files.iter().map(String::as_str).collect::<Vec<_>>());
    Known::parse(&notices, &expired, &hints.collect::<Vec<_>>().join("\n")).unwrap()
}

/// Whether a text has the words of a phrase in their order; near enough to what the rules do.
fn holds(text: &str, phrase: &str) -> bool {
    let phrase = phrase.to_lowercase();
    let mut words = phrase.split(['*', '{']).filter(|words| !words.is_empty());
    let mut rest = text;
    words.all(|words| {
        let found = rest.find(words);
        rest = found.map_or(rest, |at| &rest[at + words.len()..]);
        found.is_some()
    })
}

fn phrases(file: &str) -> Vec<String> {
    let table: Table = file.parse().unwrap();
    let rules = table["rule"].as_array().unwrap().iter();
    let texts = rules.flat_map(|rule| rule.get("text").and_then(Value::as_array).into_iter().flatten());
    texts.map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn without(file: &str, gone: &BTreeSet<&str>) -> String {
    let mut table: Table = file.parse().unwrap();
    let rules = table["rule"].as_array_mut().unwrap();
    for rule in rules.iter_mut() {
        if let Some(texts) = rule.get_mut("text").and_then(Value::as_array_mut) {
            texts.retain(|text| !gone.contains(text.as_str().unwrap()));
        }
    }
    rules.retain(|rule| rule.get("text").and_then(Value::as_array).is_none_or(|texts| !texts.is_empty()));
    table.to_string()
}

/// `class weight ` before the first words of a hint.
fn lead(group: &str) -> (&str, &str) {
    let at = group.match_indices(' ').nth(1).map_or(0, |(at, _)| at + 1);
    group.split_at(at)
}

fn stems(hints: &str) -> BTreeSet<String> {
    let lines = hints.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let groups = lines.flat_map(|line| line.split(" & ").enumerate());
    let groups = groups.map(|(nth, group)| if nth == 0 { lead(group).1 } else { group });
    groups.flat_map(|group| group.split('|')).map(str::to_owned).collect()
}

fn family(file: &str) -> &str {
    file.rsplit_once('-').map_or(file, |(family, _)| family)
}

/// Reads each file with what is left of what is known, without the files of its group.
fn estimate(corpus: &Corpus, what: &str, left_out: LeftOut, is_together: impl Fn(&str, &str) -> bool) {
    let table = fs::read_to_string(folder().join("expected.tsv")).unwrap();
    let mut rates = Rates::default();
    let (mut files, mut right) = (0_u32, 0_u32);
    let mut done: BTreeMap<BTreeSet<&str>, &'static Known> = BTreeMap::new();
    println!("== {what}");
    for (file, rows) in &expected(&table) {
        let group: BTreeSet<String> = corpus.texts.keys().filter(|other| is_together(file, other)).cloned().collect();
        let theirs = corpus.theirs(&group, left_out);
        if !theirs.is_empty() {
            let less =
                done.entry(theirs).or_insert_with_key(|theirs| Box::leak(Box::new(known_without(theirs, left_out))));
            KNOWN.set(Some(less));
        }
        let before = rates.both;
        judge(file, rows, &crate::read_file(&fs::read(folder().join(file)).unwrap()), &mut rates);
        KNOWN.set(None);
        files += 1;
        right += u32::from(rates.both - before == rows.len());
    }
    let [status, cause, both] = [rates.status, rates.cause, rates.both].map(|n| rates.percent(n));
    let whole = 100.0 * f64::from(right) / f64::from(files);
    println!("== {what}: status {status:.1} %, cause {cause:.1} %, both {both:.1} %, whole files {whole:.1} %");
}

#[test]
#[ignore = "takes a minute, and is an estimate to look at"]
fn what_is_left_out_is_read_by_the_rest() {
    let corpus = Corpus::read();
    estimate(&corpus, "nothing left out", NOTHING_MORE, |_, _| false);
    let of_file = |file: &str, other: &str| file == other;
    let of_family = |file: &str, other: &str| family(file) == family(other);
    for (what, left_out) in
        [("", NOTHING_MORE), (", with its words", WORDS), (", with what is known from elsewhere", ELSEWHERE)]
    {
        estimate(&corpus, &format!("one file left out{what}"), left_out, of_file);
        estimate(&corpus, &format!("one family left out{what}"), left_out, of_family);
    }
}
