//! Delivery reports by the book (RFC 3464): the fields of `message/delivery-status`, wherever
//! they stand.
//!
//! Servers write them into a part of that type, into a part of no type, or into the body of a
//! message that has lost its structure. So the fields are looked for in the parts first, then in
//! the text. Bound: [`RECIPIENTS`] are read.

use repute_types::EnhancedCode;

use crate::cause::{self, Said};
use crate::find;
use crate::freeform::notice_and_original;
use crate::mail::{Leaf, Mail};
use crate::original::Original;
use crate::report::{Action, Report, Reported};

const RECIPIENTS: usize = 1000;
/// Octets of what a server said about one recipient.
const DIAGNOSTIC: usize = 4096;

/// `None` where there are no fields about a recipient.
pub(crate) fn read(mail: &Mail<'_>) -> Option<Report> {
    let is_status =
        |leaf: &&Leaf<'_>| matches!(leaf.kind.as_str(), "message/delivery-status" | "message/global-delivery-status");
    let told: Vec<String> = mail.leaves.iter().filter(is_status).map(Leaf::text).collect();
    let groups: Vec<Group> = told.iter().flat_map(|text| groups(text)).collect();
    of_groups(&groups, mail).or_else(|| {
        // Without a type: the fields stand in some text.
        let texts = mail.leaves.iter().filter(|leaf| leaf.is_text() || leaf.kind == "application/octet-stream");
        let text = texts.map(Leaf::text).find(|text| has_status_fields(text))?;
        of_groups(&groups_in_text(&text), mail)
    })
}

/// Fields up to an empty line, names in lower case.
#[derive(Default)]
struct Group(Vec<(String, String)>);

impl Group {
    fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn is_of_recipient(&self) -> bool {
        self.value("final-recipient").or_else(|| self.value("original-recipient")).is_some()
            || (self.value("x-actual-recipient").is_some() && self.value("action").is_some())
    }
}

fn of_groups(groups: &[Group], mail: &Mail<'_>) -> Option<Report> {
    let explanation = explanation(mail);
    let about: Vec<&Group> = groups.iter().filter(|group| group.is_of_recipient()).take(RECIPIENTS).collect();
    let named: Vec<String> = about.iter().map(|group| last(group)).collect();
    let recipients: Vec<Reported> = about.iter().map(|group| reported(group, &explanation, &named)).collect();
    if recipients.is_empty() {
        return None;
    }
    let of_message = groups.iter().find(|group| !group.is_of_recipient());
    let said = |name: &str| of_message.or(groups.first()).and_then(|group| group.value(name));
    Some(Report {
        form: "rfc3464",
        reporter: said("reporting-mta").map(typed_name).filter(|name| !name.is_empty()),
        envelope: said("original-envelope-id").map(str::to_owned),
        recipients,
        original: Original::of_mail(mail),
    })
}

/// What a report says to people: all text before the returned message.
fn explanation(mail: &Mail<'_>) -> String {
    let before = mail.leaves.iter().take_while(|leaf| !leaf.is_message());
    let texts = before.filter(|leaf| leaf.kind == "text/plain").take(3).map(Leaf::text);
    // Some quote the header of the returned message in the same part, or have lost their structure.
    let texts: Vec<String> = texts.map(|text| sentences(&text).to_owned()).collect();
    if texts.iter().any(|text| !text.trim().is_empty()) {
        return texts.join("\n");
    }
    mail.leaves.iter().find(|leaf| leaf.kind == "text/html").map(Leaf::text).unwrap_or_default()
}

/// What stands before the returned message, and before the fields.
fn sentences(text: &str) -> &str {
    let said = notice_and_original(text).0;
    let fields = ["\nReporting-MTA:", "\nFinal-Recipient:", "\nOriginal-Recipient:"];
    &said[..fields.iter().filter_map(|name| said.find(name)).min().unwrap_or(said.len())]
}

fn original(group: &Group) -> Option<String> {
    group.value("original-recipient").map(typed_address).filter(|address| !address.is_empty())
}

/// Whom the fields are about.
fn last(group: &Group) -> String {
    let last = group.value("final-recipient").or_else(|| group.value("x-actual-recipient")).map(typed_address);
    last.filter(|address| !address.is_empty()).or_else(|| original(group)).unwrap_or_default()
}

