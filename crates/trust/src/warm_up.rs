//! How an address that receivers do not know yet earns its name: so many messages a day to each of them at first, and
//! more when the last day went well (docs/pace.md).
//!
//! Pure: counts in, a word out.

/// Messages in a day, from one address to one receiver, step by step; beyond the last step there is no limit.
///
/// The days of the schedule that Twilio SendGrid publishes for a new address ("50, 100, 500, 1,000, 5,000, 10,000,
/// 20,000, 40,000, 70,000, 100,000, 150,000, 250,000, 400,000"), taken for each receiver. The large receivers name no numbers
/// of their own: Google asks to begin low and to raise it slowly while nothing is put off (support.google.com/mail/answer/81126), Yahoo and Microsoft alike.
pub const LADDER: [u32; 13] =
    [50, 100, 500, 1_000, 5_000, 10_000, 20_000, 40_000, 70_000, 100_000, 150_000, 250_000, 400_000];

/// Of a hundred messages of a day, so many may be put off or refused because of the address before the step is kept.
const KEPT_ABOVE: u64 = 5;
/// And so many before it goes a step down.
const DOWN_ABOVE: u64 = 20;
/// Below so many messages a share says little.
const LEAST: u64 = 10;
/// Of a thousand messages, so many may be complained about before the step is kept: what Google and Yahoo ask every sender to stay
/// below (support.google.com/mail/answer/81126, senders.yahooinc.com/best-practices).
const KEPT_ABOVE_COMPLAINTS: u64 = 3;
/// And so many before it goes a step down.
const DOWN_ABOVE_COMPLAINTS: u64 = 10;
/// Fewer complaints than these may be one person's bad day.
const LEAST_COMPLAINTS: u64 = 3;

/// Receivers whose sites are one: by what their MX hosts are under.
const RECEIVERS: [(&str, &[&str]); 12] = [
    ("Google", &["google.com", "googlemail.com"]),
    ("Microsoft", &["outlook.com", "hotmail.com", "mx.microsoft"]),
    ("Yahoo", &["yahoodns.net"]),
    ("Apple", &["icloud.com", "apple.com"]),
    ("GMX and web.de", &["gmx.net", "web.de"]),
    ("T-Online", &["t-online.de"]),
    ("Comcast", &["comcast.net"]),
    ("Mail.ru", &["mail.ru"]),
    ("Yandex", &["yandex.ru", "yandex.net"]),
    ("Proofpoint", &["pphosted.com", "ppe-hosted.com"]),
    ("Mimecast", &["mimecast.com"]),
    ("Barracuda", &["barracudanetworks.com"]),
];

/// The receiver whose hosts these all are.
pub fn receiver<'a>(hosts: impl Iterator<Item = &'a str> + Clone) -> Option<&'static str> {
    let is_of = |host: &str, names: &[&str]| {
        names.iter().any(|name| host.strip_suffix(name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')))
    };
    let found = RECEIVERS.iter().find(|(_, names)| hosts.clone().all(|host| is_of(host, names)));
    found.filter(|_| hosts.clone().next().is_some()).map(|(name, _)| *name)
}

/// Messages a day at a step; `None` beyond the ladder.
pub fn number(step: u16) -> Option<u32> {
    LADDER.get(usize::from(step)).copied()
}

/// What became of the messages of one day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Day {
    pub sent: u64,
    /// Put off or refused because of the address or of how much it sends, or taken for spam.
    pub slowed: u64,
    /// Complaints that came on this day, about messages of whichever day.
    pub complaints: u64,
}

/// What follows from a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    Up,
    /// Less than half of the day's number was sent: more is not proven.
    Unproven,
    /// Too much was put off or complained about.
    Kept,
    Down,
}

