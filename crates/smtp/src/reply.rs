//! Replies on the wire (RFC 5321 §4.2, RFC 2034): octets to [`Reply`] and back.
//!
//! Promise: [`ReplyReader`] takes octets in any cut and needs no more memory than its bounds;
//! it accepts what real servers say (bare LF, a code without text, octets that are not UTF-8) where
//! the meaning is beyond doubt. Of a reply of very many lines, which say the same code, the first ones are kept. [`encode`] writes lines of at most 512 octets, with the enhanced
//! code on each, and no stranger's control character can end one early.
//! Fails with [`ReplyError`]: after it, where the next reply begins is unknown, and the
//! connection is of no use.

use std::borrow::Cow;
use std::fmt::Write;

use bytes::{Buf, BytesMut};
use memchr::memchr;
use repute_types::short::Short;
use repute_types::{EnhancedCode, Reply};

/// RFC 5321 §4.5.3.1.5 allows 512; some servers put a whole policy page into a line.
pub const LINE_MOST: usize = 4096;
/// The longest EHLO reply in the wild is under 30 lines, the longest refusal about as much. What comes behind is read and
/// not kept: it does not change what the code says.
pub const LINES_KEPT: usize = 100;
/// So many say nothing any more: a server that goes on and on.
pub const LINES_MOST: usize = 1000;
/// Of one reply, all lines together.
pub const OCTETS_MOST: usize = 64 << 10;
/// What we write (RFC 5321 §4.5.3.1.5), with code and CRLF.
const LINE_WRITTEN_MOST: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReplyError {
    #[error("a line of the reply is longer than {LINE_MOST} octets")]
    LineTooLong,
    #[error("the reply has more than {LINES_MOST} lines")]
    TooManyLines,
    #[error("the reply has more than {OCTETS_MOST} octets")]
    TooLong,
    #[error("a line does not begin with a reply code")]
    NoCode,
    #[error("the lines of one reply have different codes")]
    CodeChanges,
}

/// Reads replies one after the other; keeps the lines of the one that is under way.
#[derive(Debug, Default)]
pub struct ReplyReader {
    /// The reply so far; `None` between replies.
    part: Option<Reply>,
    /// Of the reply so far, kept or not.
    lines: usize,
    octets: usize,
    /// Octets of the current line known to hold no line end.
    searched: usize,
}

impl ReplyReader {
    pub fn new() -> ReplyReader {
        ReplyReader::default()
    }

    /// Takes complete lines off the front of `input`, up to the end of one reply. `None`: all
    /// lines were taken and more must come. What follows the reply is left in `input`.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, ReplyError> {
        loop {
            let Some(end) = memchr(b'\n', &input[self.searched..]).map(|at| at + self.searched) else {
                self.searched = input.len();
                return if input.len() > LINE_MOST { Err(ReplyError::LineTooLong) } else { Ok(None) };
            };
            self.searched = 0;
            if end >= LINE_MOST {
                return Err(ReplyError::LineTooLong);
            }
            self.count(end + 1)?;
            let more = self.line(&input[..end])?;
            input.advance(end + 1);
            if !more {
                (self.lines, self.octets) = (0, 0);
                return Ok(self.part.take());
            }
        }
    }

    /// Whether a reply has begun and not ended.
    pub fn is_inside(&self) -> bool {
        self.part.is_some() || self.searched > 0
    }

    fn count(&mut self, octets: usize) -> Result<(), ReplyError> {
        self.lines += 1;
        self.octets += octets;
        match () {
            () if self.lines > LINES_MOST => Err(ReplyError::TooManyLines),
            () if self.octets > OCTETS_MOST => Err(ReplyError::TooLong),
            () => Ok(()),
        }
    }

    /// Takes one line without its LF; says whether more lines follow.
    fn line(&mut self, line: &[u8]) -> Result<bool, ReplyError> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let (code, rest) = split_code(line).ok_or(ReplyError::NoCode)?;
        let (more, text) = match rest.split_first() {
            None => (false, rest),
            Some((b'-', text)) => (true, text),
            Some((b' ' | b'\t', text)) => (false, text),
            Some(_) => return Err(ReplyError::NoCode),
        };
        let text = clean(text);
        match &mut self.part {
            None => {
                let found = EnhancedCode::split_prefix(&text).filter(|(e, _)| u16::from(e.0) == code / 100);
                let (enhanced, line) = found.map_or((None, &*text), |(found, behind)| (Some(found), behind));
                self.part = Some(Reply { code, enhanced, lines: vec![line.to_owned()] });
            }
            Some(part) if part.code != code => return Err(ReplyError::CodeChanges),
            Some(part) if part.lines.len() == LINES_KEPT => {}
            Some(part) => {
                // A code that repeats the first line's is taken off.
                let repeated = EnhancedCode::split_prefix(&text).filter(|(found, _)| Some(*found) == part.enhanced);
                part.lines.push(repeated.map_or(&*text, |(_, behind)| behind).to_owned());
            }
        }
        Ok(more)
    }
}

