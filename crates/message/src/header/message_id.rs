//! Message identifiers (RFC 5322 §3.6.4), as Message-ID, In-Reply-To and References hold them.

/// The identifiers of a value, without their brackets, in their order; `None` where there is
/// anything else in it. An identifier is `<left@right>` in printable octets; what is before and
/// after the `@` is not looked into, since programs write much there and receivers do not mind.
pub fn message_ids(value: &[u8]) -> Option<Vec<&str>> {
    let mut rest = value.trim_ascii_start();
    let mut out = Vec::new();
    while !rest.is_empty() {
        if rest[0] == b'(' {
            let close = memchr::memchr(b')', rest)?;
            rest = rest[close + 1..].trim_ascii_start();
            continue;
        }
        let inside = rest.strip_prefix(b"<")?;
        let close = memchr::memchr(b'>', inside)?;
        let id = std::str::from_utf8(&inside[..close]).ok()?;
        if !is_id(id) {
            return None;
        }
        out.push(id);
        rest = inside[close + 1..].trim_ascii_start();
    }
    Some(out)
}

fn is_id(id: &str) -> bool {
    let printable = |c: char| !c.is_control() && !c.is_whitespace() && c != '<';
    match id.rsplit_once('@') {
        Some((left, right)) => !left.is_empty() && !right.is_empty() && id.chars().all(printable),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_out_of_their_brackets() {
        let check = |input: &str, expect: Option<&[&str]>| {
            assert_eq!(message_ids(input.as_bytes()).as_deref(), expect, "{input}");
        };
        check(" <a@b.example>", Some(&["a@b.example"]));
        check("<a@b>\r\n <c@d> (note)", Some(&["a@b", "c@d"]));
        check("<weird!#$@[1.2.3.4]>", Some(&["weird!#$@[1.2.3.4]"]));
        check("", Some(&[]));
        for bad in ["a@b", "<a@b", "<ab>", "<@b>", "<a@>", "<a b@c>", "x <a@b>", "<<a@b>>"] {
            check(bad, None);
        }
    }
}
