//! The description of the API and the server say the same of what may be asked: each document that an operation takes is asked
//! again and again with one member changed, and what the one forbids the other refuses (`world::described` holds it).

use crate::world::{JSON, NEWS, OPERATOR, SHOP, World};
use serde_json::{Map, Value, json};

const ID: &str = "1m7qw3g0w000h";
const EVENT: &str = "evt_6h0pkb0n00004";

/// What an operation takes, by a token that may ask for it. Nothing that is not needed is left out.
fn documents() -> Vec<(&'static str, &'static str, Value)> {
    let letter = "From: News <news@example.com>\nTo: {{ email }}\nSubject: x\n\nLeave: {{ unsubscribe_url }}\n";
    let begin = json!({"campaign": "autumn", "list": "weekly", "fields": ["name"], "letter": letter, "tags": ["a"]});
    let message = json!({
        "from": "Shop <shop@example.com>", "to": ["a@a.test"], "cc": {"address": "c@a.test", "name": "C"}, "bcc": "b@a.test",
        "reply_to": "r@example.com", "subject": "x", "text": "x", "html": "<p>x", "headers": {"List-Id": "x"},
        "attachments": [{"name": "x.pdf", "type": "application/pdf", "content": "eA==", "content_id": "x"}],
        "tags": ["a"], "metadata": {"order": "1"}, "campaign": "c", "list": "l", "stream": "transactional", "send_at": null,
    });
    let raw = json!({"raw": "RnJvbTogYUBleGFtcGxlLmNvbQ0KDQp4DQo=", "from": "a@example.com", "to": "b@a.test"});
    let selection = json!({"ids": [ID], "domain": "a.test", "sender": "a@example.com", "recipient": "a@a.test",
        "older_than": 1, "held": true, "all": true, "reason": "why"});
    let suppress = json!({"address": "a@a.test", "list": "weekly", "reason": "asked", "why": "manual",
        "expires": "2999-01-01T00:00:00Z"});
    let word = json!({"address": "203.0.113.9", "domain": "example.com", "seconds": 60, "reason": "why"});
    vec![
        ("POST /v1/messages", SHOP, message),
        ("POST /v1/messages", SHOP, raw),
        ("POST /v1/queue/hold", SHOP, selection.clone()),
        ("POST /v1/queue/cancel", SHOP, selection),
        ("POST /v1/queue/cancel", SHOP, json!({"all": true})),
        ("POST /v1/queue/cancel", SHOP, json!({"recipient": "a@a.test"})),
        ("POST /v1/suppressions", SHOP, suppress),
        ("POST /v1/permits/allow", OPERATOR, word.clone()),
        ("POST /v1/permits/suspend", OPERATOR, word),
        ("POST /v1/permits/reset", OPERATOR, json!({"address": "203.0.113.9", "domain": "example.com"})),
        ("POST /v1/circuits/cancel", NEWS, json!({"name": "news"})),
        ("POST /v1/campaigns/preview", NEWS, json!({"begin": begin, "rows": [{"email": "a@a.test", "values": ["A"]}]})),
        ("POST /v1/campaigns", NEWS, begin),
        ("POST /v1/campaigns/autumn/pause", NEWS, json!({"reason": "why"})),
        ("POST /v1/campaigns/check", NEWS, json!({"list": "weekly", "emails": ["a@a.test"], "domains": false})),
        ("POST /v1/webhooks/shop/redeliver", OPERATOR, json!({"events": [EVENT]})),
        ("POST /v1/webhooks/shop/redeliver", OPERATOR, json!({"message": ID})),
        (
            "POST /v1/webhooks/shop/redeliver",
            OPERATOR,
            json!({"since": "2026-11-24T08:00:00Z", "until": "2026-11-24T09:00:00Z"}),
        ),
    ]
}

/// What a member may be set to.
fn values() -> Vec<Value> {
    let mut texts: Vec<String> =
        ["", " ", "x", "a@a.test", "A <a@a.test>", "a.test", "203.0.113.9", "::1", "manual", "MANUAL", "bulk"]
            .map(str::to_owned)
            .into();
    texts.extend(
        [
            "2999-01-01T00:00:00Z",
            "2999-01-01T00:00:00+01:00",
            "2999-01-01",
            "a\nb",
            "\u{7f}",
            "\u{85}",
            "ü",
            ID,
            EVENT,
            "eA==",
        ]
        .map(str::to_owned),
    );
    for length in [64, 65, 76, 77, 128, 129, 255, 500, 501, 900, 901, 1000, 1001] {
        texts.push("ü".repeat(length));
        texts.push("x".repeat(length));
    }
    let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
    values.extend([json!(null), json!(true), json!(false), json!(0), json!(1), json!(-1), json!(1.5), json!(60.0)]);
    values.extend([
        json!(315_360_001u64),
        json!(2_592_001),
        json!(1e300),
        json!([]),
        json!({}),
        json!([null]),
        json!([1]),
    ]);
    values.extend([
        json!([[]]),
        json!(["x"]),
        json!([""]),
        json!(["a@a.test", "b@a.test"]),
        json!({"x": 1}),
        json!({"x": "y"}),
    ]);
    values.extend([json!({"address": "a@a.test"}), json!({"address": null}), json!({"": "x"}), json!({"x": null})]);
    for length in [10, 11, 20, 21, 50, 51, 64, 65, 100, 101] {
        values.push((0..length).map(|n| Value::from(format!("x{n}"))).collect());
        values.push((0..length).map(|n| (format!("x{n}"), Value::from("y"))).collect::<Map<_, _>>().into());
    }
    values
}

