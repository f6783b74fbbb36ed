//! rspamd's table of words in host names (`HFILTER_HOSTNAME_1` to `_5`, and the same for
//! EHLO): words of end users' lines beside digits or between separators, the more telling the
//! dearer. It is the behaviour of its default rules, written as a table of our own.

use super::generic::{Filter, Points, Sign};

/// A word, how much it is minded (1 to 5), and where in a name.
struct Word {
    word: &'static str,
    weight: u8,
    before: Before,
    after: After,
    alone: Alone,
}

/// Digits in front of the word: `12-dsl`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    No,
    /// A digit, perhaps with a separator between.
    Digit,
    /// A digit after another or after a separator, perhaps with a separator between.
    Digits,
    /// The same with a separator between.
    Separated,
    /// Three digits and something before them, perhaps with a separator between.
    Many,
}

/// Digits behind it: `pool-12`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    No,
    /// A separator and a digit.
    Digit,
    /// A digit, perhaps with a separator between.
    Close,
    /// A separator and two digits.
    Two,
    /// A separator, a digit, and one more or a separator.
    Number,
}

/// Between separators: `.dhcp.`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alone {
    No,
    Yes,
    /// Only where a digit or another separator stands in front.
    AfterNumber,
}

/// Words of the common kind: separator and digit behind, or alone.
const fn word(word: &'static str, weight: u8, before: Before) -> Word {
    Word { word, weight, before, after: After::Digit, alone: Alone::Yes }
}

const fn odd(word: &'static str, weight: u8, before: Before, after: After, alone: Alone) -> Word {
    Word { word, weight, before, after, alone }
}

const WORDS: &[Word] = &[
    word("nat", 5, Before::Digits),
    word("homeuser", 5, Before::Digits),
    odd("pppoe", 5, Before::Digits, After::Digit, Alone::AfterNumber),
    word("ppp", 5, Before::Digits),
    word("pptp", 5, Before::Digits),
    word("dynamic", 5, Before::Digits),
    odd("dynip", 5, Before::Separated, After::Digit, Alone::AfterNumber),
    odd("dyn", 5, Before::Separated, After::Number, Alone::No),
    word("dhcp", 5, Before::Digit),
    word("dialup", 5, Before::Digits),
    word("dial-up", 5, Before::Digits),
    word("catv", 5, Before::Digits),
    word("cablemodem", 5, Before::Digits),
    word("modem", 5, Before::Separated),
    word("broadband", 5, Before::Separated),
    word("broad", 5, Before::Digit),
    odd("bredband", 5, Before::Digits, After::No, Alone::Yes),
    odd("brodband", 5, Before::No, After::Digit, Alone::No),
    word("wifi", 5, Before::Digit),
    word("gprs", 5, Before::Separated),
    word("cdma", 5, Before::Separated),
    odd("comcast", 5, Before::Digits, After::Digit, Alone::No),
    odd("dsl-dynamic", 5, Before::Digits, After::Close, Alone::Yes),
    odd("adsl-dynamic", 5, Before::Digits, After::Close, Alone::Yes),
    odd("xdsl-dynamic", 5, Before::Digits, After::Close, Alone::Yes),
    odd("client", 5, Before::Many, After::Two, Alone::No),
    odd("clients", 5, Before::No, After::Two, Alone::No),
    word("fbx", 4, Before::Digit),
    word("pool", 4, Before::Digits),
    word("inaddr", 4, Before::Digits),
    word("in-addr", 4, Before::Digits),
    word("fibertel", 4, Before::Digits),
    odd("dsl", 4, Before::Digits, After::Close, Alone::Yes),
    odd("adsl", 4, Before::Digits, After::Close, Alone::Yes),
    odd("xdsl", 4, Before::Digits, After::Close, Alone::Yes),
    odd("dsl-line", 4, Before::Digits, After::Close, Alone::Yes),
    odd("adsl-line", 4, Before::Digits, After::Close, Alone::Yes),
    odd("xdsl-line", 4, Before::Digits, After::Close, Alone::Yes),
    word("unused-addr", 3, Before::Digits),
    word("kabel", 3, Before::Digit),
    word("cable", 3, Before::Separated),
    word("host", 2, Before::Digits),
    word("peer", 1, Before::Digits),
    word("customer", 1, Before::Digits),
    word("customers", 1, Before::Digits),
    word("user", 1, Before::Digits),
    odd("client", 1, Before::No, After::No, Alone::Yes),
    odd("clients", 1, Before::No, After::No, Alone::Yes),
    odd("vps", 1, Before::No, After::No, Alone::Yes),
];

