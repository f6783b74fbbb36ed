//! Why a certificate does not stand verification, as a kind.

use rustls::{CertificateError, Error};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateFault {
    Expired,
    OtherName,
    /// No authority that we trust vouches for it.
    NotTrusted,
    Other,
}

impl CertificateFault {
    /// Of a verification that failed.
    pub fn of(error: &Error) -> CertificateFault {
        match error {
            Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
                CertificateFault::Expired
            }
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => CertificateFault::OtherName,
            Error::InvalidCertificate(
                CertificateError::UnknownIssuer | CertificateError::BadSignature | CertificateError::Revoked,
            ) => CertificateFault::NotTrusted,
            _ => CertificateFault::Other,
        }
    }

    /// What is wrong with the certificate, for people: `it has expired`.
    pub fn in_words(error: &Error) -> String {
        match (CertificateFault::of(error), error) {
            (CertificateFault::Expired, _) => "it has expired".into(),
            (
                CertificateFault::OtherName,
                Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. }),
            ) if !presented.is_empty() => format!("it is for {}", names(presented)),
            (
                CertificateFault::OtherName,
                Error::InvalidCertificate(CertificateError::NotValidForNameContext { .. }),
            ) => "it bears no DNS name, and the common name of its subject does not count".into(),
            (CertificateFault::OtherName, _) => "it is for another name".into(),
            (CertificateFault::NotTrusted, _) => "no authority that is trusted here vouches for it".into(),
            (CertificateFault::Other, _) => error.to_string(),
        }
    }
}

/// Names that are told.
const NAMES_MOST: usize = 3;

/// The verifier has them as `DnsName("mx.example.net")`.
fn names(presented: &[String]) -> String {
    let bare = |name: &String| match name.split_once('"') {
        Some((_, rest)) => rest.split('"').next().unwrap_or_default().to_owned(),
        None => name.clone(),
    };
    let more = if presented.len() > NAMES_MOST { ", ..." } else { "" };
    presented.iter().take(NAMES_MOST).map(bare).collect::<Vec<_>>().join(", ") + more
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn what_is_wrong_is_said_in_plain_words() {
        let words = |error| CertificateFault::in_words(&Error::InvalidCertificate(error));
        assert_eq!(words(CertificateError::Expired), "it has expired");
        let expected = ServerName::try_from("mx.b.test").unwrap();
        let presented = ["a", "b", "c", "d"].map(|n| format!("DnsName(\"{n}.test\")")).to_vec();
        let other = CertificateError::NotValidForNameContext { expected, presented };
        assert_eq!(words(other), "it is for a.test, b.test, c.test, ...");
        // As with a common name alone, which looked right to whoever read the certificate.
        let expected = ServerName::try_from("mx.b.test").unwrap();
        let none = CertificateError::NotValidForNameContext { expected, presented: Vec::new() };
        assert_eq!(words(none), "it bears no DNS name, and the common name of its subject does not count");
        assert_eq!(words(CertificateError::UnknownIssuer), "no authority that is trusted here vouches for it");
    }
}
