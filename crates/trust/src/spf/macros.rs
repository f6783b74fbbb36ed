//! Macro strings and domain-specs (RFC 7208 §7): parsed once, expanded for one message.
//!
//! Promise: what parses follows the grammar of §7.1 (domain-spec: it ends in a macro or in a
//! dot and a top label that is not all digits); an expansion never fails, and may give a
//! name that no DNS query can carry, which callers treat as a name that does not exist.

use std::net::IpAddr;

use super::Request;

/// Text with macros in it, as `exp` text, a domain-spec or an unknown modifier has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString {
    pieces: Vec<Piece>,
}

/// A macro string that names a domain (§7.1 domain-spec).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DomainSpec {
    text: String,
    macros: MacroString,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    /// `%%`, `%_`, `%-`: what it stands for.
    Escape(&'static str),
    Macro(Macro),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Macro {
    /// Lower case; one of `slodipvh`, in explanations also `crt`.
    letter: char,
    /// The letter was upper case: the value is URL-escaped (RFC 3986 §2.3).
    escape: bool,
    /// How many parts to keep, counted from the right; `None` keeps all.
    keep: Option<usize>,
    reverse: bool,
    /// What separates parts; a dot where none is given.
    delimiters: String,
}

/// Where a macro string stands: it decides which letters and characters it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the record: visible characters, `slodipvh`.
    Record,
    /// In the text that `exp` names: blanks too, and `crt`.
    Explanation,
}

/// What one expansion needs beyond the request.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub request: &'a Request,
    /// `%{d}`: the domain whose record is being evaluated.
    pub domain: &'a str,
    /// `%{p}`: the validated name of the address, `unknown` where there is none.
    pub validated: &'a str,
}

impl MacroString {
    pub fn parse(text: &str, place: Place) -> Result<MacroString, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            if first == '%' {
                let (piece, after) = parse_macro(rest, place)?;
                pieces.push(piece);
                rest = after;
                continue;
            }
            let end = rest.find('%').unwrap_or(rest.len());
            let (literal, after) = rest.split_at(end);
            let allowed = |c: char| c.is_ascii_graphic() || (c == ' ' && place == Place::Explanation);
            if let Some(bad) = literal.chars().find(|c| !allowed(*c)) {
                return Err(format!("the character {:?} is not allowed here", bad.escape_default().to_string()));
            }
            pieces.push(Piece::Literal(literal.to_owned()));
            rest = after;
        }
        Ok(MacroString { pieces })
    }

    /// Whether `%{p}` occurs, whose value costs DNS queries.
    pub fn needs_validated_name(&self) -> bool {
        self.macros().any(|m| m.letter == 'p')
    }

    /// Whether the text is the same for every message.
    pub fn is_fixed(&self) -> bool {
        self.macros().next().is_none()
    }

    fn macros(&self) -> impl Iterator<Item = &Macro> {
        self.pieces.iter().filter_map(|p| if let Piece::Macro(m) = p { Some(m) } else { None })
    }

    pub fn expand(&self, scope: Scope<'_>) -> String {
        let mut text = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(literal) => text.push_str(literal),
                Piece::Escape(meaning) => text.push_str(meaning),
                Piece::Macro(m) => m.expand_into(scope, &mut text),
            }
        }
        text
    }
}

impl DomainSpec {
    pub fn parse(text: &str) -> Result<DomainSpec, String> {
        if text.is_empty() {
            return Err("a domain name is missing here".into());
        }
        let macros = MacroString::parse(text, Place::Record)?;
        if let Some(Piece::Literal(tail)) = macros.pieces.last() {
            check_top_label(tail)?;
        }
        Ok(DomainSpec { text: text.to_owned(), macros })
    }

    /// As it is written in the record.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn needs_validated_name(&self) -> bool {
        self.macros.needs_validated_name()
    }

    /// The name, if it is the same for every message and address.
    pub fn fixed_name(&self) -> Option<String> {
        let has_macro = !self.macros.is_fixed();
        (!has_macro).then(|| shorten(&literal_text(&self.macros)))
    }

    /// The name for one message: without a trailing dot, cut from the left to 253 octets (§7.3).
    pub fn expand(&self, scope: Scope<'_>) -> String {
        shorten(&self.macros.expand(scope))
    }
}

fn literal_text(macros: &MacroString) -> String {
    let text = |piece: &Piece| match piece {
        Piece::Literal(literal) => literal.clone(),
        Piece::Escape(meaning) => (*meaning).to_owned(),
        Piece::Macro(_) => String::new(),
    };
    macros.pieces.iter().map(text).collect()
}

/// Takes one dot off the end, and labels off the left while the name is too long for DNS.
fn shorten(name: &str) -> String {
    let mut name = name.strip_suffix('.').unwrap_or(name);
    while name.len() > 253 {
        match name.split_once('.') {
            Some((_, rest)) => name = rest,
            None => break,
        }
    }
    name.to_ascii_lowercase()
}

