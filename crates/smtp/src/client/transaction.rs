//! One transaction to be sent, and what of it a server cannot take, known before a word of it
//! is said.

use std::borrow::Cow;

use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Body, Content, Culprit, EnhancedCode, Outcome, Recipient, Stage, Verdict};

use super::Extensions;
use crate::command::{MailParams, RcptParams};

/// A message for recipients of one server.
#[derive(Clone, Copy, Debug)]
pub struct Transaction<'a> {
    /// `None` is the null sender.
    pub from: Option<&'a Address>,
    pub options: &'a EnvelopeOptions,
    /// At least one, and no more than the server is to be asked for at once.
    pub recipients: &'a [&'a Recipient],
    pub content: &'a Content,
    /// Whether it may go by BDAT where the server takes that; not where that has failed before. BINARYMIME knows no other way.
    pub chunks: bool,
}

impl Transaction<'_> {
    /// Why a server with these extensions cannot be given this message at all.
    pub(super) fn refused(&self, offered: &Extensions) -> Option<Outcome> {
        let size = self.content.len() as u64;
        if let Some(most) = offered.size_most.filter(|&most| size > most) {
            let text = format!("the message has {size} octets, and the server takes {most} at most");
            return Some(failed(Stage::Mail, EnhancedCode(5, 3, 4), text));
        }
        if self.options.require_tls && !offered.require_tls {
            let text = "the sender asked for REQUIRETLS, and the server does not offer it";
            return Some(failed(Stage::Mail, EnhancedCode(5, 7, 30), text));
        }
        // Before what it is a case of: a header that is not ASCII is 8-bit content too.
        if !offered.smtputf8 && (self.from.is_some_and(Address::needs_smtputf8) || self.header_is_utf8()) {
            return Some(no_smtputf8(Stage::Mail));
        }
        let takes_body = match self.options.body {
            Body::SevenBit => true,
            // What says that it is 8-bit and is not, needs nothing.
            Body::EightBitMime => offered.eight_bit_mime || self.content.chunks().iter().all(|c| c.is_ascii()),
            Body::BinaryMime => offered.binary_mime && offered.chunking,
        };
        if !takes_body {
            let text = "the message has 8-bit content, and the server offers no 8BITMIME (or no BINARYMIME)";
            return Some(failed(Stage::Mail, EnhancedCode(5, 6, 3), text));
        }
        None
    }

    /// Why one recipient cannot be named to a server with these extensions.
    pub(super) fn recipient_refused(&self, recipient: &Recipient, offered: &Extensions) -> Option<Outcome> {
        (!offered.smtputf8 && recipient.address.needs_smtputf8()).then(|| no_smtputf8(Stage::Rcpt))
    }

    pub(super) fn mail_params(&self, offered: &Extensions) -> MailParams {
        let options = self.options;
        let body = match options.body {
            Body::EightBitMime if !offered.eight_bit_mime => Body::SevenBit,
            body => body,
        };
        let utf8 = options.smtputf8
            || self.from.is_some_and(Address::needs_smtputf8)
            || self.recipients.iter().any(|r| r.address.needs_smtputf8());
        MailParams {
            size: offered.size.then_some(self.content.len() as u64),
            body,
            smtputf8: offered.smtputf8 && utf8,
            ret: options.ret.filter(|_| offered.dsn),
            envid: options.envid.clone().filter(|_| offered.dsn),
            require_tls: options.require_tls && offered.require_tls,
        }
    }

    pub(super) fn rcpt_params(recipient: &Recipient, offered: &Extensions) -> RcptParams {
        if !offered.dsn {
            return RcptParams::default();
        }
        let orcpt = recipient.orcpt.as_deref().map(|text| printable_orcpt(text).into_owned());
        RcptParams { notify: recipient.notify, orcpt }
    }

    /// Whether the header needs SMTPUTF8: asked for, and there is an octet beyond ASCII in it.
    fn header_is_utf8(&self) -> bool {
        if !self.options.smtputf8 {
            return false;
        }
        // The end of the header may lie across two chunks; then a little of the body is taken
        // for header, and a message that could perhaps have gone is refused.
        for chunk in self.content.chunks() {
            match memchr::memmem::find(chunk, b"\r\n\r\n") {
                Some(end) => return !chunk[..end].is_ascii(),
                None if !chunk.is_ascii() => return true,
                None => {}
            }
        }
        false
    }
}

/// RFC 6533 §3: what is not ASCII in an utf-8 address is written `\x{HEX}`, which passes every
/// server; xtext's own form would stand for octets.
fn printable_orcpt(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let one = |c: char| if c.is_ascii() { c.to_string() } else { format!("\\x{{{:X}}}", u32::from(c)) };
    Cow::Owned(text.chars().map(one).collect())
}

fn no_smtputf8(stage: Stage) -> Outcome {
    let text = "an address or header is not ASCII, and the server offers no SMTPUTF8";
    failed(stage, EnhancedCode(5, 6, 7), text)
}

fn failed(stage: Stage, status: EnhancedCode, text: impl Into<String>) -> Outcome {
    Outcome::ours(Verdict::Failed, stage, Culprit::Receiver, status, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_original_recipient_beyond_ascii_is_embedded() {
        assert_eq!(printable_orcpt("utf-8;jürgen@a.invalid"), "utf-8;j\\x{FC}rgen@a.invalid");
        assert_eq!(printable_orcpt("rfc822;a@a.invalid"), "rfc822;a@a.invalid");
    }
}
