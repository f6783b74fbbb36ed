//! A DNS host on loopback: one zone, `example.test`, and what is forced to go wrong next. HTTP/1.1, a connection kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use repute_publish::{Api, Base, Host};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::dialects;

pub const TOKEN: &str = "s3cret";

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub id: u64,
    pub name: String,
    pub kind: String,
    /// As a zone file has it.
    pub value: String,
    pub ttl: u64,
    pub proxied: bool,
}

#[derive(Default)]
pub struct State {
    pub records: Vec<Record>,
    next: u64,
    pub writes: usize,
    forced: VecDeque<(u16, Option<String>, Value)>,
    forced_write: Option<(u16, Value)>,
}

impl State {
    pub fn add(&mut self, name: &str, kind: &str, value: &str, ttl: u64) {
        self.next += 1;
        let (name, kind, value) = (name.to_owned(), kind.to_owned(), value.to_owned());
        self.records.push(Record { id: self.next, name, kind, value, ttl, proxied: false });
    }
}

pub struct Request {
    pub method: String,
    pub path: String,
    /// Of one parameter each.
    pub query: Vec<(String, String)>,
    pub body: Value,
}

impl Request {
    pub fn asked(&self, key: &str) -> Option<&str> {
        self.query.iter().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}

pub struct Fake {
    host: Host,
    base: String,
    state: Arc<Mutex<State>>,
}

impl Fake {
    pub async fn start(host: Host) -> Fake {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}/base", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State::default()));
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(host, stream, shared.clone()));
            }
        });
        Fake { host, base, state }
    }

    pub fn api(&self, token: &str) -> Api {
        Api::new(self.host, token, Some(Base::parse(&self.base).unwrap()))
    }

    pub fn put(&self, name: &str, kind: &str, value: &str, ttl: u64) {
        self.state.lock().unwrap().add(name, kind, value, ttl);
    }

    pub fn put_proxied(&self, name: &str, kind: &str, value: &str) {
        let mut state = self.state.lock().unwrap();
        state.add(name, kind, value, 1);
        state.records.last_mut().unwrap().proxied = true;
    }

    /// The zone, sorted.
    pub fn zone(&self) -> Vec<String> {
        let state = self.state.lock().unwrap();
        let mut lines: Vec<String> =
            state.records.iter().map(|r| format!("{} {} {} {}", r.name, r.ttl, r.kind, r.value)).collect();
        lines.sort_by_key(|line| {
            line.split(' ').enumerate().filter(|(n, _)| *n != 1).map(|(_, w)| w.to_owned()).collect::<Vec<_>>()
        });
        lines
    }

    /// Requests that change something, so far.
    pub fn writes(&self) -> usize {
        self.state.lock().unwrap().writes
    }

    /// The next answer, whatever is asked.
    pub fn next(&self, status: u16, wait: Option<&str>, json: Value) {
        self.state.lock().unwrap().forced.push_back((status, wait.map(str::to_owned), json));
    }

    pub fn next_write(&self, status: u16, json: Value) {
        self.state.lock().unwrap().forced_write = Some((status, json));
    }
}

async fn serve(host: Host, stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut stream = BufReader::new(stream);
    while let Some((request, authorization)) = receive(&mut stream).await {
        let (status, wait, json) = answer(host, &request, &authorization, &mut state.lock().unwrap());
        let body = if json.is_null() { String::new() } else { json.to_string() };
        let wait = wait.map(|wait| format!("Retry-After: {wait}\r\n")).unwrap_or_default();
        let head = format!("HTTP/1.1 {status} X\r\n{wait}Content-Length: {}\r\n\r\n", body.len());
        if stream.write_all(format!("{head}{body}").as_bytes()).await.is_err() {
            return;
        }
    }
}

async fn receive(stream: &mut BufReader<TcpStream>) -> Option<(Request, String)> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await.ok().filter(|n| *n > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let field = |name: &str| {
        lines.iter().find_map(|line| {
            line.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v.to_owned())
        })
    };
    let mut body = vec![0; field("content-length").and_then(|n| n.parse().ok()).unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    let mut words = lines[0].split(' ');
    let (method, target) = (words.next()?.to_owned(), words.next()?);
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query = query.split('&').filter_map(|pair| pair.split_once('='));
    let request = Request {
        method,
        path: path.strip_prefix("/base").expect("the base is kept").to_owned(),
        query: query.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        body: serde_json::from_slice(&body).unwrap_or(Value::Null),
    };
    Some((request, field("authorization").unwrap_or_default()))
}

fn answer(host: Host, request: &Request, authorization: &str, state: &mut State) -> (u16, Option<String>, Value) {
    let scheme = if host == Host::Desec { "Token" } else { "Bearer" };
    if authorization != format!("{scheme} {TOKEN}") {
        return match host {
            // It has no 401 for this.
            Host::Cloudflare => {
                let errors = json!([{"code": 9109, "message": format!("Invalid access token: {authorization}")}]);
                (403, None, json!({"success": false, "errors": errors, "result": null}))
            }
            _ => (401, None, json!({"detail": format!("Invalid token: {authorization}")})),
        };
    }
    if let Some(forced) = state.forced.pop_front() {
        return forced;
    }
    let changes = request.method != "GET";
    state.writes += usize::from(changes);
    if let Some((status, json)) = state.forced_write.take_if(|_| changes) {
        return (status, None, json);
    }
    let (status, json) = match host {
        Host::Cloudflare => dialects::cloudflare(request, state),
        Host::Desec => dialects::desec(request, state),
        Host::DigitalOcean => dialects::digitalocean(request, state),
        Host::Hetzner => dialects::hetzner(request, state),
    };
    (status, None, json)
}
