//! The send calls of Postmark, for applications that were written for it: they change the URL and
//! the token, and nothing else.
//!
//! `POST /email` and `POST /email/batch`, with `X-Postmark-Server-Token`. Understood: From, To, Cc,
//! Bcc, ReplyTo, Subject, TextBody, HtmlBody, Tag, Metadata, Headers, Attachments, MessageStream
//! (`broadcast` is bulk mail). Of Headers, those that say how a message is written down are passed over. TrackOpens and TrackLinks are passed over: nothing is tracked here.
//! Who is left alone, of the token's account, is shown and changed by its calls about suppressions ([`suppressions`]).
//! No templates are stored here: calls that name one, and all other calls of Postmark, are refused in its form. Answers and error codes are those of Postmark.

mod suppressions;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use repute_message::merge::unencoded;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::app::App;
use crate::body::{self, Raw};
use crate::caller::{self, Caller};
use crate::names::{Names, Places};
use crate::pairs::{Loose, Pairs};
use crate::problem::{FieldFault, Problem};
use crate::v1::batch::{self, hand_in};
use crate::v1::letter::{Draft, File, Kind, Message};
use crate::v1::people::{self, Mailboxes};
use crate::v1::submit::Accepted;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/email", post(one))
        .route("/email/batch", post(many))
        .route("/email/withTemplate", post(with_template))
        // As some of its clients write it.
        .route("/email/withTemplate/", post(with_template))
        .route("/email/batchWithTemplates", post(with_template))
        .route("/message-streams/{stream}/suppressions/dump", get(suppressions::dump))
        .route("/message-streams/{stream}/suppressions", post(suppressions::add))
        .route("/message-streams/{stream}/suppressions/delete", post(suppressions::delete))
}

/// Postmark's number for a template that is not there.
const NO_TEMPLATE: u16 = 1101;

async fn with_template(State(app): State<Arc<App>>, request: Request) -> Response {
    match enter(&app, request).await {
        Ok(_) => {
            let message = "The template is not valid or was not found: no templates are stored here. Fill it in, and send it by \
                           /email or /email/batch";
            json(StatusCode::UNPROCESSABLE_ENTITY, &said(NO_TEMPLATE, message))
        }
        Err(problem) => refused(&problem, ""),
    }
}

/// What is served nowhere, where a client of Postmark asks for it; `None` for others, and beneath `/v1`, which is ours.
pub(crate) fn not_served(headers: &HeaderMap, path: &str) -> Option<Response> {
    let is_client =
        ["x-postmark-server-token", "x-postmark-account-token"].iter().any(|name| headers.contains_key(*name));
    if !is_client || path.starts_with("/v1/") {
        return None;
    }
    let message = format!(
        "{path} is not known here: of Postmark's calls this server has /email, /email/batch and those about the suppressions of \
         a stream, and all else by an API of its own (/openapi.json)"
    );
    Some(json(StatusCode::NOT_FOUND, &said(NOT_SERVED, message)))
}

/// Of none of Postmark's numbers: its clients go by the status.
const NOT_SERVED: u16 = 404;

