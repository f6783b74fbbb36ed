//! The door's real side: the works as listeners see them.

use std::net::IpAddr;
use std::sync::Arc;

use repute_ledger::ReturnedMail;
use repute_spool::{BoxFuture, Committed};
use repute_types::event::Level;
use repute_types::{Address, EnhancedCode, EventKind, MessageId, Recipient, Reply};

use crate::door::{Account, AuthRefused, Door, Returned, ScramSecret, Submitted};
use crate::intake;
use crate::works::Works;

impl Door for Works {
    fn password<'a>(
        &'a self,
        name: &'a str,
        password: &'a str,
        client: IpAddr,
    ) -> BoxFuture<'a, Result<Arc<Account>, AuthRefused>> {
        Box::pin(self.accounts.password(name, password, client))
    }

    fn scram(&self, name: &str) -> (ScramSecret, Option<Arc<Account>>) {
        self.accounts.scram(name)
    }

    fn known_address(&self, client: IpAddr) -> Option<Arc<Account>> {
        let settings = self.settings();
        let known = settings.accounts.iter().find(|a| a.addresses.iter().any(|range| range.contains(client)));
        known.map(|a| a.account.clone())
    }

    fn may_send_from(&self, account: &Account, from: Option<&Address>) -> Result<(), Reply> {
        intake::may_send_from(&self.settings(), account, from)
    }

    fn may_send_to(&self, _account: &Account, _recipient: &Recipient) -> Result<(), Reply> {
        // Suppression will refuse here; an address that exists as a value is well formed.
        Ok(())
    }

    fn accept(&self, submitted: Submitted) -> BoxFuture<'_, Result<Committed, Reply>> {
        Box::pin(intake::accept(self, submitted))
    }

    fn refused(&self, client: IpAddr, account: Option<&str>, reply: &Reply) {
        let account = account.map(Into::into);
        self.emit(EventKind::Refused { account, client: Some(client), reply: reply.clone() });
    }

    fn may_return_to(&self, recipient: &Address) -> Result<(), Reply> {
        if self.doors.returned.is_some() && self.settings().is_return_path(recipient) {
            return Ok(());
        }
        let text = format!("relaying denied: {} is not a return path of this server", recipient.domain());
        Err(Reply::new(550, EnhancedCode(5, 7, 1), text))
    }

    fn accept_returned(&self, returned: Returned) -> BoxFuture<'_, Result<MessageId, Reply>> {
        Box::pin(keep_returned(self, returned))
    }
}

/// Mail to a return path is kept whole before it is taken; what it says is read later.
async fn keep_returned(works: &Works, returned: Returned) -> Result<MessageId, Reply> {
    let later = || Reply::new(452, EnhancedCode(4, 3, 1), "the message cannot be stored now; try again later");
    let store = works.doors.returned.as_ref().ok_or_else(later)?;
    let now = works.now();
    let id = works.ids.next(now);
    let Returned { from, recipients, content, origin } = returned;
    let mail = ReturnedMail { id, at: now, from, recipients: recipients.clone(), content };
    if let Err(error) = store.keep(mail).await {
        works.note(Level::Error, "returned", format!("a returned message could not be kept: {error}"));
        return Err(later());
    }
    for recipient in recipients {
        works.emit(EventKind::Returned { message: id, recipient, client: origin.client });
    }
    Ok(id)
}