/// The step after a day, and why.
pub fn turn(step: u16, day: Day) -> (u16, Turn) {
    let Some(number) = number(step) else { return (step, Turn::Unproven) };
    let above = |percent: u64| day.sent >= LEAST && day.slowed * 100 > day.sent * percent;
    // Complaints come hours and days later: a quiet day after a busy one must not look the worse for it, so it counts as a day of the
    // least that proves a step.
    let messages = day.sent.max(u64::from(number) / 2);
    let disliked = |per_mille: u64| day.complaints >= LEAST_COMPLAINTS && day.complaints * 1000 > messages * per_mille;
    if above(DOWN_ABOVE) || disliked(DOWN_ABOVE_COMPLAINTS) {
        return (step.saturating_sub(1), Turn::Down);
    }
    if above(KEPT_ABOVE) || disliked(KEPT_ABOVE_COMPLAINTS) {
        return (step, Turn::Kept);
    }
    if day.sent * 2 < u64::from(number) {
        return (step, Turn::Unproven);
    }
    (step + 1, Turn::Up)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ladder_grows_and_good_days_climb_it() {
        assert!(LADDER.windows(2).all(|pair| pair[0] < pair[1]));
        let mut step = 0;
        for day in 0..LADDER.len() {
            let number = u64::from(number(step).unwrap());
            let (next, turn) = turn(step, Day { sent: number, slowed: number / 50, complaints: 0 });
            assert_eq!((next, turn), (step + 1, Turn::Up), "day {day}");
            step = next;
        }
        assert_eq!(number(step), None);
        assert_eq!(
            turn(step, Day { sent: 1_000_000, slowed: 1_000_000, complaints: 1_000_000 }).0,
            step,
            "what is warm stays so"
        );
    }

    #[test]
    fn a_day_that_went_badly_keeps_the_step_or_goes_down_one() {
        for (step, sent, slowed, expect) in [
            (2, 500, 26, (2, Turn::Kept)),
            (2, 500, 25, (3, Turn::Up)),
            (2, 500, 101, (1, Turn::Down)),
            (0, 50, 50, (0, Turn::Down)),
            (2, 249, 0, (2, Turn::Unproven)),
            (2, 250, 0, (3, Turn::Up)),
            (0, 0, 0, (0, Turn::Unproven)),
            // Of few a share says little.
            (2, 9, 9, (2, Turn::Unproven)),
        ] {
            assert_eq!(turn(step, Day { sent, slowed, complaints: 0 }), expect, "step {step}: {slowed} of {sent}");
        }
    }

    #[test]
    fn a_day_on_which_many_complained_is_no_good_day() {
        for (step, sent, complaints, expect) in [
            (4, 5_000, 15, (5, Turn::Up)),
            (4, 5_000, 16, (4, Turn::Kept)),
            (4, 5_000, 50, (4, Turn::Kept)),
            (4, 5_000, 51, (3, Turn::Down)),
            // Of few complaints none follows, and three of fifty are many.
            (0, 50, 2, (1, Turn::Up)),
            (0, 50, 3, (0, Turn::Down)),
            // On a quiet day they are about the days before.
            (4, 0, 7, (4, Turn::Unproven)),
            (4, 0, 8, (4, Turn::Kept)),
            (4, 0, 26, (3, Turn::Down)),
        ] {
            let day = Day { sent, slowed: 0, complaints };
            assert_eq!(turn(step, day), expect, "step {step}: {complaints} about {sent}");
        }
    }

    #[test]
    fn a_receiver_is_known_by_all_of_its_hosts() {
        let of = |hosts: &[&'static str]| receiver(hosts.iter().copied());
        assert_eq!(of(&["gmail-smtp-in.l.google.com", "alt1.gmail-smtp-in.l.google.com"]), Some("Google"));
        assert_eq!(of(&["aspmx.l.google.com", "alt3.aspmx.l.google.com", "aspmx2.googlemail.com"]), Some("Google"));
        assert_eq!(of(&["example-com.mail.protection.outlook.com"]), Some("Microsoft"));
        assert_eq!(of(&["mta5.am0.yahoodns.net"]), Some("Yahoo"));
        assert_eq!(of(&["aspmx.l.google.com", "mx.example.com"]), None);
        assert_eq!(of(&["notgoogle.com"]), None);
        assert_eq!(of(&[]), None);
    }
}
