//! The story for people: a line for each chapter with who takes the newsletter now, and below it
//! what was said.

use super::{Heard, Told};
use crate::out::{self, Tone};

/// Where sentences are broken.
const WIDTH: usize = 108;
const INDENT: usize = 19;

pub fn head() -> String {
    let title = out::tone("A newsletter, and what receivers make of it", Tone::Strong);
    format!(
        "{title}\n  Five receivers judge as those of the world do; one rule after the other is put right. Each chapter is\n  \
         the real server, and what is quoted is what came back over SMTP.\n\n"
    )
}

pub fn chapter(told: &Told) -> String {
    let rule = if told.rule.is_empty() { "Nothing set up" } else { told.rule };
    let mut text = format!("  {} {}\n", out::tone(&format!("{rule:<17}"), Tone::Strong), told.what);
    text += &format!(
        "  {:<16}  trust {:>3}/100, rspamd {:.1} points   {}\n",
        "",
        told.trust,
        told.points.max(0.0),
        told.receivers.iter().map(mark).collect::<Vec<_>>().join("   ")
    );
    let mut said: Vec<&str> = Vec::new();
    for heard in &told.receivers {
        text += &words(heard, &mut said);
    }
    text.push('\n');
    text
}

fn mark(heard: &Heard) -> String {
    let sign = match heard.decision.as_str() {
        "inbox" => out::tone("✓", Tone::Good),
        "junk" => out::tone("junk", Tone::Warning),
        "refused" => out::tone("✗", Tone::Bad),
        _ => "?".to_owned(),
    };
    format!("{} {sign}", heard.receiver)
}

/// What a receiver said and what it means; the same cause is told once a chapter.
fn words<'a>(heard: &'a Heard, said: &mut Vec<&'a str>) -> String {
    if let Some(because) = &heard.because {
        return broken(&format!("{:<14} takes it as junk: {because}", heard.receiver), Tone::Faint);
    }
    let (Some(reply), Some(cause)) = (&heard.reply, &heard.cause) else { return String::new() };
    let mut text = broken(&format!("{:<14} {}", heard.receiver, shortened(reply)), Tone::Faint);
    if !said.contains(&cause.as_str()) {
        said.push(cause);
        text += &broken(&format!("{:<14} → {cause}", ""), Tone::Strong);
    }
    text
}

/// The first sentence or two of a reply: the rest are links.
fn shortened(reply: &str) -> String {
    let reply = reply.split(" https://").next().unwrap_or(reply);
    let most = 170;
    match reply.char_indices().nth(most) {
        Some((end, _)) => format!("{} …", &reply[..end]),
        None => reply.to_owned(),
    }
}

fn broken(text: &str, tone: Tone) -> String {
    let mut lines = vec![String::new()];
    let text = out::plain(text);
    let (lead, rest) = text.split_at(text.char_indices().nth(15).map_or(text.len(), |(at, _)| at));
    for word in rest.split_whitespace() {
        if let Some(line) = lines.last_mut().filter(|l| INDENT + 15 + l.chars().count() + word.chars().count() < WIDTH)
        {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    let gap = format!("\n{:w$}", "", w = INDENT + 15);
    format!("{:INDENT$}{}\n", "", out::tone(&format!("{lead}{}", lines.join(&gap)), tone))
}

/// What Repute does instead of sending badly, said once.
pub fn moral() -> String {
    "  `repute check` finds each of these before the first message leaves; `repute setup` puts them right.\n\n"
        .to_owned()
}
