//! The answering side: a task that listens on the control socket until it is told to stop.
//!
//! Bounds: 16 connections at once (more wait), a request of 16 MiB, a minute without one.

use std::convert::Infallible;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use repute_engine::Door;
use repute_engine::bulk::ComingIn;
use repute_engine::control::Control;
use repute_hooks::Hooks;
use repute_types::MessageId;
use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::timeout;

use super::wire::{Answer, LONGEST_REQUEST, Request};
use super::{accept, events};
use crate::state;

const CONNECTIONS: usize = 16;
/// Between requests; people's commands send theirs at once.
const IDLE: Duration = Duration::from_secs(60);

/// What questions are asked of.
#[derive(Clone)]
pub struct Services {
    pub control: Control,
    pub hooks: Arc<Hooks>,
    /// Told where nobody can be taken in.
    pub door: Arc<dyn Door>,
    /// Places for those who follow events.
    pub followers: Arc<Semaphore>,
}

/// Opens the socket, for root and the server's own user.
pub fn bind(state: &Path) -> anyhow::Result<UnixListener> {
    accept::bind(&state::control_socket(state), 0o600)
}

/// Answers until `stop` is given; a question under way is answered `within` a time.
pub async fn serve(listener: UnixListener, services: Services, stop: watch::Receiver<bool>, within: Duration) {
    let (stopping, door) = (stop.clone(), services.door.clone());
    let bounds = accept::Bounds { most: CONNECTIONS, within };
    accept::serve(
        listener,
        bounds,
        |why| door.hindered(why),
        stop,
        move |stream| {
            let (services, stopping) = (services.clone(), stopping.clone());
            async move {
                if is_allowed(&stream) {
                    converse(stream, &services, stopping).await;
                }
            }
        },
    )
    .await;
}

/// Root, and whoever the server runs as.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = nix::unistd::geteuid().as_raw();
    stream.peer_cred().is_ok_and(|peer| peer.uid() == 0 || peer.uid() == own)
}

async fn converse(mut stream: UnixStream, services: &Services, mut stop: watch::Receiver<bool>) {
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read);
    // The list that this command brings in, as long as it does.
    let mut coming = None;
    loop {
        let mut line = Vec::new();
        let mut bounded = (&mut read).take(LONGEST_REQUEST as u64);
        let asked = tokio::select! {
            biased;
            read = timeout(IDLE, bounded.read_until(b'\n', &mut line)) => matches!(read, Ok(Ok(n)) if n > 0),
            () = accept::stopped(&mut stop) => false,
        };
        if !asked {
            return;
        }
        let answer = match serde_json::from_slice(&line) {
            Ok(request) => {
                bring_in(&request, &services.control, &mut coming);
                answer(request, services, &mut stop).await
            }
            Err(error) => Answer::Error(format!(
                "this request is unknown here: {error}; is the command another version than the server?"
            )),
        };
        let Ok(mut text) = serde_json::to_vec(&answer) else { return };
        text.push(b'\n');
        if !matches!(timeout(IDLE, write.write_all(&text)).await, Ok(Ok(()))) {
            return;
        }
    }
}

/// A list comes in from its first rows until the same command launches it, or goes away.
fn bring_in(request: &Request, control: &Control, coming: &mut Option<(MessageId, ComingIn)>) {
    match request {
        Request::BulkAddV1(add) if coming.as_ref().is_none_or(|(id, _)| *id != add.id) => {
            *coming = control.coming_in(add.id).ok().map(|now| (add.id, now));
        }
        Request::BulkLaunchV1 { .. } => *coming = None,
        _ => {}
    }
}

