//! What a person can do about a failure: by the enhanced status code and by whose decision it
//! was, never by the words of a reply.

use repute_types::{Culprit, EnhancedCode, Outcome};

/// One or two sentences.
pub(super) fn advice(outcome: &Outcome) -> &'static str {
    let EnhancedCode(_, subject, detail) = outcome.status;
    match (subject, detail) {
        (1, 1 | 0 | 6) => "Check the address for mistakes: it is not known there.",
        (1, 2) | (4, 4) => "Check the part after the @ for mistakes: that domain takes no mail.",
        (1, 10) => "That domain has declared that it takes no mail at all. Look for another address.",
        (1, 7 | 8) => "Your own address was not accepted as a sender. Ask your postmaster.",
        (1, _) => "Check the address for mistakes.",
        (2, 2) => "The mailbox is full. Tell the recipient another way, and send the message again later.",
        (2, 1) => "The mailbox takes no mail at present. Reach the recipient another way.",
        (2, 3) | (3, 4) => "The message is too large for the other side. Send less, or a link to it.",
        (2, _) => "The mailbox could not take the message. Reach the recipient another way.",
        (4, 6) => "The message ran in a circle between servers. Tell the recipient's postmaster.",
        (4, 7) => "Nobody there took the message in time. Send it again later, or reach the recipient another way.",
        (4, _) => "The other side could not be reached. Send it again later.",
        (6, _) => "The other side does not take a message of this form. Send it as plain text.",
        (7, 1 | 0) => "The other side's rules refused it. What it said above tells why; your postmaster can help.",
        (7, 10) | (7, 4 | 5 | 30) => "No connection as safe as was asked for could be had. Your postmaster can help.",
        (7, _) => "The other side does not trust this mail enough. Your postmaster can find out why.",
        _ if outcome.culprit == Culprit::Us => "The reason lies here. Ask your postmaster.",
        _ => "What the other side said above tells why; your postmaster can help.",
    }
}
