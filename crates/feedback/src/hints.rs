//! What words hint at, in a sentence that no rule knows (`data/hints.txt` says how they are written): a vote of
//! words that stand near each other. Asked last of all; a hint never suppresses anybody.
//!
//! Bound: [`WORDS`] words are looked at.

use repute_trust::replies::Class;
use repute_types::EnhancedCode;

const WORDS: usize = 250;
/// How far apart words may stand that belong together.
const NEAR: usize = 9;
/// Votes of the status for each class of its subject.
const OF_SUBJECT: u32 = 4;

/// All hints, in the order in which equals are preferred.
pub(crate) struct Hints(Vec<Hint>);

struct Hint {
    class: Class,
    weight: u32,
    /// One of each has to be there.
    groups: Vec<Vec<Stem>>,
}

/// Words that follow each other.
struct Stem {
    words: Vec<String>,
    /// The last of them is meant whole.
    is_whole: bool,
    /// Of a script without blanks: found anywhere.
    text: Option<String>,
}

impl Hints {
    /// An error names the line.
    pub(crate) fn parse(text: &str) -> Result<Hints, String> {
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let hints = lines.map(|line| hint_of(line).ok_or_else(|| format!("no hint: {line}")));
        hints.collect::<Result<_, _>>().map(Hints)
    }

    /// The class that most of the words speak for, and how much. Classes of the status's subject (RFC 3463) go before
    /// others.
    pub(crate) fn hint(&self, text: &str, status: Option<EnhancedCode>) -> Option<(Class, u32)> {
        let text = telling(text);
        let words = Words::of(&text);
        let mut votes: Vec<(Class, u32)> = Vec::new();
        for hint in self.0.iter().filter(|hint| hint.is_in(&words)) {
            match votes.iter_mut().find(|(class, _)| *class == hint.class) {
                Some((_, votes)) => *votes += hint.weight,
                None => votes.push((hint.class, hint.weight)),
            }
        }
        let subject = status.map_or(&[][..], |status| of_subject(status.1));
        let weighed = votes
            .into_iter()
            .map(|(class, votes)| (class, votes + if subject.contains(&class) { OF_SUBJECT } else { 0 }));
        weighed.rev().max_by_key(|(_, votes)| *votes)
    }
}

/// The text without what says nothing of the cause: addresses, links, and what every notice has.
fn telling(text: &str) -> String {
    let text = text.to_lowercase().replace(['\'', '’', '`'], "").replace("...", " ");
    let text = EVERYWHERE.iter().fold(text, |text, words| text.replace(words, " "));
    let sentences = text.split_inclusive(". ").map(|sentence| {
        let end = ABOUT_THE_NOTICE.iter().filter_map(|words| sentence.find(words)).min();
        &sentence[..end.unwrap_or(sentence.len())]
    });
    let words = sentences.flat_map(str::split_whitespace);
    let begins = |word: &str| is_address(word) || !word.starts_with(|c: char| c.is_ascii_digit());
    let mut words = words.skip_while(|word| !begins(word)).peekable();
    let is_subject = words.peek().is_some_and(|word| word.contains('@'));
    let subject = if is_subject { "address " } else { "" };
    let words = words.filter(|word| !word.contains('@') && !word.contains("://") && !is_name(word));
    let words: Vec<&str> = words.map(|word| if is_address(word) { "ipaddr" } else { word }).collect();
    let is_verb = words.first().is_some_and(|word| ["is", "was", "has", "does", "doesnt", "cannot"].contains(word));
    let words = format!("{}{}", if is_verb { subject } else { "" }, words.join(" "));
    words.replace("address ipaddr", "ipaddr").replace("mail from ipaddr", "from ipaddr")
}

/// The name of a host or domain that is no list's: `sender there.example is blocked` is about the sender.
fn is_name(word: &str) -> bool {
    const TOPS: [&str; 9] = ["com", "net", "org", "edu", "gov", "info", "biz", "example", "local"];
    const LISTS: [&str; 8] = ["spam", "rbl", "bl.", "block", "list", "sorbs", "abuse", "barracuda"];
    let word = word.trim_matches(|c: char| !c.is_alphanumeric());
    let is_host = word.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && word.rsplit_once('.').is_some_and(|(host, top)| {
            host.len() > 2 && (TOPS.contains(&top) || (top.len() == 2 && top.bytes().all(|b| b.is_ascii_alphabetic())))
        });
    is_host && !LISTS.iter().any(|list| word.contains(list))
}

