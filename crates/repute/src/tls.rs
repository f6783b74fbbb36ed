//! The certificate that clients see: from files, or self-signed in the state folder; and
//! exchanged without touching a connection.

use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

use anyhow::Context as _;
use repute_net::{CertificateFault, TlsClient};
use repute_trust::certificate::Certificate as Dates;
use repute_trust::checks::mailbox::{RENEW as SOON, time_left};
use repute_trust::checks::sent::OwnCertificate;
use repute_types::{Domain, Timestamp};
use rustls::client::verify_server_name;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::{out, state};

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
    if key.contains("ENCRYPTED") {
        let cure = "write it into a file without one: openssl pkey -in KEY -out NEW";
        return Err(wrong(true, "a password protects this key, and the server has none", cure));
    }
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|e| wrong(true, &format!("this file holds no private key: {e}"), "name the PEM file with the key"))?;
    let fits = |certificate: &CertificateDer<'static>| {
        CertifiedKey::from_der(vec![certificate.clone()], key.clone_key(), &default_provider()).is_ok()
    };
    match CertifiedKey::from_der(certificates.clone(), key.clone_key(), &default_provider()) {
        Ok(both) => Ok(Arc::new(both)),
        Err(rustls::Error::InconsistentKeys(_)) if certificates.iter().any(fits) => Err(wrong(
            false,
            "the first certificate of this file is not the server's own",
            "put the one that the key is for first, behind it the one that signed it, and so on",
        )),
        Err(rustls::Error::InconsistentKeys(_)) => Err(wrong(
            true,
            "this key is not that of the certificate",
            "name the key that the certificate was made for",
        )),
        Err(rustls::Error::General(_)) => Err(wrong(
            true,
            "this key is of a kind, or so short, that clients do not take it",
            "make another, RSA of 2048 bits or more or ECDSA, and a certificate for it",
        )),
        Err(error) => Err(wrong(true, &format!("certificate and key cannot be used: {error}"), "get both again")),
    }
}

