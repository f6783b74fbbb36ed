//! One connection from its first octet to its last.
//!
//! Steps: the PROXY header, where the peer is a proxy; a place among the client's connections;
//! TLS, where the listener begins with it; then the conversation, until it closes, the client
//! goes, a deadline passes, or the server shuts down.
//!
//! Replies are gathered and written when the machine needs more octets, so that a pipelined
//! group of commands costs one read and one write.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use repute_engine::door::{Account, Door, Origin, Returned, Submitted};
use repute_net::seats::Seat;
use repute_smtp::server::{Config, Dismissal, Kind, LineEnds, Security, Session, Start, Step};
use repute_types::{Content, EnhancedCode, Envelope, Reply, TlsUsed};
use tokio::io::AsyncWriteExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::accept;
use crate::buffer::Buffer;
use crate::config::{ListenerConfig, ListenerKind};
use crate::host::{self, DoorHost};
use crate::proxy;
use crate::shared::SharedLimits;
use crate::stream::Stream;
use crate::timer::{Hold, Timer};

/// After a refusal that closes: what the client still sends is read for so long and so much,
/// or the reset that it causes would wipe out the reply before it is read.
const LINGER: Duration = Duration::from_secs(1);
const LINGER_OCTETS: usize = 256 * 1024;

/// The time that a stranger has for a message before his place may be given to others: what comes back to us is small, and
/// comes in seconds.
const AT_WORK: Duration = Duration::from_secs(10 * 60);

/// What all connections of a listener share.
pub(crate) struct Service {
    pub config: ListenerConfig,
    pub shared: Arc<SharedLimits>,
    machine: Arc<Config>,
    pub(crate) door: Arc<dyn Door>,
    shutdown: watch::Receiver<bool>,
}

impl Service {
    pub(crate) fn new(
        config: ListenerConfig,
        door: Arc<dyn Door>,
        shared: Arc<SharedLimits>,
        line_ends: LineEnds,
        shutdown: watch::Receiver<bool>,
    ) -> Service {
        let limits = &config.limits;
        let machine = Arc::new(Config {
            hostname: config.hostname.clone(),
            kind: match config.kind {
                ListenerKind::Submission | ListenerKind::SubmissionTls => Kind::Submission,
                ListenerKind::Return => Kind::Return,
            },
            max_size: limits.message_size,
            max_recipients: limits.recipients,
            max_errors: limits.errors,
            max_chatter: limits.chatter,
            max_auth_failures: limits.auth_failures,
            line_ends,
        });
        Service { config, shared, machine, door, shutdown }
    }
}

/// Serves a connection; ends quietly whatever happens to it.
pub(crate) async fn run(service: Arc<Service>, stream: Stream, peer: IpAddr, seat: Seat) {
    // An error here is a connection that broke: there is nobody left to tell.
    let _ = talk(&service, stream, peer, seat).await;
}

async fn talk(service: &Service, mut stream: Stream, peer: IpAddr, seat: Seat) -> io::Result<()> {
    let limits = &service.config.limits;
    let mut timer = Timer::new(limits.handshake, Some(seat));
    let mut named = Some(peer);
    if service.config.proxies.contains(&peer) {
        let header = timer.within(limits.handshake, proxy::read(&mut stream)).await;
        named = header.ok_or(io::ErrorKind::TimedOut)?.map_err(io::Error::other)?;
        if timer.seat.as_mut().is_some_and(|seat| seat.take_for(named.unwrap_or(peer)).is_err()) {
            accept::turn_away(service, stream, accept::TOO_MANY_OF_CLIENT);
            return Ok(());
        }
    }
    let client = named.unwrap_or(peer).to_canonical();
    let certificates = service.config.tls.current();
    let mut tls = None;
    let security = match (service.config.kind, certificates) {
        (ListenerKind::SubmissionTls, None) => return Ok(()),
        (ListenerKind::SubmissionTls, Some(config)) => {
            let done = timer.within(limits.handshake, stream.secure(config)).await;
            let (secured, used) = done.ok_or(io::ErrorKind::TimedOut)??;
            stream = secured;
            tls = Some(used);
            Security::Tls
        }
        (_, None) => Security::Plain,
        (_, Some(_)) => Security::CanStartTls,
    };
    // A proxy that speaks for itself is nobody, whatever its own address could be.
    let account = match (service.machine.kind, named) {
        (Kind::Submission, Some(_)) => service.door.known_address(client),
        _ => None,
    };
    let kind = service.machine.kind;
    let host = DoorHost::new(service.door.clone(), service.shared.clone(), Some(client), kind, account);
    Connection::new(service, (stream, tls), security, host, timer).converse().await
}

