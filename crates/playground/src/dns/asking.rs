//! The playground's DNS as the judges of the house take it: each question goes to the one name
//! server, without a resolver between and without a cache, so that a zone that was changed is
//! seen changed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RecordType};
use repute_dns::{BoxFuture, Data, Inspect, Kind, Lookup, Mx, Records, Resolver, Said, data_of};
use repute_types::Domain;

use super::ask;

/// Asks the name server at this address and no other.
#[derive(Clone, Copy, Debug)]
pub struct Asking {
    server: SocketAddr,
}

impl Asking {
    pub fn new(server: SocketAddr) -> Asking {
        Asking { server }
    }

    /// One question; of the data what `read` takes.
    async fn lookup<T>(&self, name: Name, kind: RecordType, read: impl Fn(Data) -> Option<T>) -> Lookup<T> {
        match ask(self.server, name, kind).await {
            Err(error) => Lookup::NoAnswer(error.to_string()),
            Ok((ResponseCode::NXDomain, _)) => Lookup::NoName { authentic: false },
            Ok((ResponseCode::NoError, data)) => {
                let items: Vec<T> = data.iter().filter_map(data_of).filter_map(read).collect();
                match items.is_empty() {
                    true => Lookup::NoData { authentic: false },
                    false => Lookup::Found(Records { items, authentic: false, ttl: Duration::ZERO }),
                }
            }
            Ok((code, _)) => Lookup::Failure(code.to_string()),
        }
    }

    fn of<'a, T: Send + 'a>(
        &'a self,
        domain: &'a Domain,
        kind: RecordType,
        read: impl Fn(Data) -> Option<T> + Send + 'a,
    ) -> BoxFuture<'a, Lookup<T>> {
        Box::pin(async move {
            match Name::from_ascii(domain.as_str()) {
                Ok(mut name) => {
                    name.set_fqdn(true);
                    self.lookup(name, kind, read).await
                }
                Err(error) => Lookup::Failure(error.to_string()),
            }
        })
    }
}

impl Resolver for Asking {
    fn mx<'a>(&'a self, of: &'a Domain) -> BoxFuture<'a, Lookup<Mx>> {
        self.of(of, RecordType::MX, |data| if let Data::Mx(mx) = data { Some(mx) } else { None })
    }

    fn a<'a>(&'a self, of: &'a Domain) -> BoxFuture<'a, Lookup<Ipv4Addr>> {
        self.of(of, RecordType::A, |data| if let Data::V4(a) = data { Some(a) } else { None })
    }

    fn aaaa<'a>(&'a self, of: &'a Domain) -> BoxFuture<'a, Lookup<Ipv6Addr>> {
        self.of(of, RecordType::AAAA, |data| if let Data::V6(a) = data { Some(a) } else { None })
    }

    fn txt<'a>(&'a self, of: &'a Domain) -> BoxFuture<'a, Lookup<Vec<u8>>> {
        self.of(of, RecordType::TXT, |data| if let Data::Text(text) = data { Some(text) } else { None })
    }

    fn ptr(&self, address: IpAddr) -> BoxFuture<'_, Lookup<Domain>> {
        let read = |data| if let Data::Name(name) = data { Some(name) } else { None };
        Box::pin(self.lookup(Name::from(address), RecordType::PTR, read))
    }
}

impl Inspect for Asking {
    fn records<'a>(&'a self, of: &'a Domain, kind: Kind) -> BoxFuture<'a, Lookup<Data>> {
        self.of(of, kind.record_type(), Some)
    }

    /// There is one server, and it has every zone.
    fn ask<'a>(&'a self, _: IpAddr, of: &'a Domain, kind: Kind) -> BoxFuture<'a, Said> {
        Box::pin(async move { Said::Answered(self.records(of, kind).await) })
    }
}
