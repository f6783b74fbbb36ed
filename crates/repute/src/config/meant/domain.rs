//! Domains that mail is sent as, and their keys.
//!
//! A domain without a usable key is refused here already: mail that goes out unsigned costs
//! more trust than mail that does not go out.

use std::path::{Path, PathBuf};

use repute_types::Domain;
use toml::Spanned;

use super::{Checking, Files, files, typed};
use crate::keys;

#[derive(Clone, Debug)]
pub struct SendingDomain {
    pub name: Domain,
    /// Sorted by selector; all of them sign.
    pub keys: Vec<KeyFile>,
    pub return_path: Option<Domain>,
    pub danger_unsigned: bool,
}

/// A key in the state folder, as read.
#[derive(Clone)]
pub struct KeyFile {
    pub selector: String,
    pub path: PathBuf,
    /// The private key; empty where files were not looked at.
    pub pem: String,
}

impl std::fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.path.display())
    }
}

pub fn check(c: &mut Checking, typed: Vec<typed::SendingDomain>) -> Vec<SendingDomain> {
    let mut domains: Vec<SendingDomain> = Vec::new();
    for one in typed {
        if domains.iter().any(|d| d.name == *one.name.get_ref()) {
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
            name: one.name.into_inner(),
            return_path: one.return_path.map(Spanned::into_inner),
            danger_unsigned: one.danger_unsigned.into_inner(),
        };
        domains.push(domain);
    }
    domains
}

fn check_keys(c: &mut Checking, one: &typed::SendingDomain) -> Vec<KeyFile> {
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
    let mut found: Vec<KeyFile> = Vec::new();
    for selector in selectors {
        let name = selector.get_ref();
        // A selector is one or more labels (RFC 6376 §3.1), and here also a file's name.
        if Domain::parse(name).is_err() {
            let cure = "use letters, digits and hyphens, such as \"r202611\"";
            c.fault(selector.span(), format!("`{name}` cannot be a selector"), cure);
        } else if found.iter().any(|k| k.selector == *name) {
            c.fault(selector.span(), format!("the selector `{name}` stands here twice"), "take one of the two out");
        } else if let Some(key) = read_key(c, &folder, name, selector.span()) {
            found.push(key);
        }
    }
    found
}

/// All keys of the domain's folder.
fn every_key(c: &mut Checking, one: &typed::SendingDomain, folder: &Path) -> Vec<KeyFile> {
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

fn read_key(c: &mut Checking, folder: &Path, selector: &str, span: std::ops::Range<usize>) -> Option<KeyFile> {
    let path = keys::path(folder, selector);
    if c.files == Files::Ignore {
        return Some(KeyFile { selector: selector.to_owned(), path, pem: String::new() });
    }
    let pem = c.take(files::read_secret(&path, span.clone()))?;
    if let Err(wrong) = keys::parse(&pem) {
        let what = format!("{} is not a key to sign with: {wrong}", path.display());
        c.fault(span, what, "RSA with 2048 bits or Ed25519, PKCS #8 PEM; `repute domain add` makes both");
        return None;
    }
    Some(KeyFile { selector: selector.to_owned(), path, pem })
}

fn no_key(c: &mut Checking, one: &typed::SendingDomain) {
    let name = one.name.get_ref();
    let what = format!("{name} has no DKIM key, and its mail would go out unsigned");
    c.fault(one.name.span(), what, format!("repute domain add {name}"));
}
