//! The suppression list as the calls of other services know one: who gets nothing of an account. What counts for one list of it,
//! or for everybody's mail, is told where one address is asked for, and is not theirs to change.

use std::sync::Arc;

use repute_ledger::LedgerError;
use repute_ledger::suppression::{Entry, Query, Scope, Selection, Suppressions, Why};
use repute_types::{Address, Timestamp};

use crate::app::App;
use crate::caller::Caller;
use crate::problem::{self, Problem};
use crate::settings::Action;

pub(crate) struct OfAccount {
    store: Arc<Suppressions>,
    account: String,
    /// Who says it, for those who read it later.
    who: String,
    now: Timestamp,
}

/// Entries that are read at a time.
const PAGE: usize = 1000;

/// The bound of one call: entries that it answers with, and entries that are looked at for them, in whole pages.
pub(crate) struct Most {
    pub found: usize,
    pub looked_at: usize,
}

pub(crate) struct Gathered<T> {
    pub found: Vec<T>,
    /// The last that was looked at, where more may stand behind it.
    pub next: Option<Entry>,
}

/// What became of an entry that was to be taken away.
pub(crate) enum Released {
    Gone,
    NotThere,
    /// This one counts for everybody's mail and stays.
    Everybodys(Box<Entry>),
}

impl OfAccount {
    /// For a token of an account that may do this.
    pub fn of(app: &App, caller: &Caller, action: Action) -> Result<OfAccount, Problem> {
        caller.may(action)?;
        let account = caller.account().map(str::to_owned).ok_or_else(|| {
            let name = &caller.token.name;
            let detail =
                format!("the token `{name}` is of no account: make one with `--account`, or use /v1/suppressions");
            Problem::new(problem::NOT_ALLOWED, detail)
        })?;
        let store = app.control.suppression_store();
        let store = store.ok_or_else(|| Problem::unavailable("this server keeps no suppression list"))?;
        Ok(OfAccount { store, account, who: caller.said_by(), now: app.control.now() })
    }

    /// Durable when it answers; who stands there stays as they are.
    pub async fn add(&self, addresses: Vec<Address>, why: Why) -> Result<(), Problem> {
        let entry = |address| Entry {
            reason: format!("added by {}", self.who),
            ..Entry::new(address, self.scope(), why, self.now)
        };
        self.store.import(addresses.into_iter().map(entry).collect()).await.map(drop).map_err(unreadable)
    }

    /// What keeps the account's mail from an address.
    pub fn find(&self, address: &Address) -> Result<Option<Entry>, Problem> {
        self.store.find(Some(&self.account), None, address, self.now).map_err(unreadable)
    }

    /// Entries of the account alone, in the order of the addresses: what `wanted` makes of those behind `after`, up to a bound.
    pub async fn gather<T>(
        &self,
        mut after: Option<Entry>,
        most: Most,
        wanted: impl Fn(&Entry) -> Option<T>,
    ) -> Result<Gathered<T>, Problem> {
        let (mut found, mut looked_at) = (Vec::new(), 0);
        loop {
            let page = self.page(after.take()).await?;
            let is_last = page.len() < PAGE;
            for entry in page {
                looked_at += 1;
                found.extend(wanted(&entry));
                after = Some(entry);
                if found.len() == most.found {
                    return Ok(Gathered { found, next: after });
                }
            }
            if is_last || looked_at >= most.looked_at {
                return Ok(Gathered { found, next: after.filter(|_| !is_last) });
            }
        }
    }

    async fn page(&self, after: Option<Entry>) -> Result<Vec<Entry>, Problem> {
        let selection = Selection { scope: Some(self.scope()), ..Selection::default() };
        let query = Query { selection, after, limit: PAGE, ..Query::default() };
        self.store.list(query, self.now).await.map_err(unreadable)
    }

    pub async fn release(&self, address: &Address) -> Result<Released, Problem> {
        let selection = Selection { address: Some(address.clone()), scope: Some(self.scope()), ..Selection::default() };
        if self.store.release(selection).await.map_err(unreadable)?.entries > 0 {
            return Ok(Released::Gone);
        }
        Ok(match self.find(address)? {
            Some(entry) => Released::Everybodys(Box::new(entry)),
            None => Released::NotThere,
        })
    }

    fn scope(&self) -> Scope {
        Scope::of(Some(&self.account), None)
    }
}

fn unreadable(error: LedgerError) -> Problem {
    Problem::unavailable(error.to_string())
}
