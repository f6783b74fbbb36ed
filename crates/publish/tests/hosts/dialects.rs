//! What each host documents of its interface, as far as it is used, and strict about the form of what it is sent.

use serde_json::{Value, json};

use crate::fake::{Record, Request, State};

const ZONE: &str = "example.test";

fn absolute(relative: &str) -> String {
    if matches!(relative, "" | "@") { ZONE.to_owned() } else { format!("{relative}.{ZONE}") }
}

fn relative(name: &str) -> String {
    name.strip_suffix(ZONE).unwrap().trim_end_matches('.').to_owned()
}

fn words(request: &Request) -> Vec<&str> {
    request.path.trim_matches('/').split('/').collect()
}

fn is_good(kind: &str, value: &str) -> bool {
    match kind {
        "TXT" => value.starts_with('"') && value.split("\" \"").all(|s| s.trim_matches('"').len() <= 255),
        "MX" => value.ends_with('.') && value.split(' ').count() == 2,
        "CNAME" => value.ends_with('.'),
        _ => value.parse::<std::net::IpAddr>().is_ok(),
    }
}

/// developers.cloudflare.com/api: zones, DNS records, batch.
pub fn cloudflare(request: &Request, state: &mut State) -> (u16, Value) {
    let done = |result: Value| (200, json!({"success": true, "errors": [], "messages": [], "result": result}));
    let failed = |status, text: &str| {
        (status, json!({"success": false, "errors": [{"code": 1004, "message": text}], "messages": [], "result": null}))
    };
    match (request.method.as_str(), &words(request)[..]) {
        ("GET", ["zones"]) if request.asked("name") == Some(ZONE) => done(json!([{"id": "0123abcd", "name": ZONE}])),
        ("GET", ["zones"]) => done(json!([])),
        ("GET", ["zones", "0123abcd", "dns_records"]) => {
            let at = state.records.iter().filter(|r| Some(r.name.as_str()) == request.asked("name"));
            let shown = at.map(|r| {
                let mut shown = json!({"id": format!("r{}", r.id), "name": r.name, "type": r.kind, "ttl": r.ttl, "proxied": r.proxied});
                match r.value.split_once(' ').filter(|_| r.kind == "MX") {
                    Some((priority, host)) => {
                        shown["priority"] = priority.parse::<u64>().unwrap().into();
                        shown["content"] = host.trim_end_matches('.').into();
                    }
                    None => shown["content"] = r.value.trim_end_matches('.').into(),
                }
                shown
            });
            done(shown.collect())
        }
        ("POST", ["zones", "0123abcd", "dns_records", "batch"]) => {
            let ids: Vec<String> = state.records.iter().map(|r| format!("r{}", r.id)).collect();
            let deletes: Vec<&str> =
                request.body["deletes"].as_array().unwrap().iter().map(|d| d["id"].as_str().unwrap()).collect();
            if !deletes.iter().all(|id| ids.iter().any(|known| known == id)) {
                return failed(404, "Record does not exist.");
            }
            state.records.retain(|r| !deletes.contains(&format!("r{}", r.id).as_str()));
            for post in request.body["posts"].as_array().unwrap() {
                let text = |key: &str| post[key].as_str().unwrap().to_owned();
                let kind = text("type");
                let value = match kind.as_str() {
                    "MX" => format!("{} {}.", post["priority"], text("content")),
                    "CNAME" => text("content") + ".",
                    _ => text("content"),
                };
                if !is_good(&kind, &value) || (kind == "A" && post["proxied"] != false) {
                    return failed(400, "Content is invalid.");
                }
                state.add(&text("name"), &kind, &value, post["ttl"].as_u64().unwrap());
            }
            done(json!({}))
        }
        _ => failed(404, "Could not route."),
    }
}

/// desec.readthedocs.io: retrieving and modifying RRsets, bulk operations.
pub fn desec(request: &Request, state: &mut State) -> (u16, Value) {
    let ["domains", ZONE, "rrsets"] = words(request)[..] else { return (404, json!({"detail": "Not found."})) };
    if request.method == "GET" {
        let name = absolute(request.asked("subname").unwrap());
        let mut sets: Vec<Value> = Vec::new();
        for r in state.records.iter().filter(|r| r.name == name) {
            match sets.iter_mut().find(|set| set["type"] == r.kind.as_str()) {
                Some(set) => set["records"].as_array_mut().unwrap().push(r.value.clone().into()),
                None => sets.push(json!({
                    "domain": ZONE, "subname": relative(&name), "type": r.kind, "ttl": r.ttl, "records": [r.value],
                })),
            }
        }
        return (200, sets.into());
    }
    assert_eq!(request.method, "PATCH");
    let sets = request.body.as_array().unwrap();
    for set in sets {
        let kind = set["type"].as_str().unwrap();
        let good = set["records"].as_array().unwrap().iter().all(|r| is_good(kind, r.as_str().unwrap()));
        if !good || set["ttl"].as_u64().is_none_or(|ttl| ttl < 3600) || set["subname"] == "@" {
            return (400, json!([{"records": ["Record content malformed."]}]));
        }
    }
    for set in sets {
        let (name, kind) = (absolute(set["subname"].as_str().unwrap()), set["type"].as_str().unwrap());
        state.records.retain(|r| r.name != name || r.kind != kind);
        for value in set["records"].as_array().unwrap() {
            state.add(&name, kind, value.as_str().unwrap(), set["ttl"].as_u64().unwrap());
        }
    }
    (200, request.body.clone())
}

