//! MTA-STS policies of the domains that mail goes to: kept in the ledger, and renewed while the works
//! run, so that none ends while its domain still announces it.

use std::sync::Arc;
use std::time::Duration;

use repute_delivery::sts::{Kept, POLICIES_MOST, Policies, PolicyHosts, PolicyStore};
use repute_dns::BoxFuture;
use repute_ledger::{KeptPolicies, KeptPolicy, LedgerError};
use repute_trust::sts::Policy;
use repute_types::event::{EventSink, Level};
use repute_types::{Clock, Domain, Event, EventKind};
use tokio::sync::watch;

use crate::Doors;
use crate::works::Works;

/// Between two looks for policies that are getting old.
const LOOK: Duration = Duration::from_secs(3600);

/// The policies, with those that were kept before a restart.
pub fn open(doors: &Doors, store: KeptPolicies, hosts: PolicyHosts) -> Result<Arc<Policies>, LedgerError> {
    let (clock, events) = (doors.clock.clone(), doors.events.clone());
    // What cannot be read any more is fetched again.
    let kept = store.load(clock.now(), POLICIES_MOST)?.into_iter().filter_map(read).collect();
    let ledger = Arc::new(Ledger { store, clock: clock.clone(), events });
    Ok(Arc::new(Policies::new(doors.network.clone(), clock, ledger, hosts, kept)))
}

fn read(row: KeptPolicy) -> Option<Kept> {
    let domain = Domain::parse(&row.domain).ok()?;
    let policy = Arc::new(Policy::parse(row.text.as_bytes()).ok()?);
    Some(Kept { domain, id: row.id, policy, fetched: row.fetched, expires: row.expires })
}

struct Ledger {
    store: KeptPolicies,
    clock: Arc<dyn Clock>,
    events: Arc<dyn EventSink>,
}

impl PolicyStore for Ledger {
    fn keep(&self, kept: Kept) -> BoxFuture<'_, ()> {
        let Kept { domain, id, policy, fetched, expires } = kept;
        let row = KeptPolicy { domain: domain.to_string(), id, text: policy.to_string(), fetched, expires };
        Box::pin(async move {
            if let Err(error) = self.store.keep(row).await {
                let text = format!("the MTA-STS policy of {domain} is in force, and a restart forgets it: {error}");
                let kind = EventKind::Note { level: Level::Error, what: "mta-sts", text };
                self.events.emit(Event { at: self.clock.now(), kind });
            }
        })
    }
}

/// Renews until `stop` turns true.
pub(crate) async fn run(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            changed = stop.changed() => if changed.is_err() { return } else { continue },
        }
        if let Some(policies) = &works.settings().delivery.policies {
            tokio::select! {
                _ = policies.refresh(&*works.doors.resolver) => {}
                _ = stop.changed() => {}
            }
        }
    }
}
