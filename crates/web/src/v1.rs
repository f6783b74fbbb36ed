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
pub(crate) mod suppressions;
mod tls;
mod trust;
pub(crate) mod view;
mod webhooks;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

pub(crate) use campaigns::Rows;
pub(crate) use events::Followers;

/// Lists of any length, which have a longer time.
pub(crate) fn lists() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::new().routes(routes!(campaigns::recipients::add))
}

/// Characters of what a person says, for those who find it later.
pub(crate) const LONGEST_LINE: usize = 500;
const LINE_CURE: &str = "write at most 500 characters without control characters";

/// Words of a person that are kept: short, and one line.
fn is_line(text: &str) -> bool {
    text.chars().count() <= LONGEST_LINE && !text.contains(char::is_control)
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
