//! DigitalOcean's interface, version 2: records with ids, texts without quotes, one request a record. A record that takes
//! another's place is changed where it stands, so that there is no moment without one.

use hyper::Method;
use repute_trust::records::Data;
use repute_types::Domain;
use serde_json::{Value, json};

use super::http::{Http, quoted};
use super::{ApiError, Host, Listed, Planned, relative_or_at, text};

pub(super) async fn list(http: &Http, zone: &Domain, name: &Domain) -> Result<Vec<Listed>, ApiError> {
    let path = format!("/domains/{}/records?name={}&per_page=200", quoted(zone.as_str()), quoted(name.as_str()));
    let answer = http.get(&path).await?.ok_or_else(|| ApiError::NoZone(Host::DigitalOcean.name(), zone.clone()))?;
    let records = answer["domain_records"].as_array().ok_or_else(|| http.form("there is no list of records"))?;
    let at = relative_or_at(name, zone);
    let mut listed = Vec::new();
    for record in records.iter().filter(|record| record["name"].as_str() == Some(&at)) {
        let kind = record["type"].as_str().unwrap_or_default();
        let data = match record["data"].as_str().unwrap_or_default() {
            // The zone itself.
            "@" => zone.as_str(),
            data => data,
        };
        let data = match kind {
            "MX" => {
                let preference = record["priority"].as_u64().and_then(|n| u16::try_from(n).ok()).unwrap_or(0);
                text::exchange(preference, data)
            }
            kind => text::parse(kind, data),
        };
        let Some(data) = data else { continue };
        let id = record["id"].as_u64().ok_or_else(|| http.form("a record has no id"))?.to_string();
        let ttl = record["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(1800);
        listed.push(Listed { data, ttl, id });
    }
    Ok(listed)
}

pub(super) async fn apply(http: &Http, zone: &Domain, planned: &[Planned<'_>]) -> Result<(), ApiError> {
    let records = format!("/domains/{}/records", quoted(zone.as_str()));
    for plan in planned {
        let mut missing: Vec<&Data> = plan.missing().collect();
        for gone in plan.to_remove() {
            let path = format!("{records}/{}", gone.id);
            match missing.iter().position(|data| data.kind() == gone.data.kind()) {
                Some(at) => {
                    let body = record(plan, zone, missing.remove(at), gone.ttl);
                    http.send(Method::PUT, &path, Some(body)).await?;
                }
                None => drop(http.send(Method::DELETE, &path, None).await?),
            }
        }
        for data in missing {
            let body = record(plan, zone, data, plan.change.ttl);
            http.send(Method::POST, &records, Some(body)).await?;
        }
    }
    Ok(())
}

fn record(plan: &Planned<'_>, zone: &Domain, data: &Data, ttl: u32) -> Value {
    let text = match data {
        Data::Txt(strings) => String::from_utf8_lossy(&strings.concat()).into_owned(),
        Data::Mx(_, host) => host.as_ref().map_or_else(|| ".".to_owned(), |host| format!("{host}.")),
        data => data.to_string(),
    };
    let name = relative_or_at(&plan.change.name, zone);
    let mut record = json!({"type": data.kind().as_str(), "name": name, "data": text, "ttl": ttl});
    if let Data::Mx(preference, _) = data {
        record["priority"] = (*preference).into();
    }
    record
}
