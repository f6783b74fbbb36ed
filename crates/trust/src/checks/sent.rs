//! What became of the mail of the last day: who complained, what was dead, what waits, what went in
//! clear. All from our own history.

use std::net::IpAddr;

use repute_types::{Timestamp, shell};

use super::Finding;
use super::mailbox::{LATE, RENEW};
use super::words::{counted, listed};

/// Mail of one day to one receiver, by the end of the names of its hosts: `google.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receiver {
    pub name: String,
    /// Recipients.
    pub delivered: u64,
    /// Of them, over connections without TLS.
    pub clear: u64,
    /// Attempts that were put off.
    pub deferred: u64,
    /// Recipients that were refused for good.
    pub failed: u64,
    /// Of them, as unknown there.
    pub unknown_users: u64,
    /// The last reply that put mail off.
    pub reply: Option<String>,
    /// Recipients delivered to on an average day of the week before; 0 where there was none.
    pub usual: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Day {
    /// The largest first.
    pub receivers: Vec<Receiver>,
    /// Recipients who called our mail spam.
    pub complaints: u64,
    /// Addresses that were said to be unknown, and that mail was sent to again later.
    pub again: Vec<String>,
}

/// Fewer messages than these say nothing about a rate.
const ENOUGH: u64 = 100;

/// `Err` where the history cannot be read; why.
pub fn judge(day: &Result<Day, String>) -> Vec<Finding> {
    const IDS: [(&str, &str); 6] = [
        ("tls.out", "whether mail leaves over TLS"),
        ("rate.complaint", "how many recipients complain"),
        ("rate.bounce", "how many addresses are dead"),
        ("rate.volume", "whether volume grows slowly"),
        ("rate.suppress", "whether dead addresses get mail again"),
        ("infra.queue", "whether mail is put off"),
    ];
    match day {
        Err(why) => IDS.iter().map(|(id, what)| Finding::unknown(id, "sent", what, why)).collect(),
        Ok(day) => vec![tls(day), complaints(day), bounces(day), volume(day), again(day), deferred(day)],
    }
}

/// Thousandths.
fn share(part: u64, of: u64) -> u64 {
    part.saturating_mul(1000).checked_div(of).unwrap_or(0)
}

fn percent(thousandths: u64) -> String {
    format!("{}.{} %", thousandths / 10, thousandths % 10)
}

fn total(day: &Day, of: fn(&Receiver) -> u64) -> u64 {
    day.receivers.iter().map(of).sum()
}

/// Gmail refuses mail without TLS (5.7.29); others count it.
fn tls(day: &Day) -> Finding {
    let (id, about) = ("tls.out", "sent");
    let (all, clear) = (total(day, |s| s.delivered), total(day, |s| s.clear));
    let Some(worst) = day.receivers.iter().filter(|s| s.clear > 0).max_by_key(|s| s.clear) else {
        return Finding::pass(
            id,
            about,
            match all {
                0 => "no mail was delivered within a day".to_owned(),
                n => format!("all {n} messages of the last day left over TLS"),
            },
        );
    };
    let verdict = format!(
        "{clear} of {all} messages of the last day left in clear, most of them to {} ({})",
        worst.name, worst.clear
    );
    let fix = "see the log for why TLS with these hosts breaks; where they offer none, nothing can be done";
    match day.receivers.iter().any(|s| s.clear > 0 && ["google.com", "googlemail.com"].contains(&s.name.as_str())) {
        true => Finding::fail(id, about, verdict).fix(fix),
        // Old hosts of others are no fault of ours.
        false => Finding::pass(id, about, verdict).fix(fix),
    }
}

/// Gmail and Yahoo draw their line at 0.3 %, and ask for less than 0.1 %.
fn complaints(day: &Day) -> Finding {
    let (id, about) = ("rate.complaint", "sent");
    let (all, rate) = (total(day, |s| s.delivered), share(day.complaints, total(day, |s| s.delivered)));
    let verdict = format!("{} of {all} recipients of the last day called it spam ({})", day.complaints, percent(rate));
    let fix = "find the campaign (repute why) and stop it; write only to those who asked for it";
    match rate {
        _ if all < ENOUGH && day.complaints < 2 => Finding::pass(id, about, verdict),
        0 => Finding::pass(id, about, verdict),
        1..3 => Finding::warn(id, about, verdict).fix(fix),
        _ => Finding::fail(id, about, verdict).fix(fix),
    }
}

fn bounces(day: &Day) -> Finding {
    let (id, about) = ("rate.bounce", "sent");
    let (dead, all) = (total(day, |s| s.unknown_users), total(day, |s| s.delivered + s.failed));
    let rate = share(dead, all);
    let verdict =
        format!("{dead} of {all} addresses of the last day were unknown to their receivers ({})", percent(rate));
    let fix = "stop the source of these addresses: its list is old, guessed or bought";
    match rate {
        _ if all < ENOUGH => Finding::pass(id, about, verdict),
        ..20 => Finding::pass(id, about, verdict),
        20..50 => Finding::warn(id, about, verdict).fix(fix),
        _ => Finding::fail(id, about, verdict).fix(fix),
    }
}