/// `192.0.2.1`, `[192.0.2.1]:25`: whose it is, is told by the words around it.
fn is_address(word: &str) -> bool {
    let word = word.trim_start_matches(['[', '(', '<']);
    let end = word.find(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').unwrap_or(word.len());
    word[..end].trim_end_matches(['.', ':']).parse::<std::net::IpAddr>().is_ok()
}

/// Frames around what is said.
const EVERYWHERE: [&str; 15] = [
    "the mail system",
    "the postfix program",
    "the qmail-send program",
    "a mail delivery program",
    "the mailer daemon",
    "delivery report",
    "smtp error from remote mail server",
    "giving up on",
    "ive given up",
    "recipient address rejected",
    "delivery temporarily suspended",
    "mail delivery system",
    "mail delivery software",
    "in reply to rcpt to command",
    "did not like our rcpt to",
];

/// How sentences go on that say what the notice is, or whom to ask.
const ABOUT_THE_NOTICE: [&str; 12] = [
    "postmaster",
    "created automatically",
    "problem report",
    "for assistance",
    "for further assistance",
    "contact your",
    "im sorry to have to inform you",
    "no action is required",
    "do not need to",
    "a message that you sent",
    "permanent error.",
    "original message",
];

/// The classes that a subject of RFC 3463 is about.
fn of_subject(subject: u16) -> &'static [Class] {
    use Class::*;
    match subject {
        1 => &[UnknownUser, NoDomain, TakesNoMail, Moved, SenderDomain],
        2 => &[DisabledMailbox, FullMailbox, RecipientRate, RecipientPolicy],
        3 => &[ReceiverFault, TooLarge, MailProgram, TakesNoMail],
        4 => &[Network, Loop, Expired, NoDomain],
        5 => &[Protocol],
        6 => &[MessageFormat, Content],
        7 => &[
            Policy,
            RecipientPolicy,
            Content,
            Virus,
            Spf,
            Dkim,
            Dmarc,
            Authentication,
            Login,
            Tls,
            RelayDenied,
            AddressReputation,
            ListedAddress,
            ReverseDns,
            SenderDomain,
            Rate,
            Greylisting,
            ListedLink,
        ],
        _ => &[],
    }
}

/// The words of a text, and where those stand that begin with an octet: most stems are found missing by that.
pub(crate) struct Words<'t> {
    text: &'t str,
    words: Vec<&'t str>,
    begin: Vec<Vec<usize>>,
}

impl<'t> Words<'t> {
    pub(crate) fn of(text: &'t str) -> Words<'t> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(WORDS);
        let words: Vec<&str> = words.collect();
        let mut begin = vec![Vec::new(); 256];
        for (place, word) in words.iter().enumerate() {
            begin[usize::from(word.as_bytes()[0])].push(place);
        }
        Words { text, words, begin }
    }

    #[cfg(test)]
    pub(crate) fn hold(&self, written: &str) -> bool {
        !self.places(&[stem(written)]).is_empty()
    }

    /// Where one of these stands.
    fn places(&self, group: &[Stem]) -> Vec<usize> {
        let mut found = Vec::new();
        for stem in group {
            let first = stem.words[0].as_bytes().first().map_or(&[][..], |octet| &self.begin[usize::from(*octet)]);
            found.extend(first.iter().copied().filter(|place| stem.is_at(&self.words[*place..])));
            if stem.text.as_deref().is_some_and(|stem| self.text.contains(stem)) {
                found.push(0);
            }
        }
        found
    }
}

impl Hint {
    fn is_in(&self, words: &Words<'_>) -> bool {
        let mut places = Vec::with_capacity(self.groups.len());
        for group in &self.groups {
            let found = words.places(group);
            if found.is_empty() {
                return false;
            }
            places.push(found);
        }
        let Some((first, others)) = places.split_first() else { return false };
        first.iter().any(|at| others.iter().all(|other| other.iter().any(|place| place.abs_diff(*at) <= NEAR)))
    }
}

impl Stem {
    fn is_at(&self, words: &[&str]) -> bool {
        if words.len() < self.words.len() {
            return false;
        }
        let last = self.words.len() - 1;
        self.words.iter().zip(words).enumerate().all(|(nth, (stem, word))| {
            if nth < last || self.is_whole { word == stem } else { word.starts_with(stem.as_str()) }
        })
    }
}

fn hint_of(line: &str) -> Option<Hint> {
    let (class, rest) = line.split_once(' ')?;
    let (weight, rest) = rest.split_once(' ')?;
    let class = Class::ALL.into_iter().find(|known| known.as_str() == class)?;
    let groups = rest.split(" & ").map(|group| group.split('|').map(stem).collect()).collect();
    Some(Hint { class, weight: weight.parse().ok()?, groups })
}

fn stem(text: &str) -> Stem {
    let is_whole = text.ends_with('!');
    let has_no_blanks = text.chars().any(|c| c >= '\u{2e80}');
    let words = text.replace('!', "").split(' ').map(str::to_owned).collect();
    Stem { words, is_whole, text: has_no_blanks.then(|| text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> Hints {
        Hints::parse(include_str!("../data/hints.txt")).unwrap()
    }

    #[test]
    fn the_hints_can_be_read() {
        assert!(shipped().0.len() > 100);
        assert!(Hints::parse("no-such-class 3 word").is_err());
    }

    #[test]
    fn words_that_stand_near_each_other_decide_and_the_status_helps() {
        let hints = shipped();
        let class = |text: &str, status| hints.hint(text, status).map(|(class, _)| class);
        assert_eq!(class("the account of this person was not found here", None), Some(Class::UnknownUser));
        assert_eq!(class("<unknown-user@list.example> https://spam.example", None), None, "names are no words");
        assert_eq!(class("Nous n'avons pas ce client: adresse inconnue", None), Some(Class::UnknownUser));
        assert_eq!(class("すみません。存在しません。", None), Some(Class::UnknownUser));
        let far = format!("mailbox {} full", "and so on ".repeat(10));
        assert_eq!(class(&far, None), None);
        let two = "the mailbox is full, the network error stays";
        assert_eq!(class(two, None), Some(Class::FullMailbox));
        assert_eq!(class(two, Some(EnhancedCode(5, 4, 0))), Some(Class::Network));
    }
}