fn reported(group: &Group, explanation: &str, recipients: &[String]) -> Reported {
    let (original, last) = (original(group), last(group));
    let status = group.value("status").and_then(find::status);
    let mut diagnostic = group.value("diagnostic-code").map(|value| without_type(value).to_owned()).unwrap_or_default();
    if diagnostic.is_empty() {
        diagnostic = reply_beside(explanation, &last).unwrap_or_default();
    }
    if diagnostic.is_empty() {
        diagnostic = group.value("status").and_then(comment).unwrap_or_default().to_owned();
    }
    diagnostic.truncate(diagnostic.floor_char_boundary(DIAGNOSTIC));
    let action = action(group.value("action"), status, &diagnostic);
    let remote = group.value("remote-mta").map(typed_name).filter(|name| !name.is_empty());
    let said = Said {
        status,
        diagnostic: &diagnostic,
        explanation,
        subject: "",
        remote: remote.as_deref(),
        recipient: &last,
        recipients,
        action,
    };
    let read = cause::read(&said);
    Reported {
        original,
        last,
        action,
        status: read.status,
        is_status_told: read.is_status_told,
        reply: read.reply,
        diagnostic,
        remote,
        cause: read.cause,
    }
}

/// What RFC 3464 §2.3.4 lets stand behind a status: `4.0.0 (there.example: host name lookup failure)`.
fn comment(status: &str) -> Option<&str> {
    let inside = status.split_once('(')?.1.trim_end().trim_end_matches(')');
    let says_nothing = ["permanent", "persistent", "transient", "unknown", "other"]
        .iter()
        .any(|word| inside.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)));
    (!inside.is_empty() && !says_nothing).then_some(inside)
}

/// The reply that stands beside the recipient in the sentences, for servers that write no Diagnostic-Code, as OpenSMTPD
/// does: `ann@example.net: 550 5.1.1 no such user`.
fn reply_beside(explanation: &str, recipient: &str) -> Option<String> {
    let (_, after) = explanation.split_once(recipient).filter(|_| !recipient.is_empty())?;
    let said = after.trim_start_matches('>').strip_prefix(':')?.trim_start();
    let paragraph: Vec<&str> = said.lines().take_while(|line| !line.trim().is_empty()).map(str::trim).collect();
    let reply = paragraph.join(" ");
    find::reply_code(&reply).filter(|(code, place)| *code >= 400 && *place == 0).map(|_| reply)
}

/// RFC 3464 §2.3.3; what is no action of it is told by the status.
fn action(value: Option<&str>, status: Option<EnhancedCode>, diagnostic: &str) -> Action {
    let word = value.and_then(|v| v.split([' ', ';', '(']).next()).unwrap_or_default().trim().to_ascii_lowercase();
    match word.as_str() {
        "failed" | "failure" => Action::Failed,
        "delayed" => Action::Delayed,
        "delivered" | "deliverable" => Action::Delivered,
        "relayed" => Action::Relayed,
        "expanded" => Action::Expanded,
        _ => match status.or_else(|| find::status(diagnostic)) {
            Some(EnhancedCode(2, ..)) => Action::Delivered,
            Some(EnhancedCode(4, ..)) => Action::Delayed,
            _ => Action::Failed,
        },
    }
}

/// Groups of fields, cut at empty lines and where a recipient's fields begin anew.
fn groups(text: &str) -> Vec<Group> {
    let mut groups = vec![Group::default()];
    for line in text.lines() {
        let last = groups.last_mut().expect("there is always one");
        if line.trim().is_empty() {
            if !last.0.is_empty() {
                groups.push(Group::default());
            }
        } else if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = last.0.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':').filter(|(name, _)| is_name(name)) {
            let name = name.trim_end().to_ascii_lowercase();
            let begins =
                matches!(name.as_str(), "final-recipient" | "original-recipient") && last.value(&name).is_some();
            if begins {
                groups.push(Group::default());
            }
            let last = groups.last_mut().expect("there is always one");
            last.0.push((name, value.trim().to_owned()));
        } else if let Some((_, value)) = last.0.last_mut() {
            // A long value that somebody has broken without indenting it.
            value.push(' ');
            value.push_str(line.trim());
        }
    }
    joined(groups)
}

