//! How a receiver behaves: each field is one habit of real servers.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use rustls::ServerConfig;

#[derive(Clone, Debug)]
pub struct Personality {
    pub users: Users,
    /// Refuses the first attempt of each (address, sender, recipient) with 450 4.7.1, and
    /// takes it when it is made again after this time.
    pub greylist: Option<Duration>,
    pub down: Down,
    /// Offers STARTTLS with this certificate.
    pub tls: Option<Arc<ServerConfig>>,
    pub offers: Offers,
    /// Waits so long before each reply.
    pub pace: Duration,
    /// Waits so long more before the reply to each RCPT (a tarpit).
    pub tarpit: Duration,
    /// Closes without a word at the end of every n-th message, which it has not taken then.
    pub hang_up_every: Option<u64>,
    /// Answers 421 4.7.0 to the next MAIL after so many messages on a connection.
    pub messages_per_connection: Option<u32>,
    /// Answers 421 4.7.0 to the connection above so many at once.
    pub connections: usize,
    /// RCPT above so many in a message is answered 452 4.5.3 (RFC 5321 §4.5.3.1.10: at least 100).
    pub recipients: usize,
    /// Decides as this receiver of the world does; without, everything is taken.
    pub decides_as: Option<&'static repute_trust::receivers::Receiver>,
    /// It knows its senders as such who send to many.
    pub bulk: bool,
    /// Looks at everything, keeps nothing: what came is handed over here, and the reply waits for
    /// a place.
    pub mirror: Option<Mirror>,
    /// A connection is closed after this, whatever is under way.
    pub longest: Duration,
}

/// Where a mirror tells what it saw.
#[derive(Clone, Debug)]
pub struct Mirror {
    pub tell: tokio::sync::mpsc::Sender<super::Received>,
    /// The reply to the last dot says in short what was seen.
    pub reply_report: bool,
}

/// When connections are refused by the machine, as if no server ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    Never,
    /// So long from its start.
    For(Duration),
    /// Until `Receiver::come_up`.
    UntilTold,
}

/// Whose mail is taken; others are answered 550 5.1.1.
#[derive(Clone, Debug)]
pub enum Users {
    All,
    /// Local parts.
    Only(HashSet<String>),
    AllBut(HashSet<String>),
}

/// What EHLO announces besides STARTTLS.
#[derive(Clone, Copy, Debug)]
pub struct Offers {
    pub pipelining: bool,
    pub chunking: bool,
    pub eight_bit: bool,
    pub smtputf8: bool,
    pub dsn: bool,
    /// Octets; a larger message is refused with 552 5.3.4.
    pub size: usize,
}

impl Default for Personality {
    /// A usual server that takes everything, without TLS.
    fn default() -> Personality {
        Personality {
            users: Users::All,
            greylist: None,
            down: Down::Never,
            tls: None,
            offers: Offers::default(),
            pace: Duration::ZERO,
            tarpit: Duration::ZERO,
            hang_up_every: None,
            messages_per_connection: None,
            connections: 1000,
            recipients: 100,
            decides_as: None,
            bulk: false,
            mirror: None,
            longest: Duration::from_secs(24 * 3600),
        }
    }
}

impl Default for Offers {
    fn default() -> Offers {
        Offers { pipelining: true, chunking: true, eight_bit: true, smtputf8: true, dsn: false, size: 64 << 20 }
    }
}

impl Offers {
    /// A server of the eighties: none of it.
    pub fn none() -> Offers {
        Offers { pipelining: false, chunking: false, eight_bit: false, smtputf8: false, dsn: false, size: 64 << 20 }
    }
}

impl Users {
    pub fn only<'a>(locals: impl IntoIterator<Item = &'a str>) -> Users {
        Users::Only(locals.into_iter().map(str::to_ascii_lowercase).collect())
    }

    pub fn all_but<'a>(locals: impl IntoIterator<Item = &'a str>) -> Users {
        Users::AllBut(locals.into_iter().map(str::to_ascii_lowercase).collect())
    }

    pub(crate) fn has(&self, address: &str) -> bool {
        let local = address.rsplit_once('@').map_or(address, |(local, _)| local).to_ascii_lowercase();
        match self {
            Users::All => true,
            Users::Only(locals) => locals.contains(&local),
            Users::AllBut(locals) => !locals.contains(&local),
        }
    }
}

/// A personality that offers STARTTLS with a fresh self-signed certificate for `host`, as
/// many servers of the world do.
pub(crate) fn self_signed(host: &str) -> Option<Arc<ServerConfig>> {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]).ok()?;
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).ok()?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().ok()?;
    builder.with_no_client_auth().with_single_cert(vec![made.cert.der().clone()], key).ok().map(Arc::new)
}

impl Personality {
    /// Offers STARTTLS with a self-signed certificate for `host`; without, where `host` is no
    /// name that a certificate can carry.
    pub fn with_own_certificate(mut self, host: &str) -> Personality {
        self.tls = self_signed(host);
        self
    }
}
