//! A request's body: read within its bounds, and read as JSON.
//!
//! Bounds: octets of one body (413), of all bodies together (503), the time without an octet
//! and the time as a whole (408). A document that is no JSON is told from one whose members are
//! wrong: the first has a line and a column, the second pointers.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use serde::de::DeserializeOwned;
use serde_path_to_error::Segment;

use crate::app::{App, Held};
use crate::object::Object;
use crate::problem::{self, FieldFault, Problem};

/// A document as it came and as it is meant. It holds its place among all bodies while it lives.
pub(crate) struct Json<T> {
    pub value: T,
    pub octets: Bytes,
    _held: Held,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let media = media(&parts.headers);
        if !is_json(&media) {
            return Err(wrong_media(&media, "application/json"));
        }
        let (octets, held) = read(app, &parts, body, app.limits.body).await?;
        Ok(Json { value: parse(&octets)?, octets, _held: held })
    }
}

/// A document that may be left out, with the body: a request without one says nothing of its own.
pub(crate) struct MaybeJson<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let raw = Raw::from_request(request, app).await?;
        match raw.octets.is_empty() {
            true => Ok(MaybeJson(T::default())),
            false if is_json(&raw.media) => parse(&raw.octets).map(MaybeJson),
            false => Err(wrong_media(&raw.media, "application/json")),
        }
    }
}

/// A body of any type.
pub(crate) struct Raw {
    /// In lower case, without parameters.
    pub media: String,
    pub octets: Bytes,
    held: Held,
}

impl Raw {
    /// Of a client that has to prove by it who it is.
    pub async fn of_stranger(app: &App, parts: &Parts, body: Body) -> Result<Raw, Problem> {
        let (octets, held) = read_into(app, parts, body, app.limits.body, app.hold_for_stranger()).await?;
        Ok(Raw { media: media(&parts.headers), octets, held })
    }

    pub fn is_proved(&mut self) {
        self.held.is_proved();
    }
}

impl FromRequest<Arc<App>> for Raw {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let (octets, held) = read(app, &parts, body, app.limits.body).await?;
        Ok(Raw { media: media(&parts.headers), octets, held })
    }
}

pub(crate) fn wrong_media(media: &str, wanted: &str) -> Problem {
    let given: String = media.chars().take(100).collect();
    let detail = match given.is_empty() {
        true => format!("the field Content-Type is missing: it has to be {wanted}"),
        false => format!("Content-Type is {given}: it has to be {wanted}"),
    };
    Problem::new(problem::MEDIA_TYPE, detail)
}

pub(crate) fn is_json(media: &str) -> bool {
    media == "application/json" || (media.starts_with("application/") && media.ends_with("+json"))
}

/// The type of the body, in lower case, without parameters.
pub(crate) fn media(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Reads a document.
pub(crate) fn parse<T: DeserializeOwned>(octets: &[u8]) -> Result<T, Problem> {
    // Some libraries put a mark of its encoding in front of a text in UTF-8.
    let octets = octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets);
    // Every JSON text begins with ASCII: of UTF-16 and UTF-32 one of the first two octets is none that JSON has there.
    if octets.iter().take(2).any(|octet| matches!(octet, 0 | 0xfe | 0xff)) {
        return Err(Problem::new(problem::NOT_JSON, "the body is not JSON in UTF-8: send it in that encoding"));
    }
    let mut from = serde_json::Deserializer::from_slice(octets);
    let value = serde_path_to_error::deserialize::<_, Object<T>>(&mut from).map_err(|error| {
        let (path, inner) = (pointer(error.path()), error.into_inner());
        match inner.classify() {
            serde_json::error::Category::Data => Problem::fields(vec![FieldFault::new(path, said(&inner))]),
            _ => Problem::new(problem::NOT_JSON, format!("the body is not JSON: {inner}")),
        }
    })?;
    from.end().map_err(|error| Problem::new(problem::NOT_JSON, format!("the body is more than one JSON: {error}")))?;
    Ok(value.0)
}

