//! The certificate that clients see: from files, or self-signed in the state folder; and
//! exchanged on reload without touching a connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use anyhow::Context as _;
use repute_types::Domain;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Why a certificate and key cannot be used, and which of the two files is at fault.
#[derive(Debug)]
pub struct Wrong {
    pub in_key: bool,
    pub what: String,
    pub cure: &'static str,
}

/// Reads a chain and its key, both PEM, and checks that they belong together.
pub fn certified_key(chain: &str, key: &str) -> Result<Arc<CertifiedKey>, Wrong> {
    let wrong = |in_key, what: &str, cure| Wrong { in_key, what: what.to_owned(), cure };
    let certificates: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
        .collect::<Result<_, _>>()
        .map_err(|e| wrong(false, &format!("the certificate is damaged: {e}"), "get the file again"))?;
    if certificates.is_empty() {
        return Err(wrong(false, "this file holds no certificate", "name the PEM file with the full chain"));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|e| wrong(true, &format!("this file holds no private key: {e}"), "name the PEM file with the key"))?;
    match CertifiedKey::from_der(certificates, key, &default_provider()) {
        Ok(both) => Ok(Arc::new(both)),
        Err(rustls::Error::InconsistentKeys(_)) => Err(wrong(
            true,
            "this key is not that of the certificate",
            "name the key that the certificate was made for",
        )),
        Err(error) => Err(wrong(true, &format!("certificate and key cannot be used: {error}"), "get both again")),
    }
}

/// The certificate of all listeners; `exchange` changes it for the next handshake.
#[derive(Debug)]
pub struct Certificate(RwLock<Arc<CertifiedKey>>);

impl Certificate {
    pub fn new(key: Arc<CertifiedKey>) -> Arc<Certificate> {
        Arc::new(Certificate(RwLock::new(key)))
    }

    /// Until when it is good, in seconds since 1970; `None` where it does not say so in a form that is understood.
    pub fn not_after(&self) -> Option<i64> {
        let key = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        repute_trust::certificate::Certificate::parse(key.cert.first()?).ok().map(|read| read.not_after)
    }

    pub fn exchange(&self, key: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner) = key;
    }

    /// What listeners hand to the TLS library: TLS 1.2 and 1.3, no client certificates.
    pub fn server_config(self: &Arc<Self>) -> anyhow::Result<Arc<rustls::ServerConfig>> {
        let config = rustls::ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .context("the TLS library has no protocol versions")?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        Ok(Arc::new(config))
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone())
    }
}

/// The files of the self-signed certificate, in the state folder.
pub struct SelfSigned {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl SelfSigned {
    pub fn of(state: &Path) -> SelfSigned {
        SelfSigned { certificate: state.join("tls/certificate.pem"), key: state.join("tls/key.pem") }
    }

    /// Makes both files where they are not there yet; they are kept, so that a client that
    /// was told to trust the certificate goes on doing so.
    pub fn make(&self, hostname: &Domain) -> anyhow::Result<()> {
        if self.certificate.exists() && self.key.exists() {
            return Ok(());
        }
        let made = rcgen::generate_simple_self_signed(vec![hostname.to_string()]).context("making a certificate")?;
        crate::private::write(&self.key, made.signing_key.serialize_pem().as_bytes())?;
        crate::private::write(&self.certificate, made.cert.pem().as_bytes())?;
        Ok(())
    }
}
