//! Every reply of receivers that is known (`crates/trust/tests/replies`), put into a notice as the common servers write
//! it, means what it means where we get it ourselves.

use repute_feedback::{Comeback, read};
use repute_trust::replies::{classify, parse_pasted};

const REPLIES: [&str; 9] = [
    include_str!("../../../trust/tests/replies/google.txt"),
    include_str!("../../../trust/tests/replies/microsoft.txt"),
    include_str!("../../../trust/tests/replies/yahoo.txt"),
    include_str!("../../../trust/tests/replies/apple.txt"),
    include_str!("../../../trust/tests/replies/filters.txt"),
    include_str!("../../../trust/tests/replies/europe.txt"),
    include_str!("../../../trust/tests/replies/america.txt"),
    include_str!("../../../trust/tests/replies/asia.txt"),
    include_str!("../../../trust/tests/replies/generic.txt"),
];

/// Rules that go by a single word, a status or a code: there a notice may be read more closely.
const OF_NO_PHRASE: [&str; 4] = ["words.", "status.", "code.", "none"];

const TO: &str = "ann@there.example";

/// A reply, and the host that gave it.
struct Given<'a> {
    reply: &'a str,
    code: u16,
    status: String,
    host: &'a str,
}

/// By the book, with sentences before it; `fields` beside Final-Recipient and Action.
fn report(from: &str, sentences: &str, fields: &str) -> String {
    format!(
        "From: {from}\nTo: shop@ours.example\nSubject: Undelivered Mail Returned to Sender\nAuto-Submitted: auto-replied\n\
         MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\n\
         Content-Type: text/plain; charset=us-ascii\n\n{sentences}\n--b\nContent-Type: message/delivery-status\n\n\
         Reporting-MTA: dns; relay.example\n\nFinal-Recipient: rfc822; {TO}\nAction: failed\n{fields}\n--b\n\
         Content-Type: text/rfc822-headers\n\nFrom: shop@ours.example\nSubject: Hello\n\n--b--\n"
    )
}

fn plain(from: &str, subject: &str, text: &str) -> String {
    format!("From: {from}\nTo: shop@ours.example\nSubject: {subject}\nAuto-Submitted: auto-replied\n\n{text}")
}

fn postfix(given: &Given<'_>) -> String {
    let Given { reply, host, status, .. } = given;
    let sentences = format!(
        "This is the mail system at host relay.example.\n\nI'm sorry to have to inform you that your message could not\n\
         be delivered to one or more recipients. It's attached below.\n\nFor further assistance, please send mail to \
         postmaster.\n\nIf you do so, please include this problem report. You can\ndelete your own text from the attached \
         returned message.\n\n                   The mail system\n\n<{TO}>: host {host}[192.0.2.25] said: {reply} (in reply to \
         RCPT TO\n    command)\n"
    );
    let fields = format!("Status: {status}\nRemote-MTA: dns; {host}\nDiagnostic-Code: smtp; {reply}\n");
    report("MAILER-DAEMON@relay.example (Mail Delivery System)", &sentences, &fields)
}

fn exim_text(given: &Given<'_>) -> String {
    let Given { reply, host, .. } = given;
    format!(
        "This message was created automatically by mail delivery software.\n\nA message that you sent could not be \
         delivered to one or more of its\nrecipients. This is a permanent error. The following address(es) failed:\n\n  \
         {TO}\n    host {host} [192.0.2.25]\n    SMTP error from remote mail server after RCPT TO:<{TO}>:\n    {reply}\n"
    )
}

fn exim(given: &Given<'_>) -> String {
    let Given { reply, host, .. } = given;
    let class = given.code / 100;
    let fields = format!("Status: {class}.0.0\nRemote-MTA: dns; {host}\nDiagnostic-Code: smtp; {reply}\n");
    report("Mail Delivery System <Mailer-Daemon@relay.example>", &exim_text(given), &fields)
}

/// Before version 4.88, and where a notice has lost its structure.
fn exim_old(given: &Given<'_>) -> String {
    let text = format!(
        "{}\n------ This is a copy of the message, including all the headers. ------\n\nFrom: shop@ours.example\n",
        exim_text(given)
    );
    let notice = plain(
        "Mail Delivery System <Mailer-Daemon@relay.example>",
        "Mail delivery failed: returning message to sender",
        &text,
    );
    format!("X-Failed-Recipients: {TO}\n{notice}")
}

fn opensmtpd(given: &Given<'_>) -> String {
    let text = format!(
        "Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while \
         attempting to deliver a message for\n    the following list of recipients:\n\n{TO}: {}\n\n    Below is a copy of \
         the original message:\n\nFrom: shop@ours.example\n",
        given.reply
    );
    plain("Mailer Daemon <MAILER-DAEMON@relay.example>", "Delivery status notification: error", &text)
}

/// Since version 6.8: a report by the book without Diagnostic-Code, whose status tells nothing.
fn opensmtpd_report(given: &Given<'_>) -> String {
    let sentences = format!(
        "    Hi!\n\n    This is the MAILER-DAEMON, please DO NOT REPLY to this email.\n\n    An error has occurred while \
         attempting to deliver a message for\n    the following list of recipients:\n\n{TO}: {}\n\n    Below is a copy of \
         the original message:\n",
        given.reply
    );
    report("Mailer Daemon <MAILER-DAEMON@relay.example>", &sentences, &format!("Status: {}.0.0\n", given.code / 100))
}

