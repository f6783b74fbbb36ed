//! Every key of the configuration once: its name, kind, default and what it is for.
//!
//! Promise: this table is the one list. The checks of form (`shape`), the defaults, `repute
//! config show` and `docs/config.md` are all read from it; a test holds the typed side
//! (`typed`) to it. A default is written as TOML and is filled in before the typed side
//! reads, so there is no second place for it.

mod back;
mod delivery;
mod outside;
mod senders;
mod trust;
mod web;

use back::{CIRCUIT, RETURN, SUPPRESSION};
use delivery::{DELIVERY, SITE, TLS_REPORTS};
use outside::{EVENTS, WEBHOOK};
use senders::{ACCOUNT, DOMAIN};
use trust::{CHECK, LISTS, PERMIT, RESOLVER, WATCH};
use web::{TOKEN, WEB};

/// A table of the file: `[log]`, or `[[domain]]` where `many`; the top has an empty name.
pub struct Section {
    pub name: &'static str,
    pub many: bool,
    pub doc: &'static str,
    pub keys: &'static [Key],
}

pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    pub need: Need,
    pub doc: &'static str,
}

/// What form a value must have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Text,
    /// Text that `config show` never prints.
    Secret,
    /// A file or folder; relative ones start at the configuration file's folder.
    Path,
    Bool,
    /// A whole number within the two, both included.
    Count(i64, i64),
    /// `"150s"`, `"4h"`, `"5d"`.
    Duration,
    /// `"50MB"`, `"64KiB"`, or octets.
    Size,
    /// `"14/s"`, `"100/m"`, `"600/h"`.
    Rate,
    /// A domain name.
    Name,
    /// A mail address.
    Mail,
    /// An IP address.
    Ip,
    /// An IP address, or a network as `10.0.0.0/8`.
    Network,
    /// An IP address with or without a port.
    Socket,
    Choice(&'static [&'static str]),
    List(&'static Kind),
    /// A list, or one value that is taken as a list of one.
    OneOrMany(&'static Kind),
}

impl Kind {
    /// Never printed, also not in a list.
    pub fn is_secret(self) -> bool {
        match self {
            Kind::List(inner) | Kind::OneOrMany(inner) => inner.is_secret(),
            kind => kind == Kind::Secret,
        }
    }
}

pub enum Need {
    Required,
    /// Without it, as the sentence says.
    Optional(&'static str),
    /// Its default, in TOML.
    Default(&'static str),
}

use Kind::{Bool, Choice, Count, Duration, Ip, Name, OneOrMany, Path, Secret, Size, Socket, Text};
use Need::{Default, Optional, Required};

const fn key(name: &'static str, kind: Kind, need: Need, doc: &'static str) -> Key {
    Key { name, kind, need, doc }
}

pub const SECTIONS: &[Section] = &[
    TOP,
    EGRESS,
    DOMAIN,
    ACCOUNT,
    LISTENER,
    TLS,
    WEB,
    TOKEN,
    BULK,
    ROUTE,
    SITE,
    RESOLVER,
    CHECK,
    LISTS,
    LIMITS,
    RETRY,
    SUPPRESSION,
    RETURN,
    CIRCUIT,
    PERMIT,
    WATCH,
    HISTORY,
    LOG,
    SENDMAIL,
    WEBHOOK,
    EVENTS,
    DELIVERY,
    TLS_REPORTS,
];

/// The section of that name.
pub fn section(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|s| s.name == name)
}

impl Section {
    /// How its header is written in the file; the top has none.
    pub fn header(&self) -> String {
        match (self.name, self.many) {
            ("", _) => String::new(),
            (name, true) => format!("[[{name}]]"),
            (name, false) => format!("[{name}]"),
        }
    }

    pub fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|k| k.name == name)
    }
}

const TOP: Section = Section {
    name: "",
    many: false,
    doc: "The top of the file, above the first section.",
    keys: &[
        key(
            "hostname",
            Name,
            Required,
            "What the server calls itself in EHLO, greeting and Received. Its A, AAAA and PTR records must agree with it.",
        ),
        key(
            "state",
            Path,
            Default("\"/var/lib/repute\""),
            "The one folder that holds everything that must outlive a restart: spool, history, keys, sockets. A back-up needs no other.",
        ),
        key(
            "user",
            Text,
            Optional("`repute`, where the machine has a user of that name"),
            "The user to become once the ports are bound, if started as root. `\"root\"` keeps root, which is asking for trouble.",
        ),
    ],
};

