//! Why a message came back: whose fault it is, and what kind of fault, by the same rules that
//! read the replies of receivers (`repute_trust::replies`).
//!
//! What the refusing server said decides. Where it said nothing that tells, the sentences for
//! people that came with it are read; where these tell nothing, the status does.

use std::sync::LazyLock;

use repute_trust::replies::Action::Suppress;
use repute_trust::replies::{Class, Classification, Fault, Rules};
use repute_types::{EnhancedCode, Reply};

use crate::circumstances::{
    as_notices_mean, is_about_sender, is_after_acceptance, is_at_sender, is_dynamic, is_general, names_sender,
    names_senders_address, receiver, refuses_connection,
};
use crate::find;
use crate::hints::Hints;
use crate::plain::{Strength, is_plainer, is_vague, strength};
use crate::registered;
use crate::report::Action;
use crate::stage;

/// What notices are read by beside the rules for replies.
pub(crate) struct Known {
    /// What notices say that replies do not.
    pub notices: Rules,
    /// That it is over, whatever kept it waiting.
    pub expired: Rules,
    pub hints: Hints,
}

impl Known {
    /// What is known of servers from elsewhere than from notices; each file says from where.
    pub(crate) const ELSEWHERE: [&str; 7] = [
        include_str!("../data/servers.toml"),
        include_str!("../data/daemons.toml"),
        include_str!("../data/providers.toml"),
        include_str!("../data/exchange.toml"),
        include_str!("../data/tongues.toml"),
        include_str!("../data/filters.toml"),
        include_str!("../data/variations.toml"),
    ];
    pub(crate) const GIVEN_UP: &str = include_str!("../data/given_up.toml");
    pub(crate) const NOTICES: &str = include_str!("../data/notices.toml");
    pub(crate) const EXPIRED: &str = include_str!("../data/expired.toml");
    pub(crate) const HINTS: &str = include_str!("../data/hints.txt");

    /// An error names the rule.
    pub(crate) fn parse(notices: &[&str], expired: &[&str], hints: &str) -> Result<Known, String> {
        Ok(Known { notices: Rules::parse(notices)?, expired: Rules::parse(expired)?, hints: Hints::parse(hints)? })
    }
}

static KNOWN: LazyLock<Known> = LazyLock::new(|| {
    let notices = [&Known::ELSEWHERE[..], &[Known::NOTICES]].concat();
    let known = Known::parse(&notices, &[Known::GIVEN_UP, Known::EXPIRED], Known::HINTS);
    known.expect("a test reads the same files with the same code")
});

fn known() -> &'static Known {
    #[cfg(test)]
    if let Some(less) = crate::left_out::known() {
        return less;
    }
    &KNOWN
}

/// Whether the words of a text, in whatever language, say plainly that a recipient cannot be had.
pub(crate) fn is_about_a_recipient(text: &str) -> bool {
    use Class::*;
    let hinted = known().hints.hint(text, None).filter(|(_, votes)| *votes >= PLAIN_HINT);
    matches!(hinted, Some((UnknownUser | NoDomain | DisabledMailbox | FullMailbox, _)))
}

/// Octets of sentences that are read for a cause.
const EXPLANATION: usize = 4096;
/// Other recipients that are looked for in it.
const OTHERS: usize = 20;

/// What a cause is, in words that events carry (`types::Cause`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cause {
    pub class: Class,
    pub fault: Fault,
    /// The rule that says so; `none` where no rule fits.
    pub rule: &'static str,
    /// Whether the recipient belongs on the suppression list: a lasting fault of its own.
    pub suppresses: bool,
}

impl Cause {
    pub fn told(&self) -> repute_types::Cause {
        repute_types::Cause { rule: self.rule, class: self.class.as_str(), fault: self.fault.as_str() }
    }
}

/// What there is to judge by.
pub(crate) struct Said<'a> {
    /// As the report states it.
    pub status: Option<EnhancedCode>,
    /// Of the server that refused.
    pub diagnostic: &'a str,
    /// For people; may be about other recipients too.
    pub explanation: &'a str,
    /// Of the notice: old servers say there alone that they gave up.
    pub subject: &'a str,
    pub remote: Option<&'a str>,
    pub recipient: &'a str,
    /// All that the report is about: what is said of another is not said of this one.
    pub recipients: &'a [String],
    pub action: Action,
}