fn volume(day: &Day) -> Finding {
    let (id, about) = ("rate.volume", "sent");
    // What never got mail before is no growth yet; what is small surprises nobody.
    let grown = day.receivers.iter().filter(|s| s.delivered >= 1000 && s.delivered > 2 * s.usual.max(1));
    match grown.max_by_key(|s| s.delivered) {
        None => Finding::pass(id, about, "no receiver got much more mail within the last day than it is used to"),
        Some(receiver) => {
            let verdict = format!(
                "{} got {} messages within the last day, and {} on a day of the week before",
                receiver.name, receiver.delivered, receiver.usual
            );
            Finding::warn(id, about, verdict).fix("double no more than once a day, the most engaged recipients first")
        }
    }
}

fn again(day: &Day) -> Finding {
    let (id, about) = ("rate.suppress", "sent");
    match day.again.as_slice() {
        [] => Finding::pass(id, about, "no address that is known to be dead got mail again"),
        [first, others @ ..] => {
            let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
            Finding::fail(
                id,
                about,
                format!("mail was sent again to {first}{more}, after their receivers said that they do not exist"),
            )
            .fix("take them out of the list that they come from; receivers count such mail as spam")
        }
    }
}

fn deferred(day: &Day) -> Finding {
    let (id, about) = ("infra.queue", "sent");
    let attempts = |s: &Receiver| s.delivered + s.failed + s.deferred;
    let rate = |s: &Receiver| share(s.deferred, attempts(s));
    let slow = day.receivers.iter().filter(|s| attempts(s) >= 20 && rate(s) >= 300).max_by_key(|s| s.deferred);
    match slow {
        None => Finding::pass(id, about, "no receiver puts much of our mail off"),
        Some(receiver) => {
            let said = receiver.reply.as_deref().map_or(String::new(), |reply| format!("; the last reply: {reply}"));
            Finding::warn(
                id,
                about,
                format!("{} puts off {} of the attempts of the last day{said}", receiver.name, percent(rate(receiver))),
            )
            .fix(match &receiver.reply {
                Some(reply) => format!("repute explain {}", shell::Word(reply)),
                None => "see what waits, and why: repute queue list".to_owned(),
            })
        }
    }
}

/// The certificate with which our listeners answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnCertificate {
    pub from: Timestamp,
    pub until: Timestamp,
    /// For what clients turn away from it beside its dates, and the cure.
    pub remark: Option<(String, String)>,
}

/// Whether clients that look at it take our certificate, and for how long. Where it ends within three days it fails, so
/// that the watch tells of it before clients do.
pub fn certificate(name: &str, found: &Result<OwnCertificate, String>, now: Timestamp) -> Finding {
    let (id, of) = ("infra.tlscert", format!("the certificate of {name}"));
    let found = match found {
        Err(why) => return Finding::unknown(id, name, format!("until when {of} is good"), why),
        Ok(found) => found,
    };
    let left = found.until.since(now);
    let days = left.as_secs() / 86_400;
    if found.from > now {
        Finding::fail(id, name, format!("{of} is not valid before {}: clients refuse to log in", found.from))
            .fix("see whether this machine's clock is right, or take the certificate of now")
    } else if left.is_zero() {
        Finding::fail(id, name, format!("{of} expired at {}: clients refuse to log in", found.until))
            .fix("renew it; the server takes it on by itself within a minute, or says why it does not")
    } else if left < LATE {
        Finding::fail(
            id,
            name,
            format!("{of} expires in {}: then clients refuse to log in", counted(left.as_secs() / 3600, "hour")),
        )
        .fix("renew it now, and see why that is not done by itself")
    } else if let Some((what, cure)) = &found.remark {
        Finding::warn(id, name, format!("{of} is good for {days} days, and yet: {what}")).fix(cure)
    } else if left < RENEW {
        Finding::warn(id, name, format!("{of} is good for {days} days")).fix("see why it was not renewed by itself")
    } else {
        Finding::pass(id, name, format!("{of} is good for {days} days"))
    }
}

