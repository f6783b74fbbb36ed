//! What was learnt about hosts and is worth knowing at the next connection: that STARTTLS is
//! offered and breaks, that CHUNKING is offered and BDAT unknown, and that a host could not be reached.
//!
//! Bounded: of a kind at most [`MOST`] hosts are remembered, each for a while; at the bound
//! the table is emptied, and what matters is learnt again at the price of a failed try.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const MOST: usize = 4096;
/// A server whose TLS is broken is asked again after this.
const BROKEN_TLS: Duration = Duration::from_secs(3600);
/// A server that did not know BDAT, or at which it failed where DATA did not, is given DATA for so long.
const NO_CHUNKS: Duration = Duration::from_secs(24 * 3600);
/// A host that could not be reached stands behind its equals for this long.
const UNREACHABLE: Duration = Duration::from_secs(300);

/// A handle; clones share the memory.
#[derive(Clone, Debug, Default)]
pub struct HostMemory(Arc<Mutex<Tables>>);

#[derive(Debug, Default)]
struct Tables {
    broken_tls: HashMap<SocketAddr, Instant>,
    no_chunks: HashMap<SocketAddr, Instant>,
    unreachable: HashMap<SocketAddr, Instant>,
}

impl HostMemory {
    pub(crate) fn tls_broke(&self, host: SocketAddr) {
        note(&mut self.tables().broken_tls, host, BROKEN_TLS);
    }

    /// Whether STARTTLS with this host broke not long ago.
    pub(crate) fn is_tls_broken(&self, host: SocketAddr) -> bool {
        knows(&mut self.tables().broken_tls, host)
    }

    pub(crate) fn chunks_refused(&self, host: SocketAddr) {
        note(&mut self.tables().no_chunks, host, NO_CHUNKS);
    }

    /// Whether BDAT failed at this host not long ago, which offered CHUNKING.
    pub(crate) fn refuses_chunks(&self, host: SocketAddr) -> bool {
        knows(&mut self.tables().no_chunks, host)
    }

    pub(crate) fn was_unreachable(&self, host: SocketAddr) {
        note(&mut self.tables().unreachable, host, UNREACHABLE);
    }

    pub(crate) fn was_reached(&self, host: SocketAddr) {
        self.tables().unreachable.remove(&host);
    }

    pub(crate) fn is_unreachable(&self, host: SocketAddr) -> bool {
        knows(&mut self.tables().unreachable, host)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn note(table: &mut HashMap<SocketAddr, Instant>, host: SocketAddr, during: Duration) {
    if table.len() >= MOST {
        table.clear();
    }
    table.insert(host, Instant::now() + during);
}

fn knows(table: &mut HashMap<SocketAddr, Instant>, host: SocketAddr) -> bool {
    match table.get(&host) {
        Some(until) if Instant::now() < *until => true,
        Some(_) => {
            table.remove(&host);
            false
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn it_forgets_after_a_while_and_never_grows_beyond_its_bound() {
        let memory = HostMemory::default();
        let host = |port| SocketAddr::from(([192, 0, 2, 1], port));
        memory.tls_broke(host(25));
        assert!(memory.is_tls_broken(host(25)) && !memory.is_tls_broken(host(26)));
        tokio::time::sleep(BROKEN_TLS).await;
        assert!(!memory.is_tls_broken(host(25)));
        for port in 0..2 * MOST as u16 {
            memory.was_unreachable(host(port));
        }
        assert!(memory.tables().unreachable.len() <= MOST);
        memory.was_reached(host(2 * MOST as u16 - 1));
        assert!(!memory.is_unreachable(host(2 * MOST as u16 - 1)));
    }
}
