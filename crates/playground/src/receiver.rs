//! A receiving mail server on loopback with a personality.
//!
//! Promise: what it answered 250 to is in its [`Inbox`], judged, once for each time it was
//! sent; what its personality refuses is refused with the reply a real server would give. The
//! conversation is its own code, not the sender's: two that share one reading of RFC 5321
//! could be wrong together and not see it. Dropping the receiver ends its connections.

mod conversation;
#[doc(hidden)]
pub mod dry;
mod greylist;
mod inbox;
mod personality;
mod session;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub use inbox::{Counts, Inbox, Received, header_field};
pub use personality::{Down, Mirror, Offers, Personality, Users};
use tokio::net::TcpSocket;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

use self::greylist::Greylist;
use crate::judge::Judge;

/// Waiting connections that the machine keeps for us.
const BACKLOG: u32 = 1024;

/// A running receiver.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    house: Arc<House>,
    told: Arc<Notify>,
    _task: JoinSet<()>,
}

/// What all conversations of a receiver share.
pub(crate) struct House {
    pub(crate) host: Arc<str>,
    pub(crate) personality: Personality,
    pub(crate) greylist: Greylist,
    pub(crate) inbox: Inbox,
    pub(crate) judge: Option<Judge>,
}

impl std::fmt::Debug for House {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("House")
            .field("host", &self.host)
            .field("personality", &self.personality)
            .finish_non_exhaustive()
    }
}

impl Receiver {
    /// Binds `address` (port 0 is one of the machine's choice) and serves it as `host`. While
    /// the personality is down, connections are refused by the machine, and the port is kept.
    pub async fn start(
        host: &str,
        address: SocketAddr,
        personality: Personality,
        judge: Option<Judge>,
    ) -> io::Result<Receiver> {
        let socket = match address {
            SocketAddr::V4(_) => TcpSocket::new_v4()?,
            SocketAddr::V6(_) => TcpSocket::new_v6()?,
        };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let address = socket.local_addr()?;
        let house = House {
            host: host.into(),
            greylist: Greylist::new(personality.greylist),
            personality,
            inbox: Inbox::default(),
            judge,
        };
        let house = Arc::new(house);
        let mut task = JoinSet::new();
        let told = Arc::new(Notify::new());
        match house.personality.down {
            // Listening from the moment we return.
            Down::Never => drop(task.spawn(serve(socket.listen(BACKLOG)?, house.clone()))),
            down => {
                let (house, told) = (house.clone(), told.clone());
                task.spawn(async move {
                    match down {
                        Down::For(time) => tokio::time::sleep(time).await,
                        _ => told.notified().await,
                    }
                    if let Ok(listener) = socket.listen(BACKLOG) {
                        serve(listener, house).await;
                    }
                });
            }
        }
        Ok(Receiver { address, house, told, _task: task })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends `Down::UntilTold`.
    pub fn come_up(&self) {
        self.told.notify_one();
    }

    pub fn host(&self) -> &str {
        &self.house.host
    }

    /// What it got; the handle stays good when the receiver is gone.
    pub fn inbox(&self) -> &Inbox {
        &self.house.inbox
    }
}

async fn serve(listener: tokio::net::TcpListener, house: Arc<House>) {
    let places = Arc::new(Semaphore::new(house.personality.connections));
    let mut sessions = JoinSet::new();
    loop {
        while sessions.try_join_next().is_some() {}
        let Ok((socket, peer)) = listener.accept().await else {
            // Out of descriptors: it helps to wait.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let house = house.clone();
        let place = places.clone().try_acquire_owned().ok();
        house.inbox.count(|c| c.connections += 1);
        sessions.spawn(async move {
            // A connection that breaks concerns its peer alone; what was taken is recorded.
            let _ =
                tokio::time::timeout(house.personality.longest, session::run(socket, peer, &house, place.is_some()))
                    .await;
        });
    }
}
