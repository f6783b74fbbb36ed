//! Whether those who unsubscribed are left alone, as our own history has it.
//!
//! Known limit: who left one list of an account may get its other mail, which the history does not tell
//! apart; so only those are looked at who left all of it.

use repute_types::Timestamp;

use super::Finding;

/// Somebody who left, and was written to all the same, later than two days after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    pub recipient: String,
    pub left: Timestamp,
    /// Messages that were delivered.
    pub messages: usize,
}

/// How many who left were looked at, and who of them was written to. `Err`: why it is not known.
pub fn judge(left: &Result<(usize, Vec<Ignored>), String>) -> Finding {
    let (id, about) = ("unsub.honoured", "sent");
    match left {
        Err(why) => Finding::unknown(id, about, "whether those who unsubscribed are left alone", why),
        Ok((0, _)) => Finding::pass(id, about, "nobody unsubscribed more than two days ago"),
        Ok((all, ignored)) => match ignored.iter().max_by_key(|one| one.messages) {
            None => Finding::pass(
                id,
                about,
                format!("none of {all} who unsubscribed was written to two days later or more"),
            ),
            Some(one) => {
                let verdict = format!(
                    "{} of {all} who unsubscribed were written to more than two days later: {} left at {} and got {} messages",
                    ignored.len(),
                    one.recipient,
                    one.left,
                    one.messages
                );
                Finding::fail(id, about, verdict).fix(
                    "see `repute suppression list` and `repute why` for who sent them; Gmail and Yahoo give two days",
                )
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    #[test]
    fn one_who_was_not_left_alone_is_too_many() {
        let one = |messages| Ignored { recipient: format!("p{messages}@example.net"), left: Timestamp(0), messages };
        assert_eq!(judge(&Ok((0, Vec::new()))).outcome, Outcome::Pass);
        assert_eq!(judge(&Ok((9, Vec::new()))).outcome, Outcome::Pass);
        assert_eq!(judge(&Err("busy".into())).outcome, Outcome::Unknown);
        let found = judge(&Ok((9, vec![one(1), one(3)])));
        assert_eq!(found.outcome, Outcome::Fail);
        assert!(found.verdict.contains("2 of 9") && found.verdict.contains("p3@example.net"), "{}", found.verdict);
    }
}
