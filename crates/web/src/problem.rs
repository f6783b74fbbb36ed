//! What is answered where something is refused: a problem (RFC 9457) with a type, a sentence
//! that says what to do, and, for a wrong document, a JSON Pointer (RFC 6901) to each member
//! at fault.
//!
//! [`KINDS`] is the one table of types; [`Problem::of_reply`] the one from a reply of the works
//! to a status of HTTP.

use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use repute_engine::bulk::words::BulkError;
use repute_engine::control::ControlError;
use repute_types::Reply;
use serde::Serialize;
use utoipa::ToSchema;

/// Faults that are told in one text.
const TOLD: usize = 10;

pub(crate) const MEDIA: &str = "application/problem+json";

/// What was refused, and what to do about it (RFC 9457).
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Names the kind of problem; what it means is answered at this path.
    #[serde(rename = "type")]
    #[schema(example = "/problems/invalid-fields")]
    kind: String,
    #[schema(example = "Fields of the document are wrong")]
    title: &'static str,
    /// The status of the answer.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// What happened this time, and the cure.
    detail: String,
    /// What is wrong where, for a document or a query.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldFault>,
    /// The SMTP enhanced status code (RFC 3463) where the works refused a message.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "5.7.1")]
    enhanced: Option<String>,
    /// Where a list of recipients broke off: the number of the row to go on with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    next_row: Option<u32>,
    #[serde(skip)]
    headers: HeaderMap,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldFault {
    /// A JSON Pointer into the document that was sent (RFC 6901).
    #[schema(example = "/to/0")]
    pub pointer: String,
    pub detail: String,
}

impl FieldFault {
    pub fn new(pointer: impl Into<String>, detail: impl Into<String>) -> FieldFault {
        FieldFault { pointer: pointer.into(), detail: detail.into() }
    }
}

/// The kinds of problem: the last part of the type, status, title, and what it means.
pub(crate) const KINDS: &[Kind] = &[
    NOT_JSON,
    INVALID_FIELDS,
    MALFORMED,
    UNKNOWN_TOKEN,
    NOT_ALLOWED,
    NOT_FOUND,
    METHOD,
    TIMEOUT,
    RUNNING,
    TOO_LARGE,
    MEDIA_TYPE,
    KEY_REUSED,
    REFUSED,
    CAMPAIGN,
    CONFLICT,
    COMING_IN,
    ROWS_MISSING,
    TOO_MANY,
    INTERNAL,
    UNAVAILABLE,
];

#[derive(Clone, Copy, Debug)]
pub(crate) struct Kind {
    pub name: &'static str,
    pub status: u16,
    pub title: &'static str,
    pub meaning: &'static str,
}

const fn kind(name: &'static str, status: u16, title: &'static str, meaning: &'static str) -> Kind {
    Kind { name, status, title, meaning }
}

