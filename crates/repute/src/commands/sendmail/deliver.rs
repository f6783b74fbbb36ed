//! Handing a message to the server over its local socket, and the pipe that is `-bs`.

use std::io::ErrorKind;
use std::path::Path;

use repute_message::compose::Person;
use repute_message::sendmail;
use repute_smtp::command::{self, Command, Mail, MailParams, Rcpt, RcptParams};
use repute_types::{Address, Body, Content, Reply};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::UnixStream;

use super::{Failed, Flags, code, complete};
use crate::control::sendmail::Welcome;
use crate::state::sendmail_socket;
use crate::talk::{Talk, Watch};

/// Longer than any welcome.
const WELCOME_MOST: u64 = 64 << 10;

struct Local {
    stream: BufStream<UnixStream>,
    user: String,
    domain: String,
}

async fn connect(state: &Path) -> Result<Local, Failed> {
    let path = sendmail_socket(state);
    let stream = UnixStream::connect(&path).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => {
            let text = format!("the mail server does not run (no answer at {}): try again later", path.display());
            Failed::new(code::TEMPFAIL, text)
        }
        _ => Failed::new(code::TEMPFAIL, format!("{}: {error}", path.display())),
    })?;
    let mut stream = BufStream::new(stream);
    let mut line = String::new();
    let read = (&mut stream).take(WELCOME_MOST).read_line(&mut line).await;
    if read.unwrap_or(0) == 0 {
        return Err(Failed::new(code::TEMPFAIL, "the mail server closed the connection: try again later"));
    }
    match serde_json::from_str(&line) {
        Ok(Welcome::SendmailV1 { user, domain }) => Ok(Local { stream, user, domain }),
        Ok(Welcome::RefusedV1 { text }) => Err(Failed::new(code::NOPERM, text)),
        Err(_) => Err(Failed::new(code::TEMPFAIL, "the mail server speaks another version: try again later")),
    }
}

/// Submits one message.
pub async fn deliver(state: &Path, flags: &Flags, message: Vec<u8>) -> Result<(), Failed> {
    let Local { stream, user, domain } = connect(state).await?;
    let Ready { sender, recipients, content } = prepare(flags, &message, &user, &domain)?;
    let watch = if flags.verbose { Watch::Print } else { Watch::Nobody };
    let mut talk = Talk::new(stream, watch);
    let broken = |e: anyhow::Error| Failed::new(code::TEMPFAIL, format!("{e:#}: try again later"));
    expect(&talk.hear().await.map_err(broken)?)?;
    talk.hello("localhost").await.map_err(broken)?;
    let mail = mail_command(flags, sender, &recipients, &content);
    expect(&talk.say(&mail.to_string()).await.map_err(broken)?)?;
    for recipient in recipients {
        let params = RcptParams { notify: flags.notify, orcpt: None };
        let rcpt =
            Command::Rcpt(Rcpt { utf8: recipient.needs_smtputf8(), to: command::Path::Address(recipient), params });
        expect(&talk.say(&rcpt.to_string()).await.map_err(broken)?)?;
    }
    expect(&talk.say("DATA").await.map_err(broken)?)?;
    expect(&talk.content(&content).await.map_err(broken)?)?;
    // The message is kept; whether the goodbye arrives is nobody's concern.
    let _ = talk.say("QUIT").await;
    Ok(())
}

/// A message and its envelope, as they are said to the server.
pub struct Ready {
    sender: Option<Address>,
    pub recipients: Vec<Address>,
    pub content: Content,
}

/// `user` and `domain` are who calls, and where addresses without a domain are.
pub fn prepare(flags: &Flags, message: &[u8], user: &str, domain: &str) -> Result<Ready, Failed> {
    let sender = flags.sender.as_deref().unwrap_or(user);
    let sender = Some(complete::address(sender, domain)).filter(|s| !s.is_empty());
    let sender = sender.map(|s| parse(&s)).transpose()?;
    let author = sender.clone().map_or_else(|| parse(&complete::address(user, domain)), Ok)?;
    let from = Person { name: flags.full_name.clone().unwrap_or_default(), address: author };
    let content = sendmail::read(message, &sendmail::Options { from, dot_ends: !flags.ignore_dots });
    let content = complete::header(content, domain)?;
    let recipients = recipients(flags, &content, domain)?;
    Ok(Ready { sender, recipients, content })
}

