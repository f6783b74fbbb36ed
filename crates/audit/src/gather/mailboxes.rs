//! The hosts that take mail to us: what they answer to bounces, and how they encrypt.

use std::net::{IpAddr, SocketAddr};

use repute_dns::{Data, Kind, Lookup};
use repute_trust::checks::Finding;
use repute_trust::checks::mailbox::{
    Host, Met, Promised, Said, Shown, accepts, backscatter, encrypts, promised, unheard,
};
use repute_trust::lookup::{self, Query};
use repute_trust::setup::Sending;
use repute_types::{Domain, Tlsa};

use crate::questions::{LATE, Questions, all};
use crate::run::Run;
use crate::talk::{NoTalk, Talk, text_of};

/// Hosts of a domain that are tried: the first ones, to which mail goes.
const HOSTS: usize = 3;

pub(crate) async fn check(run: Run, sending: Sending) -> Vec<Finding> {
    let mut findings = one(&run, &sending, &sending.name).await;
    if let Some(path) = &sending.return_path {
        findings.extend(one(&run, &sending, path).await);
    }
    findings
}

async fn one(run: &Run, sending: &Sending, domain: &Domain) -> Vec<Finding> {
    // Nobody is asked more than is wanted: a stranger who asks for mailboxes again and again is a harvester.
    let takes = |id: &str| run.options.takes(id);
    let about_hosts = takes("in.starttls") || takes("in.tlsa") || takes("dsn.none");
    let mailboxes = *domain == sending.name && takes("name.hosts.abuse");
    let bounces = domain == sending.mail_from() && takes("name.bounce.accepts");
    if !about_hosts && !mailboxes && !bounces {
        return Vec::new();
    }
    let hosts = match mx_hosts(&run.questions, domain).await {
        Ok(hosts) if !hosts.is_empty() => hosts,
        // `name.from.mx` tells.
        _ => return Vec::new(),
    };
    let mailboxes: Vec<String> = match mailboxes {
        true => ["postmaster", "abuse"].iter().map(|local| format!("{local}@{domain}")).collect(),
        false => Vec::new(),
    };
    let bounce = bounces.then(|| bounce_address(run, domain));
    let nobody = format!("no-such-mailbox-{}@{domain}", run.now.millis());
    let asked: Vec<String> =
        mailboxes.iter().chain(&bounce).chain(takes("dsn.none").then_some(&nobody)).cloned().collect();
    let met = all(hosts.into_iter().map(|host| {
        let (questions, asked, port) = (run.questions.clone(), asked.clone(), run.options.mx_port);
        let ehlo = run.setup.hostname.clone();
        async move { meet(&questions, &host, &ehlo, port, &asked).await }
    }));
    let tried = met.await;
    let ours: Vec<IpAddr> = run.setup.sources().map(|source| source.address).collect();
    let ours = |tried: &&Tried| tried.at.is_some_and(|ip| ours.contains(&ip));
    let our_hosts: Vec<String> = tried.iter().filter(ours).map(|tried| tried.host.name.clone()).collect();
    // Before the server runs nothing listens there, and that is as it should be.
    let deaf = tried.iter().filter(ours).find(|tried| tried.refused && run.options.serving);
    let deaf = deaf.map(|tried| tried.host.name.clone());
    let hosts: Vec<Host> = tried.into_iter().map(|tried| tried.host).collect();
    let mut findings: Vec<Finding> =
        mailboxes.iter().map(|address| accepts("name.hosts.abuse", domain, address, &hosts)).collect();
    findings.extend(bounce.iter().map(|address| match &deaf {
        Some(host) => unheard(domain, address, host),
        None => accepts("name.bounce.accepts", domain, address, &hosts),
    }));
    findings.extend(backscatter(domain, &nobody, &hosts, &our_hosts));
    findings.extend(encrypts(domain, &hosts, run.now));
    for host in &hosts {
        findings.push(promised(domain, host, &tlsa(&run.questions, &host.name).await));
    }
    let follows = |f: Finding| f.for_domain(&sending.name).follows("ip.port25");
    findings
        .into_iter()
        .map(
            |f| {
                if f.outcome == repute_trust::checks::Outcome::Unknown {
                    follows(f)
                } else {
                    f.for_domain(&sending.name)
                }
            },
        )
        .collect()
}

/// The address in the envelope, where one is known; else the one that every domain has.
fn bounce_address(run: &Run, domain: &Domain) -> String {
    let own = run.own.as_ref().and_then(|own| own.bounce.iter().find(|(of, _)| of == domain));
    own.map_or_else(|| format!("postmaster@{domain}"), |(_, address)| address.clone())
}

/// The MX hosts, the preferred first; the domain itself where it has none.
pub(crate) async fn mx_hosts(questions: &Questions, domain: &Domain) -> Result<Vec<Domain>, String> {
    let mut list = match questions.records(domain, Kind::Mx).await {
        Lookup::Found(found) => found.items,
        Lookup::NoData { .. } => {
            let v4 = questions.ask(&Query { name: domain.to_string(), kind: lookup::Kind::A }).await;
            return Ok(if v4.addresses().is_empty() { Vec::new() } else { vec![domain.clone()] });
        }
        Lookup::NoName { .. } => return Ok(Vec::new()),
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => return Err(why),
    };
    list.sort_by_key(|data| if let Data::Mx(mx) = data { mx.preference } else { u16::MAX });
    let name = |data: Data| if let Data::Mx(mx) = data { mx.exchange.host().cloned() } else { None };
    Ok(list.into_iter().filter_map(name).take(HOSTS).collect())
}

