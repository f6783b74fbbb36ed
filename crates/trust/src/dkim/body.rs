//! The relaxed body canonicalisation (RFC 6376 §3.4.4) and its SHA-256, in one pass over the
//! chunks of a content.
//!
//! Promise: the hash does not depend on where the chunks are cut. Stretches that canonicalise
//! to themselves (no tab, no two blanks, no blank before a line end), as nearly all of an
//! encoded message is, are hashed where they lie; only the others are copied.

use aws_lc_rs::digest::{Context, Digest, SHA256};
use repute_types::Content;

pub(super) fn hash(content: &Content, body: usize) -> Digest {
    let mut hasher = BodyHasher::new();
    let mut skip = body;
    for chunk in content.chunks() {
        let from = skip.min(chunk.len());
        skip -= from;
        hasher.feed(&chunk[from..]);
    }
    hasher.finish()
}

struct BodyHasher {
    context: Context,
    /// Canonical octets that are not hashed yet.
    out: Vec<u8>,
    /// Blanks have been read; whether they count depends on what follows.
    blank: bool,
    /// A CR has been read; whether it ends a line depends on what follows.
    cr: bool,
    /// Line ends that count only if something follows: those at the end of the body do not.
    line_ends: usize,
    /// Whether any octet has been handed on: an empty body stays empty.
    any: bool,
}

/// Looked at as one: small enough that one tab costs little, large enough for wide instructions.
const STRETCH: usize = 2048;

/// Of a stretch with something odd in it, so much is looked at as one: indented lines and lines that end in a blank are odd in
/// one or two pieces, and plain in the others.
const PIECE: usize = 32;

impl BodyHasher {
    fn new() -> BodyHasher {
        BodyHasher {
            context: Context::new(&SHA256),
            out: Vec::with_capacity(2 * STRETCH),
            blank: false,
            cr: false,
            line_ends: 0,
            any: false,
        }
    }

    fn feed(&mut self, octets: &[u8]) {
        for stretch in octets.chunks(STRETCH) {
            match plain_part(stretch) {
                Some((start, end)) => {
                    self.each(&stretch[..start + 1]);
                    self.flush();
                    self.context.update(&stretch[start + 1..end]);
                    self.each(&stretch[end..]);
                }
                None => stretch.chunks(PIECE).for_each(|piece| self.piece(piece)),
            }
        }
    }

    /// A part of a stretch in which something is odd: copied, most pieces as they are.
    fn piece(&mut self, piece: &[u8]) {
        match plain_part(piece) {
            Some((start, end)) => {
                self.each(&piece[..start + 1]);
                self.out.extend_from_slice(&piece[start + 1..end]);
                self.each(&piece[end..]);
            }
            None => self.each(piece),
        }
    }

    fn each(&mut self, octets: &[u8]) {
        for &b in octets {
            if self.cr {
                self.cr = false;
                if b == b'\n' {
                    // Blanks before a line end go.
                    self.blank = false;
                    self.line_ends += 1;
                    continue;
                }
                // A bare CR is an octet like others; the door lets none in.
                self.emit(b'\r');
            }
            match b {
                b' ' | b'\t' => self.blank = true,
                b'\r' => self.cr = true,
                _ => self.emit(b),
            }
        }
        if self.out.len() >= STRETCH {
            self.flush();
        }
    }

    /// An octet that is neither blank nor part of a line end, and what was waiting for it.
    fn emit(&mut self, b: u8) {
        while self.line_ends > 0 {
            self.line_ends -= 1;
            self.out.extend_from_slice(b"\r\n");
            if self.out.len() >= STRETCH {
                self.flush();
            }
        }
        if self.blank {
            self.blank = false;
            self.out.push(b' ');
        }
        self.out.push(b);
        self.any = true;
    }

    fn flush(&mut self) {
        self.context.update(&self.out);
        self.out.clear();
    }

