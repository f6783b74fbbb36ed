//! HTTP: where it listens, who may use it, what its pages say.
//!
//! In no configuration do tokens cross a network in the clear: without TLS only loopback and
//! named proxies are served.

use std::collections::HashSet;
use std::net::IpAddr;

use repute_web::TokenHash;
use toml::Spanned;

use super::{Account, Action, Checking, Files, Listener, ListenerKind, MetricsFor, files, typed};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Web {
    /// Without a slash at its end.
    pub url: Option<String>,
    pub imprint: Option<String>,
    pub requests_per_minute: u32,
    pub metrics: MetricsFor,
}

#[derive(Clone, Debug)]
pub struct Token {
    pub name: String,
    pub hash: TokenHash,
    pub account: Option<String>,
    pub allow: Vec<Action>,
    pub requests_per_minute: Option<u32>,
}

/// The sockets of [web], added to those of mail.
pub fn listeners(c: &mut Checking, web: &typed::Web, listeners: &mut Vec<Listener>) {
    let proxies: Vec<IpAddr> = web.proxy_from.iter().map(|p| p.get_ref().to_canonical()).collect();
    for wanted in &web.listen {
        let socket = wanted.get_ref().0;
        let is_private = socket.address.is_loopback() || !proxies.is_empty();
        if let Some(tls) = web.tls.as_ref().filter(|tls| !tls.get_ref() && !is_private) {
            let cure = "take `tls = false` out, listen on a loopback address, or name the proxy in `proxy_from`";
            c.fault(tls.span(), format!("tokens would cross the network of {} in the clear", socket.address), cure);
        }
        let secure = web.tls.as_ref().map_or(!is_private, |tls| *tls.get_ref());
        let kind = if secure { ListenerKind::Https } else { ListenerKind::Http };
        let address = socket.with_port(kind.port());
        if address.port() != 0 && listeners.iter().any(|l| l.address == address) {
            c.fault(wanted.span(), format!("two listeners share {address}"), "give one of them another port");
        }
        listeners.push(Listener { kind, address, proxy_from: proxies.clone() });
    }
}

pub fn check(c: &mut Checking, web: typed::Web) -> Web {
    if *web.metrics.get_ref() == MetricsFor::Loopback && web.listen.is_empty() {
        let cure = "add `listen = \"127.0.0.1:8080\"` to [web]; docs/metrics.md says more";
        c.advise(web.metrics.span(), "nobody can read the metrics, for [web] listens nowhere", cure);
    }
    Web {
        url: web.url.as_ref().and_then(|url| check_url(c, url)),
        imprint: imprint(c, &web),
        requests_per_minute: web.requests_per_minute,
        metrics: web.metrics.into_inner(),
    }
}

/// Links are followed from anywhere, so the address is a whole one; RFC 8058 asks for HTTPS.
fn check_url(c: &mut Checking, url: &Spanned<String>) -> Option<String> {
    let text = url.get_ref().trim_end_matches('/');
    let host = text.strip_prefix("https://").unwrap_or_default();
    let good = |b: u8| b.is_ascii_alphanumeric() || b"-._~:/[]%".contains(&b);
    if host.is_empty() || host.starts_with('/') || !host.bytes().all(good) {
        let cure = "write it with https:// and the name that its certificate has: \"https://mail.example.com\"";
        c.fault(url.span(), format!("`{}` is not an address that links can begin with", url.get_ref()), cure);
        return None;
    }
    Some(text.to_owned())
}

fn imprint(c: &mut Checking, web: &typed::Web) -> Option<String> {
    match (&web.imprint, &web.imprint_file) {
        (Some(_), Some(file)) => {
            c.fault(file.span(), "`imprint` and `imprint_file` contradict each other", "take one of the two out");
            None
        }
        (Some(text), None) => Some(text.get_ref().clone()),
        (None, Some(file)) if c.files == Files::Check => {
            let path = c.path(file.get_ref());
            c.take(files::read_open(&path, file.span()))
        }
        (None, _) => None,
    }
}

pub fn tokens(c: &mut Checking, typed: Vec<typed::Token>, accounts: &[Account]) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    let known: HashSet<&str> = accounts.iter().map(|account| account.name.as_str()).collect();
    let mut seen = HashSet::new();
    for one in typed {
        let name = one.name.get_ref();
        if !seen.insert(name.clone()) {
            c.fault(one.name.span(), format!("the token `{name}` stands here twice"), "rename one of the two");
        }
        if !crate::tokens::is_name(name) {
            c.fault(one.name.span(), "this cannot be the name of a token", crate::tokens::NAME_CURE);
        }
        if let Some(account) = &one.account {
            check_account(c, account, &known);
            for action in &one.allow {
                let span = if action.span().is_empty() { one.name.span() } else { action.span() };
                check_concerns_all(c, *action.get_ref(), span, name);
            }
        } else if let Some(send) = one.allow.iter().find(|a| *a.get_ref() == Action::Send) {
            let span = if send.span().is_empty() { one.name.span() } else { send.span() };
            let cure = "add `account = \"...\"`, or leave `send` out of `allow`";
            c.fault(span, format!("the token `{name}` has no account to send as"), cure);
        }
        let Ok(hash) = one.hash.get_ref().parse() else {
            let cure = format!("`repute token add {name}` makes one; the token itself never stands here");
            c.fault(one.hash.span(), "this is not the hash of a token", cure);
            continue;
        };
        tokens.push(Token {
            hash,
            account: one.account.map(Spanned::into_inner),
            allow: one.allow.into_iter().map(Spanned::into_inner).collect(),
            requests_per_minute: one.requests_per_minute,
            name: one.name.into_inner(),
        });
    }
    tokens
}

/// A token of an account does nothing that concerns all.
fn check_concerns_all(c: &mut Checking, action: Action, span: std::ops::Range<usize>, name: &str) {
    match action {
        Action::Operate => {
            let cure = "take `account` out, or `operate`: an account's token does not change what concerns all";
            c.fault(span, format!("the token `{name}` is one of an account and cannot operate the server"), cure);
        }
        Action::Metrics => {
            let cure = "take `account` out, or `metrics`: an account's token does not see what concerns all";
            c.fault(
                span,
                format!("the token `{name}` is one of an account and cannot read the server's metrics"),
                cure,
            );
        }
        Action::Send | Action::Read | Action::Queue | Action::Suppress => {}
    }
}

fn check_account(c: &mut Checking, account: &Spanned<String>, accounts: &HashSet<&str>) {
    // The command that is the cure has to be able to read the file.
    if c.files == Files::Ignore || accounts.contains(account.get_ref().as_str()) {
        return;
    }
    let cure = match c.nearest(account.get_ref(), accounts.iter().copied()) {
        Some(near) => format!("write \"{near}\""),
        None => format!("name an [[account]] of this file, or make it: repute account add {}", account.get_ref()),
    };
    c.fault(account.span(), format!("there is no account `{}`", account.get_ref()), cure);
}
