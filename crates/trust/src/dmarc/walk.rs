//! The tree walk (RFC 9989 §4.10): which record holds for a domain, and which organisation
//! the domain belongs to.

use repute_types::Domain;

use super::record::{Demand, Record, select};
use crate::lookup::Answer;

/// Names that are asked at most, without `_dmarc.` before them.
const NAMES_MOST: usize = 8;

/// The domains whose `_dmarc` names are asked, the longest first: the domain itself, then,
/// where it has more than eight labels, its last seven, and each one above.
pub fn walk(domain: &Domain) -> Vec<Domain> {
    let mut names = vec![domain.clone()];
    let mut next = domain.parent();
    while let Some(name) = next {
        let labels = name.as_str().split('.').count();
        next = name.parent();
        if labels < NAMES_MOST {
            names.push(name);
        }
    }
    names
}

/// What holds for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Where the record stands; `None` where no record holds.
    pub found: Option<(Domain, Record)>,
    /// The organisational domain.
    pub organisation: Domain,
    /// Names with several records, all of which receivers pass over.
    pub several: Vec<(Domain, usize)>,
    /// TXT records at the domain's own `_dmarc` name that receivers take for none, as text.
    pub passed_over: Vec<String>,
}

impl Policy {
    /// `answers` are the TXT records of the names of [`walk`], in its order. `Err` names what
    /// was not answered and why, where that decides.
    pub fn find(domain: &Domain, answers: &[(Domain, Answer)]) -> Result<Policy, (Domain, String)> {
        let mut several = Vec::new();
        let mut records: Vec<(Domain, Record)> = Vec::new();
        for (name, answer) in answers {
            if let Answer::Failure(why) = answer {
                // The domain's own record holds whatever stands above it.
                if records.iter().any(|(at, _)| at == domain) {
                    break;
                }
                return Err((name.clone(), why.clone()));
            }
            let mut found = select(answer.texts());
            match found.len() {
                0 => {}
                1 => records.push((name.clone(), found.remove(0))),
                n => several.push((name.clone(), n)),
            }
            // §4.10: a record that says what it is ends the walk.
            if records.last().is_some_and(|(at, record)| at == name && record.psd.is_some()) {
                break;
            }
        }
        let organisation = organisation(domain, answers, &records);
        // §4.10.1: its own record, else its organisation's, else that of the public suffix.
        let own = records.iter().position(|(name, _)| name == domain);
        let of_organisation = records.iter().position(|(name, _)| *name == organisation);
        let of_suffix = records.iter().position(|(_, record)| record.psd == Some(true));
        let found = own.or(of_organisation).or(of_suffix).map(|at| records.swap_remove(at));
        let texts = answers.iter().filter(|(name, _)| name == domain).flat_map(|(_, answer)| answer.texts());
        let passed_over = texts.filter(|text| Record::parse(text).is_none());
        let passed_over = passed_over.map(|text| String::from_utf8_lossy(text).into_owned()).collect();
        Ok(Policy { found, organisation, several, passed_over })
    }

    /// What is asked for mail of `domain` itself.
    pub fn demand(&self, domain: &Domain) -> Option<Demand> {
        let (at, record) = self.found.as_ref()?;
        let demand = record.demand.unwrap_or(Demand::None);
        Some(if at == domain { demand } else { record.subdomains.unwrap_or(demand) })
    }
}

