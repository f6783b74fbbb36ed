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
}
