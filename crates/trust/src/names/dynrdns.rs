//! SpamAssassin's marks of an end user's line in a reverse name (`RDNS_DYNAMIC`): four numbers
//! like those of an address, words of dial-in lines with numbers, marks between separators. It
//! is the behaviour of its default rules, without those for single providers.

use super::generic::{Filter, Points, Sign};

/// The points of the rule with network tests and Bayes on. A name that says it is static is spared.
pub(super) fn sign(name: &str) -> Option<Sign> {
    if name.contains("static") || name.contains("fix") {
        return None;
    }
    let because = mark(name)?;
    Some(Sign { rule: "RDNS_DYNAMIC", filter: Filter::SpamAssassin, points: Points(98), because })
}

fn mark(name: &str) -> Option<String> {
    if has_four_numbers(name) {
        return Some("four numbers like those of an address".into());
    }
    let labels: Vec<&str> = name.split(['.', '-']).collect();
    // The first piece has nothing in front of it, the last one nothing behind.
    let inner = labels.get(1..labels.len().saturating_sub(1)).unwrap_or_default();
    let marks = ["dyn", "dynamic", "res", "resnet", "client", "docsis", "dhcp", "cpe", "catv"];
    if let Some(mark) = inner.iter().find(|piece| marks.contains(piece)) {
        return Some(format!("the mark {mark:?}"));
    }
    let dyn_number = |piece: &&&str| {
        let rest = piece.strip_prefix("dynamic").or_else(|| piece.strip_prefix("dyn"));
        rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    if let Some(piece) = labels.iter().skip(1).find(dyn_number) {
        return Some(format!("the mark {piece:?}"));
    }
    let first = name.split('.').next().unwrap_or_default();
    if first.len() == 10 && first.starts_with("0x") && first[2..].bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some("an address in hexadecimal".into());
    }
    if starts_split(name) {
        return Some("an address in two parts".into());
    }
    let lines = ["cm", "catv", "docsis", "cable", "dsl", "dhcp", "cpe", "node"];
    if let Some(line) = lines.into_iter().find(|line| numbers_follow(name, line)) {
        return Some(format!("the word {line:?} and numbers"));
    }
    let lines = ["docsis", "cable", "dsl", "adsl", "dhcp", "cpe"];
    lines.into_iter().find(|line| numbers_before(name, line)).map(|line| format!("numbers and the label {line:?}"))
}

/// A number as first label, and later three more with one character between each: `118.Red-80-35-201.…`
fn starts_split(name: &str) -> bool {
    let Some((first, rest)) = name.split_once('.') else { return false };
    let is_number = !first.is_empty() && first.bytes().all(|b| b.is_ascii_digit());
    let three = |start: usize| {
        let mut bytes = rest[start..].bytes().peekable();
        (0..3).all(|_| {
            let mut digits = 0;
            while bytes.next_if(u8::is_ascii_digit).is_some() {
                digits += 1;
            }
            digits > 0 && bytes.next().is_some()
        })
    };
    is_number && (1..rest.len()).any(|start| rest.is_char_boundary(start) && three(start))
}

/// Two numbers apart, and after them the label of a line.
fn numbers_before(name: &str, line: &str) -> bool {
    name.match_indices(line).any(|(start, _)| {
        let Some(before) = name[..start].strip_suffix('.') else { return false };
        if !name[start + line.len()..].starts_with('.') {
            return false;
        }
        let Some(first) = before.find(|c: char| c.is_ascii_digit()) else { return false };
        before[first..].trim_start_matches(|c: char| c.is_ascii_digit()).contains(|c: char| c.is_ascii_digit())
    })
}

/// Four numbers with one character between each, and two more labels behind.
fn has_four_numbers(name: &str) -> bool {
    let bytes = name.as_bytes();
    (0..bytes.len()).any(|start| {
        let mut place = start;
        for nth in 0..4 {
            let digits = bytes[place..].iter().take_while(|b| b.is_ascii_digit()).count();
            if digits == 0 {
                return false;
            }
            place += digits + usize::from(nth < 3);
            if place > bytes.len() {
                return false;
            }
        }
        // At least one dot with something before and after it, and one more behind.
        let rest = name.get(place..).unwrap_or_default();
        rest.split_once('.')
            .is_some_and(|(_, rest)| rest.split_once('.').is_some_and(|(a, b)| !a.is_empty() && !b.is_empty()))
    })
}

/// A word, later a number, then something that is none, then a digit.
fn numbers_follow(name: &str, word: &str) -> bool {
    let Some((_, rest)) = name.split_once(word) else { return false };
    let Some(first) = rest.find(|c: char| c.is_ascii_digit()) else { return false };
    let after = rest[first..].trim_start_matches(|c: char| c.is_ascii_digit());
    !after.is_empty() && after.contains(|c: char| c.is_ascii_digit())
}
