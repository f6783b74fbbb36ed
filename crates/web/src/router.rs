//! Which path leads where, and the description of it.
//!
//! The routes of `/v1` are registered from the same attributes that describe them, so that
//! neither can be without the other.

use std::sync::Arc;

use axum::Router;
use axum::http::header;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::get;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{InfoBuilder, OpenApi, OpenApiBuilder};
use utoipa_axum::router::OpenApiRouter;

use crate::app::App;
use crate::{caller, describe, http, metrics, postmark, ses, site, unsubscribe, v1};

const ABOUT: &str = "Hand in messages, ask what became of them, and operate the queue. Every request carries \
`Authorization: Bearer TOKEN` with a token of `repute token add`. Every refusal is a problem (RFC 9457) whose \
`detail` says what to do. A 202 is given only for what is on disk. Requests are bounded: `RateLimit` says how \
many are left, 429 and 503 carry `Retry-After`.";

/// All of it.
pub(crate) fn router(app: Arc<App>) -> Router {
    let ((documents, _), (lists, _)) = (v1::routes().split_for_parts(), v1::lists().split_for_parts());
    let (measured, _) = metrics::routes().split_for_parts();
    let known = from_fn_with_state(app.clone(), caller::authenticate);
    let let_in = from_fn_with_state(app.clone(), metrics::let_in);
    let in_time = from_fn_with_state(app.clone(), http::in_time);
    let in_long_time = from_fn_with_state(app.clone(), http::in_long_time);
    let router = Router::new()
        .merge(documents.layer(known.clone()))
        .merge(measured.layer(let_in))
        .merge(site::router())
        .merge(unsubscribe::router())
        .merge(postmark::router())
        .merge(ses::router())
        .route("/openapi.json", get(described))
        .layer(in_time)
        .merge(lists.layer(known).layer(in_long_time))
        .fallback(http::not_found)
        .method_not_allowed_fallback(http::wrong_method)
        .layer(from_fn_with_state(app.clone(), http::guard))
        .layer(from_fn(http::uncoded))
        .layer(from_fn(http::framed))
        .layer(from_fn(http::named));
    router.with_state(app)
}

/// The description of the API (OpenAPI 3.1), as `/openapi.json` answers it.
pub fn description() -> String {
    let (_, description) = api().split_for_parts();
    // It is made of texts and numbers: it can be written.
    let mut text = description.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text
}

fn api() -> OpenApiRouter<Arc<App>> {
    let mut api = OpenApiRouter::with_openapi(about()).merge(v1::routes()).merge(v1::lists()).merge(metrics::routes());
    describe::complete(api.get_openapi_mut());
    api
}

fn about() -> OpenApi {
    let info = InfoBuilder::new().title("Repute").version(env!("CARGO_PKG_VERSION")).description(Some(ABOUT));
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("As `repute token add` prints it."));
    let components = utoipa::openapi::ComponentsBuilder::new()
        .security_scheme("token", SecurityScheme::Http(bearer.build()))
        .build();
    let needed = utoipa::openapi::security::SecurityRequirement::new("token", Vec::<String>::new());
    OpenApiBuilder::new().info(info.build()).components(Some(components)).security(Some([needed])).build()
}

async fn described() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], description())
}
