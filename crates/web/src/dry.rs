//! The face without a socket: a request goes through the same layers and comes to the same answer. For fuzzing.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use http_body_util::BodyExt as _;
use repute_engine::bulk::words::Row;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::Face;
use crate::http::{Peer, Stopping};
use crate::v1::Rows;

/// What a client sends.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub fields: &'a [(&'a str, &'a str)],
    pub body: &'a [u8],
}

pub struct Dry {
    router: Router,
    stop: watch::Sender<bool>,
}

impl Dry {
    pub fn new(face: &Face) -> Dry {
        Dry { router: crate::router::router(face.0.clone()), stop: watch::Sender::new(false) }
    }

    /// The status and the body; `None` where it is no request that could come over HTTP.
    pub async fn ask(&self, asked: Asked<'_>) -> Option<(u16, Vec<u8>)> {
        let mut request = Request::builder().method(asked.method).uri(asked.path);
        for (name, value) in asked.fields {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::from(asked.body.to_vec())).ok()?;
        let peer = Peer { address: std::net::Ipv4Addr::LOCALHOST.into(), is_proxy: false, tls: None };
        request.extensions_mut().insert(peer);
        request.extensions_mut().insert(Stopping(self.stop.subscribe()));
        let Ok(answer) = self.router.clone().oneshot(request).await;
        let status = answer.status().as_u16();
        // A stream has no end of its own.
        if answer.headers().get("content-type").is_some_and(|media| media == "text/event-stream") {
            return None;
        }
        Some((status, answer.into_body().collect().await.ok()?.to_bytes().to_vec()))
    }
}

/// The rows of a list of CSV that comes in pieces; one that is refused with the reason. `Err` ends it.
pub fn csv<'a>(
    fields: Vec<String>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<Result<Result<Row, String>, String>> {
    rows(Rows::csv(fields), pieces)
}

/// The same of JSON lines.
pub fn lines<'a>(
    fields: Vec<String>,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> Vec<Result<Result<Row, String>, String>> {
    rows(Rows::lines(fields), pieces)
}

fn rows<'a>(mut rows: Rows, pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Result<Result<Row, String>, String>> {
    let mut found = Vec::new();
    for mut piece in pieces {
        while let Some(read) = rows.next(&mut piece).transpose() {
            found.push(read);
            if found.last().is_some_and(Result::is_err) {
                return found;
            }
        }
    }
    while let Some(read) = rows.end().transpose() {
        found.push(read);
        if found.last().is_some_and(Result::is_err) {
            break;
        }
    }
    found
}
