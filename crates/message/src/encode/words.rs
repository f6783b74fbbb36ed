//! Encoded words (RFC 2047): characters beyond ASCII in subjects and names, where the other
//! side may not take UTF-8 headers.
//!
//! Promise: what is plain ASCII stays readable (filters count needless encoding against a
//! sender); an encoded word is at most 75 octets and never parts a character.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::fold::{Folder, words_of};

/// Longer words are encoded too: they could not be folded.
const LONGEST_PLAIN: usize = 900;

/// How words that look like encoded words already are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marks {
    /// A person's text: they are encoded, so that they are seen as typed.
    Literal,
    /// An existing field: they are kept.
    Kept,
}

/// Unstructured text, as of a Subject.
pub fn unstructured(folder: &mut Folder, text: &str, marks: Marks) {
    let words: Vec<(&str, &str)> = words_of(text).collect();
    let mut at = 0;
    while at < words.len() {
        let (blanks, word) = words[at];
        let blanks = if blanks.is_empty() { " " } else { blanks };
        if is_plain(word, marks) {
            folder.word(blanks, word);
            at += 1;
            continue;
        }
        // Blanks between encoded words vanish, so words to be encoded go in together.
        let run = words[at..].iter().take_while(|(_, word)| !is_plain(word, marks)).count();
        let last = words[at + run - 1].1;
        let (mut start, mut end) = (offset(text, word), offset(text, last) + last.len());
        // For the same reason a blank next to an encoded word that was there goes inside.
        if at > 0 && is_encoded(words[at - 1].1) {
            start -= 1;
        }
        at += run;
        if words.get(at).is_some_and(|(_, word)| is_encoded(word)) {
            end += 1;
        }
        encoded(folder, blanks, &text[start..end]);
    }
}

/// A display name: as it is, quoted, or encoded (RFC 5322 §3.2.5, RFC 2047 §5).
pub fn phrase(folder: &mut Folder, name: &str) {
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c);
    let marked = name.contains("=?");
    if !name.is_ascii() || name.contains(char::is_control) || marked || name.len() > LONGEST_PLAIN {
        encoded(folder, " ", name);
    } else if words_of(name).all(|(blanks, word)| blanks.len() <= 1 && word.chars().all(atext)) {
        super::fold::unstructured(folder, name);
    } else {
        folder.word(" ", &format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\"")));
    }
}

fn is_plain(word: &str, marks: Marks) -> bool {
    let visible = |b: u8| (33..=126).contains(&b);
    word.bytes().all(visible) && word.len() <= LONGEST_PLAIN && (marks == Marks::Kept || !word.contains("=?"))
}

fn is_encoded(word: &str) -> bool {
    word.starts_with("=?") && word.ends_with("?=")
}

/// Where a part of `text` stands in it.
fn offset(text: &str, part: &str) -> usize {
    part.as_ptr() as usize - text.as_ptr() as usize
}

/// One or more encoded words, all of one form.
fn encoded(folder: &mut Folder, blanks: &str, text: &str) {
    const FRAME: usize = "=?utf-8?q??=".len();
    const MOST: usize = 75 - FRAME;
    // Latin text stays half readable in Q; filters count base64 there against a sender.
    let (ascii, all) = (text.chars().filter(char::is_ascii).count(), text.chars().count());
    let as_q = ascii * 2 >= all;
    let mut blanks = blanks;
    let mut rest = text;
    while !rest.is_empty() {
        // A first word may use what is left of the line; one too short for it starts a new line.
        let room = folder.room().saturating_sub(FRAME + blanks.len() - 1);
        let mut taken = fitting(rest, as_q, room.min(MOST));
        if taken == 0 {
            taken = fitting(rest, as_q, MOST);
        }
        let (part, more) = rest.split_at(taken);
        let word = if as_q { q_word(part) } else { format!("=?utf-8?b?{}?=", STANDARD.encode(part)) };
        folder.word(blanks, &word);
        (rest, blanks) = (more, " ");
    }
}

