//! What the demo prints: where everything is, how it goes, what came of it.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::letters::{HILL, RIVER, SHOP};
use super::tally::{Row, Tally};
use super::world::{GREYLIST, Places, World};
use crate::out::{self, Tone};

pub fn world(world: &World, submission: std::net::SocketAddr, keys: &str) {
    out::line(&out::tone("A private little internet on loopback", Tone::Strong));
    let line = |name: &str, place: String, habit: &str| out::line(&format!("  {name:<12} {place:<22} {habit}"));
    line("name server", world.dns.address().to_string(), "answers for every name below");
    for home in &world.homes {
        let habit = match home.domain {
            RIVER => format!("greylists: who comes first waits {} s", GREYLIST.as_secs()),
            HILL => "is down at first".to_owned(),
            _ => "takes mail at once".to_owned(),
        };
        line(home.domain, home.receiver.address().to_string(), &habit);
    }
    line(SHOP, world.shop.receiver.address().to_string(), "the sender's own mailboxes");
    let from = match world.places {
        Places::Addresses { egress, .. } => format!("leaves from {egress} as {}", world.hostname()),
        Places::Ports => format!("says {}", world.hostname()),
    };
    line("repute", submission.to_string(), &format!("{from}, signs with {keys}"));
    if world.places == Places::Ports {
        out::line(
            "  This machine has 127.0.0.1 alone: receivers are told apart by port, and routes stand in for MX records.",
        );
    }
    out::line("");
}

/// A bar on a terminal; nothing where output is piped.
pub fn bar(what: &'static str, length: u64) -> ProgressBar {
    let bar = ProgressBar::new(length);
    let style = ProgressStyle::with_template("  {prefix:<11} {bar:40.green} {pos:>4}/{len}  {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar.set_prefix(what);
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Ends a bar and leaves one plain line in its place.
pub fn done(bar: &ProgressBar, what: &str, of: &str, took: Duration) {
    let count = bar.position();
    bar.finish_and_clear();
    out::line(&format!("  {what:<11} {count:>4} {of}, in {:.1} s", took.as_secs_f64()));
}

pub fn tally(tally: &Tally) {
    let mut head = vec![""];
    head.extend(tally.domains.iter().chain([&tally.all]).map(|row| row.domain.as_str()));
    type Value = fn(&Row) -> u64;
    let lines: [(&str, Value); 10] = [
        ("recipients", |r| r.recipients),
        ("  delivered", |r| r.delivered),
        ("  bounced", |r| r.bounced),
        ("  retried", |r| r.retried),
        ("messages there", |r| r.messages),
        ("  RSA signature good", |r| r.rsa_verified),
        ("  Ed25519 signature good", |r| r.ed25519_verified),
        ("  SPF pass", |r| r.spf_pass),
        ("  DMARC pass", |r| r.dmarc_pass),
        ("  over TLS", |r| r.over_tls),
    ];
    out::line("");
    out::line(&out::tone(&row(&head.iter().map(ToString::to_string).collect::<Vec<_>>()), Tone::Strong));
    for (name, value) in lines {
        let mut cells = vec![name.to_owned()];
        cells.extend(tally.domains.iter().chain([&tally.all]).map(|r| value(r).to_string()));
        out::line(&row(&cells));
    }
    out::line("");
    for check in &tally.checks {
        let mark = if check.holds { out::tone("✓", Tone::Good) } else { out::tone("✗", Tone::Bad) };
        out::line(&format!("  {mark} {}", check.what));
    }
    for one in &tally.missing {
        out::line(&format!("      missing: {one}"));
    }
    out::line("");
}

/// Names to the left, numbers to the right.
fn row(cells: &[String]) -> String {
    let (name, numbers) = cells.split_first().expect("a row has a name");
    numbers.iter().fold(format!("  {name:<26}"), |line, cell| line + &format!("{cell:>13}"))
}
