//! Leaving a list: what a link or an address for it means, and doing it (RFC 8058).
//!
//! Promise: a token works for [`GOOD_FOR`] after the message was made, whether or not anything of
//! it is left; doing it twice does it once. Nobody without our key can make one for another.

use std::time::Duration;

use repute_feedback::Token;
use repute_ledger::suppression::{Entry, Query, Scope, Selection, Suppressions, Why};
use repute_types::event::Back;
use repute_types::{EventKind, Labels, MessageId};

use super::words::{BulkError, Leave, LeaveScope};
use crate::control::Control;
use crate::works::Works;

/// The page of a token is under the configured address and this.
pub const PAGE: &str = "/unsubscribe/";
/// Mail to this, `+`, the token at the return path's domain leaves.
pub const MAILTO: &str = "unsubscribe";
/// RFC 8058 says nothing; 60 days are what a recipient may expect, and mail takes some to arrive.
pub const GOOD_FOR: Duration = Duration::from_secs(90 * 24 * 3600);

pub fn unsubscribe_url(base: &str, token: &str) -> String {
    format!("{base}{PAGE}{token}")
}

impl Control {
    /// What the page of a token shows; changes nothing.
    pub async fn leave(&self, token: &str) -> Result<Leave, BulkError> {
        Ok(find(&self.works, token).await?.1)
    }

    /// Leaves. Doing it again, or with a link of another message, changes nothing; `left` of the answer says
    /// what had been left before.
    pub async fn unsubscribe(&self, token: &str, scope: LeaveScope) -> Result<Leave, BulkError> {
        unsubscribe(&self.works, token, scope).await
    }
}

/// Entries about one address and account that are looked at: one a list.
const LOOKED_AT: usize = 1000;

async fn find(works: &Works, token: &str) -> Result<(MessageId, Leave), BulkError> {
    let Some(Token::Unsubscribe { part, recipient }) = works.doors.tokens.read(token) else {
        return Err(BulkError::NoSuchToken);
    };
    if works.now().since(part.message.time()) > GOOD_FOR {
        return Err(BulkError::NoSuchToken);
    }
    let member = works.doors.spool.member(part).await.map_err(BulkError::Spool)?.ok_or(BulkError::NoSuchToken)?;
    let address = member.recipients.into_iter().nth(recipient as usize).ok_or(BulkError::NoSuchToken)?;
    let account = member.account.map(|account| account.to_string());
    let mut leave = Leave { address, account, list: member.list, campaign: member.campaign, left: None };
    if let Some(suppressions) = &works.doors.suppressions {
        leave.left = left(works, suppressions, &leave).await?;
    }
    Ok((part.message, leave))
}

/// What the recipient has left before.
async fn left(works: &Works, suppressions: &Suppressions, leave: &Leave) -> Result<Option<LeaveScope>, BulkError> {
    let selection = Selection {
        address: Some(leave.address.clone()),
        account: leave.account.clone(),
        why: Some(Why::Unsubscribed),
        ..Selection::default()
    };
    let query = Query { selection, limit: LOOKED_AT, ..Query::default() };
    let entries = suppressions.list(query, works.now()).await.map_err(BulkError::Suppressions)?;
    let has = |list: Option<&str>| entries.iter().any(|e| e.scope == Scope::of(leave.account.as_deref(), list));
    Ok(match (has(None), &leave.list) {
        (true, _) => Some(LeaveScope::Everything),
        (false, Some(list)) if has(Some(list)) => Some(LeaveScope::List),
        _ => None,
    })
}

pub(crate) async fn unsubscribe(works: &Works, token: &str, scope: LeaveScope) -> Result<Leave, BulkError> {
    let (message, leave) = find(works, token).await?;
    if leave.has_left(scope) {
        return Ok(leave);
    }
    let list = leave.list.as_deref().filter(|_| scope == LeaveScope::List);
    let now = works.now();
    let mut entry =
        Entry::new(leave.address.clone(), Scope::of(leave.account.as_deref(), list), Why::Unsubscribed, now);
    entry.message = Some(message);
    let suppressions = works.doors.suppressions.as_ref().ok_or_else(|| {
        BulkError::Refused("this server keeps no suppression list, so nobody can be taken off a list".into())
    })?;
    let new = suppressions.import(vec![entry]).await.map_err(BulkError::Suppressions)?;
    if new > 0 {
        let labels = Labels { campaign: leave.campaign.clone(), list: leave.list.clone(), ..Labels::default() };
        works.emit(EventKind::CameBack {
            what: Back::Unsubscribed,
            account: leave.account.as_deref().map(Into::into),
            labels: labels.kept(),
            message: Some(message),
            recipient: leave.address.clone(),
            status: None,
            cause: None,
            text: match list {
                Some(list) => format!("has left the list {list}"),
                None => "has left all lists of the account".to_owned(),
            },
        });
    }
    Ok(leave)
}