const EGRESS: Section = Section {
    name: "egress",
    many: true,
    doc: "An address that mail leaves from. Without any, the operating system chooses.",
    keys: &[
        key(
            "address",
            OneOrMany(&Ip),
            Required,
            "At most one IPv4 and one IPv6 address of this machine. Behind NAT it is its own; while the machine does not have it, what would leave from it waits.",
        ),
        key(
            "warm_up",
            Bool,
            Default("false"),
            "Receivers do not know it yet: little goes from here at first, and more from day to day (docs/pace.md).",
        ),
        key(
            "ehlo",
            Name,
            Optional("`hostname`"),
            "The name said in EHLO from this address; its PTR must say the same.",
        ),
        key(
            "pool",
            OneOrMany(&Text),
            Optional("for every domain that names no pool"),
            "The pool, or pools, that it is in: mail of a [[domain]] with that `pool` leaves from here, and no other does.",
        ),
    ],
};

const LISTENER: Section = Section {
    name: "listener",
    many: true,
    doc: "Where mail comes in. Without any: submission on 587, submissions on 465, and, if a domain has a `return_path`, return on 25.",
    keys: &[
        key(
            "kind",
            Choice(&["submission", "submissions", "return"]),
            Required,
            "`submission`: 587 with STARTTLS. `submissions`: 465, TLS from the first octet. `return`: 25, takes mail for return paths alone.",
        ),
        key(
            "address",
            OneOrMany(&Socket),
            Default("[\"[::]\"]"),
            "IP address and port; the port defaults to that of the kind, and 0 takes any free one. `[::]` takes IPv4 as well.",
        ),
        key(
            "proxy_from",
            OneOrMany(&Ip),
            Optional("no PROXY protocol"),
            "Balancers whose PROXY v2 header is believed, and demanded.",
        ),
    ],
};

const BULK: Section = Section {
    name: "bulk",
    many: false,
    doc: "Bulk mail (docs/bulk.md).",
    keys: &[key(
        "list_unsubscribe",
        Bool,
        Default("true"),
        "Adds the fields for one-click unsubscribe to mail of bulk accounts that has none, where [web] has a `url` and there is one recipient.",
    )],
};

const TLS: Section = Section {
    name: "tls",
    many: false,
    doc: "The certificate that clients see. Without one, a self-signed one is made in the state folder, which most clients will not accept.",
    keys: &[
        key("certificate", Path, Optional("self-signed"), "The certificate chain, PEM."),
        key("key", Path, Optional("self-signed"), "Its private key, PEM; not readable by everybody."),
    ],
};

const ROUTE: Section = Section {
    name: "route",
    many: true,
    doc: "Mail that goes to a named host instead of the recipient's MX.",
    keys: &[
        key(
            "domains",
            OneOrMany(&Name),
            Optional("all domains that no other route names"),
            "The recipient domains that go this way.",
        ),
        key("host", Text, Required, "The name or IP address of the host."),
        key("port", Count(1, 65535), Optional("25; 465 with `tls = \"implicit\"`; 587 with a `user`"), "Its port."),
        key(
            "tls",
            Choice(&["none", "opportunistic", "required", "verified", "implicit"]),
            Optional("`implicit` on port 465; `verified` with a `user`; else, and on loopback, `opportunistic`"),
            "`required`: STARTTLS, with any certificate. `verified`: with one that is good for the host. `implicit`: as `verified`, from the first octet. With a `user` it has to be one of these two, unless the host is on loopback.",
        ),
        key("user", Text, Optional("no log-in"), "The name to log in with."),
        key("password", Secret, Optional("`password_file`"), "Its password."),
        key(
            "password_file",
            Path,
            Optional("`password`"),
            "A file whose first line is the password; not readable by everybody.",
        ),
    ],
};

