//! Hetzner's interface (Cloud API, version 1): record sets in the form of zone files, and actions on each of them. Records are
//! added and removed by their values; where one takes another's place the set is written at once, so that
//! there is no moment without one, or with two.

use hyper::Method;
use repute_trust::records::{Data, Kind};
use repute_types::Domain;
use serde_json::{Value, json};

use super::http::{Http, quoted};
use super::{ApiError, Host, Listed, Planned, relative_or_at, text};

/// For a set that has none of its own, the zone's counts; this is what new zones have.
const DEFAULT_TTL: u32 = 3600;

pub(super) async fn list(http: &Http, zone: &Domain, name: &Domain) -> Result<Vec<Listed>, ApiError> {
    let at = relative_or_at(name, zone);
    let path = format!("/zones/{}/rrsets?name={}&per_page=50", quoted(zone.as_str()), quoted(&at));
    let answer = http.get(&path).await?.ok_or_else(|| ApiError::NoZone(Host::Hetzner.name(), zone.clone()))?;
    let sets = answer["rrsets"].as_array().ok_or_else(|| http.form("there is no list of record sets"))?;
    let mut listed = Vec::new();
    for set in sets.iter().filter(|set| set["name"].as_str() == Some(&at)) {
        let kind = set["type"].as_str().unwrap_or_default();
        let ttl = set["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(DEFAULT_TTL);
        for record in set["records"].as_array().into_iter().flatten() {
            // Names may be written from the zone on.
            let value = record["value"].as_str().unwrap_or_default();
            let data = text::parse(kind, &absolute(kind, value, zone));
            listed.extend(data.map(|data| Listed { data, ttl, id: value.to_owned() }));
        }
    }
    Ok(listed)
}

pub(super) async fn apply(http: &Http, zone: &Domain, planned: &[Planned<'_>]) -> Result<(), ApiError> {
    for plan in planned {
        let at = relative_or_at(&plan.change.name, zone);
        let set = |kind: Kind| format!("/zones/{}/rrsets/{}/{kind}/actions", quoted(zone.as_str()), quoted(&at));
        let mut kinds: Vec<Kind> =
            plan.to_remove().map(|l| l.data.kind()).chain(plan.missing().map(Data::kind)).collect();
        // An alias goes before anything else can stand at its name.
        kinds.sort_by_key(|kind| (*kind != Kind::Cname, *kind));
        kinds.dedup();
        for kind in kinds {
            let gone: Vec<&Listed> = plan.to_remove().filter(|l| l.data.kind() == kind).collect();
            let new: Vec<Value> =
                plan.missing().filter(|data| data.kind() == kind).map(|data| value(&data.to_string())).collect();
            let (action, body) = match (gone.is_empty(), new.is_empty()) {
                (true, true) => continue,
                (true, false) => {
                    // The time to live is given to a new set alone.
                    let is_new = plan.there.iter().all(|l| l.data.kind() != kind);
                    let ttl = is_new.then_some(plan.change.ttl);
                    ("add_records", json!({"records": new, "ttl": ttl}))
                }
                (false, true) => {
                    let values: Vec<Value> = gone.iter().map(|l| value(&l.id)).collect();
                    ("remove_records", json!({"records": values}))
                }
                (false, false) => {
                    let kept = plan.there.iter().filter(|l| l.data.kind() == kind && !gone.contains(l));
                    let all: Vec<Value> = kept.map(|l| value(&l.id)).chain(new).collect();
                    ("set_records", json!({"records": all}))
                }
            };
            let answer = http.send(Method::POST, &format!("{}/{action}", set(kind)), Some(body)).await?;
            if answer["action"]["status"] == "error" {
                let said = answer["action"]["error"]["message"].as_str().map(|m| format!(": {m}")).unwrap_or_default();
                return Err(ApiError::Refused { host: Host::Hetzner.name(), status: 200, said });
            }
        }
    }
    Ok(())
}

fn value(text: &str) -> Value {
    json!({"value": text})
}

fn absolute(kind: &str, value: &str, zone: &Domain) -> String {
    match kind {
        "CNAME" | "PTR" | "MX" if value == "@" || value.ends_with(" @") => {
            format!("{}{zone}.", value.trim_end_matches('@'))
        }
        "CNAME" | "PTR" | "MX" if !value.ends_with('.') => format!("{value}.{zone}."),
        _ => value.to_owned(),
    }
}
