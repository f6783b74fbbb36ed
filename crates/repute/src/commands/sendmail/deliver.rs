//! Handing a message to the server over its local socket, and the pipe that is `-bs`.

use std::io::ErrorKind;
use std::path::Path;

use repute_types::{Address, Reply, Ret};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufStream};
use tokio::net::UnixStream;

use super::{Failed, Flags, code, complete};
use crate::control::sendmail::{Welcome, socket};
use crate::talk::{Talk, Watch};

/// Longer than any welcome.
const WELCOME_MOST: u64 = 64 << 10;

struct Local {
    stream: BufStream<UnixStream>,
    user: String,
    domain: String,
}

async fn connect(state: &Path) -> Result<Local, Failed> {
    let path = socket(state);
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
    let completed = complete::message(&message, flags, &user, &domain);
    let recipients = recipients(flags, &completed, &domain)?;
    let sender = complete::address(flags.sender.as_deref().unwrap_or(&user), &domain);
    let watch = if flags.verbose { Watch::Print } else { Watch::Nobody };
    let mut talk = Talk::new(stream, watch);
    let broken = |e: anyhow::Error| Failed::new(code::TEMPFAIL, format!("{e:#}: try again later"));
    expect(&talk.hear().await.map_err(broken)?)?;
    talk.hello("localhost").await.map_err(broken)?;
    let mail = mail_command(flags, &sender, &recipients, &completed.content);
    expect(&talk.say(&mail).await.map_err(broken)?)?;
    for recipient in &recipients {
        let notify = flags.notify.as_ref().map_or_else(String::new, |n| format!(" NOTIFY={}", n.to_ascii_uppercase()));
        expect(&talk.say(&format!("RCPT TO:<{recipient}>{notify}")).await.map_err(broken)?)?;
    }
    expect(&talk.say("DATA").await.map_err(broken)?)?;
    expect(&talk.content(&completed.content).await.map_err(broken)?)?;
    // The message is kept; whether the goodbye arrives is nobody's concern.
    let _ = talk.say("QUIT").await;
    Ok(())
}

fn mail_command(flags: &Flags, sender: &str, recipients: &[String], content: &[u8]) -> String {
    let mut mail = format!("MAIL FROM:<{sender}> SIZE={}", content.len());
    if !content.is_ascii() {
        mail += " BODY=8BITMIME";
    }
    if !sender.is_ascii() || recipients.iter().any(|r| !r.is_ascii()) {
        mail += " SMTPUTF8";
    }
    match flags.ret {
        Some(Ret::Full) => mail += " RET=FULL",
        Some(Ret::Headers) => mail += " RET=HDRS",
        None => {}
    }
    if let Some(envid) = &flags.envid {
        mail += &format!(" ENVID={}", xtext(envid));
    }
    mail
}

/// RFC 3461 §4: what is not plain is `+` and two digits.
fn xtext(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_graphic() && b != b'+' && b != b'=';
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("+{b:02X}") }).collect()
}

/// Those of the command line, and with `-t` those of the header.
fn recipients(flags: &Flags, completed: &complete::Completed, domain: &str) -> Result<Vec<String>, Failed> {
    // A list in one argument is a custom of old.
    let named = flags.recipients.iter().flat_map(|r| r.split(',')).map(|r| complete::address(r, domain));
    let mut all: Vec<String> = named.filter(|r| !r.is_empty()).collect();
    if flags.from_header {
        for value in &completed.recipient_values {
            let found = repute_message::header::addresses(value)
                .map_err(|e| Failed::new(code::DATAERR, format!("a recipient field cannot be read: {e}")))?;
            all.extend(found.iter().map(Address::to_string));
        }
    }
    let mut seen = std::collections::HashSet::new();
    all.retain(|r| seen.insert(r.clone()));
    for recipient in &all {
        if let Err(why) = recipient.parse::<Address>() {
            return Err(Failed::new(code::USAGE, format!("\"{recipient}\" is no address: {why}")));
        }
    }
    match all.is_empty() {
        true => Err(Failed::new(code::USAGE, "no recipients: name them, or use -t with a To field")),
        false => Ok(all),
    }
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
