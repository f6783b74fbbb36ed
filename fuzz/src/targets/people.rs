//! What people and programs of this machine hand over: `sendmail`, files of addresses; and the mirror, which anybody may
//! write to.

use repute::dry;
use repute_message::Header;
use repute_playground::receiver::dry::converse;

use super::smtp::has_replies;
use super::{Choices, has_bare, pieces};

/// A message on the standard input of `sendmail`, with arguments of the first line: lines as mail has them, nobody is
/// written to whom no argument and no field of the header names, and a header that can be read.
pub fn sendmail(octets: &[u8]) {
    let end = octets.iter().position(|b| *b == b'\n').unwrap_or(octets.len());
    let [line]: [String; 1] = pieces(&octets[..end]);
    let args: Vec<&str> = line.split(' ').filter(|word| !word.is_empty()).collect();
    let Ok((recipients, content)) = dry::sendmail(&args, octets.get(end + 1..).unwrap_or_default()) else { return };
    assert!(!recipients.is_empty());
    let written = content.to_vec();
    assert!(!has_bare(&written), "a bare CR or LF: {:?}", String::from_utf8_lossy(&written));
    let header = Header::read(&content).expect("it was read before");
    assert!(header.all("From").count() >= 1, "{:?}", String::from_utf8_lossy(&written));
}

/// A file of people who are not written to: written again, it reads as the same, as CSV and as JSON lines.
pub fn suppressions(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    let Some([csv, lines]) = dry::suppressions(text) else { return };
    for file in [&csv, &lines] {
        assert_eq!(dry::suppressions(file).as_ref(), Some(&[csv.clone(), lines.clone()]), "{file}");
    }
}

/// A whole session of the mirror's receiver: cuts change nothing, what it took ends in CR LF lines alone, and it never
/// takes more than it said.
pub fn receiver_session(octets: &[u8]) {
    let mut choices = Choices(octets);
    let cut = usize::from(choices.next());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let whole = runtime.block_on(converse(choices.0, choices.0.len()));
    let pieces = runtime.block_on(converse(choices.0, cut));
    assert_eq!(whole.0, pieces.0, "the replies depend on how the octets are cut");
    assert_eq!(whole.1.len(), pieces.1.len());
    for (one, other) in whole.1.iter().zip(&pieces.1) {
        assert_eq!(one.facts.content, other.facts.content);
        assert!(one.size <= 64 << 10 && (1..=20).contains(&one.facts.recipients.len()));
    }
    // At most a reply for each command and end of content, and a greeting and an end beside them.
    has_replies(&whole.0, choices.0.iter().filter(|octet| **octet == b'\n').count());
}
