//! Looking at a campaign before it is begun: are these addresses that can be written to, and what would the
//! messages be? Nothing is kept of either.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use axum::Json as Answer;
use axum::extract::State;
use repute_engine::bulk::words::{self, MOST_ROWS, Refused, Row, WhyNot};
use repute_engine::bulk::{CheckAddresses, Takes};
use repute_types::{Address, Domain};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Begin;
use crate::app::App;
use crate::body::Json;
use crate::problem::{FieldFault, Problem};
use crate::rights::{By, Sends};
use crate::v1::problems::Writing;

/// Addresses that somebody wants to write to.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Check {
    /// The list that they would be written to by, named as where a campaign is begun.
    #[schema(min_length = 1, max_length = 64, pattern = r"^ *[A-Za-z0-9._-]+ *$", example = "weekly")]
    list: Option<String>,
    #[schema(max_items = 2000)]
    emails: Vec<String>,
    /// Whether the name servers are asked which domains take mail.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable)]
    domains: bool,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Checked {
    /// Those that can be written to.
    good: usize,
    refused: Vec<RefusedRow>,
    /// Domains of which it could not be found out whether they take mail.
    unknown_domains: Vec<String>,
}

/// A row that is not written to.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct RefusedRow {
    /// Its number in the list, from 0; the header row of CSV does not count.
    row: u32,
    email: String,
    #[schema(example = "syntax")]
    why: String,
    /// What exactly, for people.
    text: String,
}

impl RefusedRow {
    pub fn why(&self) -> &str {
        &self.why
    }
}

impl From<Refused> for RefusedRow {
    fn from(refused: Refused) -> RefusedRow {
        let Refused { row, email, why, text } = refused;
        RefusedRow { row, email, why: why.as_str().to_owned(), text }
    }
}

/// Check addresses before they are written to
///
/// Which are none, are an office's (`noreply@`), are suppressed, stand there twice, or are at domains that take no
/// mail. At most 2,000 at once.
#[utoipa::path(post, path = "/v1/campaigns/check", operation_id = "checkRecipients", tag = "campaigns",
    request_body = Check,
    responses((status = 200, description = "What would not be written to, and why", body = Checked), Writing))]
pub(crate) async fn check(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    check: Json<Check>,
) -> Result<Answer<Checked>, Problem> {
    let account = caller.sends()?.name.to_string();
    let Check { list, emails, domains } = check.value;
    if emails.len() > MOST_ROWS {
        let cure = format!("at most {MOST_ROWS} addresses can be asked about at once");
        return Err(Problem::fields(vec![FieldFault::new("/emails", cure)]));
    }
    let question = CheckAddresses { account, list, emails };
    let mut refused = refused(&app, &question)?;
    let mut rows: BTreeMap<Domain, Vec<u32>> = BTreeMap::new();
    for (row, email) in (0u32..).zip(&question.emails).filter(|(row, _)| domains && !refused.contains_key(row)) {
        let Ok(address) = Address::parse(email.trim()) else { continue };
        rows.entry(address.domain().clone()).or_default().push(row);
    }
    let mut unknown_domains = Vec::new();
    for asked in app.control.check_domains(rows.keys().cloned().collect()).await? {
        match asked.takes {
            Takes::Mail => {}
            Takes::Unknown => unknown_domains.push(asked.domain.to_string()),
            Takes::Nothing => refused.extend(rows.remove(&asked.domain).unwrap_or_default().into_iter().map(|row| {
                let email = question.emails.get(row as usize).cloned().unwrap_or_default();
                (row, Refused { row, email, why: WhyNot::Domain, text: asked.text.clone() })
            })),
        }
    }
    let good = question.emails.len() - refused.len();
    Ok(Answer(Checked { good, refused: refused.into_values().map(RefusedRow::from).collect(), unknown_domains }))
}

/// Which addresses are not written to, by their places, as far as can be said without asking for their domains.
fn refused(app: &App, question: &CheckAddresses) -> Result<BTreeMap<u32, Refused>, Problem> {
    let mut refused: BTreeMap<u32, Refused> =
        app.control.check_addresses(question)?.into_iter().map(|refused| (refused.row, refused)).collect();
    let mut seen = HashSet::new();
    for (row, email) in (0u32..).zip(&question.emails) {
        let Ok(address) = Address::parse(email.trim()) else { continue };
        if !refused.contains_key(&row) && !seen.insert(repute_ledger::suppression::spelling(&address)) {
            let text = "this address was on the list before".to_owned();
            refused.insert(row, Refused { row, email: email.clone(), why: WhyNot::Duplicate, text });
        }
    }
    Ok(refused)
}

/// A letter and some rows of its list.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Preview {
    begin: Begin,
    #[serde(deserialize_with = "crate::object::list")]
    #[schema(max_items = 100)]
    rows: Vec<PreviewRow>,
}

#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PreviewRow {
    #[schema(example = "ann@example.net")]
    email: String,
    /// In the order of `fields`; an empty text is a field that is not there.
    #[serde(default, deserialize_with = "crate::object::or_default")]
    #[schema(nullable)]
    values: Vec<String>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Previews {
    messages: Vec<PreviewMessage>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PreviewMessage {
    email: String,
    /// As it would go out, signed and all; its links lead nowhere.
    message: String,
    /// Why nothing is sent to this row, whatever its message would be; null where it is.
    left_out: Option<LeftOut>,
}

#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LeftOut {
    /// `role` only where `roles` of the recipients is not said.
    #[schema(example = "suppressed")]
    why: String,
    /// What exactly, for people.
    text: String,
}

impl From<Refused> for LeftOut {
    fn from(Refused { why, text, .. }: Refused) -> LeftOut {
        LeftOut { why: why.as_str().to_owned(), text }
    }
}

const PREVIEWS: usize = 100;

/// See the messages that rows of a list would get
#[utoipa::path(post, path = "/v1/campaigns/preview", operation_id = "previewCampaign", tag = "campaigns",
    request_body = Preview,
    responses((status = 200, description = "The messages; nothing is kept or sent", body = Previews), Writing))]
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    preview: Json<Preview>,
) -> Result<Answer<Previews>, Problem> {
    let account = caller.sends()?.name.to_string();
    let Preview { begin, rows } = preview.value;
    if rows.len() > PREVIEWS {
        return Err(Problem::fields(vec![FieldFault::new(
            "/rows",
            format!("at most {PREVIEWS} rows are shown at once"),
        )]));
    }
    let rows: Vec<Row> = rows.into_iter().map(|row| Row { email: row.email, values: row.values }).collect();
    let begin = begin.of(&account).map_err(|problem| problem.under("/begin"))?;
    let emails = rows.iter().map(|row| row.email.clone()).collect();
    let list = begin.list.clone().or_else(|| Some(begin.campaign.clone()));
    let mut refused = refused(&app, &CheckAddresses { account, list, emails })?;
    let message = |(row, shown): (u32, words::Preview)| PreviewMessage {
        email: shown.email,
        message: shown.message,
        left_out: refused.remove(&row).map(LeftOut::from),
    };
    let messages = (0u32..).zip(app.control.preview(&begin, &rows).await?).map(message).collect();
    Ok(Answer(Previews { messages }))
}
