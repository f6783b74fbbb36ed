//! One policy, by HTTPS from the host that has the right to say it (RFC 8461 §3.3).
//!
//! Promise: the certificate is valid for `mta-sts.DOMAIN`; nothing but 200 and text/plain is taken, no
//! redirect is followed, no cache of HTTP is believed, and 64 KiB are read at most.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use repute_dns::{Lookup, Resolver};
use repute_net::{Network, Stream, TlsPolicy};
use repute_trust::sts::Policy;
use repute_types::Domain;
use tokio::task::JoinHandle;

use super::PolicyHosts;
use crate::hosts::can_be_public_host;

/// RFC 8461 §3.3 suggests it.
const OCTETS_MOST: usize = 64 << 10;
const HEADER_MOST: usize = 32 << 10;
const ADDRESSES_MOST: usize = 4;
/// For one address.
const CONNECT: Duration = Duration::from_secs(4);
const PATH: &str = "/.well-known/mta-sts.txt";
const AGENT: &str = concat!("Repute/", env!("CARGO_PKG_VERSION"));

/// The caller bounds the time.
pub(super) async fn policy(
    network: &dyn Network,
    resolver: &dyn Resolver,
    domain: &Domain,
    hosts: PolicyHosts,
) -> Result<Policy, String> {
    let host = Domain::parse(&format!("mta-sts.{domain}")).map_err(|_| "the name of its host is too long")?;
    let stream = connect(network, resolver, &host, hosts).await?;
    Policy::parse(&get(stream, &host).await?)
}

async fn connect(
    network: &dyn Network,
    resolver: &dyn Resolver,
    host: &Domain,
    hosts: PolicyHosts,
) -> Result<Stream, String> {
    let mut last = format!("{host} has no address that can be reached");
    for ip in addresses(resolver, host, hosts).await {
        match network.connect(SocketAddr::new(ip, hosts.port), None, CONNECT).await {
            Ok(stream) => {
                let secured = network.tls().start(stream, host.as_str(), TlsPolicy::Verified).await;
                return secured.map(|(stream, _)| stream).map_err(|error| error.to_string());
            }
            Err(error) => last = error.text,
        }
    }
    Err(last)
}

async fn addresses(resolver: &dyn Resolver, host: &Domain, hosts: PolicyHosts) -> Vec<IpAddr> {
    let (v4, v6) = tokio::join!(resolver.a(host), resolver.aaaa(host));
    let v4 = if let Lookup::Found(found) = v4 { found.items } else { Vec::new() };
    let v6 = if let Lookup::Found(found) = v6 { found.items } else { Vec::new() };
    let all = v4.into_iter().map(IpAddr::from).chain(v6.into_iter().map(IpAddr::from));
    let may = |ip: &IpAddr| can_be_public_host(*ip) || hosts.danger_allow_loopback && ip.is_loopback();
    all.filter(may).take(ADDRESSES_MOST).collect()
}

async fn get(stream: Stream, host: &Domain) -> Result<Bytes, String> {
    let mut builder = http1::Builder::new();
    let made = builder.max_buf_size(HEADER_MOST).max_headers(100).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = made.map_err(|error| error.to_string())?;
    let _driver = Driver(tokio::spawn(async move {
        // What goes wrong is told to whoever waits for the answer.
        let _ = connection.await;
    }));
    let request = Request::get(PATH)
        .header(HOST, host.as_str())
        .header(USER_AGENT, AGENT)
        .header(ACCEPT, "text/plain")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let answer = sender.send_request(request).await.map_err(|error| error.to_string())?;
    if answer.status() != StatusCode::OK {
        return Err(format!("it answers {}", answer.status()));
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("text/plain") {
        return Err(format!("what it sends is {kind:?}, not text/plain"));
    }
    let body = Limited::new(answer.into_body(), OCTETS_MOST).collect().await;
    body.map(|body| body.to_bytes()).map_err(|error| error.to_string())
}

/// Moves the octets; ended with the request.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
