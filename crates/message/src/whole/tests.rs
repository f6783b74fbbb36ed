//! A message made whole, case by case: what is added, taken away, refused, and left alone.

use repute_types::{Address, Content, Domain, MessageId, Timestamp, TlsAsked, TlsUsed};

use super::*;

fn make(input: &str) -> Result<(String, Made), Fault> {
    let hostname = Domain::parse("mail.example.com").unwrap();
    let received = Received {
        helo: "laptop",
        client: Some("192.0.2.7".parse().unwrap()),
        protocol: "ESMTPSA",
        tls: None,
        private: false,
        recipient: None,
    };
    make_with(input, &hostname, received)
}

fn make_with(input: &str, hostname: &Domain, received: Received<'_>) -> Result<(String, Made), Fault> {
    let now = Timestamp(1_795_485_950_120);
    let whole = Whole { now, date: now, id: MessageId::first_at(now), hostname, received, smtputf8: false, hops: 3 };
    let made = make_whole(Content::from(input.replace('\n', "\r\n").into_bytes()), &whole)?;
    Ok((String::from_utf8(made.content.to_vec()).unwrap().replace("\r\n", "\n"), made))
}

const RECEIVED: &str = "Received: from laptop ([192.0.2.7])\n\tby mail.example.com with ESMTPSA id 6h0pkb0n00000;\n\
                        \tTue, 24 Nov 2026 02:05:50 +0000\n";

#[track_caller]
fn check(input: &str, expect: &str, changed: &[Change]) {
    let (output, made) = make(input).unwrap();
    assert_eq!(output, format!("{RECEIVED}{expect}"), "{input}");
    assert_eq!(made.changed, changed);
}

#[test]
fn a_message_that_is_right_only_gets_received_in_front() {
    let right = "From: ann@a.example\nTo: bob@b.example\nDate: Tue, 24 Nov 2026 02:05:50 +0000\n\
                 Message-ID: <1@a.example>\nSubject: hi\n\nbody\n";
    check(right, right, &[]);
    let (_, made) = make(right).unwrap();
    assert_eq!((made.header_id.as_str(), made.from.len()), ("1@a.example", 1));
    assert_eq!(made.content.chunks().len(), 2, "the submitted octets are shared");
}

#[test]
fn what_is_missing_is_added() {
    check(
        "From: ann@a.example\n\nbody\n",
        "Message-ID: <6h0pkb0n00000@mail.example.com>\nDate: Tue, 24 Nov 2026 02:05:50 +0000\n\
         To: undisclosed-recipients:;\nFrom: ann@a.example\n\nbody\n",
        &[Change::Added("Message-ID"), Change::Added("Date"), Change::Added("To")],
    );
    let (_, made) = make("From: ann@a.example\n\nbody\n").unwrap();
    assert_eq!(made.header_id, "6h0pkb0n00000@mail.example.com");
}

const REST: &str = "Date: Tue, 24 Nov 2026 02:05:50 +0000\nMessage-ID: <1@a.example>\n";

#[test]
fn mime_version_is_added_where_a_mime_field_stands_alone() {
    let message = format!("From: a@b.example\nTo: c@d.example\n{REST}Content-Type: text/html\n\n<p>\n");
    check(&message, &format!("MIME-Version: 1.0\n{message}"), &[Change::Added("MIME-Version")]);
}

#[test]
fn fields_that_must_not_go_out_are_taken_away() {
    check(
        &format!(
            "Return-Path: <x@y.example>\nFrom: a@b.example\nBcc: secret@c.example,\n other@c.example\n\
                  To: c@d.example\n{REST}resent-bcc: e@f.example\n\nBcc: this is body\n"
        ),
        &format!("From: a@b.example\nTo: c@d.example\n{REST}\nBcc: this is body\n"),
        &[Change::Removed("Bcc"), Change::Removed("Resent-Bcc"), Change::Removed("Return-Path")],
    );
}

