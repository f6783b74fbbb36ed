//! What an operator may ask of the server itself: what it sends as and from where, and what became
//! of one account's mail.

use std::collections::HashSet;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use repute_ledger::{StepKind, Suppressions};
use repute_trust::records;
use repute_trust::setup::{Egress, Setup};
use repute_types::Domain;

use super::{Control, ControlError, QueueList, QueueRow, Selector, Why};
use crate::permit::board;

/// A domain that mail is sent as.
#[derive(Clone, Debug)]
pub struct DomainRow {
    pub name: Domain,
    /// It has a key, or does without.
    pub usable: bool,
    pub return_path: Option<Domain>,
    /// What has to be in DNS for it, and for the hosts that it is sent from.
    pub records: Vec<DomainRecord>,
}

/// One record as a zone file has it.
#[derive(Clone, Debug)]
pub struct DomainRecord {
    pub name: Domain,
    pub kind: String,
    pub value: String,
    pub purpose: &'static str,
}

/// An address that mail leaves from.
#[derive(Clone, Debug)]
pub struct EgressRow {
    pub ehlo: Domain,
    pub v4: Option<Ipv4Addr>,
    pub v6: Option<Ipv6Addr>,
}

impl Control {
    /// The domains of the configuration, each with the records that it needs.
    pub fn domains(&self) -> Vec<DomainRow> {
        let settings = self.works.settings();
        let egress =
            |e: &Arc<repute_delivery::Egress>| Egress { ehlo: e.ehlo.clone(), addresses: e.addresses().collect() };
        let all: Vec<_> = settings.egresses.iter().map(egress).collect();
        let row = |domain: &crate::config::SendingDomain| {
            let places = domain.pool.as_ref();
            let pool: Option<Vec<_>> = places.map(|p| p.iter().filter_map(|p| all.get(usize::from(*p))).collect());
            // The hosts that it is sent from, each with all of its addresses; others may be another account's.
            let is_its_host =
                |e: &&Egress| pool.as_ref().is_none_or(|pool| pool.iter().any(|of_pool| of_pool.ehlo == e.ehlo));
            let egresses = all.iter().filter(is_its_host).cloned().collect();
            let addresses = |pool: Vec<&Egress>| pool.iter().flat_map(|e| e.addresses.clone()).collect();
            let sending = board::sending(domain, pool.clone().map(addresses));
            let setup = Setup { hostname: settings.hostname.clone(), egresses, domains: vec![sending] };
            DomainRow {
                name: domain.name.clone(),
                usable: domain.is_usable(),
                return_path: domain.return_path.clone(),
                records: records::wanted(&setup).iter().flat_map(rows).collect(),
            }
        };
        settings.domains.iter().map(row).collect()
    }

    /// The addresses of the configuration; none where the operating system chooses.
    pub fn egresses(&self) -> Vec<EgressRow> {
        self.egresses_where(|_| true)
    }

    /// Those that mail of one of these domains may leave from.
    pub fn egresses_of(&self, domains: &[Domain]) -> Vec<EgressRow> {
        let settings = self.works.settings();
        let ours: Vec<_> = domains.iter().filter_map(|name| settings.domain(name)).collect();
        self.egresses_where(|place| {
            ours.iter()
                .any(|domain| domain.pool.as_ref().is_none_or(|pool| pool.iter().any(|p| usize::from(*p) == place)))
        })
    }

    fn egresses_where(&self, is_meant: impl Fn(usize) -> bool) -> Vec<EgressRow> {
        let settings = self.works.settings();
        let row = |e: &Arc<repute_delivery::Egress>| EgressRow { ehlo: e.ehlo.clone(), v4: e.v4, v6: e.v6 };
        let meant = settings.egresses.iter().enumerate().filter(|(place, _)| is_meant(*place));
        meant.map(|(_, egress)| row(egress)).collect()
    }

    /// Who is not written to, where that is kept.
    pub fn suppression_store(&self) -> Option<Arc<Suppressions>> {
        self.works.doors.suppressions.clone()
    }

    /// As [`Control::list`], of one account's mail alone where one is named: its rows say nothing of others' mail.
    pub async fn list_for(
        &self,
        account: Option<&str>,
        selector: Selector,
        limit: usize,
    ) -> Result<QueueList, ControlError> {
        let selector = Selector { account: account.map(str::to_owned), ..selector };
        let mut list = self.list(&selector, limit).await?;
        if account.is_some() {
            list.rows.iter_mut().for_each(QueueRow::leave_others_out);
        }
        Ok(list)
    }

    /// As [`Control::why`], of one account's mail alone. A message whose acceptance is not known
    /// any more is nobody's.
    pub async fn why_for(&self, account: Option<&str>, about: &str, limit: usize) -> Result<Why, ControlError> {
        let mut why = self.why(about, limit).await?;
        let Some(account) = account else { return Ok(why) };
        why.queued.retain(|row| row.account.as_deref() == Some(account));
        why.queued.iter_mut().for_each(QueueRow::leave_others_out);
        let mut mine: HashSet<_> = why.queued.iter().map(|row| row.id).collect();
        mine.extend(why.steps.iter().filter_map(|step| match &step.kind {
            StepKind::Accepted { account: Some(of), .. } if of == account => step.message,
            _ => None,
        }));
        why.steps.retain(|step| step.message.is_some_and(|id| mine.contains(&id)));
        Ok(why)
    }
}

impl QueueRow {
    /// A rate is shared by the mail of all accounts: how much of theirs waits is nobody else's matter.
    fn leave_others_out(&mut self) {
        if self.is_paced {
            self.reason = Some("its site is sent to at a rate, and its turn has not come".to_owned());
        }
    }
}

fn rows(wanted: &records::Wanted) -> Vec<DomainRecord> {
    let row = |data: records::Data| DomainRecord {
        name: wanted.name.clone(),
        kind: wanted.kind().to_string(),
        value: data.to_string(),
        purpose: wanted.purpose.as_str(),
    };
    wanted.fresh().into_iter().map(row).collect()
}
