//! The client's side of SCRAM-SHA-256 (RFC 5802, RFC 7677) over SMTP (RFC 4954).
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::io;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use repute_engine::door::ScramSecret;
use repute_testkit::Wire;

async fn line(wire: &mut Wire) -> io::Result<String> {
    let line = wire.line().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok(String::from_utf8(line).unwrap())
}

/// Logs in over a session that has said EHLO; the server's last reply. Its proof that it knows the
/// password, too, is checked.
/// An error is a connection that broke.
pub async fn log_in(wire: &mut Wire, name: &str, password: &str) -> io::Result<String> {
    let bare = format!("n={name},r=clientnonce");
    let first = BASE64.encode(format!("n,,{bare}"));
    wire.send(format!("AUTH SCRAM-SHA-256 {first}\r\n").as_bytes()).await?;
    let answer = line(wire).await?;
    let Some(challenge) = answer.strip_prefix("334 ") else { return Ok(answer) };
    let challenge = String::from_utf8(BASE64.decode(challenge).unwrap()).unwrap();
    let value = |key: &str| challenge.split(',').find_map(|a| a.strip_prefix(key)).unwrap().to_owned();
    let (nonce, salt) = (value("r="), BASE64.decode(value("s=")).unwrap());
    assert!(nonce.starts_with("clientnonce") && nonce.len() > 30);
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(value("i=").parse().unwrap()).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
    let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text).as_ref().to_vec();
    let client_key = sign(&salted, b"Client Key");
    let without_proof = format!("c=biws,r={nonce}");
    let message = format!("{bare},{challenge},{without_proof}");
    let signature = sign(digest::digest(&digest::SHA256, &client_key).as_ref(), message.as_bytes());
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(k, s)| k ^ s).collect();
    let last = BASE64.encode(format!("{without_proof},p={}", BASE64.encode(proof)));
    wire.send(format!("{last}\r\n").as_bytes()).await?;
    let answer = line(wire).await?;
    let Some(theirs) = answer.strip_prefix("334 ") else { return Ok(answer) };
    let server_key = sign(&salted, b"Server Key");
    let expected = format!("v={}", BASE64.encode(sign(&server_key, message.as_bytes())));
    assert_eq!(BASE64.decode(theirs).unwrap(), expected.as_bytes());
    wire.send(b"\r\n").await?;
    line(wire).await
}

/// What a server keeps of a password.
pub fn secret_of(password: &str) -> ScramSecret {
    let salt = b"a salt of sixteen".to_vec();
    let mut salted = [0; 32];
    let rounds = NonZeroU32::new(4096).unwrap();
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, &salt, password.as_bytes(), &mut salted);
    let sign = |text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &salted), text);
    let fixed = |octets: &[u8]| <[u8; 32]>::try_from(octets).unwrap();
    let stored_key = fixed(digest::digest(&digest::SHA256, sign(b"Client Key").as_ref()).as_ref());
    ScramSecret { iterations: 4096, salt, stored_key, server_key: fixed(sign(b"Server Key").as_ref()) }
}
