//! What receivers report about mail in our name (DMARC, TLS): the reports that came, and who sends as us.

use std::time::Duration;

use repute_ledger::{LedgerError, ReportDetail, ReportSummary, Reports, Source};
use repute_types::Domain;

use super::{Control, ControlError};

impl Control {
    /// The last reports about these domains, or about all where none is named; the newest first.
    pub async fn reports(&self, about: &[Domain], limit: usize) -> Result<Vec<ReportSummary>, ControlError> {
        let about = names(about);
        let found = self.of_reports(move |store| each(&about, |domain| store.list(domain, limit))).await?;
        let mut found = found.unwrap_or_default();
        found.sort_by_key(|report| std::cmp::Reverse(report.id));
        found.truncate(limit);
        Ok(found)
    }

    /// One report with all it says.
    pub async fn report(&self, id: i64) -> Result<Option<ReportDetail>, ControlError> {
        Ok(self.of_reports(move |store| store.show(id)).await?.flatten())
    }

    /// Who sends as these domains, or as any where none is named, the largest first: in the `span` up to now, and in the
    /// one before it.
    pub async fn sources(&self, about: &[Domain], span: Duration) -> Result<Vec<Source>, ControlError> {
        let (about, now) = (names(about), self.now());
        let found = self.of_reports(move |store| each(&about, |domain| store.sources(domain, span, now))).await?;
        let mut found = found.unwrap_or_default();
        found.sort_by(|a, b| (b.count, b.count_before, &a.source).cmp(&(a.count, a.count_before, &b.source)));
        Ok(found)
    }

    /// `None` where no reports are kept. Asked on a thread that may block.
    async fn of_reports<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Reports) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<Option<T>, ControlError> {
        let Some(store) = self.works.doors.reports.clone() else { return Ok(None) };
        let asked = tokio::task::spawn_blocking(move || ask(&store)).await;
        asked.expect("reading reports does not panic").map(Some).map_err(ControlError::Reports)
    }
}

fn names(domains: &[Domain]) -> Vec<String> {
    domains.iter().map(|domain| domain.to_string().to_ascii_lowercase()).collect()
}

fn each<T>(about: &[String], ask: impl Fn(Option<&str>) -> Result<Vec<T>, LedgerError>) -> Result<Vec<T>, LedgerError> {
    if about.is_empty() {
        return ask(None);
    }
    let mut all = Vec::new();
    for domain in about {
        all.append(&mut ask(Some(domain))?);
    }
    Ok(all)
}
