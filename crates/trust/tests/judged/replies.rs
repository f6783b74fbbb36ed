//! Receivers' replies, as they were given, and what each has to be taken for.

use std::collections::BTreeSet;

use repute_trust::replies::{Action, Class, Fault, Rules, classify, parse_pasted};
use repute_types::{Random, SeededRandom};

const FILES: [(&str, &str); 9] = [
    ("google", include_str!("../replies/google.txt")),
    ("microsoft", include_str!("../replies/microsoft.txt")),
    ("yahoo", include_str!("../replies/yahoo.txt")),
    ("apple", include_str!("../replies/apple.txt")),
    ("filters", include_str!("../replies/filters.txt")),
    ("europe", include_str!("../replies/europe.txt")),
    ("america", include_str!("../replies/america.txt")),
    ("asia", include_str!("../replies/asia.txt")),
    ("generic", include_str!("../replies/generic.txt")),
];

struct Example {
    rule: String,
    class: String,
    host: Option<String>,
    reply: String,
}

fn examples() -> Vec<Example> {
    let mut examples = Vec::new();
    for (file, text) in FILES {
        let mut head = Vec::new();
        for line in text.lines().filter(|l| !l.trim().is_empty() && !l.starts_with('#')) {
            match line.strip_prefix("  ") {
                None => {
                    head = line.split(' ').map(str::to_owned).collect();
                    assert_eq!(head.len(), 3, "{file}: {line}");
                }
                Some(reply) => examples.push(Example {
                    rule: head[0].clone(),
                    class: head[1].clone(),
                    host: (head[2] != "-").then(|| head[2].clone()),
                    reply: reply.to_owned(),
                }),
            }
        }
    }
    examples
}

#[test]
fn every_reply_is_classified_as_expected() {
    let mut wrong = Vec::new();
    let examples = examples();
    for Example { rule, class, host, reply } in &examples {
        let parsed = parse_pasted(reply).unwrap_or_else(|| panic!("no reply: {reply}")).reply;
        let found = classify(&parsed, host.as_deref());
        if (found.rule, found.class.as_str()) != (rule.as_str(), class.as_str()) {
            wrong.push(format!("{reply}\n    is {} ({}), expected {rule} ({class})", found.rule, found.class));
        }
    }
    assert!(wrong.is_empty(), "{} of {} are wrong\n{}", wrong.len(), examples.len(), wrong.join("\n"));
    assert!(examples.len() > 290, "{}", examples.len());
}

/// A rule that no reply can reach any more, because another one is preferred, has no example here.
#[test]
fn no_rule_is_shadowed() {
    let used: BTreeSet<String> = examples().into_iter().map(|e| e.rule).collect();
    let unused: Vec<&str> =
        Rules::shipped().rules().iter().map(|r| r.id.as_str()).filter(|id| !used.contains(*id)).collect();
    assert!(unused.is_empty(), "no reply is classified by {unused:?}");
}

/// Which rule decides must not hang on the order of the files, where phrases and codes decide.
#[test]
fn no_two_rules_fit_equally_well() {
    for Example { host, reply, .. } in examples() {
        let parsed = parse_pasted(&reply).unwrap().reply;
        let mut best = Rules::shipped().best(&parsed, host.as_deref());
        best.retain(|rule| !rule.goes_by_words());
        assert!(best.len() <= 1, "{reply}\n{:?}", best.iter().map(|r| &r.id).collect::<Vec<_>>());
    }
}

