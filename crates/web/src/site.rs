//! Pages and files that need no token: whether the server is alive, who is behind it, and the
//! MTA-STS policy of its return paths (RFC 8461 §3.3).

use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header::{self, HeaderValue};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::app::App;
use crate::http::{self, Path};
use crate::problem::{self, KINDS, Problem};
use crate::ses;

pub(crate) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/", get(imprint).post(ses::query))
        .route("/healthz", get(alive))
        .route("/readyz", get(ready))
        .route("/problems/{name}", get(meaning))
        .route("/.well-known/mta-sts.txt", get(policy))
}

fn text(body: impl Into<String>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], body.into()).into_response()
}

/// Who is behind this server.
async fn imprint(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    match &app.settings().imprint {
        Some(imprint) => text(imprint.clone()),
        None => http::not_found(uri, headers).await,
    }
}

/// The process answers.
async fn alive() -> Response {
    text("alive\n")
}

/// Messages can be taken: the spool answers.
async fn ready(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    app.control.ready().await?;
    Ok(text("ready\n"))
}

/// What a kind of problem means.
async fn meaning(Path(name): Path<String>) -> Result<Response, Problem> {
    let Some(kind) = KINDS.iter().find(|kind| kind.name == name) else {
        let names: Vec<_> = KINDS.iter().map(|kind| kind.name).collect();
        return Err(Problem::new(problem::NOT_FOUND, format!("the kinds of problem are: {}", names.join(", "))));
    };
    Ok(text(format!("{} (status {})\n\n{}\n", kind.title, kind.status, kind.meaning)))
}

/// The policy of the host that was asked for.
async fn policy(State(app): State<Arc<App>>, headers: HeaderMap, uri: Uri) -> Response {
    let host = headers.get(header::HOST).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let host = host.split(':').next().unwrap_or_default().trim_end_matches('.');
    let settings = app.settings();
    let found = settings.policies.iter().find(|(name, _)| name.as_str().eq_ignore_ascii_case(host));
    match found {
        Some((_, policy)) => {
            let mut response = text(policy.clone());
            response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
            response
        }
        None => http::not_found(uri, headers).await,
    }
}