/// A host that was tried.
struct Tried {
    host: Host,
    /// The address at which it was met.
    at: Option<IpAddr>,
    /// Nothing listens there, says whoever has the address.
    refused: bool,
}

async fn meet(questions: &Questions, host: &Domain, ehlo: &Domain, port: u16, asked: &[String]) -> Tried {
    let name = host.to_string();
    let unmet = |why: String| Tried { host: Host { name: name.clone(), met: Err(why) }, at: None, refused: false };
    let ip = match questions.addresses_of(host, None).await {
        Err(why) => return unmet(why),
        Ok(addresses) => match addresses.first() {
            Some(ip) => *ip,
            None => return unmet("it has no address".into()),
        },
    };
    let met = questions.connected(converse(questions, host, SocketAddr::new(ip, port), ehlo, asked)).await;
    let refused = matches!(met, Err(NoTalk::Refused(_)));
    Tried { host: Host { name, met: met.map_err(words) }, at: Some(ip), refused }
}

async fn converse(
    questions: &Questions,
    host: &Domain,
    to: SocketAddr,
    ehlo: &Domain,
    asked: &[String],
) -> Result<Met, NoTalk> {
    let (mut talk, offers) = greeted(questions, to, ehlo).await?;
    let network = questions.network().ok_or_else(nobody)?;
    let mut met = Met::default();
    if offers {
        match talk.encrypt(network, host.as_str()).await {
            Ok((encrypted, verified)) => {
                talk = encrypted;
                met.tls = Some(Ok(Shown { chain: talk.certificates(), verified }));
                talk.say(&format!("EHLO {ehlo}")).await.map_err(NoTalk::Closed)?;
            }
            Err(why) => {
                met.tls = Some(Err(why));
                talk = greeted(questions, to, ehlo).await?.0;
            }
        }
    }
    met.recipients = envelope(&mut talk, asked).await;
    talk.quit().await;
    Ok(met)
}

fn nobody() -> NoTalk {
    NoTalk::Closed("nobody is connected to".into())
}

fn words(no: NoTalk) -> String {
    match no {
        NoTalk::NotOurs => "no way there".into(),
        NoTalk::Closed(why) | NoTalk::Refused(why) => why,
        NoTalk::Late => LATE.into(),
    }
}

/// A conversation past EHLO, and whether STARTTLS is offered.
async fn greeted(questions: &Questions, to: SocketAddr, ehlo: &Domain) -> Result<(Talk, bool), NoTalk> {
    let network = questions.network().ok_or_else(nobody)?;
    let mut talk = Talk::open(network, to, None, questions.until()).await?;
    let greeting = talk.reply().await.map_err(NoTalk::Closed)?;
    if greeting.code != 220 {
        return Err(NoTalk::Closed(format!("it greets with {greeting}")));
    }
    let reply = talk.say(&format!("EHLO {ehlo}")).await.map_err(NoTalk::Closed)?;
    let offers = reply.lines.iter().any(|line| line.trim().eq_ignore_ascii_case("STARTTLS"));
    Ok((talk, offers))
}

/// The envelope of a bounce, which is never handed over.
async fn envelope(talk: &mut Talk, asked: &[String]) -> Vec<(String, Said)> {
    let mut answers: Vec<(String, Said)> = Vec::new();
    let refused = match talk.say("MAIL FROM:<>").await {
        Ok(reply) if reply.code == 250 => None,
        Ok(reply) => Some(Ok((reply.code, text_of(&reply)))),
        Err(why) => Some(Err(why)),
    };
    for address in asked {
        let said = match &refused {
            Some(said) => said.clone(),
            None => talk.say(&format!("RCPT TO:<{address}>")).await.map(|reply| (reply.code, text_of(&reply))),
        };
        let broken = said.is_err();
        answers.push((address.clone(), said));
        if broken {
            break;
        }
    }
    answers
}

async fn tlsa(questions: &Questions, host: &str) -> Promised {
    let Ok(name) = Domain::parse(&format!("_25._tcp.{host}")) else { return Promised::Absent };
    match questions.records(&name, Kind::Tlsa).await {
        Lookup::Found(found) => {
            let take = |data: Data| match data {
                Data::Tlsa { usage, selector, matching, data } => Some(Tlsa { usage, selector, matching, data }),
                _ => None,
            };
            Promised::Records {
                records: found.items.into_iter().filter_map(take).collect(),
                authentic: found.authentic,
            }
        }
        Lookup::NoData { .. } | Lookup::NoName { .. } => Promised::Absent,
        Lookup::Failure(why) | Lookup::NoAnswer(why) | Lookup::NotAsked(why) => Promised::Unknown(why),
    }
}
