//! Every reply that the conversation gives of its own, in one table. Those that never vary stand
//! there as they go over the wire, exactly as `reply::encode` would write them (checked wherever
//! one is said in a debug build).

use repute_types::{AddressError, EnhancedCode, Reply};

use super::lines::Fault;
use crate::command::{CommandError, PathError};

pub const OK: &str = "250 2.0.0 ok\r\n";
pub const BYE: &str = "221 2.0.0 bye\r\n";
pub const HELP: &str = "214 2.0.0 RFC 5321 says how to speak to this server\r\n";
pub const VRFY: &str = "252 2.5.0 send some mail, and we will see\r\n";
pub const EXPN: &str = "502 5.5.1 there are no lists to expand here\r\n";
pub const SENDER_OK: &str = "250 2.1.0 sender ok\r\n";
pub const RECIPIENT_OK: &str = "250 2.1.5 recipient ok\r\n";
pub const GO_AHEAD: &str = "354 send the message, end it with a dot on a line of its own\r\n";
pub const CHUNK_OK: &str = "250 2.0.0 chunk received\r\n";
pub const READY_FOR_TLS: &str = "220 2.0.0 ready for TLS\r\n";

pub const LINE_TOO_LONG: &str = "500 5.5.2 the line is too long\r\n";
pub const LINE_ENDS: &str = "500 5.5.2 a line ends in CR LF, and neither of them stands alone\r\n";
pub const NOT_SMTP: &str = "500 5.5.2 this port speaks SMTP\r\n";
pub const EHLO_FIRST: &str = "503 5.5.1 say EHLO first\r\n";
pub const IN_TRANSACTION: &str = "503 5.5.1 not while a transaction is open: finish it, or say RSET\r\n";
pub const MAIL_FIRST: &str = "503 5.5.1 say MAIL first\r\n";
pub const RCPT_FIRST: &str = "503 5.5.1 say RCPT first\r\n";
pub const NO_RECIPIENTS: &str = "554 5.5.1 no recipient was accepted\r\n";
pub const DATA_AFTER_BDAT: &str = "503 5.5.1 the message was begun with BDAT: go on with BDAT\r\n";
pub const CHUNK_LOST: &str = "503 5.5.1 an earlier chunk was refused: say RSET\r\n";
pub const TOO_MANY_RECIPIENTS: &str = "452 4.5.3 too many recipients: send the others in another transaction\r\n";
pub const TOO_LARGE: &str = "552 5.3.4 the message is larger than this server takes\r\n";
pub const NO_ROOM: &str = "452 4.3.1 too much mail is on its way in: try again in a minute\r\n";
pub const BARE_LINE_END: &str = "550 5.6.0 a line of the message ends in LF or CR alone: end each line in CR LF\r\n";
pub const NUL: &str = "550 5.6.0 the message holds a NUL octet: encode it as base64\r\n";
pub const NEEDS_SMTPUTF8: &str = "553 5.6.7 the address is not ASCII: say SMTPUTF8 in MAIL\r\n";
pub const NO_REQUIRETLS: &str = "555 5.5.4 REQUIRETLS is offered only inside TLS\r\n";
pub const NO_POSTMASTER_SENDER: &str = "501 5.1.7 the sender's address has no domain\r\n";
pub const NULL_RECIPIENT: &str = "501 5.1.3 the recipient's address is empty\r\n";

