//! The API, version 1: one file an operation or a family of them.
//!
//! What is read here is checked here, every fault at once and each with its place; what it is
//! asked to do is an operation of `engine`, the same that the command line uses.

pub(crate) mod batch;
mod cancel;
pub(crate) mod letter;
mod messages;
pub(crate) mod people;
mod problems;
mod queue;
mod raw;
mod server;
mod show;
pub(crate) mod submit;
mod suppressions;
mod view;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

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
        .routes(routes!(server::status))
        .routes(routes!(server::domains))
        .routes(routes!(server::egress))
}
