//! Whom a notice in free form is about: the addresses that stand on lines of their own, each with what is said of it, or
//! the one that stands in a sentence.

use crate::find;
use crate::original::Original;

/// The addresses that stand at the beginning of a line, each with what follows up to the next.
pub(super) fn blocks(text: &str, failed: &[String], sender: &str) -> Vec<(String, String)> {
    let text = behind_the_description(text);
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut before = String::new();
    let mut previous = "";
    let (mut margin, mut is_new_paragraph) = (None, true);
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        // What is said of one may name another at the beginning of an indented line.
        let goes_on = !is_new_paragraph && margin.is_some_and(|margin| indent > margin);
        let named = recipient_line(line).filter(|_| !goes_on).filter(|(address, _)| {
            (may_be(address, failed, sender) || (failed.is_empty() && is_headed(line)))
                && !previous.ends_with(" sent by")
                && !previous.ends_with(" from")
        });
        if named.is_some() {
            margin.get_or_insert(indent);
        }
        match named {
            Some((address, rest)) => match blocks.iter().position(|(known, _)| known.eq_ignore_ascii_case(&address)) {
                // Told again: what is said goes on.
                Some(nth) => {
                    let mut block = blocks.remove(nth);
                    block.1 = format!("{} {rest}", block.1);
                    blocks.push(block);
                }
                None => blocks.push((address, rest.to_owned())),
            },
            None => {
                let into = blocks.last_mut().map_or(&mut before, |(_, said)| said);
                into.push(' ');
                into.push_str(line);
            }
        }
        is_new_paragraph = line.trim().is_empty();
        if !is_new_paragraph {
            previous = line.trim_end().trim_end_matches(':');
        }
    }
    let said_later = blocks.last().map(|(_, said)| said.clone()).unwrap_or_default();
    for (_, said) in &mut blocks {
        // Some say first what was wrong, or list addresses first and say it for all.
        if said.trim().len() < 4 {
            *said = if said_later.trim().len() < 4 { before.clone() } else { said_later.clone() };
        }
        *said = one_line(said);
    }
    blocks
}

/// The addresses that a transcript names behind a code, each with what stands before it: `550 <u@example.com>... User
/// unknown`, as sendmail wrote when it had no list of recipients, or `[Status: Error, Address: <u@example.com>, …]`.
pub(super) fn transcribed(text: &str) -> Vec<(String, String)> {
    let mut blocks: Vec<(String, String)> = Vec::new();
    let mut said = String::new();
    for line in text.lines().map(str::trim) {
        said.push(' ');
        said.push_str(line);
        let Some(address) = coded(line) else { continue };
        let said = one_line(&std::mem::take(&mut said));
        match blocks.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(&address)) {
            Some((_, before)) => {
                before.push(' ');
                before.push_str(&said);
            }
            None => blocks.push((address, said)),
        }
    }
    if let Some((_, last)) = blocks.last_mut() {
        *last = one_line(&format!("{last} {said}"));
    }
    blocks
}

/// Whom a line of a transcript is about.
fn coded(line: &str) -> Option<String> {
    if line.len() > 2000 {
        return None;
    }
    if let Some((_, inside)) = line.split_once("Address: <").filter(|_| line.starts_with("[Status: ")) {
        return find::address(inside);
    }
    let (code, rest) = line.split_once(' ')?;
    let is_code = code.len() == 3 && code.starts_with(['4', '5']) && code.bytes().all(|b| b.is_ascii_digit());
    let rest = match rest.split_once(' ') {
        Some((status, behind)) if find::status(status).is_some() && !status.contains('@') => behind,
        _ => rest,
    };
    let inside = rest.strip_prefix('<').unwrap_or(rest);
    let address = find::address(inside).filter(|address| is_code && inside.starts_with(address.as_str()))?;
    inside[address.len()..].trim_start_matches('>').starts_with("...").then_some(address)
}

/// AOL tells its own users by their names alone, below a sentence that ends in a colon.
pub(super) fn screen_names(text: &str, domain: Option<&str>) -> Vec<(String, String)> {
    let Some((domain, (sentence, below))) = domain.zip(text.split_once("they are not accepting mail")) else {
        return Vec::new();
    };
    let Some((rest, names)) = below.split_once(":\n") else { return Vec::new() };
    let said = one_line(&format!("{sentence}they are not accepting mail{rest}"));
    let is_name = |name: &&str| !name.is_empty() && name.len() < 64 && name.bytes().all(|b| b.is_ascii_alphanumeric());
    let names = names.lines().map(str::trim).skip_while(|line| line.is_empty()).take_while(is_name);
    names.map(|name| (format!("{name}@{domain}"), said.clone())).collect()
}

/// Exchange describes the message first, with whom it was written to; whom it did not reach stands behind that.
fn behind_the_description(text: &str) -> &str {
    const LEADS: [&str; 2] = ["did not reach the following recipient(s):", "Did not reach the following recipient:"];
    let behind = LEADS.iter().find_map(|lead| text.split_once(lead)).map(|(_, behind)| behind);
    behind.filter(|behind| find::address(behind).is_some()).unwrap_or(text)
}

