//! The send calls of Amazon SES, for applications that were written for it: they change the URL and
//! the keys, and nothing else.
//!
//! Version 2: `POST /v2/email/outbound-emails` with `Content.Simple` (headers and attachments too), `Content.Raw`, or
//! `Content.Template` that brings its `TemplateContent`; `outbound-bulk-emails` with such a template. Version 1: `POST /`
//! with `Action=SendEmail` or `SendRawEmail`, answered in XML. How fast may be sent is answered too: `GetAccount`, and
//! `GetSendQuota` of version 1.
//! Who is left alone, of the token's account, is shown and changed by the calls of version 2 ([`suppression`]).
//! Signed with Signature Version 4: the access key id is the name of a token, the secret what
//! `repute token ses NAME` prints. No templates are stored here: one that is only named is not found. A configuration set
//! becomes one of the tags; list management is passed over; all other calls are refused in SES's form.

mod form;
mod quota;
mod request_id;
mod suppression;
mod template;
mod v2;

use std::net::IpAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRequest as _, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::from_fn;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{any, get, post};
use repute_types::{EnhancedCode, MessageId, Reply};

use self::quota::Quota;
pub(crate) use self::quota::Sent;
use self::request_id::RequestId;
use crate::app::App;
use crate::body::Raw;
use crate::caller::{self, Caller};
use crate::http::{Peer, Place};
use crate::problem::{self, Problem};
use crate::sigv4::{BodyHash, Claim, Wrong};
use crate::v1::batch::{count_rest, hand_in};
use crate::v1::letter::Draft;
use crate::v1::submit::Accepted;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v2/email/outbound-emails", post(outbound))
        .route("/v2/email/outbound-bulk-emails", post(many))
        .route("/v2/email/account", get(account))
        .route("/v2/email/suppression/addresses", get(suppression::list).put(suppression::put))
        .route("/v2/email/suppression/addresses/{email}", get(suppression::get).delete(suppression::delete))
        .route("/v2/email/{*call}", any(unknown))
        .layer(from_fn(request_id::named))
}

/// Version 1 comes to `/`, which is also a page.
pub(crate) async fn query(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (caller, raw) = enter(&app, request).await?;
        let (action, draft) = match form::asked(&raw.octets, app.limits.recipients)? {
            form::Asked::Send(action, draft) => (action, *draft),
            form::Asked::Quota => {
                let (quota, asked) = (quota::of(&app, &caller).await?, RequestId::random());
                return Ok(asked.on(xml(StatusCode::OK, &form::quota(&quota, &asked))));
            }
        };
        let id = send(&app, caller, draft).await?;
        let asked = RequestId::of(id);
        Ok(asked.on(xml(StatusCode::OK, &form::sent(action, id, &asked))))
    };
    done.await.unwrap_or_else(|problem| {
        let asked = RequestId::random();
        asked.on(xml(status_of(&problem), &form::failed(&problem, code_of(&problem), &asked)))
    })
}

async fn outbound(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (caller, raw) = enter(&app, request).await?;
        let draft = v2::draft(&raw.octets, app.limits.recipients)?;
        send(&app, caller, draft).await
    };
    match done.await {
        Ok(id) => RequestId::of(id).on(json(StatusCode::OK, &serde_json::json!({ "MessageId": id.to_string() }))),
        Err(problem) => failed(&problem),
    }
}

/// `SendBulkEmail`: each entry has a result of its own, in their order.
async fn many(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (caller, raw) = enter(&app, request).await?;
        let drafts = v2::drafts(&raw.octets, app.limits.recipients)?;
        count_rest(&app, &caller, drafts.len())?;
        Ok(hand_in(app.clone(), caller, drafts, None).await)
    };
    let result = |result: Result<Accepted, Problem>| match result {
        Ok(accepted) => serde_json::json!({ "Status": "SUCCESS", "MessageId": accepted.id }),
        Err(problem) => serde_json::json!({ "Status": bulk_status_of(&problem), "Error": problem.text() }),
    };
    match done.await {
        Ok(results) => {
            let results: Vec<_> = results.into_iter().map(result).collect();
            json(StatusCode::OK, &serde_json::json!({ "BulkEmailEntryResults": results }))
        }
        Err(problem) => failed(&problem),
    }
}

