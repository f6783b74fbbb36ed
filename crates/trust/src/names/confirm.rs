//! Forward-confirmed reverse DNS, judged from facts: does the address lead to the name, the
//! name to the address, and is it the name that we say?
//!
//! Promise: what DNS did not tell is unknown, never wrong; of several mistakes the one that
//! explains the others is told, in one sentence; the records that would be right are given
//! whole, the reverse one in its arpa form.

use std::fmt;
use std::net::IpAddr;

use super::reverse::reverse_name;
use crate::lookup::{Answer, Kind};
use crate::remark::{Level, Remark};

/// What DNS says around one sending address. Answers about addresses are of its family.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    /// The address that mail leaves from.
    pub address: IpAddr,
    /// The name that we say in EHLO from it.
    pub host: &'a str,
    /// PTR of `address`.
    pub ptr: &'a Answer,
    /// A or AAAA of each name that `ptr` gave.
    pub forward: &'a [(String, Answer)],
    /// A or AAAA of `host`.
    pub of_host: &'a Answer,
    /// PTR of the addresses of `host` that are not `address`, as far as they were asked.
    pub elsewhere: &'a [(IpAddr, Answer)],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Address and name lead to each other, and it is the name that we say.
    Confirmed,
    /// It would be confirmed, but something about it is not as it should be.
    Flawed,
    Wrong,
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judgement {
    pub standing: Standing,
    /// What there is to say, in one sentence.
    pub sentence: String,
    /// The records to set; empty where all is right, or not known.
    pub records: Vec<ToSet>,
    /// What each check of its own says, where it says anything.
    pub remarks: Vec<Remark>,
}

/// A record that has to be set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToSet {
    /// Without trailing dot.
    pub name: String,
    pub kind: Kind,
    pub value: String,
    /// What stands there now, and goes.
    pub instead_of: Vec<String>,
}

impl ToSet {
    /// Whether the owner of the address (the hoster) has to set it, not we in our zone.
    pub fn is_the_hoster_s(&self) -> bool {
        self.kind == Kind::Ptr
    }
}

/// As a zone file has it: `10.17.42.125.in-addr.arpa. IN PTR mail.bob.com.`
impl fmt::Display for ToSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dot = if self.kind == Kind::Ptr { "." } else { "" };
        write!(f, "{}. IN {} {}{dot}", self.name, self.kind, self.value)
    }
}

/// The facts, read.
struct View<'a> {
    address: IpAddr,
    host: String,
    /// Names of the PTR records; `None` where it is not known.
    names: Option<Vec<String>>,
    /// Those of them that lead back.
    confirmed: Vec<String>,
    /// Whether a name that may lead back could not be looked up.
    unsure: bool,
    /// Addresses of the host; `None` where it is not known.
    host_addresses: Option<Vec<IpAddr>>,
    facts: &'a Facts<'a>,
}

/// Judges one sending address and its name.
pub fn judge(facts: &Facts<'_>) -> Judgement {
    let view = View::of(facts);
    let (standing, sentence) = view.sentence();
    let records = if matches!(standing, Standing::Wrong | Standing::Flawed) { view.records() } else { Vec::new() };
    Judgement { standing, sentence, records, remarks: view.remarks() }
}