/// §7.1 domain-end: a dot, then a label with a letter or a hyphen in it.
fn check_top_label(tail: &str) -> Result<(), String> {
    let name = tail.strip_suffix('.').unwrap_or(tail);
    let Some((_, top)) = name.rsplit_once('.') else {
        return Err(format!("{name:?} is not a full domain name: it needs a dot and a top-level domain"));
    };
    let hyphens_inside = !top.starts_with('-') && !top.ends_with('-');
    let letters = top.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if top.is_empty() || !hyphens_inside || !letters {
        return Err(format!("{top:?} cannot be a top-level domain"));
    }
    if top.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("a name cannot end in the number {top:?}: for an address write ip4: or ip6:"));
    }
    Ok(())
}

/// Reads one `%…` at the start of `text`; gives it and what follows.
fn parse_macro(text: &str, place: Place) -> Result<(Piece, &str), String> {
    let wrong = || "a '%' must begin %{…}, %%, %_ or %-".to_owned();
    let after = &text[1..];
    for (sign, meaning) in [("%", "%"), ("_", " "), ("-", "%20")] {
        if let Some(rest) = after.strip_prefix(sign) {
            return Ok((Piece::Escape(meaning), rest));
        }
    }
    let (inside, rest) = after.strip_prefix('{').ok_or_else(wrong)?.split_once('}').ok_or_else(wrong)?;
    let letter = inside.chars().next().ok_or_else(|| "the macro %{} has no letter".to_owned())?;
    let lower = letter.to_ascii_lowercase();
    let allowed = match place {
        Place::Record => "slodipvh",
        Place::Explanation => "slodipvhcrt",
    };
    if !allowed.contains(lower) {
        return Err(format!("there is no macro %{{{letter}}} here: the letters are {allowed}"));
    }
    // `allowed` is ASCII, so the letter is one octet.
    let transformers = &inside[1..];
    let digits_end = transformers.find(|c: char| !c.is_ascii_digit()).unwrap_or(transformers.len());
    let (digits, tail) = transformers.split_at(digits_end);
    let keep = if digits.is_empty() { None } else { Some(digits.parse::<usize>().unwrap_or(usize::MAX)) };
    if keep == Some(0) {
        return Err(format!("%{{{inside}}} keeps no part: the number must be 1 or more"));
    }
    let delimiters = tail.strip_prefix(['r', 'R']).unwrap_or(tail);
    let reverse = delimiters.len() < tail.len();
    if let Some(bad) = delimiters.chars().find(|c| !".-+,/_=".contains(*c)) {
        return Err(format!("{bad:?} in %{{{inside}}} is not one of the delimiters . - + , / _ ="));
    }
    let escape = letter.is_ascii_uppercase();
    Ok((Piece::Macro(Macro { letter: lower, escape, keep, reverse, delimiters: delimiters.to_owned() }), rest))
}

impl Macro {
    fn expand_into(&self, scope: Scope<'_>, out: &mut String) {
        let value = self.value(scope);
        let is_delimiter = |c: char| if self.delimiters.is_empty() { c == '.' } else { self.delimiters.contains(c) };
        let mut parts: Vec<&str> = value.split(is_delimiter).collect();
        if self.reverse {
            parts.reverse();
        }
        let skip = parts.len().saturating_sub(self.keep.unwrap_or(usize::MAX));
        let text = parts[skip..].join(".");
        if self.escape { url_escape(&text, out) } else { out.push_str(&text) }
    }

    fn value(&self, scope: Scope<'_>) -> String {
        let request = scope.request;
        match self.letter {
            's' => request.sender_address(),
            'l' => request.local().to_owned(),
            'o' => request.sender_domain().to_owned(),
            'd' => scope.domain.to_owned(),
            'i' => dotted(request.ip()),
            'p' => scope.validated.to_owned(),
            'v' => if request.ip().is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            'h' => request.helo.clone(),
            'c' => request.ip().to_string(),
            'r' => request.receiver.clone(),
            // Only 't' is left: `parse_macro` lets no other letter in.
            _ => request.at.seconds().to_string(),
        }
    }
}

/// `%{i}`: dotted quad, or all 32 nibbles with dots between them.
fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let digits = v6.octets().iter().map(|b| format!("{b:02X}")).collect::<String>();
            digits.chars().map(String::from).collect::<Vec<_>>().join(".")
        }
    }
}

fn url_escape(text: &str, out: &mut String) {
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expand(text: &str) -> String {
        let request =
            Request::mail_from("192.0.2.3".parse().unwrap(), "mx.example.org", "strong-bad@email.example.com");
        let scope = Scope { request: &request, domain: "email.example.com", validated: "mx.example.org" };
        MacroString::parse(text, Place::Explanation).unwrap().expand(scope)
    }

    /// The examples of RFC 7208 §7.4.
    #[test]
    fn the_rfc_s_own_examples() {
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
        ] {
            assert_eq!(expand(text), expected, "{text}");
        }
    }

    #[test]
    fn a_fault_is_named() {
        for (text, fault) in [
            ("%(ir)", "must begin"),
            ("%{x}", "no macro %{x}"),
            ("%{", "must begin"),
            ("%{d0}", "1 or more"),
            ("%{d2!}", "delimiters"),
            ("a\tb", "not allowed"),
        ] {
            let error = MacroString::parse(text, Place::Record).unwrap_err();
            assert!(error.contains(fault), "{text}: {error}");
        }
        assert!(DomainSpec::parse("1.2.3.4").unwrap_err().contains("ip4:"));
    }
}
