//! The server's side of an SMTP conversation (RFC 5321) as a value: a line in, what to do out.
//! Strict about order and syntax, so that a sender's faults show.

use std::net::IpAddr;

use bytes::BytesMut;
use repute_types::Address;

use super::House;

/// What the session does after a command.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Reply(String),
    /// Says this and shakes hands.
    StartTls(String),
    /// Says this and reads up to the lonely dot.
    Data(String),
    /// Reads so many octets (RFC 3030); the last chunk ends the message.
    Chunk {
        octets: usize,
        last: bool,
        accepted: bool,
    },
    /// Says this and closes.
    Close(String),
}

#[derive(Debug, Default)]
pub(crate) struct Conversation {
    pub(crate) helo: String,
    pub(crate) tls: Option<String>,
    /// Between MAIL and the end of data.
    pub(crate) envelope: Option<Envelope>,
    pub(crate) messages: u32,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Envelope {
    pub(crate) from: Option<String>,
    pub(crate) recipients: Vec<String>,
    /// A BDAT has come: nothing but BDAT and RSET may follow.
    pub(crate) chunking: bool,
    /// What the chunks so far held.
    pub(crate) chunks: BytesMut,
}

impl Conversation {
    pub(crate) fn command(&mut self, line: &[u8], peer: IpAddr, house: &House) -> Next {
        let Ok(line) = std::str::from_utf8(line) else {
            return self.wrong(house, "500 5.5.2 The command is not UTF-8");
        };
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" if rest.trim().is_empty() => self.wrong(house, "501 5.5.4 Which host are you?"),
            "HELO" => self.hello(rest, format!("250 {}", house.host)),
            "EHLO" => {
                let offers = self.offers(house);
                self.hello(rest, offers)
            }
            "STARTTLS" if house.personality.tls.is_none() => self.wrong(house, "502 5.5.1 No TLS here"),
            "STARTTLS" if self.tls.is_some() => self.wrong(house, "503 5.5.1 TLS is on already"),
            "STARTTLS" => Next::StartTls("220 2.0.0 Go ahead".into()),
            "MAIL" => self.mail(rest, house),
            "RCPT" => self.rcpt(rest, peer, house),
            "DATA" => self.data(rest, house),
            "BDAT" => self.bdat(rest, house),
            "RSET" => {
                self.envelope = None;
                reply("250 2.0.0 Ok")
            }
            "NOOP" => reply("250 2.0.0 Ok"),
            "VRFY" => reply("252 2.5.0 Send it and see"),
            "QUIT" => Next::Close("221 2.0.0 Bye".into()),
            _ => self.wrong(house, "500 5.5.1 Unknown command"),
        }
    }

    fn wrong(&self, house: &House, text: &str) -> Next {
        house.inbox.count(|c| c.protocol_errors += 1);
        reply(text)
    }

    fn hello(&mut self, name: &str, answer: String) -> Next {
        self.helo = name.trim().to_owned();
        self.envelope = None;
        Next::Reply(answer)
    }

    fn offers(&self, house: &House) -> String {
        let offers = &house.personality.offers;
        let starttls = house.personality.tls.is_some() && self.tls.is_none();
        let lines = [
            (true, format!("{} at your service", house.host)),
            (starttls, "STARTTLS".into()),
            (offers.pipelining, "PIPELINING".into()),
            (offers.chunking, "CHUNKING".into()),
            (offers.eight_bit, "8BITMIME".into()),
            (offers.smtputf8, "SMTPUTF8".into()),
            (offers.dsn, "DSN".into()),
            (true, "ENHANCEDSTATUSCODES".into()),
            (true, format!("SIZE {}", offers.size)),
        ];
        let said: Vec<String> = lines.into_iter().filter(|(offered, _)| *offered).map(|(_, line)| line).collect();
        let (last, before) = said.split_last().expect("SIZE is always offered");
        before.iter().map(|line| format!("250-{line}\r\n")).collect::<String>() + "250 " + last
    }

    fn mail(&mut self, rest: &str, house: &House) -> Next {
        if self.helo.is_empty() {
            return self.wrong(house, "503 5.5.1 EHLO first");
        }
        if self.envelope.is_some() {
            return self.wrong(house, "503 5.5.1 One message at a time");
        }
        if house.personality.messages_per_connection.is_some_and(|most| self.messages >= most) {
            return Next::Close("421 4.7.0 Enough messages for one connection".into());
        }
        let Some((path, parameters)) = path(rest, "FROM:") else {
            return self.wrong(house, "501 5.1.7 Not a return path");
        };
        for parameter in parameters.split_whitespace() {
            if let Err(text) = mail_parameter(parameter, house) {
                return self.wrong(house, text);
            }
        }
        let declared = parameters.split_whitespace().find_map(|p| p.strip_prefix("SIZE="));
        if declared.and_then(|n| n.parse().ok()).is_some_and(|n: usize| n > house.personality.offers.size) {
            return reply("552 5.3.4 Too big");
        }
        let from = (!path.is_empty()).then(|| path.to_owned());
        self.envelope = Some(Envelope { from, ..Envelope::default() });
        reply("250 2.1.0 Ok")
    }