/// The server offers on its own socket all that is said here.
fn mail_command(flags: &Flags, sender: Option<Address>, to: &[Address], content: &Content) -> Command<'static> {
    let is_ascii = content.chunks().iter().all(|chunk| chunk.is_ascii());
    let utf8 = sender.iter().chain(to).any(Address::needs_smtputf8);
    let params = MailParams {
        size: Some(content.len() as u64),
        body: if is_ascii { Body::SevenBit } else { Body::EightBitMime },
        smtputf8: utf8,
        ret: flags.ret,
        envid: flags.envid.clone(),
        require_tls: false,
    };
    let from = sender.map_or(command::Path::Null, command::Path::Address);
    Command::Mail(Mail { from, utf8, params })
}

/// Those of the command line, and with `-t` those of the header; each once.
fn recipients(flags: &Flags, content: &Content, domain: &str) -> Result<Vec<Address>, Failed> {
    // A list in one argument is a custom of old.
    let named = flags.recipients.iter().flat_map(|r| r.split(',')).map(|r| complete::address(r, domain));
    let mut all = named.filter(|r| !r.is_empty()).map(|r| parse(&r)).collect::<Result<Vec<_>, _>>()?;
    if flags.from_header {
        let found = sendmail::recipients(content);
        all.extend(found.map_err(|fault| Failed::new(code::DATAERR, fault.to_string()))?);
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|r| seen.insert(r.clone()));
    match all.is_empty() {
        true => Err(Failed::new(code::USAGE, "no recipients: name them, or use -t with a To field")),
        false => Ok(all),
    }
}

fn parse(text: &str) -> Result<Address, Failed> {
    text.parse().map_err(|why| Failed::new(code::USAGE, format!("\"{text}\" is no address: {why}")))
}

/// A refusal as the code that callers act on.
fn expect(reply: &Reply) -> Result<(), Failed> {
    if reply.is_positive() {
        return Ok(());
    }
    let code = match (reply.is_transient(), reply.enhanced) {
        (true, _) => code::TEMPFAIL,
        (false, Some(e)) if e.1 == 7 => code::NOPERM,
        (false, Some(e)) if e.1 == 6 => code::DATAERR,
        _ => code::UNAVAILABLE,
    };
    Err(Failed::new(code, reply.to_string()))
}

/// `-bs`: whoever calls speaks SMTP himself.
pub async fn pipe(state: &Path) -> Result<(), Failed> {
    let Local { mut stream, .. } = connect(state).await?;
    let mut ours = tokio::io::join(tokio::io::stdin(), tokio::io::stdout());
    let broken = |e: std::io::Error| Failed::new(code::TEMPFAIL, format!("the connection broke: {e}"));
    let (mut from_us, mut from_server) = ([0u8; 16 << 10], [0u8; 16 << 10]);
    loop {
        // Ends when the server has said its last word, not when the caller has.
        tokio::select! {
            read = stream.read(&mut from_server) => match read.map_err(broken)? {
                0 => return Ok(()),
                n => {
                    ours.write_all(&from_server[..n]).await.map_err(broken)?;
                    ours.flush().await.map_err(broken)?;
                }
            },
            read = ours.read(&mut from_us) => match read.map_err(broken)? {
                0 => return rest(stream, ours).await.map_err(broken),
                n => {
                    stream.write_all(&from_us[..n]).await.map_err(broken)?;
                    stream.flush().await.map_err(broken)?;
                }
            },
        }
    }
}

/// The caller has said everything: what the server still says is passed on.
async fn rest(mut stream: BufStream<UnixStream>, mut ours: impl tokio::io::AsyncWrite + Unpin) -> std::io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut ours).await?;
    ours.flush().await
}