/// Serves a program of this machine, which is `account`. An error is a connection that broke.
pub(crate) async fn run_local(service: &Service, stream: UnixStream, account: Arc<Account>) -> io::Result<()> {
    let timer = Timer::new(service.config.limits.idle, None);
    let host = DoorHost::new(service.door.clone(), service.shared.clone(), None, Kind::Submission, Some(account));
    Connection::new(service, (Stream::Local(stream), None), Security::Plain, host, timer).converse().await
}

struct Connection<'a> {
    service: &'a Service,
    stream: Stream,
    tls: Option<TlsUsed>,
    session: Session,
    host: DoorHost,
    timer: Timer,
    buffer: Buffer,
    began: Instant,
    /// When it began, or brought a message last.
    last_brought: Instant,
    /// `None` once the server is shutting down.
    stopping: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

/// What a wait for octets ended with.
enum Heard {
    Octets,
    End,
    Nothing,
    Shutdown,
}

impl<'a> Connection<'a> {
    fn new(
        service: &'a Service,
        (stream, tls): (Stream, Option<TlsUsed>),
        security: Security,
        host: DoorHost,
        timer: Timer,
    ) -> Connection<'a> {
        let start = Start { security, known: host.account.is_some() };
        let session = Session::new(service.machine.clone(), start);
        let mut shutdown = service.shutdown.clone();
        let stopping: Pin<Box<dyn Future<Output = ()> + Send>> =
            Box::pin(async move { accept::stopped(&mut shutdown).await });
        let (buffer, began) = (Buffer::new(service.shared.hold_for_reading()), Instant::now());
        Connection {
            service,
            stream,
            tls,
            session,
            host,
            timer,
            buffer,
            began,
            last_brought: began,
            stopping: Some(stopping),
        }
    }

    async fn converse(mut self) -> io::Result<()> {
        loop {
            let (used, step) = self.session.advance(self.buffer.filled(), &mut self.host);
            self.buffer.consume(used);
            match step {
                Step::Read => {
                    self.host.held.shrink_to(self.session.reserved());
                    self.write_replies().await?;
                    if !self.listen().await? {
                        return Ok(());
                    }
                }
                Step::Accept { envelope, content } => self.accept(envelope, content).await,
                Step::CheckPassword { name, password } => {
                    // He waits for us, not we for him.
                    self.timer.hold_place(Hold::Keep);
                    let limit = self.service.config.limits.accept;
                    let check = self.host.password(&name, &password);
                    let answer = self.timer.within(limit, check).await;
                    self.session.password_checked(answer.unwrap_or(repute_smtp::server::AuthAnswer::Busy));
                }
                Step::StartTls => {
                    self.write_replies().await?;
                    self = self.start_tls().await?;
                }
                Step::Close => {
                    self.write_replies().await?;
                    return self.close().await;
                }
            }
        }
    }

    async fn write_replies(&mut self) -> io::Result<()> {
        if self.session.output().is_empty() {
            return Ok(());
        }
        let stream = &mut self.stream;
        let output = self.session.output();
        let write = async {
            stream.write_all(output).await?;
            stream.flush().await
        };
        let limit = self.service.config.limits.write;
        self.timer.within(limit, write).await.ok_or(io::ErrorKind::TimedOut)??;
        self.session.written();
        Ok(())
    }

    /// Waits for octets; false at the end of the connection. A deadline or a shutdown ends
    /// the session in the machine, which then says to close.
    async fn listen(&mut self) -> io::Result<bool> {
        if self.stopping.is_none() && !self.session.is_in_transaction() {
            self.session.dismiss(Dismissal::ShuttingDown);
            return Ok(true);
        }
        match self.hear().await? {
            Heard::Octets => return Ok(true),
            Heard::End => return Ok(false),
            Heard::Nothing if self.timer.is_asked_back() => self.session.dismiss(Dismissal::Crowded),
            Heard::Nothing if self.stopping.is_none() => self.session.dismiss(Dismissal::ShuttingDown),
            Heard::Nothing => self.session.dismiss(Dismissal::Idle),
            Heard::Shutdown => {
                self.stopping = None;
                self.timer.cap(self.service.config.limits.drain);
            }
        }
        Ok(true)
    }

    /// How long the next octet may take. Whoever may send here has so long each time; a stranger, before he has said who
    /// he is, has it once, or a few of them who speak an octet a minute would have every place.
    fn patience(&self) -> Duration {
        let idle = self.service.config.limits.idle;
        match (self.service.machine.kind, &self.host.account) {
            (Kind::Submission, None) => idle.saturating_sub(self.began.elapsed()),
            _ => idle,
        }
    }

    /// A stranger who brings a message has a place for as long as that should take, and no longer if others need it.
    fn hold(&self) -> Hold {
        let is_at_work = || self.session.is_in_transaction() && self.last_brought.elapsed() < AT_WORK;
        if self.host.account.is_some() || is_at_work() { Hold::Keep } else { Hold::Lend }
    }

    async fn hear(&mut self) -> io::Result<Heard> {
        self.timer.hold_place(self.hold());
        let patience = self.patience();
        if patience.is_zero() {
            return Ok(Heard::Nothing);
        }
        self.timer.set(patience);
        let content = self.session.is_in_content();
        let stopping = async {
            match &mut self.stopping {
                Some(stopping) => stopping.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            read = self.buffer.fill(&mut self.stream, content) => {
                Ok(if read? == 0 { Heard::End } else { Heard::Octets })
            }
            () = self.timer.expired() => Ok(Heard::Nothing),
            () = stopping => Ok(Heard::Shutdown),
        }
    }

    async fn accept(&mut self, envelope: Envelope, content: Content) {
        let origin = Origin {
            client: self.host.client,
            helo: self.session.helo().to_owned(),
            tls: self.tls.clone(),
            protocol: self.session.protocol(envelope.options.smtputf8),
        };
        let handed_over = hand_over(&self.host, envelope, content, origin);
        let limit = self.service.config.limits.accept;
        let answer = self.timer.within(limit, handed_over).await.unwrap_or_else(|| {
            // It may have been kept all the same: then it goes twice, as the states page says.
            Err(Reply::new(451, EnhancedCode(4, 3, 0), "the server is too slow now: try again later"))
        });
        self.last_brought = Instant::now();
        self.session.accepted(answer.as_ref().map(|id| id as &dyn std::fmt::Display));
    }

    async fn start_tls(mut self) -> io::Result<Self> {
        let config = self.service.config.tls.current().ok_or(io::ErrorKind::NotConnected)?;
        let limit = self.service.config.limits.handshake;
        let done = self.timer.within(limit, self.stream.secure(config)).await;
        let (stream, used) = done.ok_or(io::ErrorKind::TimedOut)??;
        self.stream = stream;
        self.tls = Some(used);
        // Also in our own buffer nothing may stay of what came before.
        self.buffer = Buffer::new(self.service.shared.hold_for_reading());
        self.session.tls_started();
        Ok(self)
    }

    async fn close(mut self) -> io::Result<()> {
        let limit = self.service.config.limits.write;
        self.timer.within(limit, self.stream.shutdown()).await.ok_or(io::ErrorKind::TimedOut)??;
        // Where another waits for the place nothing waits here.
        if self.session.has_quit() || self.timer.is_asked_back() {
            return Ok(());
        }
        let (stream, buffer) = (&mut self.stream, &mut self.buffer);
        let linger = async {
            let mut left = LINGER_OCTETS;
            while left > 0 {
                buffer.consume(usize::MAX);
                match buffer.fill(stream, false).await {
                    Ok(count) if count > 0 => left = left.saturating_sub(count),
                    _ => return,
                }
            }
        };
        let _ = self.timer.within(LINGER, linger).await;
        Ok(())
    }
}

/// Gives a message to the door; its id where the door keeps it.
async fn hand_over(
    host: &DoorHost,
    envelope: Envelope,
    content: Content,
    origin: Origin,
) -> Result<repute_types::MessageId, Reply> {
    match (host.kind, &host.account) {
        (Kind::Return, _) => {
            let recipients = envelope.recipients.into_iter().map(|r| r.address).collect();
            host.door.accept_returned(Returned { from: envelope.from, recipients, content, origin }).await
        }
        (Kind::Submission, Some(account)) => {
            let account = account.clone();
            let submitted = Submitted { account, envelope, content, origin, labels: None, send_at: None, id: None };
            host.door.accept(submitted).await.map(|committed| committed.id())
        }
        (Kind::Submission, None) => Err(host::nobody()),
    }
}
