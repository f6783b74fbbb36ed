//! The sections about who sends: as which domains, and by which accounts.

use super::Kind::{Bool, Choice, Count, List, Mail, Name, Network, OneOrMany, Path, Rate, Secret, Text};
use super::Need::{Default, Optional, Required};
use super::{Section, key};

pub const DOMAIN: Section = Section {
    name: "domain",
    many: true,
    doc: "A domain that mail may be sent as. `repute domain add NAME` makes its keys and this block.",
    keys: &[
        key("name", Name, Required, "The domain in From."),
        key(
            "selectors",
            List(&Text),
            Optional("every key in `STATE/keys/NAME/`"),
            "The DKIM selectors to sign with; each is a file `STATE/keys/NAME/SELECTOR.pem`.",
        ),
        key(
            "return_path",
            Name,
            Optional("the sender's own address"),
            "A domain of yours whose MX is this server: bounces come back to it, on the `return` listener.",
        ),
        key(
            "pool",
            Text,
            Optional("every [[egress]] that is in no pool"),
            "Its mail leaves from the [[egress]] of this pool alone.",
        ),
        key(
            "danger_unsigned",
            Bool,
            Default("false"),
            "Sends without a signature. For benchmarks and tests; receivers throw such mail away.",
        ),
    ],
};

pub const ACCOUNT: Section = Section {
    name: "account",
    many: true,
    doc: "Who may submit mail. `repute account add NAME` makes this block.",
    keys: &[
        key("name", Text, Required, "The name to log in with; it also stands in log lines."),
        key(
            "password",
            Secret,
            Optional("no log-in by PLAIN or LOGIN"),
            "An argon2 hash, as `repute account add` prints it. Never the password itself.",
        ),
        key(
            "password_file",
            Path,
            Optional("`password`"),
            "A file whose first line is that hash, in place of `password`.",
        ),
        key(
            "scram",
            Secret,
            Optional("no log-in by SCRAM-SHA-256"),
            "The SCRAM secret, as `repute account add` prints it.",
        ),
        key(
            "domains",
            OneOrMany(&Name),
            Required,
            "The domains that this account may send as, each of them a [[domain]].",
        ),
        key(
            "stream",
            Choice(&["transactional", "bulk"]),
            Default("\"transactional\""),
            "What kind of mail it sends: transactional mail goes before bulk mail to the same place.",
        ),
        key(
            "private",
            Bool,
            Default("false"),
            "Leaves the submitting client's address and name out of the Received field.",
        ),
        key(
            "rate",
            Rate,
            Optional("as much as it likes"),
            "How much mail it may hand in, counted in recipients: `10/s`, `100/m`, `1000/h`, `20000/d`. So many are taken at once; more is refused for now, by SMTP with 450, over HTTP with 429. The rows of a campaign's list count as they come in.",
        ),
        key(
            "addresses",
            OneOrMany(&Network),
            Optional("log-in needed"),
            "Clients that are this account by their address alone: loopback and private networks, or single public hosts.",
        ),
        key(
            "brake",
            Count(0, 1000),
            Optional("that of [circuit]"),
            "How many times its habit this account may write to people it never wrote to; 0 never holds it.",
        ),
        key(
            "replies",
            Mail,
            Optional("they are refused"),
            "The mail address to which what people answer to the return path of its mail is handed on.",
        ),
    ],
};