const LIMITS: Section = Section {
    name: "limits",
    many: false,
    doc: "Bounds. What is over one is refused with a reply that names it.",
    keys: &[
        key("size", Size, Default("\"50MiB\""), "The largest message taken, as EHLO's SIZE says it."),
        key(
            "recipients",
            Count(1, 100_000),
            Default("1000"),
            "Recipients of one message. RFC 5321 asks for at least 100.",
        ),
        key(
            "connections",
            Count(1, 100_000),
            Default("2000"),
            "Clients at once. One more gets the place of a stranger who waits longest, of whoever has most of these.",
        ),
        key("connections_per_client", Count(1, 100_000), Default("100"), "Connections at once from one address."),
        key("errors", Count(1, 1000), Default("10"), "Wrong commands in one connection, after which it is closed."),
        key(
            "auth_failures",
            Count(1, 1000),
            Default("3"),
            "Failed log-ins in one connection, after which it is closed.",
        ),
        key(
            "auth_failures_per_client",
            Count(1, 100_000),
            Default("20"),
            "Failed log-ins from one address within `auth_window`, after which it has to wait.",
        ),
        key("auth_window", Duration, Default("\"10m\""), "How long failed log-ins are counted together."),
        key(
            "incoming_memory",
            Size,
            Optional(
                "512 MiB; or, if that is less, a quarter of the memory beyond 32 MiB of the machine or of the server's control group",
            ),
            "Contents on their way in, of all clients together, and an eighth of it more for reading them. Over it clients are told to come back in a minute; a message that is larger is refused as one beyond `size` is.",
        ),
        key(
            "idle",
            Duration,
            Default("\"5m\""),
            "How long a silent client is kept, and how long one has to log in. RFC 5321 §4.5.3.2.7 asks for five minutes.",
        ),
        key(
            "drain",
            Duration,
            Default("\"30s\""),
            "How long what is under way may go on after the server was told to stop: clients first, then attempts as long again. systemd waits 90 seconds.",
        ),
        key("sessions", Count(1, 100_000), Default("2000"), "Outgoing connections at once, to all sites together."),
        key(
            "sessions_per_site",
            Count(1, 1000),
            Default("20"),
            "Outgoing connections at once to one site from one egress.",
        ),
        key("messages_per_session", Count(1, 100_000), Default("100"), "Messages over one outgoing connection."),
        key("session_idle", Duration, Default("\"5s\""), "How long an outgoing connection without work is kept."),
        key(
            "memory",
            Size,
            Optional("64 MiB, or a 16th of that memory"),
            "Fresh messages kept in memory, contents and envelopes; what is over it is read back from the spool.",
        ),
        key(
            "outgoing_memory",
            Size,
            Optional("256 MiB, or a quarter of that memory"),
            "Contents of more than 64 KiB that are being sent. Over it sessions wait for each other, and what is more than 1 MiB has three quarters of it.",
        ),
        key("hops", Count(1, 1000), Default("100"), "Received fields beyond which a message is going in circles."),
    ],
};

const RETRY: Section = Section {
    name: "retry",
    many: false,
    doc: "When a deferred recipient is tried again, and when no more.",
    keys: &[
        key(
            "first",
            Duration,
            Default("\"150s\""),
            "After the first deferral. Each further interval is twice as long as the one before.",
        ),
        key("max_interval", Duration, Default("\"4h\""), "The longest interval."),
        key("expire", Duration, Default("\"5d\""), "After this time the sender is told that it failed."),
        key(
            "delay_notice",
            Duration,
            Default("\"4h\""),
            "After this time the sender is told, once, that it takes long.",
        ),
        key(
            "pause",
            Duration,
            Default("\"30s\""),
            "How long a site that cannot be reached is left alone at first; each time twice as long.",
        ),
        key("max_pause", Duration, Default("\"15m\""), "The longest of these pauses."),
    ],
};

const HISTORY: Section = Section {
    name: "history",
    many: false,
    doc: "What `repute why` answers from.",
    keys: &[key("keep", Duration, Default("\"30d\""), "How long it is known what became of a message.")],
};

const LOG: Section = Section {
    name: "log",
    many: false,
    doc: "One line a step, on standard error.",
    keys: &[key(
        "format",
        Choice(&["text", "json"]),
        Default("\"text\""),
        "`text` for people and grep, `json` for programs.",
    )],
};

const SENDMAIL: Section = Section {
    name: "sendmail",
    many: false,
    doc: "Mail from programs of this machine, by the `sendmail` command.",
    keys: &[
        key("account", Text, Optional("the command is refused"), "The account that such mail is sent as."),
        key(
            "users",
            OneOrMany(&Text),
            Optional("every user of the machine"),
            "The users who may use the command; root always may.",
        ),
    ],
};

#[cfg(test)]
mod tests;
