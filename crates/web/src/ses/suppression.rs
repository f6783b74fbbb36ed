//! The suppression list of SES, version 2: `PutSuppressedDestination`, `GetSuppressedDestination`,
//! `ListSuppressedDestinations` and `DeleteSuppressedDestination`, of the token's account.
//!
//! SES knows two reasons: a complaint is `COMPLAINT`, and all else `BOUNCE`.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use repute_ledger::suppression::{Entry, Why};
use repute_types::{Address, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{failed, json, known};
use crate::app::App;
use crate::body;
use crate::form;
use crate::http::Path;
use crate::moved::{Gathered, Most, OfAccount, Released};
use crate::problem::{self, FieldFault, Problem};
use crate::settings::Action;
use crate::v1::suppressions::{cursor, everybodys, place};

/// Entries of a page at most, as at SES.
const PAGE: usize = 1000;
/// Entries that are looked at for one page: where few fit, it ends before it is full, and the next goes on.
const LOOKED_AT: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Put {
    email_address: String,
    reason: String,
}

pub(super) async fn put(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (caller, raw) = known(&app, request).await?;
        let list = OfAccount::of(&app, &caller, Action::Suppress)?;
        let Put { email_address, reason } = body::parse(&raw.octets)?;
        let address = address(&email_address);
        let why = why(&reason).ok_or_else(|| FieldFault::new("/Reason", "write BOUNCE or COMPLAINT"));
        match (address, why) {
            (Ok(address), Ok(why)) => list.add(vec![address], why).await,
            (address, why) => Err(Problem::fields(address.err().into_iter().chain(why.err()).collect())),
        }
    };
    answer(done.await.map(|()| json!({})))
}

pub(super) async fn get(State(app): State<Arc<App>>, Path(email): Path<String>, request: Request) -> Response {
    let done = async {
        let (caller, _) = known(&app, request).await?;
        let list = OfAccount::of(&app, &caller, Action::Read)?;
        let address = address(&email).map_err(|fault| Problem::fields(vec![fault]))?;
        let entry = list.find(&address)?.ok_or_else(|| not_there(&address))?;
        let mut destination = summary(&entry);
        if let Some(message) = entry.message.filter(|_| entry.scope.account().is_some()) {
            destination["Attributes"] = json!({ "MessageId": message });
        }
        Ok(json!({ "SuppressedDestination": destination }))
    };
    answer(done.await)
}

pub(super) async fn delete(State(app): State<Arc<App>>, Path(email): Path<String>, request: Request) -> Response {
    let done = async {
        let (caller, _) = known(&app, request).await?;
        let list = OfAccount::of(&app, &caller, Action::Suppress)?;
        let address = address(&email).map_err(|fault| Problem::fields(vec![fault]))?;
        match list.release(&address).await? {
            Released::Gone => Ok(json!({})),
            Released::NotThere => Err(not_there(&address)),
            Released::Everybodys(entry) => Err(everybodys(&entry)),
        }
    };
    answer(done.await)
}

pub(super) async fn list(State(app): State<Arc<App>>, request: Request) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let done = async {
        let (caller, _) = known(&app, request).await?;
        let list = OfAccount::of(&app, &caller, Action::Read)?;
        let wanted = Wanted::read(&query)?;
        let most = Most { found: wanted.size, looked_at: LOOKED_AT };
        let is_wanted = |entry: &Entry| wanted.has(entry).then(|| summary(entry));
        let Gathered { found, next } = list.gather(wanted.after.clone(), most, is_wanted).await?;
        let mut answer = json!({ "SuppressedDestinationSummaries": found });
        if let Some(next) = next.as_ref().and_then(place) {
            answer["NextToken"] = next.into();
        }
        Ok(answer)
    };
    answer(done.await)
}

/// What the query of a list asks for.
struct Wanted {
    reasons: Vec<Why>,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
    size: usize,
    after: Option<Entry>,
}

impl Wanted {
    fn read(query: &str) -> Result<Wanted, Problem> {
        let wrong = |name: &str, cure: &str| Problem::new(problem::MALFORMED, format!("{name}: {cure}"));
        let pairs = form::pairs(query.as_bytes()).ok_or_else(|| wrong("query", "it is not percent-encoded UTF-8"))?;
        let mut wanted = Wanted { reasons: Vec::new(), since: None, until: None, size: PAGE, after: None };
        for (name, value) in &pairs {
            let time = || time(value).map(Some).ok_or_else(|| wrong(name, "write a time: 2026-11-24T08:00:00Z"));
            match name.as_str() {
                "Reason" | "Reasons" => {
                    wanted.reasons.push(why(value).ok_or_else(|| wrong(name, "write BOUNCE or COMPLAINT"))?);
                }
                "StartDate" => wanted.since = time()?,
                "EndDate" => wanted.until = time()?,
                "PageSize" => {
                    let size = value.parse().ok().filter(|size| (1..=PAGE).contains(size));
                    wanted.size = size.ok_or_else(|| wrong(name, "it has to be 1 to 1000"))?;
                }
                "NextToken" => {
                    let after = cursor(value).map_err(|_| wrong(name, "this is not the NextToken of a page"))?;
                    wanted.after = Some(after);
                }
                _ => {}
            }
        }
        Ok(wanted)
    }

    fn has(&self, entry: &Entry) -> bool {
        (self.reasons.is_empty() || self.reasons.iter().any(|why| reason(*why) == reason(entry.why)))
            && self.since.is_none_or(|since| entry.at >= since)
            && self.until.is_none_or(|until| entry.at <= until)
    }
}

/// As a client writes it in a query, or in a document.
fn time(text: &str) -> Option<Timestamp> {
    let seconds = || text.parse::<f64>().ok().filter(|seconds| seconds.is_finite());
    text.parse().ok().or_else(|| Some(Timestamp((seconds()? * 1000.0) as i64)))
}

fn why(reason: &str) -> Option<Why> {
    match reason {
        "BOUNCE" => Some(Why::Unknown),
        "COMPLAINT" => Some(Why::Complaint),
        _ => None,
    }
}

fn reason(why: Why) -> &'static str {
    if why == Why::Complaint { "COMPLAINT" } else { "BOUNCE" }
}

fn summary(entry: &Entry) -> Value {
    json!({
        "EmailAddress": entry.address.to_string(),
        "Reason": reason(entry.why),
        "LastUpdateTime": entry.at.millis() as f64 / 1000.0,
    })
}

fn address(text: &str) -> Result<Address, FieldFault> {
    text.parse().map_err(|why| FieldFault::new("/EmailAddress", format!("{why}: write name@domain")))
}

fn not_there(address: &Address) -> Problem {
    Problem::new(problem::NOT_FOUND, format!("Email address {address} does not exist on your suppression list."))
}

fn answer(done: Result<Value, Problem>) -> Response {
    match done {
        Ok(body) => json(StatusCode::OK, &body),
        Err(problem) => failed(&problem),
    }
}
