//! One webhook as it is configured.

use std::time::Duration;

use crate::guard::Reach;
use crate::secret::Secret;
use crate::target::Target;
use crate::wire::{Filter, Types};

#[derive(Clone, Debug, PartialEq)]
pub struct Webhook {
    /// By this it is known over restarts: how far it has come, what waits for it.
    pub name: String,
    pub target: Target,
    /// Each signs; never empty.
    pub secrets: Vec<Secret>,
    pub types: Types,
    /// `None`: events of all accounts, and incidents.
    pub account: Option<String>,
    /// Events in one request, at most; 1 sends each by itself, unwrapped.
    pub batch: usize,
    /// How long a batch that is not full waits for more.
    pub batch_wait: Duration,
    /// For one request, from looking up the name to the head of the answer.
    pub timeout: Duration,
    /// Requests under way at once.
    pub connections: usize,
    /// Receivers on this machine and in its private networks may be called.
    pub allow_private: bool,
}

impl Webhook {
    pub fn filter(&self) -> Filter {
        Filter { types: self.types, account: self.account.clone() }
    }

    pub(crate) fn reach(&self) -> Reach {
        if self.allow_private { Reach::Private } else { Reach::Public }
    }
}