fn split_code(line: &[u8]) -> Option<(u16, &[u8])> {
    let (code, rest) = line.split_at_checked(3)?;
    let digit = |i: usize| code[i].is_ascii_digit().then(|| u16::from(code[i] - b'0'));
    let code = digit(0)? * 100 + digit(1)? * 10 + digit(2)?;
    (200..600).contains(&code).then_some((code, rest))
}

/// The text as it can be stored and shown anywhere.
fn clean(text: &[u8]) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(text);
    // Of octets that are no control character nearly every text is made: then nothing is copied.
    let is_plain = text.bytes().all(|octet| (b' '..0x7f).contains(&octet));
    if is_plain || !text.chars().any(char::is_control) {
        return text;
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Appends a reply. A text that is too long for a line goes on in the next one.
pub fn encode(reply: &Reply, out: &mut BytesMut) {
    let mut enhanced = Short::<16>::new();
    if let Some(code) = reply.enhanced {
        // Writing into memory cannot fail.
        let _ = write!(enhanced, "{code} ");
    }
    let enhanced = enhanced.as_str().as_bytes();
    // Code, mark, CRLF.
    let room = LINE_WRITTEN_MOST - 6 - enhanced.len();
    let mut pieces = reply.lines.iter().flat_map(|line| wrap(line, room));
    let mut piece = pieces.next().unwrap_or_default();
    loop {
        let next = pieces.next();
        let digit = |unit: u16| b'0' + (reply.code / unit % 10) as u8;
        out.extend_from_slice(&[digit(100), digit(10), digit(1), if next.is_none() { b' ' } else { b'-' }]);
        out.extend_from_slice(enhanced);
        let text = out.len();
        out.extend_from_slice(piece.as_bytes());
        // A reply that quotes a stranger must not end early.
        out[text..].iter_mut().filter(|b| **b < b' ' || **b == 0x7f).for_each(|b| *b = b' ');
        out.extend_from_slice(b"\r\n");
        match next {
            Some(next) => piece = next,
            None => return,
        }
    }
}

/// Cuts a text into pieces of at most `room` octets, at a blank where there is one.
fn wrap(text: &str, room: usize) -> impl Iterator<Item = &str> {
    let mut left = Some(text);
    std::iter::from_fn(move || {
        let text = left.take()?;
        if text.len() <= room {
            return Some(text);
        }
        let end = (0..=room).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let end = text[..end].rfind(' ').filter(|&at| at > 0).unwrap_or(end);
        left = Some(text[end..].trim_start_matches(' '));
        Some(&text[..end])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_all(text: &[u8]) -> Result<Vec<String>, ReplyError> {
        let (mut reader, mut input, mut out) = (ReplyReader::new(), BytesMut::from(text), Vec::new());
        while let Some(reply) = reader.read(&mut input)? {
            out.push(format!("{} {:?} {:?}", reply.code, reply.enhanced.map(|e| e.to_string()), reply.lines));
        }
        Ok(out)
    }

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(read_all(text.as_bytes()).unwrap(), expected, "{text:?}");
        // The same, an octet at a time.
        let (mut reader, mut input, mut count) = (ReplyReader::new(), BytesMut::new(), 0);
        for b in text.bytes() {
            input.extend_from_slice(&[b]);
            count += usize::from(reader.read(&mut input).unwrap().is_some());
        }
        assert_eq!(count, expected.len(), "{text:?}");
    }

    #[test]
    fn replies_are_read_in_full() {
        check("250 ok\r\n", &[r#"250 None ["ok"]"#]);
        check("250\r\n", &[r#"250 None [""]"#]);
        check("250 2.1.0 ok\r\n354 go\r\n", &[r#"250 Some("2.1.0") ["ok"]"#, r#"354 None ["go"]"#]);
        check("550-5.7.1 no\r\n550-5.7.1 see\r\n550 5.7.1 there\r\n", &[r#"550 Some("5.7.1") ["no", "see", "there"]"#]);
        check("550-5.7.1 no\r\n550 see\r\n", &[r#"550 Some("5.7.1") ["no", "see"]"#]);
        check("550 5.7.1\r\n", &[r#"550 Some("5.7.1") [""]"#]);
        check("250-mx\n250 SIZE\n", &[r#"250 None ["mx", "SIZE"]"#]);
        check("250-one\r\n250\r\n", &[r#"250 None ["one", ""]"#]);
    }

    #[test]
    fn a_code_of_another_class_stays_text() {
        check("550 2.0.0 odd\r\n", &[r#"550 None ["2.0.0 odd"]"#]);
    }

    #[test]
    fn what_cannot_be_shown_is_made_so() {
        assert_eq!(read_all(b"550 a\x1b[31m\xff\r\n").unwrap(), ["550 None [\"a [31m\u{fffd}\"]"]);
    }

    #[test]
    fn malformed_replies_are_told_apart() {
        for (text, error) in [
            ("hello\r\n", ReplyError::NoCode),
            ("25 ok\r\n", ReplyError::NoCode),
            ("150 ok\r\n", ReplyError::NoCode),
            ("650 ok\r\n", ReplyError::NoCode),
            ("2500 ok\r\n", ReplyError::NoCode),
            ("\r\n", ReplyError::NoCode),
            ("250-a\r\n251 b\r\n", ReplyError::CodeChanges),
        ] {
            assert_eq!(read_all(text.as_bytes()), Err(error), "{text:?}");
        }
        let endless = "250-more\r\n".repeat(LINES_MOST + 1);
        assert_eq!(read_all(endless.as_bytes()), Err(ReplyError::TooManyLines));
        let much = format!("250-{}\r\n", "x".repeat(4000)).repeat(20);
        assert_eq!(read_all(much.as_bytes()), Err(ReplyError::TooLong));
        let long = format!("250 {}", "x".repeat(LINE_MOST));
        assert_eq!(read_all(long.as_bytes()), Err(ReplyError::LineTooLong));
        assert!(read_all(format!("250 {}\r\n", "x".repeat(LINE_MOST - 6)).as_bytes()).is_ok());
    }

    /// A refusal of more than a hundred lines was taken for a broken server, and tried again for days.
    #[test]
    fn a_long_refusal_counts_by_its_code() {
        let long = format!("{}550 5.7.1 last\r\n220 next\r\n", "550-5.7.1 no\r\n".repeat(LINES_MOST - 1));
        let (mut reader, mut input) = (ReplyReader::new(), BytesMut::from(long.as_str()));
        let reply = reader.read(&mut input).unwrap().unwrap();
        assert_eq!((reply.code, reply.lines.len()), (550, LINES_KEPT));
        assert!(reply.lines.iter().all(|line| line == "no"));
        assert_eq!(reader.read(&mut input).unwrap().unwrap().code, 220, "each reply has bounds of its own");
        let changing = format!("{}250 ok\r\n", "550-no\r\n".repeat(LINES_KEPT + 1));
        assert_eq!(read_all(changing.as_bytes()), Err(ReplyError::CodeChanges));
    }

    fn encoded(reply: &Reply) -> String {
        let mut out = BytesMut::new();
        encode(reply, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn the_enhanced_code_stands_on_every_line() {
        let mut reply = Reply::new(550, EnhancedCode(5, 7, 1), "no");
        reply.lines.push("see there".into());
        assert_eq!(encoded(&reply), "550-5.7.1 no\r\n550 5.7.1 see there\r\n");
        assert_eq!(encoded(&Reply::bare(354, "go")), "354 go\r\n");
        assert_eq!(encoded(&Reply { code: 250, enhanced: None, lines: vec![] }), "250 \r\n");
    }

    #[test]
    fn a_long_or_hostile_text_stays_within_lines() {
        let reply = Reply::new(550, EnhancedCode(5, 7, 1), "wörd ".repeat(300) + "\r\n250 ok");
        let text = encoded(&reply);
        assert!(text.split("\r\n").all(|line| line.len() <= 510));
        assert!(text.split_terminator("\r\n").all(|line| line.starts_with("550")));
        let back = read_all(text.as_bytes()).unwrap();
        assert_eq!(back.len(), 1);
    }

    proptest::proptest! {
        /// Any octets are read within the bounds, and where they were cut makes no difference.
        #[test]
        fn any_octets_are_read(
            octets in "([2-5][0-9]{2}[- ]?[0-9.a-z]{0,9}\r?\n|[ -~]{0,5}\n?){0,6}",
            cut in 0usize..40,
        ) {
            let (first, second) = octets.as_bytes().split_at(cut.min(octets.len()));
            let (mut reader, mut input, mut count, mut failed) = (ReplyReader::new(), BytesMut::new(), 0, None);
            for piece in [first, second] {
                input.extend_from_slice(piece);
                while failed.is_none() {
                    match reader.read(&mut input) {
                        Ok(Some(_)) => count += 1,
                        Ok(None) => break,
                        Err(e) => failed = Some(e),
                    }
                }
            }
            match read_all(octets.as_bytes()) {
                Ok(replies) => proptest::prop_assert_eq!((replies.len(), None), (count, failed)),
                Err(e) => proptest::prop_assert_eq!(Some(e), failed),
            }
        }

        #[test]
        fn what_is_encoded_reads_back(
            code in 200u16..600,
            lines in proptest::collection::vec("[ -~ä\r\n]{0,600}", 1..4),
        ) {
            let text = encoded(&Reply { code, enhanced: None, lines });
            proptest::prop_assert!(text.split("\r\n").all(|line| line.len() <= 510));
            proptest::prop_assert_eq!(read_all(text.as_bytes()).unwrap().len(), 1);
        }
    }
}
