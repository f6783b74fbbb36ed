//! What a reply means, with everything a person or the queue needs to act on it.

use std::fmt;
use std::time::Duration;

use repute_types::Reply;

use super::class::{Action, Class, Fault};
use super::rules::Rule;

/// A site's pause where no time is known: what Gmail asks for.
const PAUSE: Duration = Duration::from_secs(10 * 60);

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Classification<'r> {
    /// The rule that made it; `none` where no rule fits.
    pub rule: &'r str,
    pub class: Class,
    pub fault: Fault,
    /// What the server does besides deferring or failing this recipient.
    pub action: Action,
    /// For how long, where the receiver is known to want a certain time.
    pub pause: Option<Duration>,
    /// One sentence: why.
    pub cause: &'r str,
    /// What a person does about it.
    pub advice: &'r str,
    /// Ids of the checks to run at once.
    pub checks: Vec<&'r str>,
    /// The receiver's page about it.
    pub link: Option<&'r str>,
    /// The first link in the reply itself: often it leads to this very case.
    pub own_link: Option<String>,
    /// Black lists that the reply names, by zone or web site, lower case.
    pub lists: Vec<String>,
}

impl<'r> Classification<'r> {
    pub(super) fn new(rule: Option<&'r Rule>, reply: &Reply, lists: Vec<String>) -> Classification<'r> {
        let own_link = link_in(&reply.text());
        let mut made = match rule {
            Some(rule) => Classification {
                rule: &rule.id,
                class: rule.class,
                fault: rule.fault,
                action: rule.action,
                pause: rule.pause,
                cause: &rule.cause,
                advice: &rule.advice,
                checks: rule.checks.iter().map(String::as_str).collect(),
                link: rule.link.as_deref(),
                own_link,
                lists,
            },
            None => {
                let class = if reply.is_transient() { Class::Temporary } else { Class::Unknown };
                Classification {
                    rule: "none",
                    class,
                    fault: class.fault(),
                    action: class.action(),
                    pause: None,
                    cause: class.cause(),
                    advice: class.advice(),
                    checks: class.checks().to_vec(),
                    link: None,
                    own_link,
                    lists,
                }
            }
        };
        if made.action == Action::PauseSite {
            made.pause = made.pause.or(Some(PAUSE));
        }
        if made.action == Action::Suppress && !reply.is_permanent() {
            // "Not now" about a recipient is no proof that there is none.
            made.action = Action::Nothing;
        }
        made
    }

    /// Whether the recipient belongs on the suppression list.
    pub fn suppresses(&self) -> bool {
        self.action == Action::Suppress
    }
}

/// A link up to the first blank or quote, without what a sentence puts behind it.
fn link_in(text: &str) -> Option<String> {
    let start = text.find("https://").or_else(|| text.find("http://"))?;
    let end = text[start..].find([' ', '"', '\'', '<', '>', ')', ']']).map_or(text.len(), |n| start + n);
    Some(text[start..end].trim_end_matches(['.', ',', ';']).to_owned())
}

/// What a refusal of ours leads to in any case.
const CHECKS: &str = "makes the checks below at once";
const ONCE_MORE: &str = "The message is tried once more after them";
const TELLS: &str = "Where three messages in a row are refused it is an incident";

/// For people, as `repute explain` prints it.
impl fmt::Display for Classification<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.cause)?;
        writeln!(f, "  whose fault  {}", self.fault.who())?;
        writeln!(f, "  what to do   {}", self.advice)?;
        if let Some(does) = self.server_does() {
            writeln!(f, "  the server   {does}")?;
        }
        if !self.lists.is_empty() {
            writeln!(f, "  black list   {}", self.lists.join(", "))?;
        }
        if !self.checks.is_empty() {
            writeln!(f, "  check        repute check --only {}", self.checks.join(","))?;
        }
        let own = self.own_link.as_deref();
        for link in own.into_iter().chain(self.link.filter(|link| Some(*link) != own)) {
            writeln!(f, "  see          {link}")?;
        }
        write!(f, "  (class {}, rule {})", self.class, self.rule)
    }
}

impl Classification<'_> {
    /// What the server does by itself; `None` where it just defers or fails.
    fn server_does(&self) -> Option<String> {
        let minutes = self.pause.map(|pause| pause.as_secs() / 60);
        let text = match self.action {
            Action::Nothing => return None,
            Action::Suppress => "sends to this recipient no more (`repute suppression` shows the list)".to_owned(),
            Action::SlowRecipient => "sends slower to this recipient alone".into(),
            Action::SlowSite => match minutes {
                Some(minutes) => format!("waits {minutes} minutes, then sends slower to this receiver"),
                None => "sends slower to this receiver, by itself".into(),
            },
            Action::PauseSite => {
                let minutes = minutes.unwrap_or(PAUSE.as_secs() / 60);
                format!("sends nothing to this receiver for {minutes} minutes, then begins with a single connection")
            }
            Action::RetrySameAddress => "tries again in some minutes, from the same address".into(),
            Action::Reconnect => "goes on over a new connection".into(),
            Action::UseIpv4 => {
                format!(
                    "{CHECKS}; tries the message once more by IPv4 where it may, and sends to this receiver by IPv4 for a while"
                )
            }
            Action::HoldAddress => {
                format!(
                    "{CHECKS}; where one fails that takes the permit, mail leaves from another address or waits. {ONCE_MORE}: from \
                     another address if one is permitted, and so does all mail to this receiver for a while. {TELLS}"
                )
            }
            Action::HoldDomain => {
                format!(
                    "{CHECKS}; where one fails that takes the permit, mail of the domain waits. {ONCE_MORE}. {TELLS}"
                )
            }
            Action::HoldCampaign => {
                "counts it, and stops the campaign or the account when it is too much (`repute circuit`)".into()
            }
            Action::RefuseMessage => "refuses messages with faults that it sees when they are submitted".into(),
        };
        Some(text)
    }
}
