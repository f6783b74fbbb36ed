//! `repute serve`: configuration, ports, user, server, signals, read from top to bottom.
//!
//! Everything that can be wrong with the configuration is said before anything is touched.
//! SIGTERM, SIGINT and SIGQUIT stop it (the second one at once), SIGHUP reloads; SIGUSR1 and SIGUSR2, with which other
//! servers are told to open their logs anew, are answered with that. A signal that comes before the server listens to
//! it waits until then, but for those that stop it.

use std::sync::Arc;

use anyhow::Context as _;
use nix::sys::signal as unix;
use repute_engine::Begin;
use repute_spool::sqlite::Idle;
use sd_notify::NotifyState;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::cli::{Context, Exit};
use crate::config::{Config, Faults, Files};
use crate::log::Log;
use crate::out;
use crate::serve::{self, Running, ports, user};
use crate::tokens;

#[derive(clap::Args)]
pub struct Args {
    /// Hold all that waits from before until it is released: for a state folder put back from a copy, in which stands as
    /// waiting what has been delivered since. New mail goes as ever
    #[arg(long)]
    held: bool,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    // Files of the state folder are the service's alone, whoever made the folder.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o077));
    // Before there are threads: none of them is ever ended by these.
    put_off(unix::SigSet::thread_block).context("signals cannot be put off")?;
    let config = context.load(Files::Check)?;
    if let Some(files) = raise_file_limit()
        && let Some(warning) = too_few_files(files, &config)
    {
        out::error(&format!("repute: WARNING: {warning}\n"));
    }
    let ports = ports::open(&config.listeners)?;
    let user = user::choose(&config)?;
    user::prepare_state(&config, user.as_ref())?;
    // Before there are threads, so that every one of them is the user's.
    match &user {
        Some(user) => user::become_user(user)?,
        None => warn_of_root(&config),
    }
    if tokens::is_lost(&config.state) {
        out::error(
            "repute: WARNING: tokens.key is missing in the state folder, and a new one is made: return paths and links to leave \
             a list that went out before mean nothing to it. If a back-up has the file, stop, put it back, and start again\n",
        );
    }
    config.advice.sentences().for_each(|sentence| out::error(&format!("repute: WARNING: {sentence}\n")));
    let log = Arc::new(Log::to_stderr(config.log).context("the log's thread cannot be started")?);
    let self_signed = config.tls.is_none();
    let idle = Arc::<Idle>::default();
    let runtime = runtime(&idle).context("the runtime cannot be started")?;
    runtime.block_on(async {
        let mut signals = Signals::new()?;
        put_off(unix::SigSet::thread_unblock).context("signals cannot be taken")?;
        let how = if args.held { Begin::Held } else { Begin::GoesOn };
        let running = serve::begin(config, ports, log.clone(), how, Some(idle)).await?;
        if self_signed {
            warn_of_self_signed(&log);
        }
        say_ready(&running, &log);
        let _ = sd_notify::notify(&[NotifyState::Ready]);
        serve_until_stopped(running, &mut signals, &log).await
    })
}

/// Its threads say when they have nothing to do.
fn runtime(idle: &Arc<Idle>) -> std::io::Result<Runtime> {
    let (begins, ends) = (idle.clone(), idle.clone());
    Builder::new_multi_thread()
        .enable_all()
        .on_thread_park(move || begins.begins())
        .on_thread_unpark(move || ends.ends())
        .build()
}

/// What says nothing about ending, and would end a program that does not listen yet: `systemctl reload` during a start
/// that reads thousands of keys, say, after which nobody starts it again.
fn put_off(how: fn(&unix::SigSet) -> nix::Result<()>) -> nix::Result<()> {
    how(&[unix::SIGHUP, unix::SIGUSR1, unix::SIGUSR2].into_iter().collect())
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
    hangup: Signal,
    user: [Signal; 2],
}

impl Signals {
    fn new() -> anyhow::Result<Signals> {
        let listen = |kind| signal(kind).context("signals cannot be listened to");
        Ok(Signals {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
            quit: listen(SignalKind::quit())?,
            hangup: listen(SignalKind::hangup())?,
            user: [listen(SignalKind::user_defined1())?, listen(SignalKind::user_defined2())?],
        })
    }

