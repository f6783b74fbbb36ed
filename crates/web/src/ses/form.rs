//! The form of `SendEmail` and `SendRawEmail`, version 1, and its answers in XML.

use repute_message::merge::unencoded;
use repute_message::whole::CONFIGURATION_SET;
use repute_types::MessageId;

use super::quota::Quota;
use super::request_id::RequestId;
use super::template;
use crate::form;
use crate::names::{Names, Places};
use crate::pairs::Pairs;
use crate::problem::{self, Problem};
use crate::v1::letter::{Draft, Message};
use crate::v1::people::{Mailbox, Mailboxes};

/// What was asked for.
pub(super) enum Asked {
    /// The action, and the message.
    Send(&'static str, Box<Draft>),
    Quota,
}

pub(super) fn asked(octets: &[u8], most: usize) -> Result<Asked, Problem> {
    let form = Form::read(octets)?;
    let (action, message, names) = match form.one("Action") {
        Some("GetSendQuota") => return Ok(Asked::Quota),
        Some("SendEmail") => ("SendEmail", form.letter(), LETTER),
        Some("SendRawEmail") => ("SendRawEmail", form.whole(), WHOLE),
        Some("SendTemplatedEmail" | "SendBulkTemplatedEmail") => {
            return Err(template::unknown(form.one("Template").unwrap_or_default()));
        }
        action => {
            let action: String = action.unwrap_or_default().chars().take(100).collect();
            let what = format!(
                "Could not find operation {action}: those known here are SendEmail, SendRawEmail and GetSendQuota"
            );
            return Err(Problem::new(problem::METHOD, what));
        }
    };
    let draft = message.draft(most).map_err(|faults| Problem::fields(names.faults(faults)))?;
    Ok(Asked::Send(action, Box::new(draft)))
}

/// What `SendEmail` calls the members of a message.
const LETTER: Names = Names {
    members: &[
        ("/from", "Source"),
        ("/to", "Destination.ToAddresses"),
        ("/cc", "Destination.CcAddresses"),
        ("/bcc", "Destination.BccAddresses"),
        ("/reply_to", "ReplyToAddresses"),
        ("/subject", "Message.Subject.Data"),
        ("/text", "Message.Body.Text.Data"),
        ("/html", "Message.Body.Html.Data"),
        ("/metadata", "Tags"),
    ],
    files: &[],
    places: Places::Numbered,
};

/// What `SendRawEmail` calls them.
const WHOLE: Names = Names {
    members: &[("/from", "Source"), ("/to", "Destinations"), ("/raw", "RawMessage.Data"), ("/metadata", "Tags")],
    files: &[],
    places: Places::Numbered,
};

struct Form(Vec<(String, String)>);

impl Form {
    fn read(octets: &[u8]) -> Result<Form, Problem> {
        let wrong = || Problem::new(problem::MALFORMED, "the form is not percent-encoded UTF-8");
        form::pairs(octets).map(Form).ok_or_else(wrong)
    }

    fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// `NAME.member.1`, `NAME.member.2`, ...
    fn list(&self, name: &str) -> Option<Mailboxes> {
        let member = |(n, value): &(String, String)| {
            let number = n.strip_prefix(name)?.strip_prefix(".member.")?.parse::<u32>().ok()?;
            Some((number, Mailbox::Text(value.clone())))
        };
        let mut members: Vec<_> = self.0.iter().filter_map(member).collect();
        members.sort_by_key(|(number, _)| *number);
        (!members.is_empty()).then(|| Mailboxes::Many(members.into_iter().map(|(_, mailbox)| mailbox).collect()))
    }

    /// `Tags.member.1.Name` and `.Value`, and the configuration set.
    fn tags(&self) -> Pairs {
        let name = |(n, value): &(String, String)| {
            let stem = n.strip_prefix("Tags.member.")?.strip_suffix(".Name")?;
            Some((value.clone(), self.one(&format!("Tags.member.{stem}.Value"))?.to_owned()))
        };
        let set = self.one("ConfigurationSetName").filter(|set| !set.is_empty());
        let set = set.map(|set| (CONFIGURATION_SET.to_owned(), set.to_owned()));
        Pairs(self.0.iter().filter_map(name).chain(set).collect())
    }

    fn letter(&self) -> Message {
        let text = |name: &str| self.one(name).map(str::to_owned);
        Message {
            from: text("Source").map(Mailbox::Text),
            to: self.list("Destination.ToAddresses"),
            cc: self.list("Destination.CcAddresses"),
            bcc: self.list("Destination.BccAddresses"),
            reply_to: self.list("ReplyToAddresses"),
            // SES asks for encoded words (RFC 2047) where a subject is beyond ASCII.
            subject: text("Message.Subject.Data").map(|subject| unencoded(&subject)),
            text: text("Message.Body.Text.Data"),
            html: text("Message.Body.Html.Data"),
            metadata: self.tags(),
            ..Message::default()
        }
    }

    fn whole(&self) -> Message {
        Message {
            from: self.one("Source").map(|from| Mailbox::Text(from.to_owned())),
            to: self.list("Destinations"),
            raw: Some(self.one("RawMessage.Data").unwrap_or_default().to_owned()),
            metadata: self.tags(),
            ..Message::default()
        }
    }
}

const NAMESPACE: &str = "http://ses.amazonaws.com/doc/2010-12-01/";

pub(super) fn sent(action: &str, id: MessageId, asked: &RequestId) -> String {
    let asked = asked.as_str();
    format!(
        "<{action}Response xmlns=\"{NAMESPACE}\"><{action}Result><MessageId>{id}</MessageId></{action}Result>\
         <ResponseMetadata><RequestId>{asked}</RequestId></ResponseMetadata></{action}Response>"
    )
}

pub(super) fn quota(Quota { rate, sent }: &Quota, asked: &RequestId) -> String {
    let asked = asked.as_str();
    format!(
        "<GetSendQuotaResponse xmlns=\"{NAMESPACE}\"><GetSendQuotaResult><Max24HourSend>-1.0</Max24HourSend>\
         <MaxSendRate>{rate:.1}</MaxSendRate><SentLast24Hours>{sent:.1}</SentLast24Hours></GetSendQuotaResult>\
         <ResponseMetadata><RequestId>{asked}</RequestId></ResponseMetadata></GetSendQuotaResponse>"
    )
}

pub(super) fn failed(problem: &Problem, code: &str, asked: &RequestId) -> String {
    let asked = asked.as_str();
    let whose = if problem.status() >= 500 { "Receiver" } else { "Sender" };
    let message = problem.text().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>{whose}</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{asked}</RequestId></ErrorResponse>"
    )
}
