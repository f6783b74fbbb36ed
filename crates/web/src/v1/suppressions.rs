//! The suppression list: who is left alone, why, and since when.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use repute_ledger::LedgerError;
use repute_ledger::suppression::{Entry, Query as Wanted, Scope, Selection, Suppressions, Why};
use repute_types::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::letter::{WORD_CURE, is_word};
use super::problems::{Reading, Writing};
use super::show::within;
use super::{LINE_CURE, is_line};
use crate::app::App;
use crate::body::Json;
use crate::caller::Caller;
use crate::http::Query;
use crate::problem::{self, FieldFault, Problem};
use crate::rights::{By, Reads, Suppresses};

/// An address that is left alone.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Suppression {
    #[schema(example = "bob@example.net")]
    address: String,
    /// Whose mail it counts for; null for everybody's.
    account: Option<String>,
    /// The list that it counts for; null for all mail of the account.
    list: Option<String>,
    #[schema(example = "unsubscribed")]
    why: Cause,
    reason: String,
    /// The reply or diagnostic text that proves it.
    reply: Option<String>,
    /// The message that it was learnt from.
    message: Option<String>,
    #[schema(format = DateTime)]
    since: String,
    /// Null: for good.
    #[schema(format = DateTime)]
    expires: Option<String>,
}

impl Suppression {
    /// For an account: by whose message it was learnt is not its to know.
    fn of_everybody(entry: &Entry) -> Suppression {
        Suppression { message: None, ..Suppression::from(entry) }
    }
}

impl From<&Entry> for Suppression {
    fn from(entry: &Entry) -> Suppression {
        Suppression {
            address: entry.address.to_string(),
            account: entry.scope.account().map(str::to_owned),
            list: entry.scope.list().map(str::to_owned),
            why: entry.why.into(),
            reason: entry.reason.clone(),
            reply: entry.reply.clone(),
            message: entry.message.map(|id| id.to_string()),
            since: entry.at.to_string(),
            expires: entry.expires.map(|at| at.to_string()),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SuppressionPage {
    suppressions: Vec<Suppression>,
    /// For `after` of the next page; null on the last.
    next: Option<String>,
}

#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listed {
    #[param(format = "email")]
    address: Option<String>,
    /// The domain of the address, exactly.
    #[param(format = "hostname")]
    domain: Option<String>,
    /// Only entries of this cause.
    why: Option<Cause>,
    /// `next` of the page before, as it was.
    after: Option<String>,
    /// At most so many; 50.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u16>,
}

fn store(app: &App) -> Result<Arc<Suppressions>, Problem> {
    app.control.suppression_store().ok_or_else(|| Problem::unavailable("this server keeps no suppression list"))
}

fn malformed(what: &str, why: impl std::fmt::Display) -> Problem {
    Problem::new(problem::MALFORMED, format!("{what}: {why}"))
}

/// Of the token's account alone, where it has one.
fn selection(
    caller: &Caller,
    address: Option<&str>,
    domain: Option<&str>,
    why: Option<Cause>,
) -> Result<Selection, Problem> {
    Ok(Selection {
        address: address.map(str::parse).transpose().map_err(|e| malformed("address", e))?,
        domain: domain.map(Domain::parse).transpose().map_err(|e| malformed("domain", e))?,
        account: caller.account().map(str::to_owned),
        scope: None,
        why: why.map(Why::from),
        since: None,
    })
}

/// List who is left alone
///
/// What is the token's account's; everything where it has none. Asked for one `address`, an account's token is told as well what
/// counts for everybody's mail, since its mail is refused for that too.
#[utoipa::path(get, path = "/v1/suppressions", operation_id = "listSuppressions", tag = "suppressions", params(Listed),
    responses((status = 200, description = "A page of the list", body = SuppressionPage), Reading))]
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    caller: By<Reads>,
    Query(listed): Query<Listed>,
) -> Result<Answer<SuppressionPage>, Problem> {
    let limit = within(listed.limit)?;
    let selection = selection(&caller, listed.address.as_deref(), listed.domain.as_deref(), listed.why)?;
    let (store, now) = (store(&app)?, app.control.now());
    let everybodys = everybodys_too(&caller, &store, &selection, now)?;
    let after = listed.after.as_deref().map(cursor).transpose()?;
    let wanted = Wanted { selection, after, limit: limit + 1, ..Wanted::default() };
    let mut entries = store.list(wanted, now).await.map_err(unreadable)?;
    let more = entries.len() > limit;
    entries.truncate(limit);
    let next = entries.last().filter(|_| more).and_then(place);
    let everybodys = everybodys.filter(|_| !more).map(|entry| Suppression::of_everybody(&entry));
    let suppressions = entries.iter().map(Suppression::from).chain(everybodys).collect();
    Ok(Answer(SuppressionPage { suppressions, next }))
}

