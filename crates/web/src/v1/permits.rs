//! Permits: which mail may leave from where, why not, and an operator's word on it; and the checks that they
//! rest on.

use std::net::IpAddr;
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use axum::http::StatusCode;
use repute_engine::permit::operator::{self, CheckRow, PermitRow, Say};
use repute_trust::permit::{Override, State as Found, Word};
use repute_types::Domain;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::is_line;
use super::problems::{Reading, Writing};
use crate::app::App;
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::{FieldFault, Problem};
use crate::rights::{By, Operates, Reads};

/// Whether mail of a domain may leave from an address.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Permit {
    /// Null: by a relay host.
    #[schema(example = "203.0.113.10")]
    address: Option<String>,
    #[schema(example = "example.com")]
    domain: String,
    /// By an operator: `allowed` or `barred`.
    #[schema(example = "suspended")]
    state: String,
    may: bool,
    /// Why it may not leave, and what to do.
    why: Option<String>,
    /// Points of trust, of 100.
    trust: u32,
    /// Since when it is permitted or suspended.
    #[schema(format = DateTime)]
    since: Option<String>,
    /// The check that failed, what it said, what to do, and why mail waits for it.
    check: Option<String>,
    verdict: Option<String>,
    cure: Option<String>,
    because: Option<String>,
    said: Option<Said>,
}

/// What an operator said.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Said {
    word: String,
    #[schema(format = DateTime)]
    until: String,
    reason: String,
    who: String,
}

impl From<&Override> for Said {
    fn from(said: &Override) -> Said {
        let (word, until) = (said.word.as_str().to_owned(), said.until.to_string());
        Said { word, until, reason: said.reason.clone(), who: said.who.clone() }
    }
}

impl From<PermitRow> for Permit {
    fn from(row: PermitRow) -> Permit {
        let said = row.rights.overridden.as_ref().map(Said::from);
        let mut permit = Permit {
            address: row.address.map(|address| address.to_string()),
            domain: row.domain.to_string(),
            state: row.word.to_owned(),
            may: row.may,
            why: row.why,
            trust: row.trust,
            since: None,
            check: None,
            verdict: None,
            cure: None,
            because: None,
            said,
        };
        match row.rights.found {
            Found::Unproven { .. } => {}
            Found::Permitted { since } => permit.since = Some(since.to_string()),
            Found::Suspended { check, verdict, cure, because, since } => {
                (permit.check, permit.verdict, permit.since) = (Some(check), Some(verdict), Some(since.to_string()));
                (permit.cure, permit.because) = (Some(cure).filter(|cure| !cure.is_empty()), Some(because.to_owned()));
            }
        }
        permit
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Permits {
    /// Whether mail without a permit waits.
    enforced: bool,
    /// Whether checks are repeated.
    watched: bool,
    /// Checks that are taken as passed.
    assumed: Vec<String>,
    permits: Vec<Permit>,
    /// Parts of messages that wait for a permit; null for a token that sees one account alone.
    waiting: Option<usize>,
}

impl Permits {
    /// Of the domains that the caller may see.
    fn of(list: operator::PermitList, caller: &Caller) -> Permits {
        let operator::PermitList { enforced, watched, assumed, rows, waiting } = list;
        let permits = rows.into_iter().filter(|row| caller.sees(&row.domain)).map(Permit::from).collect();
        Permits { enforced, watched, assumed, permits, waiting: caller.account().is_none().then_some(waiting) }
    }
}

/// List which mail may leave from where, and why not
///
/// For the domains of the token's account; all without one.
#[utoipa::path(get, path = "/v1/permits", operation_id = "listPermits", tag = "trust",
    responses((status = 200, description = "Each address with each domain", body = Permits), Reading))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<Permits>, Problem> {
    Ok(Answer(Permits::of(app.control.permits(), &caller)))
}

/// A word on permits, for a time and with a reason.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct SayWord {
    /// An address that mail leaves from; null: every address.
    #[serde(default)]
    address: Option<String>,
    /// A domain; null: every domain.
    #[serde(default)]
    #[schema(format = "hostname", example = "example.com")]
    domain: Option<String>,
    /// For how long, in seconds; 2 hours where nothing is said, 30 days at most.
    #[schema(minimum = 1, maximum = 2_592_000)]
    #[serde(default, deserialize_with = "crate::object::whole")]
    seconds: Option<u64>,
    /// Why; it is kept with the name of the token.
    #[schema(
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$",
        example = "the hoster changes the PTR tonight"
    )]
    reason: String,
}

/// Takes back what was said about an address and a domain.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct TakeBack {
    /// An address that mail leaves from; null: what was said of every address.
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    #[schema(format = "hostname")]
    domain: Option<String>,
}

const TWO_HOURS: u64 = 2 * 3600;

struct About(Option<IpAddr>, Option<Domain>);

fn about(address: Option<&str>, domain: Option<&str>, faults: &mut Vec<FieldFault>) -> About {
    let address = address.map(|text| {
        let wrong =
            |_| faults.push(FieldFault::new("/address", "this is not an IP address: leave it out for every address"));
        text.parse::<IpAddr>().map_err(wrong)
    });
    let domain =
        domain.map(|text| Domain::parse(text).map_err(|why| faults.push(FieldFault::new("/domain", why.to_string()))));
    About(address.and_then(Result::ok), domain.and_then(Result::ok))
}

