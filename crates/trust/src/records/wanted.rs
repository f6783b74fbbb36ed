//! Which records a set-up needs: one list, in the order in which a person would publish them.
//!
//! Steps: the hosts (addresses, reverse names), the return path (MX), who may send (SPF for each
//! identity that receivers look at: the domain, the return path, and the EHLO name, which is
//! checked when the sender is empty, RFC 7208 §2.4), the keys (DKIM), and the policies.

use std::net::IpAddr;

use repute_types::Domain;

use super::data::{Data, Kind};
use crate::names::reverse::reverse_name;
use crate::setup::{Sending, Setup};
use crate::spf::{self, Network, Qualifier};

/// A record, or a set of records of one type at one name, that has to be in DNS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub name: Domain,
    pub purpose: Purpose,
}

/// What a record is for, with the values it must have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A host's addresses, all of one family.
    Address(Vec<IpAddr>),
    /// The one reverse name of an address.
    Reverse {
        address: IpAddr,
        host: Domain,
    },
    /// The host that takes mail for the name.
    Mx(Domain),
    /// The host that takes mail for the name where none does yet; who takes it already is not touched.
    FirstMx(Domain),
    Spf(spf::Wanted),
    /// A public key.
    Dkim(String),
    /// The policy for a domain that has none yet.
    Dmarc(String),
    TlsRpt(String),
    MtaSts(String),
}

/// Who can publish a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The one who runs the zone.
    Zone,
    /// The owner of the address, which is the hoster.
    Hoster,
}

/// The records of a set-up. The same set-up always gives the same list.
pub fn wanted(setup: &Setup) -> Vec<Wanted> {
    let mut list = Vec::new();
    hosts(setup, &mut list);
    for domain in &setup.domains {
        if let Some(path) = &domain.return_path {
            put(&mut list, path, Purpose::Mx(setup.hostname.clone()));
        }
    }
    senders(setup, &mut list);
    for domain in &setup.domains {
        for key in &domain.keys {
            // None has a key whose selector makes a name that is longer than names may be: nobody could look it up.
            if let Ok(name) = Domain::parse(&key.record_name(&domain.name)) {
                put(&mut list, &name, Purpose::Dkim(key.record()));
            }
        }
    }
    for domain in &setup.domains {
        policies(domain, &mut list);
    }
    list
}

/// The MTA-STS record of every return path, once https://mta-sts.RETURN_PATH/.well-known/mta-sts.txt serves
/// [`mta_sts_policy`]: without the policy it would only make senders look for it in vain.
pub fn mta_sts(setup: &Setup) -> Vec<Wanted> {
    let mut list = Vec::new();
    for name in setup.domains.iter().filter_map(|domain| under("_mta-sts", domain.return_path.as_ref()?)) {
        put(&mut list, &name, Purpose::MtaSts(mta_sts_record(&setup.hostname)));
    }
    list
}

/// The MX of every sending domain that has none: this host, which is to take its mail. A domain without one gets
/// no answers, and receivers distrust it.
pub fn first_mx(setup: &Setup, host: &Domain) -> Vec<Wanted> {
    let names = setup.domains.iter().filter(|domain| domain.return_path.as_ref() != Some(&domain.name));
    names.map(|domain| Wanted { name: domain.name.clone(), purpose: Purpose::FirstMx(host.clone()) }).collect()
}

/// Adds a record, once.
fn put(list: &mut Vec<Wanted>, name: &Domain, purpose: Purpose) {
    let one = Wanted { name: name.clone(), purpose };
    if !list.contains(&one) {
        list.push(one);
    }
}

/// A and AAAA of every name that is said in EHLO, PTR of every address.
fn hosts(setup: &Setup, list: &mut Vec<Wanted>) {
    let mut hosts: Vec<(Domain, Vec<IpAddr>)> = Vec::new();
    for egress in &setup.egresses {
        match hosts.iter_mut().find(|(name, _)| *name == egress.ehlo) {
            Some((_, addresses)) => addresses.extend(&egress.addresses),
            None => hosts.push((egress.ehlo.clone(), egress.addresses.clone())),
        }
    }
    // The hostname is also where clients and bounces come to, so it needs an address even if
    // no egress says it.
    if let Some(first) = setup.egresses.first().filter(|_| !hosts.iter().any(|(name, _)| *name == setup.hostname)) {
        hosts.insert(0, (setup.hostname.clone(), first.addresses.clone()));
    }
    for (name, addresses) in &hosts {
        for v4 in [true, false] {
            let family: Vec<IpAddr> = addresses.iter().copied().filter(|a| a.is_ipv4() == v4).collect();
            if !family.is_empty() {
                put(list, name, Purpose::Address(family));
            }
        }
    }
    for egress in &setup.egresses {
        for &address in &egress.addresses {
            let name = Domain::parse(&reverse_name(address)).expect("a reverse name is a name: nibbles and octets");
            put(list, &name, Purpose::Reverse { address, host: egress.ehlo.clone() });
        }
    }
}

