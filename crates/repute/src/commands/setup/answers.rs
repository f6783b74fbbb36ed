//! The three questions: domain, host name, address. A flag answers one beforehand, the
//! configuration that is there answers too, and what the machine says of itself is proposed.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::IpAddr;

use repute_trust::names::public::why_not_public;
use repute_types::Domain;

use super::{Args, found};
use crate::cli::Ended;
use crate::config::Config;
use crate::out;

pub struct Answers {
    pub hostname: Domain,
    pub domains: Vec<Domain>,
    pub addresses: Vec<IpAddr>,
}

/// Flags first, then the configuration, then proposals; asks only a terminal, and not with `--yes`.
pub fn gather(args: &Args, config: Option<&Config>) -> anyhow::Result<Answers> {
    let asks = !args.dns.yes && std::io::stdin().is_terminal();
    let machine = found::hostname();
    let domains = domains(args, config, machine.as_ref(), asks)?;
    let hostname = match (&args.hostname, config) {
        (Some(flag), Some(config)) if *flag != config.hostname => return Err(contradiction(flag, config)),
        (Some(flag), _) => flag.clone(),
        (None, Some(config)) => config.hostname.clone(),
        (None, None) => {
            let proposal = machine.or_else(|| domains.first().and_then(|d| Domain::parse(&format!("mail.{d}")).ok()));
            one("What this server is called (its name in DNS)", "--hostname", proposal, asks)?
        }
    };
    let addresses = addresses(args, config, asks)?;
    Ok(Answers { hostname, domains, addresses })
}

/// A name that receivers know is not changed by the way.
fn contradiction(flag: &Domain, config: &Config) -> anyhow::Error {
    Ended::usage(format!(
        "the server is called {} in {}, not {flag}: change it there if that is meant",
        config.hostname,
        config.file.display()
    ))
}

fn domains(args: &Args, config: Option<&Config>, machine: Option<&Domain>, asks: bool) -> anyhow::Result<Vec<Domain>> {
    if !args.domains.is_empty() {
        return Ok(args.domains.clone());
    }
    let there: Vec<Domain> = config.map(|c| c.domains.iter().map(|d| d.name.clone()).collect()).unwrap_or_default();
    if !there.is_empty() {
        return Ok(there);
    }
    let host = args.hostname.as_ref().or(config.map(|c| &c.hostname)).or(machine);
    let proposal = host.and_then(Domain::parent).filter(|d| d.as_str().contains('.'));
    Ok(vec![one("The domain you send as", "--domain", proposal, asks)?])
}

fn addresses(args: &Args, config: Option<&Config>, asks: bool) -> anyhow::Result<Vec<IpAddr>> {
    if !args.addresses.is_empty() {
        let addresses: Vec<IpAddr> = args.addresses.iter().map(IpAddr::to_canonical).collect();
        addresses.iter().try_for_each(|ip| seen(*ip)).map_err(|why| Ended::usage(why.to_string()))?;
        return Ok(addresses);
    }
    if config.is_some_and(|c| !c.egresses.is_empty()) {
        return Ok(Vec::new());
    }
    let proposal = found::public_addresses();
    if proposal.is_empty() {
        let why = found::why_none_is_public();
        out::error(&format!(
            "This machine has no public address of its own ({why}): mail has to leave from one that is fixed and yours.\n"
        ));
    }
    let text: Vec<String> = proposal.iter().map(ToString::to_string).collect();
    let proposal = (!text.is_empty()).then(|| text.join(" "));
    let List(addresses) =
        one("The address mail leaves from", "--address", proposal.map(|t| List::parse(&t)).transpose()?, asks)?;
    Ok(addresses)
}

/// One address or several, with blanks or commas between.
struct List(Vec<IpAddr>);

impl List {
    fn parse(text: &str) -> anyhow::Result<List> {
        let one = |word: &str| {
            let ip: IpAddr = word.parse().map_err(|_| anyhow::anyhow!("{word} is no IP address"))?;
            seen(ip).map(|()| ip)
        };
        let words = text.split([' ', ',']).filter(|word| !word.is_empty());
        Ok(List(words.map(one).collect::<anyhow::Result<_>>()?))
    }
}

/// Records that name an address of an inner network would be wrong for everybody.
fn seen(ip: IpAddr) -> anyhow::Result<()> {
    let inner = match ip.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local() || v4.is_unspecified(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_loopback() || v6.is_unicast_link_local() || v6.is_unspecified(),
    };
    match why_not_public(ip) {
        Some(why) if inner => anyhow::bail!("no receiver ever sees {ip}: {why}"),
        _ => Ok(()),
    }
}

impl std::str::FromStr for List {
    type Err = anyhow::Error;
    fn from_str(text: &str) -> anyhow::Result<List> {
        List::parse(text)
    }
}

impl std::fmt::Display for List {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
    }
}

/// Asks until there is an answer that can be read; without a terminal the proposal is the answer.
fn one<T: std::str::FromStr<Err: std::fmt::Display> + std::fmt::Display>(
    what: &str,
    flag: &str,
    proposal: Option<T>,
    asks: bool,
) -> anyhow::Result<T> {
    if !asks {
        return proposal.ok_or_else(|| Ended::usage(format!("{what} is not known: say it with {flag}")));
    }
    loop {
        let shown = proposal.as_ref().map(|p| format!(" [{p}]")).unwrap_or_default();
        let Some(line) = ask(&format!("{what}{shown}: "))? else {
            return Err(Ended::usage(format!("no answer: say it with {flag}")));
        };
        match (line.parse(), &proposal) {
            (_, Some(_)) if line.is_empty() => return Ok(proposal.expect("it was just matched")),
            (Ok(answer), _) if !line.is_empty() => return Ok(answer),
            (Err(why), _) if !line.is_empty() => out::error(&format!("  {why}; once more\n")),
            _ => out::error("  There is nothing to propose; once more\n"),
        }
    }
}

/// One line from the terminal; `None` at its end.
fn ask(prompt: &str) -> anyhow::Result<Option<String>> {
    out::error(prompt);
    let _ = std::io::stderr().flush();
    let mut line = String::new();
    let octets = std::io::stdin().lock().read_line(&mut line)?;
    Ok((octets > 0).then(|| line.trim().to_owned()))
}

/// A yes or no; no terminal and no `--yes` is a no.
pub fn agreed(question: &str, yes: bool) -> anyhow::Result<bool> {
    if yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Ended::usage("nobody can be asked: --yes agrees beforehand"));
    }
    let answer = ask(&format!("{question} [y/N] "))?.unwrap_or_default();
    Ok(matches!(answer.to_ascii_lowercase().as_str(), "y" | "yes"))
}