    async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = self.quit.recv() => {}
        }
    }

    async fn next(&mut self) -> Told {
        let [first, second] = &mut self.user;
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.quit.recv() => Told::Stop,
            _ = self.hangup.recv() => Told::Reload,
            _ = first.recv() => Told::Nothing("SIGUSR1"),
            _ = second.recv() => Told::Nothing("SIGUSR2"),
        }
    }
}

/// What a signal tells the server to do.
enum Told {
    Stop,
    Reload,
    Nothing(&'static str),
}

/// From here on nothing is written to standard error but by the log's thread: where nobody reads it any more, the rest goes on.
async fn serve_until_stopped(mut running: Running, signals: &mut Signals, log: &Log) -> anyhow::Result<Exit> {
    let mut looks = tokio::time::interval(serve::renewal::LOOK_EVERY);
    loop {
        let told = tokio::select! {
            told = signals.next() => told,
            _ = looks.tick() => {
                running.renew();
                continue;
            }
        };
        match told {
            Told::Stop => break,
            Told::Reload => reload(&mut running, log),
            Told::Nothing(name) => log.say(&format!(
                "repute: {name} does nothing here: SIGHUP takes on the configuration and opens the file of [events] anew\n"
            )),
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Stopping]);
    log.say("repute: stopping: what is under way is finished, a second signal ends it at once\n");
    tokio::select! {
        () = running.stop() => Ok(Exit::Done),
        () = signals.stop() => {
            log.say("repute: stopped at once; messages under way may go twice\n");
            Ok(Exit::Problem)
        }
    }
}

fn reload(running: &mut Running, log: &Log) {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        let _ = sd_notify::notify(&[NotifyState::Reloading, now]);
    }
    match running.reload() {
        Ok(waiting) => {
            log.say("repute: reloaded\n");
            waiting.iter().for_each(|sentence| log.say(&format!("repute: {sentence}\n")));
        }
        Err(error) => {
            let text = match error.downcast_ref::<Faults>() {
                Some(faults) => faults.to_string(),
                None => format!("{error:#}\n"),
            };
            log.say(&format!("repute: not reloaded, everything stays as it was:\n{text}"));
        }
    }
    let _ = sd_notify::notify(&[NotifyState::Ready]);
}

/// One line, for people and for whoever has to find a port that was 0.
fn say_ready(running: &Running, log: &Log) {
    let addresses = running.addresses().iter().map(|(kind, address)| format!(" {}={address}", kind.as_str()));
    log.say(&format!("repute: ready{}\n", addresses.collect::<String>()));
}

/// Each connection is a descriptor, and the usual soft limit of 1024 is for programs that use
/// select(2). Where it cannot be raised the server works with what it has: accepting pauses. How many may be open then.
fn raise_file_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    if soft < hard {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, hard, hard);
    }
    getrlimit(Resource::RLIMIT_NOFILE).ok().map(|(now, _)| now)
}

/// What the spool, the listeners, look-ups and the rest have open beside connections, about.
const OTHER_FILES: u64 = 96;

/// Where so many open files are fewer than the configuration may want at once.
fn too_few_files(files: u64, config: &Config) -> Option<String> {
    let (clients, sessions) = (config.limits.connections, config.limits.sessions);
    let wanted = (clients as u64).saturating_add(sessions as u64).saturating_add(OTHER_FILES);
    (files < wanted).then(|| {
        format!(
            "this process may have {files} files open, and the {clients} `connections` and {sessions} `sessions` of \
             [limits] want about {wanted}: when they are used up, clients wait and mail is deferred. Set \
             LimitNOFILE={wanted} in its unit (or ulimit -Hn), or lower the two"
        )
    })
}

fn warn_of_self_signed(log: &Log) {
    log.say(
        "repute: WARNING: clients see a self-signed certificate, which most refuse: name one in [tls] \
         (`certificate` and `key`)\n",
    );
}

fn warn_of_root(config: &Config) {
    if nix::unistd::geteuid().is_root() && config.user.as_deref() != Some("root") {
        out::error(
            "repute: WARNING: serving as root, since this machine has no user `repute`. Make one: \
             useradd --system --home-dir /var/lib/repute --shell /usr/sbin/nologin repute\n",
        );
    }
}
