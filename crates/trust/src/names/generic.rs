//! Whether the reverse name of an address looks machine-made, as the filters see it.
//!
//! The two filters that most receivers run give points for it. rspamd (`HFILTER_HOSTNAME_1` to
//! `_5`) looks for words such as `dsl` or `pool` beside digits or
//! between separators, the more telling the dearer. SpamAssassin (`RDNS_DYNAMIC`) looks for
//! four numbers, or for the marks of dial-in lines. The points here are those of their default
//! rules. Beyond filters, some receivers and lists want a name that does not spell the address.

use std::fmt;
use std::net::IpAddr;

use super::reverse::reversed;
use super::{dynrdns, hfilter};

/// Points of a filter, in hundredths: 250 is 2.50.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Points(pub u32);

/// One reason to call a name machine-made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The rule that gives the points; empty where receivers judge it without a public rule.
    pub rule: &'static str,
    pub filter: Filter,
    pub points: Points,
    /// What was found in the name.
    pub because: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Filter {
    Rspamd,
    SpamAssassin,
    /// Receivers that say so on their pages.
    Receivers,
}

/// How bad a name is: the sum of points in the filter that minds most.
pub fn points(signs: &[Sign]) -> Points {
    let of = |filter| signs.iter().filter(|s| s.filter == filter).map(|s| s.points.0).sum();
    Points(u32::max(of(Filter::Rspamd), of(Filter::SpamAssassin)))
}

/// What is wrong with `name` as the reverse name of `ip`; nothing for a good one. What is only wrong for
/// a message without a Received field, which ours never is, is told by [`once_received`].
pub fn signs(name: &str, ip: IpAddr) -> Vec<Sign> {
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    [hfilter::sign(&name), dynrdns::sign(&name), spells_address(&name, ip)].into_iter().flatten().collect()
}

/// Every rule of a filter that may fire, each with an example of what for.
pub fn rules() -> impl Iterator<Item = Sign> {
    let words = hfilter::rules().into_iter();
    words.chain(once_received("static")).chain(dynrdns::sign("1-2-3-4.pool.example.net"))
}

/// rspamd minds these two words in the name of a host that hands in a message which had no Received
/// field before; a name with `mail` in it is spared.
pub fn once_received(name: &str) -> Option<Sign> {
    let name = name.to_ascii_lowercase();
    let found = ["static", "dynamic"].into_iter().find(|word| name.contains(word))?;
    let because = format!("the word {found:?} without the word \"mail\", of a message without a Received field");
    let sign = Sign { rule: "ONCE_RECEIVED_STRICT", filter: Filter::Rspamd, points: Points(400), because };
    (!name.contains("mail")).then_some(sign)
}

/// The octets of the address in the name, in either order, or all of it in hexadecimal.
fn spells_address(name: &str, ip: IpAddr) -> Option<Sign> {
    let IpAddr::V4(v4) = ip.to_canonical() else {
        let nibbles: String = reversed(ip).split('.').rev().collect();
        let plain: String = name.chars().filter(char::is_ascii_hexdigit).collect();
        return (plain.contains(&nibbles) || name.split('.').any(|label| is_written_in(label, ip))).then(spelt);
    };
    let numbers: Vec<u32> = name
        .split(|c: char| !c.is_ascii_digit())
        .filter(|part| !part.is_empty())
        .filter_map(|part| part.parse().ok())
        .collect();
    let octets: Vec<u32> = v4.octets().into_iter().map(u32::from).collect();
    let backwards: Vec<u32> = octets.iter().rev().copied().collect();
    let stands = numbers.windows(4).any(|four| four == octets || four == backwards);
    let padded: String = v4.octets().iter().map(|o| format!("{o:03}")).collect();
    let hex: String = v4.octets().iter().map(|o| format!("{o:02x}")).collect();
    (stands || name.contains(&padded) || name.contains(&hex)).then(spelt)
}

/// An IPv6 address as it is usually written, with dashes for its colons: `2001-db8--1`, `host-2001-0db8-0-0-0-0-0-1`.
fn is_written_in(label: &str, ip: IpAddr) -> bool {
    let starts = || std::iter::once(0).chain(label.match_indices('-').map(|(at, _)| at + 1));
    let ends = || label.match_indices('-').map(|(at, _)| at).chain([label.len()]);
    let within = starts().flat_map(|from| ends().filter_map(move |to| label.get(from..to)));
    within.filter_map(|part| part.replace('-', ":").parse::<IpAddr>().ok()).any(|written| written == ip)
}

fn spelt() -> Sign {
    let because = "it spells the address".to_owned();
    Sign { rule: "", filter: Filter::Receivers, points: Points(0), because }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

/// `the word "dsl" (rspamd HFILTER_HOSTNAME_4: 2.50 points)`
impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let filter = match self.filter {
            Filter::Rspamd => "rspamd",
            Filter::SpamAssassin => "SpamAssassin",
            Filter::Receivers => return write!(f, "{} (several large receivers mind)", self.because),
        };
        write!(f, "{} ({filter} {}: {} points)", self.because, self.rule, self.points)
    }
}