/// Without the place, which the pointer says better.
fn said(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(end) => text[..end].to_owned(),
        None => text,
    }
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut out = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => out.push_str(&format!("/{index}")),
            Segment::Map { key } => out.push_str(&format!("/{}", escaped(key))),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    out
}

/// RFC 6901 §3.
pub(crate) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// All of a body, of at most so many octets.
pub(crate) async fn read(app: &App, parts: &Parts, body: Body, most: usize) -> Result<(Bytes, Held), Problem> {
    read_into(app, parts, body, most, app.hold()).await
}

async fn read_into(
    app: &App,
    parts: &Parts,
    body: Body,
    most: usize,
    mut held: Held,
) -> Result<(Bytes, Held), Problem> {
    let limits = &app.limits;
    let announced = parts.headers.get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|octets| octets > most as u64) {
        return Err(too_large(most));
    }
    let reading = collect(body, most, limits.body_idle, &mut held);
    let slow = || Problem::new(problem::TIMEOUT, "the body did not come in time: send it again, all at once");
    let octets = tokio::time::timeout(limits.body_whole, reading).await.map_err(|_| slow())??;
    Ok((octets, held))
}

async fn collect(mut body: Body, most: usize, idle: Duration, held: &mut Held) -> Result<Bytes, Problem> {
    let mut out = BytesMut::new();
    loop {
        let frame = match tokio::time::timeout(idle, body.frame()).await {
            Err(_) => {
                let detail = format!("no octet of the body came for {} s: send it again, all at once", idle.as_secs());
                return Err(Problem::new(problem::TIMEOUT, detail));
            }
            Ok(None) => return Ok(out.freeze()),
            Ok(Some(Err(_))) => {
                return Err(Problem::new(problem::MALFORMED, "the body broke off or is not well formed"));
            }
            Ok(Some(Ok(frame))) => frame,
        };
        let Ok(data) = frame.into_data() else { continue };
        if out.len() + data.len() > most {
            return Err(too_large(most));
        }
        // Read as a document and decoded from base64 it is there three times for a moment.
        if !held.grow(data.len() * 3) {
            return Err(Problem::unavailable("too many large requests at once: send it again in a moment"));
        }
        out.extend_from_slice(&data);
    }
}

fn too_large(most: usize) -> Problem {
    Problem::new(problem::TOO_LARGE, format!("the body is larger than {most} octets: send less at once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, Debug)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "only read")]
        b: Vec<u8>,
    }

    #[test]
    fn what_is_wrong_is_pointed_at() {
        let check = |text: &str, status, expect: &str| {
            let problem = parse::<std::collections::BTreeMap<String, Object<Inner>>>(text.as_bytes()).unwrap_err();
            let said = match problem.errors() {
                [one] => format!("{} {}", one.pointer, one.detail),
                _ => problem.detail().to_owned(),
            };
            assert_eq!((problem.status(), said.as_str()), (status, expect));
        };
        check("{", 400, "the body is not JSON: EOF while parsing an object at line 1 column 1");
        check(r#"{"a/~":{"b":[1,"x"]}}"#, 422, "/a~1~0/b/1 invalid type: string \"x\", expected u8");
        check(r#"{"a":{"c":1}}"#, 422, "/a/c unknown field `c`, expected `b`");
        check(r#"{"a":[[1]]}"#, 422, "/a invalid type: sequence, expected an object");
        check("[]", 422, " invalid type: sequence, expected an object");
        check(r#"{"a":{}}"#, 422, "/a missing field `b`");
        let wide: Vec<u8> = "{}".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let marked = [&b"\xff\xfe"[..], &wide].concat();
        for body in [wide, marked] {
            let problem = parse::<std::collections::BTreeMap<String, String>>(&body).unwrap_err();
            assert_eq!(problem.detail(), "the body is not JSON in UTF-8: send it in that encoding");
        }
        check("{} {}", 400, "the body is more than one JSON: trailing characters at line 1 column 4");
    }
}