fn unreadable(error: LedgerError) -> Problem {
    Problem::unavailable(error.to_string())
}

/// What keeps an account's mail from the address that it asks for, though it is no entry of its own.
fn everybodys_too(
    caller: &Caller,
    store: &Suppressions,
    selection: &Selection,
    now: Timestamp,
) -> Result<Option<Entry>, Problem> {
    let (Some(address), Some(_)) = (&selection.address, caller.account()) else { return Ok(None) };
    let entry = store.find(None, None, address, now).map_err(unreadable)?;
    let is_meant = |entry: &Entry| {
        selection.why.is_none_or(|why| why == entry.why)
            && selection.domain.as_ref().is_none_or(|domain| domain == entry.address.domain())
    };
    Ok(entry.filter(is_meant))
}

/// What is answered as `next` after this entry.
pub(crate) fn place(last: &Entry) -> Option<String> {
    serde_json::to_vec(last).ok().map(|json| URL_SAFE_NO_PAD.encode(json))
}

/// The last entry of the page before.
pub(crate) fn cursor(text: &str) -> Result<Entry, Problem> {
    let json = URL_SAFE_NO_PAD.decode(text).ok();
    let entry = json.and_then(|json| serde_json::from_slice(&json).ok());
    entry.ok_or_else(|| malformed("after", "this is not the `next` of a page"))
}

/// An address to leave alone.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suppress {
    #[schema(format = "email", example = "bob@example.net")]
    address: String,
    /// Only mail by this list of the account; for a token that has one.
    #[schema(
        min_length = 1,
        max_length = 128,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$"
    )]
    list: Option<String>,
    /// Why, for people.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable, max_length = 500, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$")]
    reason: String,
    /// `manual` where nothing is said.
    why: Option<Cause>,
    /// Until when, which is still to come; without it for good.
    #[schema(format = DateTime, value_type = Option<String>)]
    expires: Option<String>,
}

/// Why an address is left alone.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Cause {
    /// The receiver says that there is no such mailbox.
    Unknown,
    /// A person put it here.
    Manual,
    Unsubscribed,
    /// The recipient called mail spam.
    Complaint,
}

impl From<Cause> for Why {
    fn from(cause: Cause) -> Why {
        match cause {
            Cause::Unknown => Why::Unknown,
            Cause::Manual => Why::Manual,
            Cause::Unsubscribed => Why::Unsubscribed,
            Cause::Complaint => Why::Complaint,
        }
    }
}

impl From<Why> for Cause {
    fn from(why: Why) -> Cause {
        match why {
            Why::Unknown => Cause::Unknown,
            Why::Manual => Cause::Manual,
            Why::Unsubscribed => Cause::Unsubscribed,
            Why::Complaint => Cause::Complaint,
        }
    }
}

