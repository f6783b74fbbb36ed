//! Whom the checks ask beside DNS, and the black lists: the keys to those that want one, and lists
//! of the user's own.

use std::path::PathBuf;

use repute_trust::dnsbl::{Keys, Table};
use repute_types::Domain;
use toml::Spanned;

use super::{Checking, Files, files, typed};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Mail hosts that everybody knows.
    pub hosts: Vec<Domain>,
    /// Web hosts that answer with the address that they see.
    pub echo: Vec<Domain>,
    /// Web hosts whose Date is compared with our clock.
    pub clocks: Vec<Domain>,
    /// `None`: not asked.
    pub rdap: Option<String>,
    pub rpki: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lists {
    pub keys: Keys,
    /// Ours with the user's.
    pub table: Table,
}

pub fn check(c: &mut Checking, typed: typed::Check) -> Check {
    Check {
        hosts: typed.hosts,
        echo: typed.echo,
        clocks: typed.clocks,
        rdap: service(c, typed.rdap),
        rpki: service(c, typed.rpki),
    }
}

/// The beginning of web addresses, without a slash at its end.
fn service(c: &mut Checking, text: Spanned<String>) -> Option<String> {
    let url = text.get_ref().trim_end_matches('/');
    if !url.is_empty() && !url.starts_with("https://") && !url.starts_with("http://") {
        c.fault(text.span(), format!("`{url}` is no web address"), "write one that begins with https://, or \"\"");
    }
    (!url.is_empty()).then(|| url.to_owned())
}

pub fn lists(c: &mut Checking, typed: typed::Lists) -> Lists {
    let mut keys = Keys::new();
    for (name, key) in [("spamhaus", typed.spamhaus), ("abusix", typed.abusix), ("spamrats", typed.spamrats)] {
        let Some(key) = key else { continue };
        // It becomes a label of a name in DNS.
        let text = key.get_ref().trim();
        let good = (1..=63).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !good {
            let cure = "write the key as the list gave it: letters and digits";
            c.fault(key.span(), format!("this is no key of {name}"), cure);
        }
        keys.insert(name.to_owned(), text.to_ascii_lowercase());
    }
    let own = typed.file.and_then(|file| own_table(c, &file));
    Lists { keys, table: own.unwrap_or_else(|| Table::shipped().clone()) }
}

fn own_table(c: &mut Checking, file: &Spanned<PathBuf>) -> Option<Table> {
    if c.files == Files::Ignore {
        return None;
    }
    let path = c.path(file.get_ref());
    let text = files::read_open(&path, file.span());
    let text = c.take(text)?;
    match Table::parse(&text).and_then(|own| Table::shipped().with(&own)) {
        Ok(table) => Some(table),
        Err(why) => {
            let cure = "write each list as docs/check.md shows";
            c.fault(file.span(), format!("{}: {}", path.display(), why.trim_end()), cure);
            None
        }
    }
}
