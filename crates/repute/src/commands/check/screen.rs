//! The report for people: a block for each address and domain, a line for each rule.

use repute_audit::{Change, Pair, Past, Report, rule_of};
use repute_trust::checks::{Entry, Finding, Outcome, Rule};
use repute_trust::receivers::{Filter, Sign, predicted};
use repute_types::Timestamp;

use crate::out::{self, Tone};

/// Where sentences begin, and where they are broken.
const INDENT: usize = 24;
const WIDTH: usize = 108;

pub fn page(report: &Report, verbose: bool) -> String {
    let mut text = String::new();
    for pair in &report.pairs {
        let findings: Vec<&Finding> = report.of(pair.address, pair.domain.as_ref()).collect();
        text += &head(report, pair);
        for rule in Rule::ALL {
            let of: Vec<&Finding> = findings.iter().copied().filter(|f| rule_of(f) == rule).collect();
            if !of.is_empty() {
                text += &block(rule, &of, &findings, verbose);
            }
        }
        if report.whole {
            text += &takes(pair);
        }
        text.push('\n');
    }
    text
}

fn head(report: &Report, pair: &Pair) -> String {
    let address = pair.address.map_or("no address".to_owned(), |ip| ip.to_string());
    let domain = pair.domain.as_ref().map_or("no domain is set up".to_owned(), |d| format!("sending as {d}"));
    let left = format!("{}  {address}   {domain}", pair.ehlo);
    let most = if pair.at_most { " at most" } else { "" };
    let right = if report.whole { format!("trust {}/100{most}", pair.trust) } else { String::new() };
    let gap = (WIDTH - 20).saturating_sub(left.chars().count()).max(3);
    let gap = if right.is_empty() { String::new() } else { " ".repeat(gap) };
    format!("{}{gap}{right}\n\n", out::tone(&left, Tone::Strong))
}

fn sign(outcome: Outcome, rule: Option<Rule>) -> String {
    match outcome {
        Outcome::Pass if rule == Some(Rule::SinceThen) => out::tone("+", Tone::Good),
        Outcome::Pass => out::tone("✓", Tone::Good),
        Outcome::Warn => out::tone("!", Tone::Warning),
        Outcome::Unknown => out::tone("?", Tone::Warning),
        Outcome::Fail => out::tone("✗", Tone::Bad),
    }
}

/// A rule with what is wrong, the worst first, or with the sentence of the check that leads it.
pub fn block(rule: Rule, findings: &[&Finding], all: &[&Finding], verbose: bool) -> String {
    // A warning that follows from what another rule tells is told there.
    let counts = |f: &&&Finding| f.outcome > Outcome::Warn || is_cause(f, all);
    let worst = findings.iter().filter(counts).map(|f| f.outcome).max().unwrap_or(Outcome::Pass);
    let mut wrong: Vec<&Finding> = findings.iter().copied().filter(|f| is_cause(f, all)).collect();
    wrong.sort_by_key(|f| std::cmp::Reverse(f.outcome));
    let more = fold(&mut wrong);
    let number = if rule.number() == 0 || rule == Rule::SinceThen { " ".into() } else { rule.number().to_string() };
    let title = format!("  {} {number} {:<15}   ", sign(worst, Some(rule)), rule.title());
    let mut text = String::new();
    // The worst that is wrong here may follow from what another rule tells.
    let follows = wrong.iter().all(|f| f.outcome < worst) && worst != Outcome::Pass;
    let mut others = wrong.iter();
    match others.clone().next() {
        _ if follows => {
            let first = findings.iter().find(|f| f.outcome == worst).and_then(|f| f.follows).unwrap_or_default();
            text += &sentence(&title, &format!("see {first}: this follows from it"));
        }
        None => text += &sentence(&title, &passes(findings)),
        Some(first) => {
            others.next();
            text += &sentence(&title, &first.verdict);
            text += &fix(first);
        }
    }
    for other in others {
        text += &sentence(&format!("{:w$}{} ", "", sign(other.outcome, None), w = INDENT - 2), &other.verdict);
        text += &fix(other);
    }
    if more > 0 && !verbose {
        text += &format!("{:INDENT$}and {more} more like it: --verbose shows them\n", "");
    }
    if verbose {
        for finding in findings {
            let lead = format!("{:w$}{} ", "", sign(finding.outcome, None), w = INDENT - 2);
            let all = sentence(&lead, &format!("{}  {}", finding.id, finding.verdict));
            text += &out::tone(all.trim_end_matches('\n'), Tone::Faint);
            text.push('\n');
        }
    }
    text
}

/// Findings of one check that the same advice puts right (a server that is behind for every name)
/// are told once. How many were left out.
fn fold(findings: &mut Vec<&Finding>) -> usize {
    let all = findings.len();
    let mut told: Vec<(&str, Outcome, &str)> = Vec::new();
    findings.retain(|f| {
        let advice = match &f.fix {
            Some(fix) if fix.records.is_empty() => fix.advice.as_str(),
            // What nobody answers is one fault, not one for each name.
            None if f.outcome == Outcome::Unknown => "",
            _ => return true,
        };
        let like = (f.id, f.outcome, advice);
        let new = !told.contains(&like);
        told.push(like);
        new
    });
    all - findings.len()
}

