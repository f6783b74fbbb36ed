//! What Amazon SES tells by way of SNS, which sends it on as mail when it is asked to: bounces, delays, deliveries and
//! complaints as JSON, alone or within the envelope of SNS
//! (https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html). Other JSON, and what is broken, is none of it.

use serde::Deserialize;

use crate::Comeback;
use crate::cause::{self, Said};
use crate::complaint::Complaint;
use crate::find;
use crate::mail::{Mail, TEXT_OCTETS};
use crate::original::{Original, in_brackets};
use crate::report::{Action, Report, Reported};

/// Recipients that are read; SES takes 50 for a message.
const RECIPIENTS: usize = 100;
/// Octets of what a server said about one recipient.
const DIAGNOSTIC: usize = 4096;

/// `None` where it is no such notification.
pub(crate) fn read(mail: &Mail<'_>) -> Option<Comeback> {
    let leaf = mail.leaves.iter().find(|leaf| leaf.is_text() || leaf.kind == "application/json")?;
    // Other text is not decoded for this.
    if !leaf.octets(64).trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let text = leaf.octets(TEXT_OCTETS);
    let told = match first::<Envelope>(&text) {
        Some(Envelope { message }) => first(message.as_bytes())?,
        None => first(&text)?,
    };
    understood(told)
}

/// The first value of a text: SNS writes below it how to hear no more.
fn first<'t, T: Deserialize<'t>>(text: &'t [u8]) -> Option<T> {
    serde_json::Deserializer::from_slice(text).into_iter().next()?.ok()
}

/// What SNS puts around it, unless its subscriber wants the message raw.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "Message")]
    message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Told {
    /// `eventType` where events are published.
    #[serde(alias = "eventType")]
    notification_type: String,
    mail: Sent,
    #[serde(alias = "complaint", alias = "delivery", alias = "deliveryDelay")]
    bounce: Happened,
}

/// The message that it is about.
#[derive(Deserialize)]
struct Sent {
    source: Option<String>,
    #[serde(default)]
    headers: Vec<Field>,
}

#[derive(Deserialize)]
struct Field {
    name: String,
    value: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Happened {
    #[serde(alias = "bounceSubType", alias = "delayType")]
    kind: Option<String>,
    #[serde(rename = "reportingMTA")]
    reporting_mta: Option<String>,
    smtp_response: Option<String>,
    user_agent: Option<String>,
    complaint_feedback_type: Option<String>,
    #[serde(alias = "bouncedRecipients", alias = "complainedRecipients", alias = "delayedRecipients", default)]
    recipients: Vec<Recipient>,
}

/// An address alone, of a delivery, or an address with what was said.
#[derive(Deserialize)]
#[serde(untagged)]
enum Recipient {
    Alone(String),
    #[serde(rename_all = "camelCase")]
    Told {
        email_address: String,
        status: Option<String>,
        diagnostic_code: Option<String>,
    },
}

fn understood(told: Told) -> Option<Comeback> {
    let action = match told.notification_type.as_str() {
        "Bounce" => Action::Failed,
        "DeliveryDelay" => Action::Delayed,
        "Delivery" => Action::Delivered,
        "Complaint" => return Some(Comeback::Complaint(Box::new(complaint(told)))),
        _ => return None,
    };
    let happened = &told.bounce;
    let named: Vec<String> = happened.recipients.iter().take(RECIPIENTS).map(Recipient::address).collect();
    let recipients = happened.recipients.iter().zip(&named);
    let recipients: Vec<Reported> =
        recipients.map(|(one, last)| reported(one, last, &named, happened, action)).collect();
    let reporter =
        happened.reporting_mta.as_deref().map(|name| name.rsplit(';').next().unwrap_or(name).trim().to_owned());
    let report = || Report { form: "ses", reporter, envelope: None, recipients, original: original(&told.mail) };
    (!named.is_empty()).then(report).map(Comeback::Report)
}

fn reported(one: &Recipient, last: &str, named: &[String], happened: &Happened, action: Action) -> Reported {
    let (status, diagnostic) = match one {
        Recipient::Told { status, diagnostic_code, .. } => (status.as_deref(), diagnostic_code.as_deref()),
        Recipient::Alone(_) => (None, happened.smtp_response.as_deref()),
    };
    let diagnostic = diagnostic.unwrap_or_default().trim_start_matches("smtp;").trim();
    let diagnostic = &diagnostic[..diagnostic.floor_char_boundary(DIAGNOSTIC)];
    // `MailboxFull` says what it is where nothing else does.
    let kind = happened.kind.as_deref().map(words).unwrap_or_default();
    let said = Said {
        status: status.and_then(find::status),
        diagnostic,
        explanation: &kind,
        subject: "",
        remote: None,
        recipient: last,
        recipients: named,
        action,
    };
    let read = cause::read(&said);
    Reported {
        original: None,
        last: last.to_owned(),
        action,
        status: read.status,
        is_status_told: read.is_status_told,
        reply: read.reply,
        diagnostic: diagnostic.to_owned(),
        remote: None,
        cause: read.cause,
    }
}

fn complaint(told: Told) -> Complaint {
    let happened = told.bounce;
    Complaint {
        kind: happened.complaint_feedback_type.as_deref().unwrap_or("abuse").to_ascii_lowercase(),
        reporter: happened.user_agent,
        return_path: told.mail.source.as_deref().map(|source| in_brackets(source).to_owned()),
        recipients: happened.recipients.iter().take(RECIPIENTS).map(Recipient::address).collect(),
        source: None,
        domains: Vec::new(),
        fields: Vec::new(),
        original: original(&told.mail),
    }
}

fn original(sent: &Sent) -> Original {
    let fields: Vec<_> = sent.headers.iter().take(200).map(|field| (field.name.clone(), field.value.clone())).collect();
    let mut original = Original { message_id: None, return_path: sent.source.clone(), fields };
    original.message_id = original.field("Message-ID").map(|value| in_brackets(value).to_owned());
    original
}

impl Recipient {
    fn address(&self) -> String {
        let (Recipient::Alone(text) | Recipient::Told { email_address: text, .. }) = self;
        find::address(text).unwrap_or_else(|| text.clone())
    }
}

/// `MailboxFull` in words.
fn words(name: &str) -> String {
    let spaced =
        name.chars().take(60).flat_map(|c| c.is_uppercase().then_some(' ').into_iter().chain(c.to_lowercase()));
    spaced.collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use crate::{Comeback, read};

    const SENT: &str = r#""mail":{"source":"news@ours.example","messageId":"0","destination":["ann@there.example"],
        "headers":[{"name":"Message-ID","value":"<1@ours.example>"}],"commonHeaders":{}}"#;
    const BELOW: &str =
        "\r\n\r\n--\r\nIf you wish to stop receiving notifications from this topic, follow the link.\r\n";

