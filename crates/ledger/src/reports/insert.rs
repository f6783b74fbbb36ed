//! A report as rows: texts cut to [`TEXT`] characters, rows to [`ROWS`] a report, so that one stranger's report
//! neither fills the disk nor pushes out everybody else's.

use repute_feedback::{Aggregate, AuthFailure, TlsReport};
use repute_types::Timestamp;
use rusqlite::{Transaction, params};

/// A domain name is shorter.
const TEXT: usize = 255;
/// As many as are read of a DMARC report.
const ROWS: usize = 20_000;

/// What sums over reports cannot overflow.
fn bounded(count: u64) -> i64 {
    count.min(1 << 40) as i64
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(TEXT).map_or(text, |(end, _)| &text[..end])
}

struct NewReport<'a> {
    kind: &'a str,
    reporter: &'a str,
    name: &'a str,
    domain: String,
    span: String,
    policy: &'a str,
    counts: (u64, u64),
    records: usize,
}

/// The row's id; `None` where the report is known.
fn report(transaction: &Transaction<'_>, new: &NewReport<'_>, at: Timestamp) -> rusqlite::Result<Option<i64>> {
    let added = transaction
        .prepare_cached(
            "INSERT OR IGNORE INTO report (kind, reporter, name, domain, span, policy, at, good, bad, records)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            new.kind,
            cut(new.reporter),
            cut(new.name),
            cut(&new.domain),
            cut(&new.span),
            cut(new.policy),
            at.0,
            bounded(new.counts.0),
            bounded(new.counts.1),
            new.records.min(ROWS) as i64,
        ])?;
    Ok((added > 0).then(|| transaction.last_insert_rowid()))
}

const RECORD: &str = "INSERT INTO record VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

pub(super) fn dmarc(transaction: &Transaction<'_>, aggregate: &Aggregate, at: Timestamp) -> rusqlite::Result<bool> {
    let new = NewReport {
        kind: "dmarc",
        reporter: &aggregate.reporter,
        name: &aggregate.id,
        domain: aggregate.policy.domain.to_ascii_lowercase(),
        span: format!("{} {}", aggregate.begin, aggregate.end),
        policy: &aggregate.policy.p,
        counts: aggregate.counts(),
        records: aggregate.records.len(),
    };
    let Some(id) = report(transaction, &new, at)? else { return Ok(false) };
    let mut add = transaction.prepare_cached(RECORD)?;
    for record in aggregate.records.iter().take(ROWS) {
        let signers = record.signatures.iter().map(|s| format!("{}/{}={}", s.domain, s.selector, s.result));
        add.execute(params![
            id,
            record.source.to_string(),
            bounded(record.count),
            record.dkim,
            record.spf,
            cut(&record.disposition),
            cut(&record.header_from),
            cut(&record.envelope_from),
            cut(&signers.collect::<Vec<_>>().join(", ")),
            cut(&format!("{}={}", record.spf_domain, record.spf_result)),
            cut(&record.reasons.join(", ")),
        ])?;
    }
    Ok(true)
}

/// One message that failed, as a report with one record: addresses of people are left out, their domains
/// stay.
pub(super) fn failure(transaction: &Transaction<'_>, failure: &AuthFailure, at: Timestamp) -> rusqlite::Result<bool> {
    let field = |name: &str| {
        failure.fields.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value.trim())
    };
    let header_from = failure.original.field("From").map(domain_in).unwrap_or_default();
    let of_path = failure.original.return_path.as_deref().unwrap_or_else(|| field("Original-Mail-From"));
    let source = failure.source.map(|source| source.to_string()).unwrap_or_default();
    // The same message is reported once for each way in which it failed.
    let message = failure.original.message_id.clone().unwrap_or_else(|| format!("{} {source}", field("Arrival-Date")));
    let new = NewReport {
        kind: "failure",
        reporter: failure.reporter.as_deref().unwrap_or_default(),
        name: &format!("{} {message}", failure.failure),
        domain: failure.domains.first().cloned().unwrap_or_else(|| header_from.clone()),
        span: field("Arrival-Date").to_owned(),
        policy: "",
        counts: (0, 1),
        records: 1,
    };
    let Some(id) = report(transaction, &new, at)? else { return Ok(false) };
    let aligned = failure.alignment.as_deref().unwrap_or_default();
    let word = |text: &Option<String>| text.clone().unwrap_or_default();
    let signer = match &failure.dkim {
        (None, _) => String::new(),
        (Some(domain), selector) => format!("{domain}/{}", word(selector)),
    };
    transaction.prepare_cached(RECORD)?.execute(params![
        id,
        source,
        1,
        aligned.contains("dkim"),
        aligned.contains("spf"),
        cut(&word(&failure.delivery)),
        cut(&header_from),
        cut(&domain_in(of_path)),
        cut(&signer),
        "",
        cut(&failure.failure),
    ])?;
    Ok(true)
}

/// The domain of the last address in a text, lower case; empty where there is none.
fn domain_in(text: &str) -> String {
    let after = text.rsplit_once('@').map_or("", |(_, after)| after);
    let end = after.find(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_'))).unwrap_or(after.len());
    after[..end].to_ascii_lowercase()
}

pub(super) fn tls(transaction: &Transaction<'_>, told: &TlsReport, at: Timestamp) -> rusqlite::Result<bool> {
    let first = told.policies.first().map(|p| &p.policy);
    let new = NewReport {
        kind: "tls",
        reporter: &told.organization_name,
        name: &told.report_id,
        domain: first.map_or("", |policy| &policy.policy_domain).to_ascii_lowercase(),
        span: format!("{} {}", told.date_range.start_datetime, told.date_range.end_datetime),
        policy: first.map_or("", |policy| &policy.policy_type),
        counts: told.counts(),
        records: told.policies.iter().map(|p| p.failure_details.len()).sum(),
    };
    let Some(id) = report(transaction, &new, at)? else { return Ok(false) };
    let mut add = transaction.prepare_cached("INSERT INTO failure VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let details = told.policies.iter().flat_map(|p| p.failure_details.iter().map(|detail| (&p.policy, detail)));
    for (policy, detail) in details.take(ROWS) {
        add.execute(params![
            id,
            cut(&policy.policy_domain),
            cut(&detail.result_type),
            cut(detail.receiving_mx_hostname.as_deref().unwrap_or_default()),
            cut(detail.sending_mta_ip.as_deref().unwrap_or_default()),
            bounded(detail.failed_session_count),
        ])?;
    }
    Ok(true)
}
