//! Reports about our domains: DMARC (aggregate and failure) and TLS reports are kept for who asks
//! `repute reports`. They are the word of strangers: kept as it was said, believed nowhere.
//!
//! What is about no domain of ours, was told before, or cannot be read (a bomb, a damaged file) is dropped and
//! counted.

use repute_feedback::{Aggregate, AuthFailure, Comeback, TlsReport};
use repute_ledger::LedgerError;
use repute_types::event::Level;

use super::sentence;
use crate::config::Settings;
use crate::works::Works;

/// Whether they were reports, all that one mail carried, and so are done with. Where it is broken off, those that were kept
/// are known the next time.
///
/// # Errors
/// Where one cannot be kept now.
pub(super) async fn keep_all(works: &Works, said: &[Comeback]) -> Result<bool, LedgerError> {
    let mut were_reports = false;
    for report in said {
        were_reports |= keep(works, report).await?;
    }
    Ok(were_reports)
}

async fn keep(works: &Works, said: &Comeback) -> Result<bool, LedgerError> {
    let Some(store) = works.doors.reports.as_ref() else { return Ok(false) };
    let (settings, now) = (works.settings(), works.now());
    let (line, is_new) = match said {
        Comeback::DmarcReport(report) if is_ours(&settings, &report.policy.domain) => {
            (of_dmarc(report), store.keep_dmarc((**report).clone(), now).await?)
        }
        Comeback::TlsReport(report) if report.policies.iter().any(|p| is_ours(&settings, &p.policy.policy_domain)) => {
            (of_tls(report), store.keep_tls((**report).clone(), now).await?)
        }
        Comeback::DmarcFailure(failure) if failure.domains.iter().any(|domain| is_ours(&settings, domain)) => {
            (of_failure(failure), store.keep_failure((**failure).clone(), now).await?)
        }
        Comeback::Unreadable(unreadable) => {
            works.note(Level::Warning, "reports", format!("a report was dropped: {}", sentence(&unreadable.why)));
            (String::new(), false)
        }
        Comeback::DmarcReport(_) | Comeback::TlsReport(_) | Comeback::DmarcFailure(_) => (String::new(), false),
        _ => return Ok(false),
    };
    match is_new {
        true => works.note(Level::Info, "reports", line),
        false => works.reader.drop_one(),
    }
    Ok(true)
}

/// A domain that mail is sent as, a return path, or one above or below them.
fn is_ours(settings: &Settings, named: &str) -> bool {
    let named = named.trim_end_matches('.').to_ascii_lowercase();
    let is_under =
        |name: &str, of: &str| name.strip_suffix(of).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let mut names = settings.domains.iter().flat_map(|d| std::iter::once(&d.name).chain(&d.return_path));
    named.contains('.') && names.any(|name| is_under(name.as_str(), &named) || is_under(&named, name.as_str()))
}

fn of_dmarc(report: &Aggregate) -> String {
    let (good, bad) = report.counts();
    let (who, domain) = (sentence(report.told_by()), sentence(&report.policy.domain));
    let rest = match report.is_cut {
        true => format!(
            "; it is larger than is read, and what stands behind its first {} records is not counted",
            report.records.len()
        ),
        false => String::new(),
    };
    format!("{who} reports on DMARC of {domain}: {good} passed, {bad} failed{rest}")
}

fn of_tls(report: &TlsReport) -> String {
    let (good, bad) = report.counts();
    format!("{} reports on TLS: {good} sessions safe, {bad} failed", sentence(report.told_by()))
}

fn of_failure(failure: &AuthFailure) -> String {
    let who = failure.reporter.as_deref().map_or_else(|| "a receiver".to_owned(), sentence);
    let domain = failure.domains.first().map(|domain| sentence(domain)).unwrap_or_default();
    format!("{who} reports a message in the name of {domain} that failed {}", sentence(&failure.failure))
}
