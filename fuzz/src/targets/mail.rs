//! Messages: read, made whole, signed, judged, merged, told of.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::OnceLock;

use repute_message::dsn::{self, Notice, Original, Told};
use repute_message::handlebars::filled;
use repute_message::judge::{About, LINKS_MOST, judge};
use repute_message::merge::{FormLetter, Given};
use repute_message::{Header, header, sendmail, whole};
use repute_trust::dkim::{Algorithm, SigningKey, sign};
use repute_types::event::NoticeKind;
use repute_types::{
    Address, Content, Domain, EnhancedCode, MessageId, Notify, Outcome, Recipient, Reply, Ret, Stage, Timestamp,
};

use super::{Choices, content_in_cuts, domain, has_bare, pieces};

/// A submitted message made whole: what comes out is well formed, and is left as it is when it
/// is made whole again.
pub fn message(octets: &[u8]) {
    let mut choices = Choices(octets);
    let (cut, smtputf8, private) = (choices.next(), choices.flag(), choices.flag());
    let hostname = domain();
    let settings = whole::Whole {
        now: Timestamp(1_795_485_950_120),
        date: Timestamp(1_795_485_950_120),
        id: MessageId(7_530_000_000_000_000),
        hostname: &hostname,
        received: whole::Received {
            helo: "client.example",
            client: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
            protocol: "ESMTPSA",
            tls: None,
            private,
            recipient: None,
        },
        smtputf8,
        hops: 100,
    };
    if let Ok(header) = Header::read(&Content::from(choices.0.to_vec())) {
        for field in header.fields() {
            let _ = (header::addresses(field.value), header::mailboxes(field.value));
            let _ = (header::message_ids(field.value), header::is_date(field.value), field.text());
        }
    }
    let person =
        repute_message::compose::Person { name: "Cron".into(), address: Address::parse("root@example.com").unwrap() };
    let read = sendmail::read(choices.0, &sendmail::Options { from: person, dot_ends: smtputf8 });
    let _ = sendmail::recipients(&read);

    let made = whole::make_whole(content_in_cuts(choices.0, cut.max(16)), &settings);
    let uncut = whole::make_whole(Content::from(choices.0.to_vec()), &settings);
    let (Ok(made), Ok(uncut)) = (&made, &uncut) else {
        assert_eq!(made.is_ok(), uncut.is_ok(), "it depends on how the octets are cut");
        return;
    };
    let out = made.content.to_vec();
    assert_eq!(out, uncut.content.to_vec(), "it depends on how the octets are cut");
    assert!(!made.from.is_empty());
    if has_bare(choices.0) {
        // The doors refuse bare CR and LF, so what is made of them is nobody's concern.
        return;
    }
    let header = Header::read(&made.content).expect("what is made whole has a header");
    for name in ["From", "Date", "Message-ID"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
    assert!(header.find("Bcc").is_none());
    assert!(out.is_ascii() || made.needs_eight_bit || made.needs_smtputf8, "8-bit octets are left and nobody says so");
    let too_long = out.split(|b| *b == b'\n').find(|line| line.len() > 999);
    assert!(too_long.is_none(), "a line of more than 998 octets is left");
    let again = whole::make_whole(made.content.clone(), &settings).expect("what was made whole once is whole");
    let is_same_body = |m: &whole::Made| m.content.to_vec().ends_with(&out);
    assert!(private || is_same_body(&again), "it is rewritten where nothing has to be: {:?}", again.changed);
}

/// Addresses and domains: what is read is written so that it reads as the same.
pub fn address(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if let Ok(address) = Address::parse(text) {
        let written = address.to_string();
        assert!(!written.contains(['\r', '\n', '\0']), "{written:?}");
        let again = Address::parse(&written).unwrap_or_else(|e| panic!("{written:?} from {text:?}: {e}"));
        assert_eq!(again, address);
        // As it stands in MAIL and RCPT.
        let line = format!("RCPT TO:<{written}>\r\n");
        assert_eq!(line.matches("\r\n").count(), 1);
    }
    if let Ok(domain) = Domain::parse(text) {
        let written = domain.to_string();
        assert!(written.is_ascii() && written.len() <= 255, "{written:?}");
        assert_eq!(Domain::parse(&written).ok(), Some(domain));
    }
}

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::generate(Algorithm::Ed25519, "e").unwrap())
}

/// Signing: the signature does not depend on cuts, nor on what the canonical form leaves out,
/// and depends on the rest.
pub fn dkim(octets: &[u8]) {
    let mut choices = Choices(octets);
    let cut = choices.next();
    let now = Timestamp(1_795_485_950_120);
    let sign_it = |content: &Content| sign(content, &[key()], &domain(), now).ok();
    let octets = choices.0;
    let signed = sign_it(&Content::from(octets.to_vec()));
    assert_eq!(signed, sign_it(&content_in_cuts(octets, cut)), "it depends on how the octets are cut");
    let Some(signed) = signed else { return };
    let text = std::str::from_utf8(&signed).unwrap();
    assert!(text.ends_with("\r\n") && text.lines().all(|line| line.len() <= 998 && !line.is_empty()));
    assert!(text.lines().skip(1).all(|line| line.starts_with([' ', '\t'])), "one field and no more");
    if octets.ends_with(b"\r\n") && octets.windows(4).any(|w| w == b"\r\n\r\n") {
        // RFC 6376 §3.4.4: empty lines at the end are ignored.
        let longer = [octets, b"\r\n\r\n"].concat();
        assert_eq!(sign_it(&Content::from(longer)).as_ref(), Some(&signed), "empty lines at the end are ignored");
        let changed = [octets, b"x\r\n"].concat();
        assert_ne!(sign_it(&Content::from(changed)).as_ref(), Some(&signed), "the body is not signed");
    }
}