/// docs.digitalocean.com/reference/api: domain records.
pub fn digitalocean(request: &Request, state: &mut State) -> (u16, Value) {
    let not_found = (404, json!({"id": "not_found", "message": "The resource you requested could not be found."}));
    let ["domains", ZONE, "records", ref rest @ ..] = words(request)[..] else { return not_found };
    let shown = |r: &Record| {
        let data = match r.kind.as_str() {
            "TXT" => r.value.split("\" \"").map(|s| s.trim_matches('"')).collect::<String>(),
            "MX" => r.value.split_once(' ').unwrap().1.trim_end_matches('.').to_owned(),
            _ => r.value.trim_end_matches('.').to_owned(),
        };
        let priority = r.value.split(' ').next().and_then(|n| n.parse::<u64>().ok()).filter(|_| r.kind == "MX");
        let at = Some(relative(&r.name)).filter(|n| !n.is_empty()).unwrap_or("@".to_owned());
        json!({"id": r.id, "type": r.kind, "name": at, "data": data, "priority": priority, "ttl": r.ttl})
    };
    if request.method == "GET" {
        let at = state.records.iter().filter(|r| Some(r.name.as_str()) == request.asked("name"));
        return (200, json!({"domain_records": at.map(shown).collect::<Vec<_>>(), "links": {}, "meta": {}}));
    }
    let id: Option<u64> = rest.first().map(|id| id.parse().unwrap());
    if id.is_some_and(|id| state.records.iter().all(|r| r.id != id)) {
        return not_found;
    }
    if request.method == "DELETE" {
        state.records.retain(|r| Some(r.id) != id);
        return (204, Value::Null);
    }
    let text = |key: &str| request.body[key].as_str().unwrap().to_owned();
    let value = match text("type").as_str() {
        "TXT" => {
            let data = text("data");
            let strings = data.as_bytes().chunks(255).map(|s| format!("\"{}\"", String::from_utf8_lossy(s)));
            strings.collect::<Vec<_>>().join(" ")
        }
        "MX" => format!("{} {}", request.body["priority"], text("data")),
        _ => text("data"),
    };
    if !is_good(&text("type"), &value) {
        return (422, json!({"id": "unprocessable_entity", "message": "Data needs to end with a dot (.)"}));
    }
    let ttl = request.body["ttl"].as_u64().unwrap();
    match id {
        Some(id) => {
            state.records.iter_mut().filter(|r| r.id == id).for_each(|r| (r.value, r.ttl) = (value.clone(), ttl))
        }
        None => state.add(&absolute(&text("name")), &text("type"), &value, ttl),
    }
    (if id.is_some() { 200 } else { 201 }, json!({"domain_record": {}}))
}

/// docs.hetzner.cloud/reference/cloud: zones, RRSets and their actions.
pub fn hetzner(request: &Request, state: &mut State) -> (u16, Value) {
    let failed =
        |status, code: &str, text: &str| (status, json!({"error": {"code": code, "message": text, "details": null}}));
    let ["zones", ZONE, "rrsets", ref rest @ ..] = words(request)[..] else {
        return failed(404, "not_found", "Zone not found");
    };
    if request.method == "GET" {
        let at = request.asked("name").unwrap();
        let mut sets: Vec<Value> = Vec::new();
        for r in state.records.iter().filter(|r| r.name == absolute(at)) {
            let record = json!({"value": r.value, "comment": ""});
            match sets.iter_mut().find(|set| set["type"] == r.kind.as_str()) {
                Some(set) => set["records"].as_array_mut().unwrap().push(record),
                None => sets.push(json!({
                    "id": format!("{at}/{}", r.kind), "name": at, "type": r.kind, "ttl": r.ttl, "records": [record],
                })),
            }
        }
        return (200, json!({"rrsets": sets, "meta": {"pagination": {"page": 1}}}));
    }
    let [at, kind, "actions", action] = *rest else { return failed(404, "not_found", "no such action") };
    let name = absolute(at);
    let values: Vec<String> =
        request.body["records"].as_array().unwrap().iter().map(|r| r["value"].as_str().unwrap().to_owned()).collect();
    if !values.iter().all(|value| is_good(kind, value)) {
        return failed(422, "invalid_input", "invalid record value");
    }
    let there: Vec<&Record> = state.records.iter().filter(|r| r.name == name && r.kind == kind).collect();
    let known = there.first().map(|r| r.ttl);
    match action {
        "add_records" => {
            let ttl = request.body["ttl"].as_u64();
            if known.is_some() && ttl.is_some() && ttl != known {
                return failed(422, "invalid_input", "the set has another ttl");
            }
            if state.records.iter().any(|r| r.name == name && r.kind == "CNAME") {
                return failed(422, "invalid_input", "a CNAME stands alone");
            }
            let ttl = known.or(ttl).unwrap_or(3600);
            values.iter().for_each(|value| state.add(&name, kind, value, ttl));
        }
        "set_records" => {
            let Some(ttl) = known else { return failed(404, "not_found", "RRSet not found") };
            state.records.retain(|r| r.name != name || r.kind != kind);
            values.iter().for_each(|value| state.add(&name, kind, value, ttl));
        }
        "remove_records" => {
            if !values.iter().all(|value| there.iter().any(|r| r.value == *value)) {
                return failed(404, "not_found", "record not found");
            }
            state.records.retain(|r| r.name != name || r.kind != kind || !values.contains(&r.value));
        }
        _ => return failed(404, "not_found", "no such action"),
    }
    (201, json!({"action": {"id": 1, "command": action, "status": "running", "error": null}}))
}
