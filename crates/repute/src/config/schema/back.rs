//! The keys of what comes back: who is not written to any more, what is taken on port 25, and when
//! an account or campaign is stopped.

use super::Kind::{Count, Duration};
use super::Need::{Default, Optional};
use super::{Section, key};

pub(super) const SUPPRESSION: Section = Section {
    name: "suppression",
    many: false,
    doc: "Who is not written to any more because a receiver said so. Complaints and unsubscribes are for good.",
    keys: &[
        key(
            "unknown",
            Duration,
            Optional("for good"),
            "How long an address is left alone of which its receiver said that there is no such mailbox.",
        ),
        key(
            "closed",
            Duration,
            Default("\"90d\""),
            "How long a mailbox is left alone that its receiver called closed.",
        ),
    ],
};

pub(super) const CIRCUIT: Section = Section {
    name: "circuit",
    many: false,
    doc: "When an account or a campaign is stopped until a person says go on. Shares are in a thousand; 0 never stops.",
    keys: &[
        key("window", Duration, Default("\"1d\""), "What is older is not counted."),
        key("least", Count(1, 1_000_000), Default("200"), "A share is judged as if at least so many had been sent."),
        key("unknown", Count(0, 1000), Default("50"), "Recipients that do not exist."),
        key("complaints", Count(0, 1000), Default("3"), "Recipients that complained."),
        key("spam", Count(0, 1000), Default("50"), "Recipients whose server took it for spam."),
        key(
            "brake",
            Count(0, 1000),
            Default("10"),
            "How many times its habit an account may write to people it never wrote to; a stolen password does (docs/circuit.md).",
        ),
        key(
            "brake_least",
            Count(1, 1_000_000),
            Default("300"),
            "So many strangers within an hour, and five times as many within a day, are never held.",
        ),
    ],
};

pub(super) const RETURN: Section = Section {
    name: "return",
    many: false,
    doc: "Mail that comes back to a `return_path`. Its addresses are made for one message and expire.",
    keys: &[
        key(
            "bounces",
            Duration,
            Default("\"30d\""),
            "How long after a message was accepted notices and complaints about it are listened to.",
        ),
        key("unsubscribes", Duration, Default("\"180d\""), "How long after it a recipient may leave by mail."),
    ],
};
