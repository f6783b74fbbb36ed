//! What a configuration means, checked: values that fit together, files that exist, and
//! nothing that would make this server an open relay. One file a section that has rules.
//!
//! Promise: a [`Config`] that exists can be served; all faults are found in one go.

mod account;
mod check;
mod domain;
mod egress;
mod listener;
mod permit;
mod route;
mod site;
mod web;
mod webhook;

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use repute_engine::{CircuitSettings, ReturnSettings, SiteRule, SuppressionSettings, TlsReportSettings};
use repute_net::TlsClient;
use repute_types::{Clock as _, Domain, SystemClock};
use rustls::sign::CertifiedKey;
use toml::Spanned;

pub use account::Account;
pub use check::{Check, Lists};
pub use domain::SendingDomain;
pub use egress::Egress;
pub use listener::Listener;
pub use permit::Permit;
pub use route::Route;
pub use web::{Token, Web};
pub use webhook::Events;

use super::Files;
use super::fault::{Fault, Faults};
use super::files;
use super::typed::{self, Typed};
pub use super::typed::{Action, Limits, ListenerKind, LogFormat, MetricsFor, RouteTls};
use super::value::Socket;

pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// What can be served and is hardly meant.
    pub advice: Faults,
    pub hostname: Domain,
    pub state: PathBuf,
    pub user: Option<String>,
    pub egresses: Vec<Egress>,
    pub domains: Vec<SendingDomain>,
    pub accounts: Vec<Account>,
    pub listeners: Vec<Listener>,
    /// `None`: a self-signed certificate.
    pub tls: Option<TlsFiles>,
    pub web: Web,
    pub tokens: Vec<Token>,
    /// Mail of bulk accounts gets the fields for one-click unsubscribe.
    pub list_unsubscribe: bool,
    pub routes: Vec<Route>,
    pub sites: Vec<SiteRule>,
    pub resolver: Resolver,
    pub check: Check,
    pub lists: Lists,
    pub limits: Limits,
    pub retry: Retry,
    pub suppression: SuppressionSettings,
    pub returned: ReturnSettings,
    pub circuit: CircuitSettings,
    pub permit: Permit,
    pub history_keep: Duration,
    pub log: LogFormat,
    pub sendmail: Option<Sendmail>,
    pub webhooks: Vec<repute_hooks::Webhook>,
    pub events: Events,
    pub dane: bool,
    pub mta_sts: bool,
    pub tls_reports: TlsReportSettings,
    pub mx_port: u16,
    pub danger_allow_loopback: bool,
}

pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
    /// Both as read; `None` where files were not looked at.
    pub loaded: Option<Arc<CertifiedKey>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolver {
    /// From the roots, without other servers.
    pub own: bool,
    /// Empty: those of the internet.
    pub roots: Vec<IpAddr>,
    pub trust_anchor: Option<PathBuf>,
    /// Empty: those of the operating system.
    pub servers: Vec<Socket>,
    pub dnssec: bool,
    pub timeout: Duration,
}

#[derive(Clone, Debug)]
pub struct Retry {
    pub first: Duration,
    pub max_interval: Duration,
    pub expire: Duration,
    pub delay_notice: Duration,
    pub pause: Duration,
    pub max_pause: Duration,
}

/// Mail from this machine's own programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sendmail {
    pub account: String,
    /// Empty: everybody.
    pub users: Vec<String>,
}

/// So many faults are told with the name that is nearest.
const CURED: usize = 100;

/// What the checks share: where relative paths start, whether files are looked at, and the
/// faults found so far.
struct Checking {
    /// The configuration file itself.
    config: PathBuf,
    base: PathBuf,
    state: PathBuf,
    files: Files,
    faults: Vec<Fault>,
    /// What does not keep the server from serving.
    advice: Vec<Fault>,
}

impl Checking {
    fn fault(&mut self, at: std::ops::Range<usize>, what: impl Into<String>, cure: impl Into<String>) {
        self.faults.push(Fault::at(at, what, cure));
    }

    fn advise(&mut self, at: std::ops::Range<usize>, what: impl Into<String>, cure: impl Into<String>) {
        self.advice.push(Fault::at(at, what, cure));
    }

    fn path(&self, written: &Path) -> PathBuf {
        self.base.join(written)
    }

    /// The name that was meant, for the cure. With very many faults nobody reads the later ones, and each would cost a look at
    /// every name.
    fn nearest<'a>(&self, wrong: &str, right: impl Iterator<Item = &'a str>) -> Option<&'a str> {
        if self.faults.len() < CURED { super::nearest::nearest("-", wrong, right) } else { None }
    }

    /// Keeps the value, or the fault.
    fn take<T>(&mut self, result: Result<T, Fault>) -> Option<T> {
        result.map_err(|f| self.faults.push(f)).ok()
    }
}

