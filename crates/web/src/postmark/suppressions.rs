//! The suppressions of Postmark, of the token's account: `GET /message-streams/STREAM/suppressions/dump`, and `POST` of addresses to
//! `.../suppressions` and `.../suppressions/delete`. An account has one list here, whichever stream is named.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use repute_ledger::suppression::{Entry, Why};
use repute_types::{Address, Timestamp};
use serde::{Deserialize, Serialize};

use super::{document, json, known, refused};
use crate::app::App;
use crate::body;
use crate::http::Query;
use crate::moved::{Gathered, Most, OfAccount, Released};
use crate::problem::{FieldFault, Problem};
use crate::settings::Action;

/// Addresses of one call, as at Postmark.
const ADDRESSES: usize = 50;
/// A longer list is asked for in pages, which Postmark's call does not have.
const DUMPED: usize = 100_000;

/// Postmark's clients spell these in three ways: `EmailAddress`, `emailAddress`, `fromdate`.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Wanted {
    #[serde(alias = "suppressionReason", alias = "suppressionreason")]
    suppression_reason: Option<String>,
    #[serde(alias = "origin")]
    origin: Option<String>,
    #[serde(alias = "emailAddress", alias = "emailaddress")]
    email_address: Option<String>,
    /// `2026-11-24`.
    #[serde(alias = "fromDate", alias = "fromdate")]
    from_date: Option<String>,
    #[serde(alias = "toDate", alias = "todate")]
    to_date: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Suppression {
    email_address: String,
    suppression_reason: &'static str,
    origin: &'static str,
    created_at: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List<T> {
    suppressions: Vec<T>,
}

impl From<&Entry> for Suppression {
    fn from(entry: &Entry) -> Suppression {
        let (suppression_reason, origin) = match entry.why {
            Why::Unknown => ("HardBounce", "Recipient"),
            Why::Complaint => ("SpamComplaint", "Recipient"),
            Why::Unsubscribed => ("ManualSuppression", "Recipient"),
            Why::Manual => ("ManualSuppression", "Customer"),
        };
        Suppression {
            email_address: entry.address.to_string(),
            suppression_reason,
            origin,
            created_at: entry.at.to_string(),
        }
    }
}

impl Wanted {
    fn has(&self, of: &Suppression) -> bool {
        let is = |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w.eq_ignore_ascii_case(value));
        let day = of.created_at.get(..10).unwrap_or_default();
        is(&self.suppression_reason, of.suppression_reason)
            && is(&self.origin, of.origin)
            && self.from_date.as_deref().is_none_or(|from| day >= from)
            && self.to_date.as_deref().is_none_or(|to| day <= to)
    }

    /// Days are compared as they are written.
    fn check(&self) -> Result<(), Problem> {
        let is_day = |day: &str| format!("{day}T00:00:00Z").parse::<Timestamp>().is_ok();
        let days = [("/FromDate", &self.from_date), ("/ToDate", &self.to_date)];
        let wrong = days.iter().filter(|(_, day)| day.as_deref().is_some_and(|day| !is_day(day)));
        let faults: Vec<_> = wrong.map(|(place, _)| FieldFault::new(*place, "write a day: 2026-11-24")).collect();
        if faults.is_empty() { Ok(()) } else { Err(Problem::fields(faults)) }
    }
}

pub(super) async fn dump(
    State(app): State<Arc<App>>,
    wanted: Result<Query<Wanted>, Problem>,
    request: Request,
) -> Response {
    let caller = known(&app, &request);
    let done = async {
        let list = OfAccount::of(&app, &caller?, Action::Read)?;
        let Query(wanted) = wanted?;
        wanted.check()?;
        if let Some(text) = &wanted.email_address {
            let address = address(text).map_err(|why| Problem::fields(vec![FieldFault::new("/EmailAddress", why)]))?;
            let found = list.find(&address)?.as_ref().map(Suppression::from);
            return Ok(List { suppressions: found.into_iter().filter(|one| wanted.has(one)).collect() });
        }
        let most = Most { found: usize::MAX, looked_at: DUMPED };
        let is_wanted = |entry: &Entry| Some(Suppression::from(entry)).filter(|one| wanted.has(one));
        match list.gather(None, most, is_wanted).await? {
            Gathered { found, next: None } => Ok(List { suppressions: found }),
            Gathered { next: Some(_), .. } => {
                let what = format!("the list has more than {DUMPED} addresses: ask in pages, by GET /v1/suppressions");
                Err(Problem::fields(vec![FieldFault::new("", what)]))
            }
        }
    };
    match done.await {
        Ok(list) => json(StatusCode::OK, &list),
        Err(problem) => refused(&problem, ""),
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    suppressions: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    email_address: String,
}

/// What became of one address.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Done {
    email_address: String,
    status: &'static str,
    message: Option<String>,
}

pub(super) async fn add(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (list, asked) = asked(&app, request).await?;
        let read: Vec<_> = asked.into_iter().map(|text| (address(&text), text)).collect();
        let good = read.iter().filter_map(|(address, _)| address.clone().ok()).collect();
        list.add(good, Why::Manual).await?;
        Ok(read.into_iter().map(|(address, text)| Done::of(text, "Suppressed", address.map(drop))).collect())
    };
    answer(done.await)
}

pub(super) async fn delete(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (list, asked) = asked(&app, request).await?;
        let mut all = Vec::new();
        for text in asked {
            let released = match address(&text) {
                Ok(address) => match list.release(&address).await? {
                    Released::Gone | Released::NotThere => Ok(()),
                    Released::Everybodys(entry) => Err(format!("it is an operator's to take away: {}", entry.told())),
                },
                Err(why) => Err(why),
            };
            all.push(Done::of(text, "Deleted", released));
        }
        Ok(all)
    };
    answer(done.await)
}

impl Done {
    fn of(email_address: String, status: &'static str, done: Result<(), String>) -> Done {
        let status = if done.is_ok() { status } else { "Failed" };
        Done { email_address, status, message: done.err() }
    }
}

async fn asked(app: &Arc<App>, request: Request) -> Result<(OfAccount, Vec<String>), Problem> {
    let caller = known(app, &request)?;
    let list = OfAccount::of(app, &caller, Action::Suppress)?;
    let Asked { suppressions } = body::parse(&document(app, request).await?.octets)?;
    if suppressions.len() > ADDRESSES {
        let what = format!("at most {ADDRESSES} addresses in one call");
        return Err(Problem::fields(vec![FieldFault::new("/Suppressions", what)]));
    }
    Ok((list, suppressions.into_iter().map(|named| named.email_address).collect()))
}

fn address(text: &str) -> Result<Address, String> {
    text.trim().parse().map_err(|why| format!("{why}: write name@domain"))
}

fn answer(done: Result<Vec<Done>, Problem>) -> Response {
    match done {
        Ok(suppressions) => json(StatusCode::OK, &List { suppressions }),
        Err(problem) => refused(&problem, ""),
    }
}
