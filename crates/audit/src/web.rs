//! The least of HTTP/1.1 that checks need (RFC 9110, 9112): one GET, its status, date and body.
//!
//! Promise: at most 1 MiB is read; every wait ends by the deadline; https is verified, but for
//! what only asks whether something answers. Nothing is sent that tells more than the address.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use repute_net::{Stream, TlsPolicy};
use repute_trust::checks::web::Page;
use repute_types::{Domain, Timestamp};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use crate::questions::Questions;

const MOST: usize = 1 << 20;
/// For one page.
const PATIENCE: Duration = Duration::from_secs(10);
/// Registries send on to the one that knows.
const REDIRECTS: usize = 4;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Got {
    pub page: Page,
    pub date: Option<Timestamp>,
    location: Option<String>,
}

struct Url<'a> {
    secure: bool,
    host: &'a str,
    port: u16,
    path: &'a str,
}

fn split(url: &str) -> Option<Url<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let secure = match scheme {
        "https" => true,
        "http" => false,
        _ => return None,
    };
    let at = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at(at);
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, if secure { 443 } else { 80 }),
    };
    let clean = |text: &str| text.bytes().all(|b| b.is_ascii_graphic());
    (clean(path) && !host.is_empty()).then_some(Url {
        secure,
        host,
        port,
        path: if path.is_empty() { "/" } else { path },
    })
}

/// One page, from this address of ours, or from any. Redirects are followed where `follow`.
pub(crate) async fn get(questions: &Questions, url: &str, from: Option<IpAddr>, follow: bool) -> Result<Got, String> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS {
        let got = one(questions, &url, from).await?;
        match got.location.clone().filter(|_| follow && (300..400).contains(&got.page.status)) {
            Some(next) => url = next,
            None => return Ok(got),
        }
    }
    Err(format!("{url} leads on and on"))
}

async fn one(questions: &Questions, url: &str, from: Option<IpAddr>) -> Result<Got, String> {
    let parts = split(url).ok_or_else(|| format!("{url} is no web address"))?;
    let until = questions.until().min(Instant::now() + PATIENCE);
    let asking = async {
        let stream = connect(questions, &parts, from, until).await?;
        exchange(stream, &parts).await
    };
    questions
        .connected(async { timeout_at(until, asking).await.unwrap_or_else(|_| Err("no answer in time".into())) })
        .await
}

async fn connect(questions: &Questions, url: &Url<'_>, from: Option<IpAddr>, until: Instant) -> Result<Stream, String> {
    let network = questions.network().ok_or("nobody is connected to")?;
    let addresses = match url.host.parse::<IpAddr>() {
        Ok(ip) => vec![ip],
        Err(_) => {
            let host = Domain::parse(url.host).map_err(|_| format!("{} is no host", url.host))?;
            questions.addresses_of(&host, from).await?
        }
    };
    let mut last = format!("{} has no address", url.host);
    for ip in addresses.into_iter().take(3) {
        let within = until.saturating_duration_since(Instant::now()).min(Duration::from_secs(5));
        match network.connect(SocketAddr::new(ip, url.port), from, within).await {
            Ok(stream) if url.secure => {
                let shaken = network.tls().start(stream, url.host, TlsPolicy::Verified).await;
                return shaken.map(|(stream, _)| stream).map_err(|error| error.to_string());
            }
            Ok(stream) => return Ok(stream),
            Err(error) => last = error.text,
        }
    }
    Err(last)
}

async fn exchange(mut stream: Stream, url: &Url<'_>) -> Result<Got, String> {
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: repute\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        url.path, url.host
    );
    let broke = |error: std::io::Error| format!("the connection broke: {error}");
    stream.write_all(request.as_bytes()).await.map_err(broke)?;
    let mut octets = Vec::new();
    let mut piece = vec![0; 16 << 10];
    loop {
        match stream.read(&mut piece).await {
            Ok(0) => break,
            Ok(n) => octets.extend_from_slice(&piece[..n]),
            // Many servers end TLS without a goodbye.
            Err(_) if whole(&octets) => break,
            Err(error) => return Err(broke(error)),
        }
        if whole(&octets) {
            break;
        }
        if octets.len() > MOST {
            return Err("it answers with more than 1 MiB".into());
        }
    }
    parse(&octets).ok_or_else(|| "it does not answer in HTTP, or not to the end".to_owned())
}

fn head(octets: &[u8]) -> Option<(&str, &[u8])> {
    let end = octets.windows(4).position(|w| w == b"\r\n\r\n")?;
    Some((std::str::from_utf8(&octets[..end]).ok()?, &octets[end + 4..]))
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .skip(1)
        .filter_map(|l| l.split_once(':'))
        .find(|(n, _)| n.trim().eq_ignore_ascii_case(name))
        .map(|(_, v)| v.trim())
}