fn sendmail(given: &Given<'_>) -> String {
    let Given { reply, host, status, code } = given;
    let sentences = format!(
        "The original message was received at Tue, 24 Nov 2026 10:00:00 GMT\nfrom shop [192.0.2.1]\n\n   ----- The \
         following addresses had permanent fatal errors -----\n<{TO}>\n    (reason: {reply})\n\n   ----- Transcript of \
         session follows -----\n... while talking to {host}.:\n>>> RCPT To:<{TO}>\n<<< {reply}\n{code} <{TO}>... Service \
         unavailable\n"
    );
    let fields = format!("Status: {status}\nRemote-MTA: DNS; {host}\nDiagnostic-Code: SMTP; {reply}\n");
    report("Mail Delivery Subsystem <MAILER-DAEMON@relay.example>", &sentences, &fields)
}

fn qmail(given: &Given<'_>) -> String {
    let text = format!(
        "Hi. This is the qmail-send program at relay.example.\nI'm afraid I wasn't able to deliver your message to the \
         following addresses.\nThis is a permanent error; I've given up. Sorry it didn't work out.\n\n<{TO}>:\n192.0.2.25 \
         does not like recipient.\nRemote host said: {}\nGiving up on 192.0.2.25.\n\n--- Below this line is a copy of the \
         message.\n\nFrom: shop@ours.example\n",
        given.reply
    );
    plain("MAILER-DAEMON@relay.example", "failure notice", &text)
}

fn exchange(given: &Given<'_>) -> String {
    let Given { reply, host, status, .. } = given;
    let sentences = format!(
        "Delivery has failed to these recipients or groups:\n\n{TO}<mailto:{TO}>\n{host} gave this error:\n{reply}\n\n\
         Diagnostic information for administrators:\n\nGenerating server: relay.example\n\n{TO}\n{host}\nRemote Server \
         returned '{reply}'\n"
    );
    let fields = format!("Status: {status}\nDiagnostic-Code: smtp;{reply}\nRemote-MTA: dns;{host}\n");
    report("<postmaster@relay.example>", &sentences, &fields)
}

fn bare(given: &Given<'_>) -> String {
    let fields =
        format!("Status: {}\nRemote-MTA: dns; {}\nDiagnostic-Code: smtp; {}\n", given.status, given.host, given.reply);
    report("MAILER-DAEMON@relay.example", "", &fields)
}

/// A way to write a notice, and whether it names the host that answered.
type Form = (&'static str, fn(&Given<'_>) -> String, bool);

const FORMS: [Form; 9] = [
    ("postfix", postfix, true),
    ("exim", exim, true),
    ("exim-old", exim_old, true),
    ("opensmtpd", opensmtpd, false),
    ("opensmtpd-report", opensmtpd_report, false),
    ("sendmail", sendmail, true),
    ("qmail", qmail, false),
    ("exchange", exchange, true),
    ("bare", bare, true),
];

#[test]
fn what_a_receiver_replied_means_the_same_in_the_notice_of_any_server() {
    let (mut all, mut strictly, mut wrong) = (0, 0, Vec::new());
    let lines = REPLIES.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("  "));
    for (nth, line) in lines.enumerate() {
        let reply = line.trim_start();
        let pasted = parse_pasted(reply).unwrap();
        let host = head_before(line).filter(|host| *host != "-");
        let text = pasted.reply.to_string();
        let status =
            pasted.reply.enhanced.map_or(format!("{}.0.0", pasted.reply.code / 100), |status| status.to_string());
        // Three forms each, in turn: all of them tell no more, and take three times as long.
        for (name, form, names_host) in FORMS.into_iter().skip(nth % 3).step_by(3) {
            let given = Given {
                reply: &text,
                code: pasted.reply.code,
                status: status.clone(),
                host: host.unwrap_or("mx.there.example"),
            };
            let expected = classify(&pasted.reply, host.filter(|_| names_host));
            let Comeback::Report(report) = read(form(&given).replace('\n', "\r\n").as_bytes()) else {
                panic!("{name}: {reply}")
            };
            let found =
                report.recipients.iter().find(|r| r.address() == TO).unwrap_or_else(|| panic!("{name}: {reply}"));
            let cause = found.cause.unwrap();
            all += 1;
            // A notice may be older than the end of the list that it names.
            // Whose reply it is may be told by its status alone.
            let is_theirs = cause.class == classify(&pasted.reply, host).class;
            if cause.class != expected.class && !is_theirs && expected.rule != "list.dead" {
                let by_phrase = !OF_NO_PHRASE.iter().any(|group| expected.rule.starts_with(group));
                strictly += usize::from(by_phrase);
                wrong.push(format!(
                    "{name}: {reply}\n    is {} ({}), expected {} ({})",
                    cause.class, cause.rule, expected.class, expected.rule
                ));
            }
        }
    }
    println!("{} of {all} are read otherwise\n{}", wrong.len(), wrong.join("\n"));
    assert!(all > 1100, "{all}");
    assert_eq!(strictly, 0, "a reply that is known by its phrase is read otherwise");
    assert!(wrong.len() * 30 <= all, "{} of {all}", wrong.len());
}

/// The host of the head (`rule class host`) that a reply stands under.
fn head_before(line: &'static str) -> Option<&'static str> {
    let text = REPLIES.iter().find(|text| text.as_bytes().as_ptr_range().contains(&line.as_ptr()))?;
    let before = &text[..line.as_ptr() as usize - text.as_ptr() as usize];
    before.lines().rev().find(|line| !line.starts_with([' ', '#']) && !line.trim().is_empty())?.split(' ').nth(2)
}