pub(crate) const NOT_JSON: Kind = kind(
    "not-json",
    400,
    "The body is not JSON",
    "The body could not be read as JSON; the detail says at which line and column. Nothing was done.",
);
pub(crate) const INVALID_FIELDS: Kind = kind(
    "invalid-fields",
    422,
    "Fields of the document are wrong",
    "The document is JSON, and members of it are missing, unknown or not what they have to be: `errors` points to each. Nothing was done.",
);
pub(crate) const MALFORMED: Kind = kind(
    "malformed-request",
    400,
    "The request is malformed",
    "A header field, the path or the query is not what it has to be, or the body broke off. Nothing was done.",
);
pub(crate) const UNKNOWN_TOKEN: Kind = kind(
    "unknown-token",
    401,
    "The request carries no known token",
    "Send `Authorization: Bearer TOKEN` with a token as `repute token add` prints it.",
);
pub(crate) const NOT_ALLOWED: Kind = kind(
    "not-allowed",
    403,
    "This is not allowed",
    "The token is known and may not do this: another action is needed, or another account, or the account may not send as this domain.",
);
pub(crate) const NOT_FOUND: Kind = kind(
    "not-found",
    404,
    "There is no such thing",
    "Nothing is known under this path, or not to this token. The history goes back as far as `[history] keep` says.",
);
pub(crate) const METHOD: Kind = kind(
    "method-not-allowed",
    405,
    "The path does not take this method",
    "The field Allow names the methods that the path takes.",
);
pub(crate) const TIMEOUT: Kind = kind(
    "body-too-slow",
    408,
    "The body did not come in time",
    "The body stopped coming, or took too long as a whole. Nothing was done.",
);
pub(crate) const RUNNING: Kind = kind(
    "still-running",
    409,
    "The same request is still being answered",
    "Another request with the same Idempotency-Key is under way: ask again after a moment, and its answer is repeated.",
);
pub(crate) const TOO_LARGE: Kind = kind(
    "too-large",
    413,
    "The request or message is too large",
    "Send less at once; `[limits] size` of the configuration is the largest message.",
);
pub(crate) const MEDIA_TYPE: Kind = kind(
    "unsupported-media-type",
    415,
    "The body is of a type that is not taken here",
    "The field Content-Type has to name what the detail says.",
);
pub(crate) const KEY_REUSED: Kind = kind(
    "key-reused",
    422,
    "The Idempotency-Key belongs to another request",
    "The key was used before with another body. A key belongs to one request and its repetitions: make a new one.",
);
pub(crate) const REFUSED: Kind = kind(
    "refused",
    422,
    "The message was refused",
    "What is wrong with the message stands in the detail; the same message is refused again. Nothing was sent.",
);
pub(crate) const COMING_IN: Kind = kind(
    "list-coming-in",
    409,
    "The list is still coming in",
    "A call adds recipients to the campaign. Launch it when that call has been answered.",
);
pub(crate) const CAMPAIGN: Kind = kind(
    "campaign",
    422,
    "The campaign cannot be so",
    "Its name, its letter, a field or a row is not what it has to be: the detail says why, and what to do. Nothing was done.",
);
pub(crate) const CONFLICT: Kind = kind(
    "conflict",
    409,
    "What is there already does not allow this",
    "Nothing is wrong with the request: the state that the campaign or message is in does not allow it, or the name is taken. The detail says what to do. Nothing was done.",
);
pub(crate) const ROWS_MISSING: Kind = kind(
    "rows-missing",
    409,
    "Rows of the list are missing",
    "The rows that were sent are not those that come next: go on from `next_row`.",
);
pub(crate) const TOO_MANY: Kind = kind(
    "too-many-requests",
    429,
    "Too many requests",
    "The token made more requests than it may, or its account handed in more mail: Retry-After says when the next may come, RateLimit how much is left.",
);
pub(crate) const INTERNAL: Kind = kind(
    "internal",
    500,
    "The server made a mistake",
    "This is a fault of the server: its log says more. Whether something was done is not known; an Idempotency-Key makes it safe to ask again.",
);
pub(crate) const UNAVAILABLE: Kind = kind(
    "unavailable",
    503,
    "Not now",
    "The server is busy, is stopping, or cannot write to its disk: ask again after Retry-After. Nothing was accepted.",
);

impl Problem {
    pub fn new(kind: Kind, detail: impl Into<String>) -> Problem {
        Problem {
            kind: format!("/problems/{}", kind.name),
            title: kind.title,
            status: kind.status,
            detail: detail.into(),
            errors: Vec::new(),
            enhanced: None,
            next_row: None,
            headers: HeaderMap::new(),
        }
    }

    /// At least one fault.
    pub fn fields(errors: Vec<FieldFault>) -> Problem {
        let detail = match errors.as_slice() {
            [one] if one.pointer.is_empty() => one.detail.clone(),
            [one] => format!("{}: {}", one.pointer, one.detail),
            several => format!("{} members are wrong: `errors` says what to do about each", several.len()),
        };
        Problem { errors, ..Problem::new(INVALID_FIELDS, detail) }
    }

    /// The one table from what the works say to a status of HTTP.
    pub fn of_reply(reply: &Reply) -> Problem {
        let enhanced = reply.enhanced.map(|e| (e.0, e.1, e.2));
        let kind = match (reply.code, enhanced) {
            (450, Some((4, 7, 1))) => TOO_MANY,
            (400..=499, _) => UNAVAILABLE,
            (552, _) | (_, Some((5, 3, 4))) => TOO_LARGE,
            (_, Some((5, 7, _))) => NOT_ALLOWED,
            _ => REFUSED,
        };
        let mut problem = Problem::new(kind, reply.text());
        problem.enhanced = reply.enhanced.map(|e| e.to_string());
        if [UNAVAILABLE.status, TOO_MANY.status].contains(&kind.status) { problem.retry_after(30) } else { problem }
    }

    pub fn unavailable(detail: impl Into<String>) -> Problem {
        Problem::new(UNAVAILABLE, detail).retry_after(5)
    }

    pub fn with_errors(self, errors: Vec<FieldFault>) -> Problem {
        Problem { errors, ..self }
    }

    pub fn with_enhanced(self, enhanced: Option<String>) -> Problem {
        Problem { enhanced, ..self }
    }

    /// Whether each recipient was refused for good, and nothing else was wrong.
    pub fn refuses_recipients(&self) -> bool {
        self.status == REFUSED.status && self.enhanced.is_some() && !self.errors.is_empty()
    }

    pub fn next_row(self, row: u32) -> Problem {
        Problem { next_row: Some(row), ..self }
    }

    /// In seconds.
    pub fn retry_after(self, seconds: u64) -> Problem {
        self.with(header::RETRY_AFTER, &seconds.to_string())
    }

