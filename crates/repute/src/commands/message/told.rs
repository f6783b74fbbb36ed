//! What was found out about a message, for people and for programs.

use repute_audit::{Arrival, Sight, rule_of};
use repute_trust::checks::{Finding, Outcome, Rule};
use repute_trust::receivers::{Decision, Receiver, Score, receivers, scores};
use serde_json::{Value, json};

use super::sent::Sent;
use crate::commands::check::{screen, with_catalogue};
use crate::out::{self, Tone};

pub struct Judged<'a> {
    pub arrival: &'a Arrival,
    pub sight: &'a Sight,
    pub sent: Option<&'a Sent>,
    /// The receiver that was asked for; otherwise all are told.
    pub to: Option<&'static Receiver>,
    /// Nothing was left out.
    pub whole: bool,
}

/// As `repute check` has them.
pub fn exit_code(sight: &Sight) -> u8 {
    let has = |outcome| sight.findings.iter().any(|f| f.outcome == outcome);
    match () {
        () if has(Outcome::Fail) => 2,
        () if has(Outcome::Unknown) => 3,
        () if has(Outcome::Warn) => 1,
        () => 0,
    }
}

/// What a receiver sees, as its rules take it.
fn decisions(arrival: &Arrival, sight: &Sight) -> Vec<(&'static Receiver, Decision)> {
    receivers().iter().map(|receiver| (receiver, receiver.decide(&sight.view(arrival)))).collect()
}

pub fn page(judged: &Judged<'_>, verbose: bool) -> String {
    let sight = judged.sight;
    let mut text = head(judged);
    for rule in Rule::ALL {
        let of: Vec<&Finding> = sight.findings.iter().filter(|f| rule_of(f) == rule).collect();
        if !of.is_empty() {
            text += &screen::block(rule, &of, &of, verbose);
        }
    }
    if judged.whole {
        text += &points(&scores(&sight.signs, &sight.generic));
        text += &takes(judged);
    }
    text
}

fn head(judged: &Judged<'_>) -> String {
    let sight = judged.sight;
    let from = sight.message.from.as_ref().map_or("nobody that can be read".to_owned(), ToString::to_string);
    let left = match &judged.arrival.connection {
        Some(c) => format!("A message from {from}, by {} as {}", c.ip, out::plain(&c.helo)),
        None => format!("A message from {from}"),
    };
    let bulk = if sight.message.bulk { ", to many" } else { "" };
    let most = if sight.at_most { " at most" } else { "" };
    let trust = if judged.whole { format!("   trust {}/100{most}", sight.trust) } else { String::new() };
    let mut text = format!("{}{bulk}{trust}\n", out::tone(&left, Tone::Strong));
    if let Some(sent) = judged.sent {
        text += &match sent.changed.is_empty() {
            true => "  as Repute sends it, which changes nothing\n".to_owned(),
            false => format!("  as Repute sends it: {}\n", sent.changed.join(", ")),
        };
    }
    text.push('\n');
    text
}

/// What the two filters count, and for what.
pub fn points(scores: &[Score]) -> String {
    let line = |score: &Score| format!("  {}\n", out::plain(&score.to_string()));
    format!("\n{}", scores.iter().map(line).collect::<String>())
}

fn takes(judged: &Judged<'_>) -> String {
    let mut text = "\n".to_owned();
    for (receiver, decision) in decisions(judged.arrival, judged.sight) {
        if judged.to.is_none_or(|to| to.key == receiver.key) {
            text += &decided(&receiver.name, &decision);
        }
    }
    if judged.arrival.connection.is_none() {
        text += "  By the message alone; --ip and --helo say where it leaves from, --as-sent takes those of Repute.\n";
    }
    text
}

/// A line for what a receiver does, and its words where it refuses.
pub fn decided(name: &str, decision: &Decision) -> String {
    match decision {
        Decision::Inbox => format!("  {name:<15} {} inbox\n", out::tone("✓", Tone::Good)),
        Decision::Junk { because, check } => {
            format!("  {name:<15} {} junk     {because} ({check})\n", out::tone("!", Tone::Warning))
        }
        Decision::Refused { reply, check } => {
            format!("  {name:<15} {} refuses  ({check})\n{:20}{}\n", out::tone("✗", Tone::Bad), "", out::plain(reply))
        }
    }
}

pub fn json(judged: &Judged<'_>) -> anyhow::Result<Value> {
    let sight = judged.sight;
    let mut value = seen(judged.arrival, sight)?;
    value["exit_code"] = exit_code(sight).into();
    value["whole"] = judged.whole.into();
    value["changed"] = json!(judged.sent.map(|sent| &sent.changed));
    if let (Some(to), Some(list)) = (judged.to, value["receivers"].as_array_mut()) {
        list.retain(|one| one["key"] == to.key.as_str());
    }
    Ok(value)
}

/// The same words for a message that is checked and for one that came.
pub fn seen(arrival: &Arrival, sight: &Sight) -> anyhow::Result<Value> {
    let mut findings = serde_json::to_value(&sight.findings)?;
    with_catalogue(&mut findings);
    let decided = decisions(arrival, sight).into_iter().map(|(receiver, decision)| {
        let reply = match &decision {
            Decision::Refused { reply, .. } => Some(reply.clone()),
            _ => None,
        };
        let because = match &decision {
            Decision::Junk { because, .. } => Some(because.clone()),
            _ => None,
        };
        json!({ "receiver": receiver.name, "key": receiver.key, "decision": decision.as_str(),
                "check": decision.check(), "reply": reply, "because": because })
    });
    let signatures = sight.signatures.iter().map(|s| {
        let written = s.written.as_ref();
        json!({ "domain": written.map(|w| w.domain.as_str()), "selector": written.map(|w| w.selector.as_str()),
                "algorithm": written.map(|w| w.algorithm.as_str()), "verdict": format!("{:?}", s.verdict) })
    });
    Ok(json!({
        "from": sight.message.from.as_ref().map(ToString::to_string),
        "mail_from": arrival.mail_from,
        "ip": arrival.connection.as_ref().map(|c| c.ip),
        "helo": arrival.connection.as_ref().map(|c| c.helo.as_str()),
        "tls": arrival.connection.as_ref().map(|c| c.tls),
        "bulk": sight.message.bulk,
        "trust": sight.trust,
        "at_most": sight.at_most,
        "signs": sight.signs,
        "ptr": sight.ptr,
        "spf": sight.spf.as_ref().map(|report| report.to_string()),
        "signatures": signatures.collect::<Vec<_>>(),
        "links": sight.message.links.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "points": scores(&sight.signs, &sight.generic),
        "receivers": decided.collect::<Vec<_>>(),
        "findings": findings,
    }))
}
