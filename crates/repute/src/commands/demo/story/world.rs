//! The story's internet: a name server with black lists, receivers that decide as those of the
//! world do, each on an address of its own, and the shop's own mailboxes.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context as _;
use repute_playground::{DnsServer, Judge, Personality, Receiver, Zones};
use repute_trust::receivers;

use super::super::letters::SHOP;
use super::chapter::STATIC;

/// A receiver of the story.
pub struct StoryHome {
    /// As `receivers.toml` calls it.
    key: &'static str,
    /// For people.
    pub name: &'static str,
    pub domain: &'static str,
}

pub const HOMES: [StoryHome; 5] = [
    StoryHome { key: "gmail", name: "Gmail", domain: "gmail.test" },
    StoryHome { key: "outlook", name: "Outlook", domain: "outlook.test" },
    StoryHome { key: "yahoo", name: "Yahoo", domain: "yahoo.test" },
    StoryHome { key: "t-online", name: "T-Online", domain: "t-online.test" },
    StoryHome { key: "plain", name: "a plain server", domain: "village.test" },
];

pub const MAILBOXES: Ipv4Addr = Ipv4Addr::new(127, 0, 2, 9);

pub struct StoryWorld {
    pub dns: DnsServer,
    /// In the order of [`HOMES`]; each says the name of a host of the receiver that it plays,
    /// so that its replies are told from those of others.
    pub receivers: Vec<Receiver>,
    /// Where failure notices come back to.
    _shop: Receiver,
    /// Of all of them.
    pub port: u16,
}

/// The home whose receiver says this name.
pub fn home_of(host: &str) -> &'static StoryHome {
    let is_it = |home: &&StoryHome| receivers::receiver(home.key).is_some_and(|r| r.host == host);
    HOMES.iter().find(is_it).unwrap_or(&HOMES[HOMES.len() - 1])
}

impl StoryWorld {
    /// `None` where loopback is one address alone.
    pub async fn start() -> anyhow::Result<Option<StoryWorld>> {
        if tokio::net::TcpListener::bind((STATIC, 0)).await.is_err() {
            return Ok(None);
        }
        let dns = DnsServer::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Zones::new()).await;
        let dns = dns.context("starting a name server on 127.0.0.1")?;
        let judge = Judge::asking(dns.address())?;
        let mut last = None;
        // A port that is free on the first address may be taken on another.
        for _ in 0..20 {
            match all_on_one_port(&judge).await {
                Ok((receivers, shop, port)) => return Ok(Some(StoryWorld { dns, receivers, _shop: shop, port })),
                Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => last = Some(error),
                Err(error) => return Err(error).context("starting the receivers on 127.0.2.1 to 127.0.2.9"),
            }
        }
        Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into())).context("finding a port for the receivers")
    }
}

async fn all_on_one_port(judge: &Judge) -> std::io::Result<(Vec<Receiver>, Receiver, u16)> {
    let mut started: Vec<Receiver> = Vec::new();
    let mut port = 0;
    for (nth, home) in HOMES.iter().enumerate() {
        let Some(like) = receivers::receiver(home.key) else { continue };
        let address = SocketAddr::from((Ipv4Addr::new(127, 0, 2, nth as u8 + 1), port));
        let personality = Personality { decides_as: Some(like), bulk: true, ..Personality::default() };
        let personality = personality.with_own_certificate(&like.host);
        let receiver = Receiver::start(&like.host, address, personality, Some(judge.clone())).await?;
        port = receiver.address().port();
        started.push(receiver);
    }
    let mailboxes = Personality::default().with_own_certificate(&format!("mx.{SHOP}"));
    let shop = Receiver::start(&format!("mx.{SHOP}"), SocketAddr::from((MAILBOXES, port)), mailboxes, None).await?;
    Ok((started, shop, port))
}
