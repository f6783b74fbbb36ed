//! DMARC and TLS reports, as they are attached and as they are bent.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use repute_feedback::{Comeback, Reporter, SessionCount, TlsPolicy, read, tls_report, tls_report_file};

const DMARC: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <report_metadata>
    <org_name>Receiver &amp; Sons</org_name><email>dmarc@example.net</email><report_id>4711</report_id>
    <date_range><begin>1795392000</begin><end>1795478399</end></date_range>
  </report_metadata>
  <policy_published><domain>Example.com</domain><adkim>r</adkim><aspf>s</aspf><p>quarantine</p><testing>n</testing></policy_published>
  <record>
    <row><source_ip>192.0.2.1</source_ip><count>120</count>
      <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>pass</spf></policy_evaluated></row>
    <identifiers><header_from>example.com</header_from><envelope_from>b.example.com</envelope_from></identifiers>
    <auth_results>
      <dkim><domain>example.com</domain><selector>s1</selector><result>pass</result></dkim>
      <dkim><domain>esp.example</domain><selector>k</selector><result>fail</result></dkim>
      <spf><domain>b.example.com</domain><result>pass</result></spf>
    </auth_results>
  </record>
  <record>
    <row><source_ip>2001:db8::1</source_ip><count>3</count>
      <policy_evaluated><disposition>quarantine</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>forwarded</type><comment/></reason></policy_evaluated></row>
    <identifiers><header_from>example.com</header_from></identifiers>
    <auth_results/>
  </record>
  <record><row><source_ip>no address</source_ip></row></record>
</feedback>"#;

const TLS: &str = r#"{"organization-name": "Receiver", "date-range": {"start-datetime": "2026-11-24T00:00:00Z",
    "end-datetime": "2026-11-24T23:59:59Z"}, "contact-info": "tls@example.net", "report-id": "2026-11-24",
    "policies": [{"policy": {"policy-type": "sts", "policy-domain": "example.com", "mx-host": ["mx.example.com"]},
    "summary": {"total-successful-session-count": 5326, "total-failure-session-count": 303},
    "failure-details": [{"result-type": "certificate-expired", "sending-mta-ip": "2001:db8::2",
    "receiving-mx-hostname": "mx.example.com", "failed-session-count": 300, "additional-information": null}]}]}"#;

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn base64(octets: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in octets.chunks(3) {
        let n = three.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            out.push(char::from(DIGITS[(n >> (18 - 6 * place)) as usize & 63]));
        }
        if out.len() % 77 == 76 {
            out.push('\n');
        }
    }
    out
}

fn mail(subject: &str, kind: &str, name: &str, octets: &[u8]) -> Vec<u8> {
    format!(
        "From: dmarc@example.net\r\nSubject: {subject}\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\
         Content-Type: text/plain\r\n\r\nA report.\r\n--x\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{}\r\n--x--\r\n",
        base64(octets)
    )
    .into_bytes()
}

const SUBJECT: &str = "Report Domain: example.com Submitter: example.net Report-ID: <4711>";
const NAME: &str = "example.net!example.com!1795392000!1795478399.xml.gz";

/// A file with one thing in it.
fn read_file(octets: &[u8]) -> Comeback {
    let mut found = repute_feedback::read_file(octets);
    assert_eq!(found.len(), 1);
    found.remove(0)
}

#[test]
fn a_dmarc_report_says_who_sent_and_what_passed() {
    let Comeback::DmarcReport(report) = read(&mail(SUBJECT, "application/gzip", NAME, &gzip(DMARC.as_bytes()))) else {
        panic!()
    };
    assert_eq!((report.reporter.as_str(), report.id.as_str()), ("Receiver & Sons", "4711"));
    assert_eq!((report.begin, report.end), (1_795_392_000, 1_795_478_399));
    assert_eq!((report.policy.domain.as_str(), report.policy.p.as_str()), ("example.com", "quarantine"));
    assert_eq!((report.records.len(), report.counts(), report.is_cut), (2, (120, 3), false));
    let (good, bad) = (&report.records[0], &report.records[1]);
    assert_eq!((good.source.to_string().as_str(), good.count, good.passes()), ("192.0.2.1", 120, true));
    let signers: Vec<_> = good.signatures.iter().map(|s| format!("{} {} {}", s.domain, s.selector, s.result)).collect();
    assert_eq!(signers, ["example.com s1 pass", "esp.example k fail"]);
    assert_eq!((good.spf_domain.as_str(), good.spf_result.as_str()), ("b.example.com", "pass"));
    assert_eq!(
        (bad.passes(), bad.disposition.as_str(), bad.reasons.join(",").as_str()),
        (false, "quarantine", "forwarded")
    );
}

