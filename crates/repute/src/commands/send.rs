//! `repute send`: one message from flags, a file or standard input, to any submission server;
//! prints the conversation. Exit code 0: taken; 75: not now; 1: refused.

use std::io::Read as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::ValueEnum;
use repute_message::compose::{self, Letter, Person};
use repute_net::{Network as _, Stream, TcpNetwork, TlsClient, TlsPolicy};
use repute_smtp::client::Extensions;
use repute_smtp::command::MailParams;
use repute_types::{Address, Body, Content, Reply};

use crate::cli::{Context, Ended, Exit};
use crate::talk::{Talk, Watch};

const CONNECT: Duration = Duration::from_secs(30);

#[derive(clap::Args)]
pub struct Args {
    /// The sender
    #[arg(long)]
    from: Address,
    /// A recipient; may be given several times
    #[arg(long, required = true)]
    to: Vec<Address>,
    #[arg(long, default_value = "")]
    subject: String,
    /// The text of the message
    #[arg(long)]
    text: Option<String>,
    /// The message as HTML; with --text too it carries both
    #[arg(long)]
    html: Option<String>,
    /// A further header field: "Name: value"; may be given several times
    #[arg(long = "header", value_name = "FIELD")]
    headers: Vec<String>,
    /// Send this file as it is, header and all; `-` is standard input
    #[arg(value_name = "FILE", conflicts_with_all = ["text", "html", "subject", "headers"])]
    file: Option<PathBuf>,
    /// The server, as host:port or [address]:port
    #[arg(long, default_value = "127.0.0.1:587")]
    server: String,
    /// How TLS is used
    #[arg(long, value_enum, default_value_t = Tls::Auto)]
    tls: Tls,
    /// Take any certificate
    #[arg(long)]
    insecure: bool,
    /// Trust the certificates of this PEM file, and no others
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The name to log in with
    #[arg(long)]
    user: Option<String>,
    /// A file whose first line is the password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// The name said in EHLO
    #[arg(long, default_value = "localhost")]
    ehlo: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Tls {
    /// Implicit on port 465, else STARTTLS where it is offered
    Auto,
    /// From the first octet
    Implicit,
    /// STARTTLS, or nothing is sent
    Starttls,
    None,
}

pub fn run(args: Args, context: &Context) -> anyhow::Result<Exit> {
    let content = content(&args)?;
    let password = match (&args.user, &args.password_file) {
        (Some(_), Some(file)) => {
            let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
            Some(text.lines().next().unwrap_or_default().to_owned())
        }
        (Some(_), None) => Some(std::env::var("REPUTE_PASSWORD").map_err(|_| {
            Ended::usage("give the password in --password-file, or in the environment as REPUTE_PASSWORD")
        })?),
        (None, _) => None,
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let watch = if context.json { Watch::Nobody } else { Watch::Print };
    let reply = runtime.block_on(converse(&args, &content, password.as_deref(), watch))?;
    if context.json {
        crate::out::json(
            &serde_json::json!({ "taken": reply.is_positive(), "code": reply.code, "reply": reply.to_string() }),
        );
    }
    Ok(match (reply.is_positive(), reply.is_transient()) {
        (true, _) => Exit::Done,
        (false, true) => Exit::Temporary,
        (false, false) => Exit::Problem,
    })
}

/// The whole conversation; the reply that decided it.
async fn converse(args: &Args, content: &Content, password: Option<&str>, watch: Watch) -> anyhow::Result<Reply> {
    let (mut talk, offered) = match open(args, watch).await? {
        Ok(opened) => opened,
        Err(refusal) => return Ok(refusal),
    };
    if let (Some(user), Some(password)) = (&args.user, password) {
        let reply = log_in(&mut talk, &offered, user, password).await?;
        if !reply.is_positive() {
            return Ok(reply);
        }
    }
    let reply = transaction(&mut talk, args, &offered, content).await?;
    // The message's fate is known; whether the goodbye arrives is nobody's concern.
    let _ = talk.say("QUIT").await;
    Ok(reply)
}

type Opened = Result<(Talk<Stream>, Extensions), Reply>;

/// Connects, shakes hands and says EHLO.
async fn open(args: &Args, watch: Watch) -> anyhow::Result<Opened> {
    let (host, port) = host_and_port(&args.server)?;
    let client = match &args.ca {
        Some(file) => TlsClient::with_roots_from(file)?,
        None => TlsClient::with_native_roots(),
    };
    let policy = if args.insecure { TlsPolicy::Opportunistic } else { TlsPolicy::Verified };
    let network = TcpNetwork::new(client);
    let mut stream = connect(&network, &host, port).await?;
    let implicit = args.tls == Tls::Implicit || (args.tls == Tls::Auto && port == 465);
    if implicit {
        stream = secure(&network, stream, &host, policy, watch).await?;
    }
    let mut talk = Talk::new(stream, watch);
    let greeting = talk.hear().await?;
    if !greeting.is_positive() {
        return Ok(Err(greeting));
    }
    let mut offered = talk.hello(&args.ehlo).await?;
    if !implicit && args.tls != Tls::None && offered.starttls {
        let reply = talk.say("STARTTLS").await?;
        if !reply.is_positive() {
            return Ok(Err(reply));
        }
        let stream = secure(&network, talk.into_stream(), &host, policy, watch).await?;
        talk = Talk::new(stream, watch);
        offered = talk.hello(&args.ehlo).await?;
    } else if args.tls == Tls::Starttls && !implicit {
        bail!("the server does not offer STARTTLS, and nothing is sent without it");
    }
    Ok(Ok((talk, offered)))
}

async fn connect(network: &TcpNetwork, host: &str, port: u16) -> anyhow::Result<Stream> {
    let found = tokio::net::lookup_host((host, port)).await;
    let addresses: Vec<SocketAddr> = found.with_context(|| format!("{host} has no address"))?.collect();
    let mut last = None;
    for address in addresses {
        match network.connect(address, None, CONNECT).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Some(error),
        }
    }
    match last {
        Some(error) => Err(Ended::temporary(error.text)),
        None => bail!("{host} has no address"),
    }
}

async fn secure(
    network: &TcpNetwork,
    stream: Stream,
    host: &str,
    policy: TlsPolicy,
    watch: Watch,
) -> anyhow::Result<Stream> {
    let (stream, used) = network.tls().start(stream, host, policy).await.map_err(|error| {
        anyhow::Error::from(error)
            .context("no TLS with the server (--insecure takes any certificate, --ca trusts a file)")
    })?;
    let verified = if used.verified { "certificate verified" } else { "certificate not verified" };
    if watch == Watch::Print {
        crate::out::line(&format!("   {} {}, {verified}", used.version, used.cipher));
    }
    Ok(stream)
}

async fn log_in(talk: &mut Talk<Stream>, offered: &Extensions, user: &str, password: &str) -> anyhow::Result<Reply> {
    if offered.auth_plain {
        let token = STANDARD.encode(format!("\0{user}\0{password}"));
        return talk.say_as(&format!("AUTH PLAIN {token}"), "AUTH PLAIN ********").await;
    }
    if offered.auth_login {
        let reply = talk.say("AUTH LOGIN").await?;
        if reply.code != 334 {
            return Ok(reply);
        }
        let reply = talk.say(&STANDARD.encode(user)).await?;
        if reply.code != 334 {
            return Ok(reply);
        }
        return talk.say_as(&STANDARD.encode(password), "********").await;
    }
    bail!("the server offers no log-in by PLAIN or LOGIN; it may want TLS first")
}

async fn transaction(
    talk: &mut Talk<Stream>,
    args: &Args,
    offered: &Extensions,
    content: &Content,
) -> anyhow::Result<Reply> {
    let is_ascii = content.chunks().iter().all(|chunk| chunk.is_ascii());
    let params = MailParams {
        size: offered.size.then_some(content.len() as u64),
        body: if offered.eight_bit_mime && !is_ascii { Body::EightBitMime } else { Body::SevenBit },
        smtputf8: offered.smtputf8 && std::iter::once(&args.from).chain(&args.to).any(Address::needs_smtputf8),
        ..MailParams::default()
    };
    let reply = talk.say(&format!("MAIL FROM:<{}>{params}", args.from)).await?;
    if !reply.is_positive() {
        return Ok(reply);
    }
    let mut refused = None;
    for recipient in &args.to {
        let reply = talk.say(&format!("RCPT TO:<{recipient}>")).await?;
        if !reply.is_positive() {
            refused = Some(reply);
        }
    }
    // All or nobody: half a message sent is for a person to decide.
    if let Some(refused) = refused {
        return Ok(refused);
    }
    let reply = talk.say("DATA").await?;
    match reply.code {
        354 => talk.content(content).await,
        _ => Ok(reply),
    }
}

/// `host:port`, `[address]:port`, or either without a port, which is 587 then.
fn host_and_port(text: &str) -> anyhow::Result<(String, u16)> {
    if let Ok(address) = text.parse::<std::net::IpAddr>() {
        return Ok((address.to_string(), 587));
    }
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            let port = port.parse().map_err(|_| Ended::usage(format!("\"{port}\" is not a port")))?;
            (host, port)
        }
        _ => (text, 587),
    };
    Ok((host.trim_start_matches('[').trim_end_matches(']').to_owned(), port))
}

