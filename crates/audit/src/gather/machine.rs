//! This machine: its clock, names, ports and IPv6 addresses; its mail of the last day.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use repute_trust::checks::machine::{Port, clock, greeting, network_of, one_name, open_to_strangers, own_name};
use repute_trust::checks::{Finding, left, reported, sent, watched};
use repute_trust::setup::Source;
use repute_types::Domain;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, timeout_at};

use crate::questions::{Questions, all};
use crate::run::Run;
use crate::talk::{NoTalk, Talk, text_of};
use crate::web;

/// How our clock compares with those of web hosts.
pub(crate) async fn check_clock(run: Run) -> Vec<Finding> {
    let offsets = all(run.options.clocks.clone().into_iter().map(|host| {
        let (questions, now, began) = (run.questions.clone(), run.now, Instant::now());
        async move {
            let got = web::get(&questions, &format!("http://{host}/"), None, false).await;
            let here = now + began.elapsed();
            let offset = got.and_then(|got| match got.date {
                // A date is cut to the second.
                Some(there) => Ok(here.millis() - there.millis() - 500),
                None => Err("its answer has no date".to_owned()),
            });
            (host.to_string(), offset)
        }
    }));
    vec![clock(&offsets.await)]
}

/// What is known without asking anybody.
pub(crate) fn check_own(run: &Run) -> Vec<Finding> {
    let Some(own) = &run.own else { return Vec::new() };
    let mut findings = vec![own_name(&run.setup.hostname, &own.hosts)];
    for source in run.setup.sources() {
        if let IpAddr::V6(ip) = source.address {
            findings.push(network_of(ip, &own.interfaces));
        }
        let day = |(of, name, last): &(IpAddr, Domain, repute_types::Timestamp)| {
            (*of == source.address && run.now.since(*last) < Duration::from_secs(86_400)).then(|| name.clone())
        };
        let mut said: Vec<Domain> = own.kept.said.iter().filter_map(day).collect();
        said.push(source.ehlo.clone());
        findings.push(one_name(source.address, &said));
    }
    if let Some(found) = &own.certificate {
        findings.push(sent::certificate(run.setup.hostname.as_str(), found, run.now));
    }
    if let Some(day) = &own.day {
        findings.extend(sent::judge(day));
    }
    findings.extend(own.watched.as_ref().map(watched::judge));
    if let Some(left) = &own.left {
        findings.push(left::judge(left));
    }
    if let Some(reported) = &own.reported {
        let ours: Vec<IpAddr> = run.setup.sources().map(|source| source.address).collect();
        findings.extend(reported::judge(reported, &ours));
    }
    findings
}

/// Where mail servers and proxies listen.
const MAIL: [u16; 2] = [25, 587];
const WEB_PROXIES: [u16; 2] = [3128, 8080];
const SOCKS: u16 = 1080;

/// Our own address, as a stranger would try it.
pub(crate) async fn check_ports(run: Run, source: Source) -> Vec<Finding> {
    let ip = source.address;
    // The greeting alone is on port 25; nobody is tried as a relay for it.
    let relays = run.options.takes("ip.dedicated");
    let ports = MAIL.into_iter().chain(WEB_PROXIES).chain([SOCKS]).take(if relays { 5 } else { 1 });
    let tried = all(ports.map(|port| {
        let (questions, ehlo) = (run.questions.clone(), source.ehlo.clone());
        async move { (port, try_port(&questions, ip, port, &ehlo, relays).await) }
    }));
    let tried = tried.await;
    let from_here = tried.iter().any(|(_, (_, from_here))| *from_here);
    let ports: Vec<(u16, Port)> = tried.into_iter().map(|(port, (found, _))| (port, found)).collect();
    let mail = ports.iter().find(|(port, _)| *port == 25).map_or(Port::Closed, |(_, found)| found.clone());
    let open = relays.then(|| open_to_strangers(ip, &ports, from_here));
    open.into_iter().chain([greeting(ip, &source.ehlo, &mail)]).collect()
}

/// What is there, and whether the address is one of this machine.
async fn try_port(questions: &Questions, ip: IpAddr, port: u16, ehlo: &Domain, relays: bool) -> (Port, bool) {
    let Some(network) = questions.network() else { return (Port::Closed, false) };
    let to = SocketAddr::new(ip, port);
    questions
        .connected(async {
            if MAIL.contains(&port) {
                let opened = match Talk::open(network, to, Some(ip), questions.until()).await {
                    Err(NoTalk::NotOurs) => (Talk::open(network, to, None, questions.until()).await, false),
                    opened => (opened, true),
                };
                return match opened {
                    (Ok(talk), here) => (as_mail(talk, ehlo, relays).await, here),
                    (Err(_), here) => (Port::Closed, here),
                };
            }
            let until = questions.until().min(Instant::now() + Duration::from_secs(5));
            let found = async {
                let mut stream = network.connect(to, None, Duration::from_secs(4)).await.ok()?;
                // To ourselves: whoever passes that on passes on everything.
                let asked = if port == SOCKS {
                    socks(ip)
                } else {
                    format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").into_bytes()
                };
                stream.write_all(&asked).await.ok()?;
                let mut answer = [0; 64];
                let n = stream.read(&mut answer).await.ok()?;
                Some(answer[..n].to_vec())
            };
            let found = timeout_at(until, found).await.ok().flatten();
            let port = match found {
                None => Port::Closed,
                // Version 5, no log-in wanted (RFC 1928 §3).
                Some(answer) if port == SOCKS && answer.starts_with(&[5, 0]) => Port::Proxy("SOCKS"),
                Some(answer) if answer.starts_with(b"HTTP/1.") && answer.get(9..12) == Some(b"200") => {
                    Port::Proxy("web")
                }
                Some(_) => Port::Other,
            };
            (port, false)
        })
        .await
}

/// The greeting of SOCKS 5 that offers no log-in, and the wish to be connected to ourselves.
fn socks(ip: IpAddr) -> Vec<u8> {
    let mut octets = vec![5, 1, 0];
    if let IpAddr::V4(v4) = ip {
        octets.extend([5, 1, 0, 1]);
        octets.extend(v4.octets());
        octets.extend(25u16.to_be_bytes());
    }
    octets
}

/// The name in the greeting, and whether a stranger's mail for a stranger is taken. Nothing is handed
/// over: after RCPT comes QUIT.
async fn as_mail(mut talk: Talk, ehlo: &Domain, try_relay: bool) -> Port {
    let Ok(greeting) = talk.reply().await else { return Port::Other };
    let name = text_of(&greeting).split_whitespace().next().unwrap_or_default().to_owned();
    let mut relays = false;
    let said = talk.say(&format!("EHLO {ehlo}")).await.is_ok_and(|r| r.code == 250);
    if said && try_relay && talk.say("MAIL FROM:<probe@example.org>").await.is_ok_and(|r| r.code == 250) {
        relays = talk.say("RCPT TO:<probe@example.net>").await.is_ok_and(|r| (250..=252).contains(&r.code));
    }
    talk.quit().await;
    Port::Mail { name, relays }
}