#[test]
fn only_permanent_replies_about_the_recipient_suppress() {
    for Example { host, reply, .. } in examples() {
        let parsed = parse_pasted(&reply).unwrap().reply;
        let found = classify(&parsed, host.as_deref());
        if found.suppresses() {
            assert!(parsed.is_permanent() && found.fault == Fault::Recipient, "{reply}");
            let gone = [Class::UnknownUser, Class::DisabledMailbox, Class::TakesNoMail, Class::Moved];
            assert!(gone.contains(&found.class), "{reply}");
        }
    }
    let later = parse_pasted("450 4.1.1 user unknown, being verified").unwrap().reply;
    assert_eq!(classify(&later, None).action, Action::Nothing);
    // An MX record that is wrong for an hour took all recipients of a domain off every list.
    let elsewhere = parse_pasted("550 5.1.2 we do not know example.net").unwrap().reply;
    assert_eq!(classify(&elsewhere, None).action, Action::Nothing);
    let never = parse_pasted("550 5.1.1 user unknown").unwrap().reply;
    assert_eq!(classify(&never, None).action, Action::Suppress);
}

/// What is not there, or closed, is the sender's account, a name, a directory: each of these took a recipient off the list.
#[test]
fn what_is_said_of_something_else_suppresses_nobody() {
    let replies = [
        "550 5.1.1 Sorry, you are not allowed to send to this address",
        "550 5.1.1 sorry, your mail server is not welcome here",
        "550 5.1.1 Recipient address rejected: Access denied",
        "550 5.2.1 mailbox temporarily disabled",
        "550 account temporarily inactive",
        "550 Sender account disabled",
        "550 From address: no such user",
        "550 Domain example.com does not exist",
        "550 The host mail.example.com does not exist in DNS",
        "550 MX record of news@example.com does not exist",
        "550 5.1.1 LDAP server unavailable",
        "550 5.1.3 Bad recipient address syntax in header To",
        "550 Client mail.example.com does not exist",
        "550 5.1.10 Sender domain has no MX",
        "550 This account is disabled for outgoing mail, relay.example.com",
        "550 5.7.1 Your account is disabled",
        "550 Too many invalid recipient attempts from your IP",
        "550 5.1.1 HELO name rejected",
        "550 5.1.1 Message refused by content filter",
        "550 5.1.8 <news@example.com>... no such user in MAIL FROM domain",
        "535 5.7.8 Error: authentication failed: user not found",
        "535 5.7.8 Error: authentication failed: account disabled",
        "521 mx.example.net access denied to mail.example.com",
        "550 Message rejected: invalid recipient header",
        "521 5.7.1 Service refused, your host is not allowed here",
    ];
    let wrong = replies.iter().filter(|reply| classify(&parse_pasted(reply).unwrap().reply, None).suppresses());
    assert_eq!(wrong.collect::<Vec<_>>(), Vec::<&&str>::new());
}

/// From a reply that says that our address is at fault follows that mail takes another way.
#[test]
fn what_a_reply_says_of_something_else_is_no_fault_of_our_address() {
    for reply in [
        "553 Reverse-path <news@example.com> rejected",
        "553 5.1.7 Bad reverse-path syntax",
        "550 this host does not take reversed routes",
        "421 4.4.2 timed out while waiting for EHLO",
        "550 5.1.6 your server has moved to a bad neighbourhood",
        "553 Message filtered. Refer to the Troubleshooting page at http://www.symanteccloud.com/troubleshooting (#5.7.1)",
    ] {
        let found = classify(&parse_pasted(reply).unwrap().reply, None);
        let moves = found.fault == Fault::Address && matches!(found.action, Action::HoldAddress | Action::UseIpv4);
        assert!(!moves && !found.suppresses(), "{reply}: {} ({})", found.class, found.rule);
    }
}

#[test]
fn a_rule_of_one_receiver_is_not_another_s() {
    let reply = parse_pasted("550 5.7.30 REQUIRETLS support required").unwrap().reply;
    assert_eq!(classify(&reply, Some("aspmx.l.google.com")).class, Class::Dkim);
    assert_eq!(classify(&reply, Some("mx.example.net")).class, Class::Tls);
    assert_eq!(classify(&reply, None).class, Class::Tls);
    let reply = parse_pasted("421 4.7.0 [TSS04] deferred").unwrap().reply;
    assert_eq!(classify(&reply, Some("aspmx.l.google.com.")).rule, "words.rate");
    assert_eq!(Rules::shipped().receiver("GMAIL-SMTP-IN.L.google.com."), Some("google"));
    assert_eq!(Rules::shipped().receiver("notgoogle.com"), None);
}

