//! What a domain itself asks of the way to it, added to its route: validated MX records let DANE be
//! asked for (RFC 7672 §2.2.1), and an MTA-STS policy that is in force names the hosts (RFC 8461 §4).
//!
//! Promise: domains that ask for different things never share a site, so that no session that was
//! opened for one carries mail of another that asks for more.

use std::sync::Arc;

use repute_dns::Resolver;
use repute_trust::sts::{Mode, Policy};
use repute_types::{Culprit, Domain, EnhancedCode, Outcome, Stage, Verdict};

use crate::tally::{Flaw, Seen};
use crate::{DeliverySettings, HostName, MxHost, Route};

/// The policy of a domain that is in force.
pub(crate) async fn policy(
    domain: &Domain,
    settings: &DeliverySettings,
    resolver: &dyn Resolver,
) -> Option<Arc<Policy>> {
    let policy = settings.policies.as_ref()?.in_effect(domain, resolver).await?;
    (policy.mode == Mode::Enforce).then_some(policy)
}

/// The route with what its domain asks for. `Err` where its hosts are none of those that the policy
/// names, and nothing else vouches for them.
pub(crate) async fn secured(
    mut route: Route,
    domain: &Domain,
    policy: Option<Arc<Policy>>,
    settings: &DeliverySettings,
    resolver: &dyn Resolver,
) -> Result<Route, Outcome> {
    route.dane = settings.dane && route.authentic;
    route.counted = true;
    route.policy = policy;
    if none_is_named(&route)
        && let Some(policies) = &settings.policies
    {
        // Hosts may have moved, and the policy with them (RFC 8461 §5.1).
        policies.look_again(domain, resolver).await;
        route.policy = self::policy(domain, settings, resolver).await;
    }
    if none_is_named(&route) && !route.dane {
        if let (Some(tally), Some(host)) = (&settings.tally, route.hosts.first()) {
            let seen = Seen::unspoken(&host.name, None, Flaw::unnamed(&host.name));
            seen.count_for(domain, tally, settings.policies.as_deref());
        }
        return Err(elsewhere(&route, domain));
    }
    route.site = format!("{}{}", route.site, mark(&route)).into();
    Ok(route)
}

fn none_is_named(route: &Route) -> bool {
    route.policy.as_ref().is_some_and(|policy| !route.hosts.iter().any(|host| is_named(policy, host)))
}

fn is_named(policy: &Policy, host: &MxHost) -> bool {
    matches!(&host.name, HostName::Name(name) if policy.names(name.as_str()))
}

/// What tells a site from others with the same hosts: `+dnssec`, `+sts`, and the hosts that a policy
/// does not name.
fn mark(route: &Route) -> String {
    let mut mark = String::new();
    if route.authentic {
        mark.push_str("+dnssec");
    }
    if let Some(policy) = &route.policy {
        let mut others: Vec<String> =
            route.hosts.iter().filter(|host| !is_named(policy, host)).map(|host| host.name.to_string()).collect();
        others.sort();
        mark.push_str("+sts");
        if !others.is_empty() {
            mark.push_str(&format!("-{}", others.join("-")));
        }
    }
    mark
}

fn elsewhere(route: &Route, domain: &Domain) -> Outcome {
    let hosts: Vec<String> = route.hosts.iter().map(|host| host.name.to_string()).collect();
    let named = route.policy.as_ref().map(|policy| policy.mx.join(", ")).unwrap_or_default();
    let text = format!(
        "the MTA-STS policy of {domain} names {named}, and its MX records lead to {}: nothing is sent there",
        hosts.join(", ")
    );
    Outcome::ours(Verdict::Deferred, Stage::Route, Culprit::Dns, EnhancedCode(4, 7, 10), text)
}
