//! The question that SPF answers: may this address send as this sender? (RFC 7208 §4.1)

use std::net::IpAddr;

use repute_types::Timestamp;

/// The arguments of `check_host`, and what its macros can ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    ip: IpAddr,
    /// The name that the client said in HELO or EHLO.
    pub helo: String,
    local: String,
    domain: String,
    /// `%{r}`: the name of the host that judges; `unknown` unless set.
    pub receiver: String,
    /// `%{t}`: when it is judged.
    pub at: Timestamp,
}

impl Request {
    /// The MAIL FROM identity. An empty sender (a bounce) is judged as `postmaster@helo`, and a
    /// sender without a local part as `postmaster` (§2.4, §4.3).
    pub fn mail_from(ip: IpAddr, helo: &str, sender: &str) -> Request {
        let (local, domain) = match sender.rsplit_once('@') {
            _ if sender.is_empty() => ("postmaster", helo),
            Some(("", domain)) => ("postmaster", domain),
            Some(parts) => parts,
            None => ("postmaster", sender),
        };
        Request {
            // A mapped address is an IPv4 address that came over an IPv6 socket (§5).
            ip: ip.to_canonical(),
            helo: helo.to_owned(),
            local: local.to_owned(),
            domain: domain.to_owned(),
            receiver: "unknown".into(),
            at: Timestamp(0),
        }
    }

    /// The HELO identity (§2.3).
    pub fn helo(ip: IpAddr, helo: &str) -> Request {
        Request::mail_from(ip, helo, "")
    }

    pub fn ip(&self) -> IpAddr {
        self.ip
    }

    pub fn local(&self) -> &str {
        &self.local
    }

    /// The domain whose record is asked for first.
    pub fn sender_domain(&self) -> &str {
        &self.domain
    }

    pub fn sender_address(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }
}
