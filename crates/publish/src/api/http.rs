//! One request to a host's interface: HTTP/1.1 with JSON, over TLS with a verified certificate.
//!
//! Bounds: a minute a request, 4 MiB of an answer, four tries where a host says "later", a minute of waiting each. What was
//! read is asked again after a 5xx; what changes something is not, because it may have been done. Redirects are never
//! followed, and proxies of the environment are not asked: the token goes where it belongs.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, Uri};
use hyper_util::rt::TokioIo;
use repute_net::{Network as _, TcpNetwork, TlsClient, TlsPolicy};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::{ApiError, Host};

const AGENT: &str = concat!("Repute/", env!("CARGO_PKG_VERSION"));
const DEADLINE: Duration = Duration::from_secs(60);
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: usize = 4 << 20;
const TRIES: u32 = 4;
/// A longer wait is a person's matter.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// Of what a host says, for people.
const SAID: usize = 300;

/// Where an interface is: a URL, without `/` at its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    tls: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BaseError {
    #[error("it is not a URL: write https://HOST/PATH")]
    Form,
    #[error("a token is sent over https alone; http is for this machine itself")]
    InClear,
}

impl Base {
    pub fn parse(text: &str) -> Result<Base, BaseError> {
        let uri: Uri = text.parse().map_err(|_| BaseError::Form)?;
        let authority = uri.authority().filter(|a| !a.as_str().contains('@')).ok_or(BaseError::Form)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback()) => false,
            Some("http") => return Err(BaseError::InClear),
            _ => return Err(BaseError::Form),
        };
        Ok(Base {
            tls,
            port: authority.port_u16().unwrap_or(if tls { 443 } else { 80 }),
            host,
            authority: authority.as_str().to_owned(),
            path: uri.path().trim_end_matches('/').to_owned(),
        })
    }
}

pub(super) struct Http {
    host: Host,
    base: Base,
    /// The whole value of the header field Authorization.
    authorization: String,
    token: String,
    connection: Mutex<Option<SendRequest<Full<Bytes>>>>,
    network: TcpNetwork,
}

/// A status and the JSON with it; `Null` where there is none.
struct Answer {
    status: u16,
    wait: Option<Duration>,
    json: Value,
}

impl Http {
    pub fn new(host: Host, base: Base, scheme: &str, token: &str) -> Http {
        let token = token.trim().to_owned();
        let network = TcpNetwork::new(TlsClient::with_native_roots());
        let authorization = format!("{scheme} {token}");
        Http { host, base, authorization, token, connection: Mutex::new(None), network }
    }

    pub async fn get(&self, path: &str) -> Result<Option<Value>, ApiError> {
        self.ask(Method::GET, path, None).await
    }

