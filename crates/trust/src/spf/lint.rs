//! What there is to say about a domain's SPF record, from the survey of it.
//!
//! Each remark carries the id of its check, says in one sentence what was found, and in
//! another what to do. Promise: what DNS did not tell is `Unknown`, never a pass or a fail;
//! a record without remarks has none of the faults that are looked for here.

use super::record::{Mechanism, Qualifier, TermKind};
use super::survey::{Branch, Node, State, Tree};
use crate::remark::{Level, Remark};

/// What the record is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Use {
    /// We send from IPv4, from IPv6.
    pub v4: bool,
    pub v6: bool,
    /// Whether the name servers answer over TCP; `None` where it was not tried.
    pub tcp: Option<bool>,
}

/// All remarks, the worst first.
pub fn lint(tree: &Tree, usage: Use) -> Vec<Remark> {
    let mut remarks = Vec::new();
    state(&tree.root, &mut remarks);
    if matches!(tree.root.state, State::Record(_) | State::Wrong(..)) {
        for node in tree.root.nodes() {
            terms(node, &mut remarks);
        }
        lookups(tree, &mut remarks);
        voids(tree, usage, &mut remarks);
        default(&tree.root, &mut remarks);
        breadth(tree, &mut remarks);
        size(&tree.root, usage, &mut remarks);
    }
    remarks.sort_by_key(|r| std::cmp::Reverse(r.level));
    remarks
}

/// That there is one record, and that it can be read.
fn state(root: &Node, remarks: &mut Vec<Remark>) {
    let domain = &root.domain;
    match &root.state {
        State::Record(_) | State::Loop => {}
        State::Unknown(why) => remarks.push(Remark::new(
            "spf.exists",
            Level::Unknown,
            format!("the TXT records of {domain} could not be found out ({why})"),
            "try again later, and see whether the name servers answer",
        )),
        State::NoRecord => remarks.push(Remark::new(
            "spf.exists",
            Level::Fail,
            format!("{domain} has no SPF record"),
            format!("publish one: {domain}. IN TXT \"v=spf1 ip4:<your address> -all\""),
        )),
        State::Several(texts) => remarks.push(Remark::new(
            "spf.exists",
            Level::Fail,
            format!("{domain} has {} SPF records, so receivers use none of them", texts.len()),
            "merge them into one, and delete the others",
        )),
        State::Wrong(_, errors) => remarks.extend(errors.iter().map(|error| {
            let found = format!("the SPF record of {domain} cannot be used: {error}");
            Remark::new("spf.syntax", Level::Fail, found, format!("correct or remove {}", error.term))
        })),
    }
}

/// What single terms do wrong, in the domain's own record and in those it leads to.
fn terms(node: &Node, remarks: &mut Vec<Remark>) {
    let domain = &node.domain;
    for branch in &node.branches {
        let term = &branch.term.text;
        if !branch.reached {
            remarks.push(Remark::new(
                "spf.syntax",
                Level::Warn,
                format!("{term} in the record of {domain} has no effect: all decides before it"),
                format!("remove {term}, or put it in front of all"),
            ));
            continue;
        }
        match &branch.term.kind {
            TermKind::Unknown { name, .. } => remarks.push(Remark::new(
                "spf.syntax",
                Level::Warn,
                format!("{term} in the record of {domain} is no modifier that receivers know"),
                format!("remove it, unless you know who reads {name}="),
            )),
            TermKind::Directive(_, Mechanism::Ptr(_)) => remarks.push(Remark::new(
                "spf.ptr",
                Level::Warn,
                format!("{term} in the record of {domain} is slow, unreliable, and not to be used (RFC 7208 §5.5)"),
                "name the addresses with ip4: and ip6: instead",
            )),
            TermKind::Directive(_, Mechanism::Mx(..)) if branch.mx_hosts > 10 => remarks.push(Remark::new(
                "spf.mx10",
                Level::Fail,
                format!("{term} in the record of {domain} leads to {} hosts, and 10 are allowed", branch.mx_hosts),
                format!("replace {term} by ip4: and ip6: terms"),
            )),
            _ => {}
        }
        behind(node, branch, remarks);
    }
}

/// The record that an include or a redirect leads to.
fn behind(node: &Node, branch: &Branch, remarks: &mut Vec<Remark>) {
    let (term, domain) = (&branch.term.text, &node.domain);
    let mut say = |level, found: String, fix: String| remarks.push(Remark::new("spf.syntax", level, found, fix));
    for (query, why) in &branch.unknown {
        say(Level::Unknown, format!("{query} could not be found out ({why})"), "try again later".into());
    }
    let Some(inner) = branch.inner.as_deref() else { return };
    let target = &inner.domain;
    match &inner.state {
        State::Record(_) => {}
        State::NoRecord => say(
            Level::Fail,
            format!("{term} in the record of {domain} leads to a name without SPF record: an error at receivers"),
            format!("remove {term}, or correct the name"),
        ),
        State::Several(_) => say(
            Level::Fail,
            format!("{target}, to which {domain} leads, has several SPF records: an error at receivers"),
            format!("ask those who run {target} to merge them, or remove {term}"),
        ),
        State::Wrong(_, errors) => say(
            Level::Fail,
            format!("the record of {target}, to which {domain} leads, cannot be used: {}", join(errors)),
            format!("ask those who run {target} to correct it, or remove {term}"),
        ),
        State::Loop => say(
            Level::Fail,
            format!("{term} in the record of {domain} leads back to {target}: receivers give up"),
            format!("remove {term}"),
        ),
        State::Unknown(why) => say(
            Level::Unknown,
            format!("the record of {target}, to which {domain} leads, could not be found out ({why})"),
            "try again later".into(),
        ),
    }
}

