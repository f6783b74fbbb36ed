//! Rule 2: the address has a name, the name has the address, and EHLO says that name.
//!
//! Receivers call the first two `iprev` (RFC 8601 §3). Of several mistakes the one that explains
//! the others is told; the others follow it.

use std::net::IpAddr;

use repute_types::Domain;

use super::{Finding, Outcome};
use crate::lookup::Answer;
use crate::names::confirm::{self, Judgement, Standing};
use crate::names::{generic, helo};
use crate::records::hosters;
use crate::remark::{Level, Remark};

/// What DNS says about an egress and its EHLO name.
#[derive(Clone, Debug)]
pub struct Facts {
    pub ip: IpAddr,
    /// What is said in EHLO.
    pub helo: Domain,
    /// PTR of the address.
    pub ptr: Answer,
    /// Each PTR name with its addresses, of the egress's family.
    pub forward: Vec<(String, Answer)>,
    /// Addresses of the EHLO name, of the egress's family.
    pub helo_forward: Answer,
    /// The addresses of the EHLO name that are not the egress, with their PTR.
    pub elsewhere: Vec<(IpAddr, Answer)>,
    /// The domains that mail is sent as.
    pub domains: Vec<Domain>,
    /// Of EHLO's and PTR's names those that are aliases, and of what; or why that is not known.
    pub aliases: Vec<(String, Result<Option<String>, String>)>,
}

/// PTR names that are followed: nobody has more for good reason, and a list must end.
pub const NAMES_MOST: usize = 10;

/// The checks that [`confirm::judge`] makes, the one first that explains the others.
const CONFIRM: [&str; 5] =
    ["name.fcrdns", "name.ptr.exists", "name.helo.resolves", "name.helo.eq.ptr", "name.ptr.single"];

pub fn judge(facts: &Facts) -> Vec<Finding> {
    let judgement = confirm::judge(&confirm::Facts {
        address: facts.ip,
        host: facts.helo.as_str(),
        ptr: &facts.ptr,
        forward: &facts.forward,
        of_host: &facts.helo_forward,
        elsewhere: &facts.elsewhere,
    });
    let mut findings = confirmed(facts, &judgement);
    findings.extend(form(facts));
    findings.extend(machine_made(facts));
    findings.push(own_domain(facts));
    findings.extend(facts.aliases.iter().map(|(name, alias)| alias_of(facts, name, alias)));
    findings.into_iter().map(|f| f.for_address(facts.ip)).collect()
}

/// How a remark counts as a finding.
pub fn outcome(level: Level) -> Outcome {
    match level {
        Level::Info => Outcome::Pass,
        Level::Warn => Outcome::Warn,
        Level::Fail => Outcome::Fail,
        Level::Unknown => Outcome::Unknown,
    }
}

fn confirmed(facts: &Facts, judgement: &Judgement) -> Vec<Finding> {
    let ip = facts.ip;
    let worst = judgement.remarks.iter().map(|r| r.level).max();
    let Some(worst) = worst else {
        return CONFIRM.iter().filter_map(|id| passes(facts, id)).collect();
    };
    let of = |id: &str| judgement.remarks.iter().find(|r| r.check == id);
    // A sentence that says that something is not known is that of what is not known, and explains nothing that fails.
    let unknown = judgement.standing == Standing::Unknown;
    let told = if unknown { Level::Unknown } else { worst };
    let lead = CONFIRM.iter().find(|id| of(id).is_some_and(|r| r.level == told)).unwrap_or(&CONFIRM[0]);
    let mut findings = vec![leading(facts, lead, outcome(told), judgement)];
    for id in CONFIRM.iter().filter(|id| *id != lead) {
        findings.extend(match of(id) {
            Some(Remark { level, found, fix, .. }) => {
                let finding = Finding::new(id, outcome(*level), ip, found).fix(fix);
                Some(if unknown && *level == Level::Fail { finding } else { finding.follows(lead) })
            }
            None => passes(facts, id).or_else(|| follows_from_ptr(facts, id)),
        });
    }
    findings
}

/// The finding that says it all, with the records that put it right.
fn leading(facts: &Facts, id: &'static str, outcome: Outcome, judgement: &Judgement) -> Finding {
    let finding = Finding::new(id, outcome, facts.ip, &judgement.sentence);
    if judgement.records.is_empty() {
        return finding.fix("try again later");
    }
    let mut advice = Vec::new();
    for record in &judgement.records {
        let instead = match record.instead_of.as_slice() {
            [] => String::new(),
            there => format!(" instead of {}", there.join(", ")),
        };
        if record.is_the_hoster_s() {
            advice.push(format!(
                "ask your hoster to set the PTR of {} to {}{instead}{}",
                facts.ip,
                facts.helo,
                way(facts)
            ));
        } else {
            advice.push(format!("point {} to {}{instead}", record.name, record.value));
        }
    }
    let finding = finding.fix(advice.join(", and "));
    judgement.records.iter().fold(finding, |f, record| f.record(record.to_string()))
}

/// Where the hoster that the reverse name tells lets one set it.
fn way(facts: &Facts) -> String {
    let names = facts.ptr.names().iter().filter_map(|name| Domain::parse(name).ok());
    let hoster = names.filter_map(|name| hosters::of_reverse_name(&name)).next();
    hoster.map_or(String::new(), |h| format!(" ({}: {})", h.name, h.ptr))
}