impl<'a> View<'a> {
    fn of(facts: &'a Facts<'a>) -> View<'a> {
        let plain = |name: &str| name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let known = |answer: &Answer| !matches!(answer, Answer::Failure(_));
        let names: Vec<String> = facts.ptr.names().iter().map(|n| plain(n)).collect();
        let forward = |name: &String| facts.forward.iter().find(|(of, _)| plain(of) == *name).map(|(_, answer)| answer);
        let leads_back = |name: &&String| forward(name).is_some_and(|a| a.addresses().contains(&facts.address));
        let confirmed: Vec<String> = names.iter().filter(leads_back).cloned().collect();
        View {
            address: facts.address,
            host: plain(facts.host),
            unsure: names.iter().any(|name| forward(name).is_none_or(|a| !known(a))),
            confirmed,
            names: known(facts.ptr).then_some(names),
            host_addresses: known(facts.of_host).then(|| facts.of_host.addresses().to_vec()),
            facts,
        }
    }

    /// The mistake that explains most, in one sentence.
    fn sentence(&self) -> (Standing, String) {
        let (address, host) = (self.address, &self.host);
        if let Some(sentence) = self.other_machine() {
            return (Standing::Wrong, sentence);
        }
        let Some(names) = &self.names else {
            return (Standing::Unknown, format!("the PTR record of {address} could not be found out"));
        };
        if names.is_empty() {
            return (Standing::Wrong, format!("{address} has no PTR record; it has to say {host}"));
        }
        if self.confirmed.is_empty() {
            if self.unsure {
                return (
                    Standing::Unknown,
                    format!("whether {} leads back to {address} could not be found out", names[0]),
                );
            }
            return (Standing::Wrong, self.no_way_back(&names[0]));
        }
        if !self.confirmed.contains(host) {
            let name = &self.confirmed[0];
            let leads = match &self.host_addresses {
                Some(list) if list.contains(&address) => Standing::Flawed,
                None => Standing::Unknown,
                Some(_) => Standing::Wrong,
            };
            return (leads, format!("{address} and {name} lead to each other, but in EHLO we say {host}"));
        }
        if names.len() > 1 {
            let others = names.iter().filter(|n| *n != host).cloned().collect::<Vec<_>>().join(", ");
            return (
                Standing::Flawed,
                format!("{address} has {} PTR records; only {host} is wanted, not {others}", names.len()),
            );
        }
        (Standing::Confirmed, format!("{address} and {host} lead to each other"))
    }

    /// The classic mistake: every record exists and each looks fine alone, but all of them are
    /// about another address than the one that mail leaves from.
    fn other_machine(&self) -> Option<String> {
        let addresses = self.host_addresses.as_ref()?;
        // That it is known to be none of ours, and that our address does not say the name.
        let ours_says_it = self.names.as_ref()?.contains(&self.host);
        if addresses.contains(&self.address) || ours_says_it {
            return None;
        }
        let says_host = |answer: &Answer| {
            let names = answer.names();
            names.iter().any(|name| name.strip_suffix('.').unwrap_or(name).eq_ignore_ascii_case(&self.host))
        };
        let (other, _) =
            self.facts.elsewhere.iter().find(|(ip, answer)| addresses.contains(ip) && says_host(answer))?;
        let (kind, host) = (kind_of(*other), &self.host);
        Some(format!(
            "mail leaves from {}, but the records are those of {other}: {host} has {kind} {other}, and the PTR record \
             of {other} says {host}",
            self.address
        ))
    }

    fn no_way_back(&self, name: &str) -> String {
        let address = self.address;
        let forward = self.facts.forward.iter().find(|(of, _)| of.trim_end_matches('.').eq_ignore_ascii_case(name));
        let to = forward.map(|(_, answer)| answer.addresses()).unwrap_or_default();
        if to.is_empty() {
            return format!("the PTR record of {address} says {name}, which has no address");
        }
        let to = to.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
        format!("the PTR record of {address} says {name}, but {name} leads to {to}")
    }

    /// The records under which the name that we say would be confirmed.
    fn records(&self) -> Vec<ToSet> {
        let (address, host) = (self.address, &self.host);
        let mut records = Vec::new();
        if let Some(there) = &self.host_addresses
            && !there.contains(&address)
        {
            let instead_of = there.iter().map(IpAddr::to_string).collect();
            records.push(ToSet { name: host.clone(), kind: kind_of(address), value: address.to_string(), instead_of });
        }
        let names = self.names.as_deref().unwrap_or_default();
        if names != [host.clone()] {
            let instead_of = names.iter().filter(|n| *n != host).cloned().collect();
            records.push(ToSet { name: reverse_name(address), kind: Kind::Ptr, value: host.clone(), instead_of });
        }
        records
    }

    fn remarks(&self) -> Vec<Remark> {
        let mut remarks = Vec::new();
        let (address, host) = (self.address, &self.host);
        let set_ptr = format!("ask your hoster to set the PTR record of {address} to {host}");
        let set_forward = format!("publish {host}. IN {} {address}", kind_of(address));
        let mut say = |check, level, found: String, fix: &str| remarks.push(Remark::new(check, level, found, fix));
        match &self.names {
            None => say(
                "name.ptr.exists",
                Level::Unknown,
                format!("the PTR record of {address} could not be found out"),
                "try again later",
            ),
            Some(names) if names.is_empty() => {
                say("name.ptr.exists", Level::Fail, format!("{address} has no PTR record"), &set_ptr);
            }
            Some(names) => {
                if self.confirmed.is_empty() {
                    let (level, fix) =
                        if self.unsure { (Level::Unknown, "try again later") } else { (Level::Fail, set_ptr.as_str()) };
                    say("name.fcrdns", level, self.no_way_back_or_unknown(&names[0]), fix);
                }
                if names.len() > 1 {
                    let found = format!("{address} has {} PTR records: {}", names.len(), names.join(", "));
                    say("name.ptr.single", Level::Warn, found, &format!("keep only {host}"));
                }
                if !names.contains(host) {
                    let found = format!("EHLO says {host}, the PTR record of {address} says {}", names.join(", "));
                    say("name.helo.eq.ptr", Level::Warn, found, &set_ptr);
                }
            }
        }
        match &self.host_addresses {
            None => say(
                "name.helo.resolves",
                Level::Unknown,
                format!("the addresses of {host} could not be found out"),
                "try again later",
            ),
            Some(list) if list.contains(&address) => {}
            Some(list) if list.is_empty() => {
                say("name.helo.resolves", Level::Fail, format!("{host} has no address"), &set_forward)
            }
            Some(list) => {
                let list = list.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(", ");
                say(
                    "name.helo.resolves",
                    Level::Fail,
                    format!("{host} leads to {list}, not to {address}"),
                    &set_forward,
                );
            }
        }
        remarks
    }

    fn no_way_back_or_unknown(&self, name: &str) -> String {
        if self.unsure {
            return format!("whether {name} leads back to {} could not be found out", self.address);
        }
        self.no_way_back(name)
    }
}

fn kind_of(ip: IpAddr) -> Kind {
    if ip.is_ipv4() { Kind::A } else { Kind::Aaaa }
}