impl SayWord {
    fn said(self, word: Word, who: String) -> Result<Say, Problem> {
        let mut faults = Vec::new();
        let About(address, domain) = about(self.address.as_deref(), self.domain.as_deref(), &mut faults);
        let reason = self.reason.trim().to_owned();
        if reason.is_empty() || !is_line(&self.reason) {
            let cure = "say why, for whoever finds it later: 1 to 500 characters without control characters";
            faults.push(FieldFault::new("/reason", cure));
        }
        let seconds = self.seconds.unwrap_or(TWO_HOURS);
        if !operator::HOLDS.contains(&seconds) {
            faults
                .push(FieldFault::new("/seconds", format!("a word holds for 1 to {} seconds", operator::HOLDS.end())));
        }
        match faults.is_empty() {
            true => Ok(Say { word: Some(word), address, domain, seconds, reason, who }),
            false => Err(Problem::fields(faults)),
        }
    }
}

/// Let mail leave although a check fails, for a time
#[utoipa::path(post, path = "/v1/permits/allow", operation_id = "allowPermit", tag = "trust", request_body = SayWord,
    responses((status = 200, description = "What holds now", body = Permits), Writing))]
pub(crate) async fn allow(
    State(app): State<Arc<App>>,
    caller: By<Operates>,
    word: Json<SayWord>,
) -> Result<Answer<Permits>, Problem> {
    let said = word.value.said(Word::Allow, caller.said_by())?;
    Ok(Answer(Permits::of(app.control.say(said).await?, &caller)))
}

/// Keep mail from leaving although all is well, for a time
#[utoipa::path(post, path = "/v1/permits/suspend", operation_id = "suspendPermit", tag = "trust", request_body = SayWord,
    responses((status = 200, description = "What holds now", body = Permits), Writing))]
pub(crate) async fn suspend(
    State(app): State<Arc<App>>,
    caller: By<Operates>,
    word: Json<SayWord>,
) -> Result<Answer<Permits>, Problem> {
    let said = word.value.said(Word::Suspend, caller.said_by())?;
    Ok(Answer(Permits::of(app.control.say(said).await?, &caller)))
}

/// Take back what was said by allow or suspend
#[utoipa::path(post, path = "/v1/permits/reset", operation_id = "resetPermit", tag = "trust", request_body = TakeBack,
    responses((status = 200, description = "What holds now", body = Permits), Writing))]
pub(crate) async fn reset(
    State(app): State<Arc<App>>,
    caller: By<Operates>,
    back: Json<TakeBack>,
) -> Result<Answer<Permits>, Problem> {
    let mut faults = Vec::new();
    let About(address, domain) = about(back.value.address.as_deref(), back.value.domain.as_deref(), &mut faults);
    if !faults.is_empty() {
        return Err(Problem::fields(faults));
    }
    let say = Say { word: None, address, domain, seconds: 0, reason: String::new(), who: caller.said_by() };
    Ok(Answer(Permits::of(app.control.say(say).await?, &caller)))
}

/// What is known of one check about one subject.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckResult {
    #[schema(example = "name.fcrdns")]
    check: String,
    address: Option<String>,
    domain: Option<String>,
    about: String,
    /// `unknown` where nothing definite has been answered yet.
    #[schema(example = "bad")]
    result: String,
    #[schema(format = DateTime)]
    since: String,
    /// What the last definite answer said.
    verdict: String,
    /// What to do about it.
    cure: Option<String>,
}

impl From<CheckRow> for CheckResult {
    fn from(row: CheckRow) -> CheckResult {
        CheckResult {
            check: row.check,
            address: row.address.map(|address| address.to_string()),
            domain: row.domain.map(|domain| domain.to_string()),
            about: row.about,
            result: row.result.to_owned(),
            since: row.since.to_string(),
            verdict: row.verdict,
            cure: Some(row.cure).filter(|cure| !cure.is_empty()),
        }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checks {
    checks: Vec<CheckResult>,
}

/// List what the watch has found
///
/// About the domains of the token's account; without one also about every address.
#[utoipa::path(get, path = "/v1/checks", operation_id = "listChecks", tag = "trust",
    responses((status = 200, description = "Each check about each subject", body = Checks), Reading))]
pub(crate) async fn checks(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<Checks>, Problem> {
    let sees = |row: &CheckRow| match &row.domain {
        Some(domain) => caller.sees(domain),
        None => caller.account().is_none(),
    };
    Ok(Answer(Checks { checks: app.control.checks().into_iter().filter(sees).map(CheckResult::from).collect() }))
}

/// Look again now instead of at the next time
#[utoipa::path(post, path = "/v1/checks", operation_id = "repeatChecks", tag = "trust",
    responses((status = 202, description = "The checks that permits need are made; what they find is listed in a moment"), Writing))]
pub(crate) async fn recheck(State(app): State<Arc<App>>, _: By<Operates>) -> Result<StatusCode, Problem> {
    app.control.recheck(Vec::new());
    Ok(StatusCode::ACCEPTED)
}
