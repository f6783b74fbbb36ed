//! The standard's own words: kinds of policies (RFC 8460 §4.4) and of failures (§4.3).

use std::fmt;

/// Which policy a session was held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyType {
    /// DANE: TLSA records of the host.
    Tlsa,
    /// MTA-STS, also where it is only being tested.
    Sts,
    NoPolicyFound,
}

impl PolicyType {
    pub fn as_str(self) -> &'static str {
        match self {
            PolicyType::Tlsa => "tlsa",
            PolicyType::Sts => "sts",
            PolicyType::NoPolicyFound => "no-policy-found",
        }
    }
}

impl fmt::Display for PolicyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a session failed. `dane-required` is not among them: no switch here asks for DANE where a domain has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResultType {
    StartTlsNotSupported,
    CertificateExpired,
    CertificateHostMismatch,
    CertificateNotTrusted,
    /// None of the others; the reason says what.
    ValidationFailure,
    /// No TLSA record can be used, or none fits the certificate.
    TlsaInvalid,
    /// Whether there are TLSA records cannot be found out.
    DnssecInvalid,
    StsPolicyFetchError,
    StsPolicyInvalid,
    /// The host of the policy has no valid certificate.
    StsWebpkiInvalid,
}

impl ResultType {
    pub fn as_str(self) -> &'static str {
        match self {
            ResultType::StartTlsNotSupported => "starttls-not-supported",
            ResultType::CertificateExpired => "certificate-expired",
            ResultType::CertificateHostMismatch => "certificate-host-mismatch",
            ResultType::CertificateNotTrusted => "certificate-not-trusted",
            ResultType::ValidationFailure => "validation-failure",
            ResultType::TlsaInvalid => "tlsa-invalid",
            ResultType::DnssecInvalid => "dnssec-invalid",
            ResultType::StsPolicyFetchError => "sts-policy-fetch-error",
            ResultType::StsPolicyInvalid => "sts-policy-invalid",
            ResultType::StsWebpkiInvalid => "sts-webpki-invalid",
        }
    }
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
