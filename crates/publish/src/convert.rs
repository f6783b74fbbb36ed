//! Names and records between ours and the library's.

use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, PTR, TXT};
use hickory_proto::rr::{Name, RData, RecordType};
use repute_trust::records::{Data, Kind};
use repute_types::Domain;

pub fn name(domain: &Domain) -> Name {
    let mut name = Name::from_ascii(domain.as_str()).expect("a Domain's labels are good labels, and few enough");
    name.set_fqdn(true);
    name
}

/// `None` for the root and for what no host can be called.
pub fn domain(name: &Name) -> Option<Domain> {
    Domain::parse(&name.to_ascii()).ok()
}

pub fn kind(kind: Kind) -> RecordType {
    match kind {
        Kind::A => RecordType::A,
        Kind::Aaaa => RecordType::AAAA,
        Kind::Cname => RecordType::CNAME,
        Kind::Mx => RecordType::MX,
        Kind::Ptr => RecordType::PTR,
        Kind::Txt => RecordType::TXT,
    }
}

pub fn rdata(data: &Data) -> RData {
    match data {
        Data::A(address) => RData::A(A(*address)),
        Data::Aaaa(address) => RData::AAAA(AAAA(*address)),
        Data::Cname(target) => RData::CNAME(CNAME(name(target))),
        Data::Ptr(host) => RData::PTR(PTR(name(host))),
        Data::Mx(preference, host) => RData::MX(MX::new(*preference, host.as_ref().map_or_else(Name::root, name))),
        Data::Txt(strings) => RData::TXT(TXT::from_bytes(strings.iter().map(Vec::as_slice).collect())),
    }
}

/// `None` for a type that mail has no use for, and for a target that is no host name.
pub fn data(rdata: &RData) -> Option<Data> {
    match rdata {
        RData::A(address) => Some(Data::A(address.0)),
        RData::AAAA(address) => Some(Data::Aaaa(address.0)),
        RData::CNAME(target) => domain(&target.0).map(Data::Cname),
        RData::PTR(host) => domain(&host.0).map(Data::Ptr),
        RData::MX(mx) if mx.exchange.is_root() => Some(Data::Mx(mx.preference, None)),
        RData::MX(mx) => domain(&mx.exchange).map(|host| Data::Mx(mx.preference, Some(host))),
        RData::TXT(txt) => Some(Data::Txt(txt.txt_data.iter().map(|string| string.to_vec()).collect())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_survive_the_way_there_and_back() {
        let host = Domain::parse("mail.example.com").unwrap();
        for one in [
            Data::A([203, 0, 113, 10].into()),
            Data::Aaaa("2001:db8::1".parse().unwrap()),
            Data::Cname(host.clone()),
            Data::Ptr(host.clone()),
            Data::Mx(10, Some(host)),
            Data::Mx(0, None),
            Data::text(&"x".repeat(300)),
            Data::Txt(vec![vec![0xff, 0], Vec::new()]),
        ] {
            assert_eq!(data(&rdata(&one)), Some(one));
        }
    }
}