pub const NO_STARTTLS: &str = "502 5.5.1 STARTTLS is not offered here\r\n";
pub const TLS_ALREADY: &str = "503 5.5.1 TLS is on already\r\n";
pub const AUTH_NEEDS_TLS: &str = "538 5.7.11 say STARTTLS first: no password goes over an open line\r\n";
pub const AUTH_FIRST: &str = "530 5.7.0 say AUTH first\r\n";
pub const STARTTLS_FIRST: &str = "530 5.7.0 say STARTTLS, then AUTH first\r\n";
pub const NO_AUTH: &str = "502 5.5.1 AUTH is not offered here\r\n";
pub const AUTH_ALREADY: &str = "503 5.5.1 authenticated already\r\n";
pub const AUTH_OK: &str = "235 2.7.0 welcome\r\n";
pub const AUTH_WRONG: &str = "535 5.7.8 the name or the password is wrong\r\n";
pub const AUTH_BUSY: &str = "454 4.7.0 too many attempts to authenticate: try again later\r\n";
pub const AUTH_CANCELLED: &str = "501 5.7.0 authentication cancelled\r\n";
pub const AUTH_MALFORMED: &str = "501 5.5.2 that response cannot be read\r\n";
pub const AUTH_LINE_TOO_LONG: &str = "500 5.5.6 the response is too long\r\n";
pub const NO_MECHANISM: &str = "504 5.5.4 use PLAIN, LOGIN or SCRAM-SHA-256\r\n";

pub const TOO_MANY_ERRORS: &str = "421 4.7.0 too many errors\r\n";
pub const TOO_MUCH_CHATTER: &str = "421 4.7.0 too many commands without a message\r\n";
pub const TOO_MANY_AUTH: &str = "421 4.7.0 too many failures to authenticate\r\n";
pub const IDLE: &str = "421 4.4.2 nothing was heard for too long\r\n";
pub const CROWDED: &str = "421 4.4.2 too many clients, and of you nothing was heard for the longest: connect again\r\n";
pub const SHUTTING_DOWN: &str = "421 4.3.2 the server is shutting down: connect again\r\n";

/// The one table from a command's error to its reply.
pub fn command_error(error: &CommandError) -> Reply {
    let (code, enhanced, text): (u16, EnhancedCode, String) = match error {
        CommandError::NotText => (500, EnhancedCode(5, 5, 2), "a command is text in UTF-8".into()),
        CommandError::Unknown => (500, EnhancedCode(5, 5, 1), "no such command".into()),
        CommandError::WrongProtocol => (500, EnhancedCode(5, 5, 2), "this port speaks SMTP".into()),
        CommandError::Arguments(cure) => (501, ARGUMENTS, (*cure).into()),
        CommandError::ChunkSize => (501, ARGUMENTS, "say BDAT, the number of octets, and LAST at the last".into()),
        CommandError::Sender(e) => path_error(*e, EnhancedCode(5, 1, 7), (553, EnhancedCode(5, 1, 7))),
        CommandError::Recipient(e) => path_error(*e, EnhancedCode(5, 1, 3), (550, EnhancedCode(5, 1, 2))),
        CommandError::ParameterUnknown(name) => (555, ARGUMENTS, format!("parameter {name} is not known here")),
        CommandError::ParameterTwice(name) => (501, ARGUMENTS, format!("parameter {name} is given twice")),
        CommandError::ParameterValue(name) => (501, ARGUMENTS, format!("parameter {name} cannot have that value")),
    };
    Reply::new(code, enhanced, text)
}

/// RFC 3463 §3.6: invalid command arguments.
const ARGUMENTS: EnhancedCode = EnhancedCode(5, 5, 4);

fn path_error(error: PathError, syntax: EnhancedCode, literal: (u16, EnhancedCode)) -> (u16, EnhancedCode, String) {
    let text = match error {
        PathError::Brackets => "write the address in angle brackets",
        PathError::TooLong => "the address is longer than 256 octets",
        PathError::Address(AddressError::NoAt) => "the address has no domain",
        PathError::Address(AddressError::Local) => "the part before the @ is not well formed",
        PathError::Address(AddressError::LocalTooLong) => "the part before the @ is longer than 64 octets",
        PathError::Address(AddressError::Domain) => "the domain is not well formed",
        PathError::Address(AddressError::Literal) => {
            return (literal.0, literal.1, "write a domain, not the address of a host".into());
        }
    };
    (501, syntax, text.into())
}

pub fn fault(fault: Fault) -> &'static str {
    match fault {
        Fault::BareLineEnd => BARE_LINE_END,
        Fault::Nul => NUL,
    }
}