#[test]
fn what_an_application_said_to_postmark_or_ses_is_read_and_goes_no_further() {
    let (output, made) = make(
        "From: a@b.example\nTo: c@d.example\nX-PM-Tag: welcome\nx-pm-metadata-Order: =?utf-8?q?f=C3=BCnf?=\n\
         X-PM-Message-Stream: broadcast\nX-PM-KeepID: true\nX-PM-TrackOpens: false\nX-PM-TrackLinks: None\n\
         X-SES-CONFIGURATION-SET: main\nX-SES-MESSAGE-TAGS: kind=receipt,\n shop = north=1, Order=6, none\n\
         X-SES-SOURCE-ARN: arn:aws:ses:1\nX-SES-FROM-ARN: arn:aws:ses:2\nX-SES-RETURN-PATH-ARN: arn:aws:ses:3\n\
         X-SES-LIST-MANAGEMENT-OPTIONS: news; topic=a\nX-SES-TENANT: t\nX-SES-Outgoing: 2026.11.24-1.2.3.4\n\
         X-PMX: kept\nDate: Tue, 24 Nov 2026 02:05:50 +0000\nMessage-ID: <1@a.example>\n\nX-PM-Tag: body\n",
    )
    .unwrap();
    // What SES itself writes on the way out is no word of the application's.
    let rest = "From: a@b.example\nTo: c@d.example\nX-SES-Outgoing: 2026.11.24-1.2.3.4\nX-PMX: kept\n";
    assert_eq!(output, format!("{RECEIVED}{rest}{REST}\nX-PM-Tag: body\n"));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let metadata =
        [pair("Order", "fünf"), pair(CONFIGURATION_SET, "main"), pair("kind", "receipt"), pair("shop", "north=1")];
    assert_eq!(
        (made.said.tags.as_slice(), made.said.metadata.as_slice()),
        (&["welcome".to_owned()][..], &metadata[..])
    );
    assert!(made.said.bulk);
    assert_eq!(made.changed.len(), 13, "{:?}", made.changed);
    // Of what is known from elsewhere nothing is said over.
    let mut labels = repute_types::Labels { metadata: vec![pair("kind", "own")], ..Default::default() };
    made.said.add_to(&mut labels);
    assert_eq!(
        labels.metadata.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>(),
        ["own", "fünf", "main", "north=1"]
    );
}

#[test]
fn labels_that_are_too_long_or_too_many_are_passed_over_and_refuse_nothing() {
    let many: String = (0..60).map(|n| format!("X-PM-Metadata-n{n}: v\nX-PM-Tag: t{n}\n")).collect();
    let long = "x ".repeat(600);
    let (output, made) = make(&format!(
        "From: a@b.example\nTo: c@d.example\nX-PM-Tag: {}\nX-PM-Metadata-: none\nX-PM-Metadata-long: {long}\n{many}{REST}\nbody\n",
        "t".repeat(129)
    ))
    .unwrap();
    assert!(!output.contains("X-PM"), "{output}");
    assert_eq!((made.said.tags.len(), made.said.metadata.len()), (20, 50));
    assert_eq!(made.said.tags[0], "t0");
    assert!(made.said.metadata.iter().all(|(name, _)| name.starts_with('n')), "{:?}", made.said.metadata);
}

#[test]
fn an_empty_field_and_a_date_that_is_none_are_replaced() {
    check(
        "From: a@b.example\nTo: \nDate: yesterday\nMessage-ID: <1@a.example>\n\nbody\n",
        "Date: Tue, 24 Nov 2026 02:05:50 +0000\nTo: undisclosed-recipients:;\nFrom: a@b.example\n\
         Message-ID: <1@a.example>\n\nbody\n",
        &[Change::Removed("Date"), Change::Added("Date"), Change::Removed("To"), Change::Added("To")],
    );
}

/// Found by the fuzz target `message`: there were two dates then, and receivers refuse that.
#[test]
fn a_date_that_is_none_in_a_long_line_is_replaced_too() {
    let none = "a ".repeat(600);
    check(
        &format!("From: a@b.example\nTo: c@d.example\nDate: {none}\nMessage-ID: <1@a.example>\n\nbody\n"),
        "Date: Tue, 24 Nov 2026 02:05:50 +0000\nFrom: a@b.example\nTo: c@d.example\n\
         Message-ID: <1@a.example>\n\nbody\n",
        &[Change::Removed("Date"), Change::Added("Date")],
    );
}

