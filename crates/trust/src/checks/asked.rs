//! What other domains ask of mail to them, and whether it is kept: TLS by DANE and by MTA-STS, and reports on it.

use super::{Finding, Outcome};

/// What the configuration has switched on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
    pub dane: bool,
    pub mta_sts: bool,
    pub tls_reports: bool,
}

/// `validates`: how it came out whether our resolver validates; `None` where that was not looked at.
pub fn dane(asked: Asked, validates: Option<Outcome>) -> Finding {
    let (id, about) = ("tls.out.dane", "sent");
    let sleeps = "the TLSA records of other hosts are not seen, since our resolver does not validate DNSSEC";
    match validates {
        _ if !asked.dane => Finding::warn(
            id,
            about,
            "DANE is switched off: whoever stands in between can read mail to hosts that promise TLS",
        )
        .fix("write `dane = true` into [delivery]"),
        Some(Outcome::Pass) => {
            Finding::pass(id, about, "mail to hosts with TLSA records goes over the TLS that they promise, or waits")
        }
        Some(Outcome::Warn | Outcome::Fail) => Finding::warn(id, about, sleeps).follows("dns.dnssec"),
        Some(Outcome::Unknown) | None => {
            let what = "whether the TLSA records of other hosts are seen";
            Finding::unknown(id, about, what, "it is not known whether our resolver validates DNSSEC")
                .follows("dns.dnssec")
        }
    }
}

pub fn mta_sts(asked: Asked) -> Finding {
    let (id, about) = ("tls.out.mtasts", "sent");
    match asked.mta_sts {
        true => Finding::pass(
            id,
            about,
            "mail to domains with an MTA-STS policy goes over verified TLS to the hosts that it names, or waits",
        ),
        false => Finding::warn(
            id,
            about,
            "MTA-STS is switched off: whoever stands in between can read mail to domains that ask for TLS",
        )
        .fix("write `mta_sts = true` into [delivery]"),
    }
}

pub fn tls_reports(asked: Asked) -> Finding {
    let (id, about) = ("tls.out.tlsrpt", "sent");
    match asked.tls_reports {
        true => Finding::pass(id, about, "domains that ask for it are told daily how TLS of mail to them went"),
        false => {
            Finding::warn(id, about, "no reports on TLS are sent: domains that ask for them do not hear of what breaks")
                .fix("write `enabled = true` into [tls_reports]")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::Outcome::{Fail, Pass, Unknown, Warn};

    #[test]
    fn what_is_on_and_can_be_seen_is_kept() {
        let (on, off) = [true, false].map(|is| Asked { dane: is, mta_sts: is, tls_reports: is }).into();
        for (asked, validates, expected) in [
            (on, Some(Pass), Pass),
            (on, Some(Warn), Warn),
            (on, Some(Fail), Warn),
            (on, Some(Unknown), Unknown),
            (on, None, Unknown),
            (off, Some(Pass), Warn),
        ] {
            assert_eq!(dane(asked, validates).outcome, expected, "{asked:?} {validates:?}");
        }
        assert_eq!((mta_sts(on).outcome, mta_sts(off).outcome), (Pass, Warn));
        assert_eq!((tls_reports(on).outcome, tls_reports(off).outcome), (Pass, Warn));
    }
}
