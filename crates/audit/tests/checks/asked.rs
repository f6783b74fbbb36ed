//! How often a run asks DNS the same.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex};

use repute_audit::{Options, Progress, run};
use repute_dns::{BoxFuture, Data, Inspect, Kind, Lookup, Mx, Resolver, Said, ServersFake};
use repute_trust::setup::{Sending, Setup};
use repute_types::{Clock as _, Domain, SystemClock};

use crate::common::{self, d, key, setup};

/// Questions, counted by name and kind: those to the resolver, and those to one server.
struct Counting {
    dns: ServersFake,
    asked: Mutex<HashMap<String, u32>>,
}

impl Counting {
    fn count(&self, what: String) {
        *self.asked.lock().unwrap().entry(what).or_default() += 1;
    }

    fn through(&self, name: &Domain, kind: &str) {
        self.count(format!("{name} {kind}"));
    }
}

impl Resolver for Counting {
    fn mx<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        self.through(name, "MX");
        self.dns.mx(name)
    }

    fn a<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        self.through(name, "A");
        self.dns.a(name)
    }

    fn aaaa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        self.through(name, "AAAA");
        self.dns.aaaa(name)
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        self.through(name, "TXT");
        self.dns.txt(name)
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        self.count(format!("{address} PTR"));
        self.dns.ptr(address)
    }
}

impl Inspect for Counting {
    fn records<'a>(&'a self, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Lookup<Data>> {
        self.through(name, &format!("{} record", kind.as_str()));
        self.dns.records(name, kind)
    }

    fn ask<'a>(&'a self, server: IpAddr, name: &'a Domain, kind: Kind) -> BoxFuture<'a, Said> {
        self.count(format!("{name} {} at {server}", kind.as_str()));
        self.dns.ask(server, name, kind)
    }
}

const DOMAINS: usize = 30;

/// Many domains at one host of DNS, with two keys each.
fn many() -> (Setup, ServersFake) {
    let name = |n: usize| format!("d{n}.example");
    let zone = |n: usize| {
        let name = name(n);
        format!(
            "{name} NS ns1.host.test
             {name} NS ns2.host.test
             {name} SOA 1
             {name} MX 10 mail.example.com
             {name} TXT v=spf1 ip4:203.0.113.10 -all
             _dmarc.{name} TXT v=DMARC1; p=reject
             s1._domainkey.{name} TXT v=DKIM1; k=ed25519; p={key}
             s2._domainkey.{name} TXT v=DKIM1; k=ed25519; p={key}\n",
            key = common::KEY
        )
    };
    let hosts = "ns1.host.test A 192.0.2.1
                 ns2.host.test A 192.0.2.2
                 mail.example.com A 203.0.113.10
                 203.0.113.10 PTR mail.example.com\n";
    let domains = (0..DOMAINS).map(|n| Sending {
        name: d(&name(n)),
        return_path: None,
        pool: None,
        keys: vec![key("s1"), key("s2")],
    });
    let zones: String = (0..DOMAINS).map(zone).collect();
    (Setup { domains: domains.collect(), ..setup() }, ServersFake::parse(&(hosts.to_owned() + &zones)))
}

/// Name servers were looked for fifteen times for each domain, and each of them was located as often.
#[tokio::test(start_paused = true)]
async fn which_servers_a_zone_has_is_asked_once_in_a_run() {
    let (setup, dns) = many();
    let counting = Arc::new(Counting { dns, asked: Mutex::default() });
    let options = Options::default();
    run(setup, counting.clone(), &options, SystemClock.now(), Arc::new(Progress::default())).await;
    let asked = counting.asked.lock().unwrap();
    let repeated = |what: &'static str| asked.iter().filter(move |(name, count)| name.ends_with(what) && **count > 1);
    // Whether the resolver validates is another question, asked with the same name.
    let again: Vec<_> = repeated(" NS record").filter(|(name, _)| *name != "com NS record").collect();
    assert!(again.is_empty(), "{again:?}");
    assert_eq!((asked["ns1.host.test A"], asked["ns2.host.test A"]), (1, 1));
    // What every domain's checks ask is asked once for each, and what they share once for all.
    for kind in [" TXT", " MX", " A", " AAAA", " MX record", " SOA record"] {
        let again: Vec<_> = repeated(kind).filter(|(name, _)| name.contains(".example ")).collect();
        assert!(again.is_empty(), "{again:?}");
    }
    assert_eq!(asked["_dmarc.example TXT"], 1);
    let each = asked.values().sum::<u32>() / DOMAINS as u32;
    assert!(each <= 36, "{each} questions a domain");
}
