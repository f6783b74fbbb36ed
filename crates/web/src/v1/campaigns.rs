//! Campaigns: one letter to a list. Begun with the letter, filled by [`recipients`], looked at beforehand by
//! [`check`], launched; then shown, paused, resumed and cancelled.
//!
//! A campaign is named as it was begun, or by its id. A token sees those of its account; one without an account
//! all of them, by id or as ACCOUNT/NAME with the slash written %2F.

pub(crate) mod check;
mod domains;
pub(crate) mod recipients;
mod rows;

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use repute_engine::bulk::words::{self, BulkError};
use repute_types::MessageId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::circuits::Circuit;
use super::letter::{Tag, WORD_CURE, is_word};
use super::problems::{Reading, Writing};
use super::show::within;
use super::{LINE_CURE, is_line};
use crate::app::App;
use crate::body::{Json, MaybeJson};
use crate::caller::Caller;
use crate::http::{Path, Query};
use crate::problem::{self, FieldFault, Problem};
use crate::rights::{By, Queues, Reads, Sends};

pub(crate) use rows::Rows;

/// A letter, and what its list will bring.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Begin {
    /// What the campaign is called, once an account: letters, digits, `.`, `_` and `-`.
    #[schema(min_length = 1, max_length = 64, pattern = r"^[A-Za-z0-9._-]+$", example = "autumn-2026")]
    campaign: String,
    /// The list that recipients leave with one click; without it the campaign's name. Lower and upper case, and blanks
    /// around it, make no difference.
    #[schema(min_length = 1, max_length = 64, pattern = r"^ *[A-Za-z0-9._-]+ *$", example = "weekly")]
    list: Option<String>,
    /// A MIME message in UTF-8 with merge fields (docs/bulk.md).
    #[schema(example = "From: News <news@example.com>\nTo: {{ email }}\nSubject: Autumn\n\nThis is for {{ email }}\n")]
    letter: String,
    /// The merge fields that each recipient brings.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable, max_items = 64)]
    fields: Vec<String>,
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable, max_items = 10, value_type = Vec<Tag>)]
    tags: Vec<String>,
}

/// Tags of a campaign, as of a message.
const TAGS: usize = 10;

impl Begin {
    pub(crate) fn of(self, account: &str) -> Result<words::Begin, Problem> {
        let mut faults = Vec::new();
        if self.tags.len() > TAGS {
            faults.push(FieldFault::new("/tags", format!("a campaign has at most {TAGS} tags")));
        }
        for (n, tag) in self.tags.iter().enumerate() {
            if !is_word(tag) {
                faults.push(FieldFault::new(format!("/tags/{n}"), format!("write {WORD_CURE}")));
            }
        }
        if !faults.is_empty() {
            return Err(Problem::fields(faults));
        }
        let Begin { campaign, list, letter, fields, tags } = self;
        Ok(words::Begin { account: account.to_owned(), campaign, list, letter, fields, tags })
    }
}

/// A campaign that takes recipients.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Begun {
    #[schema(example = "1m7qw3g0w000h")]
    id: String,
    campaign: String,
    /// The number of the row to go on with: 0 for a new campaign.
    next_row: u32,
}

/// A campaign and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Campaign {
    #[schema(example = "1m7qw3g0w000h")]
    id: String,
    campaign: String,
    account: String,
    list: String,
    #[schema(example = "running")]
    state: String,
    /// Why it is paused.
    reason: Option<String>,
    #[schema(format = DateTime)]
    begun: String,
    #[schema(format = DateTime)]
    launched: Option<String>,
    /// Rows of the list so far, and so the number of the row to go on with.
    rows: u64,
    /// Rows that are written to.
    taken: u64,
    /// Rows that were no address, were there before, or lack a field.
    refused: u64,
    /// Rows whose addresses are suppressed.
    left_out: u64,
    delivered: u64,
    /// Refused for good, or given up.
    failed: u64,
    /// Suppressed after they were taken.
    suppressed: u64,
    cancelled: u64,
    waiting: u64,
    /// Of those waiting: tried before, and to be tried again.
    deferred: u64,
    /// What stops it, or its account, until a person goes on; null where nothing does.
    circuit: Option<Circuit>,
}

