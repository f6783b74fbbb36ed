//! The judge's reports: signed and tampered mail, allowed and forged senders, names that lead
//! back and names that do not.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail_auth::common::crypto::Ed25519Key;
use mail_auth::common::headers::HeaderWriter;
use mail_auth::dkim::DkimSigner;
use repute_playground::judge::{Algorithm, Verdict};
use repute_playground::{DnsServer, Facts, Judge, Report, Trouble, Zones};

const ZONES: &str = "
$ORIGIN .
$ORIGIN shop.test.
@       TXT  \"v=spf1 ip4:127.0.0.5 -all\"
_dmarc  TXT  \"v=DMARC1; p=reject\"
mail    A    127.0.0.5
other   A    127.0.0.7
$ORIGIN 127.in-addr.arpa.
5.0.0   PTR  mail.shop.test.
6.0.0   PTR  mail.shop.test.
7.0.0   PTR  other.shop.test.
";

const MESSAGE: &str = "From: a@shop.test\r\nTo: b@b.test\r\nSubject: hello\r\n\r\nYour order is on its way.\r\n";

struct Court {
    dns: DnsServer,
    judge: Judge,
    signed: String,
}

async fn court() -> Court {
    let zones = Zones::new();
    zones.load(ZONES).unwrap();
    let dns = DnsServer::start("127.0.0.1:0".parse().unwrap(), zones).await.unwrap();
    let pkcs8 = Ed25519KeyPair::generate_pkcs8v1(&aws_lc_rs::rand::SystemRandom::new()).unwrap();
    let public = Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap().public_key().as_ref().to_vec();
    let record = format!("v=DKIM1; k=ed25519; p={}", STANDARD.encode(public));
    dns.zones().set_txt("s1._domainkey.shop.test.", &record).unwrap();
    let key = Ed25519Key::from_pkcs8_maybe_unchecked_der(pkcs8.as_ref()).unwrap();
    let signer = DkimSigner::from_key(key).domain("shop.test").selector("s1").headers(["From", "Subject"]);
    let signed = signer.sign(MESSAGE.as_bytes()).unwrap().to_header() + MESSAGE;
    let judge = Judge::asking(dns.address()).unwrap();
    Court { dns, judge, signed }
}

impl Court {
    async fn judge(&self, peer: &str, helo: &str, content: &str) -> Report {
        self.judge.judge(&facts(peer, helo, content)).await.unwrap()
    }
}

fn facts(peer: &str, helo: &str, content: &str) -> Facts {
    Facts {
        host: "mx.b.test".into(),
        peer: peer.parse().unwrap(),
        helo: helo.into(),
        tls: None,
        from: Some("a@shop.test".into()),
        recipients: vec!["b@b.test".into()],
        content: content.as_bytes().to_vec().into(),
    }
}

#[tokio::test]
async fn a_sender_who_does_it_right_passes_everything() {
    let court = court().await;
    let report = court.judge("127.0.0.5", "mail.shop.test", &court.signed).await;
    assert_eq!(report.reverse, Verdict::Pass);
    assert_eq!(report.helo, Verdict::Pass);
    assert_eq!(report.spf, Verdict::Pass);
    assert_eq!(report.dmarc, Verdict::Pass);
    assert_eq!(report.dkim.len(), 1);
    assert!(report.verified(Algorithm::Ed25519Sha256) && report.all_verified(), "{:?}", report.dkim);
    assert_eq!((report.dkim[0].domain.as_str(), report.dkim[0].selector.as_str()), ("shop.test", "s1"));
}

#[tokio::test]
async fn a_changed_message_fails() {
    let court = court().await;
    for tampered in [court.signed.replace("hello", "hallo"), court.signed.replace("order", "money")] {
        let report = court.judge("127.0.0.5", "mail.shop.test", &tampered).await;
        assert!(matches!(report.dkim[0].verdict, Verdict::Fail(_)), "{:?}", report.dkim);
        assert!(!report.all_verified());
    }
    let report = court.judge("127.0.0.5", "mail.shop.test", MESSAGE).await;
    assert_eq!(report.dkim, []);
    assert!(!report.all_verified());
}

#[tokio::test]
async fn names_and_addresses_have_to_agree() {
    let court = court().await;
    let names = async |peer: &str, helo: &str| {
        let report = court.judge(peer, helo, MESSAGE).await;
        (report.reverse, report.helo)
    };
    let pass = |v: &Verdict| *v == Verdict::Pass;
    let (reverse, helo) = names("127.0.0.7", "mail.shop.test").await;
    assert!(pass(&reverse) && matches!(helo, Verdict::Fail(_)), "{helo:?}");
    // The classic mistake: the reverse name exists, and leads to another address.
    let (reverse, helo) = names("127.0.0.6", "mail.shop.test").await;
    assert!(matches!(reverse, Verdict::Fail(_)) && matches!(helo, Verdict::Fail(_)), "{reverse:?}");
    assert_eq!(names("127.0.0.8", "mail.shop.test").await, (Verdict::None, Verdict::None));
}

#[tokio::test]
async fn a_forged_sender_fails_and_what_cannot_be_found_out_is_unknown() {
    let court = court().await;
    let report = court.judge("127.0.0.7", "other.shop.test", MESSAGE).await;
    assert!(matches!(report.spf, Verdict::Fail(_)), "{:?}", report.spf);
    assert!(matches!(report.dmarc, Verdict::Fail(_)), "{:?}", report.dmarc);
    court.dns.zones().trouble("shop.test.", Some(Trouble::Fail)).unwrap();
    court.dns.zones().trouble("s1._domainkey.shop.test.", Some(Trouble::Fail)).unwrap();
    let fresh = Court { judge: Judge::asking(court.dns.address()).unwrap(), ..court };
    let report = fresh.judge("127.0.0.5", "mail.shop.test", &fresh.signed).await;
    assert!(matches!(report.spf, Verdict::Unknown(_)), "{:?}", report.spf);
    assert!(matches!(report.dkim[0].verdict, Verdict::Unknown(_)), "{:?}", report.dkim);
}

/// `mail-auth` and the trust engine judge the same messages, and agree.
#[tokio::test]
async fn both_judges_agree() {
    let court = court().await;
    let changed = court.signed.replace("order", "money");
    for (peer, helo, content) in [
        ("127.0.0.5", "mail.shop.test", court.signed.as_str()),
        ("127.0.0.5", "mail.shop.test", changed.as_str()),
        ("127.0.0.7", "other.shop.test", MESSAGE),
        ("127.0.0.7", "other.shop.test", court.signed.as_str()),
        ("127.0.0.6", "mail.shop.test", MESSAGE),
        ("127.0.0.8", "mail.shop.test", MESSAGE),
    ] {
        let facts = facts(peer, helo, content);
        let theirs = court.judge.judge(&facts).await.unwrap();
        let ours = court.judge.see(&facts, false, repute_types::Timestamp(1_795_608_000_000)).await;
        let has = |sign: &str| ours.sight.signs.iter().any(|s| s == sign);
        let told = format!("{peer} {helo}: {theirs:?} {:?}", ours.sight.signs);
        assert_eq!(theirs.spf == Verdict::Pass, has("spf.pass"), "{told}");
        assert_eq!(theirs.dmarc == Verdict::Pass, has("dmarc.pass"), "{told}");
        assert_eq!(theirs.all_verified(), has("dkim.pass"), "{told}");
        assert_eq!(theirs.reverse != Verdict::Pass, has("rdns.none") || has("rdns.unconfirmed"), "{told}");
    }
}
