//! One run: every group of checks that is wanted, at the same time.

use std::sync::Arc;
use std::time::Duration;

use repute_dns::Inspect;
use repute_trust::checks::catalogue::{is_within, place};
use repute_trust::checks::{Finding, catalogue};
use repute_types::Timestamp;
use tokio::task::JoinSet;

use crate::gather::{dkim, dmarc, lists, names, sender, servers, spf};
use crate::questions::{Progress, Questions};
use crate::report::Report;
use crate::setup::Setup;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Ids of checks, or groups of them (`spf`). Empty: all.
    pub only: Vec<String>,
    /// Questions under way at the same time.
    pub at_once: usize,
    /// For the whole run.
    pub deadline: Duration,
}

impl Default for Options {
    /// 64 is what a small resolver takes without dropping any; a healthy run takes seconds, and
    /// half a minute is what a person waits.
    fn default() -> Options {
        Options { only: Vec::new(), at_once: 64, deadline: Duration::from_secs(30) }
    }
}

impl Options {
    /// Whether any built check of these groups is wanted.
    fn wants(&self, groups: &[&str]) -> bool {
        let of_groups = catalogue().iter().filter(|e| e.built && groups.iter().any(|g| is_within(&e.id, g)));
        self.only.is_empty() || of_groups.into_iter().any(|e| self.takes(&e.id))
    }

    fn takes(&self, id: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| is_within(id, wanted))
    }
}

pub async fn run(
    setup: Setup,
    dns: Arc<dyn Inspect>,
    options: &Options,
    now: Timestamp,
    progress: Arc<Progress>,
) -> Report {
    let q = Questions::new(dns, options.at_once, options.deadline, progress);
    let mut groups: JoinSet<Vec<Finding>> = JoinSet::new();
    if options.wants(&["dns.resolver"]) {
        groups.spawn(servers::check_resolver(q.clone(), setup.clone()));
    }
    if options.wants(&["dns.authoritative", "dns.ttl"]) {
        groups.spawn(servers::check(q.clone(), setup.clone()));
    }
    if options.wants(&["bl"]) {
        groups.spawn(lists::check(q.clone(), setup.clone()));
    }
    for egress in &setup.egresses {
        if options.wants(&["ip", "name.ptr", "name.fcrdns", "name.helo", "name.a"]) {
            groups.spawn(names::check(q.clone(), egress.clone()));
        }
        if options.wants(&["name.helo.spf"]) {
            groups.spawn(spf::check_helo(q.clone(), egress.clone(), now));
        }
    }
    for sending in &setup.domains {
        if options.wants(&["name.from", "in"]) {
            groups.spawn(sender::check(q.clone(), sending.clone()));
        }
        if options.wants(&["spf"]) {
            groups.spawn(spf::check(q.clone(), sending.clone(), setup.egresses.clone(), now));
        }
        if options.wants(&["dkim"]) {
            groups.spawn(dkim::check(q.clone(), sending.clone(), now));
        }
        if options.wants(&["dmarc"]) {
            groups.spawn(dmarc::check(q.clone(), sending.clone()));
        }
    }
    let mut findings: Vec<Finding> = groups.join_all().await.into_iter().flatten().collect();
    findings.retain(|finding| options.takes(finding.id));
    findings.sort_by(|a, b| (place(a.id), &a.about).cmp(&(place(b.id), &b.about)));
    findings.dedup();
    Report::new(&setup, findings, now, options.only.is_empty())
}
