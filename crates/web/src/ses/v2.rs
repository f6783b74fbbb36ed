//! The documents of `SendEmail` and `SendBulkEmail`, version 2.

use repute_message::merge::unencoded;
use repute_message::whole::CONFIGURATION_SET;
use serde::Deserialize;

use super::template::Template;
use crate::body;
use crate::names::{Names, Places};
use crate::object;
use crate::pairs::Pairs;
use crate::problem::{FieldFault, Problem};
use crate::v1::letter::{Draft, File, Message};
use crate::v1::people::{Mailbox, Mailboxes};

/// What SES takes in one request.
const ENTRIES: usize = 50;
/// In its place SES writes a link by which a contact leaves.
const LINK: &str = "{{amazonSESUnsubscribeUrl}}";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Send {
    from_email_address: Option<String>,
    destination: Option<Destination>,
    reply_to_addresses: Option<Vec<String>>,
    content: Content,
    email_tags: Option<Vec<Named>>,
    configuration_set_name: Option<String>,
    list_management_options: Option<ListManagement>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListManagement {
    contact_list_name: String,
    topic_name: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Destination {
    to_addresses: Option<Vec<String>>,
    cc_addresses: Option<Vec<String>>,
    bcc_addresses: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    simple: Option<Simple>,
    raw: Option<RawContent>,
    template: Option<Template>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawContent {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Simple {
    subject: Text,
    body: Body,
    headers: Option<Vec<Named>>,
    attachments: Option<Vec<Attachment>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Text>,
    html: Option<Text>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Text {
    data: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Named {
    name: String,
    value: String,
}

#[derive(Clone, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attachment {
    file_name: String,
    raw_content: String,
    content_type: Option<String>,
    content_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendBulk {
    from_email_address: Option<String>,
    reply_to_addresses: Option<Vec<String>>,
    default_email_tags: Option<Vec<Named>>,
    configuration_set_name: Option<String>,
    default_content: DefaultContent,
    #[serde(deserialize_with = "object::list")]
    bulk_email_entries: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DefaultContent {
    template: Option<Template>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Entry {
    destination: Option<Destination>,
    replacement_tags: Option<Vec<Named>>,
    replacement_email_content: Option<Replacement>,
    replacement_headers: Option<Vec<Named>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Replacement {
    replacement_template: Option<ReplacementTemplate>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ReplacementTemplate {
    replacement_template_data: Option<String>,
}

const FILES: [(&str, &str); 4] =
    [("/type", "/ContentType"), ("/name", "/FileName"), ("/content", "/RawContent"), ("/content_id", "/ContentId")];

/// What SES calls the members of a message, where its content is `Simple` or `Raw`.
const SIMPLE: Names = Names {
    members: &[
        ("/from", "/FromEmailAddress"),
        ("/to", "/Destination/ToAddresses"),
        ("/cc", "/Destination/CcAddresses"),
        ("/bcc", "/Destination/BccAddresses"),
        ("/reply_to", "/ReplyToAddresses"),
        ("/subject", "/Content/Simple/Subject/Data"),
        ("/text", "/Content/Simple/Body/Text/Data"),
        ("/html", "/Content/Simple/Body/Html/Data"),
        ("/headers", "/Content/Simple/Headers"),
        ("/attachments", "/Content/Simple/Attachments"),
        ("/raw", "/Content/Raw/Data"),
        ("/metadata", "/EmailTags"),
        ("/list", "/ListManagementOptions/ContactListName"),
    ],
    files: &FILES,
    places: Places::Pointer,
};

/// The same where it is a template.
const TEMPLATE: Names = Names {
    members: &[
        ("/subject", "/Content/Template/TemplateContent/Subject"),
        ("/text", "/Content/Template/TemplateContent/Text"),
        ("/html", "/Content/Template/TemplateContent/Html"),
        ("/headers", "/Content/Template/Headers"),
        ("/attachments", "/Content/Template/Attachments"),
    ],
    files: &FILES,
    places: Places::Pointer,
};

/// The same where it is one of many: who gets it is told of its entry, what all have in common of all.
const ENTRY: Names = Names {
    members: &[
        ("/subject", "/DefaultContent/Template/TemplateContent/Subject"),
        ("/text", "/DefaultContent/Template/TemplateContent/Text"),
        ("/html", "/DefaultContent/Template/TemplateContent/Html"),
        ("/headers", "/ReplacementHeaders"),
        ("/attachments", "/DefaultContent/Template/Attachments"),
        ("/metadata", "/ReplacementTags"),
    ],
    files: &FILES,
    places: Places::Pointer,
};

pub(super) fn draft(octets: &[u8], most: usize) -> Result<Draft, Problem> {
    let send: Send = body::parse(octets)?;
    let mut message = Message {
        from: send.from_email_address.map(Mailbox::Text),
        reply_to: mailboxes(send.reply_to_addresses),
        metadata: labels(pairs(send.email_tags), send.configuration_set_name.as_deref()),
        list: send.list_management_options.map(ListManagement::list),
        ..Message::default()
    };
    send.destination.unwrap_or_default().tell(&mut message);
    let is_template = send.content.template.is_some();
    match (send.content.simple, send.content.raw, send.content.template) {
        (Some(simple), None, None) => fill(&mut message, simple)?,
        (None, Some(raw), None) => message.raw = Some(raw.data),
        (None, None, Some(template)) => of_template(&mut message, &template, "/Content/Template", None)?,
        _ => {
            let what = "write one of Simple, Raw and Template";
            return Err(Problem::fields(vec![FieldFault::new("/Content", what)]));
        }
    }
    let named = |faults| SIMPLE.faults(if is_template { TEMPLATE.faults(faults) } else { faults });
    message.draft(most).map_err(|faults| Problem::fields(named(faults)))
}

impl ListManagement {
    /// Who leaves a topic leaves that alone.
    fn list(self) -> String {
        match self.topic_name.filter(|topic| !topic.is_empty()) {
            Some(topic) => format!("{}/{topic}", self.contact_list_name),
            None => self.contact_list_name,
        }
    }
}

/// A draft for each entry, or what is wrong with it.
pub(super) fn drafts(octets: &[u8], most: usize) -> Result<Vec<Result<Draft, Problem>>, Problem> {
    let send: SendBulk = body::parse(octets)?;
    let count = send.bulk_email_entries.len();
    if count == 0 || count > ENTRIES {
        let what = format!("write 1 to {ENTRIES} entries: these are {count}");
        return Err(Problem::fields(vec![FieldFault::new("/BulkEmailEntries", what)]));
    }
    let Some(template) = &send.default_content.template else {
        return Err(Problem::fields(vec![FieldFault::new("/DefaultContent/Template", "the template is missing")]));
    };
    let one = |entry: Entry| -> Result<Draft, Problem> {
        // A tag or field of an entry goes before one of that name for all.
        let over = |of_all: &Option<Vec<Named>>, own: Option<Vec<Named>>| {
            let (mut all, own) = (of_all.clone().unwrap_or_default(), own.unwrap_or_default());
            all.retain(|named| !own.iter().any(|other| other.name.eq_ignore_ascii_case(&named.name)));
            all.extend(own);
            pairs(Some(all))
        };
        let mut message = Message {
            from: send.from_email_address.clone().map(Mailbox::Text),
            reply_to: mailboxes(send.reply_to_addresses.clone()),
            metadata: labels(
                over(&send.default_email_tags, entry.replacement_tags),
                send.configuration_set_name.as_deref(),
            ),
            ..Message::default()
        };
        entry.destination.unwrap_or_default().tell(&mut message);
        let data = entry.replacement_email_content.and_then(|content| content.replacement_template);
        let data = data.and_then(|template| template.replacement_template_data);
        of_template(&mut message, template, "/DefaultContent/Template", data.as_deref())?;
        message.headers = decoded(over(&template.headers, entry.replacement_headers));
        message.draft(most).map_err(|faults| Problem::fields(SIMPLE.faults(ENTRY.faults(faults))))
    };
    Ok(send.bulk_email_entries.into_iter().map(one).collect())
}

impl Destination {
    fn tell(self, message: &mut Message) {
        message.to = mailboxes(self.to_addresses);
        message.cc = mailboxes(self.cc_addresses);
        message.bcc = mailboxes(self.bcc_addresses);
    }
}

fn mailboxes(list: Option<Vec<String>>) -> Option<Mailboxes> {
    list.filter(|l| !l.is_empty()).map(|l| Mailboxes::Many(l.into_iter().map(Mailbox::Text).collect()))
}

fn pairs(named: Option<Vec<Named>>) -> Pairs {
    Pairs(named.unwrap_or_default().into_iter().map(|one| (one.name, one.value)).collect())
}

/// Tags, and the set as SES itself tells it among them.
fn labels(Pairs(mut tags): Pairs, set: Option<&str>) -> Pairs {
    let set = set.filter(|set| !set.is_empty());
    tags.extend(set.map(|set| (CONFIGURATION_SET.to_owned(), set.to_owned())));
    Pairs(tags)
}

/// Fields as a header has them.
fn fields(named: Option<Vec<Named>>) -> Pairs {
    decoded(pairs(named))
}

/// Values that are encoded already (RFC 2047) are not encoded a second time.
fn decoded(Pairs(pairs): Pairs) -> Pairs {
    Pairs(pairs.into_iter().map(|(name, value)| (name, unencoded(&value))).collect())
}

fn files(attachments: Option<Vec<Attachment>>) -> Vec<File> {
    let file = |a: Attachment| File {
        name: a.file_name,
        media: a.content_type.unwrap_or_default(),
        content: a.raw_content,
        content_id: a.content_id,
    };
    attachments.unwrap_or_default().into_iter().map(file).collect()
}

fn fill(message: &mut Message, simple: Simple) -> Result<(), Problem> {
    for (place, text) in [("Text", &simple.body.text), ("Html", &simple.body.html)] {
        if text.as_ref().is_some_and(|text| text.data.contains(LINK)) {
            let what = format!(
                "{LINK} would reach people as it stands: take it out (a bulk account's mail has fields by which they leave), \
                 or send a campaign, whose letter has {{{{ unsubscribe_url }}}}"
            );
            return Err(Problem::fields(vec![FieldFault::new(format!("/Content/Simple/Body/{place}/Data"), what)]));
        }
    }
    // SES asks for encoded words (RFC 2047) where a subject is beyond ASCII.
    message.subject = Some(unencoded(&simple.subject.data));
    message.text = simple.body.text.map(|text| text.data);
    message.html = simple.body.html.map(|html| html.data);
    message.headers = fields(simple.headers);
    message.attachments = files(simple.attachments);
    Ok(())
}

fn of_template(message: &mut Message, template: &Template, place: &str, over: Option<&str>) -> Result<(), Problem> {
    let filled = template.filled(place, over)?;
    message.subject = filled.subject;
    message.text = filled.text;
    message.html = filled.html;
    message.headers = fields(template.headers.clone());
    message.attachments = files(template.attachments.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(draft: Result<Draft, Problem>) -> Result<String, String> {
        let told = |draft: Draft| String::from_utf8_lossy(&draft.content.to_vec()).into_owned();
        draft.map(told).map_err(|problem| problem.detail().to_owned())
    }

    fn one(template: &str) -> Result<String, String> {
        let send = r#"{"FromEmailAddress": "a@example.com", "Destination": {"ToAddresses": ["b@a.test"]}, "Content": {"Template": "#;
        told(draft(format!("{send}{template}}}}}").as_bytes(), 10))
    }

    #[test]
    fn a_template_in_the_request_is_filled_in() {
        let made = one(
            r#"{"TemplateContent": {"Subject": "Hi {{name}}", "Text": "You are {{#if vip}}dear{{else}}welcome{{/if}}.", "Html": "<b>{{name}}</b>"},
            "TemplateData": "{\"name\": \"Ann\\r\\nBcc: eve@a.test\", \"vip\": true}", "Headers": [{"Name": "X-A", "Value": "1"}],
            "Attachments": [{"FileName": "a.txt", "RawContent": "QUJD", "ContentType": "text/plain"}]}"#,
        )
        .unwrap();
        assert!(
            made.contains("Subject: Hi Ann Bcc: eve@a.test\r\n")
                || made.contains("Subject: Hi Ann  Bcc: eve@a.test\r\n"),
            "{made}"
        );
        assert!(made.contains("X-A: 1\r\n") && made.contains("You are dear.") && made.contains("a.txt"), "{made}");
        let at = |template: &str, said: &str| {
            let fault = one(template).unwrap_err();
            assert!(fault.contains(said), "{fault}");
        };
        at(r#"{"TemplateName": "welcome"}"#, "Template welcome does not exist");
        at(r#"{}"#, "/Content/Template/TemplateContent: the template is missing");
        at(
            r#"{"TemplateContent": {"Subject": "{{name}}", "Text": "x"}}"#,
            "Attribute 'name' is not present in the rendering data.",
        );
        at(
            r#"{"TemplateContent": {"Text": "x"}, "TemplateData": "[]"}"#,
            "/Content/Template/TemplateData: this is no JSON object",
        );
        at(r#"{"TemplateContent": {"Text": "{{#if"}}"#, "/Content/Template/TemplateContent/Text: line 1");
    }

    /// SES asks for encoded words beyond ASCII, so its clients write them.
    #[test]
    fn names_subjects_and_fields_that_were_encoded_already_were_encoded_twice() {
        let send = r#"{"FromEmailAddress": "=?UTF-8?B?SsO8cmdlbg==?= <a@example.com>", "ReplyToAddresses": ["=?utf-8?Q?R=C3=A9?= <r@a.test>"],
            "Destination": {"ToAddresses": ["=?iso-8859-1?Q?B=E9la?= <b@a.test>"]}, "Content": {"Simple": {"Subject": {"Data": "=?UTF-8?Q?Gr=C3=BC=C3=9Fe?= an"},
            "Headers": [{"Name": "X-A", "Value": "v =?utf-8?Q?=C3=BC?="}], "Body": {"Text": {"Data": "x"}}}}}"#;
        let made = told(draft(send.as_bytes(), 10)).unwrap();
        for line in [
            "From: =?utf-8?q?J=C3=BCrgen?= <a@example.com>\r\n",
            "Reply-To: =?utf-8?q?R=C3=A9?= <r@a.test>\r\n",
            "To: =?utf-8?q?B=C3=A9la?= <b@a.test>\r\n",
            "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= an\r\n",
            "X-A: v =?utf-8?b?w7w=?=\r\n",
        ] {
            assert!(made.contains(line), "{line}{made}");
        }
    }

    #[test]
    fn a_contact_list_is_the_list_that_is_left_and_its_link_is_not_sent_as_it_stands() {
        let send = |options: &str, text: &str| {
            let body =
                format!(r#"{{"Simple": {{"Subject": {{"Data": "x"}}, "Body": {{"Text": {{"Data": "{text}"}}}}}}}}"#);
            let people = r#""FromEmailAddress": "a@example.com", "Destination": {"ToAddresses": ["b@a.test"]}"#;
            draft(format!(r#"{{{people}, "Content": {body}{options}}}"#).as_bytes(), 10)
        };
        let list = |options: &str| {
            send(options, "x").map(|draft| draft.labels.list).map_err(|problem| problem.detail().to_owned())
        };
        assert_eq!(list(""), Ok(None));
        assert_eq!(list(r#", "ListManagementOptions": {"ContactListName": "readers"}"#), Ok(Some("readers".into())));
        let topic = r#", "ListManagementOptions": {"ContactListName": "readers", "TopicName": "weekly"}"#;
        assert_eq!(list(topic), Ok(Some("readers/weekly".into())));
        let fault = told(send("", "leave: {{amazonSESUnsubscribeUrl}}")).unwrap_err();
        assert!(fault.contains("/Content/Simple/Body/Text/Data: {{amazonSESUnsubscribeUrl}} would"), "{fault}");
    }

    #[test]
    fn many_share_a_template_and_each_has_its_own_data() {
        let send = br#"{"FromEmailAddress": "a@example.com", "ConfigurationSetName": "main", "DefaultEmailTags": [{"Name": "kind", "Value": "all"}, {"Name": "k", "Value": "v"}],
            "DefaultContent": {"Template": {"TemplateContent": {"Subject": "{{greet}} {{name}}", "Text": "x"}, "TemplateData": "{\"greet\": \"Hi\", \"name\": \"you\"}"}},
            "BulkEmailEntries": [
                {"Destination": {"ToAddresses": ["b@a.test"]}, "ReplacementTags": [{"Name": "kind", "Value": "own"}],
                 "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": "{\"name\": \"Ann\"}"}},
                 "ReplacementHeaders": [{"Name": "X-A", "Value": "1"}]},
                {"Destination": {"ToAddresses": ["c@a.test"]}},
                {"Destination": {"ToAddresses": ["d@a.test"]}, "ReplacementEmailContent": {"ReplacementTemplate": {"ReplacementTemplateData": "{"}}}]}"#;
        let mut drafts = drafts(send, 10).unwrap();
        let last = told(drafts.pop().unwrap()).unwrap_err();
        assert!(last.contains("/ReplacementTemplateData"), "{last}");
        let labels: Vec<_> = drafts.iter().map(|draft| draft.as_ref().unwrap().labels.metadata.clone()).collect();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let set = || pair("ses:configuration-set", "main");
        assert_eq!(
            labels,
            [vec![pair("k", "v"), pair("kind", "own"), set()], vec![pair("kind", "all"), pair("k", "v"), set()]]
        );
        let made: Vec<_> = drafts.into_iter().map(|draft| told(draft).unwrap()).collect();
        assert!(
            made[0].contains("Subject: Hi Ann\r\n")
                && made[0].contains("X-A: 1\r\n")
                && made[0].contains("To: b@a.test\r\n"),
            "{made:?}"
        );
        assert!(made[1].contains("Subject: Hi you\r\n") && !made[1].contains("X-A"), "{made:?}");
    }
}