/// `text` is what stands in the file: advice shows its line.
pub fn check(file: &Path, text: &str, typed: Typed, look: Files) -> Result<Config, Vec<Fault>> {
    let base = file.parent().unwrap_or(Path::new("")).to_owned();
    let state = base.join(&typed.state);
    let (faults, advice) = (Vec::new(), Vec::new());
    let mut c = Checking { config: file.to_owned(), state, base, files: look, faults, advice };
    let egresses = egress::check(&mut c, typed.egress);
    let domains = domain::check(&mut c, typed.domain, &egresses);
    let elsewhere = typed.token.iter().filter_map(|token| token.account.as_ref()).chain(&typed.sendmail.account);
    let elsewhere: Vec<String> = elsewhere.map(|name| name.get_ref().clone()).collect();
    let accounts = account::check(&mut c, typed.account, &domains, &elsewhere);
    let mut listeners = listener::check(&mut c, typed.listener, &domains);
    web::listeners(&mut c, &typed.web, &mut listeners);
    let webhooks = webhook::check(&mut c, typed.webhook, &accounts);
    let name = hostname(&mut c, typed.hostname);
    let config = Config {
        user: user(&mut c, typed.user),
        egresses,
        listeners,
        tls: tls(&mut c, typed.tls, &name),
        hostname: name,
        tokens: web::tokens(&mut c, typed.token, &accounts),
        web: web::check(&mut c, typed.web),
        list_unsubscribe: typed.bulk.list_unsubscribe,
        routes: route::check(&mut c, typed.route),
        sites: site::check(&mut c, typed.site),
        check: check::check(&mut c, typed.check),
        lists: check::lists(&mut c, typed.lists),
        resolver: Resolver {
            own: typed.resolver.resolver == typed::ResolverKind::Own,
            roots: typed.resolver.roots,
            trust_anchor: typed.resolver.trust_anchor.map(|path| c.path(&path)),
            servers: typed.resolver.servers.iter().map(|s| s.0).collect(),
            dnssec: typed.resolver.dnssec,
            timeout: typed.resolver.timeout.0,
        },
        limits: limits(&mut c, typed.limits),
        retry: retry(&mut c, &typed.retry),
        suppression: SuppressionSettings {
            unknown: typed.suppression.unknown.map(|span| span.0),
            closed: Some(typed.suppression.closed.0),
        },
        returned: ReturnSettings { bounces: typed.r#return.bounces.0, unsubscribes: typed.r#return.unsubscribes.0 },
        circuit: CircuitSettings {
            window: typed.circuit.window.0,
            least: typed.circuit.least,
            unknown: typed.circuit.unknown,
            complaints: typed.circuit.complaints,
            spam: typed.circuit.spam,
            brake: typed.circuit.brake,
            brake_least: typed.circuit.brake_least,
            brakes: accounts.iter().filter_map(|a| Some((a.name.as_str().into(), a.brake?))).collect(),
        },
        permit: permit::check(&mut c, typed.permit, typed.watch),
        history_keep: typed.history.keep.0,
        log: typed.log.format,
        sendmail: sendmail(&mut c, typed.sendmail, &accounts),
        events: webhook::events(&c, typed.events, &webhooks),
        webhooks,
        dane: typed.delivery.dane,
        mta_sts: typed.delivery.mta_sts,
        tls_reports: TlsReportSettings {
            enabled: typed.tls_reports.enabled,
            organisation: typed.tls_reports.organisation,
            contact: typed.tls_reports.contact,
        },
        mx_port: typed.delivery.mx_port,
        danger_allow_loopback: typed.delivery.danger_allow_loopback,
        file: file.to_owned(),
        advice: Faults::new(file, text, c.advice),
        state: c.state.clone(),
        domains,
        accounts,
    };
    if c.faults.is_empty() { Ok(config) } else { Err(c.faults) }
}

/// A name without a dot is nobody's on the internet: no receiver can look it up.
fn hostname(c: &mut Checking, name: Spanned<Domain>) -> Domain {
    if !name.get_ref().as_str().contains('.') {
        let cure = "write the full name that this machine has in DNS, such as \"mail.example.com\"";
        c.fault(name.span(), format!("`{}` is not a full name", name.get_ref()), cure);
    }
    name.into_inner()
}

fn user(c: &mut Checking, user: Option<Spanned<String>>) -> Option<String> {
    let user = user?;
    if c.files == Files::Check && !matches!(nix::unistd::User::from_name(user.get_ref()), Ok(Some(_))) {
        let cure = format!("useradd --system --home-dir {} {}", c.state.display(), user.get_ref());
        c.fault(user.span(), format!("this machine has no user `{}`", user.get_ref()), cure);
    }
    Some(user.into_inner())
}

fn tls(c: &mut Checking, tls: typed::Tls, hostname: &Domain) -> Option<TlsFiles> {
    let (certificate, key) = match (tls.certificate, tls.key) {
        (None, None) => return None,
        (Some(certificate), Some(key)) => (certificate, key),
        (Some(one), None) => {
            c.fault(one.span(), "there is a certificate without its key", "add `key = \"...\"` to [tls]");
            return None;
        }
        (None, Some(one)) => {
            c.fault(one.span(), "there is a key without its certificate", "add `certificate = \"...\"` to [tls]");
            return None;
        }
    };
    let mut files = TlsFiles { certificate: c.path(certificate.get_ref()), key: c.path(key.get_ref()), loaded: None };
    if c.files == Files::Check {
        let chain = c.take(files::read_open(&files.certificate, certificate.span()));
        let secret = c.take(files::read_secret(&files.key, key.span()));
        if let (Some(chain), Some(secret)) = (chain, secret) {
            match crate::tls::certified_key(&chain, &secret) {
                Ok(loaded) => {
                    let (now, trust) = (SystemClock.now(), TlsClient::with_native_roots());
                    let remarks = crate::tls::remarks(&loaded.cert, hostname, now);
                    let unvouched = crate::tls::unvouched(&loaded.cert, hostname, now, &trust);
                    for (what, cure) in remarks.into_iter().chain(unvouched) {
                        c.advise(certificate.span(), what, cure);
                    }
                    files.loaded = Some(loaded);
                }
                Err(wrong) => {
                    let span = if wrong.in_key { key.span() } else { certificate.span() };
                    c.fault(span, wrong.what, wrong.cure);
                }
            }
        }
    }
    Some(files)
}

/// EHLO's `SIZE 0` promises that there is no bound (RFC 1870 §3).
fn limits(c: &mut Checking, limits: Limits) -> Limits {
    if limits.size.get_ref().octets() == 0 {
        c.fault(limits.size.span(), "no message could be taken", "write a size such as \"50MiB\"");
    }
    limits
}

fn retry(c: &mut Checking, retry: &typed::Retry) -> Retry {
    let value = |s: &Spanned<super::value::Span>| s.get_ref().0;
    let meant = Retry {
        first: value(&retry.first),
        max_interval: value(&retry.max_interval),
        expire: value(&retry.expire),
        delay_notice: value(&retry.delay_notice),
        pause: value(&retry.pause),
        max_pause: retry.max_pause.0,
    };
    if meant.first < Duration::from_secs(1) {
        c.fault(retry.first.span(), "`first` is under a second", "write \"150s\": a greylist waits minutes");
    }
    if meant.first > meant.max_interval {
        let at = if retry.first.span().is_empty() { retry.max_interval.span() } else { retry.first.span() };
        c.fault(at, "`first` is longer than `max_interval`", "make `first` the shorter of the two");
    }
    if meant.expire < meant.first {
        let at = if retry.expire.span().is_empty() { retry.first.span() } else { retry.expire.span() };
        c.fault(
            at,
            "mail expires before it is tried a second time",
            "make `expire` longer than `first`; \"5d\" is usual",
        );
    }
    if meant.pause > meant.max_pause {
        c.fault(retry.pause.span(), "`pause` is longer than `max_pause`", "make `pause` the shorter of the two");
    }
    meant
}

fn sendmail(c: &mut Checking, sendmail: typed::Sendmail, accounts: &[Account]) -> Option<Sendmail> {
    let Some(account) = sendmail.account else {
        if let Some(user) = sendmail.users.first() {
            c.fault(user.span(), "there are users for the sendmail command but no account", "add `account = \"...\"`");
        }
        return None;
    };
    if !accounts.iter().any(|a| a.name == *account.get_ref()) {
        let names = accounts.iter().map(|a| a.name.as_str());
        let cure = match c.nearest(account.get_ref(), names) {
            Some(near) => format!("write \"{near}\""),
            None => {
                "name an [[account]] of this file; one for this alone may have `addresses = [\"127.0.0.1\"]`".to_owned()
            }
        };
        c.fault(account.span(), format!("there is no account `{}`", account.get_ref()), cure);
    }
    let users = sendmail.users.into_iter().map(Spanned::into_inner).collect();
    Some(Sendmail { account: account.into_inner(), users })
}
