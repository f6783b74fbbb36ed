//! Cloudflare's interface, version 4: a zone is found by its name, records have ids, and a batch is made whole or not at all.

use hyper::Method;
use repute_trust::records::Data;
use repute_types::Domain;
use serde_json::{Value, json};

use super::http::{Http, quoted};
use super::{ApiError, Host, Listed, Planned, text};

pub(super) async fn list(http: &Http, zone: &Domain, name: &Domain) -> Result<Vec<Listed>, ApiError> {
    let id = zone_id(http, zone).await?;
    let path = format!("/zones/{id}/dns_records?name={}&per_page=100", quoted(name.as_str()));
    let answer = http.get(&path).await?.ok_or_else(|| no_zone(zone))?;
    let records = answer["result"].as_array().ok_or_else(|| http.form("there is no list of records"))?;
    let mut listed = Vec::new();
    for record in records {
        if !record["name"].as_str().is_some_and(|found| found.trim_end_matches('.').eq_ignore_ascii_case(name.as_str()))
        {
            continue;
        }
        if record["proxied"].as_bool() == Some(true) {
            return Err(ApiError::Proxied(name.clone()));
        }
        let (kind, content) =
            (record["type"].as_str().unwrap_or_default(), record["content"].as_str().unwrap_or_default());
        let data = match kind {
            "MX" => text::exchange(number(&record["priority"]), content),
            kind => text::parse(kind, content),
        };
        let Some(data) = data else { continue };
        let id = record["id"].as_str().ok_or_else(|| http.form("a record has no id"))?.to_owned();
        // 1 means that the host chooses.
        let ttl = record["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).filter(|ttl| *ttl > 1).unwrap_or(300);
        listed.push(Listed { data, ttl, id });
    }
    Ok(listed)
}

pub(super) async fn apply(http: &Http, zone: &Domain, planned: &[Planned<'_>]) -> Result<(), ApiError> {
    let id = zone_id(http, zone).await?;
    let deletes: Vec<Value> =
        planned.iter().flat_map(Planned::to_remove).map(|listed| json!({"id": listed.id})).collect();
    let posts: Vec<Value> = planned.iter().flat_map(|plan| plan.missing().map(|data| post(plan, data))).collect();
    if deletes.is_empty() && posts.is_empty() {
        return Ok(());
    }
    let batch = json!({"deletes": deletes, "posts": posts});
    http.send(Method::POST, &format!("/zones/{id}/dns_records/batch"), Some(batch)).await.map(drop)
}

fn post(plan: &Planned<'_>, data: &Data) -> Value {
    let mut record = json!({
        "type": data.kind().as_str(),
        "name": plan.change.name.as_str(),
        "content": data.to_string().trim_end_matches('.'),
        "ttl": plan.change.ttl,
    });
    match data {
        Data::A(_) | Data::Aaaa(_) | Data::Cname(_) => record["proxied"] = false.into(),
        Data::Mx(preference, host) => {
            record["priority"] = (*preference).into();
            record["content"] = host.as_ref().map_or(".", Domain::as_str).into();
        }
        Data::Ptr(_) | Data::Txt(_) => {}
    }
    record
}

async fn zone_id(http: &Http, zone: &Domain) -> Result<String, ApiError> {
    let answer = http.get(&format!("/zones?name={}", quoted(zone.as_str()))).await?.ok_or_else(|| no_zone(zone))?;
    let zones = answer["result"].as_array().ok_or_else(|| http.form("there is no list of zones"))?;
    let found = zones.iter().find(|found| found["name"].as_str() == Some(zone.as_str()));
    found.and_then(|found| found["id"].as_str()).map(quoted).ok_or_else(|| no_zone(zone))
}

fn no_zone(zone: &Domain) -> ApiError {
    ApiError::NoZone(Host::Cloudflare.name(), zone.clone())
}

fn number(value: &Value) -> u16 {
    value.as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(0)
}
