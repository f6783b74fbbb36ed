//! One type for whatever octets flow over: TCP, TLS over it, or a pipe in memory.

use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use crate::tls::CertificateFault;

/// A connection that this machine opened.
#[derive(Debug)]
pub struct Stream(Kind);

#[derive(Debug)]
enum Kind {
    Tcp(TcpStream),
    Memory(DuplexStream, Option<IpAddr>),
    Tls(Box<TlsStream<Stream>>, Option<CertificateFault>),
}

impl Stream {
    pub(crate) fn memory(pipe: DuplexStream, local: Option<IpAddr>) -> Stream {
        Stream(Kind::Memory(pipe, local))
    }

    pub(crate) fn tls(session: TlsStream<Stream>, fault: Option<CertificateFault>) -> Stream {
        Stream(Kind::Tls(Box::new(session), fault))
    }

    /// Why the certificate that the other side showed would not stand verification; `None` also without TLS.
    pub fn certificate_fault(&self) -> Option<CertificateFault> {
        if let Kind::Tls(_, fault) = &self.0 { *fault } else { None }
    }

    /// The certificates that the other side showed, its own first, in DER; none without TLS.
    pub fn peer_certificates(&self) -> Vec<Vec<u8>> {
        let Kind::Tls(session, _) = &self.0 else { return Vec::new() };
        let chain = session.get_ref().1.peer_certificates().unwrap_or_default();
        chain.iter().map(|certificate| certificate.to_vec()).collect()
    }

    /// The address that this connection left from.
    pub fn local_address(&self) -> Option<IpAddr> {
        match &self.0 {
            Kind::Tcp(tcp) => tcp.local_addr().ok().map(|a| a.ip()),
            Kind::Memory(_, local) => *local,
            Kind::Tls(session, _) => session.get_ref().0.local_address(),
        }
    }
}

impl From<TcpStream> for Stream {
    fn from(tcp: TcpStream) -> Stream {
        Stream(Kind::Tcp(tcp))
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(s) => Pin::new(s).poll_read(cx, buf),
            Kind::Memory(s, _) => Pin::new(s).poll_read(cx, buf),
            Kind::Tls(s, _) => Pin::new(s).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(s) => Pin::new(s).poll_write(cx, buf),
            Kind::Memory(s, _) => Pin::new(s).poll_write(cx, buf),
            Kind::Tls(s, _) => Pin::new(s).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(s) => Pin::new(s).poll_write_vectored(cx, bufs),
            Kind::Memory(s, _) => Pin::new(s).poll_write_vectored(cx, bufs),
            Kind::Tls(s, _) => Pin::new(s).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.0 {
            Kind::Tcp(s) => s.is_write_vectored(),
            Kind::Memory(s, _) => s.is_write_vectored(),
            Kind::Tls(s, _) => s.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(s) => Pin::new(s).poll_flush(cx),
            Kind::Memory(s, _) => Pin::new(s).poll_flush(cx),
            Kind::Tls(s, _) => Pin::new(s).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().0 {
            Kind::Tcp(s) => Pin::new(s).poll_shutdown(cx),
            Kind::Memory(s, _) => Pin::new(s).poll_shutdown(cx),
            Kind::Tls(s, _) => Pin::new(s).poll_shutdown(cx),
        }
    }
}