/// SPF of domains, return paths and EHLO names; a name that is several of these gets one record.
fn senders(setup: &Setup, list: &mut Vec<Wanted>) {
    let all: Vec<IpAddr> = setup.egresses.iter().flat_map(|e| e.addresses.iter().copied()).collect();
    if all.is_empty() {
        return;
    }
    // A domain may have other senders that its owner forgot: until reports have shown them,
    // their mail is doubtful and not refused. Nobody but this server sends as the other names.
    let of = |domain: &Sending| domain.pool.clone().unwrap_or_else(|| all.clone());
    let domains = setup.domains.iter().map(|d| (&d.name, of(d), Qualifier::SoftFail));
    let paths = setup.domains.iter().filter_map(|d| Some((d.return_path.as_ref()?, of(d), Qualifier::Fail)));
    let hosts = setup.egresses.iter().map(|e| (&e.ehlo, e.addresses.clone(), Qualifier::Fail));
    let mut records: Vec<(Domain, spf::Wanted)> = Vec::new();
    for (name, addresses, end) in domains.chain(paths).chain(hosts) {
        let networks = addresses.into_iter().map(Network::host);
        match records.iter_mut().find(|(n, _)| n == name) {
            Some((_, record)) => {
                let new: Vec<Network> = networks.filter(|n| !record.networks.contains(n)).collect();
                record.networks.extend(new);
            }
            None => {
                let record = spf::Wanted { networks: networks.collect(), includes: Vec::new(), all: end };
                records.push((name.clone(), record));
            }
        }
    }
    for (name, record) in records {
        put(list, &name, Purpose::Spf(record));
    }
}

/// DMARC and where reports of TLS failures go: to the return path, where this server reads them, or where there
/// is none to postmaster, the one address that every domain with mail has (RFC 5321 §4.5.1). DMARC reports go to a
/// return path under the domain alone: others would have to permit it (RFC 9990 §4). A record with another address
/// is kept.
fn policies(domain: &Sending, list: &mut Vec<Wanted>) {
    let path = domain.return_path.as_ref();
    let to = |local: &str, path: Option<&Domain>| match path {
        Some(path) => format!("rua=mailto:{local}@{path}"),
        None => format!("rua=mailto:postmaster@{}", domain.name),
    };
    if let Some(name) = under("_dmarc", &domain.name) {
        let own = path.filter(|path| path.as_str().ends_with(&format!(".{}", domain.name)));
        // p=none asks for reports and changes no delivery: the start of every ramp.
        put(list, &name, Purpose::Dmarc(format!("v=DMARC1; p=none; {}", to("dmarc", own))));
    }
    for takes_mail in std::iter::once(&domain.name).chain(path) {
        if let Some(name) = under("_smtp._tls", takes_mail) {
            put(list, &name, Purpose::TlsRpt(format!("v=TLSRPTv1; {}", to("tls", path))));
        }
    }
}

/// The policy that a name has whose one MX is this server (RFC 8461 §3.2): TLS or nothing.
pub fn mta_sts_policy(hostname: &Domain) -> String {
    // A week: long enough to protect, short enough to be rid of a mistake.
    format!("version: STSv1\r\nmode: enforce\r\nmx: {hostname}\r\nmax_age: 604800\r\n")
}

/// Its record (RFC 8461 §3.1). Senders fetch the policy again when the id changes, so the id is
/// made from the policy.
fn mta_sts_record(hostname: &Domain) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, mta_sts_policy(hostname).as_bytes());
    let id: String = digest.as_ref().iter().take(8).map(|octet| format!("{octet:02x}")).collect();
    format!("v=STSv1; id={id}")
}

/// `None` where the name would be longer than names may be.
fn under(label: &str, name: &Domain) -> Option<Domain> {
    Domain::parse(&format!("{label}.{name}")).ok()
}

impl Wanted {
    pub fn kind(&self) -> Kind {
        match &self.purpose {
            Purpose::Address(addresses) => addresses.first().map_or(Kind::A, |a| Kind::of(*a)),
            Purpose::Reverse { .. } => Kind::Ptr,
            Purpose::Mx(_) | Purpose::FirstMx(_) => Kind::Mx,
            _ => Kind::Txt,
        }
    }

    pub fn who(&self) -> Who {
        if self.kind() == Kind::Ptr { Who::Hoster } else { Who::Zone }
    }

    /// The records to publish where nothing stands yet.
    pub fn fresh(&self) -> Vec<Data> {
        match &self.purpose {
            Purpose::Address(addresses) => addresses.iter().copied().map(Data::address).collect(),
            Purpose::Reverse { host, .. } => vec![Data::Ptr(host.clone())],
            Purpose::Mx(host) | Purpose::FirstMx(host) => vec![Data::Mx(10, Some(host.clone()))],
            Purpose::Spf(record) => vec![Data::text(&spf::propose(&[], record).text)],
            Purpose::Dkim(text) | Purpose::Dmarc(text) | Purpose::TlsRpt(text) | Purpose::MtaSts(text) => {
                vec![Data::text(text)]
            }
        }
    }
}

impl Purpose {
    /// One word for tables and JSON.
    pub fn as_str(&self) -> &'static str {
        match self {
            Purpose::Address(_) => "address",
            Purpose::Reverse { .. } => "reverse",
            Purpose::Mx(_) | Purpose::FirstMx(_) => "mx",
            Purpose::Spf(_) => "spf",
            Purpose::Dkim(_) => "dkim",
            Purpose::Dmarc(_) => "dmarc",
            Purpose::TlsRpt(_) => "tls-rpt",
            Purpose::MtaSts(_) => "mta-sts",
        }
    }
}
