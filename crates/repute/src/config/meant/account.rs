//! Who may submit. In no configuration does this server relay for strangers: an account that
//! is known by its address alone names this machine, private networks, or single hosts.

use repute_types::{Address, Domain, Stream};
use toml::Spanned;

use super::domain::SendingDomain;
use super::{Checking, Files, files, typed};
use crate::accounts;
use crate::config::nearest::nearest;
use crate::config::value::{Network, Range};

#[derive(Clone, Debug)]
pub struct Account {
    pub name: String,
    /// A PHC string.
    pub password: Option<String>,
    pub scram: Option<accounts::Scram>,
    pub domains: Vec<Domain>,
    pub stream: Stream,
    pub private: bool,
    pub addresses: Vec<Network>,
    /// How many times its habit it may write to strangers, where that is not as for all.
    pub brake: Option<u64>,
    pub replies: Option<Address>,
}

/// Networks whose members no stranger can be (RFC 1918, RFC 4193, loopback, link-local,
/// RFC 6598 for containers and overlay networks).
const PRIVATE: [&str; 9] = [
    "127.0.0.0/8",
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "169.254.0.0/16",
    "100.64.0.0/10",
    "::1/128",
    "fc00::/7",
    "fe80::/10",
];

/// `elsewhere`: accounts that something else than a login leads to, a token or the sendmail command.
pub fn check(
    c: &mut Checking,
    typed: Vec<Spanned<typed::Account>>,
    domains: &[SendingDomain],
    elsewhere: &[String],
) -> Vec<Account> {
    let mut accounts: Vec<Account> = Vec::new();
    open_hashes(c, &typed);
    for one in typed {
        let header = one.span();
        let one = one.into_inner();
        let name = one.name.get_ref();
        if accounts.iter().any(|a| a.name == *name) {
            c.fault(one.name.span(), format!("the account `{name}` stands here twice"), "rename one of the two");
        }
        if name.chars().any(|ch| ch.is_control() || ch.is_whitespace()) || name.len() > 255 {
            c.fault(one.name.span(), "this cannot be a name to log in with", "no blanks, at most 255 octets");
        }
        check_addresses(c, &one.addresses, &accounts);
        check_domains(c, &one, domains);
        check_replies(c, &one, domains);
        let is_known = one.password.is_some() || one.password_file.is_some() || one.scram.is_some();
        if !is_known && one.addresses.is_empty() && !elsewhere.contains(name) {
            let cure = format!("repute account add {name}");
            c.fault(header, format!("nobody can log in as `{name}`: it has no password"), cure);
        }
        let account = Account {
            password: password(c, &one),
            scram: one.scram.as_ref().and_then(|s| scram(c, s)),
            domains: one.domains.iter().map(|d| d.get_ref().clone()).collect(),
            stream: match one.stream {
                typed::Stream::Transactional => Stream::Transactional,
                typed::Stream::Bulk => Stream::Bulk,
            },
            private: one.private,
            addresses: one.addresses.iter().map(|r| r.get_ref().0).collect(),
            brake: one.brake,
            replies: one.replies.map(Spanned::into_inner),
            name: one.name.into_inner(),
        };
        accounts.push(account);
    }
    accounts
}

/// A hash can be guessed at by whoever has it, as long as they like. It is no fault: everybody may be root alone.
fn open_hashes(c: &mut Checking, typed: &[Spanned<typed::Account>]) {
    let hashes = |one: &Spanned<typed::Account>| {
        let one = one.get_ref();
        one.password.as_ref().or(one.scram.as_ref()).map(Spanned::span)
    };
    if let Some(first) = typed.iter().find_map(hashes)
        && c.files == Files::Check
        && let Err(open) = files::secret_mode(&c.config.clone(), first.clone())
    {
        let text = format!("{}, and there are passwords' hashes in it", open.what);
        c.advise(first, text, open.cure);
    }
}

fn password(c: &mut Checking, one: &typed::Account) -> Option<String> {
    let name = one.name.get_ref();
    let (hash, span) = match (&one.password, &one.password_file) {
        (Some(_), Some(file)) => {
            c.fault(file.span(), "`password` and `password_file` contradict each other", "take one of the two out");
            return None;
        }
        (Some(hash), None) => (hash.get_ref().clone(), hash.span()),
        (None, Some(file)) if c.files == Files::Check => {
            let path = c.path(file.get_ref());
            (c.take(files::first_line_of_secret(&path, file.span()))?, file.span())
        }
        (None, _) => return None,
    };
    if !accounts::is_hash(&hash) {
        let what = format!("the password of `{name}` is not an argon2 hash");
        c.fault(span, what, format!("`repute account add {name}` makes one; the password itself never stands here"));
        return None;
    }
    Some(hash)
}

fn scram(c: &mut Checking, written: &Spanned<String>) -> Option<accounts::Scram> {
    let secret = accounts::Scram::parse(written.get_ref());
    if secret.is_none() {
        let cure = "`repute account add` prints it: SCRAM-SHA-256$ITERATIONS:SALT$STORED-KEY:SERVER-KEY";
        c.fault(written.span(), "this is not a SCRAM secret", cure);
    }
    secret
}

fn check_domains(c: &mut Checking, one: &typed::Account, domains: &[SendingDomain]) {
    if one.domains.is_empty() {
        let what = format!("`{}` may send as no domain", one.name.get_ref());
        let first = domains.first().map_or("example.com", |d| d.name.as_str());
        c.fault(one.name.span(), what, format!("domains = [\"{first}\"]"));
    }
    for named in &one.domains {
        let name = named.get_ref();
        // The command that is the cure has to be able to read the file.
        if c.files == Files::Ignore || domains.iter().any(|d| d.name == *name) {
            continue;
        }
        let cure = match nearest("-", name.as_str(), domains.iter().map(|d| d.name.as_str())) {
            Some(near) => format!("write \"{near}\", or set it up: repute domain add {name}"),
            None => format!("repute domain add {name}"),
        };
        c.fault(named.span(), format!("{name} is not set up: there is no [[domain]] of that name"), cure);
    }
}

/// What is handed on must not come back here.
fn check_replies(c: &mut Checking, one: &typed::Account, domains: &[SendingDomain]) {
    let Some(replies) = &one.replies else { return };
    if domains.iter().any(|d| d.return_path.as_ref() == Some(replies.get_ref().domain())) {
        let what = format!("{} is at a return path of this server, where nobody reads letters", replies.get_ref());
        c.fault(replies.span(), what, "name a mailbox that a person reads");
    }
}

fn check_addresses(c: &mut Checking, addresses: &[Spanned<Range>], others: &[Account]) {
    for address in addresses {
        let network = address.get_ref().0;
        if network.address.is_unspecified() || !(network.is_single() || is_private(network)) {
            let cure = "name single hosts, or private networks such as \"10.0.0.0/8\"; others log in with a password";
            c.fault(address.span(), format!("{network} would let strangers send mail from here"), cure);
        }
        if let Some(other) = others.iter().find(|a| a.addresses.iter().any(|n| n.overlaps(network))) {
            let what = format!("{network} is the account `{}` already", other.name);
            c.fault(address.span(), what, "one address is one account: let one of them log in");
        }
    }
}

fn is_private(network: Network) -> bool {
    PRIVATE.iter().filter_map(|p| Network::parse(p).ok()).any(|p| network.is_within(p))
}
