//! The sections about telling the outside what happens.

use repute_hooks::Type;

use super::Kind::{Bool, Choice, Count, Duration, OneOrMany, Path, Secret, Size, Text};
use super::Need::{Default, Optional, Required};
use super::{Section, key};

pub const WEBHOOK: Section = Section {
    name: "webhook",
    many: true,
    doc: "A program that is told by HTTP what becomes of messages. docs/events.md describes it.",
    keys: &[
        key("name", Text, Required, "By this it is known to `repute webhook`, and over restarts."),
        key("url", Text, Required, "Where events are posted, `https://...`. Redirects are not followed."),
        key(
            "secret",
            OneOrMany(&Secret),
            Optional("`secret_file` has it"),
            "What requests are signed with, `whsec_...`, made by `repute webhook secret`. Each of several signs, so that one can be replaced by another without a gap.",
        ),
        key(
            "secret_file",
            Path,
            Optional("`secret` has it"),
            "A file with a secret in each line, not readable by everybody.",
        ),
        key("events", OneOrMany(&Choice(&Type::NAMES)), Optional("all"), "The events that it gets."),
        key(
            "account",
            Text,
            Optional("events of all accounts, and incidents"),
            "Only events of this account's messages.",
        ),
        key(
            "batch",
            Count(1, 1000),
            Default("1"),
            "Events in one request, at most. With 1 each is sent by itself, unwrapped.",
        ),
        key("batch_wait", Duration, Default("\"1s\""), "How long a batch that is not full waits for more."),
        key("timeout", Duration, Default("\"15s\""), "For one request, the look-up of the name included."),
        key("connections", Count(1, 64), Default("4"), "Requests under way at once."),
        key(
            "allow_private",
            Bool,
            Default("false"),
            "Whether the receiver may be on this machine or in a private network, and `http://` may be used. Without it such addresses are not called, whatever DNS says.",
        ),
    ],
};

pub const EVENTS: Section = Section {
    name: "events",
    many: false,
    doc: "What is kept of events for webhooks and other readers. docs/events.md describes them.",
    keys: &[
        key(
            "keep",
            Duration,
            Optional(
                "7 days where there is a [[webhook]]; else the last 10,000 events are kept in memory, 300 while nobody reads them",
            ),
            "How long events are kept on disk. What a webhook did not take by then is lost to it, and counted.",
        ),
        key("size", Size, Default("\"1GB\""), "The most that the file of events may take. At the bound the oldest go."),
        key(
            "file",
            Path,
            Optional("events are written to no file"),
            "A file to which each event is added as a line of JSON. SIGHUP opens it anew.",
        ),
    ],
};
