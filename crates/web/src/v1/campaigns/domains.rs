//! Domains of a list that comes in, asked about once each: whom at domains that take no mail we do not write to.
//!
//! Bounds: [`KNOWN`] domains are remembered, beyond that all are forgotten and asked about anew. Where nothing of a batch is
//! answered the name servers are not asked any more in this call: no answer is never a reason to refuse, and a list is not
//! to wait for them batch after batch.

use std::collections::{BTreeMap, HashMap};

use repute_engine::Control;
use repute_engine::bulk::Takes;
use repute_engine::bulk::words::{BulkError, Refused, Row, WhyNot};
use repute_types::{Address, Domain};

/// About 10 MB of names.
const KNOWN: usize = 100_000;

/// What is known of domains, in one call.
pub(super) struct Domains {
    asks: bool,
    /// Why nothing there takes mail; `None` where something does, or nobody knows.
    known: HashMap<Domain, Option<String>>,
}

impl Domains {
    pub fn new(asks: bool) -> Domains {
        Domains { asks, known: HashMap::new() }
    }

    /// Rows, by their place, at domains that take no mail.
    pub async fn refused(&mut self, control: &Control, rows: &[Row]) -> Result<Vec<(usize, Refused)>, BulkError> {
        if !self.asks {
            return Ok(Vec::new());
        }
        let mut places: BTreeMap<Domain, Vec<usize>> = BTreeMap::new();
        for (place, row) in rows.iter().enumerate() {
            if let Ok(address) = Address::parse(row.email.trim()) {
                places.entry(address.domain().clone()).or_default().push(place);
            }
        }
        self.ask(control, &places).await?;
        let mut refused = Vec::new();
        for (domain, places) in places {
            let Some(Some(text)) = self.known.get(&domain) else { continue };
            refused.extend(places.into_iter().map(|place| {
                let (row, email) = (place as u32, rows[place].email.clone());
                (place, Refused { row, email, why: WhyNot::Domain, text: text.clone() })
            }));
        }
        Ok(refused)
    }

    async fn ask(&mut self, control: &Control, places: &BTreeMap<Domain, Vec<usize>>) -> Result<(), BulkError> {
        if self.known.len() > KNOWN {
            self.known.clear();
        }
        let new: Vec<Domain> = places.keys().filter(|domain| !self.known.contains_key(domain)).cloned().collect();
        if new.is_empty() {
            return Ok(());
        }
        let answers = control.check_domains(new).await?;
        self.asks = answers.iter().any(|answer| answer.takes != Takes::Unknown);
        for answer in answers {
            self.known.insert(answer.domain, (answer.takes == Takes::Nothing).then_some(answer.text));
        }
        Ok(())
    }
}