/// A call that is not one of those here, in the form in which its client reads what is wrong.
async fn unknown(method: Method, uri: Uri) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    let detail = format!(
        "{method} {path} is not known here: of SES, version 2, this server has SendEmail, SendBulkEmail, GetAccount and the \
         calls about suppressed destinations, and all else by an API of its own (/openapi.json)"
    );
    let mut response = json(StatusCode::NOT_FOUND, &serde_json::json!({ "message": detail }));
    let kind = HeaderValue::from_static("UnknownOperationException");
    response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), kind);
    response
}

/// `GetAccount`: how fast the token may send, and what its account sent within a day.
async fn account(State(app): State<Arc<App>>, request: Request) -> Response {
    let done = async {
        let (caller, _) = enter(&app, request).await?;
        quota::of(&app, &caller).await
    };
    match done.await {
        Ok(Quota { rate, sent }) => json(
            StatusCode::OK,
            &serde_json::json!({
                "SendingEnabled": true, "ProductionAccessEnabled": true, "EnforcementStatus": "HEALTHY",
                "SendQuota": { "Max24HourSend": -1.0, "MaxSendRate": rate, "SentLast24Hours": sent },
            }),
        ),
        Err(problem) => failed(&problem),
    }
}

/// In the form of version 2.
fn failed(problem: &Problem) -> Response {
    let status = match problem.status() {
        404 => StatusCode::NOT_FOUND,
        _ => status_of(problem),
    };
    let mut response = json(status, &serde_json::json!({ "message": problem.text() }));
    let kind = match code_of(problem) {
        "Throttling" => "TooManyRequestsException",
        "MessageRejected" => "MessageRejected",
        "InvalidParameterValue" => "BadRequestException",
        "TemplateDoesNotExist" => "NotFoundException",
        other => other,
    };
    response.headers_mut().insert(HeaderName::from_static("x-amzn-errortype"), HeaderValue::from_static(kind));
    response
}

/// Who signed and may send, at its pace, and what.
async fn enter(app: &Arc<App>, request: Request) -> Result<(Caller, Raw), Problem> {
    let (caller, raw) = known(app, request).await?;
    caller.sends()?;
    Ok((caller, raw))
}

/// Who signed, at its pace, and what. What can be told without the body is: a stranger costs a few hashes.
async fn known(app: &Arc<App>, request: Request) -> Result<(Caller, Raw), Problem> {
    let (parts, body) = request.into_parts();
    let peer = parts.extensions.get::<Peer>().cloned().ok_or_else(caller::unknown)?;
    let client = peer.client(&parts.headers);
    let settings = app.settings();
    let claim = Claim::read(&parts);
    let token = claim.as_ref().and_then(|claim| settings.tokens.named(claim.key_id));
    let (Some(claim), Some(token)) = (&claim, token.cloned()) else { return Err(nobody(app, client)) };
    let secret = &token.signing_secret;
    let refuse = |wrong| refused(app, client, wrong);
    claim.is_timely(&parts, app.control.now()).map_err(refuse)?;
    // A key id is no secret: who only knows that uses up no token's pace, and makes nobody wait for a body.
    let in_time = || match caller::take(app, &settings, &token).wait {
        Some(wait) => Err(caller::too_many(wait)),
        None => Ok(()),
    };
    let raw = match BodyHash::announced(&parts) {
        Some(announced) => {
            claim.verify(&parts, &announced, secret).map_err(refuse)?;
            in_time()?;
            Place::keep(&parts.extensions);
            let raw = Raw::from_request(Request::from_parts(parts.clone(), body), app).await?;
            match BodyHash::of(&raw.octets) == announced {
                true => raw,
                false => return Err(refuse(Wrong::Signature)),
            }
        }
        None => {
            let mut raw = Raw::of_stranger(app, &parts, body).await?;
            claim.verify(&parts, &BodyHash::of(&raw.octets), secret).map_err(refuse)?;
            in_time()?;
            Place::keep(&parts.extensions);
            raw.is_proved();
            raw
        }
    };
    Ok((Caller { token, client, tls: peer.tls }, raw))
}

fn refused(app: &App, client: IpAddr, wrong: Wrong) -> Problem {
    match wrong {
        Wrong::Date => {
            let detail = "the signature's date is more than 15 minutes from this server's: set the clock";
            app.door.refused(client, None, &Reply::new(535, EnhancedCode(5, 7, 8), detail));
            // Clients of AWS know a wrong clock by the code of a wrong signature: they take the time from `Date`, and sign again.
            Problem::new(problem::UNKNOWN_TOKEN, detail)
        }
        Wrong::Incomplete | Wrong::Signature => nobody(app, client),
    }
}

