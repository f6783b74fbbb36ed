//! `repute reports read FILE`: what a report, notice or complaint says, as the server would read it.

use std::io::Read as _;
use std::path::Path;

use repute_feedback::{Aggregate, Comeback, Complaint, Letter, Original, Report, Reported};
use serde_json::{Value, json};

use crate::cli::{Context, Ended, Exit};
use crate::out;

/// More than any mail server takes.
const MOST: u64 = 64 << 20;

pub fn run(file: &Path, context: &Context) -> anyhow::Result<Exit> {
    let mut octets = Vec::new();
    let read = match file.to_str() {
        Some("-") => std::io::stdin().lock().take(MOST).read_to_end(&mut octets),
        _ => std::fs::File::open(file).and_then(|file| file.take(MOST).read_to_end(&mut octets)),
    };
    read.map_err(|error| Ended::usage(format!("{} cannot be read: {error}", file.display())))?;
    let found = repute_feedback::read_file(&octets);
    if octets.trim_ascii().is_empty() || found.is_empty() {
        let nothing = format!("there is nothing in {}: name a file with a message or a report in it", file.display());
        return Err(Ended::usage(nothing));
    }
    match context.json {
        true => out::json(&all(&found)),
        false => out::print(&found.iter().map(text).collect::<Vec<_>>().join("\n")),
    }
    let is_unreadable = found.iter().any(|found| matches!(found, Comeback::Unreadable(_)));
    Ok(if is_unreadable { Exit::Problem } else { Exit::Done })
}

/// One as it is; of a file with several messages each, and whom they are about together.
fn all(found: &[Comeback]) -> Value {
    if let [one] = found {
        return value(one);
    }
    let reports =
        found.iter().filter_map(|found| if let Comeback::Report(report) = found { Some(report) } else { None });
    json!({
        "what": "mailbox",
        "messages": found.iter().map(value).collect::<Vec<_>>(),
        "recipients": reports.flat_map(|report| report.recipients.iter().map(recipient)).collect::<Vec<_>>(),
    })
}

fn value(found: &Comeback) -> Value {
    match found {
        Comeback::Report(report) => json!({
            "what": "report", "form": report.form, "reporter": report.reporter, "envelope": report.envelope,
            "recipients": report.recipients.iter().map(recipient).collect::<Vec<_>>(),
            "original": original(&report.original),
        }),
        Comeback::Complaint(complaint) => complained(complaint),
        Comeback::Unsubscribe(letter) => letter_value("unsubscribe", letter),
        Comeback::Challenge(letter) => letter_value("challenge", letter),
        Comeback::AutoReply(letter) => letter_value("auto-reply", letter),
        Comeback::Reply(letter) => letter_value("reply", letter),
        Comeback::DmarcReport(report) => json!({ "what": "dmarc-report", "report": report }),
        Comeback::TlsReport(report) => json!({ "what": "tls-report", "report": report }),
        Comeback::DmarcFailure(failure) => json!({
            "what": "dmarc-failure", "failure": failure.failure, "reporter": failure.reporter,
            "source": failure.source, "domains": failure.domains, "delivery": failure.delivery,
            "alignment": failure.alignment, "original": original(&failure.original),
        }),
        Comeback::Unreadable(unreadable) => json!({ "what": "unreadable", "why": unreadable.why }),
    }
}

fn recipient(r: &Reported) -> Value {
    json!({
        "address": r.address(),
        "last": r.last,
        "action": r.action.as_str(),
        "status": r.status.to_string(),
        "status_told": r.is_status_told,
        "reply": r.reply,
        "diagnostic": r.diagnostic,
        "remote": r.remote,
        "class": r.cause.map(|c| c.class.as_str()),
        "fault": r.cause.map(|c| c.fault.as_str()),
        "rule": r.cause.map(|c| c.rule),
        "hard": r.is_hard(),
    })
}

fn original(original: &Original) -> Value {
    json!({
        "message_id": original.message_id,
        "return_path": original.return_path,
        "from": original.field("from"),
        "to": original.field("to"),
        "subject": original.field("subject"),
    })
}

