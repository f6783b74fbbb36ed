//! The suppression list as a file: CSV (RFC 4180) with a head, or JSON lines.
//!
//! What is written here reads back as the same, to the last blank of a reason or a reply, and what is read could be written.
//! A text of several lines that look like rows of the list, which a quote that is not closed might have swallowed, is not
//! read; of an entry that has one, however it came to it, the text is written in one line.
//! Other services' exports are read too: the column or member
//! of addresses may be called `email`, what is missing is as the command line says, columns of other
//! names are passed over, columns may be separated by semicolons, tabs, or what a first line `sep=;` says, and a file without a head is an address a
//! line. A fault names its line, and nothing of the file is taken: no address is lost, and no scope widened, in silence.

use std::borrow::Cow;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use repute_engine::bulk::rows::{said_separator, separator, unclosed};
use repute_ledger::suppression::{Entry, Scope};
use repute_types::{Address, Timestamp};

const COLUMNS: [&str; 10] =
    ["address", "scope", "account", "list", "why", "reason", "reply", "message", "at", "expires"];
/// The largest file that is read: some ten million addresses.
const LARGEST: u64 = 1 << 30;

/// The entries of a file; `given` makes one of an address, as the command line has it.
pub fn read(path: &Path, given: impl Fn(Address) -> Entry) -> anyhow::Result<Vec<Entry>> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_string(&mut text)
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
        file.take(LARGEST).read_to_string(&mut text)
    };
    let octets = read.with_context(|| format!("{} cannot be read as UTF-8 text", path.display()))?;
    if octets as u64 == LARGEST {
        bail!("{} is larger than 1 GiB: split it", path.display());
    }
    parse(&text, given).with_context(|| format!("{}", path.display()))
}

pub fn parse(text: &str, given: impl Fn(Address) -> Entry) -> anyhow::Result<Vec<Entry>> {
    let text = text.trim_start_matches('\u{feff}');
    match text.trim_start().chars().next() {
        Some('{') => of_json(text, given),
        _ => of_csv(text, given),
    }
}

fn of_json(text: &str, given: impl Fn(Address) -> Entry) -> anyhow::Result<Vec<Entry>> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines.map(|(n, line)| of_line(line, &given).with_context(|| format!("line {}", n + 1))).collect()
}

fn of_line(line: &str, given: impl Fn(Address) -> Entry) -> anyhow::Result<Entry> {
    let object: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(line).context("this is no JSON object")?;
    let mut members = Vec::new();
    for (name, value) in &object {
        let name = name.trim().to_ascii_lowercase();
        match value {
            serde_json::Value::String(text) => members.push((name, text.as_str())),
            serde_json::Value::Null => {}
            other if is_address_column(&name) || COLUMNS.contains(&name.as_str()) => {
                bail!("{name} is {other}: write a text")
            }
            _ => {}
        }
    }
    let member = |is: &dyn Fn(&str) -> bool| members.iter().find(|(name, _)| is(name)).map(|(_, text)| *text);
    let mut entry = of_fields(member(&is_address_column).unwrap_or_default(), |name| member(&|n| n == name), given)?;
    // A file of CSV has no other word for none.
    entry.reply = entry.reply.or(member(&|name| name == "reply").map(str::to_owned));
    Ok(entry)
}

fn of_csv(text: &str, given: impl Fn(Address) -> Entry) -> anyhow::Result<Vec<Entry>> {
    let said = said_separator(text.as_bytes());
    let (text, lines_before) = (&text[said.map_or(0, |(_, octets)| octets)..], u64::from(said.is_some()));
    let head = text.trim_start().lines().next().unwrap_or_default();
    let separator = said.map_or_else(|| separator(head.as_bytes()), |(separator, _)| separator);
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.has_headers(false).flexible(true).delimiter(separator).from_reader(text.as_bytes());
    let mut columns: Option<Vec<String>> = None;
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.context("this is no CSV")?;
        let line = record.position().map_or(0, csv::Position::line) + lines_before;
        if record.iter().all(|field| field.trim().is_empty()) {
            continue;
        }
        if columns.is_none() {
            let names: Vec<String> = record.iter().map(|name| name.trim().to_ascii_lowercase()).collect();
            let is_head = names.iter().any(|name| is_address_column(name));
            if is_head {
                columns = Some(names);
                continue;
            }
            columns = Some(vec!["address".to_owned()]);
        }
        let names = columns.as_deref().unwrap_or_default();
        if let Some(why) = unclosed(record.iter(), char::from(separator), record.len()) {
            bail!("line {line}: {why}");
        }
        entries.push(of_record(names, &record, &given).with_context(|| format!("line {line}"))?);
    }
    Ok(entries)
}

