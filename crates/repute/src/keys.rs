//! DKIM keys in the state folder: `STATE/keys/DOMAIN/SELECTOR.pem`, PKCS #8, one file a key.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
pub use repute_trust::dkim::Algorithm;
use repute_trust::dkim::SigningKey;
use repute_types::Domain;

pub fn folder(state: &Path, domain: &Domain) -> PathBuf {
    state.join("keys").join(domain.as_str())
}

pub fn path(folder: &Path, selector: &str) -> PathBuf {
    folder.join(format!("{selector}.pem"))
}

/// The selectors that have a key, sorted. A folder that is not there has none.
pub fn selectors(folder: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut selectors = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if let Some(selector) = name.to_str().and_then(|n| n.strip_suffix(".pem")) {
            selectors.push(selector.to_owned());
        }
    }
    selectors.sort();
    Ok(selectors)
}

/// Every key of a folder; one that cannot be used is an error, for it would not sign.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<SigningKey>> {
    let selectors = selectors(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    let read = |selector: &String| {
        let path = path(folder, selector);
        let cannot = || format!("{}", path.display());
        let pem = std::fs::read_to_string(&path).with_context(cannot)?;
        SigningKey::from_pem(selector, &pem).with_context(cannot)
    };
    selectors.iter().map(read).collect()
}

/// Makes a key and keeps it.
pub fn make(folder: &Path, algorithm: Algorithm, selector: &str) -> anyhow::Result<()> {
    let key = SigningKey::generate(algorithm, selector)?;
    crate::private::write(&path(folder, selector), key.to_pem()?.as_bytes())
}
