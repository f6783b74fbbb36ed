//! Address lists (RFC 5322 §3.4, with groups; §4.4 in reading: routes, empty elements, blanks
//! around dots, dots in names; RFC 6532 for UTF-8).
//!
//! Promise: every mailbox carries a well-formed [`Address`]; its display name stays as it was
//! written. Fails with what is wrong and where, as a person reads it.

use std::ops::Range;

use repute_types::{Address, AddressError};

use super::token::{Kind, Token, Unclosed, tokens};
use crate::fault::excerpt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mailbox {
    /// The display name as a range of the value, quotes and all; empty where there is none.
    pub name: Range<usize>,
    pub address: Address,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ListError {
    #[error(transparent)]
    Unclosed(#[from] Unclosed),
    #[error("\"{0}\" is not an address")]
    NoAddress(String),
    #[error("\"{text}\": {why}")]
    Address { text: String, why: AddressError },
    #[error("\"{0}\" stands where a comma should")]
    Stray(String),
}

/// The addresses of a From, To, Cc, ... value, groups opened; an empty list is no error.
pub fn addresses(value: &[u8]) -> Result<Vec<Address>, ListError> {
    Ok(mailboxes(value)?.into_iter().map(|mailbox| mailbox.address).collect())
}

pub fn mailboxes(value: &[u8]) -> Result<Vec<Mailbox>, ListError> {
    let tokens: Vec<Token> = tokens(value)?.into_iter().filter(|t| t.kind != Kind::Comment).collect();
    let mut list = List { value, tokens: &tokens, at: 0 };
    let mut out = Vec::new();
    let mut in_group = false;
    while let Some(token) = list.tokens.get(list.at) {
        match token.kind {
            Kind::Special(b',') => list.at += 1,
            Kind::Special(b';') if in_group => {
                in_group = false;
                list.at += 1;
            }
            _ => match list.element(in_group)? {
                Some(mailbox) => out.push(mailbox),
                None => in_group = true,
            },
        }
    }
    Ok(out)
}

struct List<'a> {
    value: &'a [u8],
    tokens: &'a [Token],
    at: usize,
}

impl List<'_> {
    /// A mailbox, or `None` for the opening of a group.
    fn element(&mut self, in_group: bool) -> Result<Option<Mailbox>, ListError> {
        let start = self.at;
        self.words();
        let words = start..self.at;
        let mailbox = match self.peek() {
            Some(b'<') => self.angle(words)?,
            Some(b'@') => {
                self.at += 1;
                let address = self.domain(words)?;
                Mailbox { name: 0..0, address }
            }
            Some(b':') if !in_group && !words.is_empty() => {
                self.at += 1;
                return Ok(None);
            }
            _ if words.is_empty() => return Err(ListError::Stray(self.text(start..start + 1))),
            _ => return Err(ListError::NoAddress(self.text(words))),
        };
        match self.peek() {
            None | Some(b',') => {}
            Some(b';') if in_group => {}
            _ => return Err(ListError::Stray(self.text(self.at..self.at + 1))),
        }
        Ok(Some(mailbox))
    }

    /// `<` route? local@domain `>`
    fn angle(&mut self, name: Range<usize>) -> Result<Mailbox, ListError> {
        let open = self.at;
        self.at += 1;
        if self.peek() == Some(b'@') {
            // An obsolete route says nothing that matters today: skipped up to its colon.
            while !matches!(self.peek(), Some(b':' | b'>') | None) {
                self.at += 1;
            }
            self.at += usize::from(self.peek() == Some(b':'));
        }
        let start = self.at;
        self.words();
        let local = start..self.at;
        if self.peek() != Some(b'@') {
            return Err(ListError::NoAddress(self.text(open..self.at + 1)));
        }
        self.at += 1;
        let address = self.domain(local)?;
        if self.peek() != Some(b'>') {
            return Err(ListError::NoAddress(self.text(open..self.at + 1)));
        }
        self.at += 1;
        Ok(Mailbox { name: self.span(name), address })
    }

    /// After the `@`: the domain, and with the local part before it the address.
    fn domain(&mut self, local: Range<usize>) -> Result<Address, ListError> {
        let start = self.at;
        match self.tokens.get(self.at).map(|t| t.kind) {
            Some(Kind::Literal) => self.at += 1,
            _ => self.dotted(),
        }
        if !self.alternates(local.clone()) {
            return Err(ListError::NoAddress(self.text(local.start..self.at)));
        }
        let text = format!("{}@{}", self.joined(local), self.joined(start..self.at));
        Address::parse(&text).map_err(|why| ListError::Address { text: excerpt(text.as_bytes()), why })
    }

    /// Moves over atoms, quoted strings and dots.
    fn words(&mut self) {
        while self.is_word() || self.peek() == Some(b'.') {
            self.at += 1;
        }
    }

    /// Moves over words with a dot between each two.
    fn dotted(&mut self) {
        while self.is_word() || self.peek() == Some(b'.') {
            let word = self.is_word();
            self.at += 1;
            if word && self.peek() != Some(b'.') {
                break;
            }
        }
    }

    /// No two words without a dot between: those would be a name, not a local part.
    fn alternates(&self, tokens: Range<usize>) -> bool {
        let is_dot = |t: &Token| t.kind == Kind::Special(b'.');
        self.tokens[tokens].windows(2).all(|pair| is_dot(&pair[0]) || is_dot(&pair[1]))
    }

    fn is_word(&self) -> bool {
        matches!(self.tokens.get(self.at), Some(Token { kind: Kind::Atom | Kind::Quoted, .. }))
    }

    fn peek(&self) -> Option<u8> {
        match self.tokens.get(self.at)?.kind {
            Kind::Special(b) => Some(b),
            // No special: none of the callers waits for this octet.
            _ => Some(0),
        }
    }

    /// The tokens' octets without what stands between them.
    fn joined(&self, tokens: Range<usize>) -> String {
        let octets: Vec<&[u8]> = self.tokens[tokens].iter().map(|t| &self.value[t.range.clone()]).collect();
        String::from_utf8_lossy(&octets.concat()).into_owned()
    }

    fn span(&self, tokens: Range<usize>) -> Range<usize> {
        match (self.tokens[tokens.clone()].first(), self.tokens[tokens].last()) {
            (Some(first), Some(last)) => first.range.start..last.range.end,
            _ => 0..0,
        }
    }

    fn text(&self, tokens: Range<usize>) -> String {
        let end = tokens.end.min(self.tokens.len());
        excerpt(&self.value[self.span(tokens.start.min(end)..end)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, expect: &[&str]) {
        let found: Vec<String> = addresses(input.as_bytes()).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(found, expect, "{input}");
    }

    #[test]
    fn lists_are_read_as_people_and_programs_write_them() {
        check("a@b.example", &["a@b.example"]);
        check(" Ann Lee <ann@b.example>,\r\n\t\"Lee, Bob\" <bob@b.example>", &["ann@b.example", "bob@b.example"]);
        check("ann@b.example (Ann (at home)), <bob@b.example>", &["ann@b.example", "bob@b.example"]);
        check(
            "Friends: ann@b.example, Bob <bob@b.example>;, c@d.example",
            &["ann@b.example", "bob@b.example", "c@d.example"],
        );
        check("undisclosed-recipients:;", &[]);
        check("", &[]);
        check("=?utf-8?q?J=C3=BCrgen?= <j@b.example>", &["j@b.example"]);
        check("Jürgen <jürgen@bücher.example>", &["jürgen@xn--bcher-kva.example"]);
        check("\"a @ b\"@c.example", &["\"a @ b\"@c.example"]);
    }

    #[test]
    fn obsolete_forms_are_tolerated() {
        check("john . doe @ b . example", &["john.doe@b.example"]);
        check("<@relay.example,@other.example:ann@b.example>", &["ann@b.example"]);
        check(",, a@b.example ,,", &["a@b.example"]);
        check("J. R. Smith <jrs@b.example>", &["jrs@b.example"]);
    }

    #[test]
    fn what_is_no_list_is_said() {
        let check = |input: &str, expect: &str| {
            assert_eq!(addresses(input.as_bytes()).unwrap_err().to_string(), expect, "{input}");
        };
        check("nobody", "\"nobody\" is not an address");
        check("Ann <>", "\"<>\" is not an address");
        check("Ann <ann>", "\"<ann>\" is not an address");
        check("ann@b.example bob@b.example", "\"bob\" stands where a comma should");
        check("ann@b.example bob", "\"bob\" stands where a comma should");
        check("big ann@b.example", "\"big ann@b.example\" is not an address");
        check("ann@[192.0.2.1]", "\"ann@[192.0.2.1]\": an address literal is not a domain");
        check("\"Ann <ann@b.example>", "'\"' is not closed");
        check("Ann (x <ann@b.example>", "'(' is not closed");
        check("a..b@c.example", "\"a..b@c.example\": the part before '@' is not well formed");
        check("a@b.example; c@d.example", "\";\" stands where a comma should");
        check("<@relay.example", "\"<@relay.example\" is not an address");
        check("@b.example", "\"@b.example\": the part before '@' is not well formed");
        check("a@", "\"a@\": the domain is not a well-formed name");
        check(":", "\":\" stands where a comma should");
    }

    proptest::proptest! {
        #[test]
        fn no_octets_make_it_fall_over(octets: Vec<u8>) {
            let _ = addresses(&octets);
        }

        #[test]
        fn no_specials_make_it_fall_over(text in "[<>@,;:.a \"\\\\()\\[\\]]{0,40}") {
            let _ = addresses(text.as_bytes());
        }
    }
}
