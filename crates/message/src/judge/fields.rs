//! Fields that have to be there and right: `msg.id`, `msg.date`, `msg.subject.to`,
//! `msg.private`, `msg.size`, `msg.auto`.

use std::net::IpAddr;

use mail_parser::parsers::MessageStream;
use repute_types::{Domain, Level, Remark};

use super::Letter;
use crate::fault::excerpt;
use crate::header;
use crate::whole::REVEALING;

const HOUR: i64 = 3600;
/// A field beyond this is refused or cut by some receivers.
const FIELD_MOST: usize = 16 * 1024;
/// Gmail's and others' limit of a whole header is not published; none takes much more.
const HEADER_MOST: usize = 64 * 1024;
/// Gmail, Yahoo and Outlook.com take 25 MB.
const MESSAGE_MOST: usize = 25_000_000;

pub(super) fn judge(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    id(letter, remarks);
    date(letter, remarks);
    subject_and_to(letter, remarks);
    private(letter, remarks);
    size(letter, remarks);
    automatic(letter, remarks);
}

fn id(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    let mut add = |level, sign, found: String, fix: &str| {
        remarks.push(Remark::new("msg.id", level, found, fix).sign(sign));
    };
    let missing = "Repute adds one at submission; elsewhere write Message-ID: <unique@your-host-name>";
    let Some(field) = letter.header.find("Message-ID") else {
        return add(Level::Fail, "mid.missing", "there is no Message-ID".into(), missing);
    };
    let ids = header::message_ids(field.value);
    let id = match ids.as_deref() {
        Some([]) => return add(Level::Fail, "mid.missing", "the Message-ID is empty".into(), missing),
        Some([id]) => *id,
        _ => {
            let found = format!("the Message-ID \"{}\" is not of the form <unique@host>", excerpt(&field.text()));
            return add(Level::Fail, "mid.invalid", found, "write <unique@your-host-name>, or leave it out");
        }
    };
    let right = id.rsplit_once('@').map_or("", |(_, right)| right);
    let fix = "end the Message-ID in the full name of your host or domain";
    if right.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        let sign = if right.starts_with('[') { "mid.literal" } else { "mid.address" };
        add(Level::Warn, sign, format!("the Message-ID ends in an address ({right}), not a name"), fix);
    } else if !right.contains('.') || Domain::parse(right).is_err() {
        add(Level::Warn, "mid.short", format!("the Message-ID ends in \"{right}\", which is no full host name"), fix);
    }
}

fn date(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    let mut add = |level, sign, found: String, fix: &str| {
        remarks.push(Remark::new("msg.date", level, found, fix).sign(sign));
    };
    let fix = "Repute adds the date at submission; elsewhere set the clock by NTP and write the date of sending";
    let Some(field) = letter.header.find("Date").filter(|f| !f.text().is_empty()) else {
        return add(Level::Fail, "date.missing", "there is no Date".into(), fix);
    };
    let mut value = field.value.to_vec();
    value.push(b'\n');
    let parsed = MessageStream::new(&value).parse_date().into_datetime().filter(|d| d.is_valid());
    let Some(at) = parsed.filter(|_| header::is_date(field.value)).map(|d| d.to_timestamp()) else {
        let found = format!("Date \"{}\" is no date", excerpt(&field.text()));
        return add(Level::Fail, "date.invalid", found, fix);
    };
    let ahead = at - letter.about.now.seconds();
    let hours = ahead.abs() / HOUR;
    match ahead {
        _ if ahead > 3 * HOUR => {
            add(Level::Fail, "date.future", format!("the date lies {hours} hours ahead of this machine's clock"), fix);
        }
        _ if ahead > HOUR => {
            add(Level::Warn, "", format!("the date lies {} minutes ahead of this machine's clock", ahead / 60), fix);
        }
        _ if ahead < -96 * HOUR => {
            add(Level::Fail, "date.past", format!("the date lies {} days back", hours / 24), fix);
        }
        _ if ahead < -24 * HOUR => add(Level::Warn, "date.old", format!("the date lies {hours} hours back"), fix),
        _ => {}
    }
}

fn subject_and_to(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    let mut add = |sign, found: &str, fix: &str| {
        remarks.push(Remark::new("msg.subject.to", Level::Warn, found.to_owned(), fix).sign(sign));
    };
    let text = |name: &str| letter.header.find(name).map(|f| f.text().trim_ascii().to_vec());
    match text("Subject") {
        None => add("subject.missing", "there is no Subject", "write what the message is about"),
        Some(text) if text.is_empty() => add("subject.empty", "the Subject is empty", "write what it is about"),
        Some(_) => {}
    }
    let undisclosed = "name the recipient in To: one message to each person is what receivers trust";
    match text("To") {
        None if letter.header.find("Cc").is_none() => add("to.missing", "there is no To", undisclosed),
        Some(to) if to.to_ascii_lowercase().starts_with(b"undisclosed") => {
            add("to.undisclosed", "To hides the recipients", undisclosed);
        }
        _ => {}
    }
}

fn private(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    for field in letter.header.fields() {
        let Some(name) = REVEALING.iter().find(|name| field.is(name)) else { continue };
        let found = format!("{name} tells where it was submitted: \"{}\"", excerpt(&field.text()));
        let fix = "take the field out; an account with private = true has Repute do it";
        let sign = if *name == "X-Originating-IP" { "xoip" } else { "" };
        remarks.push(Remark::new("msg.private", Level::Warn, found, fix).sign(sign));
    }
}

fn size(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    let mut add = |level, found: String, fix: &str| remarks.push(Remark::new("msg.size", level, found, fix));
    for field in letter.header.fields().filter(|f| f.range.len() > FIELD_MOST) {
        let found = format!("{} has {} octets; Gmail refuses large header fields", field.name, field.range.len());
        add(Level::Warn, found, "make the field smaller: split the list of recipients into messages");
    }
    let header = letter.header.octets().len();
    if header > HEADER_MOST {
        add(Level::Warn, format!("the header has {header} octets; Gmail refuses large ones"), "leave fields out");
    }
    let all = letter.octets.len();
    if all > MESSAGE_MOST {
        let found = format!("it has {:.1} MB, and large receivers take 25", all as f64 / 1e6);
        add(Level::Fail, found, "send a link in place of the attachment");
    }
}

fn automatic(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    if letter.header.find("Auto-Submitted").is_some() {
        return;
    }
    let text = |name: &str| {
        letter.header.find(name).map_or(String::new(), |f| String::from_utf8_lossy(&f.text()).to_ascii_lowercase())
    };
    let is_report = text("Content-Type").starts_with("multipart/report");
    let answers = text("Precedence").contains("auto") || letter.header.find("X-Autoreply").is_some();
    if is_report || answers {
        let found = "an automatic message does not say so, and gets answered by other machines".to_owned();
        let level = if is_report { Level::Fail } else { Level::Warn };
        remarks.push(Remark::new("msg.auto", level, found, "add Auto-Submitted: auto-replied, with an empty sender"));
    }
}
