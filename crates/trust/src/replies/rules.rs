//! The rules: which reply means what, as data (`data/replies/*.toml`), and the choice among
//! those that fit.
//!
//! A rule fits if all of its conditions hold, and nothing of its `unless` is in the text. Of the rules that fit the most specific one is
//! taken. How specific a rule is, is the sum of what it asks for: the receiver (32, and only
//! where the MX host tells which one it is), a text (16), an exact status (8), mere words (4),
//! a range of statuses (2), a reply code (1). Among equals, the longer text that was found
//! wins, then the rule that stands first.
//!
//! A rule of one receiver is not taken for another one's reply. Where the receiver is not
//! known (no MX host, or one of nobody listed), it is taken only by its text.

use std::collections::HashMap;
use std::sync::LazyLock;
use std::time::Duration;

use repute_types::{EnhancedCode, Reply};
use serde::Deserialize;

use super::class::{Action, Class, Fault};
use super::pattern::{Searched, StatusPattern, TextPattern};
use super::{Classification, lists};

const FILES: [&str; 9] = [
    include_str!("../../data/replies/google.toml"),
    include_str!("../../data/replies/microsoft.toml"),
    include_str!("../../data/replies/yahoo.toml"),
    include_str!("../../data/replies/apple.toml"),
    include_str!("../../data/replies/filters.toml"),
    include_str!("../../data/replies/europe.toml"),
    include_str!("../../data/replies/america.toml"),
    include_str!("../../data/replies/asia.toml"),
    include_str!("../../data/replies/generic.toml"),
];

/// The rules that come with the server.
static SHIPPED: LazyLock<Rules> =
    LazyLock::new(|| Rules::parse(&FILES).expect("a test reads the same files with the same code"));

/// All rules and receivers, ready to classify with.
#[derive(Clone, Debug)]
pub struct Rules {
    receivers: Vec<Receiver>,
    rules: Vec<Rule>,
}

/// A receiver that is known by the names of its MX hosts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receiver {
    pub name: String,
    /// Suffixes of host names, at label borders.
    pub mx: Vec<String>,
    /// What else its replies name it by, for a reply of which nobody told the host.
    #[serde(default)]
    pub says: Vec<String>,
}

/// One rule, its patterns parsed.
#[derive(Clone, Debug)]
pub struct Rule {
    pub id: String,
    receivers: Vec<String>,
    codes: Vec<u16>,
    statuses: Vec<StatusPattern>,
    texts: Vec<TextPattern>,
    words: Vec<TextPattern>,
    /// What makes it about something else: a word for the sender beside "user unknown", a black list beside x.1.1.
    unless: Vec<TextPattern>,
    pub class: Class,
    pub fault: Fault,
    pub action: Action,
    pub pause: Option<Duration>,
    pub cause: String,
    pub advice: String,
    pub checks: Vec<String>,
    pub link: Option<String>,
}

/// A rule as the files have it; what is left out comes from the class.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    #[serde(default)]
    receiver: Vec<String>,
    #[serde(default)]
    reply: Vec<u16>,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    words: Vec<String>,
    #[serde(default)]
    unless: Vec<String>,
    class: Class,
    fault: Option<Fault>,
    action: Option<Action>,
    pause_minutes: Option<u64>,
    cause: Option<String>,
    advice: Option<String>,
    checks: Option<Vec<String>>,
    link: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    receiver: Vec<Receiver>,
    /// Words that several rules have in common, for their `unless`: there `@NAME` stands for them.
    #[serde(default)]
    group: HashMap<String, Vec<String>>,
    rule: Vec<Written>,
}

/// What a rule is asked about.
struct Subject<'a> {
    code: u16,
    status: Option<EnhancedCode>,
    /// Lower case, lines joined.
    text: Searched<'a>,
    receiver: Option<&'a str>,
}

