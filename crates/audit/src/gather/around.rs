//! The network around an address: its announcement, its registration, its neighbours; and whether
//! the address stays.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use repute_trust::checks::Finding;
use repute_trust::checks::lists::{Asked, entry_named};
use repute_trust::checks::origin::{Origin, Signed, dropped, neighbours, route};
use repute_trust::checks::registration::{abuse_contact, complaints_about, texts_of_block};
use repute_trust::checks::settled::{self, words_of_end_users};
use repute_trust::dnsbl::{Health, Subject, Table, Verdict};
use repute_trust::lookup::{Answer, Kind, Query};
use repute_trust::names::reverse::reversed;
use repute_trust::setup::Source;
use serde_json::Value;

use crate::doors::Kept;
use crate::questions::all;
use crate::run::Run;
use crate::web;

/// Networks of which Spamhaus says that nothing but crime is in them, a JSON object a line.
const ASN_DROP: &str = "https://www.spamhaus.org/drop/asndrop.json";
/// The neighbours are counted once a day.
const COUNT_AGAIN: Duration = Duration::from_secs(24 * 3600);
/// An address that changed this long ago is settled.
const SETTLED: Duration = Duration::from_secs(7 * 86_400);

/// `asked`: what the lists said of the addresses.
pub(crate) async fn check(run: Run, source: Source, asked: std::sync::Arc<Vec<Asked>>) -> (Vec<Finding>, Kept) {
    let ip = source.address;
    let mut kept = Kept::default();
    let wants_origin = run.wants(&["ip.rpki", "bl.sbl.asn"]);
    let registration = async {
        match run.wants(&["ip.static", "infra.contact"]) {
            true => registration(&run, ip).await,
            false => None,
        }
    };
    let origin = async {
        match wants_origin {
            true => Some(origin(&run, ip).await),
            false => None,
        }
    };
    let counted = async {
        match ip {
            IpAddr::V4(v4) if run.wants(&["ip.neighbours"]) => count_neighbours(&run, v4, &asked).await,
            _ => None,
        }
    };
    let (registration, origin, counted, ptr) = tokio::join!(registration, origin, counted, run.questions.ptr(ip));
    let mut findings = Vec::new();
    if run.wants(&["ip.static"]) {
        findings.push(settled::judge(&facts(&run, ip, &ptr, &asked, registration.as_ref())));
    }
    if let Some(origin) = origin {
        let drop = entry_named(ip, "DROP", &asked).map(|entry| entry.is_some());
        findings.push(dropped(
            ip,
            &drop,
            origin.origin.as_ref().ok().and_then(Option::as_ref),
            origin.dropped.as_ref(),
        ));
        findings.extend(route(ip, &origin.origin, origin.signed.as_ref()));
    }
    if let Some((list, counted, fresh)) = counted {
        if let (Ok((listed, of)), true) = (&counted, fresh) {
            kept.neighbours.push((ip, *listed, *of, run.now));
        }
        findings.push(neighbours(ip, &list, &counted));
    }
    if let Some(registration) = registration {
        let ours: Vec<_> = run.setup.domains.iter().map(|d| d.name.clone()).collect();
        findings.push(complaints_about(ip, &ours, &registration.map(|rdap| abuse_contact(&rdap))));
    }
    (findings, kept)
}

fn facts(
    run: &Run,
    ip: IpAddr,
    ptr: &Answer,
    asked: &[Asked],
    registration: Option<&Result<Value, String>>,
) -> settled::Facts {
    let kept = run.own.as_ref().map(|own| &own.kept);
    let since = kept.and_then(|kept| kept.addresses.iter().find(|(of, ..)| *of == ip)).map(|(_, since, _)| *since);
    let configured = |ip: &IpAddr| run.setup.sources().any(|e| e.address == *ip);
    let before = kept.and_then(|kept| {
        let others = kept.addresses.iter().filter(|(of, ..)| of.is_ipv4() == ip.is_ipv4() && !configured(of));
        let (of, _, last) = others.max_by_key(|(.., last)| *last)?;
        Some((*of, run.now.since(*last)))
    });
    settled::Facts {
        ip,
        names: ptr.names().to_vec(),
        end_user_range: entry_named(ip, "PBL", asked),
        unchanged: since.map(|since| run.now.since(since)),
        before: before.filter(|(_, ago)| *ago < SETTLED),
        registration: registration.and_then(|r| r.as_ref().ok()).map(|rdap| words_of_end_users(&texts_of_block(rdap))),
    }
}

