//! Rust source with its comments and literals blanked out, so that a rule about code does not
//! stumble over a word in a sentence.

/// The same lines, with every octet of a comment, text or character literal a blank.
pub fn bare(source: &str) -> String {
    let octets = source.as_bytes();
    let mut out = octets.to_vec();
    let mut at = 0;
    while at < octets.len() {
        let end = literal(octets, at);
        for octet in &mut out[at..end] {
            if *octet != b'\n' {
                *octet = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// Where the comment or literal that begins at `at` ends; `at` itself if none begins there.
fn literal(octets: &[u8], at: usize) -> usize {
    let rest = &octets[at..];
    let after_word = at > 0 && (octets[at - 1].is_ascii_alphanumeric() || octets[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => at + rest.iter().position(|&o| o == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => at + block_comment(rest),
        [b'"', ..] => at + quoted(rest, b'"'),
        [b'r', b'"' | b'#', ..] if !after_word => at + raw(&rest[1..]).map_or(0, |n| n + 1),
        [b'b', b'r', b'"' | b'#', ..] if !after_word => at + raw(&rest[2..]).map_or(0, |n| n + 2),
        // A lifetime has no closing quote after its first character.
        [b'\'', b'\\', ..] => at + quoted(rest, b'\''),
        [b'\'', ..] => at + character(rest),
        _ => at,
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            o if o == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// After the `r`; `None` for a raw name as `r#type`.
fn raw(rest: &[u8]) -> Option<usize> {
    let marks = rest.iter().take_while(|&&o| o == b'#').count();
    if rest.get(marks) != Some(&b'"') {
        return None;
    }
    let close = [&b"\""[..], &b"#".repeat(marks)].concat();
    let body = &rest[marks + 1..];
    let end = body.windows(close.len()).position(|w| w == close).map_or(body.len(), |p| p + close.len());
    Some(marks + 1 + end)
}

fn character(rest: &[u8]) -> usize {
    let width = match rest.get(1) {
        Some(0xf0..) => 4,
        Some(0xe0..) => 3,
        Some(0xc0..) => 2,
        _ => 1,
    };
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        assert_eq!(bare(source).trim_end(), expect, "{source}");
    }

    #[test]
    fn comments_and_literals_are_blank() {
        check("a // b", "a");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("x\"y") g"#, "f(      ) g");
        check("f(r#\"x\"y\"#) g", "f(        ) g");
        check("f('\\'', 'x', 'é') g", "f(    ,    ,     ) g");
    }

    #[test]
    fn lifetimes_and_raw_names_stay() {
        check("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}");
        check("r#type + for", "r#type + for");
    }
}