pub(super) fn settings(hostname: &Domain, smtputf8: bool) -> whole::Whole<'_> {
    let received =
        whole::Received { helo: "x", client: None, protocol: "local", tls: None, private: true, recipient: None };
    whole::Whole { now: Timestamp(0), date: Timestamp(0), id: MessageId(7), hostname, received, smtputf8, hops: 100 }
}

/// A notice about a message of whatever content was accepted, with whatever a receiver said: it is a
/// well-formed multipart/report in 7 bits.
pub fn notice(octets: &[u8]) {
    let mut choices = Choices(octets);
    let kind = NoticeKind::ALL[usize::from(choices.next() % 3)];
    let ret = [None, Some(Ret::Full), Some(Ret::Headers)][usize::from(choices.next() % 3)];
    let split = usize::from(choices.next()).min(choices.0.len());
    let (said, rest) = choices.0.split_at(split);
    let said = String::from_utf8_lossy(said).into_owned();
    let (hostname, to) = (domain(), Address::parse("shop@example.com").unwrap());
    let Ok(accepted) = whole::make_whole(Content::from(rest.to_vec()), &settings(&hostname, true)) else { return };
    let content = accepted.content;
    let recipient = Recipient { address: to.clone(), notify: Notify::Unsaid, orcpt: Some(format!("rfc822;{said}")) };
    let reply =
        Reply { code: 550, enhanced: Some(EnhancedCode(5, 1, 1)), lines: said.split('\n').map(Into::into).collect() };
    let outcome = Outcome::from_reply(Stage::Rcpt, reply);
    let told =
        Told { recipient: &recipient, outcome: &outcome, attempted: Some(Timestamp(0)), until: Some(Timestamp(1)) };
    let original = Original { id: MessageId(5), received: Timestamp(0), envid: Some(&said), ret, content: &content };
    let made = dsn::compose(&Notice {
        kind,
        now: Timestamp(1_795_485_950_120),
        id: MessageId(6),
        hostname: &hostname,
        author: &to,
        to: &to,
        original,
        recipients: vec![told],
    });
    let octets = made.content.to_vec();
    let header = Header::read(&made.content).expect("a notice has a header");
    for name in ["From", "To", "Date", "Message-ID", "Subject", "Auto-Submitted", "Content-Type"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
    let head = &octets[..header.body_start()];
    assert!(head.is_ascii(), "a header in 7 bits");
    assert!(octets.is_ascii(), "a notice in 7 bits");
    assert!(octets.split(|b| *b == b'\n').all(|line| line.len() <= 999), "a line of more than 998 octets");
    let mail = whole::make_whole(made.content, &settings(&hostname, false));
    assert!(mail.is_ok(), "a notice would not be accepted: {mail:?}");
}

/// A message is judged, whatever it is: each check has its say, and links have their bound.
pub fn judged(octets: &[u8]) {
    let mut choices = Choices(octets);
    let about = About { now: Timestamp(1_795_485_950_120), bulk: choices.flag() };
    let content = Content::from(choices.0.to_vec());
    let judged = judge(&content, &about);
    assert!(!judged.remarks.is_empty() && judged.links.len() <= LINKS_MOST);
    assert!(!about.bulk || judged.bulk);
    assert!(judged.remarks.iter().all(|remark| !remark.found.is_empty()));
    assert_eq!(judged, judge(&content, &about), "it is judged in two ways");
    for signature in &judged.signatures {
        let _ = repute_trust::dkim::Written::read(signature);
    }
}

/// A letter is merged: what a recipient's fields hold makes no header field, no line end of its own and no
/// other recipient.
pub fn letter(octets: &[u8]) {
    let [name, plan, rest] = pieces(octets);
    template(&rest, &name, &plan);
    let form = Content::from(rest.replace("\r\n", "\n").replace('\r', "").replace('\n', "\r\n").into_bytes());
    let fields = ["name".to_owned(), "plan".to_owned()];
    let Ok(letter) = FormLetter::read(&form, &fields) else { return };
    let email = Address::parse("ann@example.net").unwrap();
    let merged = |values: &[String; 2]| {
        letter.merge(&Given { email: &email, values, unsubscribe_url: "https://mail.example.com/u/x" })
    };
    let hostile = [format!("{name}\r\nBcc: eve@example.org\r\n\r\n"), plan];
    let (Ok(plain), Ok(merged)) = (merged(&["Ann".to_owned(), "gold".to_owned()]), merged(&hostile)) else { return };
    let names = |content: &Content| {
        let header = Header::read(content).expect("a merged letter has a header");
        header.fields().map(|field| field.name.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&plain), names(&merged), "a value makes a field");
    let merged = merged.to_vec();
    assert!(!has_bare(&merged), "a value makes a line end of its own: {:?}", String::from_utf8_lossy(&merged));
}

/// A template of another service: what a value holds is a text and never a part of the template.
fn template(text: &str, name: &str, plan: &str) {
    let data =
        |name: &str| serde_json::json!({"name": name, "plan": plan, "a": {"b": [1, 2.5, null, true, {"name": name}]}});
    let (plain, braced) = (filled(text, &data("x")), filled(text, &data("{{plan}}")));
    assert_eq!(plain.is_ok(), braced.is_ok(), "a value changes what the template is");
    if let Ok(braced) = braced {
        // Unless a value brought it, which is a text like any other.
        assert!(plan.contains('\u{1}') || !braced.contains('\u{1}'), "a mark of ours stands in it");
    }
    let _ = filled(text, &data(name));
}
