//! The client's side of TLS.
//!
//! Promise: with [`TlsPolicy::Verified`] a session exists only where the certificate is good
//! for the name; with [`TlsPolicy::Opportunistic`] any certificate is taken, and whether it
//! would have been good is said all the same. The handshake's signature is checked in both.
//! Sessions are resumed, per policy: one that was opened without verification is never
//! resumed as a verified one.

use std::path::Path;
use std::sync::Arc;

use repute_types::{TlsAsked, TlsUsed};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, ProtocolVersion, RootCertStore, SignatureScheme};
use tokio_rustls::TlsConnector;

use super::CertificateFault;
use crate::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsPolicy {
    /// Encrypt, whoever it is.
    Opportunistic,
    /// The certificate has to be valid for the name.
    Verified,
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum TlsError {
    /// The certificate is not good for the name (only with [`TlsPolicy::Verified`]).
    #[error("the certificate is not valid for the host")]
    Certificate(#[source] rustls::Error),
    /// The handshake broke: the other side left, or does not speak TLS as we do.
    #[error("the TLS handshake failed")]
    Handshake(#[source] Arc<std::io::Error>),
    #[error("a certificate cannot be asked for that name")]
    Name,
}

#[derive(Debug, thiserror::Error)]
pub enum RootsError {
    #[error("{path}: no trust anchors could be read: write a file of certificates in PEM form")]
    File { path: String, source: rustls::pki_types::pem::Error },
    #[error("{path}: holds no usable certificate: write a file of certificates in PEM form")]
    Empty { path: String },
}

/// Configurations that all sessions share.
#[derive(Clone, Debug)]
pub struct TlsClient {
    opportunistic: Arc<ClientConfig>,
    /// `None` where there are no trust anchors: nothing verifies then.
    verified: Option<Verified>,
}

#[derive(Clone, Debug)]
struct Verified {
    config: Arc<ClientConfig>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl TlsClient {
    /// Trusts what the operating system trusts. Where it has no trust anchors (a bare
    /// container), TLS works and nothing verifies.
    pub fn with_native_roots() -> TlsClient {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        TlsClient::with_roots(roots)
    }

    /// Trusts the certificates of a PEM file, and no others.
    pub fn with_roots_from(path: &Path) -> Result<TlsClient, RootsError> {
        let shown = || path.display().to_string();
        let file = |source| RootsError::File { path: shown(), source };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(path).map_err(file)? {
            roots.add_parsable_certificates([certificate.map_err(file)?]);
        }
        if roots.is_empty() { Err(RootsError::Empty { path: shown() }) } else { Ok(TlsClient::with_roots(roots)) }
    }

    pub fn with_roots(roots: RootCertStore) -> TlsClient {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let any = Arc::new(AnyCertificate(provider.clone()));
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build().ok();
        let verified = verifier.map(|verifier| Verified { config: config(&provider, verifier.clone()), verifier });
        TlsClient { opportunistic: config(&provider, any), verified }
    }

    /// Trusts nobody.
    pub fn without_roots() -> TlsClient {
        TlsClient::with_roots(RootCertStore::empty())
    }

    /// Shakes hands as the client. `name` is the host's, or its address as text.
    ///
    /// The caller bounds the time.
    pub async fn start(&self, stream: Stream, name: &str, policy: TlsPolicy) -> Result<(Stream, TlsUsed), TlsError> {
        let name = ServerName::try_from(name).map_err(|_| TlsError::Name)?.to_owned();
        let config = match (policy, &self.verified) {
            (TlsPolicy::Opportunistic, _) => self.opportunistic.clone(),
            (TlsPolicy::Verified, Some(verified)) => verified.config.clone(),
            (TlsPolicy::Verified, None) => {
                return Err(TlsError::Certificate(rustls::CertificateError::UnknownIssuer.into()));
            }
        };
        let session = TlsConnector::from(config).connect(name.clone(), stream).await.map_err(handshake_error)?;
        let state = session.get_ref().1;
        let fault = match policy {
            TlsPolicy::Verified => None,
            TlsPolicy::Opportunistic => self.fault(state.peer_certificates(), &name),
        };
        let used = TlsUsed {
            version: state.protocol_version().map_or("unknown", version).to_owned(),
            cipher: state.negotiated_cipher_suite().map_or(String::new(), |s| format!("{:?}", s.suite())),
            verified: fault.is_none(),
            asked: TlsAsked::Opportunistic,
        };
        Ok((Stream::tls(session, fault), used))
    }

    /// Why clients that trust what we do turn away from a chain of ours; `None` where they do not, or where nobody is
    /// trusted here.
    pub fn turns_away(&self, chain: &[CertificateDer<'_>], name: &str) -> Option<CertificateFault> {
        self.verified.as_ref()?;
        self.fault(Some(chain), &ServerName::try_from(name).ok()?)
    }

    /// Why the certificates would not stand verification.
    fn fault(&self, chain: Option<&[CertificateDer<'_>]>, name: &ServerName<'_>) -> Option<CertificateFault> {
        let (Some(verified), Some([first, others @ ..])) = (&self.verified, chain) else {
            return Some(CertificateFault::NotTrusted);
        };
        let judged = verified.verifier.verify_server_cert(first, others, name, &[], UnixTime::now());
        judged.err().map(|error| CertificateFault::of(&error))
    }
}

fn config(provider: &Arc<CryptoProvider>, verifier: Arc<dyn ServerCertVerifier>) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3")
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Arc::new(config)
}

fn handshake_error(error: std::io::Error) -> TlsError {
    let inner = error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>());
    match inner {
        Some(e @ rustls::Error::InvalidCertificate(_)) => TlsError::Certificate(e.clone()),
        _ => TlsError::Handshake(Arc::new(error)),
    }
}

fn version(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        _ => "unknown",
    }
}

/// Takes any certificate, and still checks that the other side has its key.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