/// How many octets of whole characters encode into `room`.
fn fitting(text: &str, as_q: bool, room: usize) -> usize {
    let mut used = 0;
    let mut taken = 0;
    for c in text.chars() {
        let mut octets = [0; 4];
        let octets = c.encode_utf8(&mut octets).as_bytes();
        used += octets.iter().map(|b| if is_q_literal(*b) || *b == b' ' { 1 } else { 3 }).sum::<usize>();
        let length = if as_q { used } else { (taken + octets.len()).div_ceil(3) * 4 };
        if length > room {
            break;
        }
        taken += octets.len();
    }
    taken
}

fn q_word(text: &str) -> String {
    let mut out = String::from("=?utf-8?q?");
    for b in text.bytes() {
        match b {
            b' ' => out.push('_'),
            b if is_q_literal(b) => out.push(char::from(b)),
            b => out.push_str(&format!("={b:02X}")),
        }
    }
    out + "?="
}

/// RFC 2047 §5 (3): safe also within a phrase.
fn is_q_literal(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'!' | b'*' | b'+' | b'-' | b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(text: &str, marks: Marks) -> String {
        let mut folder = Folder::field("Subject");
        unstructured(&mut folder, text, marks);
        folder.finish()
    }

    #[test]
    fn only_what_needs_it_is_encoded() {
        let check = |text: &str, expect: &str| {
            assert_eq!(subject(text, Marks::Literal), format!("Subject: {expect}\r\n"));
        };
        check("plain  text", "plain  text");
        check("Grüße aus Köln heute", "=?utf-8?q?Gr=C3=BC=C3=9Fe?= aus =?utf-8?q?K=C3=B6ln?= heute");
        check("zwei Grüße Köln", "zwei =?utf-8?q?Gr=C3=BC=C3=9Fe_K=C3=B6ln?=");
        check("こんにちは", "=?utf-8?b?44GT44KT44Gr44Gh44Gv?=");
        check("see =?utf-8?q?x?=", "see =?utf-8?q?=3D=3Futf-8=3Fq=3Fx=3F=3D?=");
        let kept = subject("=?utf-8?q?x?= müde =?utf-8?q?y?=", Marks::Kept);
        assert_eq!(kept, "Subject: =?utf-8?q?x?= =?utf-8?q?_m=C3=BCde_?= =?utf-8?q?y?=\r\n");
    }

    #[test]
    fn names_are_plain_quoted_or_encoded() {
        let check = |name: &str, expect: &str| {
            let mut folder = Folder::field("From");
            phrase(&mut folder, name);
            assert_eq!(folder.finish(), format!("From: {expect}\r\n"));
        };
        check("Ann Lee", "Ann Lee");
        check("Lee, Ann \"A\"", "\"Lee, Ann \\\"A\\\"\"");
        check("Jürgen", "=?utf-8?q?J=C3=BCrgen?=");
    }

    /// RFC 2047 read backwards, for UTF-8.
    fn decode(field: &str) -> String {
        let text = field.strip_prefix("Subject:").unwrap().replace("\r\n", "").replace("?= =?", "?==?");
        let mut out = String::new();
        let mut octets = Vec::new();
        let mut rest = text.trim();
        while let Some(word) = rest.strip_prefix("=?utf-8?") {
            let (inside, more) = word[2..].split_once("?=").unwrap();
            if word.starts_with('b') {
                octets.extend(STANDARD.decode(inside).unwrap());
            } else {
                let mut bytes = inside.bytes();
                while let Some(b) = bytes.next() {
                    match b {
                        b'_' => octets.push(b' '),
                        b'=' => {
                            let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                            octets.push(u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap());
                        }
                        _ => octets.push(b),
                    }
                }
            }
            rest = more;
        }
        out.push_str(&String::from_utf8(octets).unwrap());
        out + rest
    }

    proptest::proptest! {
        #[test]
        fn encoded_text_reads_back_and_lines_are_short(text in "[é☺ß]([é☺ßa-z=?]{1,30} ?){0,20}[é☺ß]") {
            // Each word holds a character beyond ASCII, so that all is one run.
            let text: String = text.split(' ').filter(|w| !w.is_empty()).map(|w| format!("{w}é")).collect::<Vec<_>>().join(" ");
            let field = subject(&text, Marks::Literal);
            proptest::prop_assert!(field.is_ascii() && field.lines().all(|line| line.len() <= 78), "{}", field);
            proptest::prop_assert_eq!(decode(&field), text);
        }
    }
}
