//! A stream that can turn into TLS half-way, and lines read from it.

use std::io;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::tls;

/// Whatever octets flow over: a socket, one end of `tokio::io::duplex`, TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// More than any line or unread rest in a test needs; beyond it the test is wrong.
const UNREAD_MOST: usize = 64 << 20;

/// A stream with what was read from it and not yet used.
pub struct Wire {
    stream: Option<Box<dyn Stream>>,
    unread: Vec<u8>,
    /// How long one read or write may take before the test fails.
    pub patience: Duration,
}

impl Wire {
    pub fn new(stream: impl Stream) -> Wire {
        Wire { stream: Some(Box::new(stream)), unread: Vec::new(), patience: Duration::from_secs(10) }
    }

    fn stream(&mut self) -> io::Result<&mut Box<dyn Stream>> {
        self.stream.as_mut().ok_or_else(|| io::Error::new(io::ErrorKind::NotConnected, "closed by this test"))
    }

    pub async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        let patience = self.patience;
        let stream = self.stream()?;
        let write = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        timeout(patience, write).await.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// One line without its line end, or `None` at the end of the stream. A bare LF or CR
    /// stays visible: only CRLF ends a line, and the end of the stream ends the last.
    pub async fn line(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut looked_at = 0;
        loop {
            let tail = &self.unread[looked_at..];
            if let Some(at) = tail.windows(2).position(|w| w == b"\r\n") {
                let mut line: Vec<u8> = self.unread.drain(..looked_at + at + 2).collect();
                line.truncate(line.len() - 2);
                return Ok(Some(line));
            }
            looked_at = self.unread.len().saturating_sub(1);
            if self.fill().await? == 0 {
                let rest = std::mem::take(&mut self.unread);
                return Ok((!rest.is_empty()).then_some(rest));
            }
        }
    }

    /// Exactly so many octets (what follows BDAT).
    pub async fn octets(&mut self, count: usize) -> io::Result<Vec<u8>> {
        while self.unread.len() < count {
            if self.fill().await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.unread.drain(..count).collect())
    }

    async fn fill(&mut self) -> io::Result<usize> {
        if self.unread.len() > UNREAD_MOST {
            return Err(io::Error::other("more than 64 MiB without a line end"));
        }
        let patience = self.patience;
        let mut buffer = [0; 16 << 10];
        let read = timeout(patience, self.stream()?.read(&mut buffer))
            .await
            .map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "nothing came"))?;
        let count = match read {
            Ok(count) => count,
            // A peer that leaves without a close_notify or with a reset has left all the same.
            Err(e) if matches!(e.kind(), io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset) => 0,
            Err(e) => return Err(e),
        };
        self.unread.extend_from_slice(&buffer[..count]);
        Ok(count)
    }

    /// What has been received and not been read as a line yet.
    pub fn unread(&self) -> &[u8] {
        &self.unread
    }

    /// Becomes the client of a TLS session; any certificate will do.
    pub async fn start_tls_as_client(&mut self, name: &str) -> io::Result<()> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        let stream = self.take_for_tls()?;
        let connector = TlsConnector::from(tls::client_config());
        self.stream = Some(Box::new(connector.connect(name, stream).await?));
        Ok(())
    }

    /// Becomes the server of a TLS session.
    pub async fn start_tls_as_server(&mut self, config: std::sync::Arc<rustls::ServerConfig>) -> io::Result<()> {
        let stream = self.take_for_tls()?;
        self.stream = Some(Box::new(TlsAcceptor::from(config).accept(stream).await?));
        Ok(())
    }

    fn take_for_tls(&mut self) -> io::Result<Box<dyn Stream>> {
        if !self.unread.is_empty() {
            return Err(io::Error::other("octets were received in clear behind the line before TLS"));
        }
        self.stream.take().ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Ends our direction in order (FIN, close_notify), then lets go of the stream.
    pub async fn close(&mut self) {
        if let Some(mut stream) = self.stream.take() {
            // The other side may be gone already, which is as closed as can be.
            let _ = timeout(self.patience, stream.shutdown()).await;
        }
    }
}
