//! Complaints: somebody called a message of ours spam (RFC 5965, RFC 9477; the forms of
//! Microsoft's JMRP and Yahoo's CFL are the same with fields of their own).

use crate::find;
use crate::mail::{Leaf, Mail, split};
use crate::original::{Original, in_brackets};

const ADDRESSES: usize = 100;

/// A complaint about a message of ours.
#[derive(Clone, Debug, PartialEq)]
pub struct Complaint {
    /// Feedback-Type, lower case: `abuse`, `fraud`, `virus`, `not-spam`, `auth-failure`, `opt-out`, …
    pub kind: String,
    /// User-Agent: who made the report.
    pub reporter: Option<String>,
    /// Original-Mail-From: our return path.
    pub return_path: Option<String>,
    /// Those who complained or may have: Original-Rcpt-To, or whom the message went to. Many receivers
    /// hide them.
    pub recipients: Vec<String>,
    /// The address that the message came from, as they saw it.
    pub source: Option<std::net::IpAddr>,
    /// Reported-Domain.
    pub domains: Vec<String>,
    /// All fields of the report as they were given.
    pub fields: Vec<(String, String)>,
    pub original: Original,
}

impl Complaint {
    /// The first field of the report of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// `None` where there is no feedback report.
pub(crate) fn read(mail: &Mail<'_>) -> Option<Complaint> {
    let fields = match mail.leaf(&["message/feedback-report"]) {
        Some(leaf) => Some(fields_of(leaf)),
        None => fields_in_text(mail),
    };
    match fields {
        Some(fields) => Some(of_fields(fields, mail)),
        // It says what it is, and its fields are lost.
        None if mail.report_type.as_deref() == Some("feedback-report") => Some(of_fields(Vec::new(), mail)),
        None => of_jmrp(mail),
    }
}

/// The fields where a gateway has taken the part's type away, or the parts as well. A human who quotes them has put a mark
/// before each line, or answers something.
fn fields_in_text(mail: &Mail<'_>) -> Option<Vec<(String, String)>> {
    const FIRST: [&str; 3] = ["feedback-type:", "user-agent:", "version:"];
    if mail.header.has("in-reply-to") {
        return None;
    }
    let begins = |line: &str, name: &str| line.get(..name.len()).is_some_and(|l| l.eq_ignore_ascii_case(name));
    let before = mail.leaves.iter().take_while(|leaf| !leaf.is_message()).take(3);
    before.filter(|leaf| leaf.is_text() || leaf.kind == "application/octet-stream").find_map(|leaf| {
        let text = leaf.text();
        let fields = text.split("\n\n").find(|group| {
            let first = group.trim_start_matches('\n');
            FIRST.iter().any(|name| begins(first, name))
                && FIRST.iter().take(2).all(|name| first.lines().any(|line| begins(line, name)))
        })?;
        let (header, _) = split(fields.trim_start_matches('\n').as_bytes());
        Some(header.fields().map(|(name, value)| (name.to_owned(), value)).collect())
    })
}

fn fields_of(leaf: &Leaf<'_>) -> Vec<(String, String)> {
    let octets = leaf.octets(64 * 1024);
    let start = octets.iter().position(|b| !b.is_ascii_whitespace()).unwrap_or_default();
    let (header, _) = split(&octets[start..]);
    header.fields().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn of_fields(fields: Vec<(String, String)>, mail: &Mail<'_>) -> Complaint {
    let original = Original::of_mail(mail);
    let all = |name: &str| {
        let name = name.to_owned();
        fields.iter().filter(move |(n, _)| n.eq_ignore_ascii_case(&name)).map(|(_, value)| value.as_str())
    };
    let first = |name: &str| all(name).next();
    let mut recipients: Vec<String> = all("Original-Rcpt-To").filter_map(find::address).collect();
    if recipients.is_empty() {
        recipients = recipients_of(&original);
    }
    distinct(&mut recipients);
    let kind = first("Feedback-Type").unwrap_or("abuse").split([';', ' ']).next().unwrap_or_default();
    let source = first("Source-IP").or_else(|| original.field("X-HmXmrOriginalSenderIP"));
    Complaint {
        kind: kind.to_ascii_lowercase(),
        reporter: first("User-Agent").map(str::to_owned),
        return_path: first("Original-Mail-From")
            .map(in_brackets)
            .or(original.return_path.as_deref())
            .map(str::to_owned),
        recipients,
        source: source.and_then(|text| text.trim_matches(['[', ']', ' ']).parse().ok()),
        domains: all("Reported-Domain").take(ADDRESSES).map(str::to_ascii_lowercase).collect(),
        fields: fields.clone(),
        original,
    }
}

/// Microsoft's Junk Mail Reporting: no report part, but the message attached, with fields of theirs.
fn of_jmrp(mail: &Mail<'_>) -> Option<Complaint> {
    let from = mail.header.first("from").unwrap_or_default().to_ascii_lowercase();
    let is_theirs =
        ["staff@hotmail.com", "@feedback.hotmail.com", "@feedback.microsoft.com"].iter().any(|a| from.contains(a));
    let original =
        mail.leaves.iter().filter(|leaf| leaf.is_message()).map(Original::of_leaf).find(|o| !o.is_empty())?;
    if !is_theirs && original.field("X-HmXmrOriginalRecipient").is_none() {
        return None;
    }
    let mut complaint = of_fields(Vec::new(), mail);
    complaint.reporter = Some("Microsoft JMRP".to_owned());
    Some(complaint)
}

pub(crate) fn recipients_of(original: &Original) -> Vec<String> {
    let named = ["X-HmXmrOriginalRecipient", "X-Original-To", "Delivered-To", "To", "Cc"];
    let found = named.iter().map(|name| {
        original.field(name).map(|value| find::addresses(value).take(ADDRESSES).collect::<Vec<_>>()).unwrap_or_default()
    });
    found.into_iter().find(|addresses| !addresses.is_empty()).unwrap_or_default()
}

fn distinct(addresses: &mut Vec<String>) {
    addresses.truncate(ADDRESSES);
    let mut seen = std::collections::HashSet::new();
    addresses.retain(|address| seen.insert(address.to_ascii_lowercase()));
}