pub(crate) struct Read {
    pub status: EnhancedCode,
    pub is_status_told: bool,
    pub reply: Option<u16>,
    pub cause: Option<Cause>,
}

pub(crate) fn read(said: &Said<'_>) -> Read {
    // A transcript has good replies before the bad one.
    let reply = find::reply_codes(said.diagnostic).find(|(code, _)| *code >= 400 || said.action.is_good());
    let told = told_status(said, reply);
    let code = reply.map(|(code, _)| code);
    if said.action.is_good() {
        let status = told.filter(|s| s.0 == 2).unwrap_or(EnhancedCode(2, 0, 0));
        return Read { status, is_status_told: told.is_some(), reply: code, cause: None };
    }
    // A good status of what did not go well is noise, and no proof against anybody where nothing else says "no".
    let says_good = told.is_some_and(|status| status.0 == 2) && code.is_none();
    let told = told.filter(|status| status.0 != 2);
    let class = class_of(said, told, code);
    let about = about(said);
    let rest = rest(said);
    let answered = reply.map_or("", |(_, place)| &said.diagnostic[place..]);
    let receiver = receiver(said.remote, answered, told);
    let subject = Subject { class, status: told, code, remote: said.remote, receiver };
    let mut found = subject.classify(answered, said.diagnostic, about, rest);
    if found.rule == "any.user-unknown" && told.is_none() {
        // KDDI answers all that it keeps from a mailbox with "user unknown", and says before it why.
        let before = known().notices.classify(&subject.reply(rest), None);
        if before.rule == "kddi.account" {
            found = subject.cause(&before);
        }
    }
    if found.class == Class::Network && matches!(code, Some(550..=559)) && refuses_connection(answered) {
        // Who answers has been reached.
        found = guessed(Class::AddressReputation);
    }
    if found.rule == "guess" && found.class == Class::Content {
        // Who refuses before the message has come has not read it.
        found = [said.diagnostic, about].into_iter().find_map(stage::blamed).map_or(found, guessed);
    }
    if found.class == Class::Network {
        let over = known().expired.classify(&subject.reply(said.subject), None);
        if strength(&over) == Strength::Plain {
            found = subject.cause(&over);
        }
    }
    if is_general(&found, said.diagnostic) && is_after_acceptance(told, said.diagnostic, about) {
        found = Cause {
            class: Class::RecipientPolicy,
            fault: Fault::Recipient,
            rule: "notice.after-data",
            suppresses: false,
        };
    }
    if found.class == Class::NoDomain && class == 4 && !matches!(told, Some(EnhancedCode(_, 1, 2))) {
        // A name that was not found for now is a server of names that does not answer.
        found = guessed(Class::Network);
    }
    let is_name = matches!(found.class, Class::NoDomain | Class::TakesNoMail) && names_sender(answered);
    let is_address = found.class == Class::UnknownUser || found.rule == "list.named";
    if is_name
        || (is_address && names_senders_address(answered))
        || (matches!(found.class, Class::NoDomain | Class::UnknownUser) && is_about_sender(told, said.diagnostic))
        || (matches!(found.class, Class::NoDomain | Class::TakesNoMail) && is_at_sender(said.diagnostic, about))
    {
        found = Cause { class: Class::SenderDomain, fault: Fault::Domain, rule: "notice.sender", suppresses: false };
    }
    as_notices_mean(&mut found, told, answered);
    found.suppresses &= !says_good;
    let status = told.unwrap_or_else(|| usual_status(found.class, class));
    let quoted = find::quoted_reply(said.diagnostic).map(|(code, _)| code);
    let is_sole = said.recipients.len() < 2;
    let transcribed = || find::code_of_a_line(said.explanation, status.0).filter(|_| is_sole);
    let reply = quoted.or(code.filter(|code| *code >= 400)).or_else(transcribed);
    Read { status, is_status_told: told.is_some(), reply, cause: Some(found) }
}

