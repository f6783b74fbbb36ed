//! Reports that come as a file: DMARC aggregate reports and TLS reports, in an attachment or as the whole body.

use crate::Comeback;
use crate::mail::{Leaf, Mail};
use crate::{dmarc, tlsrpt, unpack};

/// What a report that cannot be read is, and why it cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// One sentence.
    pub why: String,
}

/// Why a file that is no report is none.
pub(crate) const NEITHER: &str = "there is neither XML nor JSON in it";

/// `None` where no attachment is a report.
pub(crate) fn read(mail: &Mail<'_>) -> Option<Comeback> {
    let is_announced = is_announced(mail);
    let mut refused = None;
    for leaf in mail.leaves.iter().filter(|leaf| may_be_report(leaf)).take(4) {
        let octets = leaf.octets(unpack::MOST + 1);
        match of_file(&octets) {
            Some(Ok(found)) => return Some(found),
            Some(Err(why)) if is_announced => refused = refused.or(Some(why)),
            // Packed twice, or something else: the mail of a machine, and no letter.
            None if is_announced && unpack::is_packed(&octets) => refused = refused.or(Some(NEITHER.to_owned())),
            _ => {}
        }
    }
    refused.map(|why| Comeback::Unreadable(Unreadable { why }))
}

/// A file as it is: packed or not. `None` where it is neither XML nor JSON.
pub(crate) fn of_file(octets: &[u8]) -> Option<Result<Comeback, String>> {
    let content = match unpack::unpack(octets) {
        Ok(content) => content,
        Err(why) => return Some(Err(why.to_string())),
    };
    let content = content.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&content).trim_ascii_start();
    match content.first()? {
        b'<' => Some(dmarc::read(content).map(|report| Comeback::DmarcReport(Box::new(report)))),
        b'{' => Some(tlsrpt::read(content).map(|report| Comeback::TlsReport(Box::new(report)))),
        _ => None,
    }
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
