//! PROXY protocol version 2: the header by which a proxy in front says who the client is.
//!
//! Promise: read to the octet, so that what follows (a TLS handshake) is untouched; bounded.
//! Version 1 is refused: it has no need here, and a longer parser.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncRead, AsyncReadExt};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Addresses take 36 octets, some TLVs more; a header beyond this is not meant well.
const LONGEST: usize = 2048;

#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error("the connection broke within the PROXY header")]
    Broken(#[from] std::io::Error),
    #[error("no PROXY v2 header came: set the proxy to send one (send-proxy-v2)")]
    Malformed,
}

/// Reads the header. `None` where the proxy speaks for itself (LOCAL, a health check) or
/// names no address.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, ProxyError> {
    let mut head = [0; 16];
    stream.read_exact(&mut head).await?;
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if head[..12] != SIGNATURE[..] || head[12] >> 4 != 2 || length > LONGEST {
        return Err(ProxyError::Malformed);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    parse(head[12] & 15, head[13], &body).ok_or(ProxyError::Malformed)
}

/// For the fuzz target: how many octets a header takes, and the client that it names; `None` where it is none.
#[doc(hidden)]
pub fn try_proxy(octets: &[u8]) -> Option<(usize, Option<IpAddr>)> {
    let mut rest = octets;
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let client = match std::pin::pin!(read(&mut rest)).poll(&mut context) {
        std::task::Poll::Ready(client) => client.ok()?,
        // Never: octets in memory are there at once.
        std::task::Poll::Pending => return None,
    };
    Some((octets.len() - rest.len(), client))
}

fn parse(command: u8, family: u8, body: &[u8]) -> Option<Option<IpAddr>> {
    match (command, family) {
        (0, _) => Some(None),
        // TCP over IPv4: addresses of 4 octets, ports of 2.
        (1, 0x11) => {
            let source: [u8; 4] = body.get(..12)?[..4].try_into().ok()?;
            Some(Some(IpAddr::V4(Ipv4Addr::from(source))))
        }
        (1, 0x21) => {
            let source: [u8; 16] = body.get(..36)?[..16].try_into().ok()?;
            Some(Some(IpAddr::V6(Ipv6Addr::from(source))))
        }
        (1, 0x00) => Some(None),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(octets: &[u8], expect: Result<Option<&str>, ()>) {
        let got = read(&mut &octets[..]).await.map(|ip| ip.map(|ip| ip.to_string())).map_err(drop);
        assert_eq!(got, expect.map(|ip| ip.map(str::to_owned)));
    }

    #[tokio::test]
    async fn headers() {
        let with = |rest: &[u8]| [&SIGNATURE[..], rest].concat();
        let v4 = [&[0x21, 0x11, 0, 12], &[192, 0, 2, 7, 10, 0, 0, 1, 0, 9, 0, 25][..]].concat();
        check(&with(&v4), Ok(Some("192.0.2.7"))).await;
        let mut v6 = vec![0x21, 0x21, 0, 36];
        v6.extend("2001:db8::7".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend([0; 20]);
        check(&with(&v6), Ok(Some("2001:db8::7"))).await;
        check(&with(&[0x20, 0, 0, 0]), Ok(None)).await;
        check(&with(&[0x21, 0x11, 0, 4, 1, 2, 3, 4]), Err(())).await;
        check(&with(&[0x11, 0x11, 0, 0]), Err(())).await;
        check(&with(&[0x21, 0x11, 0xff, 0xff]), Err(())).await;
        check(b"EHLO somebody.example\r\n", Err(())).await;
        check(b"PROXY TCP4 192.0.2.7 10.0.0.1 9 25\r\n", Err(())).await;
    }
}
