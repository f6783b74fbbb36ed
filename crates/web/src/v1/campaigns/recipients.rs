//! Recipients of a campaign, as many as there are, in one call: the body is the list, read as it comes.
//!
//! Promises: no more than one batch of rows is in memory; a batch is on disk before the next is read, so the sender
//! is no faster than the disk; what is broken off goes on at the row that the campaign names (`rows`), and rows that
//! came in before are passed over. A refused row is told and does not end the call.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json as Answer;
use axum::body::Body;
use axum::extract::{Request, State};
use http_body_util::BodyExt as _;
use repute_engine::bulk::CheckAddresses;
use repute_engine::bulk::words::{Add, Added, BulkError, Loading, Row, WhyNot};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::check::RefusedRow;
use super::domains::Domains;
use super::find;
use super::rows::{Read, Rows};
use crate::app::App;
use crate::body;
use crate::http::{Path, Query};
use crate::problem::{self, Problem};
use crate::rights::{By, Sends};
use crate::v1::problems::Writing;

/// Rows of one batch, and octets of them.
const BATCH: usize = 1_000;
const OCTETS: usize = 1 << 20;
/// Refused rows that the answer names.
const NAMED: usize = 1_000;

#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Place {
    /// The number of the first row of the body, from 0; the header row of CSV does not count.
    #[param(maximum = 2_147_483_647)]
    first_row: Option<u32>,
    /// Whether mailboxes of offices (`noreply@`, `postmaster@`) are written to.
    roles: Option<bool>,
    /// Whether name servers are asked which domains take no mail, whom then nothing is written to. They are where nothing
    /// is said.
    domains: Option<bool>,
}

/// What came of a list.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Taken {
    #[schema(example = "1m7qw3g0w000h")]
    id: String,
    campaign: String,
    /// The number of the row to go on with.
    next_row: u32,
    /// Rows of this call that are written to.
    taken: u32,
    /// Rows of this call that had come in before.
    passed_over: u32,
    /// Rows of this call that are not written to, by reason.
    refused: BTreeMap<String, u32>,
    /// The first 1,000 of them.
    refused_rows: Vec<RefusedRow>,
}

/// Add recipients to a campaign
///
/// JSON lines, an object a line with `email` and the campaign's fields, or an array of such objects, or CSV with a header row; UTF-8; as long as need
/// be. The answer comes when all of it is on disk. After a break, `next_row` of the problem or `rows` of the campaign
/// is the row to go on with: send the rest with `first_row`, or the whole list again.
#[utoipa::path(post, path = "/v1/campaigns/{campaign}/recipients", operation_id = "addRecipients", tag = "campaigns",
    params(("campaign" = String, Path, description = "Its name or id"), Place),
    request_body(content((String = "application/x-ndjson"), (Vec<serde_json::Value> = "application/json"), (String = "text/csv"))),
    responses((status = 200, description = "They are in the list", body = Taken), Writing))]
pub(crate) async fn add(
    State(app): State<Arc<App>>,
    caller: By<Sends>,
    Path(campaign): Path<String>,
    Query(place): Query<Place>,
    request: Request,
) -> Result<Answer<Taken>, Problem> {
    let media = body::media(request.headers());
    let make = match media.as_str() {
        "application/x-ndjson" | "application/jsonl" | "application/json-lines" => Rows::lines,
        "application/json" => Rows::array,
        "text/csv" => Rows::csv,
        _ => return Err(body::wrong_media(&media, "application/x-ndjson, application/json or text/csv")),
    };
    let _turn = app
        .lists
        .try_acquire()
        .map_err(|_| Problem::unavailable("too many lists come in at once: ask again in a moment"))?;
    let campaign = find(&app, &caller, &campaign).await?;
    let _coming = app.control.coming_in(campaign.id)?;
    let loading = app.control.loading(campaign.id).await?;
    let first = place.first_row.unwrap_or_default();
    if first > loading.next_row {
        return Err(BulkError::Gap { row: first, next: loading.next_row }.into());
    }
    let taken = Taken {
        id: campaign.id.to_string(),
        campaign: campaign.campaign,
        next_row: loading.next_row,
        ..Taken::default()
    };
    let rows = make(loading.fields.clone());
    let question = CheckAddresses { account: campaign.account, list: Some(campaign.list), emails: Vec::new() };
    let mut list = List {
        app: &app,
        loading,
        question: (!place.roles.unwrap_or_default()).then_some(question),
        domains: Domains::new(place.domains.unwrap_or(true)),
        number: first,
        batch: Vec::new(),
        octets: 0,
        taken,
    };
    match list.read(rows, request.into_body()).await {
        Ok(()) => Ok(Answer(list.taken)),
        Err(problem) => Err(problem.next_row(list.taken.next_row)),
    }
}

/// A list that comes in.
struct List<'a> {
    app: &'a App,
    loading: Loading,
    /// For asking about mailboxes of offices; `None` writes to them.
    question: Option<CheckAddresses>,
    domains: Domains,
    /// Of the next row.
    number: u32,
    batch: Vec<Read>,
    octets: usize,
    taken: Taken,
}

