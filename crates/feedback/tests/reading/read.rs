//! What messages that come back are read as.

use repute_feedback::{Action, Comeback, Letter, Report, read};
use repute_types::EnhancedCode;

fn report(content: &str) -> Report {
    match read(content.as_bytes()) {
        Comeback::Report(report) => report,
        other => panic!("{other:?}"),
    }
}

const BOUNCE: &str = "\
From: MAILER-DAEMON@mx.example.net\r\n\
To: b-token@example.com\r\n\
Subject: Undelivered Mail Returned to Sender\r\n\
Content-Type: multipart/report; report-type=delivery-status; boundary=\"a/b\"\r\n\
\r\n\
--a/b\r\n\
Content-Type: text/plain\r\n\
\r\n\
<u@example.net>: mailbox full\r\n\
--a/b\r\n\
Content-Type: message/delivery-status\r\n\
\r\n\
Reporting-MTA: dns; mx.example.net\r\n\
Original-Envelope-Id: QQ314159\r\n\
\r\n\
Original-Recipient: rfc822;alias@example.net\r\n\
Final-Recipient: rfc822; u@example.net\r\n\
Action: failed\r\n\
Status: 5.0.0\r\n\
Remote-MTA: dns; store.example.net\r\n\
Diagnostic-Code: smtp; 550 5.1.1 <u@example.net>: Recipient address rejected:\r\n    User unknown\r\n\
\r\n\
Final-Recipient: rfc822; v@example.net\r\n\
Action: delayed\r\n\
Status: 4.2.2 (mailbox full)\r\n\
\r\n\
Final-Recipient: rfc822; w@example.net\r\n\
Action: relayed\r\n\
Status: 2.0.0\r\n\
--a/b\r\n\
Content-Type: text/rfc822-headers\r\n\
\r\n\
Return-Path: <b-token@example.com>\r\n\
Message-ID: <1@example.com>\r\n\
Feedback-ID: spring:shop\r\n\
\r\n\
--a/b--\r\n";

#[test]
fn a_report_says_what_became_of_each_recipient() {
    let report = report(BOUNCE);
    assert_eq!(report.form, "rfc3464");
    assert_eq!((report.reporter.as_deref(), report.envelope.as_deref()), (Some("mx.example.net"), Some("QQ314159")));
    let [u, v, w] = &report.recipients[..] else { panic!("{:?}", report.recipients) };

    assert_eq!((u.address(), u.last.as_str(), u.action), ("alias@example.net", "u@example.net", Action::Failed));
    assert_eq!((u.status, u.is_status_told, u.reply), (EnhancedCode(5, 1, 1), true, Some(550)));
    assert_eq!(u.remote.as_deref(), Some("store.example.net"));
    let cause = u.cause.unwrap();
    assert_eq!(
        (cause.class.as_str(), cause.fault.as_str(), cause.suppresses, u.is_hard()),
        ("unknown-user", "recipient", true, true)
    );

    assert_eq!((v.last.as_str(), v.action, v.status), ("v@example.net", Action::Delayed, EnhancedCode(4, 2, 2)));
    let cause = v.cause.unwrap();
    assert_eq!((cause.class.as_str(), cause.suppresses), ("full-mailbox", false));

    assert_eq!((w.action, w.cause, w.is_hard()), (Action::Relayed, None, false));
}

/// Its last word is one more delay, in the subject, the sentences and the fields; its sender was never told.
#[test]
fn opensmtpds_end_of_tries_was_taken_for_a_delay() {
    let told = |said: &str| {
        let content = format!(
            "From: Mailer Daemon <MAILER-DAEMON@mx.example.net>\r\nSubject: Delivery status notification: delayed\r\n\
             Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\n\
             A message is delayed for more than 0 seconds for the following\r\nlist of recipients:\r\n\r\n\
             u@example.net: {said}\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; mx.example.net\r\n\r\nFinal-Recipient: rfc822; u@example.net\r\nAction: delayed\r\n\
             Status: 4.4.7\r\n\r\n--b--\r\n"
        );
        let one = report(&content).recipients.remove(0);
        (one.action, one.cause.map(|cause| (cause.class.as_str(), cause.suppresses)))
    };
    assert_eq!(told("Envelope expired"), (Action::Failed, Some(("expired", false))));
    assert_eq!(told("452 4.2.2 Mailbox full").0, Action::Delayed);
}

/// Who forges it, or whose server is confused: a success that calls itself a failure is no proof that nobody is there.
#[test]
fn a_failure_with_a_good_status_suppresses_nobody() {
    let suppresses = |status: &str, said: &str| {
        let content = format!(
            "From: MAILER-DAEMON@x.example\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
             --b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; u@x.example\r\nAction: failed\r\n\
             Status: {status}\r\nDiagnostic-Code: smtp; {said}\r\n\r\n--b--\r\n"
        );
        report(&content).recipients[0].cause.is_some_and(|cause| cause.suppresses)
    };
    assert!(!suppresses("2.1.1", "250 2.1.1 no such user here"));
    assert!(!suppresses("2.0.0", "no such user here"));
    assert!(suppresses("2.1.1", "550 5.1.1 no such user here"));
    assert!(suppresses("5.1.1", "no such user here"));
}