/// As files that were saved, packed or written by other programs than the standard had in mind.
#[test]
fn a_report_is_read_whatever_wrote_its_file() {
    let utf_16: Vec<u8> = "\u{feff}".encode_utf16().chain(DMARC.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let latin = DMARC.replace("UTF-8", "ISO-8859-1").replace("Receiver &amp; Sons", "Gr\u{f6}\u{df}e");
    let latin: Vec<u8> = latin.chars().map(|c| c as u8).collect();
    let marked = [b"\xef\xbb\xbf", DMARC.as_bytes()].concat();
    let padded = [gzip(DMARC.as_bytes()), vec![0; 512]].concat();
    for (octets, reporter) in [
        (utf_16, "Receiver & Sons"),
        (latin, "Gr\u{f6}\u{df}e"),
        (marked, "Receiver & Sons"),
        (padded, "Receiver & Sons"),
    ] {
        for read in [read_file(&octets), read(&mail(SUBJECT, "text/xml", "r.xml", &octets))] {
            let Comeback::DmarcReport(report) = read else { panic!("{read:?}") };
            assert_eq!((report.reporter.as_str(), report.counts()), (reporter, (120, 3)));
        }
    }
    let marked = [b"\xef\xbb\xbf", TLS.replace(": 303", ": \"303\"").as_bytes()].concat();
    let Comeback::TlsReport(report) = read_file(&marked) else { panic!() };
    assert_eq!(report.counts(), (5326, 303));
}

/// The whole report was dropped for a name that its writer did not know.
#[test]
fn what_a_tls_report_does_not_know_may_be_null() {
    let mut text = TLS.to_owned();
    for known in [
        "\"Receiver\"",
        "\"tls@example.net\"",
        "\"2026-11-24\"",
        "\"2026-11-24T00:00:00Z\"",
        "\"certificate-expired\"",
        "\"2001:db8::2\"",
        "\"mx.example.com\", \"failed",
        "303",
        "\"sts\"",
    ] {
        let behind = if known.ends_with("failed") { "null, \"failed" } else { "null" };
        assert!(text.contains(known), "{known}");
        text = text.replacen(known, behind, 1);
        let Comeback::TlsReport(report) = read_file(text.as_bytes()) else {
            panic!("{known}: {:?}", read_file(text.as_bytes()))
        };
        assert_eq!(report.policies[0].policy.policy_domain, "example.com");
        assert_eq!(report.policies[0].summary.total_successful_session_count, 5326);
    }
    let bare = r#"{"date-range": null, "report-id": 4711, "policies": [{"policy": {"policy-domain": "example.com"},
        "summary": null, "failure-details": [{"failed-session-count": null, "additional-information": {"why": 1}}]}]}"#;
    let Comeback::TlsReport(report) = read_file(bare.as_bytes()) else { panic!() };
    assert_eq!((report.report_id.as_str(), report.counts()), ("4711", (0, 0)));
    assert_eq!(report.told_by(), "an unnamed receiver", "\"TLS report of : 5 sessions safe\" was told");
    assert_eq!(report.policies[0].failure_details[0].additional_information.as_deref(), Some(r#"{"why":1}"#));
}

/// They were taken for no message at all.
#[test]
fn a_count_that_is_no_number_is_not_made_one() {
    for count in ["-5", "99999999999999999999", "many"] {
        refused(
            DMARC.replace("<count>120", &format!("<count>{count}")).as_bytes(),
            &format!("counts `{count}` messages"),
        );
    }
    refused(TLS.replace("303", "\"many\"").as_bytes(), "`many` is no number");
    refused(TLS.replace(": 303", ": -303").as_bytes(), "a count has to be a whole number from 0 on");
}

#[test]
fn a_tls_report_says_what_failed() {
    let content = mail("Report Domain: example.com", "application/tlsrpt+gzip", "r.json.gz", &gzip(TLS.as_bytes()));
    let Comeback::TlsReport(report) = read(&content) else { panic!() };
    assert_eq!((report.organization_name.as_str(), report.counts()), ("Receiver", (5326, 303)));
    assert_eq!(report.policies[0].failure_details[0].result_type, "certificate-expired");
    assert_eq!(read_file(TLS.as_bytes()), Comeback::TlsReport(report));
}

/// What we send is what we would read of others, with nothing lost.
#[test]
fn a_tls_report_of_ours_is_read_without_loss() {
    let policy = |kind: &str, strings: &[&str], hosts: &[&str]| TlsPolicy {
        policy_type: kind.into(),
        policy_string: strings.iter().map(|s| (*s).into()).collect(),
        policy_domain: "example.net".into(),
        mx_host: hosts.iter().map(|s| (*s).into()).collect(),
    };
    let lines = ["version: STSv1", "mode: testing", "mx: *.example.net", "max_age: 86400"];
    let sts = policy("sts", &lines, &["*.example.net"]);
    let count = |policy: &TlsPolicy, result: Option<&str>, reason: &str, sessions| SessionCount {
        policy: policy.clone(),
        host: "mx.example.net".into(),
        result: result.map(str::to_owned),
        reason: reason.into(),
        receiving: if result.is_some() { "192.0.2.1".into() } else { String::new() },
        sending: if result.is_some() { "203.0.113.10".into() } else { String::new() },
        sessions,
    };
    let counts = vec![
        count(&sts, None, "", 40),
        count(&sts, Some("certificate-expired"), "", 2),
        count(&sts, Some("validation-failure"), "Grüße, \"quoted\"", 3),
        count(&policy("no-policy-found", &[], &[]), None, "", 1),
    ];
    let [organisation, contact, host] = ["Example Inc.", "tls@example.com", "mail.example.com"].map(str::to_owned);
    let report = tls_report(&Reporter { organisation, contact, host }, "example.net", 20_781, counts);
    assert_eq!((report.counts(), report.policies.len()), ((41, 5), 2));
    assert_eq!(report.policies[1].failure_details[0].failed_session_count, 3, "what most sessions had comes first");
    let packed = report.packed().unwrap();
    assert_eq!(read_file(&packed), Comeback::TlsReport(Box::new(report.clone())));
    let content = mail("Report Domain: example.net", "application/tlsrpt+gzip", "r.json.gz", &packed);
    assert_eq!(read(&content), Comeback::TlsReport(Box::new(report.clone())));
    let json = serde_json::to_value(&report).unwrap();
    let range = serde_json::json!({"start-datetime": "2026-11-24T00:00:00Z", "end-datetime": "2026-11-24T23:59:59Z"});
    assert_eq!(json["date-range"], range);
    assert_eq!(json["report-id"], "2026-11-24.example.net@mail.example.com");
    let none = serde_json::json!({"policy-type": "no-policy-found", "policy-domain": "example.net"});
    assert_eq!(json["policies"][0]["policy"], none);
    let expired = serde_json::json!({
        "result-type": "certificate-expired", "sending-mta-ip": "203.0.113.10", "receiving-mx-hostname": "mx.example.net",
        "receiving-ip": "192.0.2.1", "failed-session-count": 2,
    });
    assert_eq!(json["policies"][1]["failure-details"][1], expired);
    let name = tls_report_file("example.com", "example.net", 20_781);
    assert_eq!(name, "example.com!example.net!1795478400!1795564799.json.gz");
}

/// The standard's own example has one text where the standard has a list.
#[test]
fn a_policy_says_its_hosts_as_a_text_or_as_a_list() {
    for hosts in [r#""*.b.test""#, r#"["*.b.test"]"#] {
        let policy = format!(r#"{{"mx-host": {hosts}, "policy-string": null}}"#);
        let text = format!(r#"{{"date-range": {{}}, "policies": [{{"policy": {policy}}}]}}"#);
        let Comeback::TlsReport(report) = read_file(text.as_bytes()) else { panic!() };
        assert_eq!(report.policies[0].policy.mx_host, ["*.b.test"]);
    }
}

#[test]
fn a_failure_report_is_no_complaint() {
    let content = "From: f@example.net\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n\
        --x\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nAuth-Failure: dmarc\r\n\
        Delivery-Result: reject\r\nIdentity-Alignment: none\r\nSource-IP: 192.0.2.7\r\nReported-Domain: example.com\r\n\
        --x\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: ceo@example.com\r\n\r\n--x--\r\n";
    let Comeback::DmarcFailure(failure) = read(content.as_bytes()) else { panic!() };
    assert_eq!((failure.failure.as_str(), failure.delivery.as_deref()), ("dmarc", Some("reject")));
    assert_eq!((failure.source, failure.domains), (Some("192.0.2.7".parse().unwrap()), vec!["example.com".to_owned()]));
    assert_eq!(failure.original.field("from"), Some("ceo@example.com"));
}

/// It was about no domain, and dropped.
#[test]
fn a_failure_report_without_a_reported_domain_is_about_that_of_the_author_however_the_author_is_made_unknown() {
    for author in ["ceo@example.com", "\"The Boss\" <aGVsbG8+/w==@Example.COM>", "redacted@example.com"] {
        let content = format!(
            "From: f@example.net\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=x\r\n\r\n\
             --x\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: auth-failure\r\nAuth-Failure: dmarc\r\n\
             Original-Rcpt-To: aGVsbG8=@example.net\r\n--x\r\nContent-Type: text/rfc822-headers\r\n\r\nFrom: {author}\r\n\
             To: redacted@example.net\r\n\r\n--x--\r\n"
        );
        let Comeback::DmarcFailure(failure) = read(content.as_bytes()) else { panic!() };
        assert_eq!(failure.domains, ["example.com"], "{author}");
    }
}

#[track_caller]
fn refused(octets: &[u8], words: &str) {
    let Comeback::Unreadable(unreadable) = read_file(octets) else { panic!("{:?}", read_file(octets)) };
    assert!(unreadable.why.contains(words), "{}", unreadable.why);
}

#[test]
fn bombs_and_what_is_broken_are_told() {
    let bomb = gzip(&vec![b' '; 64 << 20]);
    refused(&bomb, "unpacks to more");
    let Comeback::Unreadable(_) = read(&mail(SUBJECT, "application/gzip", NAME, &bomb)) else { panic!() };
    refused(&gzip(DMARC.as_bytes())[..100], "cannot be unpacked");
    let laughs = "<?xml version=\"1.0\"?><!DOCTYPE feedback [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;\">]><feedback>&b;</feedback>";
    refused(laughs.as_bytes(), "DOCTYPE");
    let outside = "<!DOCTYPE feedback SYSTEM \"http://192.0.2.1/x.dtd\"><feedback/>";
    refused(outside.as_bytes(), "DOCTYPE");
    refused("<feedback>".repeat(100_000).as_bytes(), "nested deeper");
    refused(DMARC.replace("</feedback>", "").as_bytes(), "cut off");
    refused(b"<html></html>", "no DMARC report");
    refused(b"<feedback><record></row></feedback>", "broken");
    refused(b"{\"policies\": 1}", "no TLS report");
    refused("{\"a\":".repeat(100_000).as_bytes(), "no TLS report");
    refused(b"PK\x03\x04", "no file");
}

/// One that unpacks to more than 16 MiB was dropped whole.
#[test]
fn of_a_report_that_is_larger_than_is_read_the_first_records_are_kept() {
    let (head, rest) = DMARC.split_at(DMARC.find("<record>").unwrap());
    let record = &rest[..rest.find("</record>").unwrap() + 9];
    let mut state = 1u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:012x}", state >> 16)
    };
    let mut large = head.to_owned();
    while large.len() < 17 << 20 {
        let selector: String = (0..60).map(|_| noise()).collect();
        large += &record.replace("s1", &selector);
    }
    let whole = large.matches("<record>").count();
    large += "</feedback>";
    let packed = gzip(large.as_bytes());
    let mailed = mail(SUBJECT, "application/gzip", NAME, &packed);
    for found in [read_file(&packed), read_file(large.as_bytes()), read(&mailed)] {
        let Comeback::DmarcReport(report) = found else { panic!("{found:?}") };
        assert!(report.is_cut && report.records.len() > whole * 9 / 10 && report.records.len() < whole, "{whole}");
        assert_eq!(report.counts(), (report.records.len() as u64 * 120, 0));
        assert_eq!((report.reporter.as_str(), report.policy.domain.as_str()), ("Receiver & Sons", "example.com"));
    }
    // Of JSON nothing can be read.
    refused(format!("{{\"policies\": [{}", "{}, ".repeat(5 << 20)).as_bytes(), "larger than a report on TLS");
}

/// One of them was read, and nothing said of the others.
#[test]
fn of_several_reports_in_one_mail_all_are_read() {
    let of = |domain: &str| DMARC.replace("<domain>Example.com<", &format!("<domain>{domain}<"));
    let part = |name: &str, octets: &[u8]| {
        format!(
            "--x\r\nContent-Type: application/octet-stream; name={name}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            base64(octets)
        )
    };
    let with = |parts: &[String]| {
        format!(
            "Subject: {SUBJECT}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n{}--x--\r\n",
            parts.concat()
        )
    };
    let content = with(&[
        part("1.xml.gz", &gzip(of("one.example").as_bytes())),
        part("broken.xml", b"<feedback><record></row></feedback>"),
        part("2.xml", of("two.example").as_bytes()),
        part("3.json", TLS.as_bytes()),
        part("logo.gif", b"GIF89a"),
    ]);
    for found in [repute_feedback::read_all(content.as_bytes()), repute_feedback::read_file(content.as_bytes())] {
        let [Comeback::DmarcReport(one), Comeback::DmarcReport(two), Comeback::TlsReport(_), Comeback::Unreadable(why)] =
            &found[..]
        else {
            panic!("{found:?}")
        };
        assert_eq!((one.policy.domain.as_str(), two.policy.domain.as_str()), ("one.example", "two.example"));
        assert!(why.why.contains("broken"), "{}", why.why);
        assert_eq!(read(content.as_bytes()), Comeback::DmarcReport(one.clone()));
    }
    let many = with(&vec![part("1.xml", DMARC.as_bytes()); 63]);
    assert_eq!(repute_feedback::read_all(many.as_bytes()).len(), 63);
}

/// It was told as a file that holds neither XML nor JSON.
#[test]
fn a_bomb_that_is_larger_than_is_read_is_told_as_that() {
    let bomb = gzip(&vec![0; 100 << 20]);
    refused(&bomb, "unpacks to more than 16 MiB");
}

#[test]
fn many_records_and_long_texts_are_cut() {
    let (head, rest) = DMARC.split_at(DMARC.find("<record>").unwrap());
    let record = &rest[..rest.find("</record>").unwrap() + 9];
    let many = format!("{head}{}</feedback>", record.repeat(20_001));
    let Comeback::DmarcReport(report) = read_file(many.as_bytes()) else { panic!() };
    assert_eq!((report.records.len(), report.is_cut), (20_000, true));
    let long = DMARC.replace("Receiver", &"x".repeat(1 << 20));
    let Comeback::DmarcReport(report) = read_file(long.as_bytes()) else { panic!() };
    assert_eq!(report.reporter.len(), 1024);
    let policy = r#"{"policy": {"policy-domain": "d"}}, "#.repeat(5000);
    let many = format!(r#"{{"date-range": {{}}, "policies": [{policy}{{"policy": {{}}}}]}}"#);
    let Comeback::TlsReport(report) = read_file(many.as_bytes()) else { panic!() };
    assert_eq!(report.policies.len(), 1000);
}

#[test]
fn an_attachment_of_a_human_is_no_report() {
    let content = mail("Holiday pictures", "application/zip", "pictures.zip", b"PK\x03\x04broken");
    assert!(matches!(read(&content), Comeback::Reply(_)));
    let content = mail("our site", "text/xml", "site.xml", b"<rss/>");
    assert!(matches!(read(&content), Comeback::Reply(_)));
}

/// Packed too often, it was taken for the letter of a human, and would have been handed on to one.
#[test]
fn what_is_announced_as_a_report_and_holds_none_is_no_letter() {
    let twice = gzip(&gzip(DMARC.as_bytes()));
    assert!(matches!(read(&mail(SUBJECT, "application/gzip", NAME, &twice)), Comeback::DmarcReport(_)));
    for file in [gzip(&twice), gzip(b"[[[["), gzip(b"")] {
        let Comeback::Unreadable(why) = read(&mail(SUBJECT, "application/gzip", NAME, &file)) else { panic!() };
        assert_eq!(why.why, "there is neither XML nor JSON in it");
    }
    let of_a_human = mail("The figures", "application/gzip", "figures.gz", &gzip(b"1, 2, 3"));
    assert!(matches!(read(&of_a_human), Comeback::Reply(_)));
}
