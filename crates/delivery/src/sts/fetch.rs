//! One policy, by HTTPS from the host that has the right to say it (RFC 8461 §3.3).
//!
//! Promise: the certificate is valid for `mta-sts.DOMAIN`; nothing but 200 and text/plain is taken, no
//! redirect is followed, no cache of HTTP is believed, and 64 KiB are read at most.

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use repute_dns::Resolver;
use repute_net::Network;
use repute_trust::sts::Policy;
use repute_trust::tlsrpt::ResultType;
use repute_types::Domain;

use super::PolicyHosts;
use crate::https::{self, AGENT, Fault, Place};

/// RFC 8461 §3.3 suggests it.
const OCTETS_MOST: usize = 64 << 10;
const PATH: &str = "/.well-known/mta-sts.txt";

/// Why there is none, in the words of reports (RFC 8460 §4.3.2.2) and in ours.
pub(super) type NotHad = (ResultType, String);

/// The caller bounds the time.
pub(super) async fn policy(
    network: &dyn Network,
    resolver: &dyn Resolver,
    domain: &Domain,
    hosts: PolicyHosts,
) -> Result<Policy, NotHad> {
    let unreachable = |why: String| (ResultType::StsPolicyFetchError, why);
    let host = Domain::parse(&format!("mta-sts.{domain}"));
    let host = host.map_err(|_| unreachable("the name of its host is too long".into()))?;
    let place =
        Place { host: &host, port: hosts.port, public: false, danger_allow_loopback: hosts.danger_allow_loopback };
    let answer = https::exchange(network, resolver, place, request(&host).map_err(unreachable)?).await;
    let answer = answer.map_err(|fault| match fault {
        Fault::Unreachable(why) => unreachable(why),
        Fault::Certificate(why) => (ResultType::StsWebpkiInvalid, why),
    })?;
    if answer.head.status() != StatusCode::OK {
        return Err(unreachable(format!("its host answers {}", answer.head.status())));
    }
    let kind = answer.head.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(unreachable(format!("what its host sends is {kind:?}, not text/plain")));
    }
    let text = answer.body(OCTETS_MOST).await.map_err(unreachable)?;
    Policy::parse(&text).map_err(|why| (ResultType::StsPolicyInvalid, why))
}

fn request(host: &Domain) -> Result<Request<Full<Bytes>>, String> {
    Request::get(PATH)
        .header(HOST, host.as_str())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "text/plain")
        .body(Full::default())
        .map_err(|error| error.to_string())
}
