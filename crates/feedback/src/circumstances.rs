//! What tells more of a refusal than its words: whose reply it is, after which command it came, whether it is about who
//! sends or who gets, and that whoever refuses a connection has been reached.

use repute_trust::replies::{Class, Rules};
use repute_types::EnhancedCode;

use crate::cause::{Cause, guessed};
use crate::stage;

/// Whether "user unknown" or "access denied" is all that says so; rules of one receiver, and sentences, know what they mean.
pub(crate) fn is_general(found: &Cause, diagnostic: &str) -> bool {
    let is_denied = || diagnostic.to_lowercase().contains("access denied");
    found.rule == "any.user-unknown" || (found.class == Class::UnknownUser && is_denied())
}

/// Whether "user unknown" was said after the recipient had been accepted: then the user is known,
/// and a filter of theirs speaks. So do servers of carriers that hide their filters. Status x.2.1
/// says the same, unless it answered RCPT.
pub(crate) fn is_after_acceptance(status: Option<EnhancedCode>, diagnostic: &str, about: &str) -> bool {
    const AFTER: [&str; 8] = [
        "reply to end of DATA",
        "reply to DATA",
        "after end of data",
        ">>> DATA",
        "SMTP command\nDATA",
        "failed after I sent the message",
        "end of data",
        "end of DATA",
    ];
    if matches!(status, Some(EnhancedCode(5, 1, _))) {
        return false;
    }
    let says = |words: &str| diagnostic.contains(words) || about.contains(words);
    let at_rcpt = says("RCPT TO") || says("does not like recipient");
    AFTER.iter().any(|words| says(words)) || (!at_rcpt && matches!(status, Some(EnhancedCode(5, 2, 0 | 1))))
}

/// A host of the receiver whose reply it is, where the server that gave it is not told or has a name that tells nothing, as
/// gateways have: what the reply says of itself, or a status that one receiver alone has given a meaning.
pub(crate) fn receiver(remote: Option<&str>, answered: &str, told: Option<EnhancedCode>) -> Option<&'static str> {
    /// Microsoft 365, whose statuses from x.7.500 no other server has. Those from x.7.700 are about a tenant, and mean another
    /// thing where the tenant's own server reports them.
    const NUMBERED: &str = "mail.protection.outlook.com";
    let rules = Rules::shipped();
    if answered.is_empty() || remote.is_some_and(|host| rules.receiver(host).is_some()) {
        return None;
    }
    let is_numbered = matches!(told, Some(EnhancedCode(_, 7, 500..=699 | 850..=899)));
    rules.host_in(answered).or(is_numbered.then_some(NUMBERED))
}

/// Whether what is unknown is our address, not the recipient's.
pub(crate) fn is_about_sender(status: Option<EnhancedCode>, diagnostic: &str) -> bool {
    let said = ["after MAIL FROM:", "reply to MAIL FROM", "ender verif"];
    matches!(status, Some(EnhancedCode(_, 1, 7 | 8))) || said.iter().any(|words| diagnostic.contains(words))
}

/// Whether MAIL FROM was refused: the name that is wrong is ours.
pub(crate) fn is_at_sender(diagnostic: &str, about: &str) -> bool {
    [diagnostic, about].into_iter().find_map(stage::blamed) == Some(Class::SenderDomain)
}

/// Whether it says that it refuses the connection.
pub(crate) fn refuses_connection(answered: &str) -> bool {
    let text = answered.to_lowercase();
    ["connection refused", "refused connection", "connection rejected"].iter().any(|words| text.contains(words))
}

/// Whether the name that is not found stands in a sentence about who sends.
pub(crate) fn names_sender(answered: &str) -> bool {
    const SENDERS: [&str; 13] = [
        "sender",
        "sending domain",
        "mail from",
        "from domain",
        "from address",
        "envelope from",
        "return path",
        "return-path",
        "originator",
        "your email",
        "your e-mail",
        "your address",
        "your domain",
    ];
    let text = answered.to_lowercase().replace("to sender", "").replace("to the sender", "");
    SENDERS.iter().any(|words| text.contains(words))
        && !["recipient", "destination", "rcpt"].iter().any(|w| text.contains(w))
}

/// Whether what comes from an IP address is refused.
fn names_address(answered: &str) -> bool {
    let text = answered.to_lowercase();
    text.match_indices("from ").any(|(at, lead)| {
        let behind = text[at + lead.len()..].trim_start_matches(['[', '(']);
        let end = behind.find(|c: char| !c.is_ascii_hexdigit() && c != '.' && c != ':').unwrap_or(behind.len());
        behind[..end].trim_end_matches(['.', ':']).parse::<std::net::IpAddr>().is_ok()
    })
}

/// Whether it is an address of the sender's that the sentence begins with: `550 5.1.1 sender address does not exist`.
pub(crate) fn names_senders_address(answered: &str) -> bool {
    const SENDERS: [&str; 11] = [
        "sender address",
        "sender's address",
        "sender does not",
        "from address",
        "from: address",
        "mail from address",
        "envelope sender",
        "envelope from",
        "return path",
        "return-path",
        "reverse-path",
    ];
    let text = answered.to_lowercase();
    let words = text.trim_start_matches(|c: char| !c.is_alphabetic());
    let words = words.strip_prefix("the ").or_else(|| words.strip_prefix("your ")).unwrap_or(words);
    SENDERS.iter().any(|lead| words.starts_with(lead))
}

/// Whether the address is refused for the range that it stands in.
pub(crate) fn is_dynamic(diagnostic: &str) -> bool {
    let text = diagnostic.to_lowercase();
    ["dynamic", "generic", "dial", "residential"].iter().any(|word| text.contains(word))
}

/// What rules mean in a notice where they mean another thing in a reply, or where the sentence says whom it is about.
pub(crate) fn as_notices_mean(found: &mut Cause, told: Option<EnhancedCode>, answered: &str) {
    match found.rule {
        // Old notices name lists that were alive.
        "list.dead" => found.class = Class::ListedAddress,
        // A name without a way to it, for good.
        "registry.network" if told == Some(EnhancedCode(5, 4, 4)) => *found = guessed(Class::NoDomain),
        // "Mail from 192.0.2.1 is refused" is about no sender.
        "notice.sender" if names_address(answered) => *found = guessed(Class::AddressReputation),
        "notice.content" if is_of_host(answered) => *found = guessed(Class::AddressReputation),
        _ => {}
    }
}

/// Whether it is a host that the sentence begins with: a source of spam is no spam itself.
fn is_of_host(answered: &str) -> bool {
    const HOSTS: [&str; 9] = [
        "ip ",
        "ip address",
        "sending ip",
        "client",
        "host ",
        "sending server",
        "sending host",
        "mail server",
        "server",
    ];
    let text = answered.to_lowercase();
    let words = text.trim_start_matches(|c: char| !c.is_alphabetic());
    let words = ["the ", "your ", "this "].iter().find_map(|lead| words.strip_prefix(lead)).unwrap_or(words);
    HOSTS.iter().any(|lead| words.starts_with(lead))
}
