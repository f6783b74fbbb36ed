//! One request to a receiver: looked up, judged, connected, signed, sent.
//!
//! The address is judged after the look-up and is the one that is connected to, so that a name
//! cannot say one thing and lead to another. Redirects are never followed; certificates have to be
//! valid; proxies of the environment are not asked. Of an answer the status and Retry-After are
//! read; its body is thrown away, within a bound. Every answer is data ([`Answer`]).

mod connection;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{HeaderMap, Request, StatusCode};
use repute_dns::{Lookup, Resolver};
use repute_net::{Network, TlsPolicy};
use repute_types::{Clock, Domain};
use tokio::time::timeout;

use self::connection::{Connection, Failure, Head};
use crate::guard;
use crate::secret;
use crate::target::{Host, is_localhost};
use crate::webhook::Webhook;

pub use self::connection::Pool;

const AGENT: &str = concat!("Repute/", env!("CARGO_PKG_VERSION"));
/// Addresses of a name that are tried, at most.
const ADDRESSES: usize = 4;
/// For one of them, where there are more.
const CONNECT: Duration = Duration::from_secs(5);

/// What a receiver said, or why it said nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// 2xx.
    Taken(u16),
    /// 410: the receiver wants no more, ever.
    Gone,
    Failed {
        /// Where it answered.
        status: Option<u16>,
        /// One sentence for people.
        text: String,
        /// From Retry-After.
        wait: Option<Duration>,
    },
}

impl Answer {
    fn failed(text: impl Into<String>) -> Answer {
        Answer::Failed { status: None, text: text.into(), wait: None }
    }
}

/// What is sent: the same octets under the same id at every attempt.
#[derive(Clone, Debug)]
pub struct Call {
    pub id: String,
    pub body: Bytes,
}

/// The doors through which receivers are reached.
pub struct Caller {
    pub network: Arc<dyn Network>,
    pub resolver: Arc<dyn Resolver>,
    pub clock: Arc<dyn Clock>,
}

impl Caller {
    /// One request, within the webhook's time: the head of the answer is what has to come in it.
    pub async fn call(&self, webhook: &Webhook, pool: &Pool, call: &Call) -> Answer {
        match timeout(webhook.timeout, self.exchange(webhook, pool, call)).await {
            Ok(Ok((connection, head))) => self.answered(pool, connection, head).await,
            Ok(Err(Failure(text))) => Answer::failed(text),
            Err(_) => Answer::failed(format!("no answer within {} s", webhook.timeout.as_secs_f64())),
        }
    }

    async fn exchange(&self, webhook: &Webhook, pool: &Pool, call: &Call) -> Result<(Connection, Head), Failure> {
        // The other side may have closed a connection that was kept; then a new one is made, once.
        if let Some(mut kept) = pool.take(self.clock.now())
            && let Ok(head) = kept.send(self.request(webhook, call)?).await
        {
            return Ok((kept, head));
        }
        let mut new = self.connect(webhook).await?;
        let head = new.send(self.request(webhook, call)?).await?;
        Ok((new, head))
    }

    async fn answered(&self, pool: &Pool, connection: Connection, head: Head) -> Answer {
        let answer = read(head.status(), head.headers());
        if connection::drain(head).await {
            pool.give(connection, self.clock.now());
        }
        answer
    }

    /// Signed anew for each attempt: the time is part of what is signed.
    fn request(&self, webhook: &Webhook, call: &Call) -> Result<Request<Full<Bytes>>, Failure> {
        let seconds = self.clock.now().seconds();
        let signature = secret::sign(&webhook.secrets, &call.id, seconds, &call.body);
        Request::post(&webhook.target.path)
            .header(HOST, &webhook.target.authority)
            .header(USER_AGENT, AGENT)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", &call.id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(Full::new(call.body.clone()))
            .map_err(|error| Failure(format!("the request cannot be written: {error}")))
    }

    async fn connect(&self, webhook: &Webhook) -> Result<Connection, Failure> {
        let target = &webhook.target;
        let addresses = self.addresses(webhook).await?;
        let several = addresses.len() > 1;
        let mut last = Failure(format!("{} has no address", target.host_text()));
        for ip in addresses {
            let within = if several { CONNECT.min(webhook.timeout) } else { webhook.timeout };
            let stream = match self.network.connect(SocketAddr::new(ip, target.port), None, within).await {
                Ok(stream) => stream,
                Err(error) => {
                    last = Failure(error.text);
                    continue;
                }
            };
            if !target.tls {
                return Connection::open(stream).await;
            }
            let name = target.host_text();
            let secured = self.network.tls().start(stream, &name, TlsPolicy::Verified).await;
            let (stream, _) = secured.map_err(|error| Failure(format!("{name} at {ip}: {}", chain(&error))))?;
            return Connection::open(stream).await;
        }
        Err(last)
    }

    /// Those of the host's addresses that may be called.
    async fn addresses(&self, webhook: &Webhook) -> Result<Vec<IpAddr>, Failure> {
        let name = match &webhook.target.host {
            Host::Address(address) => return judged(vec![*address], webhook),
            Host::Name(name) => name,
        };
        if is_localhost(name) {
            return judged(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], webhook);
        }
        let (v4, v6) = tokio::join!(self.resolver.a(name), self.resolver.aaaa(name));
        let trouble = v4.unknown().or(v6.unknown()).map(str::to_owned);
        let v4 = found(v4).into_iter().map(IpAddr::from);
        let found: Vec<IpAddr> = v4.chain(found(v6).into_iter().map(IpAddr::from)).collect();
        match (found.is_empty(), trouble) {
            (false, _) => judged(found, webhook),
            (true, Some(trouble)) => Err(Failure(format!("{name} cannot be looked up: {trouble}"))),
            (true, None) => Err(no_address(name)),
        }
    }
}

fn no_address(name: &Domain) -> Failure {
    Failure(format!("{name} has no address in DNS"))
}

fn found<T>(lookup: Lookup<T>) -> Vec<T> {
    match lookup {
        Lookup::Found(records) => records.items,
        _ => Vec::new(),
    }
}

/// One address that may not be called is enough to see that the name is not what it should be.
fn judged(addresses: Vec<IpAddr>, webhook: &Webhook) -> Result<Vec<IpAddr>, Failure> {
    for ip in &addresses {
        if let Some(why) = guard::why_not(*ip, webhook.reach()) {
            let host = webhook.target.host_text();
            let inside = guard::why_not(*ip, guard::Reach::Private).is_none();
            let cure = if inside { "; for a receiver of your own, say `allow_private = true`" } else { "" };
            return Err(Failure(format!("{host} is at {ip}, which is not called: {why}{cure}")));
        }
    }
    Ok(addresses.into_iter().take(ADDRESSES).collect())
}

fn read(status: StatusCode, headers: &HeaderMap) -> Answer {
    let code = status.as_u16();
    if status.is_success() {
        return Answer::Taken(code);
    }
    if status == StatusCode::GONE {
        return Answer::Gone;
    }
    let text = match status.is_redirection() {
        true => format!("it answered {code}: redirects are not followed, so write the final address into `url`"),
        false => format!("it answered {status}"),
    };
    // The other form, a date, is not sent by what limits rates; without it our own waits are used.
    let seconds = headers.get(RETRY_AFTER).and_then(|v| v.to_str().ok()).and_then(|v| v.trim().parse().ok());
    Answer::Failed { status: Some(code), text, wait: seconds.map(Duration::from_secs) }
}

/// An error with its causes, in one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
