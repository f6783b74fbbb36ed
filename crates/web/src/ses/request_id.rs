//! What a client of SES calls a request by: `x-amzn-RequestId` of every answer, in version 1 also in the document.
//!
//! Of a message that was taken it is the message's id, as a UUID, which is read wherever an id is: what a client wrote into its log is
//! found by `repute why`. Any other is random, and kept nowhere.

use aws_lc_rs::rand;
use axum::extract::Request;
use axum::http::header::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;
use repute_types::MessageId;

const FIELD: HeaderName = HeaderName::from_static("x-amzn-requestid");

#[derive(Debug)]
pub(super) struct RequestId(String);

impl RequestId {
    pub fn of(message: MessageId) -> RequestId {
        RequestId(message.to_uuid())
    }

    /// RFC 9562 §5.4.
    pub fn random() -> RequestId {
        let mut octets = [0; 16];
        // Without randomness they are all the same, which harms nobody.
        let _ = rand::fill(&mut octets);
        octets[6] = octets[6] & 0x0f | 0x40;
        octets[8] = octets[8] & 0x3f | 0x80;
        let n = u128::from_be_bytes(octets);
        let (a, b, c, d, e) = (n >> 96, n >> 80 & 0xffff, n >> 64 & 0xffff, n >> 48 & 0xffff, n & 0xffff_ffff_ffff);
        RequestId(format!("{a:08x}-{b:04x}-{c:04x}-{d:04x}-{e:012x}"))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The answer, with it.
    pub fn on(&self, mut response: Response) -> Response {
        if let Ok(value) = HeaderValue::from_str(&self.0) {
            response.headers_mut().entry(FIELD).or_insert(value);
        }
        response
    }
}

/// Gives one to every answer that has none.
pub(super) async fn named(request: Request, next: Next) -> Response {
    RequestId::random().on(next.run(request).await)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_called_by_a_uuid() {
        let (one, other) = (RequestId::random(), RequestId::random());
        assert_ne!(one.as_str(), other.as_str());
        let pieces: Vec<usize> = one.as_str().split('-').map(str::len).collect();
        assert_eq!((pieces.as_slice(), &one.as_str()[14..15]), (&[8, 4, 4, 4, 12][..], "4"), "{one:?}");
        assert!(matches!(&one.as_str()[19..20], "8" | "9" | "a" | "b"), "{one:?}");
    }
}
