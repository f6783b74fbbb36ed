//! What was counted of sessions with receivers' hosts, for an operator.

use repute_types::{Domain, Timestamp};
use serde::Serialize;

use super::{Control, ControlError};
use crate::tlsrpt;

/// Of one UTC day, which is forgotten when it was reported.
#[derive(Clone, Debug, Serialize)]
pub struct TlsSessionList {
    /// `2026-11-26`.
    pub day: String,
    pub rows: Vec<TlsSessionRow>,
    /// Whether there are more than were asked for.
    pub more: bool,
}

/// Sessions that were alike.
#[derive(Clone, Debug, Serialize)]
pub struct TlsSessionRow {
    /// Whose mail it was.
    pub domain: String,
    /// `tlsa`, `sts` or `no-policy-found`.
    pub policy: String,
    pub policy_domain: String,
    pub host: String,
    pub sessions: u64,
    /// As reports have it (RFC 8460 §4.3); `None`: as the policy asks.
    pub result: Option<String>,
    /// May be empty, as the next two; also all three where nothing failed.
    pub reason: String,
    pub receiving: String,
    pub sending: String,
}

impl Control {
    /// Today's, or yesterday's as long as it is not reported; of one domain or of all.
    pub async fn tls_sessions(
        &self,
        domain: Option<&Domain>,
        yesterday: bool,
        limit: usize,
    ) -> Result<TlsSessionList, ControlError> {
        let Some(store) = &self.works.doors.tls_sessions else { return Err(ControlError::NoTlsSessions) };
        tlsrpt::keep(&self.works).await;
        let day = self.now().day() - i64::from(yesterday);
        let domain = domain.map(ToString::to_string);
        let mut found = store.of_day(day, domain, limit.saturating_add(1)).await.map_err(ControlError::TlsSessions)?;
        let more = found.len() > limit;
        found.truncate(limit);
        let row = |of: repute_ledger::DomainSessions| TlsSessionRow {
            domain: of.domain,
            policy: of.count.policy.policy_type,
            policy_domain: of.count.policy.policy_domain,
            host: of.count.host,
            sessions: of.count.sessions,
            result: of.count.result,
            reason: of.count.reason,
            receiving: of.count.receiving,
            sending: of.count.sending,
        };
        let mut date = Timestamp::of_day(day).to_string();
        date.truncate("2026-11-26".len());
        Ok(TlsSessionList { day: date, rows: found.into_iter().map(row).collect(), more })
    }
}