fn lines_of_at_most_998(input: &str) -> String {
    let (out, made) = make(input).unwrap();
    assert!(out.lines().all(|line| line.len() <= 998), "{out}");
    assert!(made.changed.contains(&Change::Encoded), "{:?}", made.changed);
    out
}

/// Found by the fuzz target `message`: the first line of a field was allowed an octet too many, and its last line too.
#[test]
fn a_line_of_999_octets_is_folded_wherever_it_stands() {
    let word = |length: usize| format!("{} y", "x".repeat(length - 2));
    let rest = format!("To: c@d.example\n{REST}\nbody\n");
    lines_of_at_most_998(&format!("From: a@b.example\nX: {}\n{rest}", word(996)));
    lines_of_at_most_998(&format!("From: a@b.example\nX: a\n {}\n{rest}", word(998)));
    check(
        &format!("From: a@b.example\nX: {}\nY: a\n {}\n{rest}", word(995), word(997)),
        &format!("From: a@b.example\nX: {}\nY: a\n {}\n{rest}", word(995), word(997)),
        &[],
    );
    lines_of_at_most_998(&format!("From: a@b.example\n{rest}{}", word(999)));
}

/// Receivers cut longer lines; the stray parenthesis is the author's, and stays.
#[test]
fn a_long_list_that_is_none_is_folded_at_its_blanks() {
    let people = "ann lee@b.example, ".repeat(60);
    for stray in [")", "(", "\"", "[", "<"] {
        let to = format!("{people}{stray}eve@b.example");
        let out = lines_of_at_most_998(&format!("From: a@b.example\nTo: {to}\n{REST}\nbody\n"));
        assert!(out.replace("\n ", " ").contains(&format!("To: {to}\n")), "{out}");
    }
    let unbroken = format!("From: a@b.example\nTo: ({}\n{REST}\nbody\n", "x".repeat(1000));
    assert_eq!(make(&unbroken).unwrap_err(), Fault::LongWord { field: "To".into() });
}

#[test]
fn the_empty_line_and_the_last_line_end_are_there() {
    let header = format!("From: a@b.example\nTo: c@d.example\n{REST}");
    check(&header, &format!("{header}\n"), &[]);
    check(header.trim_end(), &format!("{header}\n"), &[]);
    check(&format!("{header}\nbody"), &format!("{header}\nbody\n"), &[]);
}

#[test]
fn received_keeps_a_private_submitter_to_itself() {
    let hostname = Domain::parse("mail.example.com").unwrap();
    let recipient = Address::parse("bob@b.example").unwrap();
    let tls = TlsUsed {
        version: "TLSv1.3".into(),
        cipher: "TLS13_AES_256_GCM_SHA384".into(),
        verified: false,
        asked: TlsAsked::Opportunistic,
    };
    let check = |received: Received<'_>, expect: &str| {
        let message = format!("From: a@b.example\nTo: c@d.example\n{REST}\nbody\n");
        let (output, _) = make_with(&message, &hostname, received).unwrap();
        assert_eq!(output.strip_suffix(&message), Some(expect));
    };
    let open = Received {
        helo: "evil\r\nX: y",
        client: Some("2001:db8::7".parse().unwrap()),
        protocol: "ESMTPSA",
        tls: Some(&tls),
        private: false,
        recipient: Some(&recipient),
    };
    check(
        open.clone(),
        "Received: from unknown ([IPv6:2001:db8::7])\n\tby mail.example.com with ESMTPSA id 6h0pkb0n00000\n\
         \t(TLSv1.3, TLS13_AES_256_GCM_SHA384)\n\tfor <bob@b.example>;\n\tTue, 24 Nov 2026 02:05:50 +0000\n",
    );
    check(
        Received { private: true, tls: None, ..open.clone() },
        "Received: by mail.example.com with ESMTPSA id 6h0pkb0n00000\n\tfor <bob@b.example>;\n\
         \tTue, 24 Nov 2026 02:05:50 +0000\n",
    );
    check(
        Received { client: None, tls: None, recipient: None, protocol: "local", ..open },
        "Received: by mail.example.com with local id 6h0pkb0n00000;\n\tTue, 24 Nov 2026 02:05:50 +0000\n",
    );
}

