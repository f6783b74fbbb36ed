//! The keys of HTTP: where it is served, and who may use it.

use super::Kind::{Bool, Choice, Count, Ip, OneOrMany, Path, Secret, Socket, Text};
use super::Need::{Default, Optional, Required};
use super::{Section, key};

pub(super) const WEB: Section = Section {
    name: "web",
    many: false,
    doc: "HTTP: the API for applications (docs/http.md), and the pages that recipients see.",
    keys: &[
        key(
            "listen",
            OneOrMany(&Socket),
            Optional("no HTTP"),
            "IP address and port; the port defaults to 443, and without TLS to 8080. Port 0 takes any free one.",
        ),
        key(
            "tls",
            Bool,
            Optional("true; false on loopback addresses, and where there is a `proxy_from`"),
            "Whether the server speaks TLS itself, with the certificate of [tls]. Without it only loopback and the proxies of `proxy_from` are served.",
        ),
        key(
            "proxy_from",
            OneOrMany(&Ip),
            Optional("no proxy"),
            "Reverse proxies in front of the server, whose X-Forwarded-For is believed.",
        ),
        key(
            "url",
            Text,
            Optional("mail carries no links to this server"),
            "The address by which the world reaches this, such as `https://mail.example.com`: links in mail begin with it.",
        ),
        key(
            "imprint",
            Text,
            Optional("`imprint_file`"),
            "What the page at `/` says: who is behind this server, and how to reach them.",
        ),
        key("imprint_file", Path, Optional("no such page"), "A text file with that, in place of `imprint`."),
        key(
            "requests_per_minute",
            Count(1, 10_000_000),
            Default("6000"),
            "Requests of one token in a minute; one more is answered 429. A batch counts as one for each of its messages.",
        ),
        key(
            "metrics",
            Choice(&["token", "loopback"]),
            Default("\"token\""),
            "Who reads `/metrics` (docs/metrics.md): whoever has a token that may, or also every program of this machine.",
        ),
    ],
};

pub(super) const TOKEN: Section = Section {
    name: "token",
    many: true,
    doc: "Who may use the API of [web]. `repute token add NAME` makes this block.",
    keys: &[
        key("name", Text, Required, "What it is called in answers and log lines."),
        key(
            "hash",
            Secret,
            Required,
            "The token's SHA-256, as `repute token add` prints it. The token itself is kept nowhere.",
        ),
        key(
            "account",
            Text,
            Optional("every account's mail, and no sending"),
            "The [[account]] whose mail it hands in and asks about.",
        ),
        key(
            "allow",
            OneOrMany(&Choice(&["send", "read", "queue", "suppress", "operate", "metrics"])),
            Default("[\"send\", \"read\"]"),
            "What it may do: `send` messages; `read` what became of them, and how the server is; hold, release, retry and cancel what is in the `queue`; change the list of those who are to be left alone (`suppress`); and, for a token without an account, `operate` the server (permits, circuits, webhooks) and read its `metrics`.",
        ),
        key(
            "requests_per_minute",
            Count(1, 10_000_000),
            Optional("that of [web]"),
            "Requests in a minute, for this token.",
        ),
    ],
};