/// Without a reverse name nothing leads back.
fn follows_from_ptr(facts: &Facts, id: &'static str) -> Option<Finding> {
    if id != "name.fcrdns" || !facts.ptr.names().is_empty() {
        return None;
    }
    let ip = facts.ip;
    let finding = match &facts.ptr {
        Answer::Failure(why) => Finding::unknown(id, ip, format!("whether {ip} has a name that leads back to it"), why),
        _ => Finding::fail(id, ip, format!("{ip} has no reverse name that could lead back to it")),
    };
    Some(finding.follows("name.ptr.exists"))
}

/// What a check says where there is nothing to remark; nothing where it could not be made.
fn passes(facts: &Facts, id: &'static str) -> Option<Finding> {
    let (ip, helo) = (facts.ip, &facts.helo);
    let names = facts.ptr.names();
    let verdict = match id {
        "name.fcrdns" => {
            let (name, _) = facts.forward.iter().find(|(_, answer)| answer.addresses().contains(&ip))?;
            let ehlo = if *name == helo.as_str() { ", and EHLO says the same" } else { "" };
            format!("{ip} → {name} → {ip}{ehlo}")
        }
        "name.ptr.exists" if !names.is_empty() => format!("{ip} is called {}", names.join(", ")),
        "name.helo.resolves" if facts.helo_forward.addresses().contains(&ip) => format!("{helo} leads to {ip}"),
        "name.helo.eq.ptr" if names.iter().any(|n| n == helo.as_str()) => {
            format!("EHLO and the reverse name are both {helo}")
        }
        "name.ptr.single" if names.len() == 1 => format!("{ip} has one reverse name"),
        _ => return None,
    };
    Some(Finding::pass(id, ip, verdict))
}

fn form(facts: &Facts) -> Vec<Finding> {
    let (helo, ip) = (&facts.helo, facts.ip);
    let remarks = helo::lint(helo.as_str(), ip);
    if remarks.is_empty() {
        return vec![Finding::pass("name.helo.fqdn", ip, format!("{helo} is a full name of its own"))];
    }
    remarks.iter().map(|r| Finding::new(r.check, outcome(r.level), ip, &r.found).fix(&r.fix)).collect()
}

/// Two points are enough to be junked together with little else.
fn machine_made(facts: &Facts) -> Option<Finding> {
    let (id, ip) = ("name.ptr.generic", facts.ip);
    let name = facts.ptr.names().first()?;
    let signs = generic::signs(name, ip);
    if signs.is_empty() {
        return Some(Finding::pass(id, ip, format!("{name} does not look machine-made")));
    }
    let because: Vec<String> = signs.iter().map(ToString::to_string).collect();
    let outcome = if generic::points(&signs).0 >= 200 { Outcome::Fail } else { Outcome::Warn };
    let verdict = format!("{name}, the reverse name of {ip}, looks machine-made: {}", because.join("; "));
    let fix = format!("ask your hoster to set the PTR of {ip} to {}{}", facts.helo, way(facts));
    let finding = Finding::new(id, outcome, ip, verdict).fix(fix);
    // Another name is wanted anyway.
    Some(if name == facts.helo.as_str() { finding } else { finding.follows("name.helo.eq.ptr") })
}

/// Apple and Yahoo want a reverse name that shows whose mail it is.
fn own_domain(facts: &Facts) -> Finding {
    let (id, ip) = ("name.ptr.owndomain", facts.ip);
    let names: Vec<Domain> = facts.ptr.names().iter().filter_map(|name| Domain::parse(name).ok()).collect();
    let house = facts.helo.parent().filter(|d| d.as_str().contains('.')).unwrap_or_else(|| facts.helo.clone());
    let ours = |name: &&Domain| name.is_within(&house) || facts.domains.iter().any(|d| name.is_within(d));
    match (&facts.ptr, names.iter().find(ours), names.first()) {
        (Answer::Failure(why), ..) => {
            Finding::unknown(id, ip, format!("whose the reverse name of {ip} is"), why).follows("name.ptr.exists")
        }
        (_, Some(name), _) => Finding::pass(id, ip, format!("the reverse name {name} is one of ours")),
        (_, None, Some(other)) => {
            Finding::warn(id, ip, format!("the reverse name {other} belongs to somebody else than {house}"))
                .fix(format!("ask your hoster to set the PTR of {ip} to {}{}", facts.helo, way(facts)))
                .follows("name.helo.eq.ptr")
        }
        (_, None, None) => {
            Finding::warn(id, ip, format!("{ip} has no reverse name that could be ours")).follows("name.ptr.exists")
        }
    }
}

/// RFC 2181 §10.3, RFC 5321 §2.3.5.
fn alias_of(facts: &Facts, name: &str, alias: &Result<Option<String>, String>) -> Finding {
    let id = "name.a.cname";
    match alias {
        Err(why) => Finding::unknown(id, name, format!("whether {name} is an alias"), why),
        Ok(None) => Finding::pass(id, name, format!("{name} is no alias")),
        Ok(Some(target)) => {
            let kind = if facts.ip.is_ipv4() { "A" } else { "AAAA" };
            Finding::fail(id, name, format!("{name} is an alias of {target}, and has to have its own address"))
                .fix(format!("replace the CNAME record of {name} by an address record"))
                .record(format!("{name}. IN {kind} {}", facts.ip))
        }
    }
}