/// Some put an empty line between a recipient's fields: what names no recipient belongs to the one before it.
fn joined(groups: Vec<Group>) -> Vec<Group> {
    let mut out: Vec<Group> = Vec::new();
    for group in groups.into_iter().filter(|group| !group.0.is_empty()) {
        let stray =
            !group.is_of_recipient() && (group.value("status").is_some() || group.value("diagnostic-code").is_some());
        match out.last_mut() {
            Some(last) if stray && last.is_of_recipient() => last.0.extend(group.0),
            _ => out.push(group),
        }
    }
    out
}

fn is_name(name: &str) -> bool {
    let name = name.trim_end();
    !name.is_empty() && name.len() < 60 && name.bytes().all(|b| (33..=126).contains(&b))
}

fn has_status_fields(text: &str) -> bool {
    let has = |name: &str| {
        text.lines()
            .any(|line| line.len() > name.len() && line.as_bytes()[..name.len()].eq_ignore_ascii_case(name.as_bytes()))
    };
    (has("final-recipient:") || has("original-recipient:")) && (has("action:") || has("status:"))
}

/// The fields from the first line that is one of theirs to the first that belongs to a returned message.
fn groups_in_text(text: &str) -> Vec<Group> {
    const OURS: [&str; 12] = [
        "reporting-mta",
        "final-recipient",
        "original-recipient",
        "action",
        "status",
        "diagnostic-code",
        "remote-mta",
        "arrival-date",
        "last-attempt-date",
        "original-envelope-id",
        "x-actual-recipient",
        "received-from-mta",
    ];
    let is_ours =
        |line: &&str| line.split_once(':').is_some_and(|(name, _)| OURS.contains(&name.to_ascii_lowercase().as_str()));
    let lines: Vec<&str> = text.lines().collect();
    let Some(start) = lines.iter().position(is_ours) else { return Vec::new() };
    let ends =
        |line: &&&str| line.starts_with("--") || line.starts_with("Return-Path:") || line.starts_with("Received:");
    let end = lines[start..].iter().position(|line| ends(&line)).map_or(lines.len(), |n| start + n);
    groups(&lines[start..end].join("\n"))
}

/// `rfc822; user@example.com`, `rfc822;<user@example.com>`, with comments or quotes around.
fn typed_address(value: &str) -> String {
    let text = without_type(value);
    find::address(text).unwrap_or_else(|| crate::original::in_brackets(text).trim_matches('"').to_owned())
}

/// `dns; mail.example.com (192.0.2.1)`
fn typed_name(value: &str) -> String {
    let text = without_type(value);
    text.split([' ', '\t', '(']).next().unwrap_or_default().trim_matches(['<', '>', '"', '[', ']']).to_owned()
}

/// What follows `type;`, if that is a type.
fn without_type(value: &str) -> &str {
    match value.split_once(';') {
        Some((kind, rest)) if kind.trim().len() < 24 && !kind.trim().contains([' ', '@', '<']) => rest.trim(),
        _ => value.trim(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_cut_at_empty_lines_and_at_recipients() {
        let text = "Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; b@c\nStatus: 5.1.1\nFinal-Recipient: rfc822; d@e\n\nStatus: 4.2.2\n more\nX";
        let groups = groups(text);
        let names: Vec<Vec<&str>> = groups.iter().map(|g| g.0.iter().map(|(n, _)| n.as_str()).collect()).collect();
        assert_eq!(
            names,
            [vec!["reporting-mta"], vec!["final-recipient", "status"], vec!["final-recipient", "status"]]
        );
        assert_eq!(groups[2].value("status"), Some("4.2.2 more X"));
    }

    #[test]
    fn types_are_taken_off() {
        for (value, expected) in [
            ("rfc822; u@example.com", "u@example.com"),
            ("Rfc822;<u@example.com>", "u@example.com"),
            ("u@example.com", "u@example.com"),
            ("rfc822; \"u v\"@example.com", "\"u v\"@example.com"),
            ("X400; /S=u/", "/S=u/"),
        ] {
            assert_eq!(typed_address(value), expected, "{value}");
        }
        assert_eq!(typed_name("dns; mx.example.com (192.0.2.1)"), "mx.example.com");
        assert_eq!(without_type("550 5.1.1 no; really"), "550 5.1.1 no; really");
    }
}