    pub fn with(mut self, name: HeaderName, value: &str) -> Problem {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.headers.insert(name, value);
        }
        self
    }

    pub fn status(&self) -> u16 {
        self.status
    }

    pub fn enhanced(&self) -> Option<&str> {
        self.enhanced.as_deref()
    }

    pub fn headers(&self) -> &HeaderMap {
        &self.headers
    }

    /// As it is answered. Its parts are texts and numbers: it can be written.
    pub fn body(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    #[cfg(test)]
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What is wrong with each member, for the forms of other services, which have one text and no list.
    pub fn text(&self) -> String {
        let Problem { errors, detail, .. } = self;
        if errors.len() < 2 {
            return detail.clone();
        }
        let told = errors.iter().take(TOLD).map(|fault| format!("{}: {}", fault.pointer, fault.detail));
        let mut text = told.collect::<Vec<_>>().join("; ");
        if errors.len() > TOLD {
            text += &format!("; and {} more", errors.len() - TOLD);
        }
        text
    }

    #[cfg(test)]
    pub fn errors(&self) -> &[FieldFault] {
        &self.errors
    }

    /// The same with every pointer under `prefix`, as a member of a larger document.
    pub fn under(mut self, prefix: &str) -> Problem {
        for error in &mut self.errors {
            error.pointer.insert_str(0, prefix);
        }
        self
    }
}

impl From<ControlError> for Problem {
    fn from(error: ControlError) -> Problem {
        match error {
            ControlError::NoSuchId(_) | ControlError::NotAskable(_) => Problem::new(NOT_FOUND, error.to_string()),
            ControlError::NoSuchCircuit(_)
            | ControlError::NoSuchAccount(_)
            | ControlError::NoSuchEgress(_)
            | ControlError::NotInPool(..)
            | ControlError::NoSuchDomain(_) => Problem::new(NOT_FOUND, error.to_string()),
            ControlError::NothingSelected | ControlError::NoAddressSelected => {
                Problem::new(INVALID_FIELDS, error.to_string())
            }
            ControlError::NoSuchPlace(_) | ControlError::NoRequests => Problem::new(MALFORMED, error.to_string()),
            ControlError::Spool(_)
            | ControlError::Requests(_)
            | ControlError::NoMailTaken(_)
            | ControlError::History(_)
            | ControlError::Suppression(_)
            | ControlError::NoSuppression
            | ControlError::Circuit(_)
            | ControlError::Campaign(_)
            | ControlError::Trust(_)
            | ControlError::Reports(_)
            | ControlError::TlsSessions(_)
            | ControlError::NoTlsSessions
            | ControlError::NotTaken(_)
            | ControlError::NoPermits => Problem::unavailable(error.to_string()),
        }
    }
}

impl From<BulkError> for Problem {
    fn from(error: BulkError) -> Problem {
        let text = error.to_string();
        match error {
            BulkError::Refused(_) => Problem::new(CAMPAIGN, text),
            BulkError::Conflict(_) => Problem::new(CONFLICT, text),
            BulkError::ComingIn(_) => Problem::new(COMING_IN, text),
            BulkError::NoSuchCampaign(_) | BulkError::NoSuchToken => Problem::new(NOT_FOUND, text),
            BulkError::Gap { next, .. } => Problem::new(ROWS_MISSING, text).next_row(next),
            BulkError::Rate { wait, .. } => Problem::new(TOO_MANY, text).retry_after(wait.as_secs() + 1),
            BulkError::Spool(_) | BulkError::Suppressions(_) | BulkError::Circuit(_) => Problem::unavailable(text),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(mut self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut headers = std::mem::take(&mut self.headers);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA));
        // Its parts are texts and numbers: they can be written.
        let body = serde_json::to_vec(&self).unwrap_or_default();
        (status, headers, body).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use repute_types::EnhancedCode;

    #[test]
    fn a_reply_becomes_a_status() {
        let check = |code, enhanced, status| {
            assert_eq!(Problem::of_reply(&Reply::new(code, enhanced, "x")).status, status, "{code} {enhanced}");
        };
        check(550, EnhancedCode(5, 7, 1), 403);
        check(550, EnhancedCode(5, 7, 20), 403);
        check(550, EnhancedCode(5, 6, 0), 422);
        check(552, EnhancedCode(5, 3, 4), 413);
        check(450, EnhancedCode(4, 7, 1), 429);
        check(452, EnhancedCode(4, 3, 1), 503);
        check(421, EnhancedCode(4, 3, 2), 503);
    }

    #[test]
    fn every_kind_says_what_it_means() {
        for kind in KINDS {
            assert!((400..600).contains(&kind.status) && kind.meaning.ends_with('.'), "{}", kind.name);
            assert_eq!(KINDS.iter().filter(|k| k.name == kind.name).count(), 1, "{}", kind.name);
        }
    }
}