fn is_address_column(name: &str) -> bool {
    matches!(name, "address" | "email" | "e-mail" | "email address" | "recipient")
}

fn of_record(names: &[String], record: &csv::StringRecord, given: impl Fn(Address) -> Entry) -> anyhow::Result<Entry> {
    let column = |is: &dyn Fn(&str) -> bool| record.get(names.iter().position(|name| is(name))?);
    of_fields(column(&is_address_column).unwrap_or_default(), |name| column(&|n| n == name), given)
}

/// An entry from its fields; one that is empty is not there. Texts for people stay as they are, of all others blanks around
/// them are not meant.
fn of_fields<'f>(
    address: &str,
    written: impl Fn(&str) -> Option<&'f str>,
    given: impl Fn(Address) -> Entry,
) -> anyhow::Result<Entry> {
    let text = |name: &str| written(name).filter(|text| !text.is_empty());
    let field = |name: &str| written(name).map(str::trim).filter(|text| !text.is_empty());
    let address = address.trim();
    let address = Address::parse(address).with_context(|| format!("{address:?} is not an address"))?;
    let mut entry = given(address);
    // Such a name is nobody's, and a row that holds it could not be told from one that has swallowed others.
    for name in ["account", "list"] {
        if let Some(value) = field(name).filter(|value| value.contains(char::is_control)) {
            bail!("the {name} {value:?} has control characters in its name");
        }
    }
    if field("scope").is_some() || field("account").is_some() {
        entry.scope = Scope::of(field("account"), field("list"));
        if let Some(word) = field("scope")
            && word != word_of(&entry.scope)
        {
            bail!("scope {word:?} does not go with this account and list: it is {:?}", word_of(&entry.scope));
        }
    }
    if let (Some(list), None, None) = (field("list"), field("scope"), field("account")) {
        let Some(account) = entry.scope.account().map(str::to_owned) else {
            bail!(
                "the list {list:?} is of no account: add a column `account`, say `--account`, or take the column out"
            );
        };
        entry.scope = Scope::of(Some(&account), Some(list));
    }
    if let Some(why) = field("why") {
        entry.why = why.parse().with_context(|| format!("why is {why:?}"))?;
    }
    if let Some(reason) = text("reason") {
        entry.reason = reason.to_owned();
    }
    if let Some(reply) = text("reply") {
        entry.reply = Some(reply.to_owned());
    }
    if holds_rows(&entry.reason) || entry.reply.as_deref().is_some_and(holds_rows) {
        bail!("the reason or the reply has lines in it that look like rows of such a list: leave them out");
    }
    if let Some(message) = field("message") {
        entry.message = Some(message.parse().with_context(|| format!("message is {message:?}"))?);
    }
    if let Some(at) = field("at") {
        entry.at = instant(at).with_context(|| format!("at is {at:?}"))?;
    }
    if let Some(expires) = field("expires") {
        entry.expires = Some(instant(expires).with_context(|| format!("expires is {expires:?}"))?);
    }
    Ok(entry)
}

/// Whether a text, written as CSV, would be taken for rows that a quote has swallowed.
fn holds_rows(text: &str) -> bool {
    unclosed([text].into_iter(), ',', COLUMNS.len()).is_some()
}

/// An entry's text as it is written: one that holds rows in one line, since nobody could import it otherwise.
fn importable(text: &str) -> Cow<'_, str> {
    match holds_rows(text) {
        true => Cow::Owned(text.replace("\r\n", " ").replace('\n', " ")),
        false => Cow::Borrowed(text),
    }
}

fn instant(text: &str) -> anyhow::Result<Timestamp> {
    crate::commands::instant(text).context("an instant is written 2026-11-24T01:02:03Z")
}

fn word_of(scope: &Scope) -> &'static str {
    match scope {
        Scope::All => "all",
        Scope::Account { .. } => "account",
        Scope::List { .. } => "list",
    }
}

/// The first line of a CSV file.
pub fn head() -> anyhow::Result<String> {
    written(|writer| Ok(writer.write_record(COLUMNS)?))
}

