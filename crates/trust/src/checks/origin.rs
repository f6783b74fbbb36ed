//! Rule 1: the network around the address: who announces it, whether the route is signed, and
//! what name its neighbours and its owner have.

use std::net::IpAddr;

use super::Finding;
use crate::lookup::Answer;

/// The announcement of an address, as `origin.asn.cymru.com` has it:
/// `23028 | 216.90.108.0/24 | US | arin | 1998-09-25`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Several announce some prefixes; the first.
    pub asn: u32,
    pub prefix: String,
}

impl Origin {
    /// The most specific prefix of an answer; `None` where nothing announces the address.
    pub fn read(answer: &Answer) -> Result<Option<Origin>, String> {
        if let Answer::Failure(why) = answer {
            return Err(why.clone());
        }
        let read = |text: &Vec<u8>| {
            let text = String::from_utf8_lossy(text).into_owned();
            let mut fields = text.split('|').map(str::trim);
            let asn = fields.next()?.split_whitespace().next()?.parse().ok()?;
            let prefix = fields.next().filter(|p| p.contains('/'))?.to_owned();
            Some(Origin { asn, prefix })
        };
        let length = |o: &Origin| o.prefix.rsplit_once('/').and_then(|(_, n)| n.parse::<u8>().ok()).unwrap_or(0);
        Ok(answer.texts().iter().filter_map(read).max_by_key(length))
    }
}

/// Whether a route is signed (RFC 6811 §2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signed {
    Valid,
    NotFound,
    Invalid(String),
}

pub fn route(
    ip: IpAddr,
    origin: &Result<Option<Origin>, String>,
    signed: Option<&Result<Signed, String>>,
) -> Option<Finding> {
    let id = "ip.rpki";
    let origin = match origin {
        Err(why) => return Some(unknown(id, ip, &format!("who announces {ip}"), why)),
        Ok(None) => {
            let verdict = format!("nobody announces a route to {ip}, by the tables of Team Cymru");
            return Some(Finding::warn(id, ip, verdict).fix("ask your hoster").for_address(ip));
        }
        Ok(Some(origin)) => origin,
    };
    let route = format!("the route to {} from AS{}", origin.prefix, origin.asn);
    let finding = match signed? {
        Err(why) => Finding::unknown(id, ip, format!("whether {route} is signed"), why),
        Ok(Signed::Valid) => Finding::pass(id, ip, format!("{route} is signed and valid")),
        // Four routes of ten are; it costs nothing with any filter.
        Ok(Signed::NotFound) => Finding::pass(id, ip, format!("{route} is not signed"))
            .fix(format!("ask your hoster to sign {} (a ROA in RPKI)", origin.prefix)),
        Ok(Signed::Invalid(why)) => {
            Finding::fail(id, ip, format!("{route} contradicts its signature ({why}): many networks drop it"))
                .fix(format!("ask your hoster to correct the ROA of {}", origin.prefix))
        }
    };
    Some(finding.for_address(ip))
}

/// Whether the whole network is one that lists call criminal: the address itself is in DROP, or
/// the network that announces it is (`asn`: `Some(true)`).
pub fn dropped(
    ip: IpAddr,
    drop: &Result<bool, String>,
    origin: Option<&Origin>,
    asn: Option<&Result<bool, String>>,
) -> Finding {
    let id = "bl.sbl.asn";
    let fix = "nothing inside helps: move to another provider";
    let network = origin.map_or(String::new(), |o| format!(" (AS{})", o.asn));
    let finding = match (drop, asn) {
        (Ok(true), _) => Finding::fail(
            id,
            ip,
            format!("the network of {ip}{network} is on Spamhaus DROP: it counts as criminal as a whole"),
        )
        .fix(fix),
        (_, Some(Ok(true))) => {
            Finding::fail(id, ip, format!("the network that announces {ip}{network} is on Spamhaus ASN-DROP")).fix(fix)
        }
        (Err(why), _) => {
            Finding::unknown(id, ip, format!("whether the network of {ip} is on DROP"), why).follows("bl.ip")
        }
        (_, Some(Err(why))) => {
            Finding::unknown(id, ip, format!("whether the network that announces {ip} is on ASN-DROP"), why)
        }
        (Ok(false), None) => Finding::pass(id, ip, format!("the network of {ip} is not on DROP")),
        (Ok(false), Some(Ok(false))) => {
            Finding::pass(id, ip, format!("neither {ip} nor the network that announces it{network} is on DROP"))
        }
    };
    finding.for_address(ip)
}

