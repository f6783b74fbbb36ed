//! What comes back: notices, complaints, reports, letters.

use repute_feedback::{Comeback, read, read_file};
use repute_message::{Header, whole};
use repute_types::{Address, Content};

use super::{Choices, domain, mail::settings};

/// What comes back, whatever it is, is read as something; what is said of it keeps the bounds.
pub fn comeback(octets: &[u8]) {
    let found = read(octets);
    match &found {
        Comeback::Report(report) => {
            assert!(!report.recipients.is_empty() && report.recipients.len() <= 1000);
            for recipient in &report.recipients {
                let status = recipient.status;
                assert!(matches!(status.0, 2 | 4 | 5), "{status}");
                assert!(!recipient.is_hard() || status.0 == 5, "suppressed by {status}");
                assert!(recipient.cause.is_some() || recipient.action.is_good());
            }
        }
        Comeback::DmarcReport(report) => assert!(report.records.len() <= 20_000),
        Comeback::Reply(letter) | Comeback::AutoReply(letter) | Comeback::Challenge(letter) => {
            assert!(letter.text.len() <= 2000 && letter.answers.len() <= 50);
        }
        _ => {}
    }
    assert_eq!(found, read(octets), "it is read in two ways");
    let _ = read_file(octets);
    if let Comeback::Reply(letter) = found {
        handed_on(octets, letter.name);
    }
}

/// A stranger's letter that is handed on has one author, us.
fn handed_on(octets: &[u8], name: Option<String>) {
    use repute_message::compose::Person;
    use repute_message::forward::{Forward, forward, is_personal};
    let (ours, theirs) = ("postmaster@example.com", "ann@a.test");
    let address = |text: &str| Address::parse(text).unwrap();
    let wanted = Forward {
        from: Person { name: format!("{} via us", name.as_deref().unwrap_or(theirs)), address: address(ours) },
        reply_to: Person { name: name.unwrap_or_default(), address: address(theirs) },
        to: address("support@example.com"),
        mark: "replies@b.example.com".into(),
    };
    let content = Content::from(octets.to_vec());
    let Ok(handed) = forward(&content, &wanted) else { return };
    assert!(!is_personal(&handed, &wanted.mark), "it would be handed on again");
    let hostname = domain();
    let Ok(made) = whole::make_whole(handed, &settings(&hostname, false)) else { return };
    assert_eq!(made.from, [address(ours)]);
    let header = Header::read(&made.content).expect("what is made whole has a header");
    for name in ["From", "Reply-To", "To", "Date", "Message-ID", "X-Loop"] {
        assert_eq!(header.all(name).count(), 1, "{name}");
    }
}

/// A report as it is attached and as a file says the same, and keeps its bounds.
pub fn report(octets: &[u8]) {
    let mut choices = Choices(octets);
    let forms = [
        ("xml", "text/xml"),
        ("json", "application/tlsrpt+json"),
        ("gz", "application/gzip"),
        ("zip", "application/zip"),
    ];
    let (end, media) = forms[usize::from(choices.next() & 3)];
    let by_hand = read_file(choices.0);
    assert!(!by_hand.is_empty());
    for found in &by_hand {
        if let Comeback::DmarcReport(report) = found {
            assert!(report.records.len() <= 20_000);
        }
    }
    let mut mail = format!(
        "From: reports@receiver.example\r\nTo: dmarc@example.com\r\nSubject: Report Domain: example.com\r\n\
         MIME-Version: 1.0\r\nContent-Type: {media}; name=\"r.{end}\"\r\n\
         Content-Disposition: attachment; filename=\"r.{end}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    );
    let mut encoded = repute_message::encode::Base64Lines::default();
    encoded.feed(choices.0);
    mail += std::str::from_utf8(&encoded.finish()).unwrap();
    let attached = read(mail.as_bytes());
    if let [found @ (Comeback::DmarcReport(_) | Comeback::TlsReport(_))] = &by_hand[..] {
        assert_eq!(&attached, found, "it is another report when it is attached");
    }
}