/// What the refusing server said beside its code goes before the field Status, which the reporting
/// server makes up; the field goes before what stands elsewhere in the text.
fn told_status(said: &Said<'_>, reply: Option<(u16, usize)>) -> Option<EnhancedCode> {
    let beside = reply.and_then(|(code, place)| {
        let words = said.diagnostic[place + 3..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric());
        let status = find::status(words.split([' ', '\t', '\n', ')', ';', ',']).next()?)?;
        (u16::from(status.0) == code / 100 && (status.1, status.2) != (0, 0)).then_some(status)
    });
    if let Some((_, inner)) = find::quoted_reply(said.diagnostic) {
        return Some(inner);
    }
    let code = reply.map(|(code, _)| code);
    let in_text = || find::statuses(said.diagnostic).find(|s| code.is_none_or(|code| code / 100 == u16::from(s.0)));
    match said.status {
        _ if beside.is_some() => beside,
        Some(EnhancedCode(class, 0, 0)) => {
            let of_class = |status: &EnhancedCode| status.0 == class;
            let around = || find::statuses(about(said)).find(of_class);
            let found = in_text().filter(of_class).or_else(|| if reply.is_none() { around() } else { None });
            Some(found.unwrap_or(EnhancedCode(class, 0, 0)))
        }
        Some(status) => Some(status),
        None => in_text(),
    }
}

/// 4 or 5.
fn class_of(said: &Said<'_>, told: Option<EnhancedCode>, code: Option<u16>) -> u8 {
    match (told, code) {
        (Some(EnhancedCode(class @ (4 | 5), ..)), _) => class,
        (_, Some(code @ 400..=599)) => (code / 100) as u8,
        _ if said.action == Action::Delayed => 4,
        _ => 5,
    }
}

/// What is known beside the words.
struct Subject<'a> {
    class: u8,
    status: Option<EnhancedCode>,
    code: Option<u16>,
    remote: Option<&'a str>,
    /// A host of the receiver, where the notice tells it otherwise than by the name of the server that refused.
    receiver: Option<&'static str>,
}

