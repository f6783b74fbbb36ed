//! The small languages of the rule files: texts, status codes, reply codes.
//!
//! A text pattern is found anywhere in the reply, letters of either case alike. `*` stands for
//! anything up to 150 octets, `{606-649}` for a whole number in that range. It begins and ends at the border
//! of a word, unless it begins or ends with `*`: `ptr` is not found in "encrypted", `throttl*`
//! is found in "throttled".

use memchr::memmem::Finder;
use repute_types::EnhancedCode;

/// Octets that a star may stand for: words that belong together stand in one sentence, or in two.
const GAP: usize = 150;

#[derive(Clone, Debug)]
pub(super) struct TextPattern {
    /// What lies between the stars, in order.
    chunks: Vec<Chunk>,
    starts_at_border: bool,
    ends_at_border: bool,
    /// Where the longest literal begins and ends, as [`Trigrams`] has them.
    needs: Option<[u16; 2]>,
    /// Letters that have to be there: how much the pattern says.
    weight: usize,
}

/// A reply's text, lower case, with the sequences of three octets that stand in it: most
/// patterns are found missing by a look at two bits, without a search.
pub(super) struct Searched<'t> {
    pub text: &'t str,
    trigrams: [u64; Trigrams::WORDS],
}

/// How a sequence of three octets becomes one bit of 4,096.
struct Trigrams;

impl Trigrams {
    const WORDS: usize = 64;

    fn bit(three: &[u8]) -> u16 {
        let n = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
        (n.wrapping_mul(0x9e37_79b1) >> 20) as u16
    }
}

impl<'t> Searched<'t> {
    /// `text` is lower case.
    pub fn new(text: &'t str) -> Searched<'t> {
        let mut trigrams = [0; Trigrams::WORDS];
        for three in text.as_bytes().windows(3) {
            let bit = Trigrams::bit(three);
            trigrams[usize::from(bit / 64)] |= 1 << (bit % 64);
        }
        Searched { text, trigrams }
    }

    fn may_hold(&self, bit: u16) -> bool {
        self.trigrams[usize::from(bit / 64)] >> (bit % 64) & 1 == 1
    }
}

#[derive(Clone, Debug)]
struct Chunk {
    atoms: Vec<Atom>,
    /// Finds the first atom, where that is a literal. Made once: each reply is searched for
    /// some hundred patterns.
    first: Option<Finder<'static>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Atom {
    /// Lower case.
    Literal(String),
    Number(u64, u64),
}

/// `5.7.25`, `x.7.26` for any class, `x.7.*`, `5.7.606-649`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct StatusPattern {
    class: Option<u8>,
    subject: u16,
    /// First and last detail.
    detail: (u16, u16),
}

impl TextPattern {
    pub fn parse(text: &str) -> Result<TextPattern, String> {
        let mut chunks = Vec::new();
        for part in text.split('*').filter(|part| !part.is_empty()) {
            let atoms = atoms(part)?;
            let first = match atoms.first() {
                Some(Atom::Literal(literal)) => Some(Finder::new(literal).into_owned()),
                _ => None,
            };
            chunks.push(Chunk { atoms, first });
        }
        if chunks.is_empty() {
            return Err(format!("the text {text:?} holds nothing to look for"));
        }
        let literals = chunks.iter().flat_map(|c| &c.atoms).filter_map(|a| match a {
            Atom::Literal(literal) => Some(literal.as_bytes()),
            Atom::Number(..) => None,
        });
        let longest = literals.max_by_key(|l| l.len()).filter(|l| l.len() >= 3);
        let needs = longest.map(|l| [Trigrams::bit(&l[..3]), Trigrams::bit(&l[l.len() - 3..])]);
        let weight =
            chunks.iter().flat_map(|c| &c.atoms).map(|a| if let Atom::Literal(l) = a { l.len() } else { 1 }).sum();
        Ok(TextPattern {
            chunks,
            starts_at_border: !text.starts_with('*'),
            ends_at_border: !text.ends_with('*'),
            needs,
            weight,
        })
    }

