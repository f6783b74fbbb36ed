//! Reads a message's content off the wire: finds the end, takes dot-stuffing off, and checks
//! line ends (RFC 5321 §2.3.8, §4.1.1.4, §4.5.2).
//!
//! Promise: the end is CR LF . CR LF and nothing else. A bare LF, a bare CR or a NUL anywhere
//! is a fault, because servers that read such content as ended lines can be made to see a
//! second message in it ("SMTP smuggling", 2023). After a fault nothing more is handed on, but
//! the true end is still found. The result does not depend on how the input is cut.
//!
//! Of a program of this machine that ends its commands in LF alone ([`LineReader::bare_data`]) an LF is a line end, as it is for
//! every program that has a `sendmail -bs`: with or without a CR before it, and handed on as CR LF. Nobody else reads what it
//! says, so there is nobody to see another end.

/// Why content is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A CR without LF, or an LF without CR.
    BareLineEnd,
    Nul,
}

/// What the octets so far ended in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    LineStart,
    /// A dot at the start of a line; not handed on.
    Dot,
    /// The same and a CR; neither handed on.
    DotCr,
    Text,
    /// A CR within or at the end of a line; handed on already.
    Cr,
}

#[derive(Debug)]
pub struct LineReader {
    at: At,
    fault: Option<Fault>,
    dots: bool,
    /// An LF alone ends a line.
    bare: bool,
}

/// Where the octets that matter nothing end.
enum Plain {
    /// Here, or behind a line end.
    Until(usize),
    /// At an LF alone that ends a line.
    BareEnd(usize),
}

impl LineReader {
    /// For DATA: dots are taken off, a lone dot ends.
    pub fn data() -> LineReader {
        LineReader { at: At::LineStart, fault: None, dots: true, bare: false }
    }

    /// The same for whoever ends lines in LF alone.
    pub fn bare_data() -> LineReader {
        LineReader { bare: true, ..LineReader::data() }
    }

    /// For BDAT: dots mean nothing, and the end is known to the caller.
    pub fn chunk() -> LineReader {
        LineReader { at: At::LineStart, fault: None, dots: false, bare: false }
    }

    pub fn fault(&self) -> Option<Fault> {
        self.fault
    }

    /// At the end of BDAT content: whether it ended within a line. A last CR alone is a fault.
    pub fn finish(&mut self) -> bool {
        if self.at == At::Cr {
            self.note(Fault::BareLineEnd);
        }
        self.at != At::LineStart
    }

    /// Reads `input`, hands content to `sink` in pieces as long as possible; returns how many
    /// octets were used and whether the end was reached.
    pub fn read(&mut self, input: &[u8], mut sink: impl FnMut(&[u8])) -> (usize, bool) {
        // `from..i` is content that is not handed on yet.
        let (mut i, mut from) = (0, 0);
        while i < input.len() {
            match self.at {
                At::LineStart if self.dots && input[i] == b'.' => {
                    self.hand(&input[from..i], &mut sink);
                    self.at = At::Dot;
                    i += 1;
                    from = i;
                }
                At::Dot if input[i] == b'\r' => {
                    self.at = At::DotCr;
                    i += 1;
                    from = i;
                }
                At::DotCr if input[i] == b'\n' => return (i + 1, true),
                At::Dot if self.bare && input[i] == b'\n' => return (i + 1, true),
                At::DotCr => {
                    self.note(Fault::BareLineEnd);
                    self.at = At::Text;
                }
                At::Cr => {
                    if input[i] == b'\n' {
                        self.at = At::LineStart;
                        i += 1;
                    } else {
                        self.note(Fault::BareLineEnd);
                        self.at = At::Text;
                    }
                }
                At::LineStart | At::Dot | At::Text => match self.text(input, i) {
                    Plain::Until(end) => i = end,
                    Plain::BareEnd(end) => {
                        self.hand(&input[from..end], &mut sink);
                        self.hand(b"\r\n", &mut sink);
                        (i, from) = (end + 1, end + 1);
                    }
                },
            }
        }
        self.hand(&input[from..], &mut sink);
        (input.len(), false)
    }

    /// Goes on from `i` to behind the next octet that matters; the hot loop.
    fn text(&mut self, input: &[u8], i: usize) -> Plain {
        self.at = At::Text;
        let Some(found) = memchr::memchr3(b'\r', b'\n', 0, &input[i..]) else { return Plain::Until(input.len()) };
        let at = i + found;
        match input[at] {
            b'\r' => match input.get(at + 1) {
                Some(b'\n') => {
                    self.at = At::LineStart;
                    return Plain::Until(at + 2);
                }
                _ => self.at = At::Cr,
            },
            b'\n' if self.bare => {
                self.at = At::LineStart;
                return Plain::BareEnd(at);
            }
            // The state stays `Text`: a dot after a bare LF is no dot at the start of a line.
            b'\n' => self.note(Fault::BareLineEnd),
            _ => self.note(Fault::Nul),
        }
        Plain::Until(at + 1)
    }

    fn note(&mut self, fault: Fault) {
        self.fault.get_or_insert(fault);
    }

    fn hand(&self, piece: &[u8], sink: &mut impl FnMut(&[u8])) {
        if self.fault.is_none() && !piece.is_empty() {
            sink(piece);
        }
    }
}
