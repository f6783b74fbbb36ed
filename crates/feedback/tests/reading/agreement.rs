//! How what is read is compared with what the collection in `bounces/` says: for the test that holds the rate, and for the
//! estimate of what is read of notices that nobody has seen (`src/left_out.rs`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use repute_feedback::Comeback;

/// What the collection calls a reason, and which classes say the same.
const SAME: &[(&str, &[&str])] = &[
    ("authfailure", &["authentication", "spf", "dkim", "dmarc"]),
    ("badreputation", &["address-reputation", "domain-reputation", "listed-address"]),
    (
        "blocked",
        &["listed-address", "address-reputation", "dynamic-address", "helo", "reverse-dns", "policy", "rate", "ipv6"],
    ),
    ("contenterror", &["message-format", "content"]),
    ("exceedlimit", &["too-large", "recipient-rate", "rate"]),
    ("expired", &["expired", "network", "temporary"]),
    // It calls "no such user" filtered where it cannot see that it answered RCPT.
    ("filtered", &["recipient-policy", "policy", "content", "unknown-user"]),
    ("hasmoved", &["moved"]),
    ("hostunknown", &["no-domain"]),
    ("mailboxfull", &["full-mailbox"]),
    ("mailererror", &["mail-program", "receiver-fault"]),
    ("mesgtoobig", &["too-large"]),
    ("networkerror", &["network", "loop"]),
    ("norelaying", &["relay-denied"]),
    ("notaccept", &["takes-no-mail"]),
    ("notcompliantrfc", &["message-format"]),
    ("onhold", &["unknown", "temporary", "greylisting"]),
    ("policyviolation", &["policy", "recipient-policy", "dmarc"]),
    (
        "rejected",
        &["policy", "sender-domain", "domain-reputation", "message-format", "recipient-policy", "listed-domain", "spf"],
    ),
    ("requireptr", &["reverse-dns"]),
    ("securityerror", &["login", "tls", "policy"]),
    ("spamdetected", &["content", "listed-link"]),
    ("suspend", &["disabled-mailbox"]),
    ("syntaxerror", &["protocol"]),
    ("systemerror", &["receiver-fault", "temporary"]),
    ("toomanyconn", &["rate", "connections"]),
    ("undefined", &["unknown"]),
    ("userunknown", &["unknown-user"]),
    ("virusdetected", &["virus"]),
];

/// Recipients, and how many of them were read as the collection has them.
#[derive(Default)]
pub struct Rates {
    pub all: usize,
    pub status: usize,
    pub cause: usize,
    pub both: usize,
}

impl Rates {
    pub fn percent(&self, n: usize) -> f64 {
        100.0 * n as f64 / self.all as f64
    }
}

/// Where the collection is.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bounces")
}

/// The rows of `expected.tsv`, by file.
pub fn expected(table: &str) -> BTreeMap<&str, Vec<Vec<&str>>> {
    let mut expected: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for line in table.lines().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        expected.entry(columns[0]).or_default().push(columns);
    }
    expected
}

/// What is known of one recipient: status, class, and the line to print where it is wrong.
type Told = (String, String, String);

/// Counts what is right of a file, and prints what is not.
pub fn judge(file: &str, rows: &[Vec<&str>], found: &[Comeback], rates: &mut Rates) {
    let told = |found: &Comeback| -> Vec<Told> {
        match found {
            Comeback::Report(report) => report.recipients.iter().map(told_of).collect(),
            // RFC 6591: what is told of authentication that failed is a feedback report too.
            Comeback::Complaint(_) | Comeback::DmarcFailure(_) | Comeback::Unsubscribe(_) => {
                vec![(String::new(), "feedback".to_owned(), String::new()); rows.len()]
            }
            other => vec![(String::new(), String::new(), format!("{other:?}").chars().take(60).collect())],
        }
    };
    let mut told: Vec<Told> = found.iter().flat_map(told).collect();
    for row in rows {
        let (status, reason) = (row[2], row[4]);
        rates.all += 1;
        // The table has no addresses, so each row takes the first recipient that fits it best.
        let fit = |t: &Told| (is_same_status(status, &t.0), is_same_cause(reason, &t.1));
        let best = (0..told.len()).rev().max_by_key(|n| fit(&told[*n]));
        let (is_status, is_cause) = best.map(|n| fit(&told[n])).unwrap_or_default();
        rates.status += usize::from(is_status);
        rates.cause += usize::from(is_cause);
        rates.both += usize::from(is_status && is_cause);
        let taken = best.map(|n| told.remove(n));
        if !is_status || !is_cause {
            println!("{file}#{}: {status} {reason}; read as {}", row[1], taken.map_or("nothing".to_owned(), |t| t.2));
        }
    }
}

fn told_of(r: &repute_feedback::Reported) -> Told {
    let class = r.cause.map_or("delivered", |c| c.class.as_str()).to_owned();
    let rule = r.cause.map_or("", |c| c.rule);
    let line = format!("{} {class} ({rule}) {} | {}", r.status, r.last, r.diagnostic);
    (r.status.to_string(), class, line)
}

fn is_same_cause(reason: &str, class: &str) -> bool {
    reason == class || SAME.iter().any(|(name, classes)| *name == reason && classes.contains(&class))
}

/// The collection's own codes (`x.0.9nn`) stand for "the notice has no status": there the class is compared.
fn is_same_status(expected: &str, found: &str) -> bool {
    if expected.is_empty() || found.is_empty() {
        return expected == found;
    }
    let own = expected
        .split('.')
        .nth(2)
        .is_some_and(|detail| detail.len() == 3 && detail.starts_with('9') && expected.contains(".0."));
    if own { expected.as_bytes()[0] == found.as_bytes()[0] } else { expected == found }
}
