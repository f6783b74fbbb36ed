//! How sessions with receivers' hosts went, as their domains are told of it (RFC 8460). It is about all mail of this server, so
//! that a token of an account does not see it.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_engine::control::{TlsSessionList, TlsSessionRow};
use repute_types::Domain;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problems::Reading;
use crate::app::App;
use crate::http::Query;
use crate::problem::{self, Problem};
use crate::rights::{By, Operates};

const ROWS_MOST: usize = 1000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// Only sessions for mail to this domain.
    #[param(format = "hostname", example = "example.net")]
    domain: Option<String>,
    /// Those of yesterday (UTC), until they are reported.
    yesterday: Option<bool>,
}

/// Sessions that were alike.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TlsSessions {
    /// Whose mail it was.
    domain: String,
    policy: String,
    policy_domain: String,
    host: String,
    sessions: u64,
    /// As reports have it: `certificate-expired` and the like; none where all was well.
    result: Option<String>,
    reason: String,
    receiving: String,
    sending: String,
}

impl From<TlsSessionRow> for TlsSessions {
    fn from(row: TlsSessionRow) -> TlsSessions {
        let TlsSessionRow { domain, policy, policy_domain, host, sessions, result, reason, receiving, sending } = row;
        TlsSessions { domain, policy, policy_domain, host, sessions, result, reason, receiving, sending }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TlsDay {
    #[schema(example = "2026-11-26")]
    day: String,
    sessions: Vec<TlsSessions>,
    /// Whether there are more than are told.
    more: bool,
}

/// See how sessions with receivers' hosts went, as to TLS
#[utoipa::path(get, path = "/v1/tls-sessions", operation_id = "listTlsSessions", tag = "reports", params(Asked),
    responses((status = 200, description = "What was counted today, or yesterday", body = TlsDay), Reading))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    _: By<Operates>,
    Query(asked): Query<Asked>,
) -> Result<Answer<TlsDay>, Problem> {
    let domain = asked.domain.as_deref().map(Domain::parse).transpose();
    let domain = domain.map_err(|why| Problem::new(problem::MALFORMED, format!("domain: {why}")))?;
    let yesterday = asked.yesterday.unwrap_or_default();
    let TlsSessionList { day, rows, more } = app.control.tls_sessions(domain.as_ref(), yesterday, ROWS_MOST).await?;
    Ok(Answer(TlsDay { day, sessions: rows.into_iter().map(TlsSessions::from).collect(), more }))
}