fn nobody(app: &App, client: IpAddr) -> Problem {
    let reply = Reply::new(535, EnhancedCode(5, 7, 8), "a request over HTTP carried no signature of a known token");
    app.door.refused(client, None, &reply);
    let detail = "the signature is not that of a known token: the access key id is the name of a token, the secret \
                  what `repute token ses NAME` prints";
    Problem::new(problem::UNKNOWN_TOKEN, detail)
}

async fn send(app: &Arc<App>, caller: Caller, draft: Draft) -> Result<MessageId, Problem> {
    let mut results = hand_in(app.clone(), caller, vec![Ok(draft)], None).await;
    let result = results.pop().unwrap_or_else(|| Err(Problem::unavailable("nothing was answered")));
    result.map(|accepted| accepted.id)
}

/// The words of SES for what is wrong.
fn code_of(problem: &Problem) -> &'static str {
    match problem.status() {
        401 => "SignatureDoesNotMatch",
        // As SES answers for an identity that is not verified.
        403 if problem.enhanced().is_some() => "MessageRejected",
        403 => "AccessDenied",
        404 => "TemplateDoesNotExist",
        405 => "InvalidAction",
        413 => "MessageRejected",
        429 => "Throttling",
        500.. => "ServiceUnavailable",
        _ if problem.enhanced().is_some() => "MessageRejected",
        _ => "InvalidParameterValue",
    }
}

/// The words of SES for an entry of many.
fn bulk_status_of(problem: &Problem) -> &'static str {
    match code_of(problem) {
        "Throttling" => "ACCOUNT_THROTTLED",
        "TemplateDoesNotExist" => "TEMPLATE_NOT_FOUND",
        "ServiceUnavailable" => "TRANSIENT_FAILURE",
        "InvalidParameterValue" => "INVALID_PARAMETER",
        _ => "MESSAGE_REJECTED",
    }
}

/// SES answers 400 to most, 403 to a wrong signature; its clients try again on 429 and 5xx.
fn status_of(problem: &Problem) -> StatusCode {
    let status = match problem.status() {
        401 | 403 if problem.enhanced().is_none() => 403,
        status @ (429 | 500..) => status,
        _ => 400,
    };
    StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_REQUEST)
}

fn json(status: StatusCode, body: &serde_json::Value) -> Response {
    (status, [(CONTENT_TYPE, "application/json")], body.to_string()).into_response()
}

fn xml(status: StatusCode, body: &str) -> Response {
    (status, [(CONTENT_TYPE, "text/xml")], body.to_owned()).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SES's answers have no list of faults: "`errors` says what to do about each" was all that their readers got.
    #[tokio::test]
    async fn an_error_of_ses_says_what_is_wrong_with_each_member() {
        let wrong = |problem: &Problem| {
            assert!(problem.errors().len() > 1, "{problem:?}");
            problem.errors().iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail)).collect::<Vec<_>>()
        };
        let query = b"Action=SendEmail&Source=worse&Destination.ToAddresses.member.1=bad&Message.Body.Text.Data=x";
        let Err(problem) = form::asked(query, 10) else { panic!("it was taken") };
        let answer = form::failed(&problem, code_of(&problem), &RequestId::random());
        let sentences = wrong(&problem).join("; ").replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        assert!(answer.contains(&format!("<Message>{sentences}</Message>")), "{answer}");
        assert!(answer.contains("Destination.ToAddresses.member.1: ") && answer.contains("Source: "), "{answer}");

        let document = br#"{"FromEmailAddress": "worse", "Destination": {"ToAddresses": ["bad"]},
            "Content": {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}}"#;
        let Err(problem) = v2::draft(document, 10) else { panic!("it was taken") };
        let octets = axum::body::to_bytes(failed(&problem).into_body(), 100_000).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(&octets).unwrap();
        assert_eq!(answer["message"], wrong(&problem).join("; "));
        let said = answer["message"].to_string();
        assert!(said.contains("/Destination/ToAddresses/0: ") && said.contains("/FromEmailAddress: "), "{said}");
    }
}
