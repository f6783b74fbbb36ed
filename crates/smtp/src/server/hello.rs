//! EHLO, HELO (RFC 5321 §4.1.1.1) and STARTTLS (RFC 3207): who speaks, and how safely.

use super::session::{Phase, Session, Turn};
use super::{Kind, Security, Step, say};

/// What the client said of itself.
#[derive(Debug)]
pub(super) struct Helo {
    pub name: String,
    pub esmtp: bool,
}

impl Session {
    pub(super) fn ehlo(&mut self, name: &str) -> Turn {
        self.transaction = None;
        self.helo = Some(Helo { name: name.to_owned(), esmtp: true });
        let mut text =
            format!("250-{}\r\n250-PIPELINING\r\n250-SIZE {}\r\n", self.config.hostname, self.config.max_size);
        match self.security {
            Security::Plain => {}
            Security::CanStartTls => text.push_str("250-STARTTLS\r\n"),
            Security::Tls => {
                text.push_str("250-REQUIRETLS\r\n");
                if self.config.kind == Kind::Submission {
                    text.push_str("250-AUTH PLAIN LOGIN SCRAM-SHA-256\r\n");
                }
            }
        }
        text.push_str("250-8BITMIME\r\n250-SMTPUTF8\r\n250-CHUNKING\r\n250-DSN\r\n250 ENHANCEDSTATUSCODES\r\n");
        self.chat(&text)
    }

    pub(super) fn helo_command(&mut self, name: &str) -> Turn {
        self.transaction = None;
        self.helo = Some(Helo { name: name.to_owned(), esmtp: false });
        let text = format!("250 {}\r\n", self.config.hostname);
        self.chat(&text)
    }

    pub(super) fn starttls(&mut self) -> Turn {
        match self.security {
            Security::Tls => self.fail(say::TLS_ALREADY),
            Security::Plain => self.fail(say::NO_STARTTLS),
            Security::CanStartTls => {
                self.say(say::READY_FOR_TLS);
                self.phase = Phase::Handshake;
                Some(Step::StartTls)
            }
        }
    }

    /// The handshake succeeded: everything said before is forgotten (RFC 3207 §4.2).
    pub fn tls_started(&mut self) {
        self.security = Security::Tls;
        self.helo = None;
        self.transaction = None;
        self.phase = Phase::Command;
        self.begun = false;
    }

    /// The protocol of a Received field (RFC 3848, RFC 6531 §4.3).
    pub fn protocol(&self, smtputf8: bool) -> &'static str {
        let tls = self.security == Security::Tls;
        let esmtp = self.helo.as_ref().is_some_and(|h| h.esmtp);
        match (smtputf8, esmtp, tls, self.authenticated) {
            (true, _, false, false) => "UTF8SMTP",
            (true, _, false, true) => "UTF8SMTPA",
            (true, _, true, false) => "UTF8SMTPS",
            (true, _, true, true) => "UTF8SMTPSA",
            (false, false, _, _) => "SMTP",
            (false, true, false, false) => "ESMTP",
            (false, true, false, true) => "ESMTPA",
            (false, true, true, false) => "ESMTPS",
            (false, true, true, true) => "ESMTPSA",
        }
    }
}
