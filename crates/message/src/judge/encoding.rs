//! Octets that paths and filters stumble over: `msg.lines`, `msg.encoding`.

use repute_types::{Level, Remark};

use super::{Letter, words};
use crate::header::Field;
use crate::scan;

pub(super) fn judge(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    lines(letter, remarks);
    for field in letter.header.fields() {
        eight_bit_field(&field, remarks);
        encoded(&field, remarks);
    }
}

fn lines(letter: &Letter<'_>, remarks: &mut Vec<Remark>) {
    let mut add = |level, sign, found: String, fix: &str| {
        remarks.push(Remark::new("msg.lines", level, found, fix).sign(sign));
    };
    let found = scan::scan_octets(letter.octets);
    if let Some(at) = found.nul {
        add(
            Level::Fail,
            "lines.nul",
            format!("there is a NUL octet at {at}"),
            "send binary content as a base64 attachment",
        );
    }
    if found.long_line {
        let text = "a line is longer than 998 octets, and servers cut or refuse it".to_owned();
        add(Level::Fail, "lines.long", text, "encode the body as quoted-printable; Repute does it at submission");
    }
    if let Some(at) = bare(letter.octets) {
        let text = format!("a line ends at octet {at} without CR LF, by which messages are smuggled");
        add(Level::Fail, "lines.bare", text, "end every line in CR LF; Repute refuses it over SMTP");
    }
    let body = &letter.octets[letter.header.body_start().min(letter.octets.len())..];
    if !body.is_ascii() && !declares_eight_bit(letter) {
        let text = "the body has octets beyond ASCII and is declared as 7bit".to_owned();
        let fix = "write Content-Transfer-Encoding: quoted-printable, or 8bit; Repute does it at submission";
        add(Level::Fail, "cte.bad7bit", text, fix);
    }
}

/// Where a CR or LF stands that is not part of CR LF.
fn bare(octets: &[u8]) -> Option<usize> {
    memchr::memchr2_iter(b'\r', b'\n', octets).find(|&at| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || octets[at - 1] != b'\r',
    })
}

/// The message itself, or some part of it, says that it is 8-bit; each part is not told apart.
fn declares_eight_bit(letter: &Letter<'_>) -> bool {
    let says = |line: &[u8]| {
        let value = line.get(26..).unwrap_or_default().trim_ascii();
        line.get(..26).is_some_and(|n| n.eq_ignore_ascii_case(b"content-transfer-encoding:"))
            && (value.eq_ignore_ascii_case(b"8bit") || value.eq_ignore_ascii_case(b"binary"))
    };
    letter.octets.split(|b| *b == b'\n').any(says)
}

fn eight_bit_field(field: &Field<'_>, remarks: &mut Vec<Remark>) {
    if field.value.is_ascii() {
        return;
    }
    let found = format!("{} has octets beyond ASCII as they are", field.name);
    let fix = "write them as encoded words (RFC 2047); Repute does it at submission";
    let sign = if field.is("Subject") { "subject.8bit" } else { "header.8bit" };
    remarks.push(Remark::new("msg.encoding", Level::Warn, found, fix).sign(sign));
}

/// Fields that hold words of people, where encoded words may stand (RFC 2047 §5).
const TEXT: [&str; 9] =
    ["Subject", "From", "To", "Cc", "Reply-To", "Sender", "Comments", "Content-Description", "Keywords"];
/// Fields in which an encoded word is wrong, and Gmail refuses it.
const STRUCTURED: [&str; 5] = ["Date", "Message-ID", "MIME-Version", "In-Reply-To", "References"];

fn encoded(field: &Field<'_>, remarks: &mut Vec<Remark>) {
    let name = field.name;
    if STRUCTURED.iter().any(|n| field.is(n)) {
        if !words::encoded(field.value).is_empty() {
            let found = format!("{name} holds an encoded word, which is not permitted there");
            let fix = format!("write {name} in plain ASCII");
            remarks.push(Remark::new("msg.encoding", Level::Fail, found, fix).sign("structured.encoded"));
        }
        return;
    }
    if !TEXT.iter().any(|n| field.is(n)) {
        return;
    }
    let found = words::encoded(field.value);
    if found.is_empty() || !found.iter().all(words::Word::is_needless) {
        return;
    }
    let sign = match (field.is("Subject"), found[0].method) {
        (true, b'b') => "subject.base64",
        (true, _) => "subject.qp",
        (false, b'b') if field.is("From") => "from.base64",
        _ => "",
    };
    let found = format!("{name} is encoded, and is plain ASCII behind it: filters take it for hiding");
    remarks.push(Remark::new("msg.encoding", Level::Warn, found, format!("write {name} as plain text")).sign(sign));
}