/// Whether a finding is told: not where another that is told puts it right too.
fn is_cause(finding: &Finding, findings: &[&Finding]) -> bool {
    let root = |id| findings.iter().any(|f| f.id == id && f.outcome != Outcome::Pass);
    finding.outcome != Outcome::Pass && !finding.follows.is_some_and(root)
}

/// The sentences of the first check of the rule that has any.
fn passes(findings: &[&Finding]) -> String {
    let mut passed = findings.iter().filter(|f| f.outcome == Outcome::Pass);
    let Some(first) = passed.next() else { return String::new() };
    let of: Vec<&str> =
        std::iter::once(first).chain(passed.filter(|f| f.id == first.id)).map(|f| f.verdict.as_str()).collect();
    of.join("; ")
}

fn fix(finding: &Finding) -> String {
    let Some(fix) = &finding.fix else { return String::new() };
    let mut text = sentence(&format!("{:w$}{} ", "", out::tone("fix", Tone::Strong), w = INDENT - 4), &fix.advice);
    for record in &fix.records {
        // In one piece, to be copied.
        text += &format!("{:INDENT$}{}\n", "", out::plain(record));
    }
    text + &prechecks(finding)
}

/// What a list will look at before it removes an entry, with how that comes out for us.
fn prechecks(finding: &Finding) -> String {
    if finding.prechecks.is_empty() {
        return String::new();
    }
    let each = finding.prechecks.iter().map(|(id, outcome)| match outcome {
        Some(outcome) => format!("{id} {outcome}"),
        None => format!("{id} not checked here"),
    });
    let text = format!("before you ask, as the list will: {}", each.collect::<Vec<_>>().join(", "));
    sentence(&format!("{:INDENT$}", ""), &text)
}

/// `lead` and then the text, broken between words and set in.
fn sentence(lead: &str, text: &str) -> String {
    let mut lines = vec![String::new()];
    for word in out::plain(text).split_whitespace() {
        let line = lines.last().map_or(0, |l| l.chars().count());
        if line > 0 && INDENT + line + 1 + word.chars().count() > WIDTH {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let indent = format!("\n{:INDENT$}", "");
    format!("{lead}{}\n", lines.join(&indent))
}

/// What receivers are known to do. A question mark where what they ask for is not known.
fn takes(pair: &Pair) -> String {
    let each = pair.takes.iter().map(|takes| {
        let code = takes.code.map_or(String::new(), |code| format!(" {code}"));
        format!("{} {}{code}", takes.provider, sign(takes.outcome, None))
    });
    format!("\n  Who takes this mail today:  {}\n", each.collect::<Vec<_>>().join("   "))
}

pub fn since(past: &Past, changes: &[Change], now: Timestamp) -> String {
    let ago = out::relative(past.at, now);
    if changes.is_empty() {
        return format!("Nothing has changed since the last run, {ago}.\n");
    }
    let word = |outcome: Option<Outcome>| outcome.map_or("not there".to_owned(), |o| o.to_string());
    let line = |c: &Change| {
        let sign = c.now.map_or(" ".to_owned(), |outcome| sign(outcome, None));
        format!("  {sign} {} ({}): {} → {}\n", c.id, out::plain(&c.about), word(c.before), word(c.now))
    };
    format!("Since the last run, {ago}:\n{}", changes.iter().map(line).collect::<String>())
}

pub fn explained(entry: &Entry) -> String {
    let mut text = format!("{}: {}\n", out::tone(&entry.id, Tone::Strong), entry.title);
    let mut line = |what: &str, value: String| text += &format!("  {what:<13}{value}\n");
    line("rule", entry.rule.to_string());
    if !entry.refused_by.is_empty() {
        line("refused by", entry.refused_by.join(", "));
    }
    match entry.built {
        true => {
            line("weight", format!("{} of 100 points of trust", entry.weight));
            line("source", entry.source.clone());
            let run = if entry.message { "repute message check FILE" } else { "repute check" };
            line("run it", format!("{run} --only {}", entry.id));
        }
        false => line("state", format!("not built: {}", entry.why_not)),
    }
    for (n, sign) in predicted(&entry.id).iter().enumerate() {
        line(if n == 0 { "filters" } else { "" }, raised(sign));
    }
    text
}

/// What filters raise for a sign: `the address has no reverse name: rspamd RDNS_NONE 1; ...`.
fn raised(sign: &Sign) -> String {
    let of = |filter: &Filter| {
        let rules: Vec<String> = sign.rules(*filter).iter().map(|(name, points)| format!("{name} {points}")).collect();
        (!rules.is_empty()).then(|| format!("{} {}", filter.as_str(), rules.join(", ")))
    };
    let each: Vec<String> = Filter::ALL.iter().filter_map(of).collect();
    format!("{}: {}", sign.says, each.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_was_crossed_out_and_only_a_question_told_below_it() {
        let open = Finding::unknown("ip.static", "x", "whether x is static", "no answer");
        let follows = Finding::fail("ip.v6.complete", "x", "x is not set up whole").follows("name.fcrdns");
        let cause = Finding::fail("name.fcrdns", "x", "the name of x leads elsewhere");
        let text = block(Rule::StaticAddress, &[&open, &follows], &[&open, &follows, &cause], false);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("\u{2717} 1 Static IP") && lines[0].contains("see name.fcrdns"), "{text}");
        assert!(lines[1].contains("? whether x is static"), "{text}");
    }
}