/// Whether all that was promised is there, where a length was.
fn whole(octets: &[u8]) -> bool {
    head(octets).is_some_and(|(head, rest)| matches!(body(head, rest), Body::Whole(_)))
}

/// What stands behind the head.
enum Body {
    Whole(Vec<u8>),
    /// Less than was promised.
    Short,
    /// It ends with the connection.
    Open(Vec<u8>),
}

/// Chunks go before a length (RFC 9112 §6.3); what comes behind either is nobody's.
fn body(head: &str, rest: &[u8]) -> Body {
    if chunked(head) {
        return unchunk(rest).map_or(Body::Short, Body::Whole);
    }
    match field(head, "content-length").map(str::parse::<usize>) {
        Some(Ok(length)) => rest.get(..length).map_or(Body::Short, |body| Body::Whole(body.to_vec())),
        _ => Body::Open(rest.to_vec()),
    }
}

fn chunked(head: &str) -> bool {
    field(head, "transfer-encoding").is_some_and(|v| v.to_ascii_lowercase().contains("chunked"))
}

/// The octets of all chunks; `None` where the last is not there.
fn unchunk(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut all = Vec::new();
    loop {
        let end = body.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&body[..end]).ok()?.split(';').next()?.trim();
        let size = usize::from_str_radix(size, 16).ok().filter(|n| *n <= MOST)?;
        body = &body[end + 2..];
        if size == 0 {
            return Some(all);
        }
        all.extend_from_slice(body.get(..size)?);
        body = body.get(size + 2..)?;
    }
}

/// For fuzzing: whether an answer is known to be there whole, and the status and page that are read from it.
pub fn try_answer(octets: &[u8]) -> (bool, Option<(u16, String)>) {
    (whole(octets), parse(octets).map(|got| (got.page.status, got.page.body)))
}

fn parse(octets: &[u8]) -> Option<Got> {
    let (head, rest) = head(octets)?;
    let mut first = head.lines().next()?.split_whitespace();
    if !first.next()?.starts_with("HTTP/1.") {
        return None;
    }
    let status = first.next()?.parse().ok()?;
    let (Body::Whole(body) | Body::Open(body)) = body(head, rest) else { return None };
    let date = field(head, "date").and_then(date);
    let page = Page { status, body: String::from_utf8_lossy(&body).into_owned() };
    Some(Got { page, date, location: field(head, "location").map(str::to_owned) })
}

/// `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110 §5.6.7).
fn date(text: &str) -> Option<Timestamp> {
    let zoned = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.replace("GMT", "+0000")).ok()?;
    Some(Timestamp(zoned.as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let plain = b"HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 5\r\n\r\nhello";
        let got = parse(plain).unwrap();
        assert_eq!((got.page.status, got.page.body.as_str()), (200, "hello"));
        assert_eq!(got.date, Some(Timestamp(784_111_777_000)));
        assert!(whole(plain) && !whole(&plain[..plain.len() - 1]));
        let chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n";
        assert_eq!(parse(chunks).unwrap().page.body, "hello");
        assert!(whole(chunks) && !whole(&chunks[..chunks.len() - 6]));
        assert_eq!(
            parse(b"HTTP/1.1 302 x\r\nLocation: https://a.example/b\r\n\r\n").unwrap().location.as_deref(),
            Some("https://a.example/b")
        );
        let tail = [&plain[..], b"HTTP/1.1 200 OK\r\n"].concat();
        assert_eq!(parse(&tail).unwrap().page.body, "hello", "what comes behind it is nobody's");
        // Half a page must not be judged as a page.
        assert_eq!(parse(&plain[..plain.len() - 1]), None);
        assert_eq!(parse(&chunks[..chunks.len() - 6]), None);
        for nothing in [&b"SSH-2.0-OpenSSH\r\n\r\n"[..], b"", b"HTTP/1.1 x\r\n\r\n", b"HTTP/1.1 200 OK\r\n"] {
            assert_eq!(parse(nothing), None);
        }
        assert_eq!(unchunk(b"ffffffffffffffff\r\nx"), None);
    }

    #[test]
    fn addresses_of_the_web_are_split() {
        let url = split("https://rdap.example:8443/domain/x").unwrap();
        assert_eq!((url.secure, url.host, url.port, url.path), (true, "rdap.example", 8443, "/domain/x"));
        assert_eq!(split("http://a.example").map(|u| (u.port, u.path.to_owned())), Some((80, "/".into())));
        for wrong in ["ftp://a/", "a.example", "http:///x", "http://a/ b", "http://a/\r\nx"] {
            assert!(split(wrong).is_none(), "{wrong}");
        }
    }
}