    pub fn weight(&self) -> usize {
        self.weight
    }

    pub fn is_in(&self, searched: &Searched<'_>) -> bool {
        if self.needs.is_some_and(|needs| !needs.iter().all(|bit| searched.may_hold(*bit))) {
            return false;
        }
        let text = searched.text;
        let mut from = 0;
        while let Some(end) = self.find(0, text, from) {
            if self.goes_on(text, end) {
                return true;
            }
            // The next place where the first chunk may stand.
            from = text.ceil_char_boundary(end.max(from + 1));
        }
        false
    }

    /// Whether the chunks behind the first follow each other, none too far from the one before it.
    fn goes_on(&self, text: &str, first_end: usize) -> bool {
        let mut from = first_end;
        for nth in 1..self.chunks.len() {
            let reach = text.floor_char_boundary(from + GAP + self.chunks[nth].length());
            match self.find(nth, &text[..reach], from) {
                Some(end) => from = end,
                None => return false,
            }
        }
        true
    }

    fn find(&self, nth: usize, text: &str, from: usize) -> Option<usize> {
        let at_start = nth == 0 && self.starts_at_border;
        let at_end = nth + 1 == self.chunks.len() && self.ends_at_border;
        find(&self.chunks[nth], text, from, at_start, at_end)
    }
}

impl Chunk {
    fn length(&self) -> usize {
        self.atoms.iter().map(|atom| if let Atom::Literal(literal) = atom { literal.len() } else { 20 }).sum()
    }
}

fn atoms(mut text: &str) -> Result<Vec<Atom>, String> {
    let mut atoms = Vec::new();
    while let Some((before, rest)) = text.split_once('{') {
        if !before.is_empty() {
            atoms.push(Atom::Literal(before.to_ascii_lowercase()));
        }
        let wrong = || format!("{{{rest} is not a range of numbers like {{606-649}}");
        let (range, after) = rest.split_once('}').ok_or_else(wrong)?;
        let (first, last) = range.split_once('-').ok_or_else(wrong)?;
        let (first, last) = (first.parse().map_err(|_| wrong())?, last.parse().map_err(|_| wrong())?);
        atoms.push(Atom::Number(first, last));
        text = after;
    }
    if !text.is_empty() {
        atoms.push(Atom::Literal(text.to_ascii_lowercase()));
    }
    Ok(atoms)
}

/// The end of the first place at or after `from` where the chunk stands. The first chunk is
/// taken where it stands first: what follows a star can only be found later, so an earlier
/// place is never worse.
fn find(chunk: &Chunk, text: &str, from: usize, at_start: bool, at_end: bool) -> Option<usize> {
    let mut start = from;
    while start <= text.len() {
        if let Some(first) = &chunk.first {
            start += first.find(&text.as_bytes()[start..])?;
        }
        if let Some(end) = matches_at(&chunk.atoms, text.as_bytes(), start)
            && (!at_start || is_border(text.as_bytes(), start))
            && (!at_end || is_border(text.as_bytes(), end))
        {
            return Some(end);
        }
        start += 1;
    }
    None
}

fn matches_at(chunk: &[Atom], text: &[u8], start: usize) -> Option<usize> {
    let mut place = start;
    for atom in chunk {
        match atom {
            Atom::Literal(literal) => {
                if !text.get(place..)?.starts_with(literal.as_bytes()) {
                    return None;
                }
                place += literal.len();
            }
            Atom::Number(first, last) => {
                let digits = text.get(place..)?.iter().take_while(|b| b.is_ascii_digit()).count();
                let number = std::str::from_utf8(&text[place..place + digits]).ok()?.parse::<u64>().ok()?;
                if !(*first..=*last).contains(&number) {
                    return None;
                }
                place += digits;
            }
        }
    }
    Some(place)
}

/// Whether a word may begin or end here: not between two letters or digits.
fn is_border(text: &[u8], place: usize) -> bool {
    let is_word = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let before = if place == 0 { None } else { text.get(place - 1) };
    !(is_word(before) && is_word(text.get(place)))
}

