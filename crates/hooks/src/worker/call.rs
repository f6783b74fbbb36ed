//! A parcel as it is sent. A batch is named after what is in it: the same events make the same
//! call under the same id, also after a crash, and others never share an id with it.

use aws_lc_rs::digest;
use bytes::Bytes;

use crate::caller::Call;
use crate::outbox::Parcel;
use crate::webhook::Webhook;
use crate::wire::VERSION;

/// Octets of the digest that are written: as good as never the same for two batches.
const NAME: usize = 13;

pub fn call(webhook: &Webhook, parcel: &Parcel) -> Call {
    if let ([event], 1) = (parcel.events.as_slice(), webhook.batch) {
        return Call { id: event.id.to_string(), body: Bytes::copy_from_slice(event.json.as_bytes()) };
    }
    let mut names = digest::Context::new(&digest::SHA256);
    parcel.events.iter().for_each(|event| names.update(&event.id.0.to_be_bytes()));
    let name: String = names.finish().as_ref()[..NAME].iter().map(|octet| format!("{octet:02x}")).collect();
    let id = format!("bat_{name}");
    let at = parcel.events.last().map(|event| event.at.to_string()).unwrap_or_default();
    let all: Vec<&str> = parcel.events.iter().map(|event| &*event.json).collect();
    let body = format!(
        "{{\"id\":\"{id}\",\"type\":\"batch\",\"version\":{VERSION},\"timestamp\":\"{at}\",\"data\":[{}]}}",
        all.join(",")
    );
    Call { id, body: body.into() }
}
