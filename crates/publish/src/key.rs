//! The key that a DNS server knows us by (TSIG, RFC 8945): read from the file that
//! `tsig-keygen` writes, or from one that holds the secret alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hickory_proto::rr::TSigner;
use hickory_proto::rr::rdata::tsig::TsigAlgorithm;
use repute_types::Domain;

use crate::convert;

/// RFC 8945 §10: five minutes is what clocks may differ by.
const FUDGE: u16 = 300;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    #[error("the file holds no key: `tsig-keygen NAME` writes one, or put the secret in base64 alone into it")]
    NoSecret,
    #[error("the secret is not base64: copy it again")]
    NotBase64,
    #[error("the key has no name: say it with --key-name, as the DNS server's configuration has it")]
    NoName,
    #[error("\"{0}\" is no name of a key: it is written like a domain name")]
    Name(String),
    #[error("the algorithm {0} is not known or too weak: make a new key with `tsig-keygen -a hmac-sha256 NAME`")]
    Algorithm(String),
}

/// A name, an algorithm and a secret, which `Debug` does not show.
#[derive(Clone)]
pub struct TsigKey {
    pub(crate) signer: TSigner,
    name: Domain,
}

impl TsigKey {
    /// `name` goes before the one in the file.
    pub fn parse(name: Option<&str>, file: &str) -> Result<TsigKey, KeyError> {
        let clause = Clause::find(file);
        let name = name.map(str::to_owned).or(clause.name).ok_or(KeyError::NoName)?;
        let name = Domain::parse(&name).map_err(|_| KeyError::Name(name))?;
        let secret = clause.secret.ok_or(KeyError::NoSecret)?;
        let secret = STANDARD.decode(secret).map_err(|_| KeyError::NotBase64)?;
        if secret.is_empty() {
            return Err(KeyError::NoSecret);
        }
        let algorithm = match clause.algorithm.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("hmac-sha256") => TsigAlgorithm::HmacSha256,
            Some("hmac-sha384") => TsigAlgorithm::HmacSha384,
            Some("hmac-sha512") => TsigAlgorithm::HmacSha512,
            Some(other) => return Err(KeyError::Algorithm(other.to_owned())),
        };
        let wrong = |_| KeyError::Algorithm(clause.algorithm.unwrap_or_default());
        let signer = TSigner::new(secret, algorithm, convert::name(&name), FUDGE).map_err(wrong)?;
        Ok(TsigKey { signer, name })
    }

    pub fn name(&self) -> &Domain {
        &self.name
    }
}

impl std::fmt::Debug for TsigKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TsigKey({})", self.name)
    }
}

/// `key "NAME" { algorithm A; secret "S"; };` as BIND and others have it.
#[derive(Default)]
struct Clause {
    name: Option<String>,
    algorithm: Option<String>,
    secret: Option<String>,
}

impl Clause {
    fn find(file: &str) -> Clause {
        let lines = file.lines().map(|l| l.split(['#']).next().unwrap_or_default());
        let lines = lines.filter(|l| !l.trim_start().starts_with("//"));
        let text: String = lines.map(|l| format!("{l} ")).collect();
        let words: Vec<&str> = text.split([' ', '\t', '"', ';', '{', '}']).filter(|w| !w.is_empty()).collect();
        let after = |word: &str| {
            let at = words.iter().position(|w| w.eq_ignore_ascii_case(word))?;
            words.get(at + 1).map(|w| (*w).to_owned())
        };
        match words[..] {
            // The secret alone.
            [secret] => Clause { secret: Some(secret.to_owned()), ..Clause::default() },
            _ => Clause { name: after("key"), algorithm: after("algorithm"), secret: after("secret") },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_tools_write_them() {
        let file = "# made by hand\nkey \"update.example.\" {\n\talgorithm hmac-sha512;\n\tsecret \"c2VjcmV0\";\n};\n";
        let key = TsigKey::parse(None, file).unwrap();
        assert_eq!(key.name().as_str(), "update.example");
        assert_eq!(key.signer.key(), b"secret");
        assert_eq!(*key.signer.algorithm(), TsigAlgorithm::HmacSha512);
        assert_eq!(TsigKey::parse(Some("other"), file).unwrap().name().as_str(), "other");
        let plain = TsigKey::parse(Some("k"), "c2VjcmV0\n").unwrap();
        assert_eq!(*plain.signer.algorithm(), TsigAlgorithm::HmacSha256);
        assert_eq!(format!("{plain:?}"), "TsigKey(k)");
    }

    #[test]
    fn what_is_no_key_says_what_is_missing() {
        let check = |name: Option<&str>, file: &str, expect: KeyError| {
            assert_eq!(TsigKey::parse(name, file).unwrap_err(), expect);
        };
        check(None, "c2VjcmV0", KeyError::NoName);
        check(Some("k"), "", KeyError::NoSecret);
        check(Some("k"), "!!", KeyError::NotBase64);
        check(None, "key k { algorithm hmac-md5; secret \"c2VjcmV0\"; };", KeyError::Algorithm("hmac-md5".into()));
        check(Some("a b"), "c2VjcmV0", KeyError::Name("a b".into()));
    }
}
