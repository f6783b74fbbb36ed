//! AUTH (RFC 4954): PLAIN (4616), LOGIN (never a standard, spoken by many), SCRAM-SHA-256 (7677).
//!
//! Offered only inside TLS. A failure to authenticate is counted apart from other errors and
//! closes the session sooner.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use super::session::{Phase, Session, Turn};
use super::{AuthAnswer, Host, Kind, Security, Step, say, scram};

/// What the next line of the client is.
#[derive(Debug)]
pub(super) enum Exchange {
    Plain,
    LoginName,
    LoginPassword {
        name: String,
    },
    ScramFirst,
    ScramFinal(scram::Server),
    /// Our proof was sent; the client agrees with an empty line.
    ScramAgreed,
}

impl Session {
    pub(super) fn auth(&mut self, mechanism: &str, initial: Option<&str>, host: &mut dyn Host) -> Turn {
        if let Some(refusal) = self.auth_is_untimely() {
            return self.fail(refusal);
        }
        let (exchange, challenge) = match mechanism {
            m if m.eq_ignore_ascii_case("PLAIN") => (Exchange::Plain, "334 \r\n"),
            m if m.eq_ignore_ascii_case("LOGIN") => (Exchange::LoginName, "334 VXNlcm5hbWU6\r\n"),
            m if m.eq_ignore_ascii_case("SCRAM-SHA-256") => (Exchange::ScramFirst, "334 \r\n"),
            _ => return self.fail(say::NO_MECHANISM),
        };
        if !host.may_try_auth() {
            return self.auth_ended(AuthAnswer::Busy);
        }
        self.phase = Phase::Auth(exchange);
        match initial {
            None => self.say(challenge),
            // An empty response that is there, as against none (RFC 4954 §4).
            Some("=") => return self.auth_octets(Vec::new(), host),
            Some(text) => return self.auth_response(text.as_bytes(), host),
        }
        None
    }

    fn auth_is_untimely(&self) -> Option<&'static str> {
        match () {
            () if self.helo.is_none() => Some(say::EHLO_FIRST),
            () if self.config.kind == Kind::Return => Some(say::NO_AUTH),
            () if self.authenticated => Some(say::AUTH_ALREADY),
            () if self.transaction.is_some() => Some(say::IN_TRANSACTION),
            () if self.security == Security::CanStartTls => Some(say::AUTH_NEEDS_TLS),
            () if self.security == Security::Plain => Some(say::NO_AUTH),
            () => None,
        }
    }

    pub(super) fn auth_response(&mut self, line: &[u8], host: &mut dyn Host) -> Turn {
        if line == b"*" {
            return self.auth_fault(say::AUTH_CANCELLED);
        }
        match BASE64.decode(line) {
            Ok(octets) => self.auth_octets(octets, host),
            Err(_) => self.auth_fault(say::AUTH_MALFORMED),
        }
    }

    fn auth_octets(&mut self, octets: Vec<u8>, host: &mut dyn Host) -> Turn {
        let Ok(text) = String::from_utf8(octets) else { return self.auth_fault(say::AUTH_MALFORMED) };
        let Phase::Auth(exchange) = std::mem::replace(&mut self.phase, Phase::Command) else { return None };
        match exchange {
            Exchange::Plain => match plain(&text) {
                Some((name, password)) => self.check_password(name, password),
                None => self.auth_fault(say::AUTH_MALFORMED),
            },
            Exchange::LoginName => {
                self.say("334 UGFzc3dvcmQ6\r\n");
                self.phase = Phase::Auth(Exchange::LoginPassword { name: text });
                None
            }
            Exchange::LoginPassword { name } => self.check_password(name, text),
            Exchange::ScramFirst => self.scram_first(&text, host),
            Exchange::ScramFinal(server) => self.scram_final(&server, &text, host),
            Exchange::ScramAgreed if text.is_empty() => self.auth_ended(host.scram_ended(true)),
            Exchange::ScramAgreed => self.auth_fault(say::AUTH_MALFORMED),
        }
    }

    fn check_password(&mut self, name: String, password: String) -> Turn {
        // RFC 4616 §2: neither may be empty; SASLprep (RFC 4013) forbids controls in both.
        let good = |s: &str| !s.is_empty() && !s.chars().any(char::is_control);
        if !good(&name) || !good(&password) {
            return self.auth_fault(say::AUTH_MALFORMED);
        }
        self.phase = Phase::Checking;
        Some(Step::CheckPassword { name, password })
    }

    /// The answer to [`Step::CheckPassword`].
    pub fn password_checked(&mut self, answer: AuthAnswer) {
        self.phase = Phase::Command;
        // A closing 421 stands in the phase and comes out with the next step.
        drop(self.auth_ended(answer));
    }

    fn scram_first(&mut self, message: &str, host: &mut dyn Host) -> Turn {
        let Some(first) = scram::ClientFirst::parse(message) else { return self.auth_fault(say::AUTH_MALFORMED) };
        let (secret, nonce) = host.scram(&first.name);
        let (server, challenge) = first.challenge(secret, &nonce);
        self.challenge(&challenge);
        self.phase = Phase::Auth(Exchange::ScramFinal(server));
        None
    }

    fn scram_final(&mut self, server: &scram::Server, message: &str, host: &mut dyn Host) -> Turn {
        match server.verify(message) {
            Err(scram::Refused::Malformed) => self.auth_fault(say::AUTH_MALFORMED),
            Err(scram::Refused::Proof) => self.auth_ended(host.scram_ended(false)),
            Ok(proof_of_ours) => {
                self.challenge(&proof_of_ours);
                self.phase = Phase::Auth(Exchange::ScramAgreed);
                None
            }
        }
    }

    fn challenge(&mut self, text: &str) {
        let line = format!("334 {}\r\n", BASE64.encode(text));
        self.say(&line);
    }

    fn auth_ended(&mut self, answer: AuthAnswer) -> Turn {
        match answer {
            AuthAnswer::Welcome => {
                self.authenticated = true;
                self.say(say::AUTH_OK);
                None
            }
            AuthAnswer::Busy => self.auth_failed(say::AUTH_BUSY),
            AuthAnswer::Wrong => self.auth_failed(say::AUTH_WRONG),
        }
    }

    fn auth_fault(&mut self, line: &'static str) -> Turn {
        self.phase = Phase::Command;
        self.auth_failed(line)
    }

    fn auth_failed(&mut self, line: &'static str) -> Turn {
        self.auth_failures += 1;
        if self.auth_failures >= self.config.max_auth_failures {
            self.say(line);
            return self.close_with(say::TOO_MANY_AUTH);
        }
        self.fail(line)
    }
}

/// `authzid NUL authcid NUL password` (RFC 4616 §2). Acting for another is not offered.
fn plain(text: &str) -> Option<(String, String)> {
    let mut parts = text.split('\0');
    let (authzid, name, password) = (parts.next()?, parts.next()?, parts.next()?);
    let good = parts.next().is_none() && (authzid.is_empty() || authzid == name);
    good.then(|| (name.to_owned(), password.to_owned()))
}
