//! The sections about how mail goes out, and what receivers are told of it.

use super::Kind::{Bool, Count, Mail, OneOrMany, Rate, Text};
use super::Need::{Default, Optional, Required};
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

pub const SITE: Section = Section {
    name: "site",
    many: true,
    doc: "How fast mail goes to a site (domains that share their MX hosts). The first that is for a site holds; docs/pace.md tells more.",
    keys: &[
        key(
            "hosts",
            OneOrMany(&Text),
            Optional("every other site, each by itself"),
            "Names that all hosts of a site are under, such as `google.com`, or their addresses. All sites that it is for share its rate.",
        ),
        key(
            "rate",
            Rate,
            Required,
            "So many messages, from each egress, evenly: `14/s`, `100/m`, `600/h`, `5000/d`. More wait for their turn.",
        ),
    ],
};

pub const TLS_REPORTS: Section = Section {
    name: "tls_reports",
    many: false,
    doc: "Domains that ask for it are told daily how TLS with their hosts went (RFC 8460). docs/tls.md tells more.",
    keys: &[
        key("enabled", Bool, Default("true"), "Whether sessions are counted and reported."),
        key("organisation", Text, Optional("the domain that reports are sent as"), "What reports call us."),
        key(
            "contact",
            Mail,
            Optional("postmaster@ that domain"),
            "Whom receivers may ask about a report. Where it is at a [[domain]] here, reports are sent as that one; else as the first whose mail may leave.",
        ),
    ],
};
