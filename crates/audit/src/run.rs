//! One run: every group of checks that is wanted, at the same time.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use repute_trust::checks::asked;
use repute_trust::checks::catalogue::{is_within, place};
use repute_trust::checks::sent::v6_whole;
use repute_trust::checks::{Finding, Outcome, catalogue};
use repute_trust::dnsbl::{Keys, Table};
use repute_trust::lookup::{Answer, Query};
use repute_trust::setup::{Sending, Setup};
use repute_types::{Domain, Timestamp};
use tokio::task::JoinSet;

use crate::doors::{Doors, Kept, Own};
use crate::gather::{dkim, dmarc, leftovers, lists, machine, mailboxes, names, outward, sender, servers, spf};
use crate::once::Once;
use crate::questions::{Progress, Questions, all};
use crate::remembered::Remembered;
use crate::report::Report;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Ids of checks, or groups of them (`spf`). Empty: all.
    pub only: Vec<String>,
    /// Questions under way at the same time, and connections as many.
    pub at_once: usize,
    /// For the whole run.
    pub deadline: Duration,
    /// The black lists that are asked.
    pub table: Arc<Table>,
    /// Keys to those that want one.
    pub keys: Arc<Keys>,
    /// Mail hosts that everybody knows. None: port 25 is not tried.
    pub hosts: Vec<Domain>,
    /// Web hosts that answer with the address that they see.
    pub echo: Vec<Domain>,
    /// Web hosts whose Date is compared with our clock. None: it is not.
    pub clocks: Vec<Domain>,
    /// The service that leads to registries (RDAP); `None`: they are not asked.
    pub rdap: Option<String>,
    /// RIPEstat, which knows whether routes are signed; `None`: it is not asked.
    pub rpki: Option<String>,
    /// Where mail hosts listen.
    pub mx_port: u16,
    /// The server runs: its own ports have to answer.
    pub serving: bool,
    /// What the findings come to is told for each address with each domain.
    pub pairs: bool,
}

impl Default for Options {
    /// 64 is what a small resolver takes without dropping any; a healthy run takes seconds, and
    /// half a minute is what a person waits. Nobody but DNS is asked.
    fn default() -> Options {
        Options {
            only: Vec::new(),
            at_once: 64,
            deadline: Duration::from_secs(30),
            table: Arc::new(Table::shipped().clone()),
            keys: Arc::default(),
            hosts: Vec::new(),
            echo: Vec::new(),
            clocks: Vec::new(),
            rdap: None,
            rpki: None,
            mx_port: 25,
            serving: false,
            pairs: true,
        }
    }
}

/// What `ip.v6.complete` is made of.
const V6_PARTS: [&str; 7] =
    ["name.ptr.exists", "name.fcrdns", "name.helo.resolves", "spf.pass.each", "name.helo.spf", "bl.ip6", "ip.public"];

impl Options {
    /// Whether any built check of these groups is wanted, or needed for one that is.
    fn wants(&self, groups: &[&str]) -> bool {
        let of_groups = catalogue().iter().filter(|e| e.built && groups.iter().any(|g| is_within(&e.id, g)));
        let v6 = self.takes("ip.v6.complete");
        let needed = |id: &str| self.takes(id) || (v6 && V6_PARTS.contains(&id));
        self.only.is_empty() || of_groups.into_iter().any(|e| needed(&e.id))
    }

    /// Whether this check itself is wanted.
    pub(crate) fn takes(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| is_within(id, wanted))
    }
}

/// What every group of a run is given.
#[derive(Clone)]
pub(crate) struct Run {
    pub questions: Questions,
    pub setup: Arc<Setup>,
    pub options: Arc<Options>,
    pub own: Option<Arc<Own>>,
    pub remembered: Option<Arc<Remembered>>,
    pub now: Timestamp,
}

impl Run {
    pub fn wants(&self, groups: &[&str]) -> bool {
        self.options.wants(groups)
    }
}

/// What a group found, and what it keeps for the next run.
pub(crate) type Gathered = (Vec<Finding>, Kept);