impl Subject<'_> {
    /// By what the other side answered; by all that was said of it; then by the sentences around that; then by
    /// status and code.
    fn classify(&self, answered: &str, diagnostic: &str, about: &str, rest: &str) -> Cause {
        if !answered.is_empty() && answered.len() < diagnostic.len() {
            let reply = self.reply(answered);
            let found = [self.replied(&reply), self.noticed(&reply, self.remote)];
            if let Some(found) = found.iter().find(|found| strength(found) == Strength::Plain) {
                return self.cause(found);
            }
        }
        let reply = self.reply(diagnostic);
        let by_reply = self.replied(&reply);
        if strength(&by_reply) == Strength::Plain {
            return self.cause(&by_reply);
        }
        let by_notice = self.noticed(&reply, self.remote);
        if strength(&by_notice) == Strength::Plain {
            return self.registered(&by_notice).unwrap_or_else(|| self.plainer(&by_notice, &by_reply, diagnostic));
        }
        let spoken = if answered.is_empty() { diagnostic } else { answered };
        let hinted = known().hints.hint(spoken, self.status);
        let is_registered = by_reply.rule.starts_with("status.");
        if strength(&by_reply) == Strength::Words && !is_registered {
            return match hinted {
                Some((class, votes)) if votes >= PLAIN_HINT => guessed(class),
                _ => self.cause(&by_reply),
            };
        }
        for text in [about, rest].into_iter().filter(|text| !text.is_empty()) {
            let around = self.reply(text);
            let found = [self.noticed(&around, None), Rules::shipped().classify(&around, None)];
            let mut plain = found.iter().filter(|found| strength(found) == Strength::Plain);
            let first = plain.clone().next();
            let plainer =
                first.filter(|first| is_vague(first)).and_then(|first| plain.find(|found| is_plainer(found, first)));
            if let Some(found) = plainer.or(first).filter(|found| !is_of_sendmail(found, text, diagnostic)) {
                return self.cause(found);
            }
            if is_registered {
                // The rest may be about others, and this status is plain enough.
                break;
            }
        }
        let by_status = self.by_status(&by_reply);
        if let Some((found, true)) = by_status {
            return found;
        }
        if let Some((class, _)) = hinted.filter(|(_, votes)| *votes >= ENOUGH) {
            return guessed(class);
        }
        if let Some((found, _)) = by_status {
            return found;
        }
        if answered.is_empty() {
            let around = [about, rest].into_iter().filter_map(|text| known().hints.hint(text, self.status));
            if let Some((class, _)) = around.into_iter().find(|(_, votes)| *votes >= ENOUGH) {
                return guessed(class);
            }
        }
        if self.class == 4 && matches!(by_reply.rule, "status.protocol" | "status.format" | "status.policy") {
            let class = Class::Temporary;
            return Cause { class, fault: class.fault(), rule: by_reply.rule, suppresses: false };
        }
        let refused = self.class == 5 && by_reply.class == Class::Unknown && self.code.is_some();
        let blamed = [diagnostic, about].into_iter().filter(|_| refused).find_map(stage::blamed);
        // A mere "refused" is a rule of theirs that is not told.
        let refusal = || hinted.filter(|(_, votes)| refused && *votes >= BARELY).map(|(class, _)| class);
        blamed.or_else(refusal).map_or_else(|| self.cause(&by_reply), guessed)
    }

    /// What RFC 3463 and the registry of its codes say, and whether that is plain enough to go before what
    /// words hint at.
    fn by_status(&self, by_reply: &Classification<'static>) -> Option<(Cause, bool)> {
        let status = self.status?;
        let by_rule = by_reply.rule.starts_with("status.")
            && !matches!(
                by_reply.rule,
                "status.protocol" | "status.policy" | "status.network" | "status.later" | "status.system"
            );
        let (class, is_plain) = match registered::meaning(status) {
            Some(meant) => meant,
            None if by_rule => {
                let is_plain = !matches!(by_reply.rule, "status.disabled" | "status.recipient-busy" | "status.format");
                return Some((self.cause(by_reply), is_plain));
            }
            None => registered::subject(status)?,
        };
        let suppresses = self.class == 5 && matches!(status.1, 1 | 7) && class.action() == Suppress;
        Some((Cause { class, fault: class.fault(), rule: "status.registered", suppresses }, is_plain))
    }

    /// What a status is registered for that only servers use which mean it (RFC 3463 and its registry): a phrase that says
    /// no more than that something is forbidden does not go before it.
    fn registered(&self, found: &Classification<'static>) -> Option<Cause> {
        let class = match self.status? {
            EnhancedCode(_, 7, 20..=22) => Class::Dkim,
            EnhancedCode(_, 7, 23 | 24) => Class::Spf,
            EnhancedCode(_, 7, 25) => Class::ReverseDns,
            EnhancedCode(_, 7, 26) => Class::Authentication,
            EnhancedCode(_, 4, 6) => Class::Loop,
            // A command was wrong, and no name of the recipient's.
            EnhancedCode(_, 5, 1 | 2 | 4) if found.class == Class::NoDomain => return Some(guessed(Class::Protocol)),
            // A security status with words about syntax means the rule, not the grammar.
            EnhancedCode(_, 7, _) if found.class == Class::Protocol => Class::Policy,
            _ => return None,
        };
        (is_vague(found) || matches!(found.class, Class::Login | Class::Protocol)).then(|| Cause {
            class,
            fault: class.fault(),
            rule: "status.registered",
            suppresses: false,
        })
    }

    /// A phrase that only says that there is a rule or a fault goes behind a word that says which.
    fn plainer(
        &self,
        by_notice: &Classification<'static>,
        by_reply: &Classification<'static>,
        diagnostic: &str,
    ) -> Cause {
        use Class::*;
        let says_which =
            matches!(by_reply.class, Spf | Dkim | Dmarc | ReverseDns | Tls | ListedAddress | AddressReputation);
        // That the address is refused goes behind what is wrong with its names.
        let is_of_names =
            by_notice.class == AddressReputation && by_reply.class == ReverseDns && !is_dynamic(diagnostic);
        let is_plainer = (is_vague(by_notice) && says_which) || is_of_names;
        let is_plainer = is_plainer && strength(by_reply) == Strength::Words;
        self.cause(if is_plainer { by_reply } else { by_notice })
    }

    /// By the rules for replies.
    fn replied(&self, reply: &Reply) -> Classification<'static> {
        let found = Rules::shipped().classify(reply, self.remote);
        if strength(&found) == Strength::Plain || self.receiver.is_none() {
            return found;
        }
        let theirs = Rules::shipped().classify(reply, self.receiver);
        if strength(&theirs) == Strength::Plain { theirs } else { found }
    }

    fn noticed(&self, reply: &Reply, remote: Option<&str>) -> Classification<'static> {
        let mut found = known().notices.classify(reply, remote);
        if is_vague(&found) {
            let mut every = known().notices.every(reply, remote).into_iter();
            let plainer = every.find(|other| strength(other) == Strength::Plain && is_plainer(other, &found));
            found = plainer.unwrap_or(found);
        }
        if strength(&found) == Strength::Plain && found.class != Class::Network {
            return found;
        }
        let over = known().expired.classify(reply, remote);
        if strength(&over) == Strength::Plain { over } else { found }
    }

    fn reply(&self, text: &str) -> Reply {
        // Where no reply is told, one that no rule asks for stands for it.
        let code = self.code.filter(|code| *code >= 400).unwrap_or(if self.class == 4 { 499 } else { 599 });
        // Rules compare letters of ASCII alone in either case.
        let text = find::in_one_line(text, code).to_lowercase();
        // Sendmail's word before what it waits for; elsewhere it is a filter's.
        let text = text.replace("... deferred: ", "... ");
        Reply { code, enhanced: self.status, lines: vec![text] }
    }

    fn cause(&self, found: &Classification<'static>) -> Cause {
        let suppresses = self.class == 5 && found.suppresses();
        Cause { class: found.class, fault: found.fault, rule: found.rule, suppresses }
    }
}

