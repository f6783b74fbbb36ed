//! Whether a listing would be heard of: the running server asks the lists again and again, and somebody is told.

use super::Finding;

/// What the configuration says of the watch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watched {
    pub on: bool,
    /// Who is told beside the log, each in a few words.
    pub told: Vec<String>,
}

pub fn judge(watched: &Watched) -> Finding {
    let (id, about) = ("bl.monitor", "lists");
    if !watched.on {
        return Finding::warn(
            id,
            about,
            "lists are not asked while the server runs: of a listing nobody hears but receivers",
        )
        .fix("write `enabled = true` into [watch]");
    }
    match watched.told.as_slice() {
        [] => Finding::pass(id, about, "the running server asks lists every hour, and tells the log alone")
            .fix("name who is written to when something is listed: `mail_to` in [watch]"),
        some => {
            Finding::pass(id, about, format!("the running server asks lists every hour, and tells {}", some.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome::{Pass, Warn};

    #[test]
    fn a_watch_that_is_off_is_told() {
        let outcome = |on, told: &[&str]| {
            let finding = judge(&Watched { on, told: told.iter().map(|t| (*t).to_owned()).collect() });
            (finding.outcome, finding.fix.is_some())
        };
        assert_eq!(outcome(false, &["ops@example.net"]), (Warn, true));
        assert_eq!(outcome(true, &[]), (Pass, true));
        assert_eq!(outcome(true, &["ops@example.net"]), (Pass, false));
    }
}