impl Suppress {
    fn entry(&self, account: Option<&str>, now: Timestamp) -> Result<Entry, Problem> {
        let mut faults = Vec::new();
        if !is_line(&self.reason) {
            faults.push(FieldFault::new("/reason", LINE_CURE));
        }
        if let Some(list) = &self.list {
            if !is_word(list) {
                faults.push(FieldFault::new("/list", format!("write {WORD_CURE}")));
            }
            if account.is_none() {
                faults.push(FieldFault::new("/list", "a list is one of an account: use a token of the account"));
            }
        }
        let expires = self.expires.as_deref().map(str::parse::<Timestamp>).transpose();
        if !matches!(expires, Ok(until) if until.is_none_or(|until| until > now)) {
            faults.push(FieldFault::new("/expires", "write a time to come, as RFC 3339 has it: 2027-01-31T00:00:00Z"));
        }
        let address = self.address.parse::<Address>().map_err(|why| {
            faults.push(FieldFault::new("/address", format!("{why}: write name@domain")));
        });
        let (Ok(address), Ok(expires), true) = (address, expires, faults.is_empty()) else {
            return Err(Problem::fields(faults));
        };
        let why = self.why.map_or(Why::Manual, Why::from);
        let scope = Scope::of(account, self.list.as_deref());
        Ok(Entry { reason: self.reason.clone(), expires, ..Entry::new(address, scope, why, now) })
    }
}

/// Leave an address alone
///
/// For the token's account, or for one list of it; for everybody where the token has no account.
#[utoipa::path(post, path = "/v1/suppressions", operation_id = "addSuppression", tag = "suppressions",
    request_body = Suppress,
    responses((status = 201, description = "Nothing is sent to it from now on", body = Suppression), Writing))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    caller: By<Suppresses>,
    suppress: Json<Suppress>,
) -> Result<(StatusCode, Answer<Suppression>), Problem> {
    let entry = suppress.value.entry(caller.account(), app.control.now())?;
    let answer = Suppression::from(&entry);
    store(&app)?.add(entry).await.map_err(|e| Problem::unavailable(e.to_string()))?;
    Ok((StatusCode::CREATED, Answer(answer)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Released {
    #[param(format = "email")]
    address: String,
    /// Only entries of this cause.
    why: Option<Cause>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReleasedAnswer {
    /// Entries that were taken away.
    released: usize,
    /// What counts for everybody's mail and so still stands; it is an operator's to take away.
    still: Option<Suppression>,
}

/// Let an address be written to again
///
/// Entries of the token's account; all of them where it has none. What counts for everybody's mail, as that there is no such
/// mailbox, is an operator's to take away: where nothing else stands, the answer is 403 and says why.
#[utoipa::path(delete, path = "/v1/suppressions", operation_id = "releaseSuppression", tag = "suppressions",
    params(Released),
    responses((status = 200, description = "How many entries were taken away", body = ReleasedAnswer), Reading))]
pub(crate) async fn release(
    State(app): State<Arc<App>>,
    caller: By<Suppresses>,
    Query(released): Query<Released>,
) -> Result<Answer<ReleasedAnswer>, Problem> {
    let selection = selection(&caller, Some(&released.address), None, released.why)?;
    let (address, why, store) = (selection.address.clone(), selection.why, store(&app)?);
    let done = store.release(selection).await.map_err(unreadable)?.entries;
    let still = match address.filter(|_| caller.account().is_some()) {
        Some(address) => store.find(None, None, &address, app.control.now()).map_err(unreadable)?,
        None => None,
    };
    let still = still.filter(|entry| why.is_none_or(|why| why == entry.why));
    match still {
        Some(entry) if done == 0 => Err(everybodys(&entry)),
        still => {
            let still = still.as_ref().map(Suppression::of_everybody);
            Ok(Answer(ReleasedAnswer { released: done, still }))
        }
    }
}

/// Why an account's token does not take an entry away.
pub(crate) fn everybodys(entry: &Entry) -> Problem {
    let detail = format!(
        "mail to {0} is suppressed for every account: {1}; an operator can let it be written to again: `repute suppression \
         release {0}`, or this call with a token of no account that may `suppress`",
        entry.address,
        entry.told()
    );
    Problem::new(problem::NOT_ALLOWED, detail)
}
