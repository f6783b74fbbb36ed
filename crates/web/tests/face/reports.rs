//! What receivers report about mail in our name, asked over HTTP: an operator sees all of it, an account its domains'.

use std::time::Duration;

use crate::world::{OPERATOR, SHOP, World};
use repute_feedback::{Comeback, SessionCount, TlsPolicy, read_file};
use repute_ledger::{DomainSessions, Reports, ReportsOptions, TlsSessions};
use repute_types::{Clock as _, SystemClock};
use serde_json::json;

/// A DMARC report: an address of ours passes 120 times, a stranger's fails 7 times.
fn dmarc(domain: &str) -> String {
    let row = |source: &str, count: u32, disposition: &str, result: &str| {
        format!(
            "<record><row><source_ip>{source}</source_ip><count>{count}</count><policy_evaluated>\
             <disposition>{disposition}</disposition><dkim>{result}</dkim><spf>{result}</spf></policy_evaluated></row>\
             <identifiers><header_from>{domain}</header_from></identifiers><auth_results><dkim><domain>{domain}</domain>\
             <selector>s1</selector><result>{result}</result></dkim></auth_results></record>"
        )
    };
    format!(
        "<feedback><report_metadata><org_name>there.example</org_name><email>x@there.example</email>\
         <report_id>1</report_id><date_range><begin>1790000000</begin><end>1790086400</end></date_range></report_metadata>\
         <policy_published><domain>{domain}</domain><p>reject</p></policy_published>{}{}</feedback>",
        row("192.0.2.1", 120, "none", "pass"),
        row("203.0.113.66", 7, "reject", "fail"),
    )
}

#[tokio::test]
async fn who_sends_as_us_and_what_fails_is_answered() {
    let world = World::new().await;
    let store = Reports::open(&world.folder().join("reports.sqlite"), ReportsOptions::default()).unwrap();
    for domain in ["example.com", "elsewhere.example"] {
        let Comeback::DmarcReport(report) = read_file(dmarc(domain).as_bytes()).remove(0) else { panic!() };
        assert!(store.keep_dmarc(*report, SystemClock.now() - Duration::from_secs(60)).await.unwrap());
    }
    let ask = async |who: &str, path: &str| world.ask(&format!("GET {path}"), &[who], b"").await;

    let all = ask(OPERATOR, "/v1/reports").await.json();
    assert_eq!(all["reports"].as_array().unwrap().len(), 2, "{all}");
    let mine = ask(SHOP, "/v1/reports").await.json();
    let report = &mine["reports"][0];
    assert_eq!((mine["reports"].as_array().unwrap().len(), &report["domain"]), (1, &json!("example.com")), "{mine}");
    assert_eq!((&report["passed"], &report["failed"]), (&json!(120), &json!(7)), "{mine}");

    let whole = ask(SHOP, &format!("/v1/reports/{}", report["id"])).await.json();
    let bad = whole["records"].as_array().unwrap().iter().find(|r| r["dkim"] == json!(false)).unwrap();
    assert_eq!((&bad["source"], &bad["count"]), (&json!("203.0.113.66"), &json!(7)), "{whole}");

    let sources = ask(SHOP, "/v1/sources?days=30").await.json();
    let from: Vec<_> = sources["sources"].as_array().unwrap().iter().map(|s| (&s["source"], &s["passed"])).collect();
    assert_eq!(from, [(&json!("192.0.2.1"), &json!(120)), (&json!("203.0.113.66"), &json!(0))], "{sources}");
    assert_eq!(ask(OPERATOR, "/v1/sources").await.json()["sources"].as_array().unwrap().len(), 4);

    // Another's are not an account's to see, nor whether they are there.
    let other = all["reports"].as_array().unwrap().iter().find(|r| r["domain"] == "elsewhere.example").unwrap();
    for path in [format!("/v1/reports/{}", other["id"]), "/v1/sources?domain=elsewhere.example".to_owned()] {
        assert_eq!(ask(SHOP, &path).await.status, 404, "{path}");
    }
    for path in ["/v1/reports?limit=0", "/v1/reports?domain=-", "/v1/sources?days=0", "/v1/sources?x=y"] {
        assert_eq!(ask(OPERATOR, path).await.status, 400, "{path}");
    }
    assert_eq!(ask(OPERATOR, "/v1/reports/x").await.status, 404);
    drop(store);
    world.end().await;
}

#[tokio::test]
async fn how_tls_with_receivers_went_is_told_to_operators() {
    let world = World::new().await;
    let store = TlsSessions::open(&world.folder().join("tls.sqlite")).unwrap();
    let day = SystemClock.now().seconds() / 86_400;
    let sessions = |domain: &str, result: Option<&str>| {
        let policy = TlsPolicy { policy_type: "sts".into(), policy_domain: domain.into(), ..TlsPolicy::default() };
        let (host, result) = (format!("mx.{domain}"), result.map(str::to_owned));
        let (reason, receiving, sending) = (String::new(), String::new(), String::new());
        let count = SessionCount { policy, host, result, reason, receiving, sending, sessions: 3 };
        DomainSessions { day, domain: domain.into(), count }
    };
    store.add(vec![sessions("b.test", None), sessions("c.test", Some("certificate-expired"))]).await.unwrap();
    let ask = async |who: &str, path: &str| world.ask(&format!("GET {path}"), &[who], b"").await;
    let all = ask(OPERATOR, "/v1/tls-sessions").await.json();
    assert_eq!((all["sessions"].as_array().unwrap().len(), &all["more"]), (2, &json!(false)), "{all}");
    let one = ask(OPERATOR, "/v1/tls-sessions?domain=c.test").await.json();
    let row = &one["sessions"][0];
    assert_eq!((&row["result"], &row["sessions"]), (&json!("certificate-expired"), &json!(3)), "{one}");
    let before = ask(OPERATOR, "/v1/tls-sessions?yesterday=true").await.json();
    assert_eq!(before["sessions"], json!([]), "{before}");
    assert_eq!(ask(SHOP, "/v1/tls-sessions").await.status, 403);
    assert_eq!(ask(OPERATOR, "/v1/tls-sessions?domain=-").await.status, 400);
    world.end().await;
}
