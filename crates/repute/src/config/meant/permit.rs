//! Permits and the watch.

use std::time::Duration;

use repute_trust::checks::catalogue;
use repute_trust::checks::catalogue::within;
use repute_types::Address;
use toml::Spanned;

use super::super::nearest::nearest;
use super::{Checking, typed};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    pub enforce: bool,
    /// Checks, or groups of them, that are taken as passed.
    pub assume: Vec<String>,
    pub watch: bool,
    /// The watch connects to mail servers too.
    pub connect: bool,
    pub mail_to: Option<Address>,
    /// Of the history of trust.
    pub keep: Duration,
}

pub fn check(c: &mut Checking, permit: typed::Permit, watch: typed::Watch) -> Permit {
    if *permit.enforce.get_ref() && !watch.enabled.get_ref() {
        let cure = "write `enforce = false` into [permit], or leave the watch on";
        c.fault(watch.enabled.span(), "without the watch no mail would ever get a permit", cure);
    }
    for id in &permit.assume {
        if within(id.get_ref()).is_empty() {
            let known = catalogue().iter().map(|entry| entry.id.as_str());
            let cure = match nearest("-", id.get_ref(), known) {
                Some(near) => format!("write \"{near}\""),
                None => "`repute check --list` prints them all".to_owned(),
            };
            c.fault(id.span(), format!("there is no check `{}`", id.get_ref()), cure);
        }
    }
    Permit {
        enforce: *permit.enforce.get_ref(),
        assume: permit.assume.into_iter().map(Spanned::into_inner).collect(),
        watch: *watch.enabled.get_ref(),
        connect: watch.connect,
        mail_to: watch.mail_to,
        keep: watch.keep.0,
    }
}
