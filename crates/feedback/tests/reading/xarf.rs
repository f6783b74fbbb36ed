//! Complaints in the forms of X-ARF: JSON of versions 3 and 4, lines of YAML before them.

use repute_feedback::{Comeback, Complaint, read};

/// "Return-Path: <TOKEN@bounces.example.com>" and a subject, in base64.
const MESSAGE: &str =
    "UmV0dXJuLVBhdGg6IDxUT0tFTkBib3VuY2VzLmV4YW1wbGUuY29tPg0KVG86IGJvYkBleGFtcGxlLm5ldA0KU3ViamVjdDogaGkNCg0KaGkNCg==";

fn with_json(json: &str) -> String {
    format!(
        "From: reports@example.net\r\nSubject: abuse\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSomebody called it spam.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: xarf\r\nUser-Agent: test/1\r\nVersion: 1\r\n\
         --b\r\nContent-Type: application/json; name=xarf.json\r\n\r\n{json}\r\n--b--\r\n"
    )
}

fn with_yaml(yaml: &str, evidence: &str) -> String {
    format!(
        "From: reports@example.net\r\nSubject: abuse\r\nX-XARF: PLAIN\r\nAuto-Submitted: auto-generated\r\n\
         MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSomebody called it spam.\r\n\
         --b\r\nContent-Type: text/plain; name=\"report.txt\"\r\n\r\n{yaml}\r\n--b\r\n{evidence}\r\n--b--\r\n"
    )
}

#[track_caller]
fn complaint(content: &str) -> Complaint {
    match read(content.as_bytes()) {
        Comeback::Complaint(complaint) => *complaint,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(content: &str, kind: &str, reporter: &str) {
    let found = complaint(content);
    assert_eq!((found.kind.as_str(), found.reporter.as_deref()), (kind, Some(reporter)));
    assert_eq!(found.source, Some("203.0.113.10".parse().unwrap()));
    assert_eq!(found.original.return_path.as_deref(), Some("TOKEN@bounces.example.com"));
    assert_eq!(found.recipients, ["bob@example.net"]);
}

#[test]
fn a_report_of_version_4_is_a_complaint() {
    let json = |kind: &str| {
        format!(
            r#"{{"xarf_version": "4.2.0", "report_id": "1", "reporter": {{"org": "Traps", "contact": "a@example.net"}},
            "source_identifier": "203.0.113.10", "category": "messaging", "type": "{kind}", "protocol": "smtp",
            "smtp_from": "shop@example.com", "evidence": [{{"content_type": "text/plain", "payload": "eA=="}},
            {{"content_type": "message/rfc822", "payload": "{MESSAGE}"}}], "tags": ["a"], "confidence": 0.9}}"#
        )
    };
    check(&with_json(&json("spam")), "abuse", "Traps");
    check(&with_json(&json("bulk_messaging")), "abuse", "Traps");
    check(&with_json(&json("phishing")), "fraud", "Traps");
    assert_eq!(complaint(&with_json(&json("spam"))).return_path.as_deref(), Some("shop@example.com"));
}

#[test]
fn a_report_of_version_3_is_a_complaint_with_either_name_of_its_evidence() {
    let json = |rest: &str| {
        format!(
            r#"{{"Version": "3", "ReporterInfo": {{"ReporterOrg": "Traps", "ReporterOrgEmail": "a@example.net"}},
            "Disclosure": true, "Report": {{"ReportClass": "Activity", "ReportType": "Spam", {rest}}}}}"#
        )
    };
    let samples = format!(
        r#""SourceIp": "203.0.113.10", "SourcePort": 25,
        "Samples": [{{"ContentType": "message/rfc822", "Base64Encoded": true, "Payload": "{MESSAGE}"}}]"#
    );
    check(&with_json(&json(&samples)), "abuse", "Traps");
    let plain = r#""Source": {"IP": "203.0.113.10"}, "Attachment": [{"ContentType": "message/rfc822", "Base64Encoded": false,
        "Data": "Return-Path: <TOKEN@bounces.example.com>\r\nTo: bob@example.net\r\n\r\nhi"}]"#;
    check(&with_json(&json(plain)), "abuse", "Traps");
}

#[test]
fn a_report_in_lines_is_a_complaint() {
    let yaml = "---\r\nReported-From: traps@example.net\r\nCategory: abuse\r\nReport-Type: spam\r\nService: smtp\r\n\
        Version: 0.2\r\nReport-ID: '4711'\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nSource-Type: ipv4\r\n\
        Source: 203.0.113.10\r\nAttachment: message/rfc822\r\nSchema-URL: http://www.x-arf.org/schema/abuse_spam_0.1.0.json\r\n";
    let evidence =
        "Content-Type: message/rfc822\r\n\r\nReturn-Path: <TOKEN@bounces.example.com>\r\nTo: bob@example.net\r\n\r\nhi";
    let content = with_yaml(yaml, evidence);
    check(&content, "abuse", "traps@example.net");
    assert_eq!(complaint(&content).field("Report-ID"), Some("4711"));
    // The name of the file says it, too.
    check(&content.replace("X-XARF: PLAIN\r\n", ""), "abuse", "traps@example.net");
}

/// Networks are told of attacks in the same forms: nobody complained about mail.
#[test]
fn what_is_not_about_mail_is_no_complaint_about_it() {
    let attack = r#"{"xarf_version": "4.2.0", "category": "connection", "type": "login_attack",
        "source_identifier": "203.0.113.10", "evidence": [{"content_type": "text/plain", "payload": "eA=="}]}"#;
    assert_eq!(complaint(&with_json(attack)).kind, "xarf", "of a kind that suppresses nobody");
    let yaml =
        "Reported-From: a@example.net\r\nCategory: abuse\r\nReport-Type: login-attack\r\nSource: 203.0.113.10\r\n";
    let log = with_yaml(yaml, "Content-Type: text/plain; name=logfile.log\r\n\r\nfailed password");
    assert!(!matches!(read(log.as_bytes()), Comeback::Complaint(_)));
    // Nor is any other JSON.
    for json in ["{}", "[]", "{\"xarf_version\": 4}", "{\"Report\": {}}", "{"] {
        assert_eq!(complaint(&with_json(json)).kind, "xarf");
    }
}