/// Each place within a document that may be set.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let members: Vec<(String, &Value)> = match value {
        Value::Object(object) => object.iter().map(|(name, member)| (name.clone(), member)).collect(),
        Value::Array(list) => list.iter().enumerate().map(|(n, member)| (n.to_string(), member)).collect(),
        _ => Vec::new(),
    };
    for (name, member) in members {
        let place = format!("{at}/{name}");
        found.push(place.clone());
        places(member, &place, found);
    }
}

/// What was asked, and what was found.
struct Asking<'a> {
    world: &'a World,
    asked: usize,
    faults: Vec<String>,
}

impl Asking<'_> {
    async fn ask(&mut self, request: &str, who: &str, body: &[u8]) {
        let (answer, judged) = self.world.ask_judged(request, &[who, JSON], body).await;
        // Else nothing was looked at.
        assert!(!matches!(answer.status, 401 | 429 | 503), "{request}: {answer:?}");
        self.asked += 1;
        self.faults.extend(judged.err());
    }

    fn end(self, at_least: usize) {
        let Asking { asked, faults, .. } = self;
        assert!(faults.is_empty(), "{} of {asked}: {:#?}", faults.len(), &faults[..faults.len().min(20)]);
        assert!(asked >= at_least, "only {asked} were asked");
    }
}

#[tokio::test]
async fn what_the_description_forbids_is_refused_and_nothing_else() {
    let world = World::with_trust().await;
    world.unhurried();
    world.webhooks(&[("shop", Some("shop"))]).await;
    let mut asking = Asking { world: &world, asked: 0, faults: Vec::new() };
    for (request, who, document) in documents() {
        let mut changed = vec![document.clone()];
        let mut all = Vec::new();
        places(&document, "", &mut all);
        for place in &all {
            for value in values() {
                let mut other = document.clone();
                *other.pointer_mut(place).unwrap() = value;
                changed.push(other);
            }
            let (above, name) = place.rsplit_once('/').unwrap();
            let mut without = document.clone();
            if let Value::Object(object) = without.pointer_mut(above).unwrap() {
                object.remove(name);
                changed.push(without.clone());
                without.pointer_mut(above).unwrap()["unknown"] = json!(1);
                changed.push(without);
            }
        }
        changed.extend(values());
        for document in changed {
            asking.ask(request, who, document.to_string().as_bytes()).await;
        }
    }
    asking.end(5_000);
    world.end().await;
}

/// The same of what stands in the address of a request.
#[tokio::test]
async fn parameters_are_refused_as_they_are_described() {
    let world = World::with_trust().await;
    world.unhurried();
    let mut asking = Asking { world: &world, asked: 0, faults: Vec::new() };
    let asked = [
        ("GET /v1/queue", SHOP, "domain sender recipient held after limit"),
        // What `after` may be here is the server's own.
        ("GET /v1/suppressions", SHOP, "address domain why limit"),
        ("DELETE /v1/suppressions", SHOP, "address why"),
        ("DELETE /v1/suppressions?address=b@a.test", SHOP, "why"),
        ("GET /v1/campaigns", SHOP, "after limit"),
        ("GET /v1/recipients/a@a.test", SHOP, "limit"),
        ("GET /v1/incidents", OPERATOR, "closed"),
        ("GET /v1/trust", OPERATOR, "since limit"),
        ("GET /v1/reports", SHOP, "domain limit"),
        ("GET /v1/sources", SHOP, "domain days"),
        ("GET /v1/tls-sessions", OPERATOR, "domain yesterday"),
    ];
    let values = "0 1 -1 1.5 400 401 500 501 65536 4294967296 x true false yes a.test a@a.test a%0Ab manual MANUAL 1m7qw3g0w000h \
                  1m7qw3g0w000h.0 1m7qw3g0w000h.x 2026-11-24T08:00:00Z 2026-11-24 now start - %20";
    for (request, who, names) in asked {
        let end = if request.contains('?') { '&' } else { '?' };
        for name in names.split(' ').chain(["unknown"]) {
            for value in values.split_whitespace() {
                asking.ask(&format!("{request}{end}{name}={value}"), who, b"").await;
            }
        }
    }
    asking.end(500);
    world.end().await;
}

/// A client that was made from the description sent `null` for the id of an event.
#[test]
fn a_header_field_is_never_null() {
    let api: Value = serde_json::from_str(&repute_web::description()).unwrap();
    let operations = api["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let all = operations.flat_map(|operation| operation["parameters"].as_array().cloned().unwrap_or_default());
    let fields: Vec<Value> = all.filter(|one| one["in"] == "header").collect();
    for field in &fields {
        assert_eq!(field["schema"]["type"], "string", "{field}");
        assert!(field["schema"]["pattern"].is_string(), "{field}");
    }
    assert!(fields.iter().any(|field| field["name"] == "Last-Event-ID"), "{fields:?}");
}
