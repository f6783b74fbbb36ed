//! The opening of a session as a machine: greeting, EHLO or HELO (RFC 5321 §3.2), STARTTLS
//! and EHLO again (RFC 3207), AUTH (RFC 4954).
//!
//! [`Opening::reply`] takes each reply, writes what is to be said next, and says what is waited for; it ends
//! with [`Step::Ready`], or with a [`Refusal`], after which the session is of no use.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::BytesMut;
use repute_types::{Domain, Reply, Stage};

use super::Extensions;

/// A name and a password for a relay host.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    pub user: String,
    pub password: String,
    /// Says them over a line without TLS, where the host is reached by a wire nobody listens to.
    pub danger_without_tls: bool,
}

/// The password never stands in a log.
impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// Whether STARTTLS is to be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsWish {
    Never,
    IfOffered,
    Needed,
    /// The session has been inside TLS from its first octet.
    Inside,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Write out the commands, then wait for a reply, which belongs to this stage.
    Reply(Stage),
    /// Drop what was received, shake hands, then call [`Opening::tls_started`].
    StartTls,
    /// Mail may be sent; [`Opening::finish`] says what the server offers.
    Ready,
}

/// Why a session cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The server said no, or something that makes no sense at this stage.
    Reply(Stage, Reply),
    NoStartTls,
    /// AUTH is not offered, or with no mechanism that we speak.
    NoAuth,
    AuthWithoutTls,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Greeting,
    Ehlo,
    Helo,
    StartTls,
    AuthPlain,
    /// AUTH LOGIN asks twice: name, then password.
    AuthLoginUser,
    AuthLoginPassword,
    AuthLoginEnd,
    Ready,
}

#[derive(Debug)]
pub struct Opening<'a> {
    name: &'a Domain,
    wish: TlsWish,
    login: Option<&'a Login>,
    state: State,
    inside_tls: bool,
    offered: Extensions,
}

impl<'a> Opening<'a> {
    /// `name` is said in EHLO. The first reply to come is the greeting.
    pub fn new(name: &'a Domain, wish: TlsWish, login: Option<&'a Login>) -> Opening<'a> {
        let inside_tls = wish == TlsWish::Inside;
        Opening { name, wish, login, state: State::Greeting, inside_tls, offered: Extensions::default() }
    }

    /// Takes the reply that was waited for; appends to `out` what is to be sent.
    pub fn reply(&mut self, reply: Reply, out: &mut BytesMut) -> Result<Step, Refusal> {
        match (self.state, reply.code) {
            (State::Greeting, 220..=299) => Ok(self.ehlo(out)),
            (State::Ehlo, 200..=299) => {
                self.offered = Extensions::from_ehlo(&reply);
                self.after_hello(out)
            }
            // A server that does not know EHLO (RFC 5321 §3.2); within TLS there is none such.
            (State::Ehlo, 500..=599) if !self.inside_tls => {
                self.say(out, State::Helo, &["HELO ", self.name.as_str()], Stage::Ehlo)
            }
            (State::Helo, 200..=299) => self.after_hello(out),
            (State::StartTls, 220) => Ok(Step::StartTls),
            // RFC 3207 §4: it is the client's to decide; where TLS is not a must, mail goes on.
            (State::StartTls, 400..=599) if self.wish == TlsWish::IfOffered && reply.code != 421 => {
                self.authenticate(out)
            }
            (State::AuthPlain | State::AuthLoginEnd, 235) => Ok(self.ready()),
            (State::AuthLoginUser, 334) => self.say_login(out, State::AuthLoginPassword, |l| &l.user),
            (State::AuthLoginPassword, 334) => self.say_login(out, State::AuthLoginEnd, |l| &l.password),
            _ => Err(Refusal::Reply(self.stage(), reply)),
        }
    }

    /// The handshake is done: all that was known is forgotten (RFC 3207 §4.2).
    pub fn tls_started(&mut self, out: &mut BytesMut) -> Step {
        self.inside_tls = true;
        self.offered = Extensions::default();
        self.ehlo(out)
    }

    /// The stage of the reply that is waited for.
    pub fn stage(&self) -> Stage {
        match self.state {
            State::Greeting => Stage::Greeting,
            State::Ehlo | State::Helo => Stage::Ehlo,
            State::StartTls => Stage::StartTls,
            _ => Stage::Auth,
        }
    }

    pub fn finish(self) -> Extensions {
        self.offered
    }

    fn ehlo(&mut self, out: &mut BytesMut) -> Step {
        self.state = State::Ehlo;
        for piece in ["EHLO ", self.name.as_str(), "\r\n"] {
            out.extend_from_slice(piece.as_bytes());
        }
        Step::Reply(Stage::Ehlo)
    }

    fn after_hello(&mut self, out: &mut BytesMut) -> Result<Step, Refusal> {
        if self.inside_tls || self.wish == TlsWish::Never {
            return self.authenticate(out);
        }
        match self.offered.starttls {
            true => self.say(out, State::StartTls, &["STARTTLS"], Stage::StartTls),
            false if self.wish == TlsWish::Needed => Err(Refusal::NoStartTls),
            false => self.authenticate(out),
        }
    }

    fn authenticate(&mut self, out: &mut BytesMut) -> Result<Step, Refusal> {
        let Some(login) = self.login else { return Ok(self.ready()) };
        if !self.inside_tls && !login.danger_without_tls {
            return Err(Refusal::AuthWithoutTls);
        }
        if self.offered.auth_plain {
            // RFC 4616: no authorisation identity.
            let response = BASE64.encode(format!("\0{}\0{}", login.user, login.password));
            return self.say(out, State::AuthPlain, &["AUTH PLAIN ", &response], Stage::Auth);
        }
        if self.offered.auth_login {
            return self.say(out, State::AuthLoginUser, &["AUTH LOGIN"], Stage::Auth);
        }
        Err(Refusal::NoAuth)
    }

    fn say_login(
        &mut self,
        out: &mut BytesMut,
        state: State,
        which: impl Fn(&Login) -> &String,
    ) -> Result<Step, Refusal> {
        let word = self.login.map_or(String::new(), |l| BASE64.encode(which(l)));
        self.say(out, state, &[&word], Stage::Auth)
    }

    fn say(&mut self, out: &mut BytesMut, state: State, words: &[&str], stage: Stage) -> Result<Step, Refusal> {
        self.state = state;
        for word in words {
            out.extend_from_slice(word.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        Ok(Step::Reply(stage))
    }

    fn ready(&mut self) -> Step {
        self.state = State::Ready;
        Step::Ready
    }
}

#[cfg(test)]
mod tests;
