//! Who it says it is from: `msg.from`, `msg.unique`.

use repute_types::{Address, Level, Remark};

use super::{Letter, stands_once, words};
use crate::fault::excerpt;
use crate::header::{Field, Header, Mailbox, mailboxes};

/// Mailbox providers for persons. Their domains ask receivers to refuse mail that others send as
/// them, and filters mind answers that go there.
const FREE: [&str; 20] = [
    "gmail.com",
    "googlemail.com",
    "yahoo.com",
    "ymail.com",
    "aol.com",
    "hotmail.com",
    "outlook.com",
    "live.com",
    "msn.com",
    "icloud.com",
    "me.com",
    "gmx.de",
    "gmx.net",
    "web.de",
    "t-online.de",
    "mail.ru",
    "yandex.ru",
    "qq.com",
    "163.com",
    "proton.me",
];

pub(super) fn judge(letter: &Letter<'_>, remarks: &mut Vec<Remark>) -> Option<Address> {
    unique(letter.header, remarks);
    let from = authors(letter.header, remarks);
    let first = from.first().map(|(_, mailbox)| mailbox.address.clone());
    if let Some((value, mailbox)) = from.first() {
        display_name(value, mailbox, remarks);
        free_mailbox(&mailbox.address, remarks);
        answers_elsewhere(letter.header, &mailbox.address, remarks);
    }
    first
}

fn unique(header: &Header, remarks: &mut Vec<Remark>) {
    for name in stands_once() {
        let count = header.all(name).count();
        if count > 1 {
            let found = format!("{name} stands {count} times, and may stand once");
            let sign = if *name == "From" { "from.twice" } else { "fields.twice" };
            remarks.push(Remark::new("msg.unique", Level::Fail, found, format!("leave one {name} field")).sign(sign));
        }
    }
}

fn fail(sign: &'static str, found: String, fix: impl Into<String>) -> Remark {
    Remark::new("msg.from", Level::Fail, found, fix).sign(sign)
}

/// The mailboxes of the first From field, each with the value that its name lies in.
fn authors(header: &Header, remarks: &mut Vec<Remark>) -> Vec<(Vec<u8>, Mailbox)> {
    let Some(field) = header.find("From") else {
        remarks.push(fail("from.missing", "there is no From field".into(), "write From: Name <name@your-domain>"));
        return Vec::new();
    };
    let value = field.value.to_vec();
    match mailboxes(&value) {
        Ok(list) if list.is_empty() => {
            let found = "the From field has no address in it".to_owned();
            remarks.push(fail("from.invalid", found, "write From: Name <name@your-domain>"));
            Vec::new()
        }
        Ok(list) => {
            if list.len() > 1 {
                let found = format!("From names {} addresses; Gmail refuses more than one", list.len());
                remarks.push(fail("from.several", found, "name one author in From, and the others in Reply-To"));
            }
            list.into_iter().map(|mailbox| (value.clone(), mailbox)).collect()
        }
        Err(error) => {
            let found = format!("From \"{}\" is not an address: {error}", excerpt(&field.text()));
            remarks.push(fail("from.invalid", found, "write From: Name <name@your-domain>"));
            Vec::new()
        }
    }
}

/// A name that looks like another address is what phishing does.
fn display_name(value: &[u8], mailbox: &Mailbox, remarks: &mut Vec<Remark>) {
    let written = &value[mailbox.name.clone()];
    let opened: Vec<u8> = words::encoded(written).into_iter().flat_map(|word| word.octets).collect();
    let text = if opened.is_empty() { String::from_utf8_lossy(written) } else { String::from_utf8_lossy(&opened) };
    let is_border = |c: char| c.is_whitespace() || "\"'<>()[],;:".contains(c);
    let other = text.split(is_border).find_map(|word| Address::parse(word).ok());
    let Some(other) = other else { return };
    let own = &mailbox.address;
    let fix = "write a plain name, such as From: Shop <shop@your-domain>";
    remarks.push(if other.domain() == own.domain() {
        let found = format!("the name in From is an address itself ({other})");
        Remark::new("msg.from", Level::Warn, found, fix).sign("from.name.address")
    } else {
        fail("from.name.spoof", format!("the name in From looks like another address: {other}, not {own}"), fix)
    });
}

fn free_mailbox(from: &Address, remarks: &mut Vec<Remark>) {
    if FREE.contains(&from.domain().as_str()) {
        let found = format!("From is a mailbox at {}, which only {} itself may send as", from.domain(), from.domain());
        remarks.push(fail("from.free", found, "send as your own domain, and name the mailbox in Reply-To"));
    }
}

fn answers_elsewhere(header: &Header, from: &Address, remarks: &mut Vec<Remark>) {
    let reply_to = header.find("Reply-To").map(|f: Field<'_>| crate::header::addresses(f.value));
    let Some(Ok(list)) = reply_to else { return };
    let free = list.iter().find(|a| FREE.contains(&a.domain().as_str()) && a.domain() != from.domain());
    if let Some(free) = free {
        let found = format!("answers go to {free}, a mailbox of a person; filters mind that of a company's mail");
        let fix = format!("have answers go to a mailbox at {}", from.domain());
        remarks.push(Remark::new("msg.from", Level::Warn, found, fix).sign("replyto.free"));
    }
}
