//! DNS of a few lines for tests: `name TYPE data`, one record a line; `name FAIL` for a name
//! whose servers do not answer. TXT data runs to the end of the line.

use std::cell::RefCell;
use std::collections::HashMap;

use repute_trust::spf::{Answer, Kind, Query};

pub struct Zone {
    records: HashMap<String, Vec<(String, String)>>,
    /// Every question that was put, in order.
    pub asked: RefCell<Vec<Query>>,
}

impl Zone {
    pub fn parse(text: &str) -> Zone {
        let mut records: HashMap<String, Vec<(String, String)>> = HashMap::new();
        for line in text.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let (name, rest) = line.split_once(' ').expect("a name and a type");
            let (kind, data) = rest.split_once(' ').unwrap_or((rest, ""));
            records.entry(name.to_lowercase()).or_default().push((kind.to_owned(), data.trim().to_owned()));
        }
        Zone { records, asked: RefCell::default() }
    }

    pub fn answer(&self, query: &Query) -> Answer {
        self.asked.borrow_mut().push(query.clone());
        let Some(records) = self.records.get(&query.name) else { return Answer::NoName };
        if records.iter().any(|(kind, _)| kind == "FAIL") {
            return Answer::Failure("time-out".into());
        }
        let kind = query.kind.to_string();
        let data: Vec<&str> = records.iter().filter(|r| r.0 == kind).map(|r| r.1.as_str()).collect();
        match query.kind {
            _ if data.is_empty() => Answer::NoData,
            Kind::Txt => Answer::Texts(data.iter().map(|d| d.as_bytes().to_vec()).collect()),
            Kind::A | Kind::Aaaa => Answer::Addresses(data.iter().map(|d| d.parse().expect("an address")).collect()),
            Kind::Mx | Kind::Ptr => Answer::Names(data.iter().map(|d| (*d).to_owned()).collect()),
        }
    }
}
