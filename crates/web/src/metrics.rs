//! `GET /metrics`: what a collector such as Prometheus reads, as docs/metrics.md describes it.
//!
//! Promises: only a token that may read metrics is let in, or, where the configuration says so, whoever comes from this
//! machine without a proxy between; the page is answered within some seconds, with what could not be asked left out and
//! named; nothing of it is counted or asked before somebody wants it.

mod gather;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use repute_metrics::{Form, Page};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::caller::{self, Caller};
use crate::http::Peer;
use crate::problem::Problem;
use crate::v1::problems::Reading;

/// For each thing that is asked for a page: beyond it the thing is left out.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(read))
}

/// Lets known tokens in, and without one who may do without.
pub(crate) async fn let_in(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    if app.settings().local_metrics && is_local(&request) {
        return next.run(request).await;
    }
    caller::authenticate(State(app), request, next).await
}

/// A program of this machine that asks for this machine by its name or address: a page in a browser here, whose name leads here,
/// does not, nor does a proxy that says that it speaks for others, also one that the configuration does not name.
fn is_local(request: &Request) -> bool {
    let headers = request.headers();
    let forwarded =
        ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via", "cf-connecting-ip", "origin"];
    let asked = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let host = asked.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(asked, |(host, _)| host);
    let ip = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let peer = request.extensions().get::<Peer>();
    peer.is_some_and(|peer| peer.address.is_loopback() && !peer.is_proxy)
        && (host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback()))
        && forwarded.iter().all(|field| !headers.contains_key(*field))
        && !headers.contains_key(header::AUTHORIZATION)
}

/// Read the metrics
///
/// In the Prometheus text format, or in OpenMetrics for a client that asks for it: docs/metrics.md lists them. The token may
/// read `metrics`.
#[utoipa::path(get, path = "/metrics", operation_id = "readMetrics", tag = "server",
    responses((status = 200, description = "Counters since the server started, and how things stand",
        body = String, content_type = "text/plain"), Reading))]
pub(crate) async fn read(
    State(app): State<Arc<App>>,
    caller: Option<axum::Extension<Caller>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    // Without one it was let in for where it comes from.
    if let Some(caller) = caller {
        caller.measures()?;
    }
    let mut page = Page::default();
    app.counters.read(&mut page);
    gather::all(&app, PATIENCE, &mut page).await;
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = Form::accepted(accept);
    Ok(([(header::CONTENT_TYPE, form.media())], page.write(form)).into_response())
}
