//! Whether a Date field holds a date (RFC 5322 §3.3; obsolete years, zones and comments of
//! §4.3 are tolerated, since receivers do).

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const MONTHS: [(&str, u32); 12] = [
    ("jan", 31),
    ("feb", 29),
    ("mar", 31),
    ("apr", 30),
    ("may", 31),
    ("jun", 30),
    ("jul", 31),
    ("aug", 31),
    ("sep", 30),
    ("oct", 31),
    ("nov", 30),
    ("dec", 31),
];

pub fn is_date(value: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(value) else { return false };
    // A comment may only stand where a blank may; the common one is the zone's name at the end.
    let text = text.split('(').next().unwrap_or_default().to_ascii_lowercase();
    parse(&text).is_some()
}

fn parse(text: &str) -> Option<()> {
    let text = match text.split_once(',') {
        Some((day, rest)) => DAYS.contains(&day.trim()).then_some(rest)?,
        None => text,
    };
    let mut words = text.split_ascii_whitespace();
    let day: u32 = number(words.next()?, 1..=2)?;
    let month = words.next()?;
    let days = MONTHS.iter().find(|(name, _)| *name == month)?.1;
    let _year = number(words.next()?, 2..=4)?;
    let time_is_good = time(words.next()?);
    let zone_is_good = zone(words.next()?);
    ((1..=days).contains(&day) && time_is_good && zone_is_good && words.next().is_none()).then_some(())
}

fn number(text: &str, digits: std::ops::RangeInclusive<usize>) -> Option<u32> {
    let good = digits.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

fn time(text: &str) -> bool {
    let mut parts = text.split(':').map(|part| number(part, 2..=2));
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(Some(hour)), Some(Some(minute)), None, _) => hour < 24 && minute < 60,
        // 60 is a leap second.
        (Some(Some(hour)), Some(Some(minute)), Some(Some(second)), None) => hour < 24 && minute < 60 && second <= 60,
        _ => false,
    }
}

fn zone(text: &str) -> bool {
    match text.strip_prefix(['+', '-']) {
        Some(digits) => number(digits, 4..=4).is_some_and(|n| n % 100 < 60),
        None => {
            matches!(text, "ut" | "gmt" | "est" | "edt" | "cst" | "cdt" | "mst" | "mdt" | "pst" | "pdt" | "z" | "utc")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_told_from_other_text() {
        for good in [
            " Tue, 24 Nov 2026 02:05:50 +0000",
            "24 Nov 2026 02:05 -0330",
            "Fri, 11 Jul 2003 21:00:37 -0700 (PDT)",
            "Fri, 1 Jan 99 00:00:60 GMT",
            "Tue,\r\n 24 Nov 2026 02:05:50 +0000",
        ] {
            assert!(is_date(good.as_bytes()), "{good}");
        }
        for bad in [
            "",
            "now",
            "Tue Nov 24 02:05:50 2026",
            "2026-11-24T02:05:50Z",
            "Xyz, 24 Nov 2026 02:05:50 +0000",
            "Tue, 32 Jan 2026 02:05:50 +0000",
            "Tue, 24 Nov 2026 25:05:50 +0000",
            "Tue, 24 Nov 2026 02:05:50",
            "Tue, 24 Nov 2026 02:05:50 +00:00",
            "Tue, 24 Nov 2026 02:05:50 +0000 x",
        ] {
            assert!(!is_date(bad.as_bytes()), "{bad}");
        }
    }
}
