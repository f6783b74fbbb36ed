//! Text of a dialogue: escapes, and lines compared with `*` for "anything".

/// A line's text with its escapes undone, kept as literal runs between `*`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern {
    /// Literal runs; between two of them anything may stand.
    runs: Vec<Vec<u8>>,
}

impl Pattern {
    /// Parses `\r \n \t \0 \\ \* \xHH`; `*` is the wildcard.
    pub(crate) fn parse(text: &str) -> Result<Pattern, String> {
        let mut runs = vec![Vec::new()];
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c == '*' {
                runs.push(Vec::new());
                continue;
            }
            let run = runs.last_mut().expect("there is a run from the start");
            if c == '\\' {
                run.push(escaped(&mut chars)?);
            } else {
                run.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            }
        }
        Ok(Pattern { runs })
    }

    /// The octets to send: here a `*` is a star.
    pub(crate) fn octets(&self) -> Vec<u8> {
        self.runs.join(&b'*')
    }

    pub(crate) fn matches(&self, line: &[u8]) -> bool {
        let (first, rest) = self.runs.split_first().expect("there is a run from the start");
        let Some(mut line) = line.strip_prefix(&first[..]) else { return false };
        let Some((last, middle)) = rest.split_last() else { return line.is_empty() };
        for run in middle {
            let Some(at) = find(line, run) else { return false };
            line = &line[at + run.len()..];
        }
        line.ends_with(last)
    }
}

fn escaped(chars: &mut std::str::Chars<'_>) -> Result<u8, String> {
    match chars.next() {
        Some('r') => Ok(b'\r'),
        Some('n') => Ok(b'\n'),
        Some('t') => Ok(b'\t'),
        Some('0') => Ok(0),
        Some('\\') => Ok(b'\\'),
        Some('*') => Ok(b'*'),
        Some('x') => {
            let digits: String = chars.by_ref().take(2).collect();
            u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} is not \\x and two hex digits"))
        }
        other => Err(format!("unknown escape \\{}", other.map(String::from).unwrap_or_default())),
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() {
        return Some(0);
    }
    hay.windows(needle.len()).position(|w| w == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_match_anything_within_a_line() {
        let check = |pattern: &str, line: &str, expected: bool| {
            let p = Pattern::parse(pattern).unwrap();
            assert_eq!(p.matches(line.as_bytes()), expected, "{pattern} on {line}");
        };
        check("250 OK", "250 OK", true);
        check("250 OK", "250 OK ", false);
        check("250 *", "250 ", true);
        check("250 * queued as *", "250 2.0.0 queued as 1234", true);
        check("250 * queued as *", "250 2.0.0", false);
        check("*aba*ba", "xaba", false);
        check(r"a\*b", "a*b", true);
        check(r"a\*b", "aXb", false);
    }

    #[test]
    fn escapes_are_octets() {
        assert_eq!(Pattern::parse(r"a\r\n\x00\xff\*\\*").unwrap().octets(), b"a\r\n\x00\xff*\\*");
        assert!(Pattern::parse(r"\q").is_err());
        assert!(Pattern::parse(r"\xg0").is_err());
    }
}
