//! Names and numbers as sentences have them.

/// So many names are told; the rest are a number.
const LISTED: usize = 3;

/// `a`, `a and b`, `a, b, c and 2 more`.
pub(super) fn listed(names: &[&str]) -> String {
    match names {
        [one] => (*one).to_owned(),
        [first @ .., last] if names.len() <= LISTED => format!("{} and {last}", first.join(", ")),
        _ => format!("{} and {} more", names[..LISTED.min(names.len())].join(", "), names.len().saturating_sub(LISTED)),
    }
}

/// `1 day`, `2 days`.
pub(super) fn counted(n: impl TryInto<u64>, one: &str) -> String {
    match n.try_into().unwrap_or(u64::MAX) {
        1 => format!("1 {one}"),
        n => format!("{n} {one}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_listed_as_people_write_them() {
        assert_eq!(listed(&["a"]), "a");
        assert_eq!(listed(&["a", "b"]), "a and b");
        assert_eq!(listed(&["a", "b", "c"]), "a, b and c");
        assert_eq!(listed(&["a", "b", "c", "d", "e"]), "a, b, c and 2 more");
    }

    #[test]
    fn one_is_not_many() {
        assert_eq!([0u64, 1, 2].map(|n| counted(n, "day")), ["0 days", "1 day", "2 days"]);
    }
}
