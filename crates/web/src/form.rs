//! What a form sends: application/x-www-form-urlencoded, and multipart/form-data (RFC 7578) as far as its
//! fields are short texts. Files in forms are nothing that is taken here.

/// The fields of application/x-www-form-urlencoded; `None` where it is none, or not UTF-8.
pub(crate) fn pairs(octets: &[u8]) -> Option<Vec<(String, String)>> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        Some((decoded(name)?, decoded(value)?))
    };
    std::str::from_utf8(octets).ok()?.split('&').filter(|p| !p.is_empty()).map(pair).collect()
}

/// The fields of multipart/form-data, whose `boundary` the field Content-Type names.
pub(crate) fn parts(octets: &[u8], content_type: &str) -> Option<Vec<(String, String)>> {
    let boundary = content_type.split(';').find_map(|p| parameter(p, "boundary")).filter(|b| !b.is_empty())?;
    let delimiter = format!("--{boundary}");
    let text = std::str::from_utf8(octets).ok()?;
    let part = |part: &str| {
        let (head, value) = part.strip_prefix("\r\n")?.split_once("\r\n\r\n")?;
        let is_named = |line: &&str| line.get(..20).is_some_and(|s| s.eq_ignore_ascii_case("content-disposition:"));
        let name = head.lines().find(is_named)?.split(';').find_map(|p| parameter(p, "name"))?;
        Some((name.to_owned(), value.strip_suffix("\r\n")?.to_owned()))
    };
    Some(text.split(delimiter.as_str()).skip(1).filter_map(part).collect())
}

fn parameter<'a>(text: &'a str, wanted: &str) -> Option<&'a str> {
    let (name, value) = text.trim().split_once('=')?;
    name.eq_ignore_ascii_case(wanted).then(|| value.trim_matches('"'))
}

fn decoded(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut octets = text.bytes();
    while let Some(octet) = octets.next() {
        match octet {
            b'+' => out.push(b' '),
            b'%' => {
                let digits = [octets.next()?, octets.next()?];
                // A sign would be read as part of the number.
                digits.iter().all(u8::is_ascii_hexdigit).then_some(())?;
                out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
            }
            octet => out.push(octet),
        }
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_read_from_both_kinds_of_form() {
        let expect = Some(vec![("List-Unsubscribe".to_owned(), "One-Click".to_owned())]);
        assert_eq!(pairs(b"List-Unsubscribe=One-Click"), expect);
        assert_eq!(pairs(b"List%2dUnsubscribe=One-Click&"), expect);
        for wrong in [&b"%zz"[..], b"%+1", b"a=%-1", b"%4"] {
            assert_eq!(pairs(wrong), None);
        }
        let body = "--xY\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--xY--\r\n";
        for kind in ["multipart/form-data; boundary=xY", "multipart/form-data; charset=utf-8; Boundary=\"xY\""] {
            assert_eq!(parts(body.as_bytes(), kind), expect, "{kind}");
        }
        assert_eq!(parts(body.as_bytes(), "multipart/form-data"), None);
        assert_eq!(parts(body.as_bytes(), "multipart/form-data; boundary=other"), Some(vec![]));
    }
}
