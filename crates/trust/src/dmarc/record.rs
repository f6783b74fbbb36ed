//! A DMARC policy record (RFC 9989 §4.7).

/// What a domain asks of receivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Demand {
    None,
    Quarantine,
    Reject,
}

impl Demand {
    fn parse(text: &str) -> Option<Demand> {
        Some(match text.to_ascii_lowercase().as_str() {
            "none" => Demand::None,
            "quarantine" => Demand::Quarantine,
            "reject" => Demand::Reject,
            _ => return None,
        })
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Demand::None => "none",
            Demand::Quarantine => "quarantine",
            Demand::Reject => "reject",
        }
    }
}

/// How closely two domains have to agree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alignment {
    Relaxed,
    Strict,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// As published.
    pub text: String,
    /// `None` where there is no `p=`, or one that nobody knows: receivers take it for `none`.
    pub demand: Option<Demand>,
    pub subdomains: Option<Demand>,
    /// For names that do not exist.
    pub absent: Option<Demand>,
    pub dkim: Alignment,
    pub spf: Alignment,
    /// `y` in `psd=`: a public suffix speaks; `n`: an organisation ends here.
    pub psd: Option<bool>,
    /// `t=y`: one step less than is asked.
    pub testing: bool,
    /// Where aggregate reports go, each as written.
    pub reports_to: Vec<String>,
    /// What is wrong or has gone out of use, each a sentence with its cure.
    pub remarks: Vec<String>,
}

/// The records among a name's TXT records: those whose first tag is `v=DMARC1`.
pub fn select(texts: &[Vec<u8>]) -> Vec<Record> {
    texts.iter().filter_map(|text| Record::parse(text)).collect()
}

impl Record {
    /// `None` where it is no DMARC record (§4.7: the first tag has to be exactly `v=DMARC1`).
    pub fn parse(text: &[u8]) -> Option<Record> {
        let text = String::from_utf8_lossy(text).into_owned();
        let mut parts = text.split(';').map(|part| match part.split_once('=') {
            Some((name, value)) => (name.trim().to_ascii_lowercase(), value.trim().to_owned()),
            None => (String::new(), part.trim().to_owned()),
        });
        if parts.next()? != ("v".to_owned(), "DMARC1".to_owned()) {
            return None;
        }
        let tags: Vec<(String, String)> =
            parts.filter(|(name, value)| !(name.is_empty() && value.is_empty())).collect();
        let mut record = Record {
            text: text.clone(),
            demand: None,
            subdomains: None,
            absent: None,
            dkim: Alignment::Relaxed,
            spf: Alignment::Relaxed,
            psd: None,
            testing: false,
            reports_to: Vec::new(),
            remarks: Vec::new(),
        };
        for (name, value) in &tags {
            record.take(name, value);
        }
        if tags.iter().all(|(name, _)| name != "p") && record.psd != Some(true) {
            record.remarks.push("there is no p=, and receivers take that for p=none: write it".to_owned());
        }
        Some(record)
    }

    fn take(&mut self, name: &str, value: &str) {
        let lower = value.to_ascii_lowercase();
        match name {
            "p" => self.demand = self.known(name, value, Demand::parse(value)),
            "sp" => self.subdomains = self.known(name, value, Demand::parse(value)),
            "np" => self.absent = self.known(name, value, Demand::parse(value)),
            "adkim" => self.dkim = self.alignment(name, value),
            "aspf" => self.spf = self.alignment(name, value),
            "psd" => {
                self.psd = match lower.as_str() {
                    "y" => Some(true),
                    "n" => Some(false),
                    "u" => None,
                    _ => self.known(name, value, None),
                }
            }
            "t" => self.testing = lower == "y",
            "rua" => {
                self.reports_to = value.split(',').map(|uri| uri.trim().to_owned()).filter(|u| !u.is_empty()).collect()
            }
            "ruf" | "fo" => {}
            "pct" => {
                self.remarks.push("pct= does not exist any more: take it out; t=y asks for one step less".to_owned())
            }
            "rf" | "ri" => self.remarks.push(format!("{name}= does not exist any more: take it out")),
            "" => self.remarks.push(format!("{value:?} is no tag=value: take it out")),
            _ => self.remarks.push(format!("{name}= is no tag that receivers know: take it out")),
        }
        if name == "rua" && value.contains('!') {
            self.remarks.push("a size behind ! in rua= does not exist any more: take it out".to_owned());
        }
    }

    fn known<T>(&mut self, name: &str, value: &str, parsed: Option<T>) -> Option<T> {
        if parsed.is_none() {
            self.remarks.push(format!("{name}={value} is no value that receivers know: correct it"));
        }
        parsed
    }

    fn alignment(&mut self, name: &str, value: &str) -> Alignment {
        match value.to_ascii_lowercase().as_str() {
            "s" => Alignment::Strict,
            "r" => Alignment::Relaxed,
            _ => {
                self.known::<()>(name, value, None);
                Alignment::Relaxed
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_one_only_with_its_version_first() {
        assert!(Record::parse(b"v=DMARC1; p=none").is_some());
        assert!(Record::parse(b" v = DMARC1 ;p=reject").is_some());
        for text in ["p=none; v=DMARC1", "v=dmarc1; p=none", "v=DMARC1x; p=none", "v=spf1 -all", ""] {
            assert_eq!(Record::parse(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn tags_are_read_and_old_ones_told() {
        let check = |text: &str, remarks: usize| {
            let record = Record::parse(text.as_bytes()).unwrap();
            assert_eq!(record.remarks.len(), remarks, "{text}: {:?}", record.remarks);
            record
        };
        let full = check(
            "v=DMARC1; p=reject; sp=quarantine; np=reject; adkim=s; aspf=r; t=y; rua=mailto:a@b.c, mailto:d@e.f;",
            0,
        );
        assert_eq!(
            (full.demand, full.subdomains, full.absent),
            (Some(Demand::Reject), Some(Demand::Quarantine), Some(Demand::Reject))
        );
        assert_eq!(
            (full.dkim, full.spf, full.testing, full.reports_to.len()),
            (Alignment::Strict, Alignment::Relaxed, true, 2)
        );
        check("v=DMARC1; p=none; pct=50; ri=3600; rf=afrf", 3);
        check("v=DMARC1; p=none; rua=mailto:a@b.c!10m", 1);
        check("v=DMARC1; rua=mailto:a@b.c", 1);
        check("v=DMARC1; p=rejct; quarantine; x=y", 3);
    }
}
