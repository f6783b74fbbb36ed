//! Whether this machine could have asked at all.
//!
//! Looked at after a look-up that came to nothing, because hickory does not say what it failed for: a socket is opened as
//! for a question, and led to each name server. Nothing is sent.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use repute_types::files;

/// Why none of these servers can be asked from here, where that is so.
pub(crate) fn cannot_ask(servers: &[SocketAddr]) -> Option<String> {
    let mut no_way = None;
    for server in servers {
        let error = leads_to(*server).err()?;
        if files::are_used_up(&error) {
            return Some(used_up(&error));
        }
        no_way.get_or_insert(error);
    }
    let why = no_way?;
    Some(format!("this server has no way to any name server ({why}): see to its network, or name others in [resolver]"))
}

/// What is said where no more files may be open.
pub(crate) fn used_up(error: &io::Error) -> String {
    format!("this server can open no socket to ask with ({error}): {}", files::LET_OPEN_MORE)
}

pub(crate) fn leads_to(server: SocketAddr) -> io::Result<()> {
    UdpSocket::bind((any(server.ip()), 0))?.connect(server)
}

/// The address from which one of that family is asked.
pub(crate) fn any(of: IpAddr) -> IpAddr {
    match of {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_way_is_enough_to_have_been_able_to_ask() {
        // A datagram to everybody goes nowhere unless that is asked for.
        let (nowhere, here) = (SocketAddr::from(([255; 4], 53)), SocketAddr::from(([127, 0, 0, 1], 53)));
        assert_eq!(cannot_ask(&[nowhere, here]), None);
        assert_eq!(cannot_ask(&[]), None);
        let why = cannot_ask(&[nowhere]).unwrap();
        assert!(why.starts_with("this server has no way to any name server ("), "{why}");
    }
}
