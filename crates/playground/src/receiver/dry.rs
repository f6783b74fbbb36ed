//! A conversation without a socket, for fuzzing: anybody may connect to a mirror.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::greylist::Greylist;
use super::{House, Inbox, Offers, Personality, Received, session};

/// Octets of a message that it takes, and of what passes between the two sides at once.
const SIZE: usize = 64 << 10;

/// Says the octets in pieces of `cut` to a receiver that takes everything; what it answered, and what it got.
pub async fn converse(octets: &[u8], cut: usize) -> (Vec<u8>, Vec<Received>) {
    let offers = Offers { size: SIZE, dsn: true, ..Offers::default() };
    let house = House {
        host: "mx.example".into(),
        personality: Personality { offers, recipients: 20, ..Personality::default() },
        greylist: Greylist::new(None),
        inbox: Inbox::default(),
        judge: None,
    };
    let (ours, theirs) = tokio::io::duplex(SIZE);
    let (mut hear, mut say) = tokio::io::split(ours);
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 25));
    let mut replies = Vec::new();
    let talk = session::talk(Box::new(theirs), peer, &house, true);
    let speak = async {
        for piece in octets.chunks(cut.max(1)) {
            // The other side may have closed, and says no more.
            if say.write_all(piece).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        let _ = say.shutdown().await;
    };
    // How it ends is seen in what was answered.
    let (_, (), _) = tokio::join!(talk, speak, hear.read_to_end(&mut replies));
    (replies, house.inbox.messages())
}
