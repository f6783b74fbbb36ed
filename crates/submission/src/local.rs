//! SMTP for the programs of this machine: the same conversation as a listener's, over a socket
//! of the file system, by somebody whom the kernel has named.
//!
//! Whoever opens the socket and decides who may speak is the caller; bounds, deadlines and the
//! end at shutdown are those of the listeners.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use repute_engine::door::{Account, Door};
use repute_smtp::server::LineEnds;
use repute_types::Domain;
use tokio::net::UnixStream;
use tokio::sync::watch;

use crate::config::{Limits, ListenerConfig, ListenerKind};
use crate::connection::{self, Service};
use crate::shared::SharedLimits;
use crate::tls::TlsSource;

/// What all local conversations share.
pub struct LocalListener {
    service: Service,
}

impl LocalListener {
    /// `shutdown` as for [`crate::serve`].
    pub fn new(
        hostname: Domain,
        limits: Limits,
        door: Arc<dyn Door>,
        shared: Arc<SharedLimits>,
        shutdown: watch::Receiver<bool>,
    ) -> LocalListener {
        let kind = ListenerKind::Submission;
        let config = ListenerConfig { kind, hostname, tls: TlsSource::new(None), proxies: HashSet::new(), limits };
        LocalListener { service: Service::new(config, door, shared, LineEnds::AsTheFirst, shutdown) }
    }

    /// Holds one conversation as `account`, without TLS and without AUTH. Fails where the
    /// connection breaks: a program that went away has no 250, and knows.
    pub async fn converse(&self, stream: UnixStream, account: Arc<Account>) -> io::Result<()> {
        connection::run_local(&self.service, stream, account).await
    }
}
