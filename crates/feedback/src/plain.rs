//! How plainly a rule speaks: by a phrase that says what it is, by a phrase that only says that there is a fault or a rule,
//! by mere words, or by codes alone. What is plainer goes before what is not.

use repute_trust::replies::{Class, Classification};

#[derive(PartialEq, Eq)]
pub(crate) enum Strength {
    /// A phrase says it.
    Plain,
    /// Mere words, or a status that is registered for it.
    Words,
    /// A class of codes, or nothing.
    Codes,
}

/// Whether a phrase tells of a rule or a fault, and not of which.
pub(crate) fn is_vague(found: &Classification<'_>) -> bool {
    use Class::*;
    let is_general = found.rule.starts_with("notice.") || found.rule.starts_with("any.");
    matches!(found.class, ReceiverFault | MailProgram) || (is_general && found.class == Policy)
}

/// Whether another phrase of the same sentences tells more: a program that failed for want of room has not failed.
pub(crate) fn is_plainer(other: &Classification<'_>, than: &Classification<'_>) -> bool {
    match than.class {
        Class::MailProgram => other.class == Class::FullMailbox,
        _ => !is_vague(other),
    }
}

pub(crate) fn strength(found: &Classification<'_>) -> Strength {
    const REGISTERED: [&str; 4] = ["status.unknown-user", "status.full", "status.size", "status.ptr"];
    if found.rule.starts_with("words.") || REGISTERED.contains(&found.rule) {
        Strength::Words
    } else if found.rule == "none" || found.rule.starts_with("status.") || found.rule.starts_with("code.") {
        Strength::Codes
    } else {
        Strength::Plain
    }
}
