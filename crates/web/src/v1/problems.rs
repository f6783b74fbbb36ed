//! Which problems an operation may answer with, for the description.

use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema as _};

use crate::problem::{
    CONFLICT, INTERNAL, INVALID_FIELDS, KEY_REUSED, KINDS, MALFORMED, MEDIA, MEDIA_TYPE, NOT_ALLOWED, NOT_FOUND,
    Problem, TIMEOUT, TOO_LARGE, TOO_MANY, UNAVAILABLE, UNKNOWN_TOKEN,
};

/// Of an operation that only reads.
pub(crate) struct Reading;

/// Of one that takes no document and changes something.
pub(crate) struct Changing;

/// Of an operation that takes a document.
pub(crate) struct Writing;

impl IntoResponses for Reading {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        described(&[
            MALFORMED.status,
            UNKNOWN_TOKEN.status,
            NOT_ALLOWED.status,
            NOT_FOUND.status,
            TOO_MANY.status,
            INTERNAL.status,
            UNAVAILABLE.status,
        ])
    }
}

impl IntoResponses for Changing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = Reading::responses();
        all.extend(described(&[CONFLICT.status]));
        all
    }
}

impl IntoResponses for Writing {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let mut all = Changing::responses();
        all.extend(described(&[
            TIMEOUT.status,
            TOO_LARGE.status,
            MEDIA_TYPE.status,
            INVALID_FIELDS.status,
            KEY_REUSED.status,
        ]));
        all
    }
}

/// One response a status, with the titles of its kinds.
fn described(statuses: &[u16]) -> BTreeMap<String, RefOr<Response>> {
    let schema = || RefOr::Ref(Ref::from_schema_name(Problem::name()));
    let response = |status: u16| {
        let titles: BTreeSet<_> = KINDS.iter().filter(|kind| kind.status == status).map(|kind| kind.title).collect();
        let description = titles.into_iter().collect::<Vec<_>>().join("; ");
        let content = ContentBuilder::new().schema(Some(schema())).build();
        RefOr::T(ResponseBuilder::new().description(description).content(MEDIA, content).build())
    };
    statuses.iter().map(|status| (status.to_string(), response(*status))).collect()
}