/// A sentence and its cure for each thing for which clients that look at it turn away from a certificate, now or soon.
pub fn remarks(chain: &[CertificateDer<'_>], hostname: &Domain, now: Timestamp) -> Vec<(String, String)> {
    let (mut found, Some(der)) = (Vec::new(), chain.first()) else { return Vec::new() };
    let mut remark = |what: String, cure: &str| found.push((what, cure.to_owned()));
    const RENEW: &str = "renew it: it is taken on within a minute";
    if let Ok(read) = Dates::parse(der) {
        match time_left(&read, now) {
            None => remark(format!("the certificate has expired, on {}", day(read.not_after)), RENEW),
            Some(left) if left < SOON => {
                let what = format!("the certificate expires on {}, in {}", day(read.not_after), out::short(left));
                remark(what, "renew it, and see why that is not done by itself");
            }
            Some(_) => {}
        }
        if Timestamp(read.not_before.saturating_mul(1000)) > now {
            let what = format!("the certificate is not valid before {}", day(read.not_before));
            remark(what, "see whether this machine's clock is right, or take the certificate of now");
        }
    }
    found.extend(other_name(der, hostname));
    found
}

fn other_name(der: &CertificateDer<'_>, hostname: &Domain) -> Option<(String, String)> {
    // One that is read by another parser than that of clients says nothing about its names.
    let (parsed, name) = (ParsedCertificate::try_from(der).ok()?, ServerName::try_from(hostname.as_str()).ok()?);
    verify_server_name(&parsed, &name).err()?;
    let what = format!("the certificate does not name {hostname}, which clients connect to");
    Some((what, "take one for this name, or correct `hostname`".to_owned()))
}

/// Whether clients that trust what this machine trusts find an authority behind a certificate of the configuration. One
/// that is not valid today, or names another host, is told by [`remarks`].
pub fn unvouched(
    chain: &[CertificateDer<'_>],
    hostname: &Domain,
    now: Timestamp,
    trust: &TlsClient,
) -> Option<(String, String)> {
    let read = Dates::parse(chain.first()?).ok()?;
    let now = now.millis() / 1000;
    if now < read.not_before || read.not_after <= now {
        return None;
    }
    let (what, cure) = match (trust.turns_away(chain, hostname.as_str())?, chain.len()) {
        (CertificateFault::OtherName, _) => return None,
        (CertificateFault::Expired, _) => (
            "what vouches for the certificate has expired: clients turn away from it",
            "get the file with the full chain again from who made the certificate",
        ),
        (CertificateFault::NotTrusted | CertificateFault::Other, 1) => (
            "no authority that this machine trusts vouches for the certificate: clients turn away from it",
            "name the file with the full chain (certbot's fullchain.pem); one that signed itself nobody trusts",
        ),
        (CertificateFault::NotTrusted | CertificateFault::Other, _) => (
            "no authority that this machine trusts vouches for the certificate: clients turn away from it",
            "name the file with the full chain, in its order; clients of your own have to know your authority",
        ),
    };
    Some((what.to_owned(), cure.to_owned()))
}

/// The certificate as checks judge it, without its chain being followed.
pub fn own(chain: &[CertificateDer<'_>], hostname: &Domain) -> Result<OwnCertificate, String> {
    let first = chain.first().ok_or("there is no certificate")?;
    let read = Dates::parse(first)?;
    let at = |seconds: i64| Timestamp(seconds.saturating_mul(1000));
    Ok(OwnCertificate { from: at(read.not_before), until: at(read.not_after), remark: other_name(first, hostname) })
}

/// The date of a time in seconds since 1970.
fn day(seconds: i64) -> String {
    let at = Timestamp(seconds.saturating_mul(1000)).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
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
        Dates::parse(self.current().cert.first()?).ok().map(|read| read.not_after)
    }

    /// What the next client sees.
    pub fn current(&self) -> Arc<CertifiedKey> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
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
        Some(self.current())
    }
}

/// The files of the self-signed certificate, in the state folder.
pub struct SelfSigned {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl SelfSigned {
    pub fn of(state: &Path) -> SelfSigned {
        let folder = state::tls(state);
        SelfSigned { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") }
    }

    /// Makes both files where they are not there yet; they are kept, so that a client that
    /// was told to trust the certificate goes on doing so.
    pub fn make(&self, hostname: &Domain) -> anyhow::Result<()> {
        if self.certificate.exists() && self.key.exists() {
            return Ok(());
        }
        let mut wanted = rcgen::CertificateParams::new(vec![hostname.to_string()]).context("making a certificate")?;
        // What people see who are asked whether they trust it. A longer name does not fit (RFC 5280, ub-common-name).
        let name = if hostname.as_str().len() <= 64 { hostname.as_str() } else { "Repute" };
        wanted.distinguished_name = rcgen::DistinguishedName::new();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
        let pair = rcgen::KeyPair::generate().context("making a key")?;
        let made = wanted.self_signed(&pair).context("making a certificate")?;
        crate::private::write(&self.key, pair.serialize_pem().as_bytes())?;
        crate::private::write(&self.certificate, made.pem().as_bytes())?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use repute_types::{Clock as _, SystemClock};

    use super::*;

    /// Its subject was `rcgen self signed cert`, and that is what mail programs asked people about.
    #[test]
    fn the_certificate_that_is_made_bears_the_name_of_the_server() {
        let folder = tempfile::tempdir().unwrap();
        let hostname = Domain::parse("mail.example.com").unwrap();
        let files = SelfSigned::of(folder.path());
        files.make(&hostname).unwrap();
        let read = |file| std::fs::read_to_string(file).unwrap();
        let key = certified_key(&read(&files.certificate), &read(&files.key)).unwrap();
        assert!(remarks(&key.cert, &hostname, SystemClock.now()).is_empty());
        let der = key.cert[0].to_vec();
        let holds = |text: &str| der.windows(text.len()).filter(|octets| *octets == text.as_bytes()).count();
        // As issuer, as subject, and as the name that counts.
        assert_eq!((holds("mail.example.com"), holds("rcgen")), (3, 0));
    }

    /// Only the watch told it, and `config check` called it good.
    #[test]
    fn a_certificate_that_clients_turn_away_from_is_remarked_on() {
        let mut wanted = rcgen::CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        wanted.not_before = rcgen::date_time_ymd(2026, 1, 1);
        wanted.not_after = rcgen::date_time_ymd(2026, 4, 1);
        let pair = rcgen::KeyPair::generate().unwrap();
        let key = certified_key(&wanted.self_signed(&pair).unwrap().pem(), &pair.serialize_pem()).unwrap();
        let said = |name: &str, month, day| {
            let now = Timestamp(rcgen::date_time_ymd(2026, month, day).unix_timestamp() * 1000);
            let found = remarks(&key.cert, &name.parse().unwrap(), now);
            found.into_iter().map(|(what, _)| what).collect::<Vec<_>>()
        };
        assert_eq!(said("mail.example.com", 2, 1), [""; 0]);
        assert_eq!(said("mail.example.com", 3, 25), ["the certificate expires on 2026-04-01, in 7d"]);
        assert_eq!(said("mail.example.com", 4, 2), ["the certificate has expired, on 2026-04-01"]);
        let other = "the certificate does not name mx.example.com, which clients connect to";
        assert_eq!(said("mx.example.com", 2, 1), [other]);
        wanted.not_before = rcgen::date_time_ymd(2026, 3, 1);
        let key = certified_key(&wanted.self_signed(&pair).unwrap().pem(), &pair.serialize_pem()).unwrap();
        let early = Timestamp(rcgen::date_time_ymd(2026, 2, 1).unix_timestamp() * 1000);
        let found = remarks(&key.cert, &"mail.example.com".parse().unwrap(), early);
        assert_eq!(found[0].0, "the certificate is not valid before 2026-03-01");
    }

    /// A root, an authority below it, and a certificate of that for `mail.example.com` with its key.
    fn issued() -> (TlsClient, [String; 2], String) {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
        let authority = |name: &str| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            params
        };
        let (root_key, key_between, key) =
            (KeyPair::generate().unwrap(), KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let root = authority("root").self_signed(&root_key).unwrap();
        let between = authority("between");
        let signed = between.signed_by(&key_between, &Issuer::new(authority("root"), &root_key)).unwrap();
        let own = CertificateParams::new(vec!["mail.example.com".to_owned()]).unwrap();
        let own = own.signed_by(&key, &Issuer::new(between, &key_between)).unwrap();
        let mut roots = rustls::RootCertStore::empty();
        roots.add(root.der().clone()).unwrap();
        (TlsClient::with_roots(roots), [own.pem(), signed.pem()], key.serialize_pem())
    }

    /// `cert.pem` in place of `fullchain.pem` was called good, and every client turned away.
    #[test]
    fn a_chain_that_leads_to_nobody_is_remarked_on() {
        let (trust, [own, between], key) = issued();
        let host = Domain::parse("mail.example.com").unwrap();
        let cure = |chain: &str| {
            let served = certified_key(chain, &key).unwrap();
            unvouched(&served.cert, &host, SystemClock.now(), &trust).map(|(_, cure)| cure)
        };
        assert_eq!(cure(&format!("{own}{between}")), None);
        assert!(cure(&own).unwrap().contains("full chain (certbot's fullchain.pem)"));
        assert!(cure(&format!("{own}{own}")).unwrap().contains("in its order"));
        // Who trusts nobody says nothing.
        let served = certified_key(&own, &key).unwrap();
        assert_eq!(unvouched(&served.cert, &host, SystemClock.now(), &TlsClient::without_roots()), None);
        // And that it names another is told already.
        let served = certified_key(&format!("{own}{between}"), &key).unwrap();
        let other = Domain::parse("mx.example.com").unwrap();
        assert_eq!(unvouched(&served.cert, &other, SystemClock.now(), &trust), None);
    }

    #[test]
    fn what_is_wrong_with_a_file_is_said_with_its_cure() {
        let (_, [own, between], key) = issued();
        let wrong = |chain: &str, key: &str| certified_key(chain, key).unwrap_err();
        let order = wrong(&format!("{between}{own}"), &key);
        assert_eq!(
            (order.in_key, order.what.as_str()),
            (false, "the first certificate of this file is not the server's own")
        );
        let other = rcgen::KeyPair::generate().unwrap().serialize_pem();
        assert_eq!(wrong(&own, &other).what, "this key is not that of the certificate");
        let secret = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
        assert_eq!(wrong(&own, secret).what, "a password protects this key, and the server has none");
        // RSA of 1024 bits, made for this test.
        let short = wrong(&own, include_str!("../tests/short_key.pem"));
        assert!(short.in_key && short.what.starts_with("this key is of a kind, or so short"), "{}", short.what);
    }
}
