//! What RFC 3463 and the registry of its codes say of a status by itself, and whether that is plain enough to go before what
//! words hint at. Servers use many of them loosely: so a phrase goes before all of these.

use repute_trust::replies::Class;
use repute_types::EnhancedCode;

/// Statuses that are registered for one thing.
pub(crate) fn meaning(status: EnhancedCode) -> Option<(Class, bool)> {
    Some(match (status.0, status.1, status.2) {
        (_, 1, 2) => (Class::NoDomain, false),
        (_, 1, 4) => (Class::UnknownUser, false),
        (_, 1, 6) => (Class::Moved, true),
        (_, 1, 10) => (Class::TakesNoMail, false),
        (5, 3, 2) => (Class::TakesNoMail, false),
        (_, 3, 5) => (Class::ReceiverFault, false),
        (_, 4, 1 | 2) => (Class::Network, false),
        (5, 4, 4) => (Class::NoDomain, false),
        (4, 4, 4) => (Class::Network, false),
        (_, 4, 7) => (Class::Expired, true),
        (_, 7, 13) => (Class::DisabledMailbox, true),
        (_, 7, 28) => (Class::Rate, true),
        _ => return None,
    })
}

/// What the subject of a lasting refusal says where nothing else does: of the mail system of the receiver (x.3), of the way
/// there (x.4), and that a mailing list could not be expanded (x.2.4).
pub(crate) fn subject(status: EnhancedCode) -> Option<(Class, bool)> {
    match (status.0, status.1, status.2) {
        (5, 3, 0 | 1 | 3) | (5, 2, 4) | (5, 4, 5) => Some((Class::ReceiverFault, false)),
        (5, 4, 0 | 3) => Some((Class::Network, false)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_says_what_it_is_registered_for() {
        for (status, expected) in [
            ((5, 1, 2), Some((Class::NoDomain, false))),
            ((4, 4, 7), Some((Class::Expired, true))),
            ((5, 3, 1), Some((Class::ReceiverFault, false))),
            ((5, 4, 3), Some((Class::Network, false))),
            ((5, 0, 0), None),
            ((5, 2, 0), None),
            ((4, 3, 0), None),
        ] {
            let status = EnhancedCode(status.0, status.1, status.2);
            assert_eq!(meaning(status).or_else(|| subject(status)), expected, "{status}");
        }
    }
}
