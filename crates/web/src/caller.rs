//! Who asks, by the token of the request, and whether it may.
//!
//! Promises: a token is looked for by its SHA-256 ([`crate::tokens`]), and is never logged; an
//! answer to a known token says how many requests are left (draft-ietf-httpapi-ratelimit-headers).

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use repute_engine::Allowance;
use repute_engine::door::{Account, Origin};
use repute_types::{Domain, EnhancedCode, Reply, TlsUsed};

use crate::app::App;
use crate::http::{Peer, Place};
use crate::pace::Pace;
use crate::problem::{self, Problem};
use crate::settings::{Action, Settings, Token};

/// A client with a known token.
#[derive(Clone)]
pub(crate) struct Caller {
    pub token: Arc<Token>,
    pub client: IpAddr,
    pub tls: Option<TlsUsed>,
}

impl Caller {
    /// Whether the token allows it.
    pub fn may(&self, action: Action) -> Result<(), Problem> {
        if self.token.actions.contains(&action) {
            return Ok(());
        }
        let (name, what, action) = (&self.token.name, action.told(), action.as_str());
        let detail =
            format!("the token `{name}` may not {what}: make one with `repute token add NAME --allow {action}`");
        Err(Problem::new(problem::NOT_ALLOWED, detail))
    }

    /// Who says something, for those who read it later.
    pub fn said_by(&self) -> String {
        format!("token {}", self.token.name)
    }

    /// The account to send as.
    pub fn sends(&self) -> Result<&Arc<Account>, Problem> {
        self.may(Action::Send)?;
        self.token.account.as_ref().ok_or_else(|| {
            let name = &self.token.name;
            let detail = format!("the token `{name}` has no account to send as: make one with `--account`");
            Problem::new(problem::NOT_ALLOWED, detail)
        })
    }

    /// Whose messages it may see; `None`: everybody's.
    pub fn account(&self) -> Option<&str> {
        self.token.account.as_ref().map(|account| &*account.name)
    }

    /// Whether a domain is one that it may see: of its account, or any where it has none.
    pub fn sees(&self, domain: &Domain) -> bool {
        self.token.account.as_ref().is_none_or(|account| account.domains.has(domain))
    }

    /// Whether it may see what concerns the whole server.
    pub fn sees_the_server(&self) -> Result<(), Problem> {
        self.may(Action::Read)?;
        self.is_of_no_account("see")
    }

    /// Whether it may change what concerns the whole server.
    pub fn operates(&self) -> Result<(), Problem> {
        self.may(Action::Operate)?;
        self.is_of_no_account("change")
    }

    /// Whether it may read the metrics, which are of the whole server.
    pub fn measures(&self) -> Result<(), Problem> {
        self.may(Action::Metrics)?;
        self.is_of_no_account("see")
    }

    fn is_of_no_account(&self, what: &str) -> Result<(), Problem> {
        let Some(account) = self.account() else { return Ok(()) };
        let name = &self.token.name;
        let detail = format!(
            "the token `{name}` is one of the account {account} and may not {what} what concerns all: make one without `--account`"
        );
        Err(Problem::new(problem::NOT_ALLOWED, detail))
    }

    /// For the Received field and the log.
    pub fn origin(&self) -> Origin {
        let helo = match self.client {
            IpAddr::V4(v4) => format!("[{v4}]"),
            IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
        };
        let protocol = if self.tls.is_some() { "HTTPS" } else { "HTTP" };
        Origin { client: Some(self.client), helo, tls: self.tls.clone(), protocol }
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get().cloned().ok_or_else(unknown)
    }
}

/// Lets known tokens in, at their pace, and tells them what is left.
pub(crate) async fn authenticate(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let settings = app.settings();
    let shown = bearer(request.headers());
    let caller = match known(&app, &settings, &request, shown) {
        Ok(caller) => caller,
        Err(problem) => return problem.into_response(),
    };
    let pace = take(&app, &settings, &caller.token);
    let token = caller.token.clone();
    let mut response = match pace.wait {
        Some(wait) => too_many(wait).into_response(),
        None => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
    };
    // As it stands now: a batch costs more than a request.
    let pace = app.paces.look(&token.name, settings.pace_of(&token));
    let allowance = token.account.as_ref().and_then(|account| app.door.allowance(&account.name));
    tell(&pace, allowance, response.headers_mut());
    response
}

/// The caller by what it shows; a refusal is told to the log, without the token.
pub(crate) fn known(app: &App, settings: &Settings, request: &Request, shown: Option<&str>) -> Result<Caller, Problem> {
    let peer = request.extensions().get::<Peer>().ok_or_else(unknown)?;
    let client = peer.client(request.headers());
    let token = shown.and_then(|shown| settings.tokens.shown(shown)).cloned();
    let Some(token) = token else {
        let reply = Reply::new(535, EnhancedCode(5, 7, 8), "a request over HTTP carried no known token");
        app.door.refused(client, None, &reply);
        return Err(unknown());
    };
    Place::keep(request.extensions());
    Ok(Caller { token, client, tls: peer.tls.clone() })
}

/// Takes a request out of the token's pace.
pub(crate) fn take(app: &App, settings: &Settings, token: &Token) -> Pace {
    app.paces.take(&token.name, settings.pace_of(token))
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

pub(crate) fn unknown() -> Problem {
    let detail = "send `Authorization: Bearer TOKEN` with a token as `repute token add` prints it";
    Problem::new(problem::UNKNOWN_TOKEN, detail).with(WWW_AUTHENTICATE, "Bearer realm=\"repute\"")
}

pub(crate) fn too_many(wait: u64) -> Problem {
    let detail = format!("this token has made its requests of this minute: ask again in {wait} s");
    Problem::new(problem::TOO_MANY, detail).retry_after(wait)
}

/// The fields RateLimit and RateLimit-Policy: requests of the token, and recipients of its account where that has a rate.
fn tell(pace: &Pace, allowance: Option<Allowance>, headers: &mut HeaderMap) {
    let mut policy = format!("\"token\";q={};w=60", pace.quota);
    let mut left = format!("\"token\";r={};t={}", pace.left, pace.full_in);
    if let Some(Allowance { rate, left: recipients, full_in, .. }) = allowance {
        policy += &format!(", \"account\";q={};w={}", rate.count, rate.per.as_secs());
        left += &format!(", \"account\";r={recipients};t={}", full_in.as_secs_f64().ceil());
    }
    for (name, value) in [("ratelimit-policy", policy), ("ratelimit", left)] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}