/// §4.10.2: where `psd=n` stands; else below where `psd=y` does; else the shortest name with
/// a record; else the domain itself.
fn organisation(domain: &Domain, answers: &[(Domain, Answer)], records: &[(Domain, Record)]) -> Domain {
    if let Some((name, _)) = records.iter().find(|(_, record)| record.psd == Some(false)) {
        return name.clone();
    }
    if let Some((suffix, _)) = records.iter().find(|(name, record)| record.psd == Some(true) && name != domain) {
        let below = answers.iter().take_while(|(name, _)| name != suffix).last();
        return below.map_or_else(|| domain.clone(), |(name, _)| name.clone());
    }
    records.last().map_or_else(|| domain.clone(), |(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn d(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn find(domain: &str, zone: &[(&str, &str)]) -> Policy {
        let answer = |name: &Domain| {
            let texts: Vec<Vec<u8>> =
                zone.iter().filter(|(n, _)| *n == name.as_str()).map(|(_, t)| t.as_bytes().to_vec()).collect();
            if texts.is_empty() { Answer::NoName } else { Answer::Texts(texts) }
        };
        let answers: Vec<_> = walk(&d(domain)).into_iter().map(|n| (n.clone(), answer(&n))).collect();
        Policy::find(&d(domain), &answers).unwrap()
    }

    #[test]
    fn at_most_eight_names_are_asked() {
        let names = |domain: &str| walk(&d(domain)).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names("mail.example.com"), ["mail.example.com", "example.com", "com"]);
        assert_eq!(
            names("a.b.c.d.e.f.g.h.i.j.example.com"),
            [
                "a.b.c.d.e.f.g.h.i.j.example.com",
                "f.g.h.i.j.example.com",
                "g.h.i.j.example.com",
                "h.i.j.example.com",
                "i.j.example.com",
                "j.example.com",
                "example.com",
                "com"
            ]
        );
    }

    #[track_caller]
    fn check(domain: &str, zone: &[(&str, &str)], at: Option<&str>, organisation: &str) {
        let policy = find(domain, zone);
        assert_eq!(policy.found.as_ref().map(|(name, _)| name.as_str()), at, "{zone:?}");
        assert_eq!(policy.organisation.as_str(), organisation, "{zone:?}");
    }

    #[test]
    fn a_record_in_other_letters_was_told_as_none_at_all() {
        let policy = find("example.com", &[("example.com", "v=dmarc1; p=none"), ("com", "x")]);
        assert_eq!((policy.found, policy.passed_over), (None, vec!["v=dmarc1; p=none".to_owned()]));
    }

    #[test]
    fn the_walk_finds_the_organisation() {
        let none = "v=DMARC1; p=none";
        check("mail.example.com", &[], None, "mail.example.com");
        check("mail.example.com", &[("example.com", none)], Some("example.com"), "example.com");
        check(
            "mail.example.com",
            &[("example.com", none), ("mail.example.com", none)],
            Some("mail.example.com"),
            "example.com",
        );
        check(
            "a.mail.example.com",
            &[("mail.example.com", "v=DMARC1; p=none; psd=n"), ("example.com", none)],
            Some("mail.example.com"),
            "mail.example.com",
        );
        check("a.example.co.uk", &[("co.uk", "v=DMARC1; p=none; psd=y")], Some("co.uk"), "example.co.uk");
        check(
            "a.example.co.uk",
            &[("co.uk", "v=DMARC1; p=none; psd=y"), ("example.co.uk", none)],
            Some("example.co.uk"),
            "example.co.uk",
        );
        // Several records are none.
        check("example.com", &[("example.com", none), ("example.com", none)], None, "example.com");
    }

    /// RFC 9989 Appendix B.4, and what §4.10 says besides.
    #[test]
    fn the_examples_of_the_rfc() {
        let reject = "v=DMARC1; p=reject";
        let simple = [("example.com", reject), ("signing.example.com", reject)];
        check("example.com", &simple, Some("example.com"), "example.com");
        check("signing.example.com", &simple, Some("signing.example.com"), "example.com");
        // A name of fourteen labels costs eight questions, and finds the same.
        let deep = "a.b.c.d.e.f.g.h.i.j.k.example.com";
        let asked: Vec<String> = walk(&d(deep)).iter().map(ToString::to_string).collect();
        assert_eq!((asked.len(), asked[1].as_str()), (8, "g.h.i.j.k.example.com"));
        check(deep, &simple, Some("example.com"), "example.com");
        // Public suffixes that speak for what is registered below them.
        let bank = [("giant.bank.example", reject), ("bank.example", "v=DMARC1; p=none; psd=y")];
        check("giant.bank.example", &bank, Some("giant.bank.example"), "giant.bank.example");
        check("mail.giant.bank.example", &bank, Some("giant.bank.example"), "giant.bank.example");
        check("mega.bank.example", &bank, Some("bank.example"), "mega.bank.example");
        check("bank.example", &bank, Some("bank.example"), "bank.example");
        // Eight labels lose one, nine lose two.
        let second = |name: &str| walk(&d(name))[1].to_string();
        assert_eq!(second("a.b.c.d.e.f.example.com"), "b.c.d.e.f.example.com");
        assert_eq!(second("x.a.b.c.d.e.f.example.com"), "b.c.d.e.f.example.com");
        // Where several stand, none does, and the walk goes on.
        let two = [("mail.example.com", reject), ("mail.example.com", "v=DMARC1; p=none"), ("example.com", reject)];
        check("mail.example.com", &two, Some("example.com"), "example.com");
        // What is nearest is not what is highest; without anything above, a name stands for itself.
        let between = [("b.example.com", "v=DMARC1; p=none"), ("example.com", reject)];
        check("a.b.example.com", &between, Some("example.com"), "example.com");
        check("mail.example.com", &[("mail.example.com", reject)], Some("mail.example.com"), "mail.example.com");
    }

    #[test]
    fn subdomains_have_a_policy_of_their_own() {
        let policy = find("mail.example.com", &[("example.com", "v=DMARC1; p=none; sp=reject")]);
        assert_eq!(policy.demand(&d("mail.example.com")), Some(Demand::Reject));
        assert_eq!(policy.demand(&d("example.com")), Some(Demand::None));
    }

    #[test]
    fn what_is_not_answered_is_unknown() {
        let answers = [(d("example.com"), Answer::Failure("SERVFAIL".into()))];
        assert_eq!(Policy::find(&d("example.com"), &answers), Err((d("example.com"), "SERVFAIL".into())));
        let own = Answer::Texts(vec![b"v=DMARC1; p=none".to_vec()]);
        let answers = [(d("example.com"), own), (d("com"), Answer::Failure("SERVFAIL".into()))];
        assert_eq!(Policy::find(&d("example.com"), &answers).unwrap().found.unwrap().0, d("example.com"));
    }
}
