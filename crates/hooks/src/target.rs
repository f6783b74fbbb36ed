//! Where a webhook is called: a URL, read once and kept in parts.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;

use hyper::Uri;
use repute_types::Domain;

use crate::guard::{self, Reach};

/// Longer ones are a mistake.
const LONGEST: usize = 2048;

#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    pub tls: bool,
    pub host: Host,
    pub port: u16,
    /// Path and query.
    pub path: String,
    /// The value of the header field Host.
    pub authority: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    Name(Domain),
    Address(IpAddr),
}

/// What is wrong with a URL, and the cure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    #[error("it is not a URL: write \"https://shop.example/hooks/mail\"")]
    Form,
    #[error("only https and http are spoken: write \"https://...\"")]
    Scheme,
    #[error("a name and password do not belong into the URL: the signature says who calls")]
    Login,
    #[error("its host is neither a name nor an address")]
    Host,
}

impl Target {
    /// The host as TLS and people are told it.
    pub fn host_text(&self) -> String {
        match &self.host {
            Host::Name(name) => name.to_string(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// Why it is never called, where that is known without a look at DNS, and the cure. Names are judged when they
    /// are called, by their addresses.
    pub fn inside(&self, allow_private: bool) -> Option<(String, &'static str)> {
        let reach = if allow_private { Reach::Private } else { Reach::Public };
        let ip = match &self.host {
            Host::Address(ip) => *ip,
            Host::Name(name) if is_localhost(name) => Ipv4Addr::LOCALHOST.into(),
            Host::Name(_) => return None,
        };
        let why = guard::why_not(ip, reach)?;
        let cure = match guard::why_not(ip, Reach::Private) {
            None => "for a receiver on this machine or beside it, say `allow_private = true`",
            Some(_) => "write the name of the receiver",
        };
        Some((why_at(&self.host, ip, why), cure))
    }
}

fn why_at(host: &Host, ip: IpAddr, why: &str) -> String {
    match host {
        Host::Address(_) => format!("{ip} is not called, since {why}"),
        Host::Name(name) => format!("{name} ({ip}) is not called, since {why}"),
    }
}

/// `localhost` is answered without DNS (RFC 6761 §6.3).
pub(crate) fn is_localhost(name: &Domain) -> bool {
    name.as_str() == "localhost" || name.as_str().ends_with(".localhost")
}

impl FromStr for Target {
    type Err = TargetError;

    fn from_str(text: &str) -> Result<Target, TargetError> {
        let uri: Uri =
            Some(text).filter(|t| t.len() <= LONGEST).and_then(|t| t.parse().ok()).ok_or(TargetError::Form)?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) => return Err(TargetError::Scheme),
            None => return Err(TargetError::Form),
        };
        let authority = uri.authority().ok_or(TargetError::Form)?;
        if authority.as_str().contains('@') {
            return Err(TargetError::Login);
        }
        let port = uri.port_u16().unwrap_or(if tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |p| p.as_str()).to_owned();
        let host = host(authority.host()).ok_or(TargetError::Host)?;
        Ok(Target { tls, host, port, path, authority: authority.as_str().to_owned() })
    }
}

fn host(text: &str) -> Option<Host> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().map(Host::Address).ok();
    address.or_else(|| Domain::parse(text).map(Host::Name).ok())
}

/// Without what may be a secret: some put one into the path or the query.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", if self.tls { "https" } else { "http" }, self.authority)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_read_in_parts() {
        let read: Target = "https://Shop.example:8443/hooks?key=1".parse().unwrap();
        assert_eq!(read.host, Host::Name(Domain::parse("shop.example").unwrap()));
        assert_eq!((read.tls, read.port, read.path.as_str()), (true, 8443, "/hooks?key=1"));
        assert_eq!(read.to_string(), "https://Shop.example:8443");
        let bare: Target = "http://[::1]".parse().unwrap();
        assert_eq!(bare.host, Host::Address("::1".parse().unwrap()));
        assert_eq!((bare.tls, bare.port, bare.path.as_str()), (false, 80, "/"));
        let wrong = |text: &str| text.parse::<Target>().unwrap_err();
        assert_eq!(wrong("shop.example/hooks"), TargetError::Form);
        assert_eq!(wrong("ftp://shop.example/"), TargetError::Scheme);
        assert_eq!(wrong("https://user:secret@shop.example/"), TargetError::Login);
        assert_eq!(wrong("https://-shop-/"), TargetError::Host);
        assert_eq!(wrong(""), TargetError::Form);
    }

    #[test]
    fn an_inside_address_is_known_before_it_is_called() {
        let inside = |url: &str, allow_private| url.parse::<Target>().unwrap().inside(allow_private);
        for url in ["https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3:8443/", "https://localhost/hook"] {
            let (why, cure) = inside(url, false).unwrap();
            assert!(
                why.contains(" is not called, since it is ") && cure.contains("allow_private"),
                "{url}: {why}; {cure}"
            );
            assert_eq!(inside(url, true), None, "{url}");
        }
        assert!(inside("https://169.254.169.254/", true).is_some(), "nobody's receiver is there");
        for url in ["https://8.8.8.8/", "https://shop.example/"] {
            assert_eq!(inside(url, false), None, "{url}");
        }
    }
}
