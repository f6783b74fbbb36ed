//! The text of an HTML notice: tags out, blocks become lines, the common entities decoded.

/// One pass; what is left open runs to the end.
pub(crate) fn to_text(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(start) = rest.find('<') {
        entities(&rest[..start], &mut out);
        let after = &rest[start + 1..];
        if let Some(comment) = after.strip_prefix("!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let Some(end) = after.find('>') else {
            entities(&rest[start..], &mut out);
            return out;
        };
        // An address in angle brackets that nobody escaped is text.
        let tag = &after[..end];
        let name: String = tag
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
            .take(12)
            .collect::<String>()
            .to_ascii_lowercase();
        rest = &after[end + 1..];
        match name.as_str() {
            _ if tag.contains('@') && !tag.contains(['=', ' ']) => {
                out.push('<');
                out.push_str(tag);
                out.push('>');
            }
            "style" | "script" => rest = after_element(rest, &name),
            "br" | "br/" | "p" | "/p" | "div" | "/div" | "tr" | "/tr" | "li" | "/li" | "h1" | "h2" | "h3" | "/h1"
            | "/h2" | "/h3" | "pre" | "/pre" | "hr" | "table" | "/table" => out.push('\n'),
            "td" | "/td" => out.push(' '),
            _ => {}
        }
    }
    entities(rest, &mut out);
    out
}

fn after_element<'a>(rest: &'a str, name: &str) -> &'a str {
    let mut at = 0;
    while let Some(close) = rest[at..].find("</").map(|n| at + n + 2) {
        let is_it =
            rest.as_bytes().get(close..close + name.len()).is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes()));
        at = close;
        if is_it {
            return rest[close..].find('>').map_or("", |n| &rest[close + n + 1..]);
        }
    }
    ""
}

fn entities(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let name = after.as_bytes().iter().take(10).position(|b| *b == b';').map(|end| &after[..end]);
        match name.and_then(|name| Some((meant(name)?, name.len()))) {
            Some((c, length)) => {
                out.push(c);
                rest = &after[length + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
}

fn meant(name: &str) -> Option<char> {
    Some(match name {
        "lt" => '<',
        "gt" => '>',
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => match name.strip_prefix('#')? {
            hex if hex.starts_with(['x', 'X']) => char::from_u32(u32::from_str_radix(&hex[1..], 16).ok()?)?,
            decimal => char::from_u32(decimal.parse().ok()?)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::to_text;

    #[test]
    fn markup_is_taken_out() {
        for (html, text) in [
            ("<p>a</p>b<br>c", "\na\nb\nc"),
            ("<style>p { x: y }</style>a &lt;b&gt; &#64; &#x41; &unknown; & c", "a <b> @ A &unknown; & c"),
            ("a <u@example.com> b", "a <u@example.com> b"),
            ("<!-- x > -->a", "a"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(to_text(html), text, "{html}");
        }
    }
}
