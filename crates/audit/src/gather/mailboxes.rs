//! The hosts that take mail to us: what they answer to bounces, and how they encrypt.

use std::net::{IpAddr, SocketAddr};

use repute_dns::{Data, Kind, Lookup};
use repute_trust::checks::Finding;
use repute_trust::checks::mailbox::{Host, Met, Promised, Said, Shown, accepts, backscatter, encrypts, promised};
use repute_trust::lookup::{self, Query};
use repute_types::{Domain, Tlsa};

use crate::questions::{Questions, all};
use crate::run::Run;
use crate::setup::Sending;
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
    let hosts = match mx_hosts(&run.questions, domain).await {
        Ok(hosts) if !hosts.is_empty() => hosts,
        // `name.from.mx` tells.
        _ => return Vec::new(),
    };
    let mailboxes: Vec<String> = match *domain == sending.name {
        true => ["postmaster", "abuse"].iter().map(|local| format!("{local}@{domain}")).collect(),
        false => Vec::new(),
    };
    let bounce = (domain == sending.mail_from()).then(|| bounce_address(run, domain));
    let nobody = format!("no-such-mailbox-{}@{domain}", run.now.millis());
    let asked: Vec<String> = mailboxes.iter().chain(&bounce).cloned().chain([nobody.clone()]).collect();
    let met = all(hosts.into_iter().map(|host| {
        let (questions, asked, port) = (run.questions.clone(), asked.clone(), run.options.mx_port);
        let ehlo = run.setup.hostname.clone();
        async move { meet(&questions, &host, &ehlo, port, &asked).await }
    }));
    let tried = met.await;
    let ours: Vec<IpAddr> = run.setup.egresses.iter().map(|e| e.address).collect();
    let our_hosts: Vec<String> =
        tried.iter().filter(|(_, ip)| ip.is_some_and(|ip| ours.contains(&ip))).map(|(h, _)| h.name.clone()).collect();
    let hosts: Vec<Host> = tried.into_iter().map(|(host, _)| host).collect();
    let mut findings: Vec<Finding> =
        mailboxes.iter().map(|address| accepts("name.hosts.abuse", domain, address, &hosts)).collect();
    findings.extend(bounce.iter().map(|address| accepts("name.bounce.accepts", domain, address, &hosts)));
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
        Lookup::Failure(why) | Lookup::NoAnswer(why) => return Err(why),
    };
    list.sort_by_key(|data| if let Data::Mx(mx) = data { mx.preference } else { u16::MAX });
    let name = |data: Data| if let Data::Mx(mx) = data { mx.exchange } else { None };
    Ok(list.into_iter().filter_map(name).take(HOSTS).collect())
}

/// The host, and the address at which it was met.
async fn meet(
    questions: &Questions,
    host: &Domain,
    ehlo: &Domain,
    port: u16,
    asked: &[String],
) -> (Host, Option<IpAddr>) {
    let name = host.to_string();
    let ip = match questions.addresses_of(host, None).await {
        Err(why) => return (Host { name, met: Err(why) }, None),
        Ok(addresses) => match addresses.first() {
            Some(ip) => *ip,
            None => return (Host { name, met: Err("it has no address".into()) }, None),
        },
    };
    let to = SocketAddr::new(ip, port);
    let met = questions.connected(async {
        let (mut talk, offers) = greeted(questions, to, ehlo).await?;
        let network = questions.network().ok_or("nobody is connected to")?;
        let mut met = Met::default();
        if offers {
            match talk.encrypt(network, host.as_str()).await {
                Ok((encrypted, verified)) => {
                    talk = encrypted;
                    met.tls = Some(Ok(Shown { chain: talk.certificates(), verified }));
                    talk.say(&format!("EHLO {ehlo}")).await?;
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
    });
    (Host { name, met: met.await }, Some(ip))
}

/// A conversation past EHLO, and whether STARTTLS is offered.
async fn greeted(questions: &Questions, to: SocketAddr, ehlo: &Domain) -> Result<(Talk, bool), String> {
    let network = questions.network().ok_or("nobody is connected to")?;
    let mut talk = match Talk::open(network, to, None, questions.until()).await {
        Ok(talk) => talk,
        Err(NoTalk::NotOurs) => return Err("no way there".into()),
        Err(NoTalk::Closed(why)) => return Err(why),
    };
    let greeting = talk.reply().await?;
    if greeting.code != 220 {
        return Err(format!("it greets with {greeting}"));
    }
    let reply = talk.say(&format!("EHLO {ehlo}")).await?;
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
        Lookup::Failure(why) | Lookup::NoAnswer(why) => Promised::Unknown(why),
    }
}
