//! `STATE/sendmail.sock`: SMTP for the programs of this machine, without a password.
//!
//! The kernel says which user is at the other end; `[sendmail]` says which account that is.
//! One JSON line comes first ([`Welcome`]), then it is SMTP as on any listener, with the same
//! checks, so that `sendmail -bs` is a pipe and the rest of the command a small client.
//! Anybody may connect (0666). Bounds: 64 conversations at once, five idle minutes, the
//! listeners' limits of size and recipients.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use repute_engine::door::{Account, Door, Origin, Submitted};
use repute_smtp::server::{self, AuthAnswer, Host, Kind, Security, Session, Start, Step, scram};
use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Content, Envelope, Recipient, Reply};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use crate::config::Config;

const CONVERSATIONS: usize = 64;
const IDLE: Duration = Duration::from_secs(300);
/// Octets read at once.
const READ: usize = 64 << 10;

pub fn socket(state: &Path) -> PathBuf {
    state.join("sendmail.sock")
}

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
        let account = config.accounts.iter().find(|a| a.name == sendmail.account).map(|a| {
            Arc::new(Account {
                name: a.name.as_str().into(),
                domains: a.domains.clone(),
                stream: a.stream,
                private: a.private,
            })
        });
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
    door: Arc<dyn Door>,
    machine: Arc<server::Config>,
    access: RwLock<Arc<Access>>,
}

impl Service {
    pub fn new(door: Arc<dyn Door>, config: &Config) -> Arc<Service> {
        let limits = &config.limits;
        Arc::new(Service {
            door,
            machine: Arc::new(server::Config {
                hostname: config.hostname.clone(),
                kind: Kind::Submission,
                max_size: usize::try_from(limits.size.octets()).unwrap_or(usize::MAX),
                max_recipients: limits.recipients,
                max_errors: limits.errors,
                max_chatter: 100,
                max_auth_failures: limits.auth_failures,
            }),
            access: RwLock::new(Arc::new(Access::of(config))),
        })
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
    super::server::bind_at(&socket(state), 0o666)
}

/// Answers until the task is dropped.
pub async fn serve(listener: UnixListener, service: Arc<Service>) {
    let room = Arc::new(Semaphore::new(CONVERSATIONS));
    loop {
        let Ok(permit) = room.clone().acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let service = service.clone();
        tokio::spawn(async move {
            // An error is a program that went away: it has no 250, and knows.
            let _ = converse(stream, &service).await;
            drop(permit);
        });
    }
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
    stream.write_all(&line).await?;
    match allowed {
        Ok(account) => Conversation::new(stream, service, account).run().await,
        Err(_) => Ok(()),
    }
}

/// The name of the user at the other end; its number where the machine has no name for it.
fn user_of(stream: &UnixStream) -> std::io::Result<String> {
    let uid = nix::unistd::Uid::from_raw(stream.peer_cred()?.uid());
    let user = nix::unistd::User::from_uid(uid).ok().flatten();
    Ok(user.map_or_else(|| uid.to_string(), |u| u.name))
}

struct Conversation<'a> {
    stream: UnixStream,
    service: &'a Service,
    session: Session,
    host: Local,
    input: BytesMut,
}

impl<'a> Conversation<'a> {
    fn new(stream: UnixStream, service: &'a Service, account: Arc<Account>) -> Conversation<'a> {
        let start = Start { security: Security::Plain, known: true };
        let session = Session::new(service.machine.clone(), start);
        let host = Local { door: service.door.clone(), account };
        Conversation { stream, service, session, host, input: BytesMut::with_capacity(READ) }
    }

    async fn run(mut self) -> std::io::Result<()> {
        loop {
            let (used, step) = self.session.advance(&self.input, &mut self.host);
            self.input.advance(used);
            match step {
                Step::Accept { envelope, content } => self.accept(envelope, content).await,
                Step::CheckPassword { .. } => self.session.password_checked(AuthAnswer::Wrong),
                Step::Read | Step::StartTls | Step::Close => {
                    let close = !matches!(step, Step::Read);
                    self.stream.write_all(self.session.output()).await?;
                    self.session.written();
                    self.input.reserve(READ);
                    if close || timeout(IDLE, self.stream.read_buf(&mut self.input)).await?? == 0 {
                        return Ok(());
                    }
                }
            }
        }
    }

    async fn accept(&mut self, envelope: Envelope, content: Content) {
        let origin = Origin {
            client: None,
            helo: self.session.helo().to_owned(),
            tls: None,
            protocol: self.session.protocol(envelope.options.smtputf8),
        };
        let submitted = Submitted { account: self.host.account.clone(), envelope, content, origin };
        let answer = self.service.door.accept(submitted).await.map(|committed| committed.id());
        self.session.accepted(answer.as_ref().map(|id| id as &dyn std::fmt::Display));
    }
}

/// The session's questions: a program of this machine is its account from the first word on.
struct Local {
    door: Arc<dyn Door>,
    account: Arc<Account>,
}

impl Host for Local {
    fn mail(&mut self, from: Option<&Address>, _: &EnvelopeOptions) -> Result<(), Reply> {
        self.door.may_send_from(&self.account, from)
    }

    fn rcpt(&mut self, recipient: &Recipient) -> Result<(), Reply> {
        self.door.may_send_to(&self.account, recipient)
    }

    fn room(&mut self, _: usize) -> bool {
        true
    }

    fn may_try_auth(&mut self) -> bool {
        false
    }

    /// AUTH is never offered here: a client that says it all the same gets nowhere.
    fn scram(&mut self, _: &str) -> (scram::Secret, [u8; 18]) {
        let secret = scram::Secret { iterations: 4096, salt: vec![0; 16], stored_key: [0; 32], server_key: [0; 32] };
        (secret, [0; 18])
    }

    fn scram_ended(&mut self, _: bool) -> AuthAnswer {
        AuthAnswer::Wrong
    }
}