impl StatusPattern {
    pub fn parse(text: &str) -> Result<StatusPattern, String> {
        let wrong = || format!("{text:?} is no status like 5.7.25, x.7.26, x.7.* or 5.7.606-649");
        let [class, subject, detail] = text.split('.').collect::<Vec<_>>()[..] else { return Err(wrong()) };
        let number = |s: &str| s.parse::<u16>().map_err(|_| wrong());
        let class = match class {
            "x" => None,
            "4" => Some(4),
            "5" => Some(5),
            _ => return Err(wrong()),
        };
        let detail = match detail.split_once('-') {
            _ if detail == "*" => (0, u16::MAX),
            Some((first, last)) => (number(first)?, number(last)?),
            None => (number(detail)?, number(detail)?),
        };
        Ok(StatusPattern { class, subject: number(subject)?, detail })
    }

    pub fn matches(&self, code: EnhancedCode) -> bool {
        self.class.is_none_or(|class| class == code.0)
            && self.subject == code.1
            && (self.detail.0..=self.detail.1).contains(&code.2)
    }

    /// One status, of whichever class.
    pub fn is_exact(&self) -> bool {
        self.detail.0 == self.detail.1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        let found = TextPattern::parse(pattern).unwrap().is_in(&Searched::new(&text.to_ascii_lowercase()));
        assert_eq!(found, expected, "{pattern:?} in {text:?}");
    }

    #[test]
    fn texts_are_found_at_the_borders_of_words() {
        check("ptr", "no PTR record", true);
        check("ptr", "encrypted", false);
        check("throttl*", "is throttled now", true);
        check("throttl", "is throttled now", false);
        check("*listed", "blacklisted.", true);
        check("[TSS04]", "421 4.7.0 [TSS04] Messages", true);
        check("rate", "corporate", false);
        check("a b*c d", "x a b, and then c d.", true);
        check("a b*c d", "c d a b", false);
        check("ab*b", "ab b", true);
        check("PTR", "PTR", true);
        // The first place is inside a word, a later one is not.
        check("spf", "xspf, spf", true);
    }

    #[test]
    fn words_of_different_sentences_are_not_put_together() {
        let far = format!("The address is known. {} The file does not exist.", "And so on.".repeat(20));
        check("address*not exist", &far, false);
        check("address*not exist", &format!("{far} The address does not exist."), true);
        check("address*file*not exist", "The address of that file does not exist.", true);
    }

    #[test]
    fn numbers_are_taken_whole() {
        check("AUP#I-{1100-1150}", "AUP#I-1120 see", true);
        check("AUP#I-{1100-1150}", "AUP#I-1000 see", false);
        check("AUP#I-{1100-1150}", "AUP#I-11200 see", false);
        check("IPBL{0-1111}", "IPBL0001", true);
        check("S{1-9}", "S77 S5", true);
        check("{1-2}", "at 12 or 2", true);
        assert!(TextPattern::parse("a{1}").is_err());
        assert!(TextPattern::parse("**").is_err());
    }

    #[test]
    fn status_codes() {
        for (pattern, code, expected) in [
            ("5.7.25", EnhancedCode(5, 7, 25), true),
            ("5.7.25", EnhancedCode(4, 7, 25), false),
            ("x.7.26", EnhancedCode(4, 7, 26), true),
            ("x.7.*", EnhancedCode(5, 7, 999), true),
            ("x.7.*", EnhancedCode(5, 1, 1), false),
            ("5.7.606-649", EnhancedCode(5, 7, 649), true),
            ("5.7.606-649", EnhancedCode(5, 7, 650), false),
        ] {
            assert_eq!(StatusPattern::parse(pattern).unwrap().matches(code), expected, "{pattern} {code}");
        }
        for bad in ["5.7", "2.1.1", "5.7.x", "550"] {
            assert!(StatusPattern::parse(bad).is_err(), "{bad}");
        }
    }
}