    /// What changes something, in a zone that was found before.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, ApiError> {
        let found = self.ask(method, path, body).await?;
        found.ok_or_else(|| self.form(format!("{path} was there a moment ago")))
    }

    pub fn form(&self, what: impl Into<String>) -> ApiError {
        ApiError::Form(self.host.name(), what.into())
    }

    /// The answer's JSON, and `None` where there is no such thing.
    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Result<Option<Value>, ApiError> {
        let mut tries = 1;
        loop {
            let answer = timeout(DEADLINE, self.once(&method, path, body.as_ref())).await;
            let answer = answer.unwrap_or_else(|_| Err(self.unreachable("it does not answer".into())))?;
            let may_wait = answer.wait.is_none_or(|wait| wait <= LONGEST_WAIT);
            let pause = match answer.status {
                429 => answer.wait.or(Some(Duration::from_secs(1 << tries))),
                500..=599 if method == Method::GET => answer.wait.or(Some(Duration::from_millis(200 << tries))),
                _ => None,
            };
            match pause {
                Some(pause) if tries < TRIES && may_wait => sleep(pause).await,
                _ => return self.read(answer),
            }
            tries += 1;
        }
    }

    fn read(&self, answer: Answer) -> Result<Option<Value>, ApiError> {
        let (host, status) = (self.host.name(), answer.status);
        let said = self.said(&answer.json);
        match status {
            200..=299 => Ok(Some(answer.json)),
            401 => Err(ApiError::Token(host, self.host.token())),
            // Cloudflare has no 401 for a token that it does not know.
            403 | 400 if is_unknown_token(self.host, &answer.json) => Err(ApiError::Token(host, self.host.token())),
            403 => Err(ApiError::NotAllowed { host, said, cure: self.host.token() }),
            404 => Ok(None),
            429 => Err(ApiError::TooMany(host, answer.wait.map_or(60, |wait| wait.as_secs()))),
            500..=599 => Err(ApiError::Failed { host, status, said }),
            _ => Err(ApiError::Refused { host, status, said }),
        }
    }

    /// What the host says for people; its own words, without what must not be read.
    fn said(&self, json: &Value) -> String {
        let places = ["/error/message", "/errors/0/message", "/message", "/detail"];
        let found = places.iter().find_map(|place| json.pointer(place)?.as_str().map(str::to_owned));
        let text = found.or_else(|| Some(json.to_string()).filter(|_| json.is_array() || json.is_object()));
        let Some(text) = text else { return String::new() };
        let plain: String = text.chars().filter(|c| !c.is_control()).take(SAID).collect();
        let hidden = if self.token.is_empty() { plain } else { plain.replace(&self.token, "***") };
        format!(": {hidden}")
    }

    fn unreachable(&self, text: String) -> ApiError {
        ApiError::Unreachable { host: self.host.name(), text }
    }

    async fn once(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Answer, ApiError> {
        let failed = |error: hyper::Error| self.unreachable(error.to_string());
        let mut kept = self.connection.lock().await;
        let mut sender = match kept.take() {
            Some(sender) if !sender.is_closed() => sender,
            _ => self.connect().await?,
        };
        // The other side may have closed what was kept; then there is a new one, once.
        if sender.ready().await.is_err() {
            sender = self.connect().await?;
            sender.ready().await.map_err(failed)?;
        }
        let response = sender.send_request(self.request(method, path, body)?).await.map_err(failed)?;
        let status = response.status().as_u16();
        let wait = response.headers().get(RETRY_AFTER).and_then(|v| v.to_str().ok()?.trim().parse().ok());
        let body = Limited::new(response.into_body(), ANSWER).collect().await;
        let body = body.map_err(|error| self.unreachable(format!("its answer broke off: {error}")))?.to_bytes();
        *kept = Some(sender);
        let json = match serde_json::from_slice(&body) {
            Ok(json) => json,
            Err(_) if body.is_empty() || status >= 300 => Value::Null,
            Err(_) => return Err(self.form("it is no JSON")),
        };
        Ok(Answer { status, wait: wait.map(Duration::from_secs), json })
    }

    fn request(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<Request<Full<Bytes>>, ApiError> {
        let octets = body.map(|json| Bytes::from(json.to_string())).unwrap_or_default();
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base.path));
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request
            .header(HOST, &self.base.authority)
            .header(AUTHORIZATION, &self.authorization)
            .header(USER_AGENT, AGENT)
            .header(ACCEPT, "application/json")
            .body(Full::new(octets));
        // What cannot stand in a header field is no token.
        request.map_err(|_| ApiError::Token(self.host.name(), self.host.token()))
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, ApiError> {
        let (name, port) = (self.base.host.as_str(), self.base.port);
        let found = tokio::net::lookup_host((name, port)).await;
        let found = found.map_err(|error| self.unreachable(format!("{name} cannot be looked up: {error}")))?;
        let mut last = format!("{name} has no address");
        for address in found.take(4) {
            let stream = match self.network.connect(address, None, CONNECT).await {
                Ok(stream) => stream,
                Err(error) => {
                    last = error.text;
                    continue;
                }
            };
            let stream = match self.base.tls {
                false => stream,
                true => match self.network.tls().start(stream, name, TlsPolicy::Verified).await {
                    Ok((stream, _)) => stream,
                    Err(error) => return Err(self.unreachable(format!("{name}: {error}"))),
                },
            };
            let made = http1::handshake(TokioIo::new(stream)).await;
            let (sender, connection) = made.map_err(|error| self.unreachable(error.to_string()))?;
            tokio::spawn(async move {
                // Whoever waits for the answer is told what goes wrong.
                let _ = connection.await;
            });
            return Ok(sender);
        }
        Err(self.unreachable(last))
    }
}

/// Codes 6003 and 6111: the token has not the form of one; 9109 and 10000: it is none that is known.
fn is_unknown_token(host: Host, json: &Value) -> bool {
    let codes = json["errors"].as_array().into_iter().flatten().filter_map(|error| error["code"].as_u64());
    host == Host::Cloudflare && codes.into_iter().any(|code| matches!(code, 6003 | 6111 | 9109 | 10000))
}

/// What may stand in a path or a query: the characters of names need no more.
pub(super) fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'@' => quoted.push(char::from(octet)),
            _ => quoted += &format!("%{octet:02X}"),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_sent_in_clear_to_another_machine() {
        let base = Base::parse("https://dns.example/api/v1/").unwrap();
        assert_eq!((base.tls, base.port, base.path.as_str()), (true, 443, "/api/v1"));
        let local = Base::parse("http://127.0.0.1:8000").unwrap();
        assert_eq!((local.tls, local.port, local.path.as_str()), (false, 8000, ""));
        assert!(Base::parse("http://[::1]:8000/api").is_ok());
        let wrong = |text: &str, expected| assert_eq!(Base::parse(text), Err(expected), "{text}");
        wrong("http://dns.example", BaseError::InClear);
        wrong("http://192.0.2.1/", BaseError::InClear);
        wrong("https://user:secret@dns.example", BaseError::Form);
        wrong("dns.example", BaseError::Form);
        wrong("ftp://dns.example", BaseError::Form);
    }

    #[test]
    fn what_a_host_says_does_not_show_the_token() {
        let http = Http::new(Host::Desec, Base::parse("http://127.0.0.1:1").unwrap(), "Token", "s3cret\n");
        let said = http.said(&serde_json::json!({"detail": "token s3cret\n is odd"}));
        assert_eq!(said, ": token *** is odd");
    }
}
