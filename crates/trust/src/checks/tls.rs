//! TLS of mail to us: who is told when it fails.

use repute_types::Domain;

use super::Finding;
use crate::lookup::Answer;

/// `_smtp._tls.DOMAIN` (RFC 8460 §3).
pub fn reports(domain: &Domain, answer: &Answer) -> Finding {
    let (id, name) = ("in.tlsrpt", format!("_smtp._tls.{domain}"));
    let line = format!("{name}. IN TXT \"v=TLSRPTv1; rua=mailto:tls@{domain}\"");
    let records: Vec<String> = answer.texts().iter().map(|t| String::from_utf8_lossy(t).into_owned()).collect();
    let ours: Vec<&String> = records.iter().filter(|t| t.starts_with("v=TLSRPTv1")).collect();
    match (answer, ours.as_slice()) {
        (Answer::Failure(why), _) => Finding::unknown(id, domain, format!("the record at {name}"), why),
        (_, []) => {
            Finding::warn(id, domain, format!("nobody is told when TLS to {domain} fails: {name} has no record"))
                .fix("publish this record; the mailbox in it gets daily reports")
                .record(line)
        }
        (_, [one]) if has_mailbox(one) => {
            Finding::pass(id, domain, format!("failures of TLS to {domain} are reported"))
        }
        (_, [_]) => Finding::warn(id, domain, format!("the record at {name} names no mailto: or https: in rua="))
            .fix("publish this record in place of it")
            .record(line),
        (_, several) => {
            Finding::warn(id, domain, format!("{name} has {} records, so none of them counts", several.len()))
                .fix("keep one of them")
        }
    }
    .for_domain(domain)
}

fn has_mailbox(record: &str) -> bool {
    let rua = record.split(';').filter_map(|tag| tag.trim().strip_prefix("rua="));
    let mut uris = rua.flat_map(|value| value.split(','));
    uris.any(|uri| uri.trim().starts_with("mailto:") || uri.trim().starts_with("https:"))
}
