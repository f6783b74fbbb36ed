//! The keys of trust: who answers DNS questions, whom the checks ask beside it, the black lists, and what is
//! done when a rule is broken.

use super::Kind::{Bool, Choice, Duration, Ip, List, Mail, Name, OneOrMany, Path, Secret, Socket, Text};
use super::Need::{Default, Optional};
use super::{Section, key};

pub(super) const RESOLVER: Section = Section {
    name: "resolver",
    many: false,
    doc: "Who answers DNS questions.",
    keys: &[
        key(
            "resolver",
            Choice(&["servers", "own"]),
            Default("\"servers\""),
            "`own`: Repute asks nobody to resolve for it and goes from the root servers down by itself, with validation. For machines that have no resolver of their own: black lists refuse public ones.",
        ),
        key(
            "servers",
            OneOrMany(&Socket),
            Optional("those of /etc/resolv.conf"),
            "Name servers to ask; the port defaults to 53.",
        ),
        key(
            "dnssec",
            Bool,
            Default("true"),
            "Validates answers from the root down; DANE needs it. Through name servers that drop what validation needs, as many forwarders do, nothing is validated and mail goes all the same.",
        ),
        key("timeout", Duration, Default("\"5s\""), "How long one server is waited for."),
        key(
            "roots",
            OneOrMany(&Ip),
            Optional("the root servers of the internet"),
            "With `resolver = \"own\"` in a net that has roots of its own.",
        ),
        key(
            "trust_anchor",
            Path,
            Optional("the keys of the root of the internet"),
            "A file of DNSKEY records to validate from, for a net that has a root of its own.",
        ),
    ],
};

pub(super) const CHECK: Section = Section {
    name: "check",
    many: false,
    doc: "Whom `repute check` and the watch ask beside DNS.",
    keys: &[
        key(
            "hosts",
            List(&Name),
            Default("[\"gmail-smtp-in.l.google.com\", \"mx01.mail.icloud.com\", \"mta5.am0.yahoodns.net\"]"),
            "Mail hosts that everybody knows: whether port 25 is open outwards, from which address they see us, and whether somebody on the way rewrites what is said. Only greetings are exchanged.",
        ),
        key(
            "echo",
            List(&Name),
            Default("[]"),
            "Web hosts that answer http://HOST/ with the address they are asked from, such as icanhazip.com; asked where no mail host tells it.",
        ),
        key(
            "clocks",
            List(&Name),
            Default("[\"www.google.com\", \"www.cloudflare.com\"]"),
            "Web hosts whose Date our clock is compared with.",
        ),
        key(
            "rdap",
            Text,
            Default("\"https://rdap.org\""),
            "The service that leads to the registration data of domains and addresses (RFC 7480); `\"\"`: it is not asked.",
        ),
        key(
            "rpki",
            Text,
            Default("\"https://stat.ripe.net\""),
            "The service that knows whether a route is signed, RIPEstat; `\"\"`: it is not asked.",
        ),
    ],
};

pub(super) const LISTS: Section = Section {
    name: "lists",
    many: false,
    doc: "Black lists that ask for a key, and lists of your own.",
    keys: &[
        key(
            "spamhaus",
            Secret,
            Optional("its public zones"),
            "The key of Spamhaus DQS, which is free for small users.",
        ),
        key("abusix", Secret, Optional("Abusix is not asked"), "The key of Abusix Mail Intelligence."),
        key("spamrats", Secret, Optional("SpamRATS is not asked"), "The key of SpamRATS."),
        key(
            "file",
            Path,
            Optional("the lists that come with the server"),
            "A TOML file with further `[[list]]`s, written as in the table that comes with the server; one of the same name takes its place. See docs/check.md.",
        ),
    ],
};

pub(super) const PERMIT: Section = Section {
    name: "permit",
    many: false,
    doc: "Mail of a domain leaves directly from an address only while both are set up so that receivers take it; else it waits, or leaves from another [[egress]]. `repute permit` shows what may leave.",
    keys: &[
        key(
            "enforce",
            Bool,
            Default("true"),
            "Mail without a permit waits. With `false` it goes out all the same, and what is broken is only told.",
        ),
        key(
            "assume",
            List(&Text),
            Default("[]"),
            "Checks, or groups of them, that are taken as passed: `\"ip.public\"` in a test network. Each is one thing that receivers refuse mail for.",
        ),
    ],
};

pub(super) const WATCH: Section = Section {
    name: "watch",
    many: false,
    doc: "Checks are repeated while the server runs. What fails is an incident: it is told once, and ends by itself.",
    keys: &[
        key("enabled", Bool, Default("true"), "Without the watch nothing is found out, so `enforce` needs it."),
        key(
            "connect",
            Bool,
            Default("true"),
            "Looks at servers too: every quarter of an hour whether mail can leave and as which address ([check] hosts), more seldom what answers at our own address and at the MX hosts of our domains. Otherwise it asks DNS alone.",
        ),
        key(
            "mail_to",
            Mail,
            Optional("incidents are in the log and in `repute incidents` alone"),
            "Who is written to when something breaks and when it is right again; best on another server than this domain's.",
        ),
        key("keep", Duration, Default("\"400d\""), "How long the history of trust is known."),
    ],
};
