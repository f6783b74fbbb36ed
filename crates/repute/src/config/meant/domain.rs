//! Domains that mail is sent as, and their keys.
//!
//! A domain without a usable key is refused here already: mail that goes out unsigned costs
//! more trust than mail that does not go out.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

use repute_trust::dkim::SigningKey;
use repute_types::Domain;
use toml::Spanned;

use super::egress::{self, Egress};
use super::{Checking, Files, files, typed};
use crate::keys;

#[derive(Clone, Debug)]
pub struct SendingDomain {
    pub name: Domain,
    /// All of them sign; empty where files were not looked at.
    pub keys: Vec<Arc<SigningKey>>,
    pub return_path: Option<Domain>,
    /// The places of the egresses that its mail may leave from; `None`: all of them.
    pub pool: Option<Vec<u16>>,
    pub danger_unsigned: bool,
    /// `selectors` says which keys sign.
    pub names_selectors: bool,
}

impl SendingDomain {
    /// The egresses that its mail may leave from, of all.
    pub fn leaves_from<'a>(&self, all: &'a [Egress]) -> impl Iterator<Item = &'a Egress> {
        let is_in = |place: u16| self.pool.as_ref().is_none_or(|pool| pool.contains(&place));
        (0u16..).zip(all).filter(move |(place, _)| is_in(*place)).map(|(_, egress)| egress)
    }
}

pub fn check(c: &mut Checking, typed: Vec<typed::SendingDomain>, egresses: &[Egress]) -> Vec<SendingDomain> {
    let mut domains: Vec<SendingDomain> = Vec::new();
    let mut seen = HashSet::new();
    for one in typed {
        if !seen.insert(one.name.get_ref().clone()) {
            let what = format!("{} is set up twice", one.name.get_ref());
            c.fault(one.name.span(), what, "make one [[domain]] of the two");
        }
        if let Some(path) = &one.return_path
            && path.get_ref() == one.name.get_ref()
        {
            let cure =
                format!("take a name under it, such as \"bounces.{}\", whose MX is this server", one.name.get_ref());
            c.fault(path.span(), "the return path is the domain itself, whose mail this server would take away", cure);
        }
        let domain = SendingDomain {
            keys: check_keys(c, &one),
            pool: egress::pool(c, &one.name, one.pool.as_ref(), egresses),
            names_selectors: one.selectors.is_some(),
            name: one.name.into_inner(),
            return_path: one.return_path.map(Spanned::into_inner),
            danger_unsigned: one.danger_unsigned.into_inner(),
        };
        domains.push(domain);
    }
    domains
}

fn check_keys(c: &mut Checking, one: &typed::SendingDomain) -> Vec<Arc<SigningKey>> {
    if *one.danger_unsigned.get_ref() {
        if one.selectors.is_some() {
            let cure = "take `danger_unsigned` out: with keys, mail is signed";
            c.fault(one.danger_unsigned.span(), "a domain is either signed or unsigned, not both", cure);
        }
        return Vec::new();
    }
    let folder = keys::folder(&c.state, one.name.get_ref());
    let Some(selectors) = &one.selectors else { return every_key(c, one, &folder) };
    if selectors.is_empty() {
        no_key(c, one);
    }
    let mut found: Vec<Arc<SigningKey>> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for selector in selectors {
        let name = selector.get_ref();
        // A selector is one or more labels (RFC 6376 §3.1), and here also a file's name.
        if Domain::parse(name).is_err() {
            let cure = "use letters, digits and hyphens, such as \"r202611\"";
            c.fault(selector.span(), format!("`{name}` cannot be a selector"), cure);
        } else if seen.contains(&name.as_str()) {
            c.fault(selector.span(), format!("the selector `{name}` stands here twice"), "take one of the two out");
        } else if c.files == Files::Check {
            found.extend(read_key(c, &folder, name, selector.span()));
        }
        seen.push(name);
    }
    found
}

/// All keys of the domain's folder.
fn every_key(c: &mut Checking, one: &typed::SendingDomain, folder: &Path) -> Vec<Arc<SigningKey>> {
    if c.files == Files::Ignore {
        return Vec::new();
    }
    match keys::selectors(folder) {
        Ok(selectors) if selectors.is_empty() => {
            no_key(c, one);
            Vec::new()
        }
        Ok(selectors) => selectors.iter().filter_map(|s| read_key(c, folder, s, one.name.span())).collect(),
        Err(error) => {
            let what = format!("{} cannot be read: {error}", folder.display());
            c.fault(one.name.span(), what, "run this as root, or as the user of the service");
            Vec::new()
        }
    }
}

fn read_key(c: &mut Checking, folder: &Path, selector: &str, span: std::ops::Range<usize>) -> Option<Arc<SigningKey>> {
    let path = keys::path(folder, selector);
    let pem = c.take(files::read_secret(&path, span.clone()))?;
    match SigningKey::from_pem(selector, &pem) {
        Ok(key) => Some(Arc::new(key)),
        Err(wrong) => {
            c.fault(span, format!("{} cannot sign: {wrong}", path.display()), "`repute domain add` makes good ones");
            None
        }
    }
}

fn no_key(c: &mut Checking, one: &typed::SendingDomain) {
    let name = one.name.get_ref();
    let what = format!("{name} has no DKIM key, and its mail would go out unsigned");
    c.fault(one.name.span(), what, format!("repute domain add {name}"));
}
