//! DKIM keys in the state folder: `STATE/keys/DOMAIN/SELECTOR.pem`, PKCS #8, one file a key.
//!
//! A file's name also says how far a key is in its life ([`Age`]): only `.pem` signs, `.pem.coming`
//! is made and on its way into DNS, `.pem.leaving` signs no more and stays in DNS until the mail that it
//! signed is read. A key goes from one to the next by being renamed, so that a crash leaves it in one.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
pub use repute_trust::dkim::Algorithm;
use repute_trust::dkim::SigningKey;
use repute_types::{Clock as _, Domain, SystemClock, Timestamp};

use crate::config::meant::SendingDomain;
use crate::state;

pub fn folder(state: &Path, domain: &Domain) -> PathBuf {
    state::keys(state).join(domain.as_str())
}

pub fn path(folder: &Path, selector: &str) -> PathBuf {
    folder.join(format!("{selector}.pem"))
}

/// How far a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Age {
    /// Its record has to be in DNS before it signs.
    Coming,
    Signing,
    /// Its record has to stay until nobody reads its signatures any more.
    Leaving,
}

impl Age {
    const ALL: [Age; 3] = [Age::Coming, Age::Signing, Age::Leaving];

    fn suffix(self) -> &'static str {
        match self {
            Age::Coming => ".pem.coming",
            Age::Signing => ".pem",
            Age::Leaving => ".pem.leaving",
        }
    }

    fn file(self, folder: &Path, selector: &str) -> PathBuf {
        folder.join(format!("{selector}{}", self.suffix()))
    }
}

/// A key of any age.
pub struct Aged {
    pub key: SigningKey,
    pub age: Age,
    /// When it came to this age.
    pub since: Timestamp,
}

/// Every key whose record belongs in DNS, in the order of their lives.
pub fn read_aged(folder: &Path) -> anyhow::Result<Vec<Aged>> {
    let mut all = Vec::new();
    for age in Age::ALL {
        for selector in selectors_of(folder, age).with_context(|| format!("{} cannot be read", folder.display()))? {
            let file = age.file(folder, &selector);
            let since = std::fs::metadata(&file)?.modified()?.duration_since(std::time::UNIX_EPOCH)?;
            let since = Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
            all.push(Aged { key: read(&file, &selector)?, age, since });
        }
    }
    Ok(all)
}

/// Takes a key on to the next age, now.
pub fn come_of_age(folder: &Path, selector: &str, from: Age, to: Age) -> anyhow::Result<()> {
    let (old, new) = (from.file(folder, selector), to.file(folder, selector));
    // Before it is renamed: a crash between the two starts the old age anew, which only takes longer.
    let opened = std::fs::OpenOptions::new().append(true).open(&old);
    let renamed = opened
        .and_then(|file| file.set_modified(std::time::SystemTime::now()))
        .and_then(|()| std::fs::rename(&old, &new))
        .and_then(|()| std::fs::File::open(folder)?.sync_all());
    renamed.with_context(|| format!("{} cannot be renamed", old.display()))
}

/// Deletes a key that has left.
pub fn forget(folder: &Path, selector: &str) -> anyhow::Result<()> {
    let file = Age::Leaving.file(folder, selector);
    std::fs::remove_file(&file).with_context(|| format!("{} cannot be deleted", file.display()))
}

/// `r202611` or `e202611`: the algorithm and the month, so that an old key is seen to be old;
/// with a letter more where the month has one already.
pub fn free_selector(folder: &Path, algorithm: Algorithm) -> String {
    let today = SystemClock.now().to_string();
    let month: String = today.chars().filter(char::is_ascii_digit).take(6).collect();
    let letter = match algorithm {
        Algorithm::Rsa => 'r',
        Algorithm::Ed25519 => 'e',
    };
    let plain = format!("{letter}{month}");
    let lettered = ('b'..='z').map(|more| format!("{plain}{more}"));
    let is_free = |s: &String| Age::ALL.iter().all(|age| !age.file(folder, s).exists());
    std::iter::once(plain.clone()).chain(lettered).find(is_free).unwrap_or(plain)
}

/// The selectors that have a key that signs, sorted. A folder that is not there has none.
pub fn selectors(folder: &Path) -> io::Result<Vec<String>> {
    selectors_of(folder, Age::Signing)
}

fn selectors_of(folder: &Path, age: Age) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut selectors = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if let Some(selector) = name.to_str().and_then(|n| n.strip_suffix(age.suffix())) {
            selectors.push(selector.to_owned());
        }
    }
    selectors.sort();
    Ok(selectors)
}

/// Every key of a folder that signs; one that cannot be used is an error, for it would not sign.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<SigningKey>> {
    let selectors = selectors(folder).with_context(|| format!("{} cannot be read", folder.display()))?;
    selectors.iter().map(|selector| read(&path(folder, selector), selector)).collect()
}

/// The keys that sign mail of a domain, also where the configuration was loaded without its files.
pub fn signing(state: &Path, domain: &SendingDomain) -> anyhow::Result<Vec<Arc<SigningKey>>> {
    match domain.keys.is_empty() && !domain.danger_unsigned {
        true => Ok(read_all(&folder(state, &domain.name))?.into_iter().map(Arc::new).collect()),
        false => Ok(domain.keys.clone()),
    }
}

fn read(file: &Path, selector: &str) -> anyhow::Result<SigningKey> {
    let cannot = || format!("{}", file.display());
    let pem = std::fs::read_to_string(file).with_context(cannot)?;
    SigningKey::from_pem(selector, &pem).with_context(cannot)
}

/// Makes a key that signs at once, and keeps it.
pub fn make(folder: &Path, algorithm: Algorithm, selector: &str) -> anyhow::Result<()> {
    make_of(folder, algorithm, selector, Age::Signing)
}

pub fn make_of(folder: &Path, algorithm: Algorithm, selector: &str, age: Age) -> anyhow::Result<()> {
    let key = SigningKey::generate(algorithm, selector)?;
    crate::private::write(&age.file(folder, selector), key.to_pem()?.as_bytes())
}