impl Rules {
    pub fn shipped() -> &'static Rules {
        &SHIPPED
    }

    /// Reads rule files, in the order in which equals are preferred. An error names the rule.
    pub fn parse(files: &[&str]) -> Result<Rules, String> {
        let mut all = Rules { receivers: Vec::new(), rules: Vec::new() };
        let mut written = Vec::new();
        for file in files {
            let file: File = toml::from_str(file).map_err(|error| error.to_string())?;
            all.receivers.extend(file.receiver);
            for mut rule in file.rule {
                rule.unless =
                    spelled_out(&rule.unless, &file.group).map_err(|why| format!("rule {}: {why}", rule.id))?;
                written.push(rule);
            }
        }
        for rule in written {
            let id = rule.id.clone();
            let rule = Rule::from_written(rule).map_err(|why| format!("rule {id}: {why}"))?;
            if let Some(unknown) = rule.receivers.iter().find(|r| !all.receivers.iter().any(|k| k.name == **r)) {
                return Err(format!("rule {id}: there is no receiver {unknown:?}"));
            }
            if all.rules.iter().any(|other| other.id == id) {
                return Err(format!("rule {id}: there is another rule of that name"));
            }
            all.rules.push(rule);
        }
        Ok(all)
    }

    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Whose MX host this is.
    pub fn receiver(&self, mx_host: &str) -> Option<&str> {
        let host = mx_host.strip_suffix('.').unwrap_or(mx_host).to_ascii_lowercase();
        let is_under = |suffix: &String| {
            host.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        self.receivers.iter().find(|r| r.mx.iter().any(is_under)).map(|r| r.name.as_str())
    }

    /// The receiver that a reply names itself, as a suffix of its MX hosts.
    pub fn host_in(&self, text: &str) -> Option<&str> {
        let text = text.to_ascii_lowercase();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        let names = |name: &String| {
            text.match_indices(name.as_str())
                .any(|(at, _)| !part(text[..at].chars().next_back()) && !part(text[at + name.len()..].chars().next()))
        };
        let named = self.receivers.iter().find(|receiver| receiver.says.iter().chain(&receiver.mx).any(names));
        named.and_then(|receiver| receiver.mx.first()).map(String::as_str)
    }

    /// What a reply means. `mx_host` is the name of the host that gave it, if it is known.
    pub fn classify(&self, reply: &Reply, mx_host: Option<&str>) -> Classification<'_> {
        let fitting = self.fitting(reply, mx_host);
        // `max_by_key` takes the last of equals, and the first rule is wanted.
        let best = fitting.into_iter().rev().max_by_key(|(much, _)| *much).map(|(_, rule)| rule);
        Classification::new(best, reply, lists::named_in(&reply.text()))
    }

    /// What each rule that fits says of a reply, the best first.
    pub fn every(&self, reply: &Reply, mx_host: Option<&str>) -> Vec<Classification<'_>> {
        let mut fitting = self.fitting(reply, mx_host);
        fitting.sort_by_key(|(much, _)| std::cmp::Reverse(*much));
        let lists = lists::named_in(&reply.text());
        fitting.into_iter().map(|(_, rule)| Classification::new(Some(rule), reply, lists.clone())).collect()
    }

    /// The rules that fit a reply better than all others do. More than one means that the order
    /// of the rules decides, which is meant for mere words only.
    pub fn best(&self, reply: &Reply, mx_host: Option<&str>) -> Vec<&Rule> {
        let fitting = self.fitting(reply, mx_host);
        let most = fitting.iter().map(|(much, _)| *much).max();
        fitting.into_iter().filter(|(much, _)| Some(*much) == most).map(|(_, rule)| rule).collect()
    }

    /// All rules that fit, each with how specific it is.
    fn fitting(&self, reply: &Reply, mx_host: Option<&str>) -> Vec<((u32, usize), &Rule)> {
        let text = reply.text().to_ascii_lowercase();
        let receiver = mx_host.and_then(|host| self.receiver(host));
        let status = reply.enhanced.or_else(|| status_in(&text, reply.code));
        let subject = Subject { code: reply.code, status, text: Searched::new(&text), receiver };
        self.rules.iter().filter_map(|rule| Some((rule.specificity(&subject)?, rule))).collect()
    }
}

/// Each `@NAME` as the words of that group.
fn spelled_out(words: &[String], groups: &HashMap<String, Vec<String>>) -> Result<Vec<String>, String> {
    let mut all = Vec::new();
    for word in words {
        match word.strip_prefix('@') {
            None => all.push(word.clone()),
            Some(name) => all.extend_from_slice(groups.get(name).ok_or_else(|| format!("there is no group {name:?}"))?),
        }
    }
    Ok(all)
}

/// What a reply means, by the rules that come with the server.
pub fn classify(reply: &Reply, mx_host: Option<&str>) -> Classification<'static> {
    Rules::shipped().classify(reply, mx_host)
}

impl Rule {
    /// Whether it goes by mere words, and has to be read in its order.
    pub fn goes_by_words(&self) -> bool {
        !self.words.is_empty()
    }

