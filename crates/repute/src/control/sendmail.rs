//! `STATE/sendmail.sock`: SMTP for the programs of this machine, without a password.
//!
//! The kernel says which user is at the other end; `[sendmail]` says which account that is.
//! One JSON line comes first ([`Welcome`]), then it is SMTP as on any listener, with the same
//! checks, so that `sendmail -bs` is a pipe and the rest of the command a small client.
//! Anybody may connect (0666). Bounds: 64 conversations at once, and the listeners' limits, the
//! memory of content on its way in and the end at shutdown among them.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use repute_engine::Door;
use repute_engine::door::Account;
use repute_submission::LocalListener;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::time::timeout;

use super::accept;
use crate::config::{Config, settings};
use crate::state;

const CONVERSATIONS: usize = 64;
/// For the first line: an empty socket takes it at once.
const WELCOME: Duration = Duration::from_secs(5);

/// The first line of a conversation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Welcome {
    SendmailV1 {
        /// The user at the other end.
        user: String,
        /// What an address without a domain is completed with: the account's first.
        domain: String,
    },
    /// The command is not for this user, with the cure.
    RefusedV1 { text: String },
}

/// What the configuration says of the command; exchanged on reload.
pub struct Access {
    account: Option<Arc<Account>>,
    /// Empty: everybody.
    users: Vec<String>,
}

impl Access {
    pub fn of(config: &Config) -> Access {
        let Some(sendmail) = &config.sendmail else { return Access { account: None, users: Vec::new() } };
        let account = config.accounts.iter().find(|a| a.name == sendmail.account).map(settings::who);
        Access { account, users: sendmail.users.clone() }
    }

    fn account_for(&self, user: &str) -> Result<Arc<Account>, String> {
        let Some(account) = &self.account else {
            return Err("the sendmail command has no account: add `[sendmail]` with `account = \"...\"` to the \
                        configuration of repute"
                .to_owned());
        };
        match self.users.is_empty() || user == "root" || self.users.iter().any(|u| u == user) {
            true => Ok(account.clone()),
            false => Err(format!("the user {user} may not send mail: add it to `users` of [sendmail]")),
        }
    }
}

pub struct Service {
    listener: LocalListener,
    access: RwLock<Arc<Access>>,
}

impl Service {
    pub fn new(listener: LocalListener, config: &Config) -> Arc<Service> {
        Arc::new(Service { listener, access: RwLock::new(Arc::new(Access::of(config))) })
    }

    pub fn exchange(&self, access: Access) {
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
    }

    fn access(&self) -> Arc<Access> {
        self.access.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Opens the socket, for everybody.
pub fn bind(state: &Path) -> anyhow::Result<UnixListener> {
    accept::bind(&state::sendmail_socket(state), 0o666)
}

/// Serves until `stop` is given, which the service's listener heeds, too; a message under way
/// may end `within` a time.
pub async fn serve(
    listener: UnixListener,
    service: Arc<Service>,
    door: Arc<dyn Door>,
    stop: watch::Receiver<bool>,
    within: Duration,
) {
    let bounds = accept::Bounds { most: CONVERSATIONS, within };
    accept::serve(
        listener,
        bounds,
        |why| door.hindered(why),
        stop,
        move |stream| {
            let service = service.clone();
            async move {
                // An error is a program that went away: it has no 250, and knows.
                let _ = converse(stream, &service).await;
            }
        },
    )
    .await;
}

async fn converse(mut stream: UnixStream, service: &Service) -> std::io::Result<()> {
    let user = user_of(&stream)?;
    let allowed = service.access().account_for(&user);
    let welcome = match &allowed {
        Ok(account) => {
            let domain = account.domains.first().map_or_else(String::new, ToString::to_string);
            Welcome::SendmailV1 { user, domain }
        }
        Err(text) => Welcome::RefusedV1 { text: text.clone() },
    };
    let mut line = serde_json::to_vec(&welcome)?;
    line.push(b'\n');
    timeout(WELCOME, stream.write_all(&line)).await??;
    match allowed {
        Ok(account) => service.listener.converse(stream, account).await,
        Err(_) => Ok(()),
    }
}

/// The name of the user at the other end; its number where the machine has no name for it.
fn user_of(stream: &UnixStream) -> std::io::Result<String> {
    let uid = nix::unistd::Uid::from_raw(stream.peer_cred()?.uid());
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    Ok(user.map_or_else(|| uid.to_string(), |u| u.name))
}
