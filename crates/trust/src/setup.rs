//! A sender as it is set up: the addresses that mail leaves from, and the domains it is sent as. Its records are made from it
//! ([`crate::records`]), and it is what is checked.

use std::net::IpAddr;
use std::sync::Arc;

use repute_types::Domain;

use crate::dkim::SigningKey;

#[derive(Clone, Debug)]
pub struct Setup {
    pub hostname: Domain,
    pub egresses: Vec<Egress>,
    pub domains: Vec<Sending>,
}

/// Addresses and the name said in EHLO from them.
#[derive(Clone, Debug)]
pub struct Egress {
    pub ehlo: Domain,
    pub addresses: Vec<IpAddr>,
}

/// One address of an egress, with its EHLO name.
#[derive(Clone, Debug)]
pub struct Source {
    pub address: IpAddr,
    pub ehlo: Domain,
}

/// A domain that mail is sent as.
#[derive(Clone, Debug)]
pub struct Sending {
    pub name: Domain,
    /// The domain in MAIL FROM, where it is another one: a name whose MX is this server.
    pub return_path: Option<Domain>,
    /// The addresses that its mail may leave from; `None`: all of them.
    pub pool: Option<Vec<IpAddr>>,
    /// Those that sign, none where mail goes out unsigned; where records are made, also those that come and those
    /// that leave, which have records, too.
    pub keys: Vec<Arc<SigningKey>>,
}

impl Setup {
    /// Every address that mail leaves from.
    pub fn sources(&self) -> impl Iterator<Item = Source> {
        let of = |egress: &Egress| {
            let ehlo = egress.ehlo.clone();
            egress.addresses.clone().into_iter().map(move |address| Source { address, ehlo: ehlo.clone() })
        };
        self.egresses.iter().flat_map(of)
    }
}

impl Sending {
    pub fn mail_from(&self) -> &Domain {
        self.return_path.as_ref().unwrap_or(&self.name)
    }

    /// Whether its mail may leave from this address.
    pub fn leaves_from(&self, address: IpAddr) -> bool {
        self.pool.as_ref().is_none_or(|pool| pool.contains(&address))
    }
}
