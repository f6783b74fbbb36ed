//! deSEC's interface, version 1: record sets in the form of zone files; several sets are one request, made whole or not at all.

use std::collections::BTreeMap;

use hyper::Method;
use repute_trust::records::{Data, Kind};
use repute_types::Domain;
use serde_json::{Value, json};

use super::http::{Http, quoted};
use super::{ApiError, Host, Listed, Planned, relative, text};

/// What new accounts may not go below.
const LEAST_TTL: u32 = 3600;

pub(super) async fn list(http: &Http, zone: &Domain, name: &Domain) -> Result<Vec<Listed>, ApiError> {
    let path = format!("/domains/{}/rrsets/?subname={}", quoted(zone.as_str()), quoted(&relative(name, zone)));
    let answer = http.get(&path).await?.ok_or_else(|| ApiError::NoZone(Host::Desec.name(), zone.clone()))?;
    let sets = answer.as_array().ok_or_else(|| http.form("there is no list of record sets"))?;
    let mut listed = Vec::new();
    for set in sets {
        let kind = set["type"].as_str().unwrap_or_default();
        let ttl = set["ttl"].as_u64().and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(0);
        let records = set["records"].as_array().into_iter().flatten().filter_map(Value::as_str);
        listed.extend(
            records.filter_map(|record| Some(Listed { data: text::parse(kind, record)?, ttl, id: String::new() })),
        );
    }
    Ok(listed)
}

pub(super) async fn apply(http: &Http, zone: &Domain, planned: &[Planned<'_>]) -> Result<(), ApiError> {
    let mut sets: BTreeMap<(String, Kind), (u32, Vec<Data>)> = BTreeMap::new();
    for plan in planned {
        for data in plan.to_remove().map(|listed| &listed.data).chain(plan.missing()) {
            let key = (relative(&plan.change.name, zone), data.kind());
            let (_, set) = sets.entry(key).or_insert_with(|| there(plan, data.kind()));
            match plan.change.remove.contains(data) {
                true => set.retain(|one| one != data),
                false => set.push(data.clone()),
            }
        }
    }
    if sets.is_empty() {
        return Ok(());
    }
    let body: Vec<Value> = sets
        .into_iter()
        .map(|((subname, kind), (ttl, set))| {
            let records: Vec<String> = set.iter().map(Data::to_string).collect();
            json!({"subname": subname, "type": kind.as_str(), "ttl": ttl, "records": records})
        })
        .collect();
    let path = format!("/domains/{}/rrsets/", quoted(zone.as_str()));
    http.send(Method::PATCH, &path, Some(body.into())).await.map(drop)
}

/// A set as it stands; its time to live is its owner's.
fn there(plan: &Planned<'_>, kind: Kind) -> (u32, Vec<Data>) {
    let set: Vec<&Listed> = plan.there.iter().filter(|listed| listed.data.kind() == kind).collect();
    let ttl = set.first().map_or(plan.change.ttl.max(LEAST_TTL), |listed| listed.ttl);
    (ttl, set.into_iter().map(|listed| listed.data.clone()).collect())
}
