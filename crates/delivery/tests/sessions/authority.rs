//! A certificate authority for tests, and servers with certificates from it.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use repute_net::TlsClient;
use rustls::pki_types::PrivateKeyDer;

pub struct Authority(CertifiedIssuer<'static, KeyPair>);

#[derive(Clone, Copy)]
pub enum Certificate {
    Good,
    Expired,
    OtherName,
    SelfSigned,
}

/// A server, and the certificates that it shows, its own first.
pub struct Server {
    pub config: Arc<rustls::ServerConfig>,
    pub chain: Vec<Vec<u8>>,
}

impl Authority {
    pub fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// Who believes it.
    pub fn client(&self) -> TlsClient {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), self.0.pem()).unwrap();
        TlsClient::with_roots_from(file.path()).unwrap()
    }

    pub fn server(&self, what: Certificate) -> Server {
        self.server_of(if matches!(what, Certificate::OtherName) { "other.test" } else { "mx.b.test" }, what)
    }

    /// The chain has the authority's own certificate too. `CN=mx.b.test` is a common name, and what stands behind it
    /// are DNS names.
    pub fn server_of(&self, name: &str, what: Certificate) -> Server {
        let (common, names): (Vec<&str>, Vec<&str>) = name.split_whitespace().partition(|word| word.starts_with("CN="));
        let mut params = CertificateParams::new(names.into_iter().map(str::to_owned).collect::<Vec<_>>()).unwrap();
        if let Some(common) = common.first() {
            params.distinguished_name.push(DnType::CommonName, &common[3..]);
        }
        if matches!(what, Certificate::Expired) {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = KeyPair::generate().unwrap();
        let chain = match what {
            Certificate::SelfSigned => vec![params.self_signed(&key).unwrap().der().clone()],
            _ => vec![params.signed_by(&key, &self.0).unwrap().der().clone(), self.0.der().clone()],
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        let shown = chain.iter().map(|der| der.to_vec()).collect();
        Server { config: Arc::new(builder.with_single_cert(chain, key).unwrap()), chain: shown }
    }
}
