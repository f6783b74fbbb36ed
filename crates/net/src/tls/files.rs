//! Certificates and keys of our own listeners, from PEM files.

use std::path::Path;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// What is wrong with the files, with the cure.
#[derive(Debug, thiserror::Error)]
pub enum TlsFileError {
    #[error("{path}: the certificate cannot be read: write the chain in PEM form, the server's own certificate first")]
    Certificate { path: String, source: pem::Error },
    #[error("{path}: holds no certificate: write the chain in PEM form, the server's own certificate first")]
    NoCertificate { path: String },
    #[error("{path}: the private key cannot be read: write it in PEM form, without a pass phrase")]
    Key { path: String, source: pem::Error },
    #[error("{certificate} and {key} do not belong together: give the key that the certificate was made for")]
    Mismatch { certificate: String, key: String },
    #[error("{key} cannot be used: give an RSA, ECDSA or Ed25519 key that fits the certificate")]
    Unusable { key: String, source: rustls::Error },
}

/// A server that shows the chain in `certificate` and has the key in `key`.
pub fn server_config(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, TlsFileError> {
    let shown = |path: &Path| path.display().to_string();
    let unreadable = |source| TlsFileError::Certificate { path: shown(certificate), source };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_file_iter(certificate).map_err(unreadable)?.collect();
    let chain = chain.map_err(unreadable)?;
    if chain.is_empty() {
        return Err(TlsFileError::NoCertificate { path: shown(certificate) });
    }
    let private = PrivateKeyDer::from_pem_file(key).map_err(|source| TlsFileError::Key { path: shown(key), source })?;
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3");
    match builder.with_no_client_auth().with_single_cert(chain, private) {
        Ok(config) => Ok(Arc::new(config)),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(TlsFileError::Mismatch { certificate: shown(certificate), key: shown(key) })
        }
        Err(source) => Err(TlsFileError::Unusable { key: shown(key), source }),
    }
}