fn said(error_code: u16, message: impl Into<String>) -> Sent {
    Sent { to: None, submitted_at: None, message_id: None, error_code, message: message.into() }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Email {
    from: Option<String>,
    to: Option<String>,
    cc: Option<String>,
    bcc: Option<String>,
    reply_to: Option<String>,
    subject: Option<String>,
    text_body: Option<String>,
    html_body: Option<String>,
    tag: Option<String>,
    metadata: Option<Loose>,
    headers: Option<Vec<Field>>,
    attachments: Option<Vec<Attached>>,
    message_stream: Option<String>,
}

/// Fields of a message that say how it is written down.
const MADE_ANEW: [&str; 3] = ["MIME-Version", "Content-Type", "Content-Transfer-Encoding"];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Field {
    name: String,
    value: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    name: String,
    content: String,
    content_type: Option<String>,
    #[serde(rename = "ContentID")]
    content_id: Option<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sent {
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    submitted_at: Option<String>,
    #[serde(rename = "MessageID", skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    error_code: u16,
    message: String,
}

async fn one(State(app): State<Arc<App>>, request: Request) -> Response {
    let (caller, raw) = match enter(&app, request).await {
        Ok(entered) => entered,
        Err(problem) => return refused(&problem, ""),
    };
    let email: Email = match body::parse(&raw.octets) {
        Ok(email) => email,
        Err(problem) => return refused(&problem, ""),
    };
    let to = email.to.clone();
    let draft = email.draft(app.limits.recipients);
    let people = recipients(&draft);
    let mut results = hand_in(app.clone(), caller, vec![draft], None).await;
    match results.pop() {
        Some(Ok(accepted)) => json(StatusCode::OK, &sent(&app, accepted, to)),
        Some(Err(problem)) => refused(&problem, &people),
        None => refused(&Problem::unavailable("nothing was answered"), ""),
    }
}

async fn many(State(app): State<Arc<App>>, request: Request) -> Response {
    let read = async {
        let (caller, raw) = enter(&app, request).await?;
        // Each by itself: one that is no message spoils no other.
        let emails: Vec<Box<RawValue>> = serde_json::from_slice(&raw.octets)
            .map_err(|why| Problem::fields(vec![FieldFault::new("", format!("this is no list of messages: {why}"))]))?;
        if emails.len() > app.limits.batch {
            let what = format!("a batch has at most {} messages", app.limits.batch);
            return Err(Problem::fields(vec![FieldFault::new("", what)]));
        }
        batch::count_rest(&app, &caller, emails.len())?;
        let emails = emails.iter().map(|email| body::parse::<Email>(email.get().as_bytes()));
        Ok((caller, emails.collect::<Vec<_>>()))
    };
    let (caller, emails) = match read.await {
        Ok(read) => read,
        Err(problem) => return refused(&problem, ""),
    };
    let tos: Vec<_> = emails.iter().map(|email| email.as_ref().ok().and_then(|email| email.to.clone())).collect();
    let drafts = emails.into_iter().map(|email| email.and_then(|email| email.draft(app.limits.recipients)));
    let drafts: Vec<_> = drafts.collect();
    let people: Vec<_> = drafts.iter().map(recipients).collect();
    let results = hand_in(app.clone(), caller, drafts, None).await;
    let answer = |((result, to), people): ((Result<Accepted, Problem>, Option<String>), String)| match result {
        Ok(accepted) => sent(&app, accepted, to),
        Err(problem) => failed(&problem, &people),
    };
    let answers: Vec<Sent> = results.into_iter().zip(tos).zip(people).map(answer).collect();
    json(StatusCode::OK, &answers)
}

/// Who asks and may send, at its pace, and what.
async fn enter(app: &Arc<App>, request: Request) -> Result<(Caller, Raw), Problem> {
    let caller = known(app, &request)?;
    caller.sends()?;
    Ok((caller, document(app, request).await?))
}

/// Who asks, at its pace.
fn known(app: &Arc<App>, request: &Request) -> Result<Caller, Problem> {
    let settings = app.settings();
    let shown = request.headers().get("x-postmark-server-token").and_then(|v| v.to_str().ok());
    let caller = caller::known(app, &settings, request, shown)?;
    match caller::take(app, &settings, &caller.token).wait {
        Some(wait) => Err(caller::too_many(wait)),
        None => Ok(caller),
    }
}

async fn document(app: &Arc<App>, request: Request) -> Result<Raw, Problem> {
    let raw = <Raw as axum::extract::FromRequest<Arc<App>>>::from_request(request, app).await?;
    if !body::is_json(&raw.media) {
        return Err(body::wrong_media(&raw.media, "application/json"));
    }
    Ok(raw)
}

impl Email {
    fn draft(self, most: usize) -> Result<Draft, Problem> {
        let mut faults = Vec::new();
        let mut list = |place: &str, text: &Option<String>| {
            let people = text.as_deref().map(people::people).transpose();
            people.unwrap_or_else(|why| {
                faults.push(FieldFault::new(place, why));
                None
            })
        };
        let (from, to) = (list("/From", &self.from), list("/To", &self.to));
        let (cc, bcc) = (list("/Cc", &self.cc), list("/Bcc", &self.bcc));
        let reply_to = list("/ReplyTo", &self.reply_to);
        if from.as_ref().is_some_and(|list| list.len() > 1) {
            let from = self.from.as_deref().unwrap_or_default();
            faults.push(FieldFault::new("/From", format!("Invalid 'From' address: {from:?}. Name one address alone")));
        }
        if !faults.is_empty() {
            return Err(Problem::fields(faults));
        }
        let file = |a: Attached| File {
            name: a.name,
            media: a.content_type.unwrap_or_default(),
            content: a.content,
            content_id: a.content_id.filter(|id| !id.is_empty()).map(|id| id.trim_start_matches("cid:").to_owned()),
        };
        // What its clients copy out of a message made elsewhere is made anew here, as Postmark does.
        let made = |f: &Field| !MADE_ANEW.iter().any(|name| name.eq_ignore_ascii_case(&f.name));
        let headers =
            self.headers.unwrap_or_default().into_iter().filter(made).map(|f| (f.name, unencoded(&f.value))).collect();
        let message = Message {
            from: from.and_then(|mut list| list.pop()).map(Into::into),
            to: to.map(Mailboxes::from),
            cc: cc.map(Mailboxes::from),
            bcc: bcc.map(Mailboxes::from),
            reply_to: reply_to.map(Mailboxes::from),
            subject: self.subject,
            text: self.text_body,
            html: self.html_body,
            attachments: self.attachments.unwrap_or_default().into_iter().map(file).collect(),
            headers: Pairs(headers),
            tags: self.tag.into_iter().filter(|tag| !tag.is_empty()).collect(),
            metadata: self.metadata.unwrap_or_default().0,
            stream: self.message_stream.filter(|stream| stream == "broadcast").map(|_| Kind::Bulk),
            ..Message::default()
        };
        message.draft(most).map_err(|faults| Problem::fields(NAMES.faults(faults)))
    }
}

/// What Postmark calls the members.
const NAMES: Names = Names {
    members: &[
        ("/from", "/From"),
        ("/to", "/To"),
        ("/subject", "/Subject"),
        ("/text", "/TextBody"),
        ("/html", "/HtmlBody"),
        ("/attachments", "/Attachments"),
        ("/headers", "/Headers"),
        ("/tags", "/Tag"),
        ("/metadata", "/Metadata"),
    ],
    files: &[("/type", "/ContentType"), ("/name", "/Name"), ("/content", "/Content"), ("/content_id", "/ContentID")],
    places: Places::Pointer,
};

/// Its clients read whom it does not go to out of the sentence.
fn sent(app: &App, accepted: Accepted, to: Option<String>) -> Sent {
    let left_out: Vec<_> = accepted.refused.iter().map(|one| one.address.as_str()).collect();
    let message = match left_out.as_slice() {
        [] => "OK".into(),
        some => {
            let why = accepted.refused.first().map(|one| one.detail.as_str()).unwrap_or_default();
            let some = some.join(", ");
            format!(
                "Message OK, but will not deliver to these inactive addresses: {some}. Inactive recipients are those whom \
                 this server does not write to: {why}"
            )
        }
    };
    Sent {
        to,
        submitted_at: Some(app.control.now().to_string()),
        // Its client for .NET reads nothing but a GUID.
        message_id: Some(accepted.id.to_uuid()),
        error_code: 0,
        message,
    }
}

/// Whom a message was for, as the answer about those that may not be written to names them.
fn recipients(draft: &Result<Draft, Problem>) -> String {
    let named = |draft: &Draft| draft.recipients.iter().map(|(address, _)| address.to_string()).collect::<Vec<_>>();
    draft.as_ref().map(named).unwrap_or_default().join(", ")
}

/// Postmark's numbers: 10 the token, 300 the message, 400 the sender, 406 the recipients, 429 the pace. Its clients
/// read the addresses of a 406 out of the sentence.
fn failed(problem: &Problem, people: &str) -> Sent {
    if problem.refuses_recipients() {
        let message = format!(
            "You tried to send to recipients that are inactive. Found inactive addresses: {people}. Inactive recipients are \
             those whom this server does not write to: {}",
            problem.text()
        );
        return said(406, message);
    }
    let error_code = match problem.status() {
        401 => return said(10, "send the field X-Postmark-Server-Token with a token as `repute token add` prints it"),
        403 => 400,
        429 => 429,
        500.. => 100,
        _ => 300,
    };
    said(error_code, problem.text())
}

fn refused(problem: &Problem, people: &str) -> Response {
    let status = match problem.status() {
        400 | 403 | 415 => 422,
        status => status,
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::UNPROCESSABLE_ENTITY);
    let mut response = json(status, &failed(problem, people));
    for (name, value) in problem.headers() {
        response.headers_mut().insert(name.clone(), value.clone());
    }
    response
}

fn json(status: StatusCode, body: &impl Serialize) -> Response {
    // It is made of texts and numbers: it can be written.
    let body = serde_json::to_vec(body).unwrap_or_default();
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}