/// Sendmail's own transcript calls whatever a server refused "User unknown"; what the server said is told beside it.
fn is_of_sendmail(found: &Classification<'_>, text: &str, diagnostic: &str) -> bool {
    found.class == Class::UnknownUser && !diagnostic.is_empty() && text.contains("Transcript of session follows")
}

/// Votes of a word that says little, where nothing else is said.
const BARELY: u32 = 2;
/// Votes that are more than noise.
const ENOUGH: u32 = 3;
/// Votes that go before a single word.
const PLAIN_HINT: u32 = 6;

/// A guess never suppresses anybody.
pub(crate) fn guessed(class: Class) -> Cause {
    Cause { class, fault: class.fault(), rule: "guess", suppresses: false }
}

/// The sentences from where the recipient is named first, up to where another one is.
fn about<'a>(said: &Said<'a>) -> &'a str {
    let named = |text: &str, address: &str| if address.is_empty() { None } else { text.find(address) };
    let from = &said.explanation[named(said.explanation, said.recipient).unwrap_or_default()..];
    let from = start(from);
    let others = said.recipients.iter().filter(|other| *other != said.recipient).take(OTHERS);
    let end = others.filter_map(|other| named(from, other)).min().unwrap_or(from.len());
    &from[..end]
}

/// What is said elsewhere. Of several recipients only what stands before the first of them is about all.
fn rest<'a>(said: &Said<'a>) -> &'a str {
    let text = start(said.explanation);
    if said.recipients.len() < 2 {
        return text;
    }
    let places = said.recipients.iter().take(OTHERS).filter(|address| !address.is_empty());
    &text[..places.filter_map(|address| text.find(address.as_str())).min().unwrap_or_default()]
}

fn start(text: &str) -> &str {
    &text[..text.floor_char_boundary(EXPLANATION)]
}

/// What RFC 3463 calls a cause, for a report that states no status.
fn usual_status(class: Class, of: u8) -> EnhancedCode {
    let (subject, detail) = match class {
        Class::UnknownUser => (1, 1),
        Class::NoDomain => (1, 2),
        Class::TakesNoMail => (1, 10),
        Class::Moved => (1, 6),
        Class::DisabledMailbox => (2, 1),
        Class::FullMailbox => (2, 2),
        Class::TooLarge => (3, 4),
        Class::Network => (4, 1),
        Class::Loop => (4, 6),
        Class::Expired => (4, 7),
        Class::SenderDomain => (1, 8),
        Class::ReverseDns => (7, 25),
        Class::Authentication | Class::Dmarc => (7, 26),
        Class::Spf => (7, 23),
        Class::Dkim => (7, 20),
        Class::Tls => (7, 10),
        Class::MessageFormat => (6, 0),
        Class::Protocol => (5, 0),
        Class::MailProgram | Class::ReceiverFault | Class::Temporary => (3, 0),
        Class::Unknown => (0, 0),
        _ => (7, 1),
    };
    EnhancedCode(of, subject, detail)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_notices_are_read_by_can_be_read() {
        assert!(!super::known().notices.rules().is_empty());
    }
}
