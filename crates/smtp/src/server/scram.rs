//! SCRAM-SHA-256 (RFC 5802, RFC 7677), the server's side; messages in, messages out.
//!
//! Promise: the password never reaches us, and an unknown name looks like a known one. No
//! channel binding is offered, so `p=` is refused, and `n` and `y` are both right.
//! Limit: SASLprep (RFC 4013) is applied to ASCII alone; names and passwords beyond ASCII are
//! taken as they are sent.

use aws_lc_rs::{constant_time, digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// What is known of an account (RFC 5802 §3).
#[derive(Clone, Debug)]
pub struct Secret {
    pub iterations: u32,
    pub salt: Vec<u8>,
    pub stored_key: [u8; 32],
    pub server_key: [u8; 32],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refused {
    Malformed,
    /// The proof is wrong: so is the password, or the name.
    Proof,
}

/// client-first-message
#[derive(Debug, PartialEq, Eq)]
pub struct ClientFirst {
    /// Decoded.
    pub name: String,
    /// Through its last comma.
    gs2_header: String,
    bare: String,
    nonce: String,
}

impl ClientFirst {
    pub fn parse(message: &str) -> Option<ClientFirst> {
        let mut parts = message.splitn(3, ',');
        let (flag, authzid, bare) = (parts.next()?, parts.next()?, parts.next()?);
        if !matches!(flag, "n" | "y") {
            return None;
        }
        let mut attributes = bare.split(',');
        // An `m=` here is an extension that must be understood: none is.
        let name = saslname(attributes.next()?.strip_prefix("n=")?)?;
        let nonce = attributes.next()?.strip_prefix("r=")?;
        let good_nonce = !nonce.is_empty() && nonce.bytes().all(|b| b.is_ascii_graphic());
        let same = match authzid.strip_prefix("a=") {
            Some(other) => saslname(other)? == name,
            None => authzid.is_empty(),
        };
        if !good_nonce || !same {
            return None;
        }
        Some(ClientFirst {
            name,
            gs2_header: format!("{flag},{authzid},"),
            bare: bare.to_owned(),
            nonce: nonce.to_owned(),
        })
    }

    /// server-first-message, and what waits for the client's last. `nonce` is used once only.
    pub fn challenge(self, secret: Secret, nonce: &[u8; 18]) -> (Server, String) {
        let nonce = format!("{}{}", self.nonce, BASE64.encode(nonce));
        let challenge = format!("r={nonce},s={},i={}", BASE64.encode(&secret.salt), secret.iterations);
        let signed_so_far = format!("{},{challenge},", self.bare);
        (Server { secret, nonce, gs2_header: self.gs2_header, signed_so_far }, challenge)
    }
}

/// `=2C` is a comma and `=3D` an equals sign; SASLprep forbids controls (RFC 5802 §5.1).
fn saslname(text: &str) -> Option<String> {
    let mut name = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, escaped)) = rest.split_once('=') {
        name.push_str(plain);
        name.push(match escaped.get(..2)? {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        rest = &escaped[2..];
    }
    name.push_str(rest);
    (!name.is_empty() && !name.chars().any(char::is_control)).then_some(name)
}

/// The exchange after the challenge.
#[derive(Debug)]
pub struct Server {
    secret: Secret,
    /// Ours appended to the client's.
    nonce: String,
    gs2_header: String,
    /// AuthMessage up to the client's last message.
    signed_so_far: String,
}

impl Server {
    /// Takes client-final-message; gives server-final-message where the proof is right.
    pub fn verify(&self, message: &str) -> Result<String, Refused> {
        let (without_proof, proof) = message.rsplit_once(",p=").ok_or(Refused::Malformed)?;
        let mut attributes = without_proof.split(',');
        let binding = attributes.next().and_then(|a| a.strip_prefix("c=")).ok_or(Refused::Malformed)?;
        let nonce = attributes.next().and_then(|a| a.strip_prefix("r=")).ok_or(Refused::Malformed)?;
        if BASE64.decode(binding).ok().as_deref() != Some(self.gs2_header.as_bytes()) || nonce != self.nonce {
            return Err(Refused::Malformed);
        }
        let proof: [u8; 32] = BASE64.decode(proof).ok().and_then(|p| p.try_into().ok()).ok_or(Refused::Malformed)?;
        let auth_message = format!("{}{without_proof}", self.signed_so_far);
        let mut client_key = sign(&self.secret.stored_key, auth_message.as_bytes());
        client_key.iter_mut().zip(proof).for_each(|(k, p)| *k ^= p);
        let stored = digest::digest(&digest::SHA256, &client_key);
        constant_time::verify_slices_are_equal(stored.as_ref(), &self.secret.stored_key).map_err(|_| Refused::Proof)?;
        Ok(format!("v={}", BASE64.encode(sign(&self.secret.server_key, auth_message.as_bytes()))))
    }
}

fn sign(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut out = [0; 32];
    out.copy_from_slice(tag.as_ref());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exchange printed in RFC 7677 §3: user `user`, password `pencil`.
    fn rfc_secret() -> Secret {
        let salt = BASE64.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap();
        let mut salted = [0; 32];
        aws_lc_rs::pbkdf2::derive(
            aws_lc_rs::pbkdf2::PBKDF2_HMAC_SHA256,
            std::num::NonZeroU32::new(4096).unwrap(),
            &salt,
            b"pencil",
            &mut salted,
        );
        let client_key = sign(&salted, b"Client Key");
        let mut stored_key = [0; 32];
        stored_key.copy_from_slice(digest::digest(&digest::SHA256, &client_key).as_ref());
        Secret { iterations: 4096, salt, stored_key, server_key: sign(&salted, b"Server Key") }
    }

    fn rfc_server() -> Server {
        let first = ClientFirst::parse("n,,n=user,r=rOprNGfwEbeRWgbNEkqO").unwrap();
        // The RFC's own nonce is no base64 of ours, so the state is put together by hand.
        let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0".to_owned();
        let challenge = format!("r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
        Server {
            secret: rfc_secret(),
            nonce,
            gs2_header: first.gs2_header,
            signed_so_far: format!("{},{challenge},", first.bare),
        }
    }

    #[test]
    fn the_exchange_of_rfc_7677() {
        let last = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                    p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";
        let proof = rfc_server().verify(last);
        assert_eq!(proof.as_deref(), Ok("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
        let wrong = last.replace("dHzb", "dHzc");
        assert_eq!(rfc_server().verify(&wrong), Err(Refused::Proof));
        let other_binding = last.replace("biws", "eSws");
        assert_eq!(rfc_server().verify(&other_binding), Err(Refused::Malformed));
    }

    #[test]
    fn what_is_no_first_message() {
        for bad in [
            "",
            "n,,",
            "p=tls-unique,,n=user,r=abc",
            "n,,m=x,n=user,r=abc",
            "n,,n=,r=abc",
            "n,,n=us=er,r=abc",
            "n,,n=user,r=",
            "n,a=other,n=user,r=abc",
            "n,b,n=user,r=abc",
        ] {
            assert_eq!(ClientFirst::parse(bad), None, "{bad}");
        }
        let first = ClientFirst::parse("y,a=a=2Cb=3D,n=a=2Cb=3D,r=abc,ext=1").unwrap();
        assert_eq!(first.name, "a,b=");
    }
}