/// Runs the checks that are wanted. Whoever hands in DNS alone gets the checks that need no more.
pub async fn run(
    setup: impl Into<Arc<Setup>>,
    doors: impl Into<Doors>,
    options: &Options,
    now: Timestamp,
    progress: Arc<Progress>,
) -> Report {
    let doors = doors.into();
    let questions = Questions::new(&doors, options.at_once, options.deadline, progress);
    let (setup, options) = (setup.into(), Arc::new(options.clone()));
    let run = Run {
        questions,
        setup: setup.clone(),
        options: options.clone(),
        own: doors.own.clone(),
        remembered: doors.remembered.clone(),
        now,
    };
    let mut groups: JoinSet<Gathered> = JoinSet::new();
    ask_dns(&run, &mut groups);
    if doors.network.is_some() {
        connect(&run, &mut groups);
    }
    let others = Arc::default();
    let each_domain = all((0..setup.domains.len()).map({
        let run = run.clone();
        move |nth| of_domain(run.clone(), nth, Arc::clone(&others))
    }));
    let (of_server, of_domains) = tokio::join!(groups.join_all(), each_domain);
    let (of_all, found) = together(of_server.into_iter().chain(of_domains));
    let mut findings = machine::check_own(&run);
    findings.extend(of_all);
    whole_v6(&run, &mut findings);
    if let Some(asked) = doors.own.as_ref().and_then(|own| own.asked) {
        let validates = findings.iter().find(|f| f.id == "dns.dnssec").map(|f| f.outcome);
        findings.extend([asked::dane(asked, validates), asked::mta_sts(asked), asked::tls_reports(asked)]);
    }
    precheck(&mut findings);
    findings.retain(|finding| options.takes(finding.id));
    findings.sort_by_cached_key(|finding| (place(finding.id), finding.about.clone()));
    findings.dedup();
    let kept = doors.own.as_ref().map(|own| own.kept.clone()).unwrap_or_default().after(&setup, found, now);
    let report = Report::new(&setup, findings, now, options.only.is_empty(), kept);
    if options.pairs { report.with_pairs(&setup) } else { report }
}

fn together(groups: impl IntoIterator<Item = Gathered>) -> Gathered {
    let (mut findings, mut found) = (Vec::new(), Kept::default());
    for (of_group, kept) in groups {
        findings.extend(of_group);
        found.permits.extend(kept.permits);
        found.neighbours.extend(kept.neighbours);
    }
    (findings, found)
}

/// Everything about one sending domain.
async fn of_domain(run: Run, nth: usize, others: Arc<Once<Query, Answer>>) -> Gathered {
    let mut groups: JoinSet<Gathered> = JoinSet::new();
    let setup = run.setup.clone();
    if let Some(sending) = setup.domains.get(nth) {
        let questions = run.questions.about(&sending.name, &others);
        let run = Run { questions, ..run };
        ask_dns_about(&run, sending, &mut groups);
        if run.questions.network().is_some() {
            connect_for(&run, sending, &mut groups);
        }
    }
    together(groups.join_all().await)
}

/// Starts a group that keeps nothing.
fn start(groups: &mut JoinSet<Gathered>, group: impl Future<Output = Vec<Finding>> + Send + 'static) {
    groups.spawn(async move { (group.await, Kept::default()) });
}

/// What DNS alone can tell.
fn ask_dns(run: &Run, groups: &mut JoinSet<Gathered>) {
    let (q, now) = (&run.questions, run.now);
    if run.wants(&["dns.resolver"]) {
        start(groups, servers::check_resolver(run.clone()));
    }
    if run.wants(&["dns.dnssec", "tls.out.dane"]) {
        start(groups, leftovers::check_resolver(run.clone()));
    }
    if run.wants(&["dns.authoritative", "dns.ttl"]) {
        start(groups, servers::check(q.clone(), run.setup.clone()));
    }
    if run.wants(&["bl", "name.helo.dbl", "ip.static", "ip.neighbours", "ip.rpki", "infra.contact"]) {
        groups.spawn(lists::check(run.clone()));
    }
    let domains: Vec<Domain> = run.setup.domains.iter().map(|d| d.name.clone()).collect();
    for source in run.setup.sources() {
        if run.wants(&["ip.public", "name.ptr", "name.fcrdns", "name.helo", "name.a"]) {
            start(groups, names::check(q.clone(), source.clone(), domains.clone()));
        }
        if run.wants(&["name.helo.spf", "spf.null"]) {
            start(groups, spf::check_helo(q.clone(), run.setup.clone(), source.clone(), now));
        }
        if run.wants(&["caa", "name.imprint"]) {
            start(groups, leftovers::check_host(run.clone(), source.clone()));
        }
    }
}

