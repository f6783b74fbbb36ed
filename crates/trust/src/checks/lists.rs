//! Rule 3: the address and the names are on no black list (RFC 5782).
//!
//! Listed, clean and refused are three things: only a known code is a listing; a list that
//! fails its own test points is not asked, and says nothing.

use std::net::IpAddr;
use std::sync::Arc;

use repute_types::Domain;

use super::{Finding, Outcome};
use crate::dnsbl::{Health, Holds, List, Meaning, Subject, Tier, Verdict};
use crate::lookup::Answer;

/// Something of ours that a list may hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    Address(IpAddr),
    /// A name, what it is to us (`From`, `EHLO`), and whom it concerns.
    Name {
        name: Domain,
        role: &'static str,
        address: Option<IpAddr>,
        sending: Option<Domain>,
    },
    /// The host of a link in a message.
    Link(Domain),
}

impl Target {
    pub fn subject(&self) -> Subject<'_> {
        match self {
            Target::Address(ip) => Subject::Address(*ip),
            Target::Name { name, .. } | Target::Link(name) => Subject::Domain(name.as_str()),
        }
    }

    fn id(&self) -> &'static str {
        match self {
            Target::Address(ip) if ip.is_ipv4() => "bl.ip",
            Target::Address(_) => "bl.ip6",
            Target::Name { address: Some(_), .. } => "name.helo.dbl",
            Target::Name { .. } => "bl.domain",
            Target::Link(_) => "bl.content",
        }
    }

    fn says(&self) -> String {
        match self {
            Target::Address(ip) => ip.to_string(),
            Target::Name { name, role, .. } => format!("{name} ({role})"),
            Target::Link(name) => format!("{name} (link)"),
        }
    }

    fn scope(&self, finding: Finding) -> Finding {
        match self {
            Target::Address(ip) => finding.for_address(*ip),
            Target::Link(_) => finding,
            Target::Name { address, sending, .. } => {
                let finding = address.map_or(finding.clone(), |ip| finding.for_address(ip));
                sending.as_ref().map_or(finding.clone(), |domain| finding.for_domain(domain))
            }
        }
    }
}

/// What one list said.
#[derive(Clone, Debug)]
pub struct Asked {
    pub list: Arc<List>,
    /// The worst of its pairs of test points.
    pub health: Health,
    /// For a sound list: each target that it covers, its answer, and the texts beside a listing.
    pub answers: Vec<(Target, Answer, Vec<String>)>,
}

/// Fewer sound lists of the first tier than this share say too little to pass.
fn is_enough(sound: usize, all: usize) -> bool {
    sound > 0 && sound * 2 >= all
}

pub fn judge(targets: &[Target], lists: &[Asked]) -> Vec<Finding> {
    let mut findings: Vec<Finding> = targets.iter().flat_map(|target| one(target, lists)).collect();
    findings.extend(lists.iter().map(|asked| health(asked, targets, lists)));
    findings
}

/// The lists that could hold a target: how many of the first tier, and how many of them sound.
fn important(target: &Target, lists: &[Asked]) -> (usize, usize) {
    let first = lists.iter().filter(|a| a.list.tier == Tier::Blocking && a.list.covers(target.subject()));
    let (mut sound, mut all) = (0, 0);
    for asked in first {
        all += 1;
        sound += usize::from(asked.health == Health::Sound);
    }
    (sound, all)
}

fn one(target: &Target, lists: &[Asked]) -> Vec<Finding> {
    let (id, what) = (target.id(), target.says());
    let mut findings = Vec::new();
    let (mut clean, mut silent) = (0, Vec::new());
    for asked in lists.iter().filter(|a| a.list.covers(target.subject())) {
        if asked.health != Health::Sound {
            silent.push(asked.list.name.as_str());
            continue;
        }
        let Some((_, answer, texts)) = asked.answers.iter().find(|(t, ..)| t == target) else { continue };
        match asked.list.judge(answer) {
            Verdict::Clean { .. } => clean += 1,
            Verdict::Listed(hits) => {
                let causes: Vec<String> =
                    hits.iter().map(|h| format!("{} ({}): {}", h.name, h.code, h.cause)).collect();
                findings.push(target.scope(listed(target, &asked.list, &causes, texts)));
            }
            Verdict::Refused(_) | Verdict::Unknown(_) => silent.push(asked.list.name.as_str()),
        }
    }
    let (sound, all) = important(target, lists);
    let but = if silent.is_empty() {
        String::new()
    } else {
        format!("; {} more gave no usable answer: {}", silent.len(), silent.join(", "))
    };
    let asked = clean + findings.len();
    if !findings.is_empty() {
        return findings;
    }
    let summary = if is_enough(sound, all) && silent.len() <= asked {
        Finding::pass(id, &what, format!("{what} is clean on {clean} of {asked} lists{but}"))
    } else {
        Finding::new(id, Outcome::Unknown, &what, format!("too few lists answer to say whether {what} is listed{but}"))
            .fix("see dns.resolver: lists answer a resolver of one's own")
    };
    vec![target.scope(summary)]
}

