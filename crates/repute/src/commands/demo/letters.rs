//! The demo's messages: two hundred letters of a shop, in the variety that applications send,
//! and what has to become of each. The same number makes the same letters every time.

use repute_types::Timestamp;

/// The domain that the demo sends as.
pub const SHOP: &str = "shop.test";
/// Takes everything at once.
pub const MEADOW: &str = "meadow.test";
/// Greylists.
pub const RIVER: &str = "river.test";
/// Is down at first.
pub const HILL: &str = "hill.test";
pub const HOMES: [&str; 3] = [MEADOW, RIVER, HILL];
/// How people who do not exist are called; each has a number of its own, for who is refused once is not
/// written to again.
pub const NOBODY: &str = "nobody";

pub const SENDERS: [&str; 3] = ["orders", "news", "service"];
pub const PEOPLE: [&str; 6] = ["ann", "bo", "chen", "dora", "emil", "fatima"];

/// The field by which a letter is recognised at its receivers and in a notice about it.
pub const NUMBER_FIELD: &str = "X-Demo-Number";

pub struct Letter {
    pub number: u32,
    pub from: String,
    /// Those that exist.
    pub to: Vec<String>,
    /// One that does not exist, at the first recipient's domain.
    pub unknown: Option<String>,
    /// Whether the body has octets beyond ASCII as they are (RFC 6152).
    pub eight_bit: bool,
    /// Header and body; lines end in CRLF.
    pub content: Vec<u8>,
}

pub fn letters(count: u32, now: Timestamp) -> Vec<Letter> {
    (1..=count).map(|number| letter(number, now)).collect()
}

fn letter(number: u32, now: Timestamp) -> Letter {
    let pick = |from: &[&'static str], by: u32| from[by as usize % from.len()];
    let home = pick(&HOMES, number);
    let first = format!("{}@{home}", pick(&PEOPLE, number / 3));
    let unknown = (number % 20 == 7 || number % 40 == 19).then(|| format!("{NOBODY}{number}@{home}"));
    // Every fortieth has no other recipient: it comes back as a whole.
    let mut to = if number % 40 == 19 { Vec::new() } else { vec![first] };
    if number.is_multiple_of(8) {
        to.push(format!("{}@{home}", pick(&PEOPLE, number / 3 + 1)));
    }
    if number.is_multiple_of(10) {
        to.extend(
            HOMES.iter().filter(|other| **other != home).map(|other| format!("{}@{other}", pick(&PEOPLE, number))),
        );
    }
    let from = format!("{}@{SHOP}", pick(&SENDERS, number));
    let shape = Shape::of(number);
    let mut content = header(number, &from, to.iter().chain(&unknown), shape, now);
    content.extend_from_slice(&shape.body(number));
    Letter { number, from, to, unknown, eight_bit: shape == Shape::EightBit, content }
}

/// What kinds of content applications send, and what they get wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Receipt,
    EightBit,
    Html,
    /// A line of 5,000 octets, where 998 are allowed (RFC 5322 §2.1.1).
    LongLine,
    /// Lines that begin with dots, and one that is a dot alone.
    Dots,
    Attachment,
    /// Neither Date nor Message-ID.
    Bare,
    Empty,
}

impl Shape {
    fn of(number: u32) -> Shape {
        use Shape::{Attachment, Bare, Dots, EightBit, Empty, Html, LongLine, Receipt};
        [Receipt, EightBit, Html, LongLine, Dots, Attachment, Bare, Empty][number as usize % 8]
    }

    fn type_fields(self) -> &'static str {
        match self {
            Shape::EightBit => {
                "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
            }
            Shape::Html => "MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary=\"=_either\"\r\n",
            Shape::Attachment => "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_both\"\r\n",
            _ => "",
        }
    }

    fn body(self, number: u32) -> Vec<u8> {
        let text = match self {
            Shape::Receipt | Shape::Bare => format!("Thank you. Your order {number} is on its way.\r\n"),
            Shape::EightBit => format!("Danke schön! Ihre Bestellung {number} ist unterwegs. 谢谢\r\n"),
            Shape::Html => format!(
                "--=_either\r\nContent-Type: text/plain\r\n\r\nOrder {number}: sent.\r\n\
                 --=_either\r\nContent-Type: text/html\r\n\r\n<p>Order <b>{number}</b>: sent.</p>\r\n--=_either--\r\n"
            ),
            Shape::LongLine => format!("Your basket: {}\r\n", "one more thing, ".repeat(312)),
            Shape::Dots => ".\r\n..\r\n...and so on\r\n".to_owned(),
            Shape::Attachment => {
                let line = "UmVwdXRlIHdhcyBoZXJlLCBhbmQgdGhlIHNpZ25hdHVyZSBob2xkcyBpdCB0b2dldGhlci4uLg==\r\n";
                format!(
                    "--=_both\r\nContent-Type: text/plain\r\n\r\nThe invoice is attached.\r\n--=_both\r\n\
                     Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--=_both--\r\n",
                    line.repeat(600)
                )
            }
            Shape::Empty => String::new(),
        };
        text.into_bytes()
    }
}

fn header<'a>(number: u32, from: &str, to: impl Iterator<Item = &'a String>, shape: Shape, now: Timestamp) -> Vec<u8> {
    let to: Vec<&str> = to.map(String::as_str).collect();
    let mut header = format!("From: The Shop <{from}>\r\nTo: {}\r\n", to.join(",\r\n "));
    // "Bestellung Nr. 1, grün" and the like, as RFC 2047 writes it.
    header += &format!("Subject: =?utf-8?q?Bestellung_{number},_gr=C3=BCn?=\r\n{NUMBER_FIELD}: {number}\r\n");
    if shape != Shape::Bare {
        header += &format!("Date: {}\r\nMessage-ID: <order-{number}@{SHOP}>\r\n", now.rfc5322());
    }
    header += shape.type_fields();
    header += "\r\n";
    header.into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_of_everything() {
        let letters = letters(200, Timestamp(0));
        assert_eq!(letters.len(), 200);
        assert_eq!(letters.iter().filter(|l| l.unknown.is_some()).count(), 15);
        assert_eq!(letters.iter().filter(|l| l.to.is_empty()).count(), 5);
        assert!(letters.iter().all(|l| !l.to.is_empty() || l.unknown.is_some()));
        for home in HOMES {
            let at_home = |l: &&Letter| l.to.iter().any(|t| t.ends_with(home));
            assert!(letters.iter().filter(at_home).count() > 50, "{home}");
        }
        assert!(letters.iter().any(|l| l.to.len() == 4));
        assert!(letters.iter().all(|l| l.eight_bit || l.content.is_ascii()));
        // Nobody gets a letter twice.
        for letter in &letters {
            let mut to = letter.to.clone();
            to.sort();
            to.dedup();
            assert_eq!(to.len(), letter.to.len(), "{}", letter.number);
        }
    }
}