/// Every check that a rule names has the form of an id, and every link is one.
#[test]
fn the_data_is_well_formed() {
    for rule in Rules::shipped().rules() {
        for check in &rule.checks {
            let good = check.contains('.')
                && check.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b".-".contains(&b));
            assert!(good, "{}: {check}", rule.id);
        }
        assert!(rule.link.as_deref().is_none_or(|l| l.starts_with("https://")), "{}", rule.id);
        assert!(rule.cause.ends_with('.') && rule.advice.ends_with('.'), "{}", rule.id);
    }
}

#[test]
fn a_person_reads_cause_fault_cure_checks_and_links() {
    let pasted = parse_pasted(
        "host gmail-smtp-in.l.google.com[192.0.2.26] said: 421-4.7.28 Gmail has detected an unusual rate of mail \
         421-4.7.28 originating from your IP address 192.0.2.25. For more information, go to \
         421 4.7.28 https://support.google.com/mail/?p=UnsolicitedRateLimitError. - gsmtp (in reply to end of DATA command)",
    )
    .unwrap();
    let found = classify(&pasted.reply, pasted.host.as_deref());
    let expected = "\
Gmail sees more mail than usual from the address, its network, or a domain of the message.
  whose fault  how fast we send
  what to do   Stop for ten minutes at least, then go on with one connection and add more one at a time; send less of what is not asked for.
  the server   sends nothing to this receiver for 10 minutes, then begins with a single connection
  check        repute check --only rate.volume,rate.complaint
  see          https://support.google.com/mail/?p=UnsolicitedRateLimitError
  (class rate, rule google.rate)";
    assert_eq!(found.to_string(), expected);
}

#[test]
fn the_lists_of_a_reply_are_named() {
    let reply = parse_pasted("554 rejected AUP#IPBL1001").unwrap().reply;
    assert_eq!(classify(&reply, Some("mx.cox.net")).lists, ["csi.cloudmark.com", "zen.spamhaus.org"]);
}

/// What people paste, and what receivers write, may be anything.
#[test]
fn no_text_makes_it_stumble() {
    let random = SeededRandom::new(550);
    let examples = examples();
    for _ in 0..5_000 {
        let example = &examples[random.below(examples.len() as u64) as usize];
        let mut text: Vec<char> = example.reply.chars().collect();
        for _ in 0..1 + random.below(6) {
            let place = random.below(text.len() as u64) as usize;
            let odd = ['é', '\u{2028}', ' ', '-', '.', '5', '(', 'I', 'ﬀ', '\0'][random.below(10) as usize];
            if random.below(2) == 0 { text[place] = odd } else { text.insert(place, odd) }
        }
        if let Some(pasted) = parse_pasted(&text.iter().collect::<String>()) {
            let found = classify(&pasted.reply, example.host.as_deref());
            assert!(!found.to_string().is_empty());
        }
    }
}

#[test]
fn a_reply_that_names_its_receiver_was_taken_for_nobody_s() {
    for (reply, rule) in [
        (
            "554 5.7.9 Message not accepted for policy reasons. See https://postmaster.yahooinc.com/error-codes",
            "yahoo.policy.dmarc",
        ),
        (
            "550 5.4.1 Recipient address rejected: Access denied. [AM0EUR02FT013.eop-EUR02.prod.protection.outlook.com]",
            "microsoft.unknown-user",
        ),
        ("554 5.7.9 Message not accepted, says notyahooinc.com.example", "status.login"),
    ] {
        let reply = repute_trust::replies::parse_pasted(reply).unwrap().reply;
        let host = Rules::shipped().host_in(&reply.text());
        assert_eq!(classify(&reply, host).rule, rule, "{host:?}");
    }
}