/// The file as it is, with CRLF line ends; else a message from the flags.
fn content(args: &Args) -> anyhow::Result<Content> {
    let Some(file) = &args.file else { return compose(args) };
    let mut octets = Vec::new();
    match file.as_os_str() == "-" {
        true => drop(std::io::stdin().lock().read_to_end(&mut octets)?),
        false => octets = std::fs::read(file).with_context(|| format!("{}", file.display()))?,
    }
    Ok(with_crlf(&octets).into())
}

/// Every line ended in CRLF, whatever it ended in.
pub fn with_crlf(octets: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(octets.len() + octets.len() / 32);
    for line in octets.split_inclusive(|b| *b == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        out.extend_from_slice(text.strip_suffix(b"\r").unwrap_or(text));
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// A simple letter; Message-ID and Date are the server's to add.
fn compose(args: &Args) -> anyhow::Result<Content> {
    let field = |written: &String| match written.split_once(':') {
        Some((name, value)) => Ok((name.trim().to_owned(), value.to_owned())),
        None => Err(Ended::usage(format!("\"{written}\" is no header field: write \"Name: value\""))),
    };
    let letter = Letter {
        from: Some(args.from.clone().into()),
        to: args.to.iter().cloned().map(Person::from).collect(),
        subject: args.subject.clone(),
        fields: args.headers.iter().map(field).collect::<Result<_, _>>()?,
        text: args.text.clone(),
        html: args.html.clone(),
        ..Letter::default()
    };
    compose::compose(&letter).map_err(|fault| Ended::usage(fault.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_named_in_all_ways() {
        let check = |text: &str, host: &str, port| assert_eq!(host_and_port(text).unwrap(), (host.to_owned(), port));
        check("mail.example.com:465", "mail.example.com", 465);
        check("mail.example.com", "mail.example.com", 587);
        check("[::1]:2587", "::1", 2587);
        check("::1", "::1", 587);
        check("127.0.0.1:25", "127.0.0.1", 25);
        assert!(host_and_port("x:y").is_err());
    }
}
