//! A TLS report made from what was counted (RFC 8460 §4.4, §5.1), to be read by [`TlsReport`]'s own reader, or by anybody's.
//!
//! Promise: what a summary says is the sum of all sessions; of details there are the [`DETAILS_MOST`] that most sessions had.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use repute_types::Timestamp;

use super::{DateRange, Failure, Summary, TlsPolicy, TlsPolicyReport, TlsReport};

/// Of one policy.
const DETAILS_MOST: usize = 200;

/// Sessions that were alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionCount {
    pub policy: TlsPolicy,
    /// The MX host.
    pub host: String,
    /// `certificate-expired` and the like; `None` where all was well.
    pub result: Option<String>,
    /// May be empty, as the next two.
    pub reason: String,
    pub receiving: String,
    pub sending: String,
    pub sessions: u64,
}

/// Who reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reporter {
    pub organisation: String,
    pub contact: String,
    /// The name of the host, which makes ids its own.
    pub host: String,
}

/// The report about a domain of a UTC day, counted from 1970-01-01. The same counts make the same octets.
pub fn tls_report(by: &Reporter, domain: &str, day: i64, counts: Vec<SessionCount>) -> TlsReport {
    let start = date(Timestamp::of_day(day));
    let report_id = format!("{}.{domain}@{}", &start[..10], by.host);
    let mut policies: BTreeMap<TlsPolicy, TlsPolicyReport> = BTreeMap::new();
    for count in counts {
        let policy = policies.entry(count.policy.clone()).or_insert_with(|| TlsPolicyReport {
            policy: count.policy.clone(),
            summary: Summary::default(),
            failure_details: Vec::new(),
        });
        match count.result.clone() {
            None => policy.summary.total_successful_session_count += count.sessions,
            Some(result) => {
                policy.summary.total_failure_session_count += count.sessions;
                policy.failure_details.push(detail(result, count));
            }
        }
    }
    let mut policies: Vec<TlsPolicyReport> = policies.into_values().collect();
    for policy in &mut policies {
        policy.failure_details.sort_by_key(|detail| std::cmp::Reverse(detail.failed_session_count));
        policy.failure_details.truncate(DETAILS_MOST);
    }
    TlsReport {
        organization_name: by.organisation.clone(),
        contact_info: Some(by.contact.clone()),
        report_id,
        date_range: DateRange { start_datetime: start, end_datetime: date(last_second(day)) },
        policies,
    }
}

impl TlsReport {
    /// JSON, packed as gzip: `application/tlsrpt+gzip`.
    pub fn packed(&self) -> std::io::Result<Vec<u8>> {
        let mut out = GzEncoder::new(Vec::new(), Compression::default());
        out.write_all(&serde_json::to_vec(self)?)?;
        out.finish()
    }
}

/// What the file of a report is called (RFC 8460 §5.1). `submitter`: the domain that it is sent as.
pub fn tls_report_file(submitter: &str, domain: &str, day: i64) -> String {
    format!("{submitter}!{domain}!{}!{}.json.gz", Timestamp::of_day(day).seconds(), last_second(day).seconds())
}

fn detail(result_type: String, count: SessionCount) -> Failure {
    let said = |text: String| (!text.is_empty()).then_some(text);
    Failure {
        result_type,
        sending_mta_ip: said(count.sending),
        receiving_mx_hostname: said(count.host),
        receiving_ip: said(count.receiving),
        failed_session_count: count.sessions,
        failure_reason_code: said(count.reason),
        ..Failure::default()
    }
}

fn last_second(day: i64) -> Timestamp {
    Timestamp::of_day(day + 1) - Duration::from_secs(1)
}

/// `2026-11-24T00:00:00Z`.
fn date(at: Timestamp) -> String {
    let mut text = at.to_string();
    text.truncate("2026-11-24T00:00:00".len());
    text.push('Z');
    text
}