#[test]
fn fields_that_reveal_the_client_go_where_the_account_is_private() {
    let hostname = Domain::parse("mail.example.com").unwrap();
    let of = |private| Received {
        helo: "laptop",
        client: Some("192.0.2.7".parse().unwrap()),
        protocol: "ESMTPSA",
        tls: None,
        private,
        recipient: None,
    };
    let fields = "X-Originating-IP: [192.0.2.7]\nx-php-script: shop.example/mail.php for\n 192.0.2.7\n";
    let rest = format!("From: a@b.example\nTo: c@d.example\n{REST}X-Mailer: shop\n\nX-Originating-IP: body\n");
    let (private, made) = make_with(&format!("{fields}{rest}"), &hostname, of(true)).unwrap();
    assert!(private.starts_with("Received: by mail.example.com") && private.ends_with(&rest), "{private}");
    assert!(!private.contains("192.0.2.7") && !private.contains("shop.example"), "{private}");
    assert_eq!(made.changed, [Change::Removed("X-Originating-IP"), Change::Removed("X-PHP-Script")]);
    let (open, made) = make_with(&format!("{fields}{rest}"), &hostname, of(false)).unwrap();
    assert!(open.contains(fields) && made.changed.is_empty(), "{open}");
}

#[test]
fn faults_are_refused() {
    let nul = make("From: a@b.example\n\na\0b\n").unwrap_err();
    assert_eq!(nul, Fault::Nul { offset: 22 });
    assert!(nul.into_reply().to_string().starts_with("554 5.6.0 the message contains a NUL octet at 22"));
    assert_eq!(make("Subject: x\n\nbody\n").unwrap_err(), Fault::NoFrom);
}

/// A field that was folded anew, for its length, went out beside what took its place.
#[test]
fn an_encoding_whose_field_is_too_long_is_said_once() {
    let long = format!("Content-Transfer-Encoding: 8bit ({})\n", "x ".repeat(600));
    let top = format!(
        "From: a@b.example\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n{long}{REST}\nthis is ü and more\n"
    );
    let inside = format!(
        "From: a@b.example\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n{long}{REST}\n\
         --b\nContent-Type: text/plain; charset=utf-8\n{long}\nthis is ü and more\n--b--\n"
    );
    for (input, expected) in [(top, &["quoted-printable"][..]), (inside, &["7bit", "quoted-printable"])] {
        let (output, _) = make(&input).unwrap();
        let said: Vec<_> = output.lines().filter_map(|line| line.strip_prefix("Content-Transfer-Encoding: ")).collect();
        assert_eq!(said, expected, "{output}");
        assert!(output.contains("=C3=BC and") && !output.contains("x x"), "{output}");
    }
}

/// A Date that was none was taken out, and its letters asked for SMTPUTF8 all the same.
#[test]
fn a_field_that_is_taken_out_asks_for_no_smtputf8() {
    let hostname = Domain::parse("mail.example.com").unwrap();
    let received = Received { helo: "x", client: None, protocol: "ESMTP", tls: None, private: true, recipient: None };
    let now = Timestamp(1_795_485_950_120);
    let whole = Whole { now, date: now, id: MessageId(7), hostname: &hostname, received, smtputf8: true, hops: 3 };
    let text = "From: a@b.example\r\nTo: c@d.example\r\nDate: jeudi, 26 f\u{e9}vrier\r\n\r\nbody\r\n";
    let made = make_whole(Content::from(text.as_bytes().to_vec()), &whole).unwrap();
    assert!(!made.needs_smtputf8 && !made.needs_eight_bit, "{:?}", made.changed);
    assert!(made.content.to_vec().is_ascii());
}
