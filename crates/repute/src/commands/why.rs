//! `repute why ID|ADDRESS|@DOMAIN|from:ADDRESS`: what became of a message, or of mail to somebody, to a domain or from a
//! sender, step by step, and what is tried next. Works without a running server too.

use std::collections::HashMap;

use repute_engine::control::About;
use repute_ledger::{Cause, Step, StepKind};
use repute_trust::replies::{Class, Rules};
use repute_types::{Clock as _, MessageId, SystemClock, Timestamp};
use serde::Deserialize;

use super::queue::{Row, when};
use crate::cli::{Context, Ended, Exit};
use crate::control::client;
use crate::control::wire::Request;
use crate::out::{self, Tone};

#[derive(clap::Args)]
pub struct Args {
    /// A message's id, its Message-ID in <brackets>, a recipient's address, @DOMAIN for everybody there, or
    /// from:ADDRESS for a sender
    about: String,
    /// At most so many steps
    #[arg(long, default_value_t = 200)]
    limit: usize,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    About::parse(&args.about).map_err(|wrong| Ended::usage(wrong.to_string()))?;
    let config = context.load_to_look()?;
    let answer = match client::connect(&config.state)? {
        Some(stream) => client::ask_over(stream, &Request::WhyV1 { about: args.about.clone(), limit: args.limit })?,
        None => super::stores::why(&config, &args.about, args.limit)?,
    };
    let steps = Vec::<Step>::deserialize(&answer["steps"])?;
    let queued = Vec::<Row>::deserialize(&answer["queued"])?;
    let known = !steps.is_empty() || !queued.is_empty();
    if context.json {
        out::json(&answer);
    } else if known {
        out::print(&page(&steps, &queued, SystemClock.now()));
    } else {
        out::line(&format!(
            "nothing is known of {}: the history goes back {}",
            args.about,
            out::short(config.history_keep)
        ));
    }
    if !context.json && answer["behind"] == true {
        out::line("the history cannot be written now: the last steps may be missing (`repute incidents`)");
    }
    Ok(if known { Exit::Done } else { Exit::Problem })
}

/// Message by message in the order of their ids, which is that of their times.
fn page(steps: &[Step], queued: &[Row], now: Timestamp) -> String {
    let mut ids: Vec<MessageId> = steps.iter().filter_map(|s| s.message).collect();
    ids.extend(queued.iter().filter_map(|r| r.id.parse::<MessageId>().ok()));
    ids.sort();
    ids.dedup();
    let mut text = String::new();
    for id in ids {
        if !text.is_empty() {
            text.push('\n');
        }
        let age = out::relative(id.time(), now);
        text += &format!("{}  {}\n", out::tone(&id.to_string(), Tone::Strong), out::tone(&age, Tone::Faint));
        // A recipient that is put off for days with one answer has its cause told once.
        let mut told = HashMap::new();
        for step in steps.iter().filter(|s| s.message == Some(id)) {
            text += &step_line(step);
            if let StepKind::Settled(settled) = &step.kind {
                let before = told.insert(&settled.recipient, &settled.cause);
                if let Some(cause) = &settled.cause
                    && before != Some(&settled.cause)
                {
                    text += &cause_lines(cause);
                }
            }
        }
        for row in queued.iter().filter(|r| r.id == id.to_string()) {
            text += &queued_lines(row, now);
        }
    }
    text
}

fn step_line(step: &Step) -> String {
    let said = out::plain(&step.kind.to_string());
    let tone = match &step.kind {
        StepKind::Settled(settled) => match settled.verdict.as_str() {
            "delivered" => Some(Tone::Good),
            "deferred" => Some(Tone::Warning),
            _ => Some(Tone::Bad),
        },
        StepKind::Held { .. } => Some(Tone::Warning),
        _ => None,
    };
    let said = tone.map_or(said.clone(), |tone| out::tone(&said, tone));
    format!("  {}  {said}\n", step.at)
}

/// What the reply meant and what to do, by the rules of today; where these no longer have the
/// rule, by its class.
fn cause_lines(cause: &Cause) -> String {
    let rule = Rules::shipped().rules().iter().find(|rule| rule.id == cause.rule);
    let class = Class::ALL.into_iter().find(|class| class.as_str() == cause.class);
    let (why, advice, who) = match (rule, class) {
        (Some(rule), _) => (rule.cause.as_str(), rule.advice.as_str(), rule.fault.who()),
        (None, Some(class)) => (class.cause(), class.advice(), class.fault().who()),
        (None, None) => return format!("    cause  {} ({})\n", cause.class, cause.rule),
    };
    let named = out::tone(&format!("({}, rule {})", cause.class, cause.rule), Tone::Faint);
    format!("    cause  {why} Whose fault: {who}. {named}\n    do     {advice}\n")
}

fn queued_lines(row: &Row, now: Timestamp) -> String {
    let names: Vec<&str> = row.recipients.iter().map(|r| r.address.as_str()).collect();
    let mut line = format!("  now: {} for {}", row.state, names.join(", "));
    if let Some(next) = &row.next {
        line += &format!(", next attempt {}", when(next, now));
    }
    if let Some(reason) = &row.reason {
        line += &format!(": {}", out::plain(reason));
    }
    line += &format!("; given up {}\n", when(&row.expires, now));
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_by_its_rule_or_by_its_class() {
        let check = |rule: &str, class: &str, expected: &str| {
            let cause = Cause { rule: rule.into(), class: class.into(), fault: "address".into() };
            assert_eq!(cause_lines(&cause), expected);
        };
        check(
            "google.ptr",
            "reverse-dns",
            "    cause  Gmail found no PTR record for the sending address, or the PTR's name does not lead back to it. \
             Whose fault: our sending address. (reverse-dns, rule google.ptr)\n    \
             do     Set the PTR record to the EHLO name at your hoster, and A or AAAA of that name to the address.\n",
        );
        check(
            "google.rule-of-last-year",
            "full-mailbox",
            "    cause  The mailbox is full. Whose fault: the recipient. (full-mailbox, rule google.rule-of-last-year)\n    \
             do     Nothing to do here: it is tried again, and may be empty in some days.\n",
        );
        check("a.b", "of-last-year", "    cause  of-last-year (a.b)\n");
    }

    #[test]
    fn one_answer_for_days_has_its_cause_told_once() {
        let at = Timestamp(1_795_485_950_120);
        let step = |reply: &str, rule: &str, class: &str| -> Step {
            serde_json::from_value(serde_json::json!({
                "at": at, "message": MessageId::first_at(at), "step": "settled", "part": 0,
                "recipient": "bob@example.net", "verdict": "deferred", "attempt": 1, "stage": "rcpt",
                "culprit": "receiver", "status": "4.2.2", "reply": reply, "age": 1000,
                "cause": { "rule": rule, "class": class, "fault": "recipient" },
            }))
            .unwrap()
        };
        let full = || step("452 4.2.2 over quota", "google.full", "full-mailbox");
        let rate = step("421 4.7.28 unusual rate of mail", "google.rate", "rate");
        let text = page(&[full(), full(), rate, full()], &[], at);
        let lines: Vec<&str> = text.lines().skip(1).map(|l| l.trim_start().split(' ').next().unwrap()).collect();
        let time = at.to_string();
        assert_eq!(lines, [&time, "cause", "do", &time, &time, "cause", "do", &time, "cause", "do"], "{text}");
    }
}
