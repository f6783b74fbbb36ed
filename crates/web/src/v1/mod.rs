//! The API, version 1: one file an operation or a family of them.
//!
//! What is read here is checked here, every fault at once and each with its place; what it is
//! asked to do is an operation of `engine`, the same that the command line uses.

pub(crate) mod batch;
mod campaigns;
mod cancel;
mod circuits;
mod events;
pub(crate) mod letter;
mod messages;
pub(crate) mod people;
mod permits;
pub(crate) mod problems;
pub(crate) mod queue;
mod raw;
mod reports;
mod server;
mod show;
pub(crate) mod submit;
mod suppressions;
mod tls;
mod trust;
mod view;
mod webhooks;

use std::sync::Arc;

use serde_json::json;
use utoipa::ToSchema;
use utoipa::openapi::schema::{AnyOfBuilder, KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::problem::{FieldFault, Problem};

pub(crate) use campaigns::Rows;
pub(crate) use events::Followers;

/// Lists of any length, which have a longer time.
pub(crate) fn lists() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(campaigns::recipients::add))
}

/// Words of a person that are kept: short, and one line.
fn reason(text: Option<String>, pointer: &str) -> Result<Option<String>, Problem> {
    match text {
        Some(text) if text.len() > 500 || text.contains(char::is_control) => {
            let cure = "write at most 500 octets without control characters";
            Err(Problem::fields(vec![FieldFault::new(pointer, cure)]))
        }
        text => Ok(text),
    }
}

/// A tag, as the description has it.
#[allow(dead_code, reason = "only described: what is read is a text, so that its fault is told with the others")]
#[derive(ToSchema)]
#[schema(min_length = 1, max_length = 128, pattern = r"^[^\x00-\x1f\x7f-\x9f]*$", example = "receipt")]
pub(crate) struct Word(String);

/// An address of either kind, or null, as the description has it.
fn an_ip_address() -> Schema {
    let of = |format| ObjectBuilder::new().schema_type(Type::String).format(Some(SchemaFormat::KnownFormat(format)));
    let any = AnyOfBuilder::new().item(of(KnownFormat::Ipv4)).item(of(KnownFormat::Ipv6));
    let any = any.item(ObjectBuilder::new().schema_type(Type::Null));
    any.description(Some("An address that mail leaves from; null: every address."))
        .examples([json!("203.0.113.10")])
        .build()
        .into()
}

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new()
        .routes(routes!(messages::send))
        .routes(routes!(batch::send))
        .routes(routes!(show::message, cancel::cancel))
        .routes(routes!(show::recipient))
        .routes(routes!(queue::list))
        .routes(routes!(queue::hold))
        .routes(routes!(queue::release))
        .routes(routes!(queue::retry))
        .routes(routes!(queue::cancel))
        .routes(routes!(suppressions::list, suppressions::add, suppressions::release))
        .routes(routes!(events::follow))
        .routes(routes!(campaigns::begin, campaigns::list))
        .routes(routes!(campaigns::check::check))
        .routes(routes!(campaigns::check::preview))
        .routes(routes!(campaigns::show))
        .routes(routes!(campaigns::launch))
        .routes(routes!(campaigns::pause))
        .routes(routes!(campaigns::resume))
        .routes(routes!(campaigns::cancel))
        .routes(routes!(permits::list))
        .routes(routes!(permits::allow))
        .routes(routes!(permits::suspend))
        .routes(routes!(permits::reset))
        .routes(routes!(permits::checks, permits::recheck))
        .routes(routes!(trust::incidents))
        .routes(routes!(trust::history))
        .routes(routes!(reports::list))
        .routes(routes!(reports::show))
        .routes(routes!(reports::sources))
        .routes(routes!(tls::list))
        .routes(routes!(circuits::list))
        .routes(routes!(circuits::go_on))
        .routes(routes!(circuits::cancel))
        .routes(routes!(webhooks::list))
        .routes(routes!(webhooks::show))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::pause))
        .routes(routes!(webhooks::resume))
        .routes(routes!(webhooks::redeliver))
        .routes(routes!(server::status))
        .routes(routes!(server::domains))
        .routes(routes!(server::egress))
}
