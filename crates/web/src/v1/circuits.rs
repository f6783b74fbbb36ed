//! Circuits: accounts and campaigns that were stopped because their mail costs our name too much, and a person's
//! word on them. That mail goes on is an operator's word: whoever stole an account's token must not be able to say it. That it
//! is not sent at all, the account may say too.

use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_engine::CircuitRow;
use repute_engine::control::{self as held, Changes};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::cancel::Changed;
use super::problems::{Reading, Writing};
use crate::app::App;
use crate::body::Json;
use crate::caller::Caller;
use crate::problem::{self, Problem};
use crate::rights::{By, CancelsCircuits, Operates, Reads};

/// What is stopped, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Circuit {
    /// What `continue` and `cancel` are given: ACCOUNT, or ACCOUNT/CAMPAIGN.
    #[schema(example = "shop/spring")]
    name: String,
    account: String,
    campaign: Option<String>,
    what: String,
    #[schema(format = DateTime)]
    since: String,
    /// The numbers, and examples.
    text: String,
    /// What to do about it; an operator lets it go on by `POST /v1/circuits/continue`, too.
    cure: String,
}

impl From<CircuitRow> for Circuit {
    fn from(row: CircuitRow) -> Circuit {
        let CircuitRow { name, account, campaign, what, since, text, cure, .. } = row;
        Circuit { name, account, campaign, what, since: since.to_string(), text, cure }
    }
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Circuits {
    circuits: Vec<Circuit>,
}

/// List what is stopped, and why
#[utoipa::path(get, path = "/v1/circuits", operation_id = "listCircuits", tag = "circuits",
    responses((status = 200, description = "Open circuits, of the token's account where it has one", body = Circuits), Reading))]
pub(crate) async fn list(State(app): State<Arc<App>>, caller: By<Reads>) -> Result<Answer<Circuits>, Problem> {
    Ok(Answer(Circuits { circuits: seen(&app, &caller) }))
}

/// Those that are open, of the token's account where it has one.
pub(super) fn seen(app: &App, caller: &Caller) -> Vec<Circuit> {
    let open = app.control.circuits().open.into_iter();
    open.filter(|row| caller.account().is_none_or(|mine| row.account == mine)).map(Circuit::from).collect()
}

/// What goes on, and what does not.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Continued {
    #[serde(flatten)]
    changed: Changed,
    /// What holds the rest still; it is not counted above.
    still: Vec<StillHeld>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StillHeld {
    /// An account, ACCOUNT/CAMPAIGN, or the domain that mail is sent as.
    #[schema(example = "shop")]
    name: String,
    /// How many parts of what was meant; null where they were not counted.
    parts: Option<usize>,
    /// Why.
    text: String,
    /// What lets it go on.
    cure: String,
}

impl From<Changes> for Continued {
    fn from(changes: Changes) -> Continued {
        let row = |one: held::StillHeld| StillHeld { name: one.name, parts: one.parts, text: one.text, cure: one.cure };
        let still = changes.still.iter().cloned().map(row).collect();
        Continued { changed: changes.into(), still }
    }
}

/// An open circuit.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// As the list has it: ACCOUNT, or ACCOUNT/CAMPAIGN.
    #[schema(example = "shop/spring")]
    name: String,
}

/// Let the mail of an account or campaign go on
///
/// What was held is tried now, but for what something else holds. What went wrong until now counts no more.
#[utoipa::path(post, path = "/v1/circuits/continue", operation_id = "continueCircuit", tag = "circuits", request_body = Named,
    responses((status = 200, description = "What goes on, and what is still held", body = Continued), Writing))]
pub(crate) async fn go_on(
    State(app): State<Arc<App>>,
    caller: By<Operates>,
    named: Json<Named>,
) -> Result<Answer<Continued>, Problem> {
    Ok(Answer(app.control.continue_circuit(&named.value.name, &caller.said_by()).await?.into()))
}

/// Take all waiting mail of an account or campaign out of the queue; its sender is not told
///
/// An account's token with `queue` may do it to the account's own; letting it go on is for operators.
#[utoipa::path(post, path = "/v1/circuits/cancel", operation_id = "cancelCircuit", tag = "circuits", request_body = Named,
    responses((status = 200, description = "How many parts are not sent any more", body = Changed), Writing))]
pub(crate) async fn cancel(
    State(app): State<Arc<App>>,
    caller: By<CancelsCircuits>,
    named: Json<Named>,
) -> Result<Answer<Changed>, Problem> {
    let name = &named.value.name;
    let is_of = |mine: &str| name == mine || name.split_once('/').is_some_and(|(account, _)| account == mine);
    if caller.account().is_some_and(|mine| !is_of(mine)) {
        let detail = format!("no circuit {name:?} of this account is open: GET /v1/circuits has the names");
        return Err(Problem::new(problem::NOT_FOUND, detail));
    }
    Ok(Answer(app.control.cancel_circuit(&named.value.name, &caller.said_by()).await?.into()))
}
