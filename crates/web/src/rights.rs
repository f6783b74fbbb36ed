//! What an operation asks of a token, as extractors: it is asked before a path, a query or a body is read, so that who
//! may not do a thing hears that, and nothing of what else would be wrong, and sends no body that nobody wants.

use std::marker::PhantomData;
use std::ops::Deref;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::caller::Caller;
use crate::problem::Problem;
use crate::settings::Action;

/// What a caller has to be allowed.
pub(crate) trait Right: Send + Sync + 'static {
    fn check(caller: &Caller) -> Result<(), Problem>;
}

/// A caller who has it.
pub(crate) struct By<R>(pub Caller, PhantomData<R>);

impl<R> Deref for By<R> {
    type Target = Caller;

    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl<S: Send + Sync, R: Right> FromRequestParts<S> for By<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<By<R>, Problem> {
        let caller = Caller::from_request_parts(parts, state).await?;
        R::check(&caller)?;
        Ok(By(caller, PhantomData))
    }
}

/// Hands in mail as an account.
pub(crate) struct Sends;

impl Right for Sends {
    fn check(caller: &Caller) -> Result<(), Problem> {
        caller.sends().map(drop)
    }
}

pub(crate) struct Reads;

impl Right for Reads {
    fn check(caller: &Caller) -> Result<(), Problem> {
        caller.may(Action::Read)
    }
}

pub(crate) struct Queues;

impl Right for Queues {
    fn check(caller: &Caller) -> Result<(), Problem> {
        caller.may(Action::Queue)
    }
}

pub(crate) struct Suppresses;

impl Right for Suppresses {
    fn check(caller: &Caller) -> Result<(), Problem> {
        caller.may(Action::Suppress)
    }
}

/// Changes what concerns the whole server.
pub(crate) struct Operates;

impl Right for Operates {
    fn check(caller: &Caller) -> Result<(), Problem> {
        caller.operates()
    }
}

/// Sees what concerns the whole server.
pub(crate) struct SeesTheServer;

impl Right for SeesTheServer {
    fn check(caller: &Caller) -> Result<(), Problem> {
        caller.sees_the_server()
    }
}

/// Takes back a message that it handed in, or any.
pub(crate) struct TakesBack;

impl Right for TakesBack {
    fn check(caller: &Caller) -> Result<(), Problem> {
        match caller.may(Action::Queue) {
            Ok(()) => Ok(()),
            Err(_) => caller.sends().map(drop),
        }
    }
}

/// Has stopped mail not sent at all: its account's, or, where it has none, anybody's.
pub(crate) struct CancelsCircuits;

impl Right for CancelsCircuits {
    fn check(caller: &Caller) -> Result<(), Problem> {
        match caller.account() {
            Some(_) => caller.may(Action::Queue),
            None => caller.operates(),
        }
    }
}
