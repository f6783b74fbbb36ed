//! The face: what all requests share.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use repute_engine::{Control, Door};
use repute_hooks::Hooks;
use repute_metrics::{Counters, Source};
use tokio::sync::Semaphore;

use crate::pace::Paces;
use crate::ses::Sent;
use crate::settings::{Limits, Settings};
use crate::v1::Followers;

/// The HTTP face of running works; clones are one face.
#[derive(Clone)]
pub struct Face(pub(crate) Arc<App>);

/// What the face asks.
pub struct Services {
    pub door: Arc<dyn Door>,
    pub control: Control,
    /// Webhooks, and the stream of events that they read.
    pub hooks: Arc<Hooks>,
    /// What was counted of events.
    pub counters: Arc<Counters>,
    /// What is measured of the machine and of the program.
    pub machine: Arc<dyn Source>,
}

pub(crate) struct App {
    pub door: Arc<dyn Door>,
    pub control: Control,
    pub hooks: Arc<Hooks>,
    pub counters: Arc<Counters>,
    pub machine: Arc<dyn Source>,
    pub limits: Limits,
    settings: RwLock<Arc<Settings>>,
    pub paces: Paces,
    /// Of clients of the page by which recipients leave.
    pub leaving: Paces,
    /// Those who leave at once.
    pub leaving_turns: Semaphore,
    /// Who follows the stream of events.
    pub followers: Followers,
    /// What accounts sent, as clients of SES ask it.
    pub sent: Sent,
    /// Lists that come in at once.
    pub lists: Semaphore,
    /// Requests at once.
    pub turns: Arc<Semaphore>,
    /// Octets of bodies on their way in.
    pub bodies: Arc<AtomicUsize>,
    /// Of those, octets of clients that have not proved yet who they are.
    pub bodies_of_strangers: Arc<AtomicUsize>,
}

impl Face {
    pub fn new(services: Services, settings: Settings, limits: Limits) -> Face {
        let Services { door, control, hooks, counters, machine } = services;
        Face(Arc::new(App {
            door,
            control,
            hooks,
            counters,
            machine,
            settings: RwLock::new(Arc::new(settings)),
            paces: Paces::default(),
            leaving: Paces::bounded(limits.leaving_clients),
            leaving_turns: Semaphore::new(limits.leaving),
            followers: Followers::default(),
            sent: Sent::default(),
            lists: Semaphore::new(limits.lists),
            turns: Arc::new(Semaphore::new(limits.requests)),
            bodies: Arc::default(),
            bodies_of_strangers: Arc::default(),
            limits,
        }))
    }

    /// Takes another state of the configuration; requests under way end by the earlier one.
    pub fn reload(&self, settings: Settings) {
        self.0.paces.keep(|name| settings.tokens.named(name).is_some());
        *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

impl App {
    pub fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn hold(&self) -> Held {
        Held { share: Share::of(&self.bodies, self.limits.bodies), of_strangers: None }
    }

    /// For a client whose body has to be there before it is known who it is: all of those have half the room, so that they
    /// leave the other half to those who are known.
    pub fn hold_for_stranger(&self) -> Held {
        let of_strangers = Some(Share::of(&self.bodies_of_strangers, self.limits.bodies / 2));
        Held { of_strangers, ..self.hold() }
    }
}

/// Octets of body that one request holds.
pub(crate) struct Held {
    share: Share,
    of_strangers: Option<Share>,
}

impl Held {
    /// Whether there is room for so many more.
    pub fn grow(&mut self, by: usize) -> bool {
        self.of_strangers.as_mut().is_none_or(|share| share.grow(by)) && self.share.grow(by)
    }

    /// It is known now who sends it.
    pub fn is_proved(&mut self) {
        self.of_strangers = None;
    }
}

/// Octets that are counted among others, and are no more when this is dropped.
struct Share {
    all: Arc<AtomicUsize>,
    bound: usize,
    octets: usize,
}

impl Share {
    fn of(all: &Arc<AtomicUsize>, bound: usize) -> Share {
        Share { all: all.clone(), bound, octets: 0 }
    }

    fn grow(&mut self, by: usize) -> bool {
        let add = |now: usize| now.checked_add(by).filter(|sum| *sum <= self.bound);
        let granted = self.all.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).is_ok();
        self.octets += if granted { by } else { 0 };
        granted
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.all.fetch_sub(self.octets, Ordering::Relaxed);
    }
}
