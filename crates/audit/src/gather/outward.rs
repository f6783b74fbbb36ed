//! Connections outwards to mail hosts that everybody knows, from each egress.

use std::net::{IpAddr, SocketAddr};

use repute_trust::checks::Finding;
use repute_trust::checks::outward::{Answered, Facts, Met, Probe, judge};
use repute_trust::setup::Source;
use repute_types::Domain;

use crate::questions::{LATE, Questions, all};
use crate::run::Run;
use crate::talk::{NoTalk, Talk, text_of};
use crate::web;

pub(crate) async fn check(run: Run, source: Source) -> Vec<Finding> {
    let (ip, port) = (source.address, run.options.mx_port);
    let probes = all(run.options.hosts.clone().into_iter().map(|host| {
        let (questions, ehlo) = (run.questions.clone(), source.ehlo.clone());
        async move { Probe { met: probe(&questions, &host, ip, port, &ehlo).await, host: host.to_string() } }
    }));
    let echoes = all(run.options.echo.clone().into_iter().map(|host| {
        let questions = run.questions.clone();
        async move {
            let got = web::get(&questions, &format!("http://{host}/"), Some(ip), false).await;
            let said = got.and_then(|got| {
                got.page
                    .body
                    .trim()
                    .parse::<IpAddr>()
                    .map_err(|_| format!("{host} answers with something else than an address"))
            });
            (host.to_string(), said)
        }
    }));
    let (probes, echoes) = tokio::join!(probes, echoes);
    judge(&Facts { ip, probes, echoes })
}

async fn probe(questions: &Questions, host: &Domain, from: IpAddr, port: u16, ehlo: &Domain) -> Met {
    let Some(network) = questions.network() else { return Met::Unknown("nobody is connected to".into()) };
    let to = match questions.addresses_of(host, Some(from)).await {
        Err(why) => return Met::Unknown(format!("{host}: {why}")),
        Ok(addresses) => match addresses.first() {
            Some(ip) => SocketAddr::new(*ip, port),
            None => return Met::Unknown(format!("{host} has no address of that family")),
        },
    };
    questions
        .connected(async {
            let mut talk = match Talk::open(network, to, Some(from), questions.until()).await {
                Ok(talk) => talk,
                Err(NoTalk::NotOurs) => return Met::NotOurs,
                Err(NoTalk::Closed(why) | NoTalk::Refused(why)) => return Met::Closed(why),
                Err(NoTalk::Late) => return Met::Unknown(LATE.into()),
            };
            // Whoever accepts and says nothing is a filter, not the host.
            let greeting = match talk.reply().await {
                Ok(reply) => text_of(&reply),
                Err(_) if questions.is_over() => return Met::Unknown(LATE.into()),
                Err(why) => return Met::Closed(why),
            };
            let Ok(reply) = talk.say(&format!("EHLO {ehlo}")).await else {
                return Met::Answered(Answered { greeting, ..Answered::default() });
            };
            let offered = reply.lines.iter().any(|l| l.trim().eq_ignore_ascii_case("STARTTLS"));
            let lines: Vec<String> = reply.lines.iter().take(40).cloned().collect();
            let tls = match offered {
                false => {
                    talk.quit().await;
                    None
                }
                true => Some(match talk.encrypt(network, host.as_str()).await {
                    Ok((talk, verified)) => {
                        talk.quit().await;
                        Ok(verified)
                    }
                    Err(why) => Err(why),
                }),
            };
            Met::Answered(Answered { greeting, ehlo: lines, tls })
        })
        .await
}
