//! A scripted SMTP server: each connection that comes is answered by the next dialogue, in
//! order; a connection too many, one too few, and a wrong line fail the test.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::dialogue::{Dialogue, Mismatch};

/// Listens on a port of the machine's choice and plays dialogues as the server.
#[derive(Debug)]
pub struct Peer {
    address: SocketAddr,
    task: JoinHandle<Result<(), String>>,
}

impl Peer {
    /// On 127.0.0.1. The dialogues of a text are parted by lines `===`.
    pub async fn script(name: &str, text: &str) -> Peer {
        let dialogues = text.split("===").map(|part| Dialogue::parse(name, part)).collect();
        Peer::listen("127.0.0.1:0", dialogues).await
    }

    /// # Panics
    /// Where the address cannot be bound.
    pub async fn listen(address: &str, dialogues: Vec<Dialogue>) -> Peer {
        let listener = TcpListener::bind(address).await.unwrap_or_else(|e| panic!("{address}: {e}"));
        let address = listener.local_addr().expect("a bound socket has an address");
        Peer { address, task: tokio::spawn(serve(listener, dialogues)) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Waits until all dialogues are played and that no further connection has come.
    ///
    /// # Panics
    /// Where a dialogue was departed from, or a connection is missing or too many.
    pub async fn finish(self, within: Duration) {
        match tokio::time::timeout(within, self.task).await {
            Ok(Ok(Ok(()))) => {}
            Ok(Ok(Err(mismatch))) => panic!("\n{mismatch}"),
            Ok(Err(e)) => panic!("the peer broke: {e}"),
            Err(_) => panic!("the peer on {} still waits for its dialogues to be played", self.address),
        }
    }
}

async fn serve(listener: TcpListener, dialogues: Vec<Dialogue>) -> Result<(), String> {
    for dialogue in &dialogues {
        let (socket, _) = listener.accept().await.map_err(|e| e.to_string())?;
        socket.set_nodelay(true).map_err(|e| e.to_string())?;
        dialogue.as_server(socket).await.map_err(|m: Mismatch| m.to_string())?;
    }
    // A connection too many would come at once, not after a while.
    match tokio::time::timeout(Duration::from_millis(50), listener.accept()).await {
        Ok(_) => Err("a connection more than there are dialogues".into()),
        Err(_) => Ok(()),
    }
}
