//! Commands as they go over the wire, without the CRLF.

use std::fmt;

use repute_types::{Body, Notify, Ret};

use super::{Command, MailParams, Path, RcptParams, xtext};

impl fmt::Display for Command<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Command::Ehlo(name) => write!(f, "EHLO {name}"),
            Command::Helo(name) => write!(f, "HELO {name}"),
            Command::Mail(mail) => write!(f, "MAIL FROM:{}{}", mail.from, mail.params),
            Command::Rcpt(rcpt) => write!(f, "RCPT TO:{}{}", rcpt.to, rcpt.params),
            Command::Data => f.write_str("DATA"),
            Command::Bdat { size, last } => write!(f, "BDAT {size}{}", if *last { " LAST" } else { "" }),
            Command::Rset => f.write_str("RSET"),
            Command::Noop => f.write_str("NOOP"),
            Command::Vrfy => f.write_str("VRFY"),
            Command::Expn => f.write_str("EXPN"),
            Command::Help => f.write_str("HELP"),
            Command::Quit => f.write_str("QUIT"),
            Command::StartTls => f.write_str("STARTTLS"),
            Command::Auth { mechanism, initial: None } => write!(f, "AUTH {mechanism}"),
            Command::Auth { mechanism, initial: Some(text) } => write!(f, "AUTH {mechanism} {text}"),
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Path::Null => f.write_str("<>"),
            Path::Postmaster => f.write_str("<postmaster>"),
            Path::Address(address) => write!(f, "<{address}>"),
        }
    }
}

/// Each parameter with a blank before it.
impl fmt::Display for MailParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(size) = self.size {
            write!(f, " SIZE={size}")?;
        }
        match self.body {
            Body::SevenBit => {}
            Body::EightBitMime => f.write_str(" BODY=8BITMIME")?,
            Body::BinaryMime => f.write_str(" BODY=BINARYMIME")?,
        }
        if self.smtputf8 {
            f.write_str(" SMTPUTF8")?;
        }
        match self.ret {
            None => {}
            Some(Ret::Full) => f.write_str(" RET=FULL")?,
            Some(Ret::Headers) => f.write_str(" RET=HDRS")?,
        }
        if let Some(envid) = &self.envid {
            write!(f, " ENVID={}", xtext::Encode(envid))?;
        }
        if self.require_tls {
            f.write_str(" REQUIRETLS")?;
        }
        Ok(())
    }
}

/// Each parameter with a blank before it.
impl fmt::Display for RcptParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.notify {
            Notify::Unsaid => {}
            Notify::Never => f.write_str(" NOTIFY=NEVER")?,
            Notify::On { success, failure, delay } => {
                let words = [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")];
                let mut before = " NOTIFY=";
                for (_, word) in words.iter().filter(|(on, _)| *on) {
                    write!(f, "{before}{word}")?;
                    before = ",";
                }
            }
        }
        if let Some((kind, address)) = self.orcpt.as_deref().and_then(|o| o.split_once(';')) {
            write!(f, " ORCPT={kind};{}", xtext::Encode(address))?;
        }
        Ok(())
    }
}
