//! Who may submit. In no configuration does this server relay for strangers: an account that
//! is known by its address alone names this machine, private networks, or single hosts.

use std::collections::{BTreeMap, HashSet};
use std::net::IpAddr;

use repute_queue::Rate;
use repute_types::{Address, Domain, Stream};
use toml::Spanned;

use super::domain::SendingDomain;
use super::{Checking, Files, files, typed};
use crate::accounts;
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
    pub rate: Option<Rate>,
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
    let (mut seen, mut taken) = (HashSet::new(), Taken::default());
    let set_up: HashSet<&Domain> = domains.iter().map(|domain| &domain.name).collect();
    let paths: HashSet<&Domain> = domains.iter().filter_map(|domain| domain.return_path.as_ref()).collect();
    let elsewhere: HashSet<&String> = elsewhere.iter().collect();
    open_hashes(c, &typed);
    for one in typed {
        let header = one.span();
        let one = one.into_inner();
        let name = one.name.get_ref();
        if !seen.insert(name.clone()) {
            c.fault(one.name.span(), format!("the account `{name}` stands here twice"), "rename one of the two");
        }
        if name.chars().any(|ch| ch.is_control() || ch.is_whitespace()) || name.len() > 255 {
            c.fault(one.name.span(), "this cannot be a name to log in with", "no blanks, at most 255 octets");
        }
        check_addresses(c, name, &one.addresses, &mut taken);
        check_domains(c, &one, domains, &set_up);
        check_replies(c, &one, &paths);
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
            rate: one.rate.map(|rate| rate.0),
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

fn check_domains(c: &mut Checking, one: &typed::Account, domains: &[SendingDomain], set_up: &HashSet<&Domain>) {
    if one.domains.is_empty() {
        let what = format!("`{}` may send as no domain", one.name.get_ref());
        let first = domains.first().map_or("example.com", |d| d.name.as_str());
        c.fault(one.name.span(), what, format!("domains = [\"{first}\"]"));
    }
    for named in &one.domains {
        let name = named.get_ref();
        // The command that is the cure has to be able to read the file.
        if c.files == Files::Ignore || set_up.contains(name) {
            continue;
        }
        let cure = match c.nearest(name.as_str(), domains.iter().map(|d| d.name.as_str())) {
            Some(near) => format!("write \"{near}\", or set it up: repute domain add {name}"),
            None => format!("repute domain add {name}"),
        };
        c.fault(named.span(), format!("{name} is not set up: there is no [[domain]] of that name"), cure);
    }
}

/// What is handed on must not come back here.
fn check_replies(c: &mut Checking, one: &typed::Account, paths: &HashSet<&Domain>) {
    let Some(replies) = &one.replies else { return };
    if paths.contains(replies.get_ref().domain()) {
        let what = format!("{} is at a return path of this server, where nobody reads letters", replies.get_ref());
        c.fault(replies.span(), what, "name a mailbox that a person reads");
    }
}

/// Whose the addresses are that were named so far. Most are single ones, and there may be thousands.
#[derive(Default)]
struct Taken {
    single: BTreeMap<IpAddr, (Network, String)>,
    networks: Vec<(Network, String)>,
}

impl Taken {
    fn by(&self, network: Network) -> Option<&String> {
        let single = match network.is_single() {
            true => self.single.get(&network.address),
            false => self.single.values().find(|(one, _)| one.is_within(network)),
        };
        single.or_else(|| self.networks.iter().find(|(one, _)| one.overlaps(network))).map(|(_, name)| name)
    }

    fn take(&mut self, network: Network, name: &str) {
        let of = (network, name.to_owned());
        match network.is_single() {
            true => _ = self.single.insert(network.address, of),
            false => self.networks.push(of),
        }
    }
}

fn check_addresses(c: &mut Checking, name: &str, addresses: &[Spanned<Range>], taken: &mut Taken) {
    for address in addresses {
        let network = address.get_ref().0;
        if network.address.is_unspecified() || !(network.is_single() || is_private(network)) {
            let cure = "name single hosts, or private networks such as \"10.0.0.0/8\"; others log in with a password";
            c.fault(address.span(), format!("{network} would let strangers send mail from here"), cure);
        }
        if let Some(other) = taken.by(network) {
            let what = format!("{network} is the account `{other}` already");
            c.fault(address.span(), what, "one address is one account: let one of them log in");
        }
    }
    for address in addresses {
        taken.take(address.get_ref().0, name);
    }
}

fn is_private(network: Network) -> bool {
    PRIVATE.iter().filter_map(|p| Network::parse(p).ok()).any(|p| network.is_within(p))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::{Files, parse};

    fn faults(accounts: &str) -> Vec<String> {
        let domain = "[[domain]]\nname = \"example.com\"\ndanger_unsigned = true\n";
        let text = format!("hostname = \"mail.example.com\"\n{domain}{accounts}");
        let faults = parse(Path::new("/repute.toml"), &text, Files::Check).err();
        faults.map_or_else(Vec::new, |faults| faults.sentences().collect())
    }

    fn account(name: &str, domain: &str, addresses: &str) -> String {
        format!("[[account]]\nname = \"{name}\"\ndomains = \"{domain}\"\naddresses = [{addresses}]\n")
    }

    /// For each the nearest of all names was looked for: minutes, in which a server told to reload heard nothing else.
    #[test]
    fn of_thousands_of_wrong_names_the_first_are_told_with_the_right_one() {
        let one = |n: u32| {
            account(&format!("a{n}"), &format!("exampel{n}.com"), &format!("\"10.1.{}.{}\"", n / 250, n % 250))
        };
        let faults = faults(&(0..3000).map(one).collect::<String>());
        assert_eq!(faults.len(), 3000);
        let told = faults.iter().filter(|text| text.contains("write \"example.com\"")).count();
        assert_eq!(told, super::super::CURED);
        assert!(faults[2999].contains("exampel2999.com is not set up"), "{}", faults[2999]);
    }

    #[test]
    fn an_address_is_one_accounts_however_it_is_written() {
        let check = |first: &str, second: &str, expect: &[&str]| {
            let accounts = account("one", "example.com", first) + &account("two", "example.com", second);
            let found = faults(&accounts);
            assert_eq!(found.len(), expect.len(), "{found:?}");
            for (found, expect) in found.iter().zip(expect) {
                assert!(found.contains(expect), "{found}");
            }
        };
        check(r#""10.1.2.3""#, r#""10.1.2.4""#, &[]);
        check(r#""10.1.2.3""#, r#""10.1.2.3""#, &["10.1.2.3 is the account `one` already"]);
        check(r#""10.1.2.3""#, r#""10.1.0.0/16""#, &["10.1.0.0/16 is the account `one` already"]);
        check(r#""10.1.0.0/16""#, r#""10.1.2.3""#, &["10.1.2.3 is the account `one` already"]);
        check(r#""10.1.0.0/16""#, r#""10.0.0.0/8""#, &["10.0.0.0/8 is the account `one` already"]);
        // Of its own an account may name them as it likes.
        check(r#""10.1.0.0/16", "10.1.2.3""#, r#""::1""#, &[]);
    }
}