async fn answer(request: Request, services: &Services, stop: &mut watch::Receiver<bool>) -> Answer {
    let Services { control, hooks, .. } = services;
    match request {
        Request::ListV1 { selector, limit } => said(control.list(&selector, limit).await),
        Request::HoldV1 { selector, reason } => said(control.hold(&selector, &reason).await),
        Request::ReleaseV1 { selector } => said(control.release(&selector).await),
        Request::RetryV1 { selector } => said(control.retry(&selector).await),
        Request::CancelV1 { selector, who } => said(control.cancel(&selector, &who).await),
        Request::WhyV1 { about, limit } => said(control.why(&about, limit).await),
        Request::FirstMessageV1 { domain, to } => said(control.first_message(&domain, &to).await),
        Request::CircuitListV1 {} => said(Ok::<_, Infallible>(control.circuits())),
        Request::CircuitContinueV1 { name, who } => said(control.continue_circuit(&name, &who).await),
        Request::CircuitCancelV1 { name, who } => said(control.cancel_circuit(&name, &who).await),
        Request::HabitsV1 {} => said(Ok::<_, Infallible>(control.habits())),
        Request::TlsSessionsV1 { domain, yesterday, limit } => {
            said(control.tls_sessions(domain.as_ref(), yesterday, limit).await)
        }
        Request::ExpectV1 { account, seconds } => {
            said(control.expect_much(&account, Duration::from_secs(seconds)).await)
        }
        Request::SuppressionListV1 { query } => said(control.suppressions(*query).await),
        Request::SuppressV1 { entries } => said(control.suppress(entries).await),
        Request::ReleaseSuppressedV1 { selection, all } => said(control.release_suppressed(*selection, all).await),
        Request::PermitsV1 {} => said(Ok::<_, Infallible>(control.permits())),
        Request::SayV1(say) => said(control.say(say).await),
        Request::RecheckV1 { checks } => {
            control.recheck(checks);
            said(Ok::<_, Infallible>(()))
        }
        Request::IncidentsV1 { closed } => said(control.incidents(closed).await),
        Request::TrustV1 { since, limit } => said(control.trust_history(since, limit).await),
        Request::StatusV1 {} => said(Ok::<_, Infallible>(control.status())),
        Request::EventsV1 { since, account, types, wait } => {
            said(events::answer(services, events::Question { since, account, types, wait }, stop).await)
        }
        Request::WebhookListV1 {} => said(hooks.list().await),
        Request::WebhookShowV1 { name } => said(hooks.show(&name).await),
        Request::WebhookTestV1 { name } => said(hooks.test(&name).await),
        Request::WebhookRedeliverV1 { name, selection } => said(hooks.redeliver(&name, selection).await),
        Request::WebhookPauseV1 { name } => said(hooks.pause(&name).await),
        Request::WebhookResumeV1 { name } => said(hooks.resume(&name).await),
        Request::BulkBeginV1(begin) => said(control.begin(begin).await),
        Request::BulkAddV1(add) => said(control.add(add).await),
        Request::BulkLaunchV1 { campaign } => said(control.launch(&campaign).await),
        Request::BulkPauseV1 { campaign, reason } => said(control.pause(&campaign, &reason).await),
        Request::BulkResumeV1 { campaign } => said(control.resume(&campaign).await),
        Request::BulkCancelV1 { campaign } => said(control.cancel_campaign(&campaign).await),
        Request::BulkShowV1 { campaign } => said(control.campaign(&campaign).await),
        Request::BulkListV1 {} => said(control.campaigns().await),
        Request::BulkMayBeginV1(begin) => said(control.may_begin(&begin).await),
        Request::BulkPreviewV1 { begin, rows } => said(control.preview(&begin, &rows).await),
        Request::BulkCheckAddressesV1(question) => said(control.check_addresses(&question)),
        Request::BulkCheckDomainsV1 { domains } => said(control.check_domains(domains).await),
    }
}

fn said<T: Serialize>(result: Result<T, impl Display>) -> Answer {
    match result {
        Ok(value) => match serde_json::to_value(value) {
            Ok(value) => Answer::Ok(value),
            Err(error) => Answer::Error(format!("the answer cannot be written: {error}")),
        },
        Err(error) => Answer::Error(error.to_string()),
    }
}