fn complained(complaint: &Complaint) -> Value {
    json!({
        "what": "complaint", "kind": complaint.kind, "reporter": complaint.reporter,
        "recipients": complaint.recipients, "return_path": complaint.return_path,
        "source": complaint.source, "domains": complaint.domains, "original": original(&complaint.original),
    })
}

fn letter_value(what: &str, letter: &Letter) -> Value {
    json!({ "what": what, "from": letter.from, "subject": letter.subject, "answers": letter.answers })
}

fn text(found: &Comeback) -> String {
    let or_none = |text: &Option<String>| out::plain(text.as_deref().unwrap_or("nobody named"));
    match found {
        Comeback::Report(report) => notice(report),
        Comeback::Complaint(c) => {
            let who = if c.recipients.is_empty() { "nobody named".to_owned() } else { c.recipients.join(", ") };
            format!(
                "complaint ({}) of {}, about mail to {}\n",
                out::plain(&c.kind),
                or_none(&c.reporter),
                out::plain(&who)
            )
        }
        Comeback::Unsubscribe(l) => format!("wish to leave, of {}\n", or_none(&l.from)),
        Comeback::Challenge(l) => format!("challenge of {}: not to be answered\n", or_none(&l.from)),
        Comeback::AutoReply(l) => format!("automatic answer of {}: {}\n", or_none(&l.from), out::plain(&l.subject)),
        Comeback::Reply(l) => format!("mail of {}: {}\n", or_none(&l.from), out::plain(&l.subject)),
        Comeback::DmarcReport(report) => aggregate(report),
        Comeback::TlsReport(report) => {
            let (good, bad) = report.counts();
            let mut text =
                format!("TLS report of {}: {good} sessions safe, {bad} failed\n", out::plain(report.told_by()));
            for failure in report.policies.iter().flat_map(|policy| &policy.failure_details) {
                let host = failure.receiving_mx_hostname.as_deref().unwrap_or("an unnamed host");
                text += &format!(
                    "  {} x {} at {}\n",
                    failure.failed_session_count,
                    out::plain(&failure.result_type),
                    out::plain(host)
                );
            }
            text
        }
        Comeback::DmarcFailure(f) => {
            let source = f.source.map_or("an unnamed address".to_owned(), |source| source.to_string());
            format!(
                "DMARC failure report: {} from {source}, in the name of {}\n",
                out::plain(&f.failure),
                out::plain(&f.domains.join(", "))
            )
        }
        Comeback::Unreadable(unreadable) => format!("a report that cannot be read: {}\n", out::plain(&unreadable.why)),
    }
}

fn notice(report: &Report) -> String {
    let mut text = format!(
        "delivery report ({}) of {}\n",
        report.form,
        out::plain(report.reporter.as_deref().unwrap_or("an unnamed server"))
    );
    for r in &report.recipients {
        text += &format!("  {} {} {}", out::plain(r.address()), r.action.as_str(), r.status);
        if let Some(cause) = r.cause {
            text += &format!(": {} ({}, rule {})", cause.class.cause(), cause.class, cause.rule);
        }
        text += "\n";
        if !r.diagnostic.is_empty() {
            text += &format!("    {}\n", out::plain(&r.diagnostic));
        }
    }
    if let Some(id) = &report.original.message_id {
        text += &format!("  about message <{}>\n", out::plain(id));
    }
    text
}

fn aggregate(report: &Aggregate) -> String {
    let (good, bad) = report.counts();
    let mut text = format!(
        "DMARC report {} of {} about {}: {good} passed, {bad} failed, policy {}\n",
        out::plain(&report.id),
        out::plain(report.told_by()),
        out::plain(&report.policy.domain),
        out::plain(&report.policy.p),
    );
    for record in &report.records {
        let word = |passes: bool| if passes { "pass" } else { "fail" };
        let (dkim, spf) = (word(record.dkim), word(record.spf));
        let (done, from) = (out::plain(&record.disposition), out::plain(&record.header_from));
        text += &format!("  {} x {} as {from}: DKIM {dkim}, SPF {spf}, {done}\n", record.count, record.source);
    }
    if report.is_cut {
        text += "  and more: the report is larger than is read, and these are its first records\n";
    }
    text
}