/// `None` where nobody may be asked.
async fn registration(run: &Run, ip: IpAddr) -> Option<Result<Value, String>> {
    let service = run.options.rdap.as_ref().filter(|_| run.questions.network().is_some())?;
    Some(json(run, &format!("{service}/ip/{ip}")).await)
}

pub(crate) async fn json(run: &Run, url: &str) -> Result<Value, String> {
    let got = web::get(&run.questions, url, None, true).await?;
    match got.page.status {
        200 => serde_json::from_str(&got.page.body).map_err(|_| format!("{url} does not answer in JSON")),
        status => Err(format!("{url} answers {status}")),
    }
}

struct Around {
    origin: Result<Option<Origin>, String>,
    /// `None` where nobody may be asked.
    signed: Option<Result<Signed, String>>,
    dropped: Option<Result<bool, String>>,
}

async fn origin(run: &Run, ip: IpAddr) -> Around {
    let zone = if ip.is_ipv4() { "origin" } else { "origin6" };
    let origin = Origin::read(&run.questions.txt(format!("{}.{zone}.asn.cymru.com", reversed(ip))).await);
    let Some(found) = origin.as_ref().ok().and_then(Option::as_ref).filter(|_| run.questions.network().is_some())
    else {
        return Around { origin, signed: None, dropped: None };
    };
    let signed = async {
        let service = run.options.rpki.as_ref()?;
        let url = format!("{service}/data/rpki-validation/data.json?resource=AS{}&prefix={}", found.asn, found.prefix);
        Some(json(run, &url).await.and_then(|answer| match answer["data"]["status"].as_str() {
            Some("valid") => Ok(Signed::Valid),
            Some("unknown") => Ok(Signed::NotFound),
            Some(invalid) if invalid.starts_with("invalid") => Ok(Signed::Invalid(invalid.to_owned())),
            _ => Err(format!("{service} does not tell")),
        }))
    };
    let dropped = async {
        run.options.rpki.as_ref()?;
        let got = web::get(&run.questions, ASN_DROP, None, true).await;
        Some(got.and_then(|got| match got.page.status {
            200 => Ok(names_network(&got.page.body, found.asn)),
            status => Err(format!("{ASN_DROP} answers {status}")),
        }))
    };
    let (signed, dropped) = tokio::join!(signed, dropped);
    Around { signed, dropped, origin: origin.clone() }
}

fn names_network(lines: &str, asn: u32) -> bool {
    let of = |line: &str| serde_json::from_str::<Value>(line).ok()?["asn"].as_u64();
    lines.lines().filter_map(of).any(|listed| listed == u64::from(asn))
}

/// The list, what it says, and whether it was asked just now.
type Counted = (String, Result<(usize, usize), String>, bool);

/// The first list of the first tier, asked for all 256 addresses of the /24. `None` where no list is.
async fn count_neighbours(run: &Run, ip: Ipv4Addr, asked: &[Asked]) -> Option<Counted> {
    let first = asked.iter().find(|a| a.list.v4 && a.list.tier == repute_trust::dnsbl::Tier::Blocking)?;
    let name = first.list.name.clone();
    let kept = run.own.as_ref().and_then(|own| own.kept.neighbours.iter().find(|(of, ..)| *of == IpAddr::V4(ip)));
    if let Some((_, listed, of, _)) = kept.filter(|(.., at)| run.now.since(*at) < COUNT_AGAIN) {
        return Some((name, Ok((*listed, *of)), false));
    }
    if first.health != Health::Sound {
        return Some((name, Err(first.health.complaint().unwrap_or_default()), false));
    }
    let zone = Table::zone(&first.list, &run.options.keys)?;
    let [a, b, c, _] = ip.octets();
    let asking = (0..=255).filter_map(|last| {
        let neighbour = IpAddr::V4(Ipv4Addr::new(a, b, c, last));
        let query: Query = first.list.query(&zone, Subject::Address(neighbour))?;
        debug_assert_eq!(query.kind, Kind::A);
        let (questions, list) = (run.questions.clone(), first.list.clone());
        Some(async move { list.judge(&questions.ask(&query).await) })
    });
    let verdicts = all(asking.collect::<Vec<_>>()).await;
    // To be in a range of end users is no reproach to a neighbour.
    let bad = |v: &&Verdict| matches!(v, Verdict::Listed(hits) if hits.iter().any(|h| !h.name.starts_with("PBL")));
    let listed = verdicts.iter().filter(bad).count();
    let answered = verdicts.iter().filter(|v| matches!(v, Verdict::Listed(_) | Verdict::Clean { .. })).count();
    Some((name, Ok((listed, answered)), true))
}
