//! What holds for every request: its turn, its deadline, who asks, and the extractors that
//! answer with problems.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{self, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, Method, Uri, Version};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use repute_net::seats::Seat;
use repute_types::TlsUsed;
use serde::de::DeserializeOwned;
use tokio::sync::watch;

use crate::app::App;
use crate::postmark;
use crate::problem::{self, Problem};

/// Who is at the other end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct Peer {
    pub address: IpAddr,
    /// Speaks for others.
    pub is_proxy: bool,
    pub tls: Option<TlsUsed>,
}

impl Peer {
    /// The client: of a proxy, the one that it saw last.
    pub fn client(&self, headers: &HeaderMap) -> IpAddr {
        if !self.is_proxy {
            return self.address;
        }
        let last = headers.get_all("x-forwarded-for").iter().next_back().and_then(|v| v.to_str().ok());
        let named = last.and_then(|list| list.rsplit(',').next()?.trim().parse::<IpAddr>().ok());
        named.map_or(self.address, |ip| ip.to_canonical())
    }
}

/// Of a request: turns true when the server stops, for answers that would go on for ever.
#[derive(Clone, Debug)]
pub(crate) struct Stopping(pub watch::Receiver<bool>);

/// Of a request: its connection's place, which others can get until somebody known has it.
#[derive(Clone, Debug)]
pub(crate) struct Place(pub Arc<Seat>);

impl Place {
    pub fn keep(request: &Extensions) {
        if let Some(Place(seat)) = request.get() {
            seat.keep();
        }
    }
}

/// A turn among all requests, and what browsers are told of every answer.
pub(crate) async fn guard(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let Ok(_turn) = app.turns.clone().try_acquire_owned() else {
        return Problem::unavailable("too many requests are being answered: ask again in a moment").into_response();
    };
    let mut response = next.run(request).await;
    let fields: [(HeaderName, &str); 3] = [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    for (name, value) in fields {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// The deadline of a request whose body is one document.
pub(crate) async fn in_time(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    within(app.limits.body_whole + app.limits.answer, request, next).await
}

/// The deadline of a request whose body is a list of any length.
pub(crate) async fn in_long_time(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    within(app.limits.list_whole, request, next).await
}

async fn within(deadline: Duration, request: Request, next: Next) -> Response {
    let answer = tokio::time::timeout(deadline, next.run(request)).await;
    answer.unwrap_or_else(|_| Problem::unavailable("the answer took too long: ask again").into_response())
}

/// Refuses a body that is framed in two ways where the second is to be seen; the other order is the
/// accept loop's.
pub(crate) async fn framed(request: Request, next: Next) -> Response {
    let headers = request.headers();
    if headers.contains_key(header::TRANSFER_ENCODING) && headers.contains_key(header::CONTENT_LENGTH) {
        let detail = "the request has both Transfer-Encoding and Content-Length: send one of them";
        return Problem::new(problem::MALFORMED, detail).with(header::CONNECTION, "close").into_response();
    }
    next.run(request).await
}

/// Refuses a body that is compressed: read as it is, it would be told to be no JSON, or a list of other rows.
pub(crate) async fn uncoded(request: Request, next: Next) -> Response {
    let fields = request.headers().get_all(header::CONTENT_ENCODING).iter();
    let mut codings = fields.flat_map(|value| value.as_bytes().split(|b| *b == b',')).map(<[u8]>::trim_ascii);
    let coding = codings.find(|coding| !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity"));
    let Some(coding) = coding else { return next.run(request).await };
    let coding: String = String::from_utf8_lossy(coding).chars().take(40).collect();
    let detail = format!("Content-Encoding is {coding}: send the body as it is, without");
    Problem::new(problem::MEDIA_TYPE, detail).with(header::ACCEPT_ENCODING, "identity").into_response()
}

/// Refuses a request of HTTP/1.1 that does not say, once, which host it is for (RFC 9112 §3.2): a proxy in front may take it to be
/// for another.
pub(crate) async fn named(request: Request, next: Next) -> Response {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        let detail = "a request of HTTP/1.1 has one field Host: send it";
        return Problem::new(problem::MALFORMED, detail).with(header::CONNECTION, "close").into_response();
    }
    next.run(request).await
}

pub(crate) async fn not_found(uri: Uri, headers: HeaderMap) -> Response {
    let path: String = uri.path().chars().take(200).collect();
    postmark::not_served(&headers, &path).unwrap_or_else(|| {
        Problem::new(problem::NOT_FOUND, format!("nothing is served at {path}: /openapi.json lists what is"))
            .into_response()
    })
}

pub(crate) async fn wrong_method(method: Method) -> Problem {
    Problem::new(problem::METHOD, format!("this path does not take {method}: the field Allow names what it takes"))
}

/// axum's own, with problems for answers.
pub(crate) struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Path(path.0)).map_err(|wrong| Problem::new(problem::NOT_FOUND, wrong.body_text()))
    }
}

pub(crate) struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        // A form sends its empty inputs too: `after=` asks for the first page.
        let is_given = |pair: &&str| pair.split_once('=').is_none_or(|(_, value)| !value.is_empty());
        let given = parts.uri.query().unwrap_or_default().split('&').filter(is_given);
        let given = given.collect::<Vec<_>>().join("&");
        let query = format!("/?{given}").parse::<Uri>().map_err(|wrong| wrong.to_string());
        let query =
            query.and_then(|uri| axum::extract::Query::<T>::try_from_uri(&uri).map_err(|wrong| wrong.body_text()));
        query.map(|query| Query(query.0)).map_err(|wrong| {
            let mut wrong = wrong.trim_start_matches("Failed to deserialize query string: ").to_owned();
            for not_a_number in ["invalid digit found in string", "number too large to fit in target type"] {
                wrong = wrong.replace(not_a_number, "write a whole number, in digits alone");
            }
            Problem::new(problem::MALFORMED, format!("in the query: {wrong}"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A value that ended in `=` was taken for none.
    #[tokio::test]
    async fn a_value_that_is_empty_is_not_given_and_one_that_ends_in_an_equals_sign_is() {
        let request = axum::http::Request::get("/v1/messages?tag=a=&campaign=&list==&&stream=bulk").body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let Query(given) =
            Query::<std::collections::BTreeMap<String, String>>::from_request_parts(&mut parts, &()).await.unwrap();
        let given: Vec<_> = given.iter().map(|(name, value)| format!("{name} {value}")).collect();
        assert_eq!(given, ["list =", "stream bulk", "tag a="]);
    }

    #[test]
    fn only_a_proxy_speaks_for_others() {
        let check = |is_proxy, forwarded: &[&str], expect: &str| {
            let peer = Peer { address: "192.0.2.1".parse().unwrap(), is_proxy, tls: None };
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append("x-forwarded-for", value.parse().unwrap());
            }
            assert_eq!(peer.client(&headers).to_string(), expect, "{forwarded:?}");
        };
        check(false, &["198.51.100.7"], "192.0.2.1");
        check(true, &["198.51.100.7"], "198.51.100.7");
        check(true, &["10.0.0.1, 198.51.100.7"], "198.51.100.7");
        check(true, &["10.0.0.1", "::ffff:198.51.100.7"], "198.51.100.7");
        check(true, &["unknown"], "192.0.2.1");
        check(true, &[], "192.0.2.1");
    }
}
