//! The demo's internet: a name server, three receiving domains with different habits, and the
//! shop's own mailboxes, where failure notices come back to. Each has its own loopback
//! address, as on the real one; where the machine has only 127.0.0.1 (macOS), each has its
//! own port there, and routes stand in for the MX records.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context as _;
use repute_playground::receiver::{Down, Users};
use repute_playground::{DnsServer, Judge, Personality, Receiver, Zones};

use super::letters::{HILL, HOMES, MEADOW, PEOPLE, RIVER, SENDERS, SHOP};

/// The address that the shop's mail leaves from, where loopback is a whole network.
const EGRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 10);
/// Shorter than the demo's first retry: who comes a second time is taken.
pub const GREYLIST: Duration = Duration::from_secs(1);
/// From the first letter on: long enough that the first attempts find nobody.
pub const DOWN: Duration = Duration::from_secs(4);

pub struct World {
    pub dns: DnsServer,
    /// In the order of `HOMES`.
    pub homes: Vec<Home>,
    /// The shop's own mailboxes.
    pub shop: Home,
    pub places: Places,
}

pub struct Home {
    pub domain: &'static str,
    pub receiver: Receiver,
}

/// What the demo takes the machine's loopback to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// A network of addresses, where it is one.
    AsItIs,
    /// 127.0.0.1 alone, also where it is more: how the demo is on macOS.
    OneAddress,
}

/// How receivers are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Places {
    /// By address; all on one port, which is the port of MX hosts.
    Addresses { port: u16, egress: Ipv4Addr },
    /// By port on 127.0.0.1.
    Ports,
}

impl World {
    /// How receivers are told apart depends on the machine: see [`Loopback`].
    pub async fn start(on: Loopback) -> anyhow::Result<World> {
        let zones = Zones::new();
        let dns = DnsServer::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), zones.clone()).await;
        let dns = dns.context("starting a name server on 127.0.0.1")?;
        let judge = Judge::asking(dns.address())?;
        let found = match on {
            Loopback::AsItIs => by_address(&judge).await?,
            Loopback::OneAddress => None,
        };
        let (homes, shop, places) = match found {
            Some(found) => found,
            None => by_port(&judge).await?,
        };
        let world = World { dns, homes, shop, places };
        world.dns.zones().load(&world.zone_text())?;
        Ok(world)
    }

    /// The name that the server says in EHLO.
    pub fn hostname(&self) -> String {
        format!("mail.{SHOP}")
    }

    pub fn all(&self) -> impl Iterator<Item = &Home> {
        self.homes.iter().chain([&self.shop])
    }

    /// Puts a DKIM record into the shop's zone.
    pub fn publish(&self, name: &str, record: &str) -> anyhow::Result<()> {
        self.dns.zones().set_txt(name, record).with_context(|| format!("publishing {name}"))
    }

    fn zone_text(&self) -> String {
        let egress = match self.places {
            Places::Addresses { egress, .. } => egress,
            Places::Ports => Ipv4Addr::LOCALHOST,
        };
        let mut text = "$ORIGIN .\n$ORIGIN 127.in-addr.arpa.\n".to_owned();
        text += &reverse(egress, &self.hostname());
        for home in self.all() {
            if let IpAddr::V4(address) = home.receiver.address().ip()
                && address != egress
            {
                text += &reverse(address, home.receiver.host());
            }
        }
        for home in self.all() {
            text += &format!("$ORIGIN {}.\n@ MX 10 mx\nmx A {}\n", home.domain, home.receiver.address().ip());
        }
        // What `repute records` asks the owner of a domain to publish, besides the keys.
        text += &format!(
            "mail A {egress}\nmail TXT \"v=spf1 a -all\"\n@ TXT \"v=spf1 ip4:{egress} -all\"\n_dmarc TXT \"v=DMARC1; p=reject\"\n"
        );
        text
    }
}

fn reverse(address: Ipv4Addr, host: &str) -> String {
    let [_, b, c, d] = address.octets();
    format!("{d}.{c}.{b} PTR {host}.\n")
}

/// What each domain is like.
fn personality(domain: &'static str) -> Personality {
    let usual = Personality { users: Users::only(PEOPLE.into_iter().chain(SENDERS)), ..Personality::default() };
    let usual = usual.with_own_certificate(&format!("mx.{domain}"));
    match domain {
        RIVER => Personality { greylist: Some(GREYLIST), ..usual },
        HILL => Personality { down: Down::UntilTold, ..usual },
        _ => usual,
    }
}

async fn home(domain: &'static str, address: SocketAddr, judge: &Judge) -> std::io::Result<Home> {
    let receiver = Receiver::start(&format!("mx.{domain}"), address, personality(domain), Some(judge.clone())).await?;
    Ok(Home { domain, receiver })
}

type Found = (Vec<Home>, Home, Places);

/// `None` where loopback is one address alone.
async fn by_address(judge: &Judge) -> anyhow::Result<Option<Found>> {
    // Whether our address for going out can be had at all.
    if tokio::net::TcpListener::bind((EGRESS, 0)).await.is_err() {
        return Ok(None);
    }
    let mut last = None;
    // A port that is free on the first address may be taken on another.
    for _ in 0..20 {
        match all_on_one_port(judge).await {
            Ok(found) => return Ok(Some(found)),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => last = Some(error),
            Err(error) if error.kind() == std::io::ErrorKind::AddrNotAvailable => return Ok(None),
            Err(error) => return Err(error).context("starting the receivers on 127.0.1.1 to 127.0.1.4"),
        }
    }
    Err(last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into())).context("finding a port for the receivers")
}

async fn all_on_one_port(judge: &Judge) -> std::io::Result<Found> {
    let address = |last: u8, port: u16| SocketAddr::from((Ipv4Addr::new(127, 0, 1, last), port));
    let first = home(MEADOW, address(1, 0), judge).await?;
    let port = first.receiver.address().port();
    let homes = vec![first, home(RIVER, address(2, port), judge).await?, home(HILL, address(3, port), judge).await?];
    let shop = home(SHOP, address(4, port), judge).await?;
    Ok((homes, shop, Places::Addresses { port, egress: EGRESS }))
}

async fn by_port(judge: &Judge) -> anyhow::Result<Found> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let mut homes = Vec::new();
    for domain in HOMES {
        homes.push(home(domain, any, judge).await.context("starting a receiver on 127.0.0.1")?);
    }
    let shop = home(SHOP, any, judge).await.context("starting a receiver on 127.0.0.1")?;
    Ok((homes, shop, Places::Ports))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn receivers_are_told_apart_on_one_address_too() {
        for loopback in [Loopback::AsItIs, Loopback::OneAddress] {
            let world = World::start(loopback).await.unwrap();
            let mut places: Vec<SocketAddr> = world.all().map(|h| h.receiver.address()).collect();
            places.sort();
            places.dedup();
            assert_eq!(places.len(), 4, "{places:?}");
            if loopback == Loopback::OneAddress {
                assert_eq!(world.places, Places::Ports);
                assert!(places.iter().all(|p| p.ip().is_loopback() && p.ip() == Ipv4Addr::LOCALHOST));
            }
            let text = world.zone_text();
            assert!(text.contains("$ORIGIN hill.test.\n@ MX 10 mx\nmx A 127.0."), "{text}");
            assert!(text.contains("PTR mail.shop.test.\n"), "{text}");
        }
    }
}