    fn from_written(w: Written) -> Result<Rule, String> {
        let patterns = |of: &[String]| of.iter().map(|t| TextPattern::parse(t)).collect::<Result<Vec<_>, _>>();
        let (texts, words, unless) = (patterns(&w.text)?, patterns(&w.words)?, patterns(&w.unless)?);
        let statuses = w.status.iter().map(|s| StatusPattern::parse(s)).collect::<Result<Vec<_>, _>>()?;
        if texts.is_empty() && words.is_empty() && statuses.is_empty() && w.reply.is_empty() {
            return Err("it has no condition".into());
        }
        let class = w.class;
        let of_class = || class.checks().iter().map(|c| (*c).to_owned()).collect();
        let rule = Rule {
            id: w.id,
            receivers: w.receiver,
            codes: w.reply,
            statuses,
            texts,
            words,
            unless,
            class,
            fault: w.fault.unwrap_or(class.fault()),
            action: w.action.unwrap_or(class.action()),
            pause: w.pause_minutes.map(|minutes| Duration::from_secs(60 * minutes)),
            cause: w.cause.unwrap_or_else(|| class.cause().to_owned()),
            advice: w.advice.unwrap_or_else(|| class.advice().to_owned()),
            checks: w.checks.unwrap_or_else(of_class),
            link: w.link,
        };
        if rule.action == Action::Suppress && rule.fault != Fault::Recipient {
            return Err("only a fault of the recipient may suppress".into());
        }
        Ok(rule)
    }

    /// How specific the rule is, and how much text was found; `None` if it does not fit.
    fn specificity(&self, subject: &Subject<'_>) -> Option<(u32, usize)> {
        let mut much = 0;
        if !self.receivers.is_empty() {
            match subject.receiver {
                Some(receiver) if self.receivers.iter().any(|r| r == receiver) => much += 32,
                Some(_) => return None,
                None if self.texts.is_empty() => return None,
                None => {}
            }
        }
        if !self.codes.is_empty() {
            self.codes.contains(&subject.code).then_some(())?;
            much += 1;
        }
        if !self.statuses.is_empty() {
            let status = subject.status?;
            let mut fitting = self.statuses.iter().filter(|s| s.matches(status)).peekable();
            fitting.peek()?;
            much += if fitting.any(StatusPattern::is_exact) { 8 } else { 2 };
        }
        let mut length = 0;
        if !self.texts.is_empty() {
            let found = self.texts.iter().filter(|t| t.is_in(&subject.text)).map(TextPattern::weight).max();
            length = found?;
            much += 16;
        }
        if !self.words.is_empty() {
            self.words.iter().any(|w| w.is_in(&subject.text)).then_some(())?;
            much += 4;
        }
        if self.unless.iter().any(|w| w.is_in(&subject.text)) {
            return None;
        }
        Some((much, length))
    }
}

/// A status that stands somewhere in the text, of the same class as the reply: `(#5.1.1)`.
fn status_in(text: &str, code: u16) -> Option<EnhancedCode> {
    let words = text.split(|c: char| !(c.is_ascii_digit() || c == '.'));
    let mut statuses = words.map(|w| w.trim_end_matches('.')).filter_map(EnhancedCode::parse_prefix);
    statuses.find(|status| u16::from(status.0) == code / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_rules_can_be_read() {
        Rules::parse(&FILES).unwrap();
    }

    #[test]
    fn a_wrong_rule_is_named() {
        for (rule, fault) in [
            ("id = 'a'\nclass = 'spf'", "rule a: it has no condition"),
            ("id = 'a'\nclass = 'spf'\ntext = ['x']\nreceiver = ['nobody']", "no receiver \"nobody\""),
            ("id = 'a'\nclass = 'spf'\nstatus = ['5.7']", "rule a: \"5.7\" is no status"),
            ("id = 'a'\nclass = 'spf'\ntext = ['x']\naction = 'suppress'", "only a fault of the recipient"),
            ("id = 'a'\nclass = 'spf'\ntext = ['x']\nunless = ['@them']", "rule a: there is no group \"them\""),
            ("id = 'a'\nclass = 'spff'", "unknown variant"),
            ("id = 'a'\nclass = 'spf'\nreply = [550]\ntxt = ['x']", "unknown field"),
        ] {
            let error = Rules::parse(&[&format!("[[rule]]\n{rule}")]).unwrap_err();
            assert!(error.contains(fault), "{error}");
        }
    }

    #[test]
    fn a_status_is_found_in_the_text() {
        assert_eq!(status_in("Message filtered. (#5.7.1)", 553), Some(EnhancedCode(5, 7, 1)));
        assert_eq!(status_in("client 5.7.1.9 refused", 550), None);
        assert_eq!(status_in("see 4.7.1", 550), None);
        assert_eq!(status_in("not allowed - 5.7.1 [BL23].", 553), Some(EnhancedCode(5, 7, 1)));
    }
}
