//! The API, version 1: one file an operation or a family of them.
//!
//! What is read here is checked here, every fault at once and each with its place; what it is
//! asked to do is an operation of `engine`, the same that the command line uses.

mod batch;
mod cancel;
mod letter;
mod messages;
mod people;
mod problems;
mod raw;
mod submit;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(messages::send)).routes(routes!(batch::send)).routes(routes!(cancel::cancel))
}
