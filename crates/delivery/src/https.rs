//! One request by HTTPS to a host that a stranger's DNS names: a policy fetched, a report handed in.
//!
//! Promise: the certificate is valid for the name, no redirect is followed, no proxy of the environment asked, and the
//! answer's header and body have bounds. The caller bounds the time.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use repute_dns::{Lookup, Resolver};
use repute_net::{CertificateFault, Network, Stream, TlsError, TlsPolicy};
use repute_types::Domain;
use tokio::task::JoinHandle;

use crate::hosts::can_be_public_host;

const HEADER_MOST: usize = 32 << 10;
const ADDRESSES_MOST: usize = 4;
/// For one address.
const CONNECT: Duration = Duration::from_secs(4);
pub(crate) const AGENT: &str = concat!("Repute/", env!("CARGO_PKG_VERSION"));

/// Why there is no answer, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Unreachable(String),
    /// The host is not who it should be.
    Certificate(String),
}

impl From<hyper::Error> for Fault {
    fn from(error: hyper::Error) -> Fault {
        Fault::Unreachable(error.to_string())
    }
}

/// Where a request goes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub host: &'a Domain,
    pub port: u16,
    /// Networks that nobody but their owners reach are not asked.
    pub public: bool,
    /// For tests.
    pub danger_allow_loopback: bool,
}

/// Hands `body` in at a URL. The status of the answer, or why there is none.
pub async fn post(
    network: &dyn Network,
    resolver: &dyn Resolver,
    url: &str,
    media: &'static str,
    body: Bytes,
    danger_allow_loopback: bool,
) -> Result<u16, String> {
    let uri: Uri = url.parse().map_err(|_| "it is not a URL")?;
    let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or("its URL has no host")?;
    let host = Domain::parse(authority.host()).map_err(|_| "its URL has no host's name")?;
    let port = authority.port_u16().unwrap_or(443);
    let request = Request::post(uri.path_and_query().map_or("/", |path| path.as_str()))
        .header(HOST, authority.as_str())
        .header(USER_AGENT, AGENT)
        .header(CONTENT_TYPE, media)
        .body(Full::new(body))
        .map_err(|error| error.to_string())?;
    let place = Place { host: &host, port, public: !danger_allow_loopback, danger_allow_loopback };
    match exchange(network, resolver, place, request).await {
        Ok(answer) => Ok(answer.head.status().as_u16()),
        Err(Fault::Unreachable(why)) => Err(why),
        Err(Fault::Certificate(why)) => Err(format!("{host} has no valid certificate: {why}")),
    }
}

/// The head of an answer; its body can be read as long as this is kept.
pub(crate) struct Answer {
    pub head: Response<Incoming>,
    driver: Driver,
}

impl Answer {
    pub async fn body(self, most: usize) -> Result<Bytes, String> {
        let _driver = self.driver;
        let body = Limited::new(self.head.into_body(), most).collect().await;
        body.map(|body| body.to_bytes()).map_err(|error| error.to_string())
    }
}

pub(crate) async fn exchange(
    network: &dyn Network,
    resolver: &dyn Resolver,
    place: Place<'_>,
    request: Request<Full<Bytes>>,
) -> Result<Answer, Fault> {
    let stream = connect(network, resolver, place).await?;
    let mut builder = http1::Builder::new();
    let made = builder.max_buf_size(HEADER_MOST).max_headers(100).handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = made?;
    let driver = Driver(tokio::spawn(async move {
        // What goes wrong is told to whoever waits for the answer.
        let _ = connection.await;
    }));
    Ok(Answer { head: sender.send_request(request).await?, driver })
}

async fn connect(network: &dyn Network, resolver: &dyn Resolver, place: Place<'_>) -> Result<Stream, Fault> {
    let host = place.host;
    let mut last = format!("{host} has no address that can be reached");
    for ip in addresses(resolver, place).await {
        match network.connect(SocketAddr::new(ip, place.port), None, CONNECT).await {
            Ok(stream) => {
                let secured = network.tls().start(stream, host.as_str(), TlsPolicy::Verified).await;
                return secured.map(|(stream, _)| stream).map_err(|error| match error {
                    TlsError::Certificate(why) => Fault::Certificate(CertificateFault::in_words(&why)),
                    other => Fault::Unreachable(other.to_string()),
                });
            }
            Err(error) => last = error.text,
        }
    }
    Err(Fault::Unreachable(last))
}

async fn addresses(resolver: &dyn Resolver, place: Place<'_>) -> Vec<IpAddr> {
    let (v4, v6) = tokio::join!(resolver.a(place.host), resolver.aaaa(place.host));
    let v4 = if let Lookup::Found(found) = v4 { found.items } else { Vec::new() };
    let v6 = if let Lookup::Found(found) = v6 { found.items } else { Vec::new() };
    let all = v4.into_iter().map(IpAddr::from).chain(v6.into_iter().map(IpAddr::from));
    let public = |ip: IpAddr| can_be_public_host(ip) && !(place.public && is_inside(ip));
    let may = |ip: &IpAddr| public(*ip) || place.danger_allow_loopback && ip.is_loopback();
    all.filter(may).take(ADDRESSES_MOST).collect()
}

/// What a router does not lead to from elsewhere (RFC 1918, RFC 3927, RFC 6598, RFC 4193).
fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local() || matches!(v4.octets(), [100, 64..=127, ..]),
        IpAddr::V6(v6) => v6.is_unique_local(),
    }
}

/// Moves the octets; ended with the request.
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}
