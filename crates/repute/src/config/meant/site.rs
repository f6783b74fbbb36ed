//! How fast mail goes to sites.

use repute_delivery::HostName;
use repute_engine::SiteRule;
use toml::Spanned;

use super::{Checking, route, typed};

/// The first rule that is for a site holds: one that never could is a fault.
pub fn check(c: &mut Checking, typed: Vec<Spanned<typed::Site>>) -> Vec<SiteRule> {
    let mut rules: Vec<SiteRule> = Vec::new();
    for one in typed {
        let header = one.span();
        let one = one.into_inner();
        if rules.last().is_some_and(|rule| rule.hosts.is_empty()) {
            let cure = "put the [[site]] without `hosts` last: the first that is for a site holds";
            c.fault(header.clone(), "this [[site]] comes behind one that is for every site", cure);
        }
        let mut hosts: Vec<HostName> = Vec::new();
        for written in &one.hosts {
            let Some(host) = route::host(c, written) else { continue };
            if hosts.contains(&host) || rules.iter().any(|rule| rule.hosts.contains(&host)) {
                c.fault(written.span(), format!("{host} has a rate already"), "name each host in one [[site]]");
            }
            hosts.push(host);
        }
        // Of names that are none something was said already; without them it would be for every site.
        if hosts.len() == one.hosts.len() {
            rules.push(SiteRule { hosts, rate: one.rate.0 });
        }
    }
    rules
}
