//! Who somebody is: passwords against argon2id hashes, secrets for SCRAM, and addresses that are an account by themselves.
//!
//! Promises: a hash is computed off the async threads, few at a time; an unknown name costs
//! the time and gets the answers that a known one does. A password that was right is
//! remembered as a keyed digest with the hash it was right for, so that a program that logs in
//! for each message pays for argon2 once, and a changed hash is asked again. The key is made
//! at start and never leaves the process.
//! At its bound ([`WAITING_MOST`] checks wait) it answers `Busy`, a 4xx to the client.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use argon2::Argon2;
use argon2::password_hash::PasswordVerifier as _;
use argon2::password_hash::phc::PasswordHash;
use aws_lc_rs::{constant_time, hmac};
use repute_types::{AccountName, Map};
use tokio::sync::Semaphore;

use crate::config::{AccountSettings, AddressRange};
use crate::door::{Account, AuthRefused, ScramSecret};

/// Checks that wait for their turn. At some 20 ms each the last waits some twenty seconds: after a restart all accounts log in
/// at once, clients wait for minutes (RFC 5321 §4.5.3.2), and few programs come back after a 4xx.
const WAITING_MOST: usize = 1000;
/// RFC 7677 §4 asks for 4096 at least; what a made-up secret says where no account tells.
const USUAL_ITERATIONS: u32 = 8192;
/// What an unknown name's password is checked against where no account has one: the usual
/// costs; the digest is of nothing that anybody knows.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGF0IGFsbCE$\
                      AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";

pub(crate) struct Accounts {
    table: RwLock<Arc<Table>>,
    /// For each name, the digest of the password and hash that last agreed.
    good: RwLock<Map<AccountName, [u8; 32]>>,
    key: hmac::Key,
    /// Whether `key` is random. Without, nothing is remembered.
    keyed: bool,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
}

/// The accounts of one state of the configuration.
struct Table {
    each: Map<AccountName, Entry>,
    /// In the order of their addresses, none within another: of all, only the last that begins before a client can be its.
    addresses: Vec<(AddressRange, Arc<Account>)>,
    decoy: Arc<str>,
    iterations: u32,
    salt_octets: usize,
}

struct Entry {
    account: Arc<Account>,
    password: Option<Arc<str>>,
    scram: Option<ScramSecret>,
}