/// The same of one domain.
fn ask_dns_about(run: &Run, sending: &Sending, groups: &mut JoinSet<Gathered>) {
    let q = &run.questions;
    if run.wants(&["name.from", "in.tlsrpt"]) {
        start(groups, sender::check(q.clone(), sending.clone()));
    }
    if run.wants(&["spf"]) {
        groups.spawn(spf::check(run.clone(), sending.clone()));
    }
    if run.wants(&["dkim"]) {
        start(groups, dkim::check(run.clone(), sending.clone()));
    }
    if run.wants(&["dmarc", "spf.align"]) {
        start(groups, dmarc::check(q.clone(), sending.clone()));
    }
    let beside = ["spf.typ99", "dkim.adsp", "spf.unused", "bimi", "dnssec", "in.mtasts", "name.domain", "name.tld"];
    if run.wants(&beside) {
        start(groups, leftovers::check(run.clone(), sending.clone()));
    }
}

/// What needs connections.
fn connect(run: &Run, groups: &mut JoinSet<Gathered>) {
    if !run.options.clocks.is_empty() && run.wants(&["sys.clock"]) {
        start(groups, machine::check_clock(run.clone()));
    }
    for source in run.setup.sources() {
        if !run.options.hosts.is_empty() && run.wants(&["ip.egress", "ip.port25"]) {
            start(groups, outward::check(run.clone(), source.clone()));
        }
        if run.wants(&["ip.dedicated", "name.helo.live"]) {
            start(groups, machine::check_ports(run.clone(), source.clone()));
        }
    }
}

/// The same of one domain.
fn connect_for(run: &Run, sending: &Sending, groups: &mut JoinSet<Gathered>) {
    if run.wants(&["name.bounce", "name.hosts", "dsn", "in.starttls", "in.tlsa"]) {
        start(groups, mailboxes::check(run.clone(), sending.clone()));
    }
}

/// What is made of the other checks of an IPv6 address.
fn whole_v6(run: &Run, findings: &mut Vec<Finding>) {
    let mut parts: HashMap<(IpAddr, Outcome), Vec<&str>> = HashMap::new();
    for finding in findings.iter().filter(|finding| V6_PARTS.contains(&finding.id)) {
        let Some(address) = finding.address.filter(IpAddr::is_ipv6) else { continue };
        parts.entry((address, finding.outcome)).or_default().push(finding.id);
    }
    for address in run.setup.sources().map(|source| source.address).filter(IpAddr::is_ipv6) {
        let mut with = |outcome: Outcome| {
            let mut ids = parts.remove(&(address, outcome)).unwrap_or_default();
            ids.dedup();
            ids
        };
        let (bad, unknown) = (with(Outcome::Fail), with(Outcome::Unknown));
        findings.push(v6_whole(address, &bad, &unknown));
    }
}

/// How the checks came out that a list makes itself before it removes an entry.
fn precheck(findings: &mut [Finding]) {
    let mut worst: HashMap<(&str, Option<IpAddr>), Outcome> = HashMap::new();
    for finding in findings.iter() {
        let so_far = worst.entry((finding.id, finding.address)).or_insert(finding.outcome);
        *so_far = finding.outcome.max(*so_far);
    }
    for finding in findings {
        for (id, outcome) in &mut finding.prechecks {
            *outcome = worst.get(&(id.as_str(), finding.address)).copied();
        }
    }
}