fn may_be(address: &str, failed: &[String], sender: &str) -> bool {
    let address = address.to_lowercase();
    let is_failed = failed.iter().any(|f| f.eq_ignore_ascii_case(&address));
    is_failed
        || (failed.is_empty()
            && address != sender
            && !address.starts_with("postmaster@")
            && !address.starts_with("mailer-daemon@"))
}

/// `<u@example.com>:` heads what is said of a recipient, and of nobody else.
fn is_headed(line: &str) -> bool {
    line.starts_with('<') && line.trim_end().ends_with(">:")
}

/// `<u@example.com>:`, `  u@example.com`, `* u@example.com`, `u@example.com: 550 …`, `>>> u@example.com <u@example.com>`.
fn recipient_line(line: &str) -> Option<(String, &str)> {
    let line = line.trim();
    if line.len() > 2000 {
        return None;
    }
    if let Some(address) = behind_its_fault(line).or_else(|| owner(line)) {
        return Some((address, line));
    }
    let bare = line.trim_start_matches(['*', '>', '-', '•', ' ', '"', '\'']);
    const LEADS: [&str; 8] = [
        "To:",
        "Recipient:",
        "Recipient address:",
        "RCPT TO:",
        "Address:",
        "Failed Recipient:",
        "Undeliverable Address:",
        "Intended recipient:",
    ];
    let bare = LEADS.iter().fold(bare, |b, lead| b.strip_prefix(lead).unwrap_or(b)).trim_start();
    let inside = bare.strip_prefix('<').unwrap_or(bare);
    let address = find::address(inside).filter(|address| inside.starts_with(address.as_str()))?;
    let rest = inside[address.len()..].trim_start_matches(['>', '"', '\'']);
    let rest = rest.trim_start();
    let good = rest.is_empty()
        // `ann@example.net on Fri, 20 Jul`, `on 7/20/2007 10:05 AM`
        || rest.strip_prefix("on ").is_some_and(|when| when.get(3..5) == Some(", ") || when.starts_with(|c: char| c.is_ascii_digit()))
        || rest.starts_with([':', '(', '<', ',', ';'])
        || rest.starts_with("...")
        || rest.starts_with("- ")
        // `u@example.com Invalid Address, ERROR_CODE :550, …`
        || rest.contains(", ERROR_CODE :");
    good.then(|| (address, rest.trim_start_matches([':', ' ', ',', ';'])))
}

/// Whose file or program Exim names in the line above: `(generated from u@example.com)`.
fn owner(line: &str) -> Option<String> {
    const LEADS: [&str; 3] = ["(generated from ", "generated from ", "generated by "];
    let behind = LEADS.iter().find_map(|lead| line.strip_prefix(lead))?;
    let behind = behind.strip_suffix(')').unwrap_or(behind);
    find::address(behind).filter(|address| address == behind)
}

/// The address of `Unknown user: u@example.com`, which names the fault first.
fn behind_its_fault(line: &str) -> Option<String> {
    const FAULTS: [&str; 6] = [
        "unknown user: ",
        "unknown host: ",
        "user mailbox exceeds allowed size: ",
        "invalid final delivery userid: ",
        "delivery failed 20 attempts: ",
        "undeliverable to ",
    ];
    let fault = FAULTS.iter().find(|fault| line.get(..fault.len()).is_some_and(|l| l.eq_ignore_ascii_case(fault)))?;
    let behind = line[fault.len()..].trim().trim_start_matches('<').trim_end_matches(['>', '.']);
    find::address(behind).filter(|address| address == behind)
}

/// The address in a sentence, where none stands on its own.
pub(super) fn in_sentence(text: &str, failed: &[String], sender: &str, original: &Original) -> Option<String> {
    if let Some(first) = failed.first() {
        return Some(first.clone());
    }
    let lower = text.to_lowercase();
    let same = lower.len() == text.len();
    let leads = [
        "rcpt to:",
        "recipient: ",
        "recipient <",
        "delivered to: ",
        "deliver message to: ",
        "your mail to ",
        "undeliverable to ",
        "mailing list <",
    ];
    const AHEAD: [&str; 4] =
        ["the following recipient", "the following address", "the following user", "recipients of your message"];
    let ahead = |text: &str| find::addresses(text).take(5).find(|address| may_be(address, failed, sender));
    let led_below = || {
        let after = AHEAD.iter().filter(|_| same).find_map(|lead| lower.find(lead))?;
        ahead(&text[after..text.floor_char_boundary(after + 400)])
    };
    let led = leads.iter().filter(|_| same).find_map(|lead| {
        let after = lower.find(lead)? + lead.len();
        let line = text[after..].lines().next()?;
        find::address(line)
    });
    let to = || original.field("to").and_then(find::address);
    led.or_else(led_below)
        .or_else(|| find::addresses(text).take(50).find(|address| may_be(address, failed, sender)))
        .or_else(to)
}

pub(super) fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