impl List<'_> {
    async fn read(&mut self, mut rows: Rows, mut body: Body) -> Result<(), Problem> {
        let idle = self.app.limits.body_idle;
        loop {
            let frame = match tokio::time::timeout(idle, body.frame()).await {
                Err(_) => {
                    let detail = format!(
                        "nothing of the list came for {} s: go on from row {}",
                        idle.as_secs(),
                        self.taken.next_row
                    );
                    return Err(Problem::new(problem::TIMEOUT, detail));
                }
                Ok(None) => break,
                Ok(Some(Err(_))) => {
                    return Err(Problem::new(problem::MALFORMED, "the body broke off or is not well formed"));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            let Ok(data) = frame.into_data() else { continue };
            let mut piece = &data[..];
            loop {
                let read = rows.next(&mut piece);
                let Some(read) = read.map_err(|why| self.unreadable(&rows, &why))? else { break };
                self.take(read).await?;
            }
        }
        loop {
            let read = rows.end();
            let Some(read) = read.map_err(|why| self.unreadable(&rows, &why))? else { break };
            self.take(read).await?;
        }
        self.keep().await
    }

    /// The header row is not counted.
    fn unreadable(&self, rows: &Rows, why: &str) -> Problem {
        let place = match rows.is_at_header() {
            true => "the header row".to_owned(),
            false => format!("row {} (the first is 0)", self.number),
        };
        Problem::new(problem::MALFORMED, format!("{place}: {why}"))
    }

    async fn take(&mut self, read: Read) -> Result<(), Problem> {
        let number = self.number;
        self.number =
            number.checked_add(1).ok_or_else(|| Problem::new(problem::TOO_LARGE, "the list has too many rows"))?;
        if number < self.loading.next_row {
            self.taken.passed_over += 1;
            return Ok(());
        }
        let size = |row: &Row| row.email.len() + row.values.iter().map(|value| value.len() + 24).sum::<usize>();
        self.octets += read.as_ref().map_or(0, size) + 48;
        self.batch.push(read);
        match self.batch.len() >= BATCH || self.octets >= OCTETS {
            true => self.keep().await,
            false => Ok(()),
        }
    }

    /// Hands the batch over, and comes back when it is on disk.
    async fn keep(&mut self) -> Result<(), Problem> {
        if self.batch.is_empty() {
            return Ok(());
        }
        // Not `next_row`: that may have gone on meanwhile, where another call adds to the same list.
        let first_row = self.number - self.batch.len() as u32;
        let (mut rows, mut wrong) = self.judge(first_row)?;
        for (place, refused) in self.domains.refused(&self.app.control, &rows).await? {
            let row = first_row + refused.row;
            rows[place] = Row { email: String::new(), values: Vec::new() };
            wrong.insert(row, RefusedRow::from(repute_engine::bulk::words::Refused { row, ..refused }));
        }
        let add = Add { id: self.loading.id, first_row, rows };
        // A task of its own: a batch is never half done, also where the client goes away.
        let control = self.app.control.clone();
        let adding = tokio::spawn(async move { control.add(add).await });
        let added =
            adding.await.map_err(|_| Problem::new(problem::INTERNAL, "the server made a mistake: see its log"))?;
        self.count(added?, wrong);
        Ok(())
    }

    /// The rows as they are handed over: one that we refuse is an empty one, so that every row keeps its number.
    fn judge(&mut self, first: u32) -> Result<(Vec<Row>, BTreeMap<u32, RefusedRow>), Problem> {
        self.octets = 0;
        let (mut rows, mut wrong) = (Vec::with_capacity(self.batch.len()), BTreeMap::new());
        let refused = |row: u32, email: String, why: WhyNot, text: String| {
            RefusedRow::from(repute_engine::bulk::words::Refused { row, email, why, text })
        };
        for (number, read) in (first..).zip(self.batch.drain(..)) {
            rows.push(read.unwrap_or_else(|why| {
                wrong.insert(number, refused(number, String::new(), WhyNot::Syntax, why));
                Row { email: String::new(), values: Vec::new() }
            }));
        }
        if let Some(question) = &mut self.question {
            question.emails = rows.iter().map(|row| row.email.clone()).collect();
            for role in self.app.control.check_addresses(question)?.into_iter().filter(|r| r.why == WhyNot::Role) {
                rows[role.row as usize] = Row { email: String::new(), values: Vec::new() };
                wrong.insert(first + role.row, refused(first + role.row, role.email, WhyNot::Role, role.text));
            }
        }
        Ok((rows, wrong))
    }

    fn count(&mut self, added: Added, mut wrong: BTreeMap<u32, RefusedRow>) {
        self.taken.next_row = added.next_row;
        self.loading.next_row = added.next_row;
        self.taken.taken += added.taken;
        for refused in added.refused {
            let refused = wrong.remove(&refused.row).unwrap_or_else(|| refused.into());
            *self.taken.refused.entry(refused.why().to_owned()).or_default() += 1;
            if self.taken.refused_rows.len() < NAMED {
                self.taken.refused_rows.push(refused);
            }
        }
    }
}
