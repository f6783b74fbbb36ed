//! The envelope (RFC 5321 §2.3.1): who sends, to whom, and what was asked for on the way
//! (8BITMIME, SMTPUTF8, DSN, REQUIRETLS). It is not the header.

use serde::{Deserialize, Serialize};

use crate::Address;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The return path; `None` is the null sender `<>` of notices.
    pub from: Option<Address>,
    pub recipients: Vec<Recipient>,
    pub options: EnvelopeOptions,
}

/// What MAIL FROM asked for beside the sender. Stored with the message, sent on where the
/// next server offers it.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct EnvelopeOptions {
    pub body: Body,
    /// RFC 6531: an address or header is in UTF-8.
    pub smtputf8: bool,
    /// RFC 8689: only over verified TLS to servers that promise the same.
    pub require_tls: bool,
    /// RFC 8689 §5: goes also where the TLS that the recipients' domains ask for cannot be had. Of our own reports on TLS.
    pub tls_optional: bool,
    /// RFC 3461 §4.3.
    pub ret: Option<Ret>,
    /// RFC 3461 §4.4, decoded from xtext.
    pub envid: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Body {
    #[default]
    SevenBit,
    /// RFC 6152.
    EightBitMime,
    /// RFC 3030; only with BDAT.
    BinaryMime,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ret {
    Full,
    Headers,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipient {
    pub address: Address,
    pub notify: Notify,
    /// RFC 3461 §4.2, `addr-type;address` with the address decoded from xtext.
    pub orcpt: Option<String>,
}

impl Recipient {
    pub fn to(address: Address) -> Recipient {
        Recipient { address, notify: Notify::default(), orcpt: None }
    }
}

/// RFC 3461 §4.1. The default, where nothing was asked, is failure and delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Notify {
    #[default]
    Unsaid,
    Never,
    /// At least one is set.
    On {
        success: bool,
        failure: bool,
        delay: bool,
    },
}

impl Notify {
    pub fn on_failure(self) -> bool {
        matches!(self, Notify::Unsaid | Notify::On { failure: true, .. })
    }

    pub fn on_delay(self) -> bool {
        matches!(self, Notify::Unsaid | Notify::On { delay: true, .. })
    }

    pub fn on_success(self) -> bool {
        matches!(self, Notify::On { success: true, .. })
    }
}