/// How many of the addresses around are listed. `asked` is how many answers were had.
pub fn neighbours(ip: IpAddr, list: &str, counted: &Result<(usize, usize), String>) -> Finding {
    let id = "ip.neighbours";
    let finding = match counted {
        Err(why) => Finding::unknown(id, ip, format!("what name the neighbours of {ip} have"), why).follows("bl.ip"),
        // Less than half of it says too little.
        Ok((_, asked)) if *asked < 128 => Finding::unknown(
            id,
            ip,
            format!("what name the neighbours of {ip} have"),
            &format!("{list} answered for {asked} of 256"),
        ),
        Ok((listed, asked)) => {
            let verdict = format!("{listed} of the {asked} addresses around {ip} are on {list}");
            // Two in a hundred: where receivers begin to write "part of your network".
            match listed * 50 > *asked {
                false => Finding::pass(id, ip, verdict),
                true => Finding::warn(id, ip, format!("{verdict}: receivers judge the network too (Outlook S3150)"))
                    .fix("ask your hoster for an address in another block, or move"),
            }
        }
    };
    finding.for_address(ip)
}

fn unknown(id: &'static str, ip: IpAddr, what: &str, why: &str) -> Finding {
    Finding::unknown(id, ip, what, why).for_address(ip)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome;

    fn ip() -> IpAddr {
        "203.0.113.10".parse().unwrap()
    }

    #[test]
    fn the_most_specific_announcement_is_read() {
        let texts = [
            "23028 | 203.0.0.0/16 | US | arin | 1998-09-25",
            "64500 64501 | 203.0.113.0/24 | DE | ripencc | 2001-01-01",
            "nonsense",
        ];
        let answer = Answer::Texts(texts.iter().map(|t| t.as_bytes().to_vec()).collect());
        assert_eq!(Origin::read(&answer), Ok(Some(Origin { asn: 64500, prefix: "203.0.113.0/24".into() })));
        assert_eq!(Origin::read(&Answer::NoName), Ok(None));
        assert_eq!(Origin::read(&Answer::Failure("SERVFAIL".into())), Err("SERVFAIL".into()));
    }

    #[test]
    fn routes_are_signed_unsigned_wrong_or_not_known() {
        let origin = Ok(Some(Origin { asn: 64500, prefix: "203.0.113.0/24".into() }));
        let outcome = |signed: Option<Result<Signed, String>>| route(ip(), &origin, signed.as_ref()).map(|f| f.outcome);
        assert_eq!(outcome(Some(Ok(Signed::Valid))), Some(Outcome::Pass));
        assert_eq!(outcome(Some(Ok(Signed::NotFound))), Some(Outcome::Pass));
        assert_eq!(outcome(Some(Ok(Signed::Invalid("invalid_asn".into())))), Some(Outcome::Fail));
        assert_eq!(outcome(Some(Err("no answer".into()))), Some(Outcome::Unknown));
        assert_eq!(outcome(None), None);
        assert_eq!(route(ip(), &Err("SERVFAIL".into()), None).unwrap().outcome, Outcome::Unknown);
        assert_eq!(route(ip(), &Ok(None), None).unwrap().outcome, Outcome::Warn);
    }

    #[test]
    fn a_network_is_dropped_clean_or_not_known() {
        let outcome = |drop: Result<bool, String>, asn: Option<Result<bool, String>>| {
            dropped(ip(), &drop, None, asn.as_ref()).outcome
        };
        assert_eq!(outcome(Ok(true), None), Outcome::Fail);
        assert_eq!(outcome(Ok(false), Some(Ok(true))), Outcome::Fail);
        assert_eq!(outcome(Ok(false), Some(Ok(false))), Outcome::Pass);
        assert_eq!(outcome(Ok(false), None), Outcome::Pass);
        assert_eq!(outcome(Err("refused".into()), Some(Ok(false))), Outcome::Unknown);
        assert_eq!(outcome(Ok(false), Some(Err("404".into()))), Outcome::Unknown);
    }

    #[test]
    fn two_in_a_hundred_neighbours_are_too_many() {
        for (counted, expected) in [
            (Ok((5, 256)), Outcome::Pass),
            (Ok((6, 256)), Outcome::Warn),
            (Ok((0, 12)), Outcome::Unknown),
            (Err("refused".to_owned()), Outcome::Unknown),
        ] {
            assert_eq!(neighbours(ip(), "Spamhaus ZEN", &counted).outcome, expected, "{counted:?}");
        }
    }
}
