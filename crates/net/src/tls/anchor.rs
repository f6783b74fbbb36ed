//! Certificates judged from one authority that somebody named, in place of those that everybody trusts.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::CertificateFault;

/// Whether the first certificate of the chain is valid now, bears the name, and comes from the anchor (a
/// certificate in DER), through others of the chain or directly.
pub fn leads_to(anchor: &[u8], chain: &[Vec<u8>], name: &str) -> Result<(), CertificateFault> {
    let Some((own, above)) = chain.split_first() else { return Err(CertificateFault::NotTrusted) };
    let mut roots = RootCertStore::empty();
    if roots.add(CertificateDer::from(anchor)).is_err() {
        return Err(CertificateFault::NotTrusted);
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let Ok(verifier) = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() else {
        return Err(CertificateFault::NotTrusted);
    };
    let own = CertificateDer::from(own.as_slice());
    let above: Vec<_> = above.iter().map(|der| CertificateDer::from(der.as_slice())).collect();
    let name = ServerName::try_from(name).map_err(|_| CertificateFault::OtherName)?;
    let verified = verifier.verify_server_cert(&own, &above, &name, &[], UnixTime::now());
    verified.map(drop).map_err(|error| CertificateFault::of(&error))
}