fn listed(target: &Target, list: &List, causes: &[String], texts: &[String]) -> Finding {
    let about = format!("{} {}", target.says(), list.name);
    let said = if texts.is_empty() { String::new() } else { format!(" – it says: {}", texts.join(" ")) };
    let verdict = format!("{} is on {}: {}{said}", target.says(), list.name, causes.join("; "));
    let outcome = match list.tier {
        Tier::Blocking => Outcome::Fail,
        Tier::Notice | Tier::Minor => Outcome::Warn,
        Tier::Info => Outcome::Pass,
    };
    let mut advice = format!("remove the cause, then see {}", list.lookup_page(target.subject()));
    if let Some(page) = &list.delist {
        advice += &format!(" and ask for removal at {page}");
    }
    if !list.precheck.is_empty() {
        advice += "; it makes some checks itself before it removes anybody";
    }
    if let Some(expiry) = &list.expiry {
        advice += &format!(" ({expiry})");
    }
    let mut finding = Finding::new(target.id(), outcome, about, verdict).fix(advice);
    finding.prechecks = list.precheck.iter().map(|id| (id.clone(), None)).collect();
    finding
}

/// Whether a list tells ill of what it holds; the others are allow lists.
pub fn tells_ill(list: &List) -> bool {
    list.codes.iter().any(|c| c.meaning == Meaning::Bad) || list.bits.iter().any(|b| b.meaning == Meaning::Bad)
}

/// The allow lists that an address is on. To be on none is no reproach.
pub fn allowed(ip: IpAddr, lists: &[Asked]) -> Option<Finding> {
    let id = "bl.allow";
    let target = Target::Address(ip);
    let (mut on, mut silent, mut absent) = (Vec::new(), Vec::new(), Vec::new());
    for asked in lists.iter().filter(|a| a.list.covers(target.subject())) {
        let answer = asked.answers.iter().find(|(t, ..)| *t == target).map(|(_, answer, _)| asked.list.judge(answer));
        match answer {
            Some(Verdict::Clean { noted }) if noted.iter().any(|hit| hit.meaning == Meaning::Good) => {
                let levels: Vec<String> = noted.iter().map(|hit| format!("{} ({})", hit.name, hit.code)).collect();
                on.push(format!("{} as {}", asked.list.name, levels.join(", ")));
            }
            Some(Verdict::Clean { .. } | Verdict::Listed(_)) => absent.push(asked),
            Some(Verdict::Refused(why) | Verdict::Unknown(why)) => silent.push(why),
            None => {
                silent.push(asked.health.complaint().unwrap_or_else(|| format!("{} was not asked", asked.list.name)))
            }
        }
    }
    let finding = match (on.as_slice(), absent.first(), silent.first()) {
        ([], None, None) => return None,
        ([], None, Some(why)) => {
            Finding::unknown(id, ip, format!("whether {ip} is on allow lists"), why).follows("dns.resolver")
        }
        ([], Some(asked), _) => Finding::pass(id, ip, format!("{ip} is on no allow list")).fix(format!(
            "after a month of good mail, have it registered at {}: it is free, and filters give points for it",
            asked.list.delist.as_deref().unwrap_or(&asked.list.lookup)
        )),
        (on, ..) => Finding::pass(id, ip, format!("{ip} is on {}", on.join("; "))),
    };
    Some(finding.for_address(ip))
}

/// What the lists that know ranges of end users say of an address: the entry, if it is in one.
/// `wanted` are the codes' names: `PBL`.
pub fn entry_named(ip: IpAddr, wanted: &str, lists: &[Asked]) -> Result<Option<String>, String> {
    let target = Target::Address(ip);
    let knows = |list: &List| list.codes.iter().any(|c| c.meaning == Meaning::Bad && c.name.starts_with(wanted));
    let mut why = None;
    let mut clean = false;
    for asked in lists.iter().filter(|a| knows(&a.list) && a.list.covers(target.subject())) {
        let Some((_, answer, _)) = asked.answers.iter().find(|(t, ..)| *t == target) else {
            why = why.or(asked.health.complaint());
            continue;
        };
        match asked.list.judge(answer) {
            Verdict::Listed(hits) => match hits.iter().find(|hit| hit.name.starts_with(wanted)) {
                Some(hit) => return Ok(Some(format!("{} of {} ({})", hit.name, asked.list.name, hit.code))),
                None => clean = true,
            },
            Verdict::Clean { .. } => clean = true,
            Verdict::Refused(text) | Verdict::Unknown(text) => why = why.or(Some(text)),
        }
    }
    if clean { Ok(None) } else { Err(why.unwrap_or_else(|| "no list that knows such ranges is asked".into())) }
}

/// That a list can be believed. One that cannot is passed over; it is a gap only where the
/// others are too few.
fn health(asked: &Asked, targets: &[Target], lists: &[Asked]) -> Finding {
    let (id, name) = ("bl.health", &asked.list.name);
    let Some(complaint) = asked.health.complaint() else {
        return Finding::pass(id, name, format!("{name} passes its self-test"));
    };
    let matters = asked.list.tier == Tier::Blocking
        && targets.iter().filter(|t| asked.list.covers(t.subject())).any(|t| {
            let (sound, all) = important(t, lists);
            !is_enough(sound, all)
        });
    let outcome = if matters { Outcome::Unknown } else { Outcome::Pass };
    let terms = asked.list.terms.as_ref().map_or(String::new(), |t| format!(" (its terms: {t})"));
    Finding::new(id, outcome, name, format!("{name} is not asked until it passes its self-test: {complaint}"))
        .fix(format!("ask it over a resolver of one's own, or with a key{terms}"))
        .follows(if asked.list.holds == Holds::Domains { "bl.domain" } else { "bl.ip" })
}
