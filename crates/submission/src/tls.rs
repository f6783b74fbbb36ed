//! The certificates of a listener, replaceable while it runs.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::ServerConfig;

/// What TLS is served with. Clones share it; a replacement holds for handshakes that begin
/// after it.
#[derive(Clone, Default)]
pub struct TlsSource(Arc<RwLock<Option<Arc<ServerConfig>>>>);

impl TlsSource {
    pub fn new(config: Option<Arc<ServerConfig>>) -> TlsSource {
        TlsSource(Arc::new(RwLock::new(config)))
    }

    pub fn replace(&self, config: Option<Arc<ServerConfig>>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    pub fn current(&self) -> Option<Arc<ServerConfig>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for TlsSource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.current().is_some() { "TlsSource(some)" } else { "TlsSource(none)" })
    }
}