/// What is missing for an IPv6 address to be sent from: the checks that fail for it.
pub fn v6_whole(ip: IpAddr, failing: &[&str], unknown: &[&str]) -> Finding {
    let id = "ip.v6.complete";
    let finding = match (failing, unknown) {
        ([], []) => Finding::pass(id, ip, format!("{ip} has all that an IPv4 address has")),
        ([], [_, ..]) => Finding::unknown(
            id,
            ip,
            format!("whether {ip} is set up whole"),
            &format!("{} {} not known", listed(unknown), if unknown.len() == 1 { "is" } else { "are" }),
        ),
        ([first, ..], _) => Finding::fail(
            id,
            ip,
            format!(
                "mail leaves from {ip} too, and it is not set up whole: {} {}, for which Gmail refuses IPv6",
                listed(failing),
                if failing.len() == 1 { "fails" } else { "fail" }
            ),
        )
        .fix(format!("put that right, or take {ip} out of [[egress]]: IPv4 alone reaches everybody"))
        .follows_any(first),
    };
    finding.for_address(ip)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::checks::Outcome;

    fn day(receivers: &[Receiver]) -> Day {
        Day { receivers: receivers.to_vec(), ..Day::default() }
    }

    fn receiver(name: &str, delivered: u64) -> Receiver {
        Receiver { name: name.into(), delivered, usual: delivered, ..Receiver::default() }
    }

    #[track_caller]
    fn check(day: &Day, wrong: &[(&str, Outcome)]) {
        let found = judge(&Ok(day.clone()));
        let bad: Vec<_> = found.iter().filter(|f| f.outcome != Outcome::Pass).map(|f| (f.id, f.outcome)).collect();
        assert_eq!(bad, wrong, "{found:#?}");
    }

    /// The receiver's words stood in double quotes, and a shell ran what they had in `$(...)`.
    #[test]
    fn a_command_that_is_copied_runs_nothing_of_a_reply() {
        let slow = Receiver { deferred: 50, reply: Some("421 4.7.0 $(reboot)".into()), ..receiver("a.example", 100) };
        let found = judge(&Ok(day(&[slow])));
        let fix = found.iter().find(|f| f.id == "infra.queue").and_then(|f| f.fix.as_ref());
        assert_eq!(fix.map(|fix| fix.advice.as_str()), Some("repute explain '421 4.7.0 $(reboot)'"));
    }

    #[test]
    fn a_day_is_judged() {
        check(&day(&[]), &[]);
        check(&day(&[receiver("google.com", 5000)]), &[]);
        check(&day(&[Receiver { clear: 1, ..receiver("google.com", 5000) }]), &[("tls.out", Outcome::Fail)]);
        check(&day(&[Receiver { clear: 1, ..receiver("old.example", 5000) }]), &[]);
        check(&Day { complaints: 10, ..day(&[receiver("a.example", 5000)]) }, &[("rate.complaint", Outcome::Warn)]);
        check(&Day { complaints: 15, ..day(&[receiver("a.example", 5000)]) }, &[("rate.complaint", Outcome::Fail)]);
        check(&Day { complaints: 1, ..day(&[receiver("a.example", 10)]) }, &[]);
        let dead = |n| day(&[Receiver { failed: n, unknown_users: n, ..receiver("a.example", 1000 - n) }]);
        check(&dead(10), &[]);
        check(&dead(30), &[("rate.bounce", Outcome::Warn)]);
        check(&dead(60), &[("rate.bounce", Outcome::Fail)]);
        check(&day(&[Receiver { usual: 400, ..receiver("google.com", 1000) }]), &[("rate.volume", Outcome::Warn)]);
        check(&Day { again: vec!["a@b.example".into()], ..day(&[]) }, &[("rate.suppress", Outcome::Fail)]);
        let slow = Receiver { deferred: 50, reply: Some("421 4.7.28 slow down".into()), ..receiver("google.com", 100) };
        check(&day(&[slow]), &[("infra.queue", Outcome::Warn)]);
        let unread = judge(&Err("no history".into()));
        assert!(unread.len() == 6 && unread.iter().all(|f| f.outcome == Outcome::Unknown));
    }

    #[test]
    fn what_ends_and_what_is_whole() {
        let now = Timestamp(1_000_000_000_000);
        let days = |n: u64| now + Duration::from_secs(n * 86_400);
        let outcome = |found| certificate("mail.example.com", &found, now).outcome;
        let good = OwnCertificate { from: Timestamp(0), until: days(90), remark: None };
        let until = |n| outcome(Ok(OwnCertificate { until: days(n), ..good.clone() }));
        assert_eq!([90, 5, 2, 0].map(until), [Outcome::Pass, Outcome::Warn, Outcome::Fail, Outcome::Fail]);
        // Both were told as good for 90 days.
        assert_eq!(outcome(Ok(OwnCertificate { from: days(1), ..good.clone() })), Outcome::Fail);
        let remark = Some(("it names another host".to_owned(), "take another".to_owned()));
        assert_eq!(outcome(Ok(OwnCertificate { remark, ..good })), Outcome::Warn);
        assert_eq!(outcome(Err("unread".into())), Outcome::Unknown);
        let ip: IpAddr = "2001:db8::1".parse().unwrap();
        assert_eq!(v6_whole(ip, &[], &[]).outcome, Outcome::Pass);
        assert_eq!(v6_whole(ip, &["name.ptr.exists"], &[]).outcome, Outcome::Fail);
        let says = |failing: &[&str]| v6_whole(ip, failing, &[]).verdict;
        assert!(says(&["name.ptr.exists"]).contains("whole: name.ptr.exists fails, for"));
        assert!(says(&["name.ptr.exists", "bl.ip6"]).contains("whole: name.ptr.exists and bl.ip6 fail, for"));
        assert_eq!(v6_whole(ip, &[], &["bl.ip6"]).outcome, Outcome::Unknown);
    }
}
