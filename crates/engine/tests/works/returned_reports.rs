//! Reports about our domains, by DMARC and on TLS, that come back like other mail are kept once, and as reports. In simulated time.

use crate::returned::{comes_back, world};
use crate::world::{DAY, MINUTE, pass};

fn dmarc_report(domain: &str, id: &str) -> String {
    format!(
        "From: dmarc@r.test\r\nSubject: Report Domain: {domain} Submitter: r.test Report-ID: {id}\r\nMIME-Version: 1.0\r\n\
         Content-Type: text/xml\r\n\r\n\
         <feedback><report_metadata><org_name>r.test</org_name><report_id>{id}</report_id>\
         <date_range><begin>1795400000</begin><end>1795486400</end></date_range></report_metadata>\
         <policy_published><domain>{domain}</domain><p>reject</p></policy_published>\
         <record><row><source_ip>198.51.100.9</source_ip><count>7</count><policy_evaluated><disposition>reject</disposition>\
         <dkim>fail</dkim><spf>fail</spf></policy_evaluated></row>\
         <identifiers><header_from>{domain}</header_from></identifiers></record></feedback>\r\n"
    )
}

#[tokio::test(start_paused = true)]
async fn reports_about_our_domains_are_kept_once_and_others_are_not() {
    let (mut world, there, _) = world().await;
    world.submit("me@example.com", &["ann@a.test"]).await.unwrap();
    pass(MINUTE).await;
    let path = there.taken()[0].from.clone();
    for to in ["dmarc@bounces.example.com", "DMARC@bounces.example.com", "postmaster@bounces.example.com", &path] {
        comes_back(&world, to, "dmarc@r.test", &dmarc_report("example.com", "1")).await.unwrap();
    }
    comes_back(&world, "dmarc@bounces.example.com", "dmarc@r.test", &dmarc_report("victim.test", "2")).await.unwrap();
    comes_back(&world, "dmarc@bounces.example.com", "x@r.test", "Subject: hi\r\n\r\nhi\r\n").await.unwrap();
    let broken = dmarc_report("example.com", "3").replace("<feedback>", "<!DOCTYPE a [<!ENTITY b \"c\">]><feedback>");
    comes_back(&world, "dmarc@bounces.example.com", "dmarc@r.test", &broken).await.unwrap();
    let tls = r#"{"organization-name": "r.test", "report-id": "t", "date-range": {}, "policies": [{"policy":
        {"policy-type": "sts", "policy-domain": "bounces.example.com"}, "summary": {"total-successful-session-count": 9}}]}"#;
    let tls = format!("From: t@r.test\r\nTLS-Report-Domain: x\r\nContent-Type: application/json\r\n\r\n{tls}\r\n");
    comes_back(&world, "tls@bounces.example.com", "t@r.test", &tls).await.unwrap();
    let reports = world.reports.clone().unwrap();
    let kept: Vec<_> = reports.list(None, 10).unwrap().into_iter().map(|r| (r.kind, r.name, r.good, r.bad)).collect();
    assert_eq!(kept, [("tls".into(), "t".into(), 9, 0), ("dmarc".into(), "1".into(), 0, 7)]);
    let sources = reports.sources(Some("example.com"), DAY, repute_types::Clock::now(&world.clock)).unwrap();
    assert_eq!((sources[0].source.as_str(), sources[0].count, sources[0].refused), ("198.51.100.9", 7, 7));
    // Not as mail: what is kept of it is what it says.
    assert_eq!(world.returned.as_ref().unwrap().list(10).await.unwrap(), []);
    assert_eq!(world.came_back(), []);
    world.stop().await;
}

/// The first was kept, and the others dropped without a word.
#[tokio::test(start_paused = true)]
async fn of_several_reports_in_one_mail_all_are_kept_once() {
    let (mut world, _there, _home) = world().await;
    let xml = |domain: &str, id: &str| dmarc_report(domain, id).split_once("\r\n\r\n").unwrap().1.to_owned();
    let part = |text: &str| format!("--x\r\nContent-Type: text/xml\r\n\r\n{text}\r\n");
    let mail = [
        "Subject: Report Domain: example.com\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n",
        &part(&xml("victim.test", "1")),
        &part("<feedback><record></row></feedback>"),
        &part(&xml("example.com", "2")),
        &part(&xml("example.com", "3")),
        "--x--\r\n",
    ]
    .concat();
    for _ in 0..2 {
        comes_back(&world, "dmarc@bounces.example.com", "dmarc@r.test", &mail).await.unwrap();
    }
    let kept = world.reports.clone().unwrap().list(None, 10).unwrap();
    let mut names: Vec<_> = kept.into_iter().map(|report| report.name).collect();
    names.sort();
    assert_eq!(names, ["2", "3"]);
    let dropped = world.notes().iter().filter(|note| note.starts_with("a report was dropped: ")).count();
    assert_eq!(dropped, 2, "{:?}", world.notes());
    world.stop().await;
}
