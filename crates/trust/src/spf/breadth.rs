//! How many addresses a record lets send. A record that permits half the net protects
//! nobody, and large receivers count that against the domain ("suspicious SPF entries").

use super::record::{Mechanism, Network, TermKind};
use super::survey::{Branch, Node, Tree};

/// What a record permits, overlaps counted once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Breadth {
    /// IPv4 addresses; 2^32 is all of them.
    pub v4: u64,
    /// IPv6 networks of /64, each counted whole if a part of it is permitted; 2^64 is all.
    pub v6_subnets: u128,
    /// Something is permitted that differs from message to message (`ptr`, `exists`, macros),
    /// and is not in the numbers.
    pub open: bool,
}

/// One permitted network, and the term of the surveyed record by which it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant<'a> {
    pub network: Network,
    /// The term of the surveyed domain's own record.
    pub through: &'a str,
    /// The domain in whose record the network is written.
    pub domain: &'a str,
}

impl Tree {
    /// Everything that is permitted and can be listed.
    pub fn grants(&self) -> Vec<Grant<'_>> {
        let mut grants = Vec::new();
        for branch in &self.root.branches {
            collect(branch, &branch.term.text, &self.root.domain, &mut grants);
        }
        grants
    }

    pub fn breadth(&self) -> Breadth {
        breadth_of(&self.root.branches)
    }
}

impl Branch {
    /// What this term alone permits.
    pub fn breadth(&self) -> Breadth {
        breadth_of(std::slice::from_ref(self))
    }
}

fn breadth_of(branches: &[Branch]) -> Breadth {
    let mut grants = Vec::new();
    for branch in branches {
        collect(branch, "", "", &mut grants);
    }
    let ranges = |v4: bool, shift: u32| {
        let family = grants.iter().filter(move |g| g.network.address.is_ipv4() == v4);
        family.map(move |g| g.network.range()).map(move |(a, b)| (a >> shift, b >> shift)).collect::<Vec<_>>()
    };
    let v4 = u64::try_from(total(ranges(true, 0))).unwrap_or(u64::MAX);
    Breadth { v4, v6_subnets: total(ranges(false, 64)), open: branches.iter().any(is_open) }
}

fn collect<'a>(branch: &'a Branch, through: &'a str, domain: &'a str, grants: &mut Vec<Grant<'a>>) {
    if !branch.permits() {
        return;
    }
    if matches!(branch.term.kind, TermKind::Directive(_, Mechanism::All)) {
        for everything in [[0u8; 4].into(), [0u8; 16].into()] {
            grants.push(Grant { network: Network { address: everything, prefix: 0 }, through, domain });
        }
    }
    grants.extend(branch.networks.iter().map(|network| Grant { network: *network, through, domain }));
    if let Some(Node { domain, branches, .. }) = branch.inner.as_deref() {
        for below in branches {
            collect(below, through, domain, grants);
        }
    }
}

fn is_open(branch: &Branch) -> bool {
    let below = branch.inner.iter().flat_map(|node| &node.branches);
    branch.permits() && (branch.open || below.into_iter().any(is_open))
}

/// How many numbers lie in at least one of the ranges.
fn total(mut ranges: Vec<(u128, u128)>) -> u128 {
    ranges.sort_unstable();
    let mut sum: u128 = 0;
    let mut next_free: u128 = 0;
    for (first, last) in ranges {
        let first = first.max(next_free);
        if first <= last {
            sum += last - first + 1;
            next_free = last + 1;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlaps_count_once() {
        assert_eq!(total(vec![(10, 19), (15, 24), (0, 3), (16, 17)]), 19);
        assert_eq!(total(vec![(0, u128::from(u64::MAX))]), 1 << 64);
        assert_eq!(total(vec![]), 0);
    }
}
