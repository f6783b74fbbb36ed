//! Incidents, and how trust changed. Both are about the whole server: a token of one account does not see them.

use std::sync::Arc;
use std::time::Duration;

use axum::Json as Answer;
use axum::extract::State;
use repute_ledger::{Incident, Score, TrustChange};
use repute_types::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::problems::Reading;
use super::show::within;
use crate::app::App;
use crate::http::Query;
use crate::problem::{self, Problem};
use crate::rights::{By, SeesTheServer};

/// Something that lowers trust or needs a person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IncidentView {
    id: u64,
    #[schema(format = DateTime)]
    opened: String,
    /// Null: it is open.
    #[schema(format = DateTime)]
    closed: Option<String>,
    /// The check or rule that found it.
    #[schema(example = "name.fcrdns")]
    what: String,
    subject: String,
    text: String,
    /// What to do about it.
    cure: Option<String>,
}

impl From<Incident> for IncidentView {
    fn from(one: Incident) -> IncidentView {
        IncidentView {
            id: one.id,
            opened: one.opened.to_string(),
            closed: one.closed.map(|at| at.to_string()),
            what: one.what,
            subject: one.subject,
            text: one.text,
            cure: Some(one.cure).filter(|cure| !cure.is_empty()),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Incidents {
    /// Newest first.
    incidents: Vec<IncidentView>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Closed {
    /// So many of the closed ones too; none where nothing is said.
    #[param(minimum = 0, maximum = 500)]
    closed: Option<u16>,
}

/// List what is broken now, and what was
#[utoipa::path(get, path = "/v1/incidents", operation_id = "listIncidents", tag = "trust", params(Closed),
    responses((status = 200, description = "Open incidents, and closed ones where they are asked for", body = Incidents), Reading))]
pub(crate) async fn incidents(
    State(app): State<Arc<App>>,
    _: By<SeesTheServer>,
    Query(asked): Query<Closed>,
) -> Result<Answer<Incidents>, Problem> {
    let closed = match asked.closed {
        None | Some(0) => 0,
        limit => within(limit)?,
    };
    let incidents = app.control.incidents(closed).await?;
    Ok(Answer(Incidents { incidents: incidents.into_iter().map(IncidentView::from).collect() }))
}

/// Something about trust that changed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Change {
    #[schema(format = DateTime)]
    at: String,
    /// A check, `permit`, or `override` for an operator's word.
    what: String,
    #[schema(example = "fail")]
    state: String,
    address: Option<String>,
    domain: Option<String>,
    text: String,
    who: Option<String>,
}

impl From<TrustChange> for Change {
    fn from(change: TrustChange) -> Change {
        let TrustChange { at, what, state, address, domain, text, who } = change;
        Change { at: at.to_string(), what, state, address, domain, text, who }
    }
}

/// Points of 100 that an address and a domain had from a time on.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Points {
    #[schema(format = DateTime)]
    at: String,
    address: String,
    domain: String,
    points: u32,
}

impl From<Score> for Points {
    fn from(score: Score) -> Points {
        Points { at: score.at.to_string(), address: score.address, domain: score.domain, points: score.points }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrustHistory {
    changes: Vec<Change>,
    scores: Vec<Points>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// From this time on; the last 30 days where nothing is said.
    #[param(format = DateTime)]
    since: Option<String>,
    /// At most so many changes; 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

const MONTH: Duration = Duration::from_secs(30 * 24 * 3600);

/// See how trust changed
#[utoipa::path(get, path = "/v1/trust", operation_id = "showTrust", tag = "trust", params(Span),
    responses((status = 200, description = "What changed, and the points of each pair", body = TrustHistory), Reading))]
pub(crate) async fn history(
    State(app): State<Arc<App>>,
    _: By<SeesTheServer>,
    Query(span): Query<Span>,
) -> Result<Answer<TrustHistory>, Problem> {
    let limit = within(span.limit)?;
    let since = match span.since.map(|text| text.parse::<Timestamp>()).transpose() {
        Ok(since) => since.unwrap_or(app.control.now() - MONTH),
        Err(_) => {
            let cure = "since: write a time as RFC 3339 has it: 2026-11-24T08:00:00Z";
            return Err(Problem::new(problem::MALFORMED, cure));
        }
    };
    let found = app.control.trust_history(since, limit).await?;
    let changes = found.changes.into_iter().map(Change::from).collect();
    Ok(Answer(TrustHistory { changes, scores: found.scores.into_iter().map(Points::from).collect() }))
}
