//! The message as Repute would send it: made whole and signed, from the first egress.

use repute_audit::{Arrival, Connection};
use repute_message::whole::{Change, Received, Whole, make_whole};
use repute_trust::dkim::{SigningKey, sign};
use repute_types::{Clock as _, Content, MessageId, SystemClock};

use crate::cli::Ended;
use crate::config::Config;
use crate::config::meant::SendingDomain;
use crate::keys;

#[derive(Clone)]
pub struct Sent {
    pub arrival: Arrival,
    /// What was done to it, each a few words.
    pub changed: Vec<String>,
}

/// What submission would refuse is an error here, in the same words.
pub fn as_sent(config: &Config, arrival: Arrival) -> anyhow::Result<Sent> {
    let now = SystemClock.now();
    let made = make_whole(
        arrival.content,
        &Whole {
            now,
            date: now,
            id: MessageId::first_at(now),
            hostname: &config.hostname,
            received: Received {
                helo: "localhost",
                client: None,
                protocol: "ESMTPSA",
                tls: None,
                private: true,
                recipient: None,
            },
            smtputf8: false,
            hops: 50,
        },
    )
    .map_err(|fault| Ended::usage(format!("it would be refused at submission: {}", fault.into_reply())))?;
    let mut changed: Vec<String> = made.changed.iter().map(words).collect();
    let mut content = made.content;
    let author = made.from.first().map(|a| a.domain().clone());
    let domain = config.domains.iter().find(|d| Some(&d.name) == author.as_ref());
    let Some(domain) = domain else {
        let from = author.map_or("nobody".to_owned(), |d| d.to_string());
        return Err(Ended::usage(format!("it would be refused at submission: {from} is not set up as a [[domain]]")));
    };
    let keys = keys::signing(&config.state, domain)?;
    if !keys.is_empty() {
        let of: Vec<&SigningKey> = keys.iter().map(|key| &**key).collect();
        content.prepend(sign(&content, &of, &domain.name, now)?);
        changed.push(format!("signed with {}", of.iter().map(|k| k.selector()).collect::<Vec<_>>().join(" and ")));
    }
    let mail_from = arrival.mail_from.or_else(|| {
        let path = domain.return_path.as_ref().unwrap_or(&domain.name);
        made.from.first().map(|a| format!("{}@{path}", a.local()))
    });
    let connection = arrival.connection.or_else(|| egress(config, domain));
    Ok(Sent {
        arrival: Arrival { connection, mail_from, content: Content::from(content.to_vec()), bulk: arrival.bulk },
        changed,
    })
}

/// The first address that mail of the domain may leave from.
fn egress(config: &Config, domain: &SendingDomain) -> Option<Connection> {
    let egress = domain.leaves_from(&config.egresses).next()?;
    let ip = egress.addresses().next()?;
    let helo = egress.ehlo.as_ref().unwrap_or(&config.hostname).to_string();
    Some(Connection { ip, helo, tls: true })
}

fn words(change: &Change) -> String {
    match change {
        Change::Added(name) => format!("{name} added"),
        Change::Removed(name) => format!("{name} taken out"),
        Change::Encoded => "encoded for every path".to_owned(),
        Change::Trimmed => "blanks at its end cut off".to_owned(),
    }
}
