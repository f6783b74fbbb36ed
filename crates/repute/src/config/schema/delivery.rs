//! The section about how mail goes out.

use super::Kind::{Bool, Count};
use super::Need::Default;
use super::{Section, key};

pub const DELIVERY: Section = Section {
    name: "delivery",
    many: false,
    doc: "How mail goes out. Nothing here needs to be touched outside tests.",
    keys: &[
        key(
            "dane",
            Bool,
            Default("true"),
            "Where DNSSEC vouches for a domain's hosts and they have TLSA records, mail goes over TLS to the host of these records or waits (RFC 7672). Needs a resolver that validates.",
        ),
        key(
            "mta_sts",
            Bool,
            Default("true"),
            "Where a domain has an MTA-STS policy, mail goes over verified TLS to the hosts that it names or waits (RFC 8461).",
        ),
        key(
            "mx_port",
            Count(1, 65535),
            Default("25"),
            "The port of MX hosts. Only test networks have another than 25.",
        ),
        key(
            "danger_allow_loopback",
            Bool,
            Default("false"),
            "Delivers to loopback addresses too. For tests: elsewhere it makes mail go in circles.",
        ),
    ],
};