pub fn rows(entries: &[Entry]) -> anyhow::Result<String> {
    written(|writer| {
        for entry in entries {
            writer.write_record([
                entry.address.to_string(),
                word_of(&entry.scope).to_owned(),
                entry.scope.account().unwrap_or_default().to_owned(),
                entry.scope.list().unwrap_or_default().to_owned(),
                entry.why.to_string(),
                importable(&entry.reason).into_owned(),
                importable(entry.reply.as_deref().unwrap_or_default()).into_owned(),
                entry.message.map(|id| id.to_string()).unwrap_or_default(),
                entry.at.to_string(),
                entry.expires.map(|at| at.to_string()).unwrap_or_default(),
            ])?;
        }
        Ok(())
    })
}

pub fn lines(entries: &[Entry]) -> anyhow::Result<String> {
    let mut text = String::new();
    for entry in entries {
        let mut entry = entry.clone();
        entry.reason = importable(&entry.reason).into_owned();
        entry.reply = entry.reply.map(|reply| importable(&reply).into_owned());
        text += &serde_json::to_string(&entry)?;
        text.push('\n');
    }
    Ok(text)
}

fn written(write: impl FnOnce(&mut csv::Writer<Vec<u8>>) -> anyhow::Result<()>) -> anyhow::Result<String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    write(&mut writer)?;
    Ok(String::from_utf8(writer.into_inner()?)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_ledger::suppression::Why;
    use repute_types::MessageId;

    const NOW: Timestamp = Timestamp(1_795_485_950_000);

    fn given(address: Address) -> Entry {
        Entry::new(address, Scope::of(Some("shop"), None), Why::Manual, NOW)
    }

    fn entries() -> Vec<Entry> {
        let address = |text: &str| Address::parse(text).unwrap();
        let mut whole =
            Entry::new(address("ann@example.net"), Scope::of(Some("shop"), Some("news, weekly")), Why::Complaint, NOW);
        whole.reason = "said \"no\",\nand meant it".into();
        whole.reply = Some("550 5.1.1 no such user".into());
        whole.message = Some(MessageId(99));
        whole.expires = Some(Timestamp(NOW.0 + 1000));
        vec![whole, Entry::new(address("\"a,b\"@example.net"), Scope::All, Why::Unknown, NOW)]
    }

    #[test]
    fn what_is_exported_is_imported_as_it_was() {
        let csv = format!("{}{}", head().unwrap(), rows(&entries()).unwrap());
        assert_eq!(parse(&csv, given).unwrap(), entries(), "{csv}");
        assert_eq!(parse(&lines(&entries()).unwrap(), given).unwrap(), entries());
    }

    /// The line was told as an address that is none.
    #[test]
    fn a_first_line_for_excel_says_what_separates_and_moves_no_line() {
        for text in [
            "sep=;\r\nemail;reason\r\nann@a.test;asked, twice\r\n",
            "\u{feff}sep=|\nemail|reason\nann@a.test|asked, twice",
        ] {
            let read = parse(text, given).unwrap();
            assert_eq!((read.len(), read[0].reason.as_str()), (1, "asked, twice"), "{text}");
        }
        let wrong = parse("sep=;\nemail;reason\nann@a.test;x\nnobody;x\n", given).unwrap_err();
        assert!(format!("{wrong:#}").starts_with("line 4: "), "{wrong:#}");
    }

    fn rewritten(entries: &[Entry], given: impl Fn(Address) -> Entry + Copy) {
        let csv = format!("{}{}", head().unwrap(), rows(entries).unwrap());
        let read = parse(&csv, given).unwrap();
        assert_eq!(format!("{}{}", head().unwrap(), rows(&read).unwrap()), csv);
        let json = lines(entries).unwrap();
        assert_eq!(lines(&parse(&json, given).unwrap()).unwrap(), json);
    }

    /// Blanks around a reason or a reply were lost, and of an empty reply became none.
    #[test]
    fn whatever_is_imported_is_exported_as_it_was() {
        let odd = [
            " asked ",
            "\t",
            " \n ",
            "a\r\nb",
            "\r",
            "\"",
            "\"\"",
            ",",
            ";",
            "\u{feff}x",
            "\0",
            "a\u{2028}b",
            "{",
            "#",
            "=1+1",
            "\u{a0}",
        ];
        for (n, text) in odd.into_iter().enumerate() {
            let mut entry = entries().remove(n % 2);
            entry.reason = text.into();
            entry.reply = Some(text.into());
            rewritten(&[entry.clone(), entries().remove(0)], given);
            assert_eq!(parse(&lines(&[entry.clone()]).unwrap(), given).unwrap(), [entry]);
        }
        let mut empty = entries().remove(1);
        empty.reply = Some(String::new());
        rewritten(&[empty], given);
        for at in
            ["0001-01-01T00:00:00Z", "1969-12-31T23:59:59.999Z", "2026-11-24T01:02:03.004Z", "9999-12-30T00:00:00Z"]
        {
            let text = format!("{{\"address\": \"a@a.example\", \"at\": \"{at}\", \"expires\": \"{at}\"}}");
            rewritten(&parse(&text, given).unwrap(), given);
        }
        let swallows =
            r#"{"address": "a@a.example", "reason": "x\na@b.example,all,,,manual,,,,2026-11-24T01:02:03Z,"}"#;
        assert!(parse(swallows, given).is_err(), "it could not be imported again");
    }

    /// What a receiver said, and what was given before it was looked at, is nobody's choice here.
    #[test]
    fn a_reason_that_holds_rows_of_the_list_is_exported_in_one_line_and_can_be_imported() {
        let row = "a@b.example,all,,,manual,,,,2026-11-24T01:02:03Z,";
        for end in ["\n", "\r\n"] {
            let mut entry = entries().remove(0);
            entry.reason = format!("x{end}{row}{end}y");
            entry.reply = Some(format!("550{end}{row}"));
            let csv = head().unwrap() + &rows(&[entry.clone(), entries().remove(1)]).unwrap();
            let json = lines(&[entry.clone(), entries().remove(1)]).unwrap();
            entry.reason = format!("x {row} y");
            entry.reply = Some(format!("550 {row}"));
            for file in [csv, json] {
                assert_eq!(parse(&file, given).unwrap(), [entry.clone(), entries().remove(1)], "{file}");
            }
        }
    }

    #[test]
    fn no_address_is_lost_and_no_scope_widened_in_silence() {
        let everybody = |address| Entry::new(address, Scope::All, Why::Manual, NOW);
        let fault = |text: &str| format!("{:#}", parse(text, everybody).unwrap_err());
        assert!(fault("email,list\na@a.example,weekly\n").starts_with("line 2: the list \"weekly\" is of no account"));
        let swallowed = fault("email,reason\na@a.example,\"open\nb@a.example,x\n");
        assert!(swallowed.starts_with("line 2: a quote in it is not closed, and 1 of the rows"), "{swallowed}");
        let scope = |text: &str| parse(text, given).unwrap()[0].scope.clone();
        assert_eq!(scope("email,list\na@a.example,weekly\n"), Scope::of(Some("shop"), Some("weekly")));
        let reasons: Vec<_> = parse("\u{feff}Email;Reason\r\na@a.example;asked\r\n", given).unwrap();
        assert_eq!((reasons.len(), reasons[0].reason.as_str()), (1, "asked"));
        let lines =
            parse("{\"email\": \"a@a.example\", \"x\": 5}\n{\"address\":\"b@a.example\",\"why\":\"complaint\"}", given)
                .unwrap();
        assert_eq!((lines.len(), lines[0].why, lines[1].why), (2, Why::Manual, Why::Complaint));
        assert_eq!(fault("{\"address\": 5}"), "line 1: address is 5: write a text");
    }

    #[test]
    fn lists_of_others_are_read_with_what_the_command_line_says() {
        let expected = vec![given(Address::parse("ann@example.net").unwrap())];
        for text in [
            "ann@example.net\n",
            "\u{feff}Email,Created\nann@example.net,2024-01-01\n",
            "created,email\n,ann@example.net\n\n",
            "\n  ann@example.net  \n",
        ] {
            assert_eq!(parse(text, given).unwrap(), expected, "{text:?}");
        }
        assert_eq!(parse("", given).unwrap(), []);
    }

    #[test]
    fn a_fault_names_its_line() {
        let check = |text: &str, expected: &str| {
            let said = format!("{:#}", parse(text, given).unwrap_err());
            assert!(said.contains(expected), "{text:?}: {said}");
        };
        check("address\nann@example.net\nnobody\n", "line 3: \"nobody\" is not an address");
        check("address,why\nann@example.net,because\n", "line 2: why is \"because\"");
        check("address,scope\nann@example.net,list\n", "line 2: scope \"list\" does not go");
        check("address,at\nann@example.net,yesterday\n", "line 2: at is \"yesterday\"");
        // Found by fuzzing: such a list was exported as a row that nobody could import.
        check(
            "address,account,list\nann@example.net,shop,\"a\nb\"\n",
            "line 2: the list \"a\\nb\" has control characters",
        );
        check("{\"why\":\"manual\"}\n", "line 1: \"\" is not an address");
        check("{\"address\":\"ann@example.net\"}\n{\n", "line 2: this is no JSON object");
    }
}
