//! The door, as the conversation asks for it: who the client is, and what it may.

use std::net::IpAddr;
use std::sync::Arc;

use repute_engine::door::{Account, AuthRefused, Door};
use repute_smtp::server::scram::Secret;
use repute_smtp::server::{AuthAnswer, Host, Kind};
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, EnhancedCode, Recipient, Reply};

use crate::shared::{Held, SharedLimits};

pub(crate) struct DoorHost {
    pub door: Arc<dyn Door>,
    pub shared: Arc<SharedLimits>,
    /// `None`: a program of this machine, which is its account from the first word on.
    pub client: Option<IpAddr>,
    pub kind: Kind,
    /// Whom mail is taken from: known by address at first, then by AUTH.
    pub account: Option<Arc<Account>>,
    /// Whom a SCRAM exchange under way is about.
    claimed: Option<Arc<Account>>,
    /// The name that was said in it.
    scram_name: Option<String>,
    pub held: Held,
}

impl DoorHost {
    /// `account` is who the client is by its address.
    pub(crate) fn new(
        door: Arc<dyn Door>,
        shared: Arc<SharedLimits>,
        client: Option<IpAddr>,
        kind: Kind,
        account: Option<Arc<Account>>,
    ) -> DoorHost {
        let held = shared.hold();
        DoorHost { door, shared, client, kind, account, claimed: None, scram_name: None, held }
    }

    pub(crate) async fn password(&mut self, name: &str, password: &str) -> AuthAnswer {
        if self.client.is_none() {
            return AuthAnswer::Wrong;
        }
        match self.door.password(name, password).await {
            Ok(account) => {
                self.account = Some(account);
                AuthAnswer::Welcome
            }
            Err(AuthRefused::Busy) => AuthAnswer::Busy,
            Err(AuthRefused::Wrong) => self.auth_failed(Some(name)),
        }
    }

    fn auth_failed(&self, name: Option<&str>) -> AuthAnswer {
        if let Some(client) = self.client {
            self.shared.auth_failed(client);
            let reply = Reply::new(535, EnhancedCode(5, 7, 8), "authentication failed");
            self.door.refused(client, name, &reply);
        }
        AuthAnswer::Wrong
    }

    /// Passes an answer of the door on, and a refusal of a remote client to the log as well: a
    /// program of this machine tells its user.
    fn logged(&self, answer: Result<(), Reply>) -> Result<(), Reply> {
        answer.inspect_err(|reply| {
            if let Some(client) = self.client {
                self.door.refused(client, self.account.as_ref().map(|a| &*a.name), reply);
            }
        })
    }
}

impl Host for DoorHost {
    fn mail(&mut self, from: Option<&Address>, _: &EnvelopeOptions) -> Result<(), Reply> {
        self.logged(match (&self.account, self.kind) {
            (_, Kind::Return) => Ok(()),
            (Some(account), Kind::Submission) => self.door.may_send_from(account, from),
            (None, Kind::Submission) => Err(nobody()),
        })
    }

    fn rcpt(&mut self, recipient: &Recipient) -> Result<(), Reply> {
        self.logged(match (&self.account, self.kind) {
            (_, Kind::Return) => self.door.may_return_to(&recipient.address),
            (Some(account), Kind::Submission) => self.door.may_send_to(account, recipient, None),
            (None, Kind::Submission) => Err(nobody()),
        })
    }

    fn room(&mut self, octets: usize) -> bool {
        self.held.grow(octets)
    }

    fn may_try_auth(&mut self) -> bool {
        self.client.is_some_and(|client| self.shared.may_try_auth(client))
    }

    fn scram(&mut self, name: &str) -> (Secret, [u8; 18]) {
        let (secret, account) = self.door.scram(name);
        self.scram_name = Some(name.to_owned());
        let mut nonce = [0; 18];
        // Without randomness there is no safe exchange: it goes on, and cannot succeed.
        self.claimed = account.filter(|_| getrandom::fill(&mut nonce).is_ok());
        let secret = Secret {
            iterations: secret.iterations,
            salt: secret.salt,
            stored_key: secret.stored_key,
            server_key: secret.server_key,
        };
        (secret, nonce)
    }

    fn scram_ended(&mut self, proof_is_right: bool) -> AuthAnswer {
        match self.claimed.take().filter(|_| proof_is_right) {
            Some(account) => {
                self.account = Some(account);
                AuthAnswer::Welcome
            }
            None => self.auth_failed(self.scram_name.as_deref()),
        }
    }
}

/// The machine does not ask before it knows a client; if it did, nobody may send.
pub(crate) fn nobody() -> Reply {
    Reply::new(530, EnhancedCode(5, 7, 0), "say AUTH first")
}
