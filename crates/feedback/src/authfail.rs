//! DMARC failure reports (RFC 9991, RFC 6591): one message in our name that did not pass, in the form of a complaint.

use std::net::IpAddr;

use crate::complaint::Complaint;
use crate::find;
use crate::original::Original;

#[derive(Clone, Debug, PartialEq)]
pub struct AuthFailure {
    /// Auth-Failure: `dmarc`, `spf`, `signature`, `bodyhash`, `adsp`, …, lower case.
    pub failure: String,
    /// User-Agent: who made the report.
    pub reporter: Option<String>,
    /// The address that the message came from.
    pub source: Option<IpAddr>,
    /// The domains that it was sent in the name of.
    pub domains: Vec<String>,
    /// Delivery-Result: `delivered`, `spam`, `policy`, `reject`, `other`.
    pub delivery: Option<String>,
    /// Identity-Alignment: which of `dkim`, `spf` were aligned, or `none`.
    pub alignment: Option<String>,
    /// DKIM-Domain, and DKIM-Selector.
    pub dkim: (Option<String>, Option<String>),
    /// All fields of the report as they were given.
    pub fields: Vec<(String, String)>,
    pub original: Original,
}

impl AuthFailure {
    /// `Err` gives back what is a complaint after all.
    pub(crate) fn of(complaint: Complaint) -> Result<AuthFailure, Complaint> {
        if complaint.kind != "auth-failure" {
            return Err(complaint);
        }
        // Not every reporter says it, and the people of the message may be made unknown; their domain stays.
        let domains = match complaint.domains.is_empty() {
            true => complaint
                .original
                .field("From")
                .and_then(find::address)
                .and_then(|from| domain_of(&from))
                .into_iter()
                .collect(),
            false => complaint.domains.clone(),
        };
        let value = |name: &str| complaint.field(name).map(|text| text.trim().to_ascii_lowercase());
        Ok(AuthFailure {
            failure: value("Auth-Failure").unwrap_or_default(),
            delivery: value("Delivery-Result"),
            alignment: value("Identity-Alignment"),
            dkim: (value("DKIM-Domain"), value("DKIM-Selector")),
            reporter: complaint.reporter,
            source: complaint.source,
            domains,
            fields: complaint.fields,
            original: complaint.original,
        })
    }
}

fn domain_of(address: &str) -> Option<String> {
    address.rsplit_once('@').map(|(_, domain)| domain.to_ascii_lowercase())
}
