//! What receivers report about mail in our name: who sends as us, what fails, from which address (DMARC, RFC 9990), and how
//! often servers could not be reached safely (TLS, RFC 8460). A token of an account sees what is about its domains.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use repute_ledger::{ReportDetail, ReportFailure, ReportRecord, ReportSummary, Source};
use repute_types::Domain;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problems::Reading;
use super::show::within;
use crate::app::App;
use crate::caller::Caller;
use crate::http::{Path, Query};
use crate::problem::{self, Problem};
use crate::rights::{By, Reads};

/// A report that came.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportView {
    id: i64,
    /// `failure`: one message that did not pass DMARC.
    #[schema(example = "dmarc")]
    kind: String,
    reporter: String,
    /// The reporter's own name for it.
    name: String,
    #[schema(example = "example.com")]
    domain: String,
    /// When it came.
    #[schema(format = DateTime)]
    at: String,
    /// The time that it is about, as the reporter has it.
    span: String,
    policy: String,
    /// Messages that passed, or sessions that were safe.
    passed: u64,
    failed: u64,
}

impl From<ReportSummary> for ReportView {
    fn from(r: ReportSummary) -> ReportView {
        let ReportSummary { id, kind, reporter, name, domain, at, span, policy, good, bad } = r;
        ReportView { id, kind, reporter, name, domain, at: at.to_string(), span, policy, passed: good, failed: bad }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReportList {
    /// Newest first.
    reports: Vec<ReportView>,
}

/// Messages from one address that were judged alike.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RecordView {
    #[schema(example = "203.0.113.10")]
    source: String,
    count: u64,
    /// Whether DKIM passed, aligned with From.
    dkim: bool,
    /// Whether SPF passed, aligned with From.
    spf: bool,
    #[schema(example = "none")]
    disposition: String,
    header_from: String,
    envelope_from: String,
    /// `example.com/s1=pass`, with commas between them.
    signers: String,
    spf_seen: String,
    reasons: String,
}

impl From<ReportRecord> for RecordView {
    fn from(r: ReportRecord) -> RecordView {
        let ReportRecord { source, count, dkim, spf, disposition, .. } = r;
        let (header_from, envelope_from) = (r.header_from, r.envelope_from);
        let (signers, spf_seen, reasons) = (r.signers, r.spf_seen, r.reasons);
        RecordView { source, count, dkim, spf, disposition, header_from, envelope_from, signers, spf_seen, reasons }
    }
}

/// Sessions that failed alike.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct FailureView {
    domain: String,
    #[schema(example = "certificate-expired")]
    result: String,
    host: String,
    source: String,
    count: u64,
}

impl From<ReportFailure> for FailureView {
    fn from(f: ReportFailure) -> FailureView {
        let ReportFailure { domain, result, host, source, count } = f;
        FailureView { domain, result, host, source, count }
    }
}

/// A report with all it says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct WholeReport {
    report: ReportView,
    /// Of a DMARC report.
    records: Vec<RecordView>,
    /// Of a TLS report.
    failures: Vec<FailureView>,
}

/// An address that sends in our name.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SourceView {
    #[schema(example = "203.0.113.10")]
    source: String,
    #[schema(example = "example.com")]
    header_from: String,
    count: u64,
    /// Of them: DMARC passed.
    passed: u64,
    dkim: u64,
    spf: u64,
    /// Of them: rejected or put aside.
    refused: u64,
    /// The same in as many days before.
    count_before: u64,
    passed_before: u64,
    /// How many reporters saw it.
    reporters: u64,
}

impl From<Source> for SourceView {
    fn from(s: Source) -> SourceView {
        let Source { source, header_from, count, passed, dkim, spf, refused, .. } = s;
        let (count_before, passed_before, reporters) = (s.count_before, s.passed_before, s.reporters);
        SourceView { source, header_from, count, passed, dkim, spf, refused, count_before, passed_before, reporters }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Sources {
    days: u16,
    /// The largest first.
    sources: Vec<SourceView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct About {
    /// Only about this domain.
    #[param(format = "hostname")]
    domain: Option<String>,
    /// At most so many; 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Lately {
    /// Only mail of this domain.
    #[param(format = "hostname")]
    domain: Option<String>,
    /// What came in so many days, compared with as many before; 7.
    #[param(minimum = 1, maximum = 400)]
    days: Option<u16>,
}

/// The domains that are asked about; none: all of them.
fn domains(caller: &Caller, asked: Option<String>) -> Result<Vec<Domain>, Problem> {
    match asked {
        Some(name) => {
            let domain = Domain::parse(&name)
                .map_err(|why| Problem::new(problem::MALFORMED, format!("domain: {why}: write a domain's name")))?;
            match caller.sees(&domain) {
                true => Ok(vec![domain]),
                false => Err(Problem::new(problem::NOT_FOUND, format!("{domain} is no domain of this account"))),
            }
        }
        None => Ok(caller.token.account.as_ref().map(|account| account.domains.to_vec()).unwrap_or_default()),
    }
}

/// List the reports that came
#[utoipa::path(get, path = "/v1/reports", operation_id = "listReports", tag = "reports", params(About),
    responses((status = 200, description = "The last ones, newest first", body = ReportList), Reading))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Query(about): Query<About>,
) -> Result<Answer<ReportList>, Problem> {
    let domains = domains(&caller, about.domain)?;
    let limit = within(about.limit)?;
    if domains.is_empty() && caller.account().is_some() {
        return Ok(Answer(ReportList { reports: Vec::new() }));
    }
    let found = app.control.reports(&domains, limit).await?;
    Ok(Answer(ReportList { reports: found.into_iter().map(ReportView::from).collect() }))
}

/// Show a report with all it says
#[utoipa::path(get, path = "/v1/reports/{id}", operation_id = "showReport", tag = "reports",
    params(("id" = String, Path, description = "Its number in the list")),
    responses((status = 200, description = "Who sent, what passed, what failed", body = WholeReport), Reading))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Path(id): Path<String>,
) -> Result<Answer<WholeReport>, Problem> {
    let none = || Problem::new(problem::NOT_FOUND, "there is no such report: GET /v1/reports has their numbers");
    let id: i64 = id.parse().map_err(|_| none())?;
    let ReportDetail { summary, records, failures } = app.control.report(id).await?.ok_or_else(none)?;
    if caller.account().is_some() && !Domain::parse(&summary.domain).is_ok_and(|domain| caller.sees(&domain)) {
        return Err(none());
    }
    Ok(Answer(WholeReport {
        report: summary.into(),
        records: records.into_iter().map(RecordView::from).collect(),
        failures: failures.into_iter().map(FailureView::from).collect(),
    }))
}

/// See who sends in our name, what passes, and how that changed
#[utoipa::path(get, path = "/v1/sources", operation_id = "listSources", tag = "reports", params(Lately),
    responses((status = 200, description = "Addresses, by the domain in From", body = Sources), Reading))]
pub(crate) async fn sources(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Query(lately): Query<Lately>,
) -> Result<Answer<Sources>, Problem> {
    let domains = domains(&caller, lately.domain)?;
    let days = lately.days.unwrap_or(7);
    if !(1..=400).contains(&days) {
        return Err(Problem::new(problem::MALFORMED, format!("days is {days}: it has to be 1 to 400")));
    }
    if domains.is_empty() && caller.account().is_some() {
        return Ok(Answer(Sources { days, sources: Vec::new() }));
    }
    let found = app.control.sources(&domains, Duration::from_secs(u64::from(days) * 24 * 3600)).await?;
    Ok(Answer(Sources { days, sources: found.into_iter().map(SourceView::from).collect() }))
}
