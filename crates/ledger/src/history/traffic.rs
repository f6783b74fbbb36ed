//! The mail of the last day in numbers, by receiver: what a check of one's own habits is made from.

use std::collections::HashMap;

use repute_types::{MessageId, Timestamp};

use super::questions::Questions;
use crate::{LedgerError, key};

/// Recipients that are remembered as unknown, and receivers that are told apart; beyond it the rest
/// is counted together.
const MOST: usize = 50_000;
/// Attempts may be made for so many days after a message was accepted.
const OLDEST: std::time::Duration = std::time::Duration::from_secs(6 * 86_400);

/// What went to one receiver, by the end of its hosts' names: `google.com`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiverTraffic {
    pub name: String,
    /// Recipients.
    pub delivered: u64,
    /// Of them, over connections without TLS.
    pub clear: u64,
    /// Attempts.
    pub deferred: u64,
    /// Recipients.
    pub failed: u64,
    /// Of them, as unknown there.
    pub unknown_users: u64,
    /// The last reply that put mail off.
    pub reply: Option<String>,
    /// Recipients delivered to in the week before the day.
    pub week_before: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// The largest first.
    pub receivers: Vec<ReceiverTraffic>,
    pub complaints: u64,
    /// Recipients that were unknown once and were written to again later.
    pub again: Vec<String>,
}

impl Questions {
    /// Recipients of the messages of an account that were accepted since an instant, without those of campaigns. Reads all
    /// that was accepted since.
    pub fn accepted_of(&self, account: &str, since: Timestamp) -> Result<u64, LedgerError> {
        // Addresses are separated by line feeds.
        let mut statement = self.db().prepare_cached(
            "SELECT COALESCE(SUM(LENGTH(recipients) - LENGTH(REPLACE(recipients, CHAR(10), '')) + 1), 0)
             FROM message WHERE id >= ?1 AND account = ?2 AND count IS NULL",
        )?;
        let count: i64 = statement.query_row((key(MessageId::first_at(since)), account), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// The traffic of the day that ends at `now`. Reads all steps of some days, so it may take a
    /// second on a busy server.
    pub fn traffic(&self, now: Timestamp) -> Result<Traffic, LedgerError> {
        const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);
        let (day, week) = (now - DAY, now - DAY * 8);
        let mut receivers: HashMap<String, ReceiverTraffic> = HashMap::new();
        let mut unknown: HashMap<String, i64> = HashMap::new();
        let mut traffic = Traffic::default();
        let mut statement = self.db().prepare_cached(
            "SELECT at, kind, recipient, verdict, reply, peer, tls, class, message FROM step
             WHERE message >= ?1 AND at >= ?2 AND kind IN ('settled', 'complained') ORDER BY message, seq",
        )?;
        let first = key(MessageId::first_at(week - OLDEST));
        let mut rows = statement.query((first, week.millis()))?;
        while let Some(row) = rows.next()? {
            let (at, kind): (i64, String) = (row.get(0)?, row.get(1)?);
            let today = at >= day.millis();
            if kind == "complained" {
                traffic.complaints += u64::from(today);
                continue;
            }
            let text = |n: usize| row.get::<_, Option<String>>(n).map(Option::unwrap_or_default);
            let (recipient, verdict, class) = (text(2)?, text(3)?, text(7)?);
            let message: i64 = row.get(8)?;
            // Another message, accepted after the address was known to be dead.
            if unknown.get(&recipient).is_some_and(|of| *of < message) && traffic.again.len() < 100 && today {
                traffic.again.push(recipient.clone());
            }
            if verdict == "failed" && class == "unknown-user" && unknown.len() < MOST {
                unknown.entry(recipient.clone()).or_insert(message);
            }
            let name = receiver_of(row.get::<_, Option<String>>(5)?.as_deref(), &recipient);
            let name = if receivers.len() < MOST || receivers.contains_key(&name) { name } else { "others".into() };
            let receiver = receivers.entry(name).or_default();
            match (verdict.as_str(), today) {
                ("delivered", false) => receiver.week_before += 1,
                ("delivered", true) => {
                    receiver.delivered += 1;
                    receiver.clear += u64::from(row.get::<_, Option<String>>(6)?.is_none());
                }
                ("deferred", true) => {
                    receiver.deferred += 1;
                    receiver.reply = row.get::<_, Option<String>>(4)?.or(receiver.reply.take());
                }
                ("failed", true) => {
                    receiver.failed += 1;
                    receiver.unknown_users += u64::from(class == "unknown-user");
                }
                _ => {}
            }
        }
        traffic.again.sort();
        traffic.again.dedup();
        traffic.receivers = receivers.into_iter().map(|(name, traffic)| ReceiverTraffic { name, ..traffic }).collect();
        traffic.receivers.sort_by(|a, b| (b.delivered, &a.name).cmp(&(a.delivered, &b.name)));
        Ok(traffic)
    }
}

/// The last two labels of the host that answered, or of the recipient's domain.
fn receiver_of(peer: Option<&str>, recipient: &str) -> String {
    let host = peer.unwrap_or_else(|| recipient.rsplit_once('@').map_or(recipient, |(_, domain)| domain));
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_is_the_end_of_a_host_s_name() {
        assert_eq!(receiver_of(Some("gmail-smtp-in.l.google.com."), "a@b.example"), "google.com");
        assert_eq!(receiver_of(None, "a@mail.b.example"), "b.example");
        assert_eq!(receiver_of(Some("localhost"), "a@b"), "localhost");
    }
}
