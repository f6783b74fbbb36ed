//! At which step of the conversation (RFC 5321 §3) a server refused, where a notice tells it and the server's words tell
//! nothing: one that refuses before it has seen a sender knows of us our address and name alone, and one that refuses at
//! MAIL FROM has not seen the recipient. A guess, which suppresses nobody.

use repute_trust::replies::Class;

/// How notices name the steps, lower case: Postfix, Exim, sendmail and Courier, qmail, DragonFly dma.
const STEPS: [(Step, &[&str]); 3] = [
    (
        Step::Greeting,
        &[
            "in reply to ehlo command",
            "in reply to helo command",
            "after ehlo",
            "after helo",
            "after initial connection",
            ">>> ehlo",
            ">>> helo",
            "greeting failed",
        ],
    ),
    (
        Step::Sender,
        &[
            "in reply to mail from command",
            "after mail from",
            ">>> mail from:",
            "sender was rejected",
            "like our mail from",
        ],
    ),
    (
        Step::Later,
        &[
            "in reply to rcpt to command",
            "after rcpt to",
            ">>> rcpt to:",
            "does not like recipient",
            "like our rcpt to",
            "data command",
            "end of data",
            ">>> data",
            "after i sent the message",
            "like our data",
        ],
    ),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Greeting,
    Sender,
    Later,
}

/// Whom a refusal must be about that came so early; a transcript's last step counts.
pub(crate) fn blamed(text: &str) -> Option<Class> {
    let text = text.to_lowercase();
    let last = |names: &[&str]| names.iter().filter_map(|name| text.rfind(name)).max();
    let (_, step) = STEPS.iter().filter_map(|(step, names)| Some((last(names)?, *step))).max_by_key(|(at, _)| *at)?;
    match step {
        Step::Greeting => Some(Class::AddressReputation),
        Step::Sender => Some(Class::SenderDomain),
        Step::Later => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_step_counts() {
        for (text, expected) in [
            ("host mx said: 550 No (in reply to EHLO command)", Some(Class::AddressReputation)),
            ("SMTP error from remote mail server after MAIL FROM:<a@b>: 550 No", Some(Class::SenderDomain)),
            (">>> EHLO a <<< 250 b >>> MAIL From:<a@b> <<< 550 No", Some(Class::SenderDomain)),
            (">>> MAIL From:<a@b> >>> RCPT To:<c@d> <<< 550 No", None),
            ("Connected to 192.0.2.1 but sender was rejected.", Some(Class::SenderDomain)),
            ("192.0.2.1 did not like our MAIL FROM: 550 No", Some(Class::SenderDomain)),
            ("550 No", None),
        ] {
            assert_eq!(blamed(text), expected, "{text}");
        }
    }
}