/// The dearest word counts. `name` is lower case.
pub(super) fn sign(name: &str) -> Option<Sign> {
    let found = WORDS.iter().filter(|word| word.is_in(name)).max_by_key(|word| word.weight)?;
    Some(found.sign())
}

/// One of each weight, the dearest first.
pub(super) fn rules() -> Vec<Sign> {
    let of = |weight| WORDS.iter().find(|word| word.weight == weight).map(Word::sign);
    [5, 4, 3, 2, 1].into_iter().filter_map(of).collect()
}

impl Word {
    fn sign(&self) -> Sign {
        let (rule, points) = match self.weight {
            1 => ("HFILTER_HOSTNAME_1", 50),
            2 => ("HFILTER_HOSTNAME_2", 100),
            3 => ("HFILTER_HOSTNAME_3", 200),
            4 => ("HFILTER_HOSTNAME_4", 250),
            _ => ("HFILTER_HOSTNAME_5", 300),
        };
        let because = format!("the word {:?}", self.word);
        Sign { rule, filter: Filter::Rspamd, points: Points(points), because }
    }

    fn is_in(&self, name: &str) -> bool {
        let bytes = name.as_bytes();
        // At every place, also where two finds overlap: `pppp-1`.
        (0..bytes.len()).filter(|start| bytes[*start..].starts_with(self.word.as_bytes())).any(|start| {
            let end = start + self.word.len();
            self.has_before(bytes, start) || self.has_after(bytes, end) || self.is_alone(bytes, start, end)
        })
    }

    fn has_before(&self, name: &[u8], start: usize) -> bool {
        let separated = is_separator(back(name, start, 1));
        let is_number_end =
            |place: usize| back(name, place, 1).is_ascii_digit() && is_number_part(back(name, place, 2));
        let is_long_number_end = |place: usize| {
            (1..=3).all(|n| back(name, place, n).is_ascii_digit()) && is_number_part(back(name, place, 4))
        };
        match self.before {
            Before::No => false,
            Before::Digit => {
                back(name, start, 1).is_ascii_digit() || (separated && back(name, start, 2).is_ascii_digit())
            }
            Before::Digits => is_number_end(start) || (separated && is_number_end(start - 1)),
            Before::Separated => separated && is_number_end(start - 1),
            Before::Many => is_long_number_end(start) || (separated && is_long_number_end(start - 1)),
        }
    }

    fn has_after(&self, name: &[u8], end: usize) -> bool {
        let digit = |n: usize| name.get(end + n).is_some_and(u8::is_ascii_digit);
        let separated = name.get(end).copied().is_some_and(is_separator);
        match self.after {
            After::No => false,
            After::Digit => separated && digit(1),
            After::Close => digit(0) || (separated && digit(1)),
            After::Two => separated && digit(1) && digit(2),
            After::Number => separated && digit(1) && name.get(end + 2).copied().is_some_and(is_number_part),
        }
    }

    fn is_alone(&self, name: &[u8], start: usize, end: usize) -> bool {
        let between = is_separator(back(name, start, 1)) && name.get(end).copied().is_some_and(is_separator);
        match self.alone {
            Alone::No => false,
            Alone::Yes => between,
            Alone::AfterNumber => between && is_number_part(back(name, start, 2)),
        }
    }
}

/// The octet `n` places before `place`; 0 where there is none.
fn back(name: &[u8], place: usize, n: usize) -> u8 {
    place.checked_sub(n).and_then(|place| name.get(place)).copied().unwrap_or(0)
}

fn is_separator(byte: u8) -> bool {
    byte == b'.' || byte == b'-'
}

fn is_number_part(byte: u8) -> bool {
    byte.is_ascii_digit() || is_separator(byte)
}
