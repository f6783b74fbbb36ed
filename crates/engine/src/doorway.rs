//! The door's real side: the works as listeners see them.

use std::net::IpAddr;
use std::sync::Arc;

use repute_spool::{BoxFuture, Committed};
use repute_types::event::Level;
use repute_types::{Address, EventKind, Labels, MessageId, Recipient, Reply, files};

use crate::allowance::{self, Allowance};
use crate::door::{Account, AuthRefused, Crowd, Door, Protocol, Returned, ScramSecret, Submitted};
use crate::intake;
use crate::returned;
use crate::suppress;
use crate::works::Works;

impl Door for Works {
    fn password<'a>(&'a self, name: &'a str, password: &'a str) -> BoxFuture<'a, Result<Arc<Account>, AuthRefused>> {
        Box::pin(self.accounts.password(name, password))
    }

    fn scram(&self, name: &str) -> (ScramSecret, Option<Arc<Account>>) {
        self.accounts.scram(name)
    }

    fn known_address(&self, client: IpAddr) -> Option<Arc<Account>> {
        self.accounts.known_address(client)
    }

    fn may_send_from(&self, account: &Account, from: Option<&Address>) -> Result<(), Reply> {
        intake::may_send_from(&self.settings(), account, from)?;
        allowance::check(self, &account.name)
    }

    fn allowance(&self, account: &str) -> Option<Allowance> {
        allowance::of(self, account)
    }

    fn may_send_to(&self, account: &Account, recipient: &Recipient, labels: Option<&Labels>) -> Result<(), Reply> {
        suppress::may_send_to(self, &account.name, labels, &recipient.address)
    }

    fn accept(&self, submitted: Submitted) -> BoxFuture<'_, Result<Committed, Reply>> {
        Box::pin(intake::accept(self, submitted))
    }

    fn refused(&self, client: IpAddr, account: Option<&str>, reply: &Reply) {
        let account = account.map(Into::into);
        self.emit(EventKind::Refused { account, client: Some(client), reply: reply.clone() });
    }

    fn hindered(&self, why: &std::io::Error) {
        let text = format!("clients wait, because no more can be taken in: {why}; {}", files::LET_OPEN_MORE);
        self.note(Level::Warning, "listener", text);
    }

    fn crowded(&self, crowd: Crowd) {
        let Crowd { of, clients, addresses, most, sent_away, lasts } = crowd;
        let most = most.map_or(String::new(), |(address, count)| format!(", {count} of them from {address}"));
        let since = self.now() - lasts;
        let (whose, with) = match of {
            Protocol::Smtp => ("", "421"),
            Protocol::Http => (" of HTTP", "503"),
        };
        let text = format!(
            "{clients} clients{whose} at once, which is all that `connections` in [limits] lets in, from {addresses} \
             address(es){most}: for further ones, strangers are let go who have said nothing yet, and where there are none, \
             further ones are turned away, in all {sent_away} with {with} since {since}; find out who they are (ss -tn), keep \
             strangers out with a firewall, lower `connections_per_client`, or raise `connections`"
        );
        self.note(Level::Warning, "listener", text);
    }

    fn may_return_to(&self, recipient: &Address) -> Result<(), Reply> {
        returned::addressed(self, &self.settings(), recipient).map(drop)
    }

    fn accept_returned(&self, returned: Returned) -> BoxFuture<'_, Result<MessageId, Reply>> {
        Box::pin(returned::keep(self, returned))
    }
}