    fn rcpt(&mut self, rest: &str, peer: IpAddr, house: &House) -> Next {
        let Some(envelope) = self.envelope.as_mut().filter(|e| !e.chunking) else {
            return self.wrong(house, "503 5.5.1 MAIL first");
        };
        let Some((to, _)) = path(rest, "TO:").filter(|(to, _)| !to.is_empty()) else {
            return self.wrong(house, "501 5.1.3 Not a forward path");
        };
        if envelope.recipients.len() >= house.personality.recipients {
            return reply("452 4.5.3 Too many recipients");
        }
        if !house.personality.users.has(to) {
            house.inbox.count(|c| c.unknown_users += 1);
            return Next::Reply(format!("550 5.1.1 <{to}>: no such user here"));
        }
        if let Err(wait) = house.greylist.pass(peer, envelope.from.as_deref().unwrap_or(""), to) {
            house.inbox.count(|c| c.greylisted += 1);
            return Next::Reply(format!(
                "450 4.7.1 <{to}>: greylisted, come again in {} s",
                wait.as_secs_f64().ceil().max(1.0)
            ));
        }
        envelope.recipients.push(to.to_owned());
        reply("250 2.1.5 Ok")
    }

    fn data(&mut self, rest: &str, house: &House) -> Next {
        if !rest.is_empty() {
            return self.wrong(house, "501 5.5.4 DATA has no parameters");
        }
        match &self.envelope {
            Some(e) if e.chunking => self.wrong(house, "503 5.5.1 BDAT has begun"),
            // Not a protocol error: a pipelining sender says DATA before it knows (RFC 2920 §3.1).
            Some(e) if e.recipients.is_empty() => reply("554 5.5.1 No valid recipients"),
            Some(_) => Next::Data("354 Go ahead".into()),
            None => reply("503 5.5.1 MAIL first"),
        }
    }

    fn bdat(&mut self, rest: &str, house: &House) -> Next {
        let mut words = rest.split_whitespace();
        let octets = words.next().and_then(|n| n.parse().ok());
        let last = match words.next() {
            None => Some(false),
            Some(word) if word.eq_ignore_ascii_case("LAST") => Some(true),
            Some(_) => None,
        };
        let (Some(octets), Some(last), true) = (octets, last, house.personality.offers.chunking) else {
            // The octets that follow cannot be told from commands any more.
            house.inbox.count(|c| c.protocol_errors += 1);
            return Next::Close("421 5.5.4 BDAT not understood".into());
        };
        let accepted = self.envelope.as_ref().is_some_and(|e| !e.recipients.is_empty());
        if let Some(envelope) = &mut self.envelope {
            envelope.chunking = true;
        }
        Next::Chunk { octets, last, accepted }
    }
}

fn reply(text: &str) -> Next {
    Next::Reply(text.into())
}

/// `FROM:<path> parameters`: the path without brackets, well formed or empty.
fn path<'a>(rest: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let head = rest.get(..keyword.len())?;
    let rest = head.eq_ignore_ascii_case(keyword).then(|| &rest[keyword.len()..])?;
    let (path, parameters) = rest.strip_prefix('<')?.split_once('>')?;
    let good = path.is_empty() || path.eq_ignore_ascii_case("postmaster") || Address::parse(path).is_ok();
    (good && (parameters.is_empty() || parameters.starts_with(' '))).then_some((path, parameters))
}

/// A parameter may be used only where its extension was offered (RFC 5321 §2.2.1).
fn mail_parameter(parameter: &str, house: &House) -> Result<(), &'static str> {
    let offers = &house.personality.offers;
    let name = parameter.split('=').next().unwrap_or("").to_ascii_uppercase();
    let allowed = match name.as_str() {
        "SIZE" => true,
        "BODY" => offers.eight_bit,
        "SMTPUTF8" => offers.smtputf8,
        "RET" | "ENVID" => offers.dsn,
        _ => false,
    };
    if allowed { Ok(()) } else { Err("555 5.5.4 That parameter was not offered") }
}