fn join(errors: &[super::RecordError]) -> String {
    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// §4.6.4: ten; from nine on one change at somebody else's is enough to break it.
fn lookups(tree: &Tree, remarks: &mut Vec<Remark>) {
    let count = tree.root.lookups();
    let level = match count {
        0..=8 => return,
        9 | 10 => Level::Warn,
        _ => Level::Fail,
    };
    let biggest = tree.root.branches.iter().filter(|b| b.reached).max_by_key(|b| b.lookups);
    let (term, share) = biggest.map_or(("", 0), |b| (b.term.text.as_str(), b.lookups));
    let effect = if level == Level::Fail { ": receivers that count give up with permerror" } else { "" };
    let at_least = if tree.cut_short { "at least " } else { "" };
    remarks.push(Remark::new(
        "spf.lookups",
        level,
        format!("{at_least}{count} of 10 DNS look-ups are used, {share} of them by {term}{effect}"),
        format!("replace {term} by ip4: and ip6: terms, or send what it is for from a subdomain"),
    ));
}

/// §4.6.4: two look-ups may find nothing.
fn voids(tree: &Tree, usage: Use, remarks: &mut Vec<Remark>) {
    let voids = tree.root.voids();
    let count = u32::max(if usage.v4 { voids.v4 } else { 0 }, if usage.v6 { voids.v6 } else { 0 });
    let level = match count {
        0 | 1 => return,
        2 => Level::Warn,
        _ => Level::Fail,
    };
    let mut names: Vec<String> = Vec::new();
    for node in tree.root.nodes() {
        for branch in node.branches.iter().filter(|b| b.reached) {
            names.extend(branch.dead.iter().map(|query| format!("{query} ({})", branch.term.text)));
        }
    }
    names.dedup();
    remarks.push(Remark::new(
        "spf.void",
        level,
        format!("{count} look-ups find nothing, and 2 may: {}", names.join(", ")),
        "remove the terms whose names do not exist any more",
    ));
}

/// What becomes of addresses that nothing permits.
fn default(root: &Node, remarks: &mut Vec<Remark>) {
    let everything = root.branches.iter().any(|b| b.permits() && b.breadth().v4 >= 1 << 32);
    let mut say = |level, found: String, fix: &str| remarks.push(Remark::new("spf.all", level, found, fix));
    let domain = &root.domain;
    match root.default() {
        _ if everything => say(
            Level::Fail,
            format!("the record of {domain} lets every address send: anyone may send as you"),
            "end it with -all, or with ~all while you collect DMARC reports, and remove what permits everything",
        ),
        Some(Qualifier::Neutral) => say(
            Level::Warn,
            format!("the record of {domain} ends in ?all, which says nothing about strangers"),
            "end it with -all, or with ~all while you collect DMARC reports",
        ),
        None => say(
            Level::Warn,
            format!("the record of {domain} does not end in all, so strangers get a neutral result"),
            "end it with -all, or with ~all while you collect DMARC reports",
        ),
        Some(_) => {}
    }
}

/// Networks wider than an organisation of one's own needs: /16 and /32 by IPv6.
fn breadth(tree: &Tree, remarks: &mut Vec<Remark>) {
    let grants = tree.grants();
    let is_wide = |prefix: u8, v4: bool| prefix < if v4 { 16 } else { 32 };
    let mut wide: Vec<String> = grants
        .iter()
        .filter(|g| g.network.prefix > 0 && is_wide(g.network.prefix, g.network.address.is_ipv4()))
        .map(|g| match g.through == g.network.to_string() {
            true => g.network.to_string(),
            false => format!("{} (by {})", g.network, g.through),
        })
        .collect();
    wide.dedup();
    if wide.is_empty() {
        return;
    }
    let total = tree.breadth().v4;
    remarks.push(Remark::new(
        "spf.breadth",
        Level::Warn,
        format!("the record lets {total} IPv4 addresses send, some by very wide networks: {}", wide.join(", ")),
        "permit only the addresses that send for you; large receivers call the rest suspicious entries",
    ));
}

/// An answer over UDP without EDNS holds 512 octets; resolvers then ask again over TCP.
fn size(root: &Node, usage: Use, remarks: &mut Vec<Remark>) {
    let (State::Record(record) | State::Wrong(record, _)) = &root.state else { return };
    let (octets, answer) = (record.text.len(), root.answer_octets);
    let level = match usage.tcp {
        Some(false) if answer > 512 => Level::Fail,
        _ if octets > 450 || answer > 512 => Level::Warn,
        _ => return,
    };
    let effect = if level == Level::Fail { ", and your name servers do not answer over TCP" } else { "" };
    remarks.push(Remark::new(
        "spf.size",
        level,
        format!("the record has {octets} octets, all TXT records of {} about {answer}{effect}", root.domain),
        "shorten the record below 450 octets, and move other TXT records to names of their own",
    ));
}