impl From<words::Campaign> for Campaign {
    fn from(c: words::Campaign) -> Campaign {
        Campaign {
            id: c.id.to_string(),
            campaign: c.campaign,
            account: c.account,
            list: c.list,
            state: c.state.as_str().to_owned(),
            reason: c.reason,
            begun: c.begun.to_string(),
            launched: c.launched.map(|at| at.to_string()),
            rows: c.rows,
            taken: c.taken,
            refused: c.refused,
            left_out: c.left_out,
            delivered: c.delivered,
            failed: c.failed,
            suppressed: c.suppressed,
            cancelled: c.cancelled,
            waiting: c.waiting,
            deferred: c.deferred,
            circuit: c.circuit.map(Circuit::from),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CampaignPage {
    /// Newest first.
    campaigns: Vec<Campaign>,
    /// For `after` of the next page; null on the last.
    next: Option<String>,
}

/// Whatever the caller may not see is not there.
fn unknown(campaign: &str) -> Problem {
    let name: String = campaign.chars().take(100).collect();
    Problem::new(
        problem::NOT_FOUND,
        format!("there is no campaign {name:?}: GET /v1/campaigns lists those that are known"),
    )
}

/// The campaign of that name or id, if it is the caller's.
pub(crate) async fn find(app: &App, caller: &Caller, campaign: &str) -> Result<words::Campaign, Problem> {
    let Some(mine) = caller.account() else { return Ok(app.control.campaign(campaign).await?) };
    if let Ok(id) = campaign.parse::<MessageId>()
        && let Ok(found) = app.control.campaign(&id.to_string()).await
        && found.account == mine
    {
        return Ok(found);
    }
    if campaign.contains('/') {
        return Err(unknown(campaign));
    }
    match app.control.campaign(&format!("{mine}/{campaign}")).await {
        Err(BulkError::NoSuchCampaign(_)) => Err(unknown(campaign)),
        found => Ok(found?),
    }
}

/// Begin a campaign
///
/// It takes recipients until it is launched. One of the same name, letter and fields that is still loading is gone on
/// with, so that the call may be made again.
#[utoipa::path(post, path = "/v1/campaigns", operation_id = "beginCampaign", tag = "campaigns", request_body = Begin,
    responses((status = 201, description = "It takes recipients", body = Begun), Writing))]
pub(crate) async fn begin(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    begin: Json<Begin>,
) -> Result<(StatusCode, Answer<Begun>), Problem> {
    let account = caller.sends()?.name.to_string();
    let begun = app.control.begin(begin.value.of(&account)?).await?;
    let begun = Begun { id: begun.id.to_string(), campaign: begun.campaign, next_row: begun.next_row };
    Ok((StatusCode::CREATED, Answer(begun)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listed {
    /// `next` of the page before.
    #[param(pattern = r"^[0-9a-f][0-9a-hjkmnp-tv-z]{12}$")]
    after: Option<String>,
    /// At most so many; 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

/// List the campaigns of the last 90 days
#[utoipa::path(get, path = "/v1/campaigns", operation_id = "listCampaigns", tag = "campaigns", params(Listed),
    responses((status = 200, description = "A page, newest first", body = CampaignPage), Reading))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Query(listed): Query<Listed>,
) -> Result<Answer<CampaignPage>, Problem> {
    let limit = within(listed.limit)?;
    let after = listed.after.as_deref().map(str::parse::<MessageId>).transpose();
    let after = after.map_err(|_| Problem::new(problem::MALFORMED, "after: this is not the `next` of a page"))?;
    let mut found = app.control.campaigns().await?;
    found.retain(|c| caller.account().is_none_or(|mine| c.account == mine) && after.is_none_or(|id| c.id < id));
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|c| c.id.to_string());
    Ok(Answer(CampaignPage { campaigns: found.into_iter().map(Campaign::from).collect(), next }))
}

/// Show a campaign and how far it is
#[utoipa::path(get, path = "/v1/campaigns/{campaign}", operation_id = "showCampaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Its name or id")),
    responses((status = 200, description = "Its state and counts", body = Campaign), Reading))]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Path(campaign): Path<String>,
) -> Result<Answer<Campaign>, Problem> {
    let found = find(&app, &caller, &campaign).await?;
    Ok(Answer(found.into()))
}