#[test]
fn a_report_says_which_message_it_is_about() {
    let original = report(BOUNCE).original;
    assert_eq!(original.message_id.as_deref(), Some("1@example.com"));
    assert_eq!(original.return_path.as_deref(), Some("b-token@example.com"));
    assert_eq!(original.field("feedback-id"), Some("spring:shop"));
}

#[test]
fn a_report_is_read_also_where_its_structure_is_lost() {
    let lost =
        BOUNCE.replace("Content-Type: multipart/report; report-type=delivery-status; boundary=\"a/b\"", "X-Lost: 1");
    assert_eq!(report(&lost).recipients.len(), 3);
    let flat = BOUNCE.replace("\r\n", "\n");
    assert_eq!(report(&flat).recipients, report(BOUNCE).recipients);
    // The fields are then read as sentences, too: another rule may say the same.
    let told = |report: &Report| -> Vec<_> {
        let recipients = report.recipients.iter();
        recipients.map(|r| (r.last.clone(), r.action, r.status, r.cause.map(|cause| cause.class))).collect()
    };
    let untyped = BOUNCE.replace("Content-Type: message/delivery-status", "Content-Type: text/plain");
    assert_eq!(told(&report(&untyped)), told(&report(BOUNCE)));
}

#[test]
fn a_complaint_says_who_complained_about_what() {
    let content = "From: fbl@example.net\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n\
        --x\r\nContent-Type: text/plain\r\n\r\nThis is a complaint.\r\n--x\r\nContent-Type: message/feedback-report\r\n\r\n\
        Feedback-Type: abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\nOriginal-Mail-From: <b-token@example.com>\r\n\
        Original-Rcpt-To: <u@example.net>\r\nOriginal-Rcpt-To: <U@example.net>\r\nSource-IP: 192.0.2.1\r\nReported-Domain: example.com\r\n\
        --x\r\nContent-Type: message/rfc822\r\n\r\nFrom: shop@example.com\r\nMessage-ID: <1@example.com>\r\n\r\nbuy\r\n--x--\r\n";
    let Comeback::Complaint(complaint) = read(content.as_bytes()) else { panic!() };
    assert_eq!((complaint.kind.as_str(), complaint.reporter.as_deref()), ("abuse", Some("SomeGenerator/1.0")));
    assert_eq!(complaint.return_path.as_deref(), Some("b-token@example.com"));
    assert_eq!(complaint.recipients, ["u@example.net"]);
    assert_eq!(complaint.source, Some("192.0.2.1".parse().unwrap()));
    assert_eq!(complaint.domains, ["example.com"]);
    assert_eq!(complaint.original.message_id.as_deref(), Some("1@example.com"));
}

#[test]
fn a_complaint_whose_parts_have_lost_their_types_is_one() {
    const FIELDS: &str =
        "Feedback-Type: abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\nOriginal-Rcpt-To: u@example.net\r\n";
    let is_complaint = |content: String| match read(content.as_bytes()) {
        Comeback::Complaint(complaint) => complaint.kind == "abuse" && complaint.recipients == ["u@example.net"],
        _ => false,
    };
    let parts = |fields: &str, kind: &str| {
        format!(
            "From: fbl@isp.example\r\nContent-Type: multipart/{kind}; boundary=x\r\n\r\n--x\r\n\r\nThis is a complaint.\r\n\
             --x\r\nContent-Type: text/plain\r\n\r\n{fields}\r\n--x\r\nContent-Type: message/rfc822\r\n\r\n\
             To: u@example.net\r\nMessage-ID: <1@example.com>\r\n\r\nHello\r\n--x--\r\n"
        )
    };
    assert!(is_complaint(parts(FIELDS, "report; report-type=feedback-report")));
    assert!(is_complaint(parts(FIELDS, "mixed")));
    assert!(is_complaint(parts("", "report; report-type=feedback-report")));
    assert!(is_complaint(format!("From: fbl@isp.example\r\n\r\nThis is a complaint.\r\n\r\n{FIELDS}\r\nHello")));
    // A human who quotes one.
    assert!(!is_complaint(format!("From: u@example.net\r\nIn-Reply-To: <1@x>\r\n\r\nWhat is this?\r\n\r\n{FIELDS}")));
    assert!(!is_complaint(format!("From: u@example.net\r\n\r\n> {}", FIELDS.replace("\r\n", "\r\n> "))));
}

