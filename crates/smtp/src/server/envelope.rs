//! MAIL and RCPT (RFC 5321 §4.1.1.2, §4.1.1.3).

use repute_types::envelope::EnvelopeOptions;
use repute_types::{Address, Recipient};

use super::session::{Session, Transaction, Turn};
use super::{Host, Kind, Security, say};
use crate::command::{Mail, Path, Rcpt};

impl Session {
    pub(super) fn mail(&mut self, mail: Mail, host: &mut dyn Host) -> Turn {
        if let Some(refusal) = self.mail_is_untimely(&mail) {
            return self.fail(refusal);
        }
        let from = match mail.from {
            Path::Null => None,
            Path::Address(address) => Some(address),
            Path::Postmaster => return self.fail(say::NO_POSTMASTER_SENDER),
        };
        let p = mail.params;
        let options = EnvelopeOptions {
            body: p.body,
            smtputf8: p.smtputf8,
            require_tls: p.require_tls,
            tls_optional: false,
            ret: p.ret,
            envid: p.envid,
        };
        if let Err(reply) = host.mail(from.as_ref(), &options) {
            return self.refuse_by_host(&reply);
        }
        self.say(say::SENDER_OK);
        self.transaction = Some(Transaction {
            from,
            options,
            size: p.size.unwrap_or(0),
            recipients: Vec::new(),
            asked: 0,
            chunks: None,
        });
        None
    }

    fn mail_is_untimely(&self, mail: &Mail) -> Option<&'static str> {
        let may_send = self.config.kind == Kind::Return || self.authenticated || self.known;
        let too_large = mail.params.size.is_some_and(|size| size > self.config.max_size as u64);
        match () {
            () if self.helo.is_none() => Some(say::EHLO_FIRST),
            () if self.transaction.is_some() => Some(say::IN_TRANSACTION),
            () if !may_send && self.security == Security::CanStartTls => Some(say::STARTTLS_FIRST),
            () if !may_send => Some(say::AUTH_FIRST),
            () if mail.utf8 && !mail.params.smtputf8 => Some(say::NEEDS_SMTPUTF8),
            () if mail.params.require_tls && self.security != Security::Tls => Some(say::NO_REQUIRETLS),
            () if too_large => Some(say::TOO_LARGE),
            () => None,
        }
    }

    pub(super) fn rcpt(&mut self, rcpt: Rcpt, host: &mut dyn Host) -> Turn {
        let Some(transaction) = &mut self.transaction else { return self.fail(say::MAIL_FIRST) };
        if transaction.chunks.is_some() {
            return self.fail(say::DATA_AFTER_BDAT);
        }
        transaction.asked += 1;
        if transaction.recipients.len() >= self.config.max_recipients {
            // Not the client's fault (RFC 5321 §4.5.3.1.10), and it will end with DATA. Far
            // beyond the bound it is.
            let over = transaction.asked > self.config.max_recipients * 2;
            if over {
                return self.fail(say::TOO_MANY_RECIPIENTS);
            }
            self.say(say::TOO_MANY_RECIPIENTS);
            return None;
        }
        if rcpt.utf8 && !transaction.options.smtputf8 {
            return self.fail(say::NEEDS_SMTPUTF8);
        }
        let address = match rcpt.to {
            Path::Address(address) => address,
            Path::Null => return self.fail(say::NULL_RECIPIENT),
            Path::Postmaster => match Address::parse(&format!("postmaster@{}", self.config.hostname)) {
                Ok(address) => address,
                Err(_) => return self.fail(say::NULL_RECIPIENT),
            },
        };
        let recipient = Recipient { address, notify: rcpt.params.notify, orcpt: rcpt.params.orcpt };
        if let Err(reply) = host.rcpt(&recipient) {
            return self.refuse_by_host(&reply);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.recipients.push(recipient);
        }
        self.say(say::RECIPIENT_OK);
        None
    }
}