/// Launch a campaign
///
/// Its list is whole; from the answer on its recipients are written to. One to far more strangers than the account is used
/// to write to is stopped before its first message, and `circuit` says so: an operator lets it go on.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/launch", operation_id = "launchCampaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Its name or id")),
    responses((status = 202, description = "It runs", body = Campaign), Writing))]
pub(crate) async fn launch(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    Path(campaign): Path<String>,
) -> Result<(StatusCode, Answer<Campaign>), Problem> {
    let id = find(&app, &caller, &campaign).await?.id;
    let launched = app.control.launch_by(&id.to_string(), &caller.said_by()).await?;
    Ok((StatusCode::ACCEPTED, Answer(launched.into())))
}

/// Why, for those who find it paused; else `paused by` and the name of the token.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pause {
    #[schema(max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    reason: Option<String>,
}

/// Pause a campaign
///
/// Nothing more of it is sent until it is resumed; attempts under way end.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/pause", operation_id = "pauseCampaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Its name or id")), request_body = Pause,
    responses((status = 200, description = "It is paused", body = Campaign), Writing))]
pub(crate) async fn pause(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    Path(campaign): Path<String>,
    MaybeJson(pause): MaybeJson<Pause>,
) -> Result<Answer<Campaign>, Problem> {
    if pause.reason.as_deref().is_some_and(|reason| !is_line(reason)) {
        return Err(Problem::fields(vec![FieldFault::new("/reason", LINE_CURE)]));
    }
    let reason = pause.reason.unwrap_or_else(|| format!("paused by {}", caller.said_by()));
    let id = find(&app, &caller, &campaign).await?.id;
    Ok(Answer(app.control.pause(&id.to_string(), &reason).await?.into()))
}

/// Resume a paused campaign
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/resume", operation_id = "resumeCampaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Its name or id")),
    responses((status = 200, description = "It goes on", body = Campaign), Writing))]
pub(crate) async fn resume(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    Path(campaign): Path<String>,
) -> Result<Answer<Campaign>, Problem> {
    let id = find(&app, &caller, &campaign).await?.id;
    Ok(Answer(app.control.resume(&id.to_string()).await?.into()))
}

/// Cancel a campaign
///
/// Nothing more of it is sent from the answer on; what is being sent at that moment ends. Whoever was not written to yet is
/// taken out afterwards: until then its state is `cancelling`. What is done stays done.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/cancel", operation_id = "cancelCampaign", tag = "campaigns",
    params(("campaign" = String, Path, description = "Its name or id")),
    responses((status = 200, description = "Nothing more of it is sent", body = Campaign), Writing))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: By<Queues>,
    Path(campaign): Path<String>,
) -> Result<Answer<Campaign>, Problem> {
    let id = find(&app, &caller, &campaign).await?.id;
    // A task of its own: what is begun is ended, also where the client goes away.
    let control = app.control.clone();
    let cancelling = tokio::spawn(async move { control.cancel_campaign(&id.to_string()).await });
    let cancelled =
        cancelling.await.map_err(|_| Problem::new(problem::INTERNAL, "the server made a mistake: see its log"))?;
    Ok(Answer(cancelled?.into()))
}
