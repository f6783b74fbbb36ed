//! What only the hoster can do, and the way to it: a table of hosters (`data/hosters.toml`),
//! recognised by the reverse names that they give to addresses by themselves.

use std::sync::LazyLock;

use repute_types::Domain;
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Hoster {
    pub name: String,
    /// Ends of the reverse names of its addresses.
    pub reverse: Vec<Domain>,
    /// Where the PTR record is set.
    pub ptr: String,
    /// Whether port 25 is open, and what opens it.
    pub port25: String,
    pub link: String,
}

#[derive(Deserialize)]
struct Table {
    hoster: Vec<Hoster>,
}

static TABLE: LazyLock<Vec<Hoster>> = LazyLock::new(|| {
    let table: Table = toml::from_str(include_str!("../../data/hosters.toml")).expect("a test reads the table");
    table.hoster
});

/// All of them, in the order of the table.
pub fn all() -> &'static [Hoster] {
    &TABLE
}

/// The hoster whose reverse names end like this one.
pub fn of_reverse_name(name: &Domain) -> Option<&'static Hoster> {
    all().iter().find(|hoster| hoster.reverse.iter().any(|end| name.is_within(end)))
}

/// The hoster of that name, in any case; a part of it is enough.
pub fn named(name: &str) -> Option<&'static Hoster> {
    let name = name.to_ascii_lowercase();
    all().iter().find(|hoster| hoster.name.to_ascii_lowercase().contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosters_are_known_by_the_names_they_give() {
        let of = |name| of_reverse_name(&Domain::parse(name).unwrap()).map(|h| h.name.as_str());
        assert_eq!(of("static.10.113.0.203.clients.your-server.de"), Some("Hetzner"));
        assert_eq!(of("ec2-203-0-113-10.eu-west-1.compute.amazonaws.com"), Some("Amazon EC2"));
        assert_eq!(of("mail.example.com"), None);
        assert_eq!(named("linode").map(|h| h.name.as_str()), Some("Akamai (Linode)"));
        for hoster in all() {
            assert!(hoster.link.starts_with("https://"), "{}", hoster.name);
            assert!(!hoster.ptr.is_empty() && !hoster.port25.is_empty(), "{}", hoster.name);
        }
    }
}