fn letter(fields: &str, body: &str) -> (&'static str, Letter) {
    let content = format!("From: Ann <ann@example.net>\r\n{fields}\r\n\r\n{body}\r\n");
    match read(content.as_bytes()) {
        Comeback::Unsubscribe(letter) => ("unsubscribe", letter),
        Comeback::Challenge(letter) => ("challenge", letter),
        Comeback::AutoReply(letter) => ("auto", letter),
        Comeback::Reply(letter) => ("human", letter),
        other => panic!("{other:?}"),
    }
}

#[test]
fn letters_are_told_apart() {
    for (fields, body, expected) in [
        ("Subject: Re: your offer", "Yes, please", "human"),
        ("Subject: Re: how do I unsubscribe?", "Tell me", "human"),
        ("Subject: unsubscribe", "", "unsubscribe"),
        ("Subject: Unsubscribe 4f2a.spring", "", "unsubscribe"),
        ("Subject: Re: UNSUBSCRIBE", "> buy", "unsubscribe"),
        ("Subject: Abmelden!", "", "unsubscribe"),
        ("X-A: b", "Stop.", "unsubscribe"),
        // In other words and languages, and above a quotation.
        ("Subject: Unsubscribe me from this list", "", "unsubscribe"),
        ("Subject: Please take me off your mailing list!", "", "unsubscribe"),
        ("Subject: cancel subscription", "", "unsubscribe"),
        ("Subject: No more mails", "", "unsubscribe"),
        ("Subject: =?utf-8?B?6YWN5L+h5YGc5q2i?=", "", "unsubscribe"),
        ("Subject: =?utf-8?B?0J7RgtC/0LjRgdCw0YLRjNGB0Y8=?=", "", "unsubscribe"),
        ("Subject: =?utf-8?Q?d=C3=A9sinscrire?=", "", "unsubscribe"),
        ("Subject: Re: Hi", "STOP\r\n\r\n> Hello", "unsubscribe"),
        ("Subject: Re: Hi", "\r\nunsubscribe me please", "unsubscribe"),
        ("Subject: Re: Hi", "Stop by on Monday", "human"),
        ("Subject: Re: Hi", "How can you unsubscribe me from it?", "human"),
        ("Subject: Please remove me from the meeting on Monday, I am ill and cannot come", "Ann", "human"),
        ("Subject: Re: Remove me from the queue, and be served", "Who is it?", "human"),
        ("Subject: Automatic reply: Hi", "Unsubscribe", "auto"),
        ("Subject: Re: Hi\r\nAuto-Submitted: auto-generated", "Stop", "auto"),
        ("Subject: unsubscribe\r\nAuto-Submitted: auto-replied\r\nX-Apple-Unsubscribe: true", "", "unsubscribe"),
        // Who is absent answers a letter about leaving.
        ("Subject: Re: unsubscribe confirmation\r\nAuto-Submitted: auto-replied", "I am out.", "auto"),
        ("Subject: Away\r\nAuto-Submitted: auto-replied (vacation)", "Back on Monday", "auto"),
        ("Subject: Re: x\r\nAuto-Submitted: no", "Hello", "human"),
        ("Subject: Automatic reply: your offer", "", "auto"),
        ("Subject: =?utf-8?Q?Abwesenheitsnotiz=3A_Urlaub?=", "", "auto"),
        ("Subject: x\r\nPrecedence: auto_reply", "", "auto"),
        ("Subject: [Automatyczna =?iso-8859-2?Q?odpowied=BC?=] x\r\nPrecedence: junk", "", "auto"),
        ("Subject: Re: x (Automatic Response)", "", "auto"),
        ("Subject: =?koi8-r?B?4dfUz8/U18XU?=: x", "", "auto"),
        (
            "Subject: Read: x\r\nContent-Type: multipart/report; report-type=disposition-notification; boundary=x",
            "--x\r\n\r\nread\r\n--x--",
            "auto",
        ),
        ("Subject: Your message is awaiting your confirmation", "Click", "challenge"),
    ] {
        assert_eq!(letter(fields, body).0, expected, "{fields:?}");
    }
}

#[test]
fn a_letter_says_what_it_answers() {
    let (_, letter) = letter(
        "Subject: Re: x\r\nReply-To: b@example.net\r\nIn-Reply-To: <2@x>\r\nReferences: <1@x> <2@x>",
        "\r\n Yes",
    );
    assert_eq!((letter.from.as_deref(), letter.reply_to.as_deref()), (Some("ann@example.net"), Some("b@example.net")));
    assert_eq!(letter.answers, ["2@x", "1@x"]);
    assert_eq!(letter.text.trim(), "Yes");
}

#[test]
fn what_is_no_message_is_read_as_one() {
    for content in
        [&b""[..], b"\0", b"\r\n", b"\xff\xfe", b":", b"Content-Type: multipart/report; boundary=", b"@@@@<>"]
    {
        assert!(matches!(read(content), Comeback::Reply(_)), "{content:?}");
    }
}
