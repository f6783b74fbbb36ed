//! Certificates judged from one authority that somebody named, in place of those that everybody trusts.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

/// Whether the first certificate of the chain is valid now, bears one of the names, and comes from the
/// anchor (a certificate in DER), through others of the chain or directly.
pub fn leads_to(anchor: &[u8], chain: &[Vec<u8>], names: &[String]) -> bool {
    let Some((own, above)) = chain.split_first() else { return false };
    let mut roots = RootCertStore::empty();
    if roots.add(CertificateDer::from(anchor)).is_err() {
        return false;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return false;
    };
    let own = CertificateDer::from(own.as_slice());
    let above: Vec<_> = above.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let names = names.iter().filter_map(|name| ServerName::try_from(name.as_str()).ok());
    names.into_iter().any(|name| verifier.verify_server_cert(&own, &above, &name, &[], UnixTime::now()).is_ok())
}
