//! The paths of MAIL and RCPT (RFC 5321 §4.1.2): `<local@domain>`, `<>`, `<postmaster>`, and
//! `<@relay:local@domain>`, whose route is read and ignored as appendix C asks.

use repute_types::{Address, AddressError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Path {
    /// `<>`
    Null,
    /// `<postmaster>` in any case, without a domain (RFC 5321 §4.5.1).
    Postmaster,
    Address(Address),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// No `<`, or no `>` that closes it.
    Brackets,
    /// Longer than 256 octets with its brackets (RFC 5321 §4.5.3.1.3).
    TooLong,
    Address(AddressError),
}

/// Takes a path off the front of `text`; returns it, whether it holds octets beyond ASCII,
/// and what follows the `>`.
pub fn take(text: &str) -> Result<(Path, bool, &str), PathError> {
    let inside_on = text.strip_prefix('<').ok_or(PathError::Brackets)?;
    let end = closing_bracket(inside_on).ok_or(PathError::Brackets)?;
    let (inside, rest) = (&inside_on[..end], &inside_on[end + 1..]);
    if inside.len() > 254 {
        return Err(PathError::TooLong);
    }
    let mailbox = without_route(inside).ok_or(PathError::Address(AddressError::Domain))?;
    let path = match mailbox {
        "" => Path::Null,
        m if m.eq_ignore_ascii_case("postmaster") => Path::Postmaster,
        m => Path::Address(Address::parse(m).map_err(PathError::Address)?),
    };
    Ok((path, !inside.is_ascii(), rest))
}

/// Where the `>` stands that is not inside a quoted string.
fn closing_bracket(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (i, b) in text.bytes().enumerate() {
        match b {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(i),
            _ => {}
        }
    }
    None
}

fn without_route(inside: &str) -> Option<&str> {
    if !inside.starts_with('@') {
        return Some(inside);
    }
    let (route, mailbox) = inside.split_once(':')?;
    let good = route.split(',').all(|hop| hop.strip_prefix('@').is_some_and(|name| !name.is_empty()));
    (good && !mailbox.is_empty()).then_some(mailbox)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expect: &str) {
        let got = match take(text) {
            Ok((Path::Null, _, rest)) => format!("null|{rest}"),
            Ok((Path::Postmaster, _, rest)) => format!("postmaster|{rest}"),
            Ok((Path::Address(a), _, rest)) => format!("{a}|{rest}"),
            Err(e) => format!("{e:?}"),
        };
        assert_eq!(got, expect, "{text}");
    }

    #[test]
    fn paths() {
        check("<>", "null|");
        check("<a@b.c> SIZE=1", "a@b.c| SIZE=1");
        check("<PostMaster>", "postmaster|");
        check("<@x.y,@z.w:a@b.c>", "a@b.c|");
        check(r#"<"a>b\"@"@b.c>"#, r#""a>b\"@"@b.c|"#);
        check("a@b.c", "Brackets");
        check("<a@b.c", "Brackets");
        check("<a>", "Address(NoAt)");
        check("<@x:>", "Address(Domain)");
        check("<@:a@b.c>", "Address(Domain)");
        check("<a@[1.2.3.4]>", "Address(Literal)");
        check(&format!("<a@{}>", "b.".repeat(130)), "TooLong");
    }
}
