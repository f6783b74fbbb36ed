//! The syntax of Handlebars, cut into pieces: text, and tags with what stands in them.

use super::TemplateFault;

pub(super) enum Piece<'t> {
    Text(&'t str),
    Tag(Tag<'t>),
}

/// What stands between braces.
pub(super) struct Tag<'t> {
    pub kind: Kind,
    /// Without the mark of its kind.
    pub words: &'t str,
    pub line: usize,
    /// `{{~` and `~}}`: blanks on that side go.
    eats: (bool, bool),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Place,
    Open,
    Close,
    /// `{{^name}}`, the opposite of a block; alone it is `{{else}}`.
    Inverse,
    Else,
    Partial,
    Comment,
    /// Text that looks like a tag.
    Itself,
}

pub(super) fn fault<T>(line: usize, text: impl Into<String>) -> Result<T, TemplateFault> {
    Err(TemplateFault::Syntax { line, text: text.into() })
}

pub(super) fn pieces(text: &str) -> Result<Vec<Piece<'_>>, TemplateFault> {
    let mut pieces = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(at) = rest.find("{{") {
        let (before, from) = rest.split_at(at);
        line += before.matches('\n').count();
        // `\{{name}}` means the braces themselves.
        if let Some(before) = before.strip_suffix('\\') {
            let end = from.find("}}").map_or(from.len(), |end| end + 2);
            pieces.extend([
                Piece::Text(before),
                Piece::Tag(Tag { kind: Kind::Itself, words: &from[..end], line, eats: (false, false) }),
            ]);
            rest = &from[end..];
            continue;
        }
        let Some((tag, after)) = tag(from, line) else { return fault(line, "\"{{\" is not closed") };
        line += from[..from.len() - after.len()].matches('\n').count();
        pieces.extend([Piece::Text(before), Piece::Tag(tag)]);
        rest = after;
    }
    pieces.push(Piece::Text(rest));
    trim(&mut pieces);
    Ok(pieces)
}

/// The tag at the beginning, and what stands behind it.
fn tag(from: &str, line: usize) -> Option<(Tag<'_>, &str)> {
    let (ends, open) = match from {
        _ if from.starts_with("{{!--") || from.starts_with("{{~!--") => (["--}}", "--~}}"], 2),
        _ if from.starts_with("{{{") || from.starts_with("{{~{") => (["}}}", "}~}}"], 2),
        _ => (["}}", "~}}"], 2),
    };
    let (at, end) =
        ends.iter().filter_map(|end| Some((from.find(end)?, *end))).min_by_key(|(at, end)| (*at, end.len()))?;
    // `{{a~}}`: the second end begins where the first would leave its `~` inside.
    let inside = from.get(open..at)?;
    let after = &from[at + end.len()..];
    let eats_before = inside.starts_with('~');
    let inside = inside.strip_prefix('~').unwrap_or(inside);
    let (inside, eats_after) = match inside.strip_suffix('~') {
        Some(inside) => (inside, true),
        None => (inside, end.contains('~')),
    };
    let (kind, words) = match inside.chars().next() {
        Some('#') => (Kind::Open, &inside[1..]),
        Some('/') => (Kind::Close, &inside[1..]),
        Some('^') => (Kind::Inverse, &inside[1..]),
        Some('>') => (Kind::Partial, &inside[1..]),
        Some('!') => (Kind::Comment, &inside[1..]),
        Some('&' | '{') => (Kind::Place, &inside[1..]),
        _ if inside.trim() == "else" || inside.trim_start().starts_with("else ") => {
            (Kind::Else, inside.trim_start()[4..].trim())
        }
        _ => (Kind::Place, inside),
    };
    Some((Tag { kind, words: words.trim(), line, eats: (eats_before, eats_after) }, after))
}

/// Blanks beside `~` go, and so do lines on which nothing stands but a tag that prints nothing.
fn trim(pieces: &mut [Piece<'_>]) {
    // Texts and tags take turns, and a text stands at both ends. What each tag takes is looked for before any is taken.
    let mut cuts: Vec<(usize, usize)> =
        pieces.iter().map(|piece| (0, if let Piece::Text(text) = piece { text.len() } else { 0 })).collect();
    for nth in 1..pieces.len().saturating_sub(1) {
        let [Piece::Text(before), Piece::Tag(tag), Piece::Text(after)] = &pieces[nth - 1..=nth + 1] else { continue };
        let begins = before.rfind('\n').map(|n| n + 1).or(if nth == 1 { Some(0) } else { None });
        let ends = after.find('\n').map(|n| n + 1).or(if nth + 2 == pieces.len() { Some(after.len()) } else { None });
        let alone = begins.zip(ends).filter(|(begins, ends)| {
            !matches!(tag.kind, Kind::Place | Kind::Itself)
                && before[*begins..].trim().is_empty()
                && after[..*ends].trim().is_empty()
        });
        let (mut keep, mut skip) = alone.unwrap_or((before.len(), 0));
        if tag.eats.0 {
            keep = keep.min(before.trim_end().len());
        }
        if tag.eats.1 {
            skip = skip.max(after.len() - after.trim_start().len());
        }
        cuts[nth - 1].1 = keep;
        cuts[nth + 1].0 = skip;
    }
    for (piece, (from, to)) in pieces.iter_mut().zip(cuts) {
        if let Piece::Text(text) = piece {
            *text = text.get(from..to).unwrap_or_default();
        }
    }
}
