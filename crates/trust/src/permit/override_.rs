//! What an operator says about permits, for a time and with a reason.

use std::net::IpAddr;

use repute_types::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Word {
    Allow,
    Suspend,
}

impl Word {
    pub fn as_str(self) -> &'static str {
        match self {
            Word::Allow => "allow",
            Word::Suspend => "suspend",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Override {
    pub word: Word,
    /// `None`: every address.
    pub address: Option<IpAddr>,
    /// `None`: every domain.
    pub domain: Option<Domain>,
    pub at: Timestamp,
    /// It ends by itself.
    pub until: Timestamp,
    pub reason: String,
    /// Who said it.
    pub who: String,
}

impl Override {
    pub fn is_over(&self, now: Timestamp) -> bool {
        self.until <= now
    }

    /// Whether it speaks of mail of this domain from this address. Mail by a relay host
    /// (`address` is `None`) is meant only where every address is.
    pub fn covers(&self, address: Option<IpAddr>, domain: Option<&Domain>) -> bool {
        (self.address.is_none() || self.address == address) && (self.domain.is_none() || self.domain.as_ref() == domain)
    }

    /// Whether it is about the same routes.
    pub fn is_about(&self, address: Option<IpAddr>, domain: Option<&Domain>) -> bool {
        self.address == address && self.domain.as_ref() == domain
    }
}
