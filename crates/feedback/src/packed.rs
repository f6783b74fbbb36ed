//! Reports that come as a file: DMARC aggregate reports and TLS reports, in an attachment or as the whole body.

use std::borrow::Cow;

use crate::Comeback;
use crate::mail::{Leaf, Mail, text_of};
use crate::unpack::{self, Inside, Refused, Room};
use crate::{dmarc, tlsrpt};

/// What a report that cannot be read is, and why it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// One sentence.
    pub why: String,
}

/// Why a file that is no report is none.
pub(crate) const NEITHER: &str = "there is neither XML nor JSON in it";

/// A bomb that packs badly, or a file that nobody calls a report.
const NEITHER_SO_FAR: &str = "it unpacks to more than 16 MiB, and there is neither XML nor JSON in what was read of it";

/// Of JSON nothing can be read where the end is missing.
const TOO_LARGE: &str = "it is larger than a report on TLS is: more than 16 MiB";

/// All reports that are attached, and after them why others cannot be read. Empty where no attachment is a report.
pub(crate) fn read(mail: &Mail<'_>) -> Vec<Comeback> {
    let is_announced = is_announced(mail);
    let (mut found, mut refused) = (Vec::new(), Vec::new());
    let mut room = Room::new();
    for leaf in mail.leaves.iter().filter(|leaf| may_be_report(leaf)) {
        let octets = leaf.octets(unpack::MOST + 1);
        let files = of_file(&octets, &mut room);
        if files.is_empty() && is_announced && unpack::is_packed(&octets) {
            // Packed three times, or something else: the mail of a machine, and no letter.
            refused.push(NEITHER.to_owned());
        }
        for file in files {
            match file {
                Ok(report) => found.push(report),
                Err(why) if is_announced && !refused.contains(&why) => refused.push(why),
                Err(_) => {}
            }
        }
    }
    found.extend(refused.into_iter().map(|why| Comeback::Unreadable(Unreadable { why })));
    found
}

/// A file as it is: packed or not, with one report in it or several. Empty where there is neither XML nor JSON in it.
pub(crate) fn of_file(octets: &[u8], room: &mut Room) -> Vec<Result<Comeback, String>> {
    let of_one = |inside| match inside {
        Ok(inside) => of_content(&inside),
        Err(why) => Some(Err(Refused::to_string(&why))),
    };
    unpack::unpack(octets, room).into_iter().filter_map(of_one).collect()
}

fn of_content(inside: &Inside<'_>) -> Option<Result<Comeback, String>> {
    let content = in_utf8(&inside.content);
    let content = content.trim_ascii_start();
    match content.first() {
        Some(b'<') => Some(dmarc::read(content, inside.is_cut).map(|report| Comeback::DmarcReport(Box::new(report)))),
        Some(b'{') if inside.is_cut => Some(Err(TOO_LARGE.to_owned())),
        Some(b'{') => Some(tlsrpt::read(content).map(|report| Comeback::TlsReport(Box::new(report)))),
        _ if inside.is_cut => Some(Err(NEITHER_SO_FAR.to_owned())),
        _ => None,
    }
}

/// Octets that a report may begin with, and no message: a mark of order (UTF-8, UTF-16), XML or JSON.
pub(crate) fn is_report_file(octets: &[u8]) -> bool {
    is_wide(octets) || matches!(without_mark(octets).first(), Some(b'<' | b'{')) || unpack::is_packed(octets)
}

fn without_mark(octets: &[u8]) -> &[u8] {
    octets.strip_prefix(b"\xef\xbb\xbf").unwrap_or(octets)
}

fn is_wide(octets: &[u8]) -> bool {
    octets.starts_with(b"\xff\xfe") || octets.starts_with(b"\xfe\xff")
}

/// What is in UTF-16, or says that it is in an older character set (XML 1.0 §4.3.3, appendix F).
fn in_utf8(octets: &[u8]) -> Cow<'_, [u8]> {
    if is_wide(octets) {
        let order = if octets[0] == 0xff { "utf-16le" } else { "utf-16be" };
        return Cow::Owned(text_of(&octets[2..], Some(order)).into_bytes());
    }
    let octets = without_mark(octets);
    match declared(octets) {
        Some(charset) if std::str::from_utf8(octets).is_err() => {
            Cow::Owned(text_of(octets, Some(&charset)).into_bytes())
        }
        _ => Cow::Borrowed(octets),
    }
}

/// The encoding of an XML declaration.
fn declared(octets: &[u8]) -> Option<String> {
    const LONGEST: usize = 200;
    let octets = octets.trim_ascii_start();
    let head = std::str::from_utf8(octets.get(..octets.len().min(LONGEST))?.split(|b| *b == b'>').next()?).ok()?;
    let value = head.strip_prefix("<?xml")?.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    Some(value[1..].split_once(quote)?.0.to_owned())
}

/// Whether a message says that it carries a report: its parts, names and subjects are as the RFCs have them.
fn is_announced(mail: &Mail<'_>) -> bool {
    let subject = mail.header.decoded("subject").unwrap_or_default().to_ascii_lowercase();
    // RFC 9990: receiver "!" domain "!" begin "!" end; RFC 8460 §5.1 the same.
    let is_named = |leaf: &Leaf<'_>| leaf.file_name().is_some_and(|name| name.matches('!').count() >= 2);
    mail.report_type.as_deref() == Some("tlsrpt")
        || mail.header.has("tls-report-domain")
        || (subject.contains("report") && (subject.contains("domain:") || subject.contains("dmarc")))
        || mail.leaves.iter().any(|leaf| leaf.kind.starts_with("application/tlsrpt") || is_named(leaf))
}

fn may_be_report(leaf: &Leaf<'_>) -> bool {
    const KINDS: [&str; 11] = [
        "application/gzip",
        "application/x-gzip",
        "application/zip",
        "application/x-zip-compressed",
        "application/x-zip",
        "application/tlsrpt+gzip",
        "application/tlsrpt+json",
        "application/json",
        "application/xml",
        "text/xml",
        "application/octet-stream",
    ];
    const NAMES: [&str; 5] = [".xml", ".xml.gz", ".zip", ".json", ".json.gz"];
    KINDS.contains(&leaf.kind.as_str())
        || leaf.file_name().is_some_and(|name| NAMES.iter().any(|end| name.ends_with(end)))
}