impl Accounts {
    pub fn of(accounts: &[AccountSettings]) -> Accounts {
        let mut key = [0; 32];
        let keyed = getrandom::fill(&mut key).is_ok();
        // One core stays free for the mail while somebody guesses passwords.
        let cores = std::thread::available_parallelism().map_or(1, |n| n.get());
        Accounts {
            table: RwLock::new(Arc::new(Table::of(accounts))),
            good: RwLock::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &key),
            keyed,
            turns: Arc::new(Semaphore::new(cores.saturating_sub(1).max(1))),
            waiting: AtomicUsize::new(0),
        }
    }

    /// Takes over another state of the configuration.
    pub fn replace(&self, accounts: &[AccountSettings]) {
        let table = Arc::new(Table::of(accounts));
        self.good.write().unwrap_or_else(PoisonError::into_inner).retain(|name, _| table.each.contains_key(name));
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
    }

    fn table(&self) -> Arc<Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// AUTH PLAIN and LOGIN.
    pub async fn password(&self, name: &str, password: &str) -> Result<Arc<Account>, AuthRefused> {
        let table = self.table();
        let entry = table.each.get(name);
        let hash = entry.and_then(|e| e.password.clone());
        let digest = hash.as_deref().map(|hash| self.digest(&[name, hash, password]));
        if let (Some(entry), Some(digest)) = (entry, &digest)
            && self.was_good(name, digest)
        {
            return Ok(entry.account.clone());
        }
        let known = hash.is_some();
        let agreed = self.agrees(hash.unwrap_or_else(|| table.decoy.clone()), password).await?;
        match (entry, digest) {
            (Some(entry), Some(digest)) if known && agreed => {
                if self.keyed {
                    let mut good = self.good.write().unwrap_or_else(PoisonError::into_inner);
                    good.insert(entry.account.name.clone(), digest);
                }
                Ok(entry.account.clone())
            }
            _ => Err(AuthRefused::Wrong),
        }
    }

    /// The account that a client is by its address alone.
    pub fn known_address(&self, client: IpAddr) -> Option<Arc<Account>> {
        let table = self.table();
        let client = client.to_canonical();
        let behind = table.addresses.partition_point(|(range, _)| range.first() <= client);
        let (range, account) = table.addresses.get(behind.checked_sub(1)?)?;
        range.contains(client).then(|| account.clone())
    }

    /// The secret of an account, or one that is made up: the same each time for the same name,
    /// and of the same shape.
    pub fn scram(&self, name: &str) -> (ScramSecret, Option<Arc<Account>>) {
        let table = self.table();
        if let Some(Entry { account, scram: Some(secret), .. }) = table.each.get(name) {
            return (secret.clone(), Some(account.clone()));
        }
        let mut salt = self.digest(&["scram salt", name]).to_vec();
        salt.truncate(table.salt_octets);
        let secret = ScramSecret {
            iterations: table.iterations,
            salt,
            stored_key: self.digest(&["scram stored key", name]),
            server_key: self.digest(&["scram server key", name]),
        };
        (secret, None)
    }

    fn was_good(&self, name: &str, digest: &[u8; 32]) -> bool {
        let good = self.good.read().unwrap_or_else(PoisonError::into_inner);
        good.get(name).is_some_and(|known| constant_time::verify_slices_are_equal(known, digest).is_ok())
    }

    /// The slow part. `Busy` where too many wait, or the process is ending.
    async fn agrees(&self, hash: Arc<str>, password: &str) -> Result<bool, AuthRefused> {
        let _waiting = Waiting::join(&self.waiting).ok_or(AuthRefused::Busy)?;
        let turn = self.turns.clone().acquire_owned().await.map_err(|_| AuthRefused::Busy)?;
        let password = password.to_owned();
        let check = tokio::task::spawn_blocking(move || {
            // Also where the client has gone meanwhile, the turn lasts as long as the work.
            let _turn = turn;
            PasswordHash::new(&hash)
                .is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        });
        check.await.map_err(|_| AuthRefused::Busy)
    }

    /// A digest of the parts, each with its length, so that no two lists look the same.
    fn digest(&self, parts: &[&str]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut out = [0; 32];
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl Table {
    fn of(accounts: &[AccountSettings]) -> Table {
        let decoy = accounts.iter().find_map(|a| a.password.as_deref()).unwrap_or(NOBODY);
        let usual = accounts.iter().find_map(|a| a.scram.as_ref());
        let entry = |a: &AccountSettings| Entry {
            account: a.account.clone(),
            password: a.password.as_deref().map(Arc::from),
            scram: a.scram.clone(),
        };
        let range_of = |a: &AccountSettings| {
            let account = a.account.clone();
            a.addresses.clone().into_iter().map(move |range| (range, account.clone()))
        };
        let mut addresses: Vec<_> = accounts.iter().flat_map(range_of).collect();
        addresses.sort_by_key(|(range, _)| (range.first(), range.prefix));
        // Of two networks that share an address, one is within the other.
        addresses.dedup_by(|(inner, _), (outer, _)| outer.contains(inner.first()));
        Table {
            addresses,
            each: accounts.iter().map(|a| (a.account.name.clone(), entry(a))).collect(),
            decoy: decoy.into(),
            iterations: usual.map_or(USUAL_ITERATIONS, |s| s.iterations),
            salt_octets: usual.map_or(16, |s| s.salt.len()),
        }
    }
}

/// One check that waits or runs.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn join(count: &'a AtomicUsize) -> Option<Waiting<'a>> {
        let waiting = Waiting(count);
        // Counted first: where it is one too many, dropping it takes it back.
        (count.fetch_add(1, Ordering::Relaxed) < WAITING_MOST).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
