//! Mail that goes to a named host instead of the MX.

use repute_delivery::HostName;
use repute_types::Domain;
use toml::Spanned;

use super::{Checking, Files, RouteTls, files, typed};

#[derive(Clone)]
pub struct Route {
    /// Empty: every domain that no other route names.
    pub domains: Vec<Domain>,
    pub host: HostName,
    pub port: u16,
    pub tls: RouteTls,
    pub login: Option<Login>,
}

#[derive(Clone)]
pub struct Login {
    pub user: String,
    pub password: String,
}

impl Route {
    /// What goes to the host stays on this machine, so that a password may go there without TLS
    /// and without a certificate. `localhost` is answered without DNS (RFC 6761 §6.3).
    pub fn is_local(&self) -> bool {
        is_local(&self.host)
    }
}

fn is_local(host: &HostName) -> bool {
    match host {
        HostName::Address(address) => address.is_loopback(),
        HostName::Name(name) => name.as_str() == "localhost" || name.as_str().ends_with(".localhost"),
    }
}

pub fn check(c: &mut Checking, typed: Vec<Spanned<typed::Route>>) -> Vec<Route> {
    let mut routes: Vec<Route> = Vec::new();
    for one in typed {
        let header = one.span();
        let one = one.into_inner();
        if one.domains.is_empty() && routes.iter().any(|r| r.domains.is_empty()) {
            c.fault(header, "two routes take everything", "give one of them `domains`");
        }
        for domain in &one.domains {
            if routes.iter().any(|r| r.domains.contains(domain.get_ref())) {
                let what = format!("{} has a route already", domain.get_ref());
                c.fault(domain.span(), what, "name each domain in one route");
            }
        }
        let Some(host) = host(c, &one.host) else { continue };
        let login = login(c, &one);
        let tls = tls(c, &one, &host);
        let port = one.port.unwrap_or(match (tls, &login) {
            (RouteTls::Implicit, _) => 465,
            (_, Some(_)) => 587,
            _ => 25,
        });
        let domains = one.domains.into_iter().map(Spanned::into_inner).collect();
        routes.push(Route { domains, host, port, tls, login });
    }
    routes
}

pub(super) fn host(c: &mut Checking, written: &Spanned<String>) -> Option<HostName> {
    let text = written.get_ref();
    let host = text.parse().map(HostName::Address).ok().or_else(|| Domain::parse(text).map(HostName::Name).ok());
    if host.is_none() {
        let cure = "write a name or an IP address; the port has a key of its own";
        c.fault(written.span(), format!("`{text}` is not a host"), cure);
    }
    host
}

fn tls(c: &mut Checking, one: &typed::Route, host: &HostName) -> RouteTls {
    let Some(written) = &one.tls else {
        return match (one.port, &one.user) {
            (Some(465), _) => RouteTls::Implicit,
            (_, Some(_)) if !is_local(host) => RouteTls::Verified,
            _ => RouteTls::Opportunistic,
        };
    };
    let tls = *written.get_ref();
    let weak = matches!(tls, RouteTls::None | RouteTls::Opportunistic | RouteTls::Required);
    if weak && one.user.is_some() && !is_local(host) {
        let cure = "write tls = \"verified\" or \"implicit\"";
        c.fault(written.span(), "the password could be read on its way, or given to another host", cure);
    }
    tls
}

fn login(c: &mut Checking, one: &typed::Route) -> Option<Login> {
    let given = one.password.as_ref().map(Spanned::span).or(one.password_file.as_ref().map(Spanned::span));
    let Some(user) = &one.user else {
        if let Some(span) = given {
            c.fault(span, "there is a password but no user", "add `user = \"...\"` to this [[route]]");
        }
        return None;
    };
    let password = match (&one.password, &one.password_file) {
        (Some(_), Some(file)) => {
            c.fault(file.span(), "`password` and `password_file` contradict each other", "take one of the two out");
            return None;
        }
        (None, None) => {
            c.fault(user.span(), "there is a user but no password", "add `password_file = \"...\"` to this [[route]]");
            return None;
        }
        (Some(password), None) => {
            // The password itself stands in the configuration, which is then a secret file.
            if c.files == Files::Check {
                let config = c.config.clone();
                c.take(files::secret_mode(&config, password.span()));
            }
            password.get_ref().clone()
        }
        (None, Some(_)) if c.files == Files::Ignore => String::new(),
        (None, Some(file)) => {
            let path = c.path(file.get_ref());
            c.take(files::first_line_of_secret(&path, file.span()))?
        }
    };
    Some(Login { user: user.get_ref().clone(), password })
}