    fn finish(mut self) -> Digest {
        if self.cr {
            self.emit(b'\r');
        }
        // A body that is not empty ends with one line end, whether or not it had one.
        if self.any {
            self.out.extend_from_slice(b"\r\n");
        }
        self.flush();
        self.context.finish()
    }
}

/// Where the stretch's first and behind its last octet that is neither blank nor line end
/// stand, if all between them canonicalises to itself.
fn plain_part(stretch: &[u8]) -> Option<(usize, usize)> {
    let is_text = |b: &u8| !matches!(b, b' ' | b'\t' | b'\r' | b'\n');
    let start = stretch.iter().position(is_text)?;
    let end = stretch.iter().rposition(is_text)? + 1;
    let inside = &stretch[start..end];
    // No early exit: this loop becomes wide instructions.
    let odd = inside.iter().zip(&inside[1..]).fold(0u8, |odd, (&a, &b)| {
        odd | (u8::from(a == b' ') & (u8::from(b == b' ') | u8::from(b == b'\r'))) | u8::from(a == b'\t')
    });
    (odd == 0).then_some((start, end))
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    /// RFC 6376 §3.4.4 word for word, on the whole body at once.
    fn plainly(body: &[u8]) -> Vec<u8> {
        let text: String = body.iter().map(|b| char::from(*b)).collect();
        let mut lines: Vec<String> = Vec::new();
        for line in text.split("\r\n") {
            let mut out = String::new();
            for c in line.chars() {
                match c {
                    ' ' | '\t' if out.ends_with(' ') => {}
                    ' ' | '\t' => out.push(' '),
                    _ => out.push(c),
                }
            }
            lines.push(out.trim_end_matches(' ').to_owned());
        }
        while lines.last().is_some_and(String::is_empty) {
            lines.pop();
        }
        lines.iter().flat_map(|line| line.chars().chain("\r\n".chars()).map(|c| c as u8)).collect()
    }

    fn check(body: &[u8], canonical: &[u8]) {
        let expect = aws_lc_rs::digest::digest(&SHA256, canonical);
        let whole = hash(&Content::from(body.to_vec()), 0);
        assert_eq!(whole.as_ref(), expect.as_ref(), "{:?}", String::from_utf8_lossy(body));
    }

    #[test]
    fn bodies_are_canonicalised_as_the_rfc_says() {
        check(b" C \r\nD \t E\r\n\r\n\r\n", b" C\r\nD E\r\n");
        check(b"", b"");
        check(b"\r\n\r\n", b"");
        check(b" \t\r\n \r\n", b"");
        check(b"no line end", b"no line end\r\n");
        check(b"a\r\n\r\n \r\nb \r\n", b"a\r\n\r\n\r\nb\r\n");
        check(b"a\rb\r\n", b"a\rb\r\n");
        check(b"x ", b"x\r\n");
    }

    /// The values that RFC 6376 and verifiers' documentation give for an empty body, and RFC
    /// 8463 appendix A for its letter.
    #[test]
    fn known_hashes_are_met() {
        let check = |body: &str, expect: &str| {
            let body = body.replace('\n', "\r\n").into_bytes();
            assert_eq!(STANDARD.encode(hash(&Content::from(body), 0)), expect);
        };
        check("", "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=");
        check(
            "Hi.\n\nWe lost the game.  Are you hungry yet?\n\nJoe.\n",
            "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=",
        );
    }

    proptest::proptest! {
        #[test]
        fn cuts_do_not_matter(text in "([ \t]{0,3}|\r\n|[a-z=]{0,40}|x{100}|\r){0,80}", cut in 0usize..4000, size in 1usize..3000) {
            let body = text.as_bytes();
            let expect = aws_lc_rs::digest::digest(&SHA256, &plainly(body));
            let mut content = Content::from(&b"header"[..]);
            let (a, b) = body.split_at(cut.min(body.len()));
            content.push(a.to_vec());
            b.chunks(size).for_each(|chunk| content.push(chunk.to_vec()));
            let got = hash(&content, 6);
            proptest::prop_assert_eq!(got.as_ref(), expect.as_ref());
        }
    }
}
