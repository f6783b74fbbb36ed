//! X-ARF: complaints as a JSON document (XARF 3 and 4) or in lines of a YAML file (X-ARF 0.1 and 0.2), as <https://xarf.org>
//! describes them, read as the complaints that they are.
//!
//! Promise: only what is about mail is read, since networks are told of attacks in the same form; `None` leaves a message to
//! whatever else it may be. Time and memory are linear in its octets, and what is over [`DOCUMENT`] is not looked at.

use serde::Deserialize;

use crate::complaint::{Complaint, recipients_of};
use crate::find;
use crate::mail::{Leaf, Mail, base64};
use crate::original::Original;

/// Octets of a document: the message that it is about may stand in it, attachments and all.
const DOCUMENT: usize = 16 * 1024 * 1024;
/// Words of a type that is about mail.
const OF_MAIL: [&str; 4] = ["spam", "bulk", "phish", "mail"];

pub(crate) fn read(mail: &Mail<'_>) -> Option<Complaint> {
    let said = mail.leaves.iter().filter(|leaf| is_json(leaf)).find_map(of_json).or_else(|| of_yaml(mail))?;
    let original = said.original.clone().filter(|o| !o.is_empty()).unwrap_or_else(|| Original::of_mail(mail));
    let kind = said.kind.to_ascii_lowercase();
    let is_about_mail =
        said.is_messaging || !original.fields.is_empty() || OF_MAIL.iter().any(|word| kind.contains(word));
    if !is_about_mail {
        return None;
    }
    let mut recipients: Vec<String> = said.to.as_deref().and_then(find::address).into_iter().collect();
    if recipients.is_empty() {
        recipients = recipients_of(&original);
    }
    let is_fraud = kind.contains("phish") || kind.contains("fraud");
    Some(Complaint {
        kind: if is_fraud { "fraud" } else { "abuse" }.to_owned(),
        reporter: said.reporter,
        return_path: said.from.or_else(|| original.return_path.clone()),
        recipients,
        source: said.source.and_then(|text| text.trim().parse().ok()),
        domains: Vec::new(),
        fields: said.fields,
        original,
    })
}

/// What either form says.
#[derive(Default)]
struct Said {
    kind: String,
    is_messaging: bool,
    reporter: Option<String>,
    source: Option<String>,
    from: Option<String>,
    to: Option<String>,
    fields: Vec<(String, String)>,
    /// Where the document holds it itself.
    original: Option<Original>,
}

fn is_json(leaf: &Leaf<'_>) -> bool {
    leaf.kind == "application/json" || leaf.file_name().is_some_and(|name| name.ends_with(".json"))
}

/// Both versions of the document: their members have different names.
#[derive(Deserialize)]
struct Document {
    xarf_version: Option<String>,
    source_identifier: Option<String>,
    #[serde(alias = "class")]
    category: Option<String>,
    r#type: Option<String>,
    smtp_from: Option<String>,
    smtp_to: Option<String>,
    reporter: Option<Reporter>,
    #[serde(default)]
    evidence: Vec<Evidence>,
    #[serde(rename = "ReporterInfo")]
    reporter_info: Option<Reporter>,
    #[serde(rename = "Report")]
    report: Option<Report>,
}

#[derive(Deserialize)]
struct Reporter {
    #[serde(alias = "ReporterOrg")]
    org: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    report_class: Option<String>,
    report_type: Option<String>,
    source_ip: Option<String>,
    source: Option<Source>,
    smtp_mail_from_address: Option<String>,
    smtp_rcpt_to_address: Option<String>,
    #[serde(default, alias = "Attachment")]
    samples: Vec<Evidence>,
}

#[derive(Deserialize)]
struct Source {
    #[serde(rename = "IP")]
    ip: Option<String>,
}

#[derive(Deserialize)]
struct Evidence {
    #[serde(alias = "ContentType", default)]
    content_type: String,
    #[serde(alias = "Payload", alias = "Data", default)]
    payload: String,
    #[serde(rename = "Base64Encoded", default = "yes")]
    is_base64: bool,
}

fn yes() -> bool {
    true
}

fn of_json(leaf: &Leaf<'_>) -> Option<Said> {
    let document: Document = serde_json::from_slice(&leaf.octets(DOCUMENT)).ok()?;
    if document.xarf_version.is_some() {
        let category = document.category.unwrap_or_default();
        return Some(Said {
            is_messaging: category.eq_ignore_ascii_case("messaging"),
            fields: fields([("category", Some(&category)), ("type", document.r#type.as_ref())]),
            kind: document.r#type.unwrap_or_default(),
            reporter: document.reporter.and_then(|reporter| reporter.org),
            source: document.source_identifier,
            from: document.smtp_from,
            to: document.smtp_to,
            original: message_of(&document.evidence),
        });
    }
    let (reporter, report) = (document.reporter_info?, document.report?);
    Some(Said {
        is_messaging: report.report_class.as_deref().is_some_and(|class| class.eq_ignore_ascii_case("messaging")),
        fields: fields([("ReportClass", report.report_class.as_ref()), ("ReportType", report.report_type.as_ref())]),
        kind: report.report_type.unwrap_or_default(),
        reporter: reporter.org,
        source: report.source_ip.or_else(|| report.source.and_then(|source| source.ip)),
        from: report.smtp_mail_from_address,
        to: report.smtp_rcpt_to_address,
        original: message_of(&report.samples),
    })
}

fn fields(pairs: [(&str, Option<&String>); 2]) -> Vec<(String, String)> {
    pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect()
}

/// The first piece of evidence that is a message.
fn message_of(evidence: &[Evidence]) -> Option<Original> {
    let is_message = |kind: &str| kind.starts_with("message/") || kind.starts_with("text/rfc822");
    let found = evidence.iter().find(|one| is_message(&one.content_type.to_ascii_lowercase()))?;
    let octets =
        if found.is_base64 { base64(found.payload.as_bytes(), DOCUMENT) } else { found.payload.clone().into_bytes() };
    Some(Original::of_octets(&octets))
}

/// A flat list of names and values in a part of its own, beside the evidence.
fn of_yaml(mail: &Mail<'_>) -> Option<Said> {
    let is_said = mail.header.has("x-xarf") || mail.header.has("x-arf");
    let may_be = |leaf: &&Leaf<'_>| {
        leaf.is_text() && (is_said || leaf.file_name().is_some_and(|name| name.starts_with("report.")))
    };
    let fields = mail.leaves.iter().filter(may_be).map(|leaf| pairs(&leaf.text())).find(|pairs| {
        let has = |name: &str| pairs.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        has("Report-Type") && has("Source") && (has("Reported-From") || has("Schema-URL"))
    })?;
    let value = |name: &str| fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.clone());
    Some(Said {
        kind: value("Report-Type").unwrap_or_default(),
        reporter: value("Reported-From"),
        source: value("Source"),
        fields: fields.clone(),
        ..Said::default()
    })
}

fn pairs(text: &str) -> Vec<(String, String)> {
    const MOST: usize = 100;
    let pair = |line: &str| {
        let (name, value) = line.split_once(':')?;
        let is_name = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        is_name.then(|| (name.to_owned(), value.trim().trim_matches(['"', '\'']).to_owned()))
    };
    text.lines().filter_map(pair).take(MOST).collect()
}
