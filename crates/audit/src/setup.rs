//! What is checked: the addresses that mail leaves from, and the domains it is sent as.

use std::net::IpAddr;
use std::sync::Arc;

use repute_trust::dkim::SigningKey;
use repute_types::Domain;

#[derive(Clone, Debug)]
pub struct Setup {
    pub hostname: Domain,
    pub egresses: Vec<Egress>,
    pub domains: Vec<Sending>,
}

/// One address.
#[derive(Clone, Debug)]
pub struct Egress {
    pub address: IpAddr,
    /// What is said in EHLO from it.
    pub ehlo: Domain,
}

/// A sending domain.
#[derive(Clone, Debug)]
pub struct Sending {
    pub name: Domain,
    /// The domain in MAIL FROM, where it is another one.
    pub return_path: Option<Domain>,
    /// The addresses that its mail may leave from; `None`: all of them.
    pub pool: Option<Vec<IpAddr>>,
    /// Those that sign; none where mail goes out unsigned.
    pub keys: Vec<Key>,
}

impl Sending {
    pub fn mail_from(&self) -> &Domain {
        self.return_path.as_ref().unwrap_or(&self.name)
    }

    /// Whether its mail may leave from this address.
    pub fn leaves_from(&self, address: IpAddr) -> bool {
        self.pool.as_ref().is_none_or(|pool| pool.contains(&address))
    }
}

/// A key that signs.
#[derive(Clone, Debug)]
pub struct Key {
    pub selector: String,
    /// `rsa` or `ed25519`.
    pub kind: &'static str,
    pub bits: usize,
    /// The `p=` of the record.
    pub public_key: String,
    /// The record to publish.
    pub record: String,
    /// To sign a probe with.
    pub signer: Arc<SigningKey>,
}

impl Key {
    pub fn of(key: &Arc<SigningKey>) -> Key {
        Key {
            selector: key.selector().to_owned(),
            kind: key.algorithm().key_type(),
            bits: key.bits(),
            public_key: key.public_key(),
            record: key.record(),
            signer: key.clone(),
        }
    }
}
