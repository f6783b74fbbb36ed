//! Black lists of the private internet: every list that the house knows, sound by its own
//! self-test (RFC 5782 §5), and empty but for what is put in.

use std::net::IpAddr;

use repute_trust::dnsbl::{Keys, Subject, Table};

/// What a list holds: its name (`Spamhaus ZEN`), the address, the code (`127.0.0.3`).
pub type Entry<'a> = (&'a str, IpAddr, &'a str);

/// The zones, as text for [`super::Zones::load`].
pub fn lists(entries: &[Entry<'_>]) -> String {
    let mut text = String::new();
    for list in Table::shipped().lists() {
        let Some(zone) = Table::zone(list, &Keys::new()) else { continue };
        text += &format!("$ORIGIN {zone}.\n");
        for pair in list.test_points(&zone) {
            text += &format!("{}. A 127.0.0.2\n", pair.listed.name);
        }
        for (_, address, code) in entries.iter().filter(|(name, ..)| *name == list.name) {
            if let Some(query) = list.query(&zone, Subject::Address(*address)) {
                text += &format!("{}. A {code}\n", query.name);
            }
        }
    }
    text
}
