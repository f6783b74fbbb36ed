//! The SMTP listeners of one life of the works, over the network in memory.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::Arc;

use repute_engine::door::Door;
use repute_net::MemoryNetwork;
use repute_submission::{Limits, ListenerConfig, ListenerKind, SharedBounds, SharedLimits, TlsSource, serve_in_memory};
use repute_types::Domain;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::book::Book;
use super::client::SERVER;

/// Few, so that the bound is met.
const CONNECTIONS_PER_CLIENT: usize = 5;

pub struct Front {
    connections: usize,
    shared: Arc<SharedLimits>,
    shutdown: watch::Sender<bool>,
    listeners: Vec<JoinHandle<()>>,
}

impl Front {
    /// Listens on 587, 465 and 25.
    pub fn open(network: &MemoryNetwork, door: &Arc<dyn Door>, tls: &TlsSource, connections: usize) -> Front {
        let (shutdown, stopping) = watch::channel(false);
        let bounds =
            SharedBounds { connections, connections_per_client: CONNECTIONS_PER_CLIENT, ..SharedBounds::default() };
        let shared = SharedLimits::new(bounds);
        let kinds = [(587, ListenerKind::Submission), (465, ListenerKind::SubmissionTls), (25, ListenerKind::Return)];
        let listeners = kinds.map(|(port, kind)| {
            let config = ListenerConfig {
                kind,
                hostname: Domain::parse("mail.example.com").unwrap(),
                tls: tls.clone(),
                proxies: HashSet::new(),
                limits: Limits::default(),
            };
            let listener = network.listen(SocketAddr::from((SERVER, port)));
            tokio::spawn(serve_in_memory(listener, config, door.clone(), shared.clone(), stopping.clone()))
        });
        Front { connections, shared, shutdown, listeners: listeners.into() }
    }

    /// In order: nobody new, transactions may end.
    pub async fn close(self, book: &Book) {
        self.shutdown.send_replace(true);
        for listener in self.listeners {
            listener.await.unwrap();
        }
        if self.shared.connections() > 0 || self.shared.content_octets() > 0 {
            let (connections, octets) = (self.shared.connections(), self.shared.content_octets());
            book.breach(format!("{connections} connections and {octets} octets are held by nobody"));
        }
    }

    /// Every connection is dropped where it stands.
    pub async fn crash(self) {
        for listener in self.listeners {
            listener.abort();
            // Cancelled, or it had ended: gone either way.
            let _ = listener.await;
        }
    }

    pub fn check_bounds(&self, book: &Book) {
        // A stranger who is let go for a newcomer may still be there.
        if self.shared.connections() > self.connections + self.connections / 8 + 1 {
            book.breach(format!("{} clients at once", self.shared.connections()));
        }
    }

    /// Nobody is left when every client has gone.
    pub fn check_end(&self, book: &Book) {
        if self.shared.connections() > 0 || self.shared.content_octets() > 0 {
            let (connections, octets) = (self.shared.connections(), self.shared.content_octets());
            book.breach(format!("at the end {connections} clients are connected and hold {octets} octets"));
        }
    }
}