    fn mail(json: &str) -> Comeback {
        let content = format!(
            "From: AWS Notifications <no-reply@sns.example>\r\nSubject: AWS Notification Message\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\r\n{json}{BELOW}"
        );
        read(content.as_bytes())
    }

    fn told(kind: &str, inside: &str) -> String {
        let name = format!("{}{}", kind[..1].to_lowercase(), &kind[1..]);
        format!(r#"{{"notificationType":"{kind}","{name}":{{{inside}}},{SENT}}}"#)
    }

    fn of_report(comeback: &Comeback) -> Vec<String> {
        let Comeback::Report(report) = comeback else { panic!("{comeback:?}") };
        assert_eq!(report.original.message_id.as_deref(), Some("1@ours.example"));
        let one = |r: &crate::Reported| {
            let class = r.cause.map_or("none", |cause| cause.class.as_str());
            format!("{} {} {} {class}", r.address(), r.action.as_str(), r.status)
        };
        report.recipients.iter().map(one).collect()
    }

    #[test]
    fn notifications_of_ses_are_read() {
        let bounce = told(
            "Bounce",
            r#""bounceType":"Permanent","bounceSubType":"General","reportingMTA":"dns; a.ses.example","bouncedRecipients":[
               {"emailAddress":"ann@there.example","action":"failed","status":"5.1.1","diagnosticCode":"smtp; 550 5.1.1 user unknown"},
               {"emailAddress":"Bob <bob@there.example>"}]"#,
        );
        let expected = ["ann@there.example failed 5.1.1 unknown-user", "bob@there.example failed 5.0.0 unknown"];
        assert_eq!(of_report(&mail(&bounce)), expected);
        let wrapped = format!(r#"{{"Type":"Notification","Message":{}}}"#, serde_json::to_string(&bounce).unwrap());
        assert_eq!(of_report(&mail(&wrapped)), expected);
        assert_eq!(of_report(&mail(&bounce.replace("notificationType", "eventType"))), expected);
        let full = r#""bounceType":"Transient","bounceSubType":"MailboxFull","bouncedRecipients":[{"emailAddress":"ann@there.example"}]"#;
        assert_eq!(of_report(&mail(&told("Bounce", full))), ["ann@there.example failed 5.2.2 full-mailbox"]);
        let delay = r#""delayType":"General","delayedRecipients":[{"emailAddress":"ann@there.example","status":"4.4.1","diagnosticCode":"smtp; 421 4.4.1 Unable to connect to remote host"}]"#;
        assert_eq!(of_report(&mail(&told("DeliveryDelay", delay))), ["ann@there.example delayed 4.4.1 network"]);
        let good = r#""recipients":["ann@there.example"],"smtpResponse":"250 2.6.0 Message received""#;
        assert_eq!(of_report(&mail(&told("Delivery", good))), ["ann@there.example delivered 2.6.0 none"]);
        let spam = r#""complainedRecipients":[{"emailAddress":"ann@there.example"}],"userAgent":"FBL/1","complaintFeedbackType":"abuse""#;
        let Comeback::Complaint(complaint) = mail(&told("Complaint", spam)) else { panic!() };
        assert_eq!((complaint.kind.as_str(), complaint.recipients), ("abuse", vec!["ann@there.example".to_owned()]));
    }

    #[test]
    fn other_json_is_a_letter() {
        for other in ["{}", r#"{"notificationType":"Bounce"}"#, "{\"Message\":\"hello\"}", "{", &told("Open", "")] {
            assert!(matches!(mail(other), Comeback::Reply(_)), "{other}");
        }
    }
}
