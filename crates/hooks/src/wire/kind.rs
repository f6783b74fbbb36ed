//! The types of events, and which of them a reader wants.

use std::str::FromStr;

use super::Told;

/// What happened, in one word; the member `type` of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Type {
    Accepted,
    Held,
    Released,
    Deferred,
    Delivered,
    Bounced,
    Complained,
    Unsubscribed,
    Suppressed,
    Cancelled,
    IncidentOpened,
    IncidentClosed,
}

impl Type {
    pub const ALL: [Type; 12] = [
        Type::Accepted,
        Type::Held,
        Type::Released,
        Type::Deferred,
        Type::Delivered,
        Type::Bounced,
        Type::Complained,
        Type::Unsubscribed,
        Type::Suppressed,
        Type::Cancelled,
        Type::IncidentOpened,
        Type::IncidentClosed,
    ];

    /// The same as [`Type::as_str`], for lists of choices.
    pub const NAMES: [&'static str; 12] = {
        let mut names = [""; 12];
        let mut n = 0;
        while n < names.len() {
            names[n] = Type::ALL[n].as_str();
            n += 1;
        }
        names
    };

    pub const fn as_str(self) -> &'static str {
        match self {
            Type::Accepted => "accepted",
            Type::Held => "held",
            Type::Released => "released",
            Type::Deferred => "deferred",
            Type::Delivered => "delivered",
            Type::Bounced => "bounced",
            Type::Complained => "complained",
            Type::Unsubscribed => "unsubscribed",
            Type::Suppressed => "suppressed",
            Type::Cancelled => "cancelled",
            Type::IncidentOpened => "incident.opened",
            Type::IncidentClosed => "incident.closed",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no event {name:?}: there are {all}", all = Type::NAMES.join(", "))]
pub struct TypeError {
    name: String,
}

impl FromStr for Type {
    type Err = TypeError;

    fn from_str(text: &str) -> Result<Type, TypeError> {
        Type::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| TypeError { name: text.to_owned() })
    }
}

/// A set of types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Types(u16);

impl Types {
    pub const ALL: Types = Types(u16::MAX);

    pub fn has(self, kind: Type) -> bool {
        self.0 & 1 << kind as u16 != 0
    }
}

impl FromIterator<Type> for Types {
    fn from_iter<I: IntoIterator<Item = Type>>(all: I) -> Types {
        Types(all.into_iter().fold(0, |set, kind| set | 1 << kind as u16))
    }
}

/// Which events a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    pub types: Types,
    /// `None`: of every account, and what concerns the whole server.
    pub account: Option<String>,
}

impl Filter {
    pub const ALL: Filter = Filter { types: Types::ALL, account: None };

    pub fn takes(&self, event: &Told) -> bool {
        self.types.has(event.kind) && self.account.as_deref().is_none_or(|a| event.account.as_deref() == Some(a))
    }
}
