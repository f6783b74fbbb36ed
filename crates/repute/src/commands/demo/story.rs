//! The demo's story: a newsletter goes out with nothing set up, and receivers that judge as those
//! of the world refuse it; then one rule after the other is put right, and who takes it changes.
//!
//! The server is the real one, started anew for each chapter with that chapter's configuration;
//! what changes between them is a zone, an address, a key, a header field. Promise: what a
//! chapter says was said by the receivers over SMTP, and their refusals are explained by the same
//! rules as `repute explain`.

mod chapter;
mod told;
mod world;

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::ProgressBar;
use repute_playground::Received;
use repute_trust::receivers::{Decision, scores};
use repute_trust::replies::{classify, parse_pasted};
use repute_types::{Clock as _, SystemClock};
use serde::Serialize;

use self::chapter::Chapter;
use self::world::{StoryWorld, home_of};
use super::letters::Letter;
use super::submit;
use super::tally::Check;
use crate::config::{self, Files};
use crate::serve;

pub use self::told::{chapter as tell, head, moral};

/// A receiver decides in milliseconds; a slow machine takes more.
const PATIENCE: Duration = Duration::from_secs(15);

/// What came of the newsletter in one chapter.
#[derive(Debug, Serialize)]
pub struct Told {
    /// What was put right: `2 Forward/reverse`; empty in the first.
    pub rule: &'static str,
    pub what: String,
    /// Points of 100, as the plain receiver sees the sender.
    pub trust: u32,
    /// The points of rspamd.
    pub points: f64,
    pub receivers: Vec<Heard>,
}

/// One receiver's decision.
#[derive(Debug, Serialize)]
pub struct Heard {
    pub receiver: String,
    /// `inbox`, `junk`, `refused`; `nothing` where none came in time.
    pub decision: String,
    /// What it said, where it refused.
    pub reply: Option<String>,
    /// The check of ours behind it.
    pub check: Option<String>,
    /// What `repute explain` says of the reply.
    pub cause: Option<String>,
    /// Its rule names the check that the receiver refused for.
    pub explained: bool,
    pub because: Option<String>,
}

/// `None` where loopback is one address alone: the story needs two, and receivers of their own.
pub async fn play(mut each: impl FnMut(&Told)) -> anyhow::Result<Option<Vec<Told>>> {
    let Some(world) = StoryWorld::start().await? else { return Ok(None) };
    let mut story = Vec::new();
    for chapter in Chapter::ALL {
        let told = one(&world, chapter).await.with_context(|| format!("telling of {:?}", chapter.title()))?;
        each(&told);
        story.push(told);
    }
    Ok(Some(story))
}

async fn one(world: &StoryWorld, chapter: Chapter) -> anyhow::Result<Told> {
    let folder = tempfile::Builder::new().prefix("repute-demo-").tempdir().context("a temporary folder")?;
    let stage = chapter.stage(world, folder)?;
    let before: Vec<u64> = world.receivers.iter().map(|r| decided(r.inbox())).collect();
    let server = serve::start(config::load(&stage.config, Files::Check)?, stage.log()?).await?;
    let submission = stage.submission(&server)?;
    let letter: Arc<Letter> = Arc::new(chapter.newsletter(SystemClock.now()));
    submit::submit(&submission, &[letter], &ProgressBar::hidden()).await?;
    let deadline = Instant::now() + PATIENCE;
    let all_decided = || world.receivers.iter().zip(&before).all(|(r, before)| decided(r.inbox()) > *before);
    while !all_decided() && Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server.stop().await;
    Ok(told(world, chapter, &before))
}

fn decided(inbox: &repute_playground::Inbox) -> u64 {
    let counts = inbox.counts();
    counts.messages + counts.refused
}

fn told(world: &StoryWorld, chapter: Chapter, before: &[u64]) -> Told {
    let (mut trust, mut points, mut receivers) = (0, 0.0, Vec::new());
    for (receiver, before) in world.receivers.iter().zip(before) {
        let inbox = receiver.inbox();
        let home = home_of(receiver.host());
        let last = (decided(inbox) > *before).then(|| last(inbox, chapter)).flatten();
        if let Some(seen) = last.as_ref().and_then(|received| received.seen.as_ref()) {
            trust = seen.sight.trust;
            points = scores(&seen.sight.signs, &seen.sight.generic).first().map_or(0.0, |score| score.points);
        }
        receivers.push(heard(home.name, receiver.host(), last.and_then(|received| received.decision)));
    }
    Told { rule: chapter.rule(), what: chapter.title(), trust, points, receivers }
}

/// This chapter's newsletter, whether it was taken or refused.
fn last(inbox: &repute_playground::Inbox, chapter: Chapter) -> Option<Received> {
    let is_it = |received: &Received| received.message_id == chapter.message_id();
    inbox.refused().into_iter().chain(inbox.messages()).rfind(is_it)
}

fn heard(receiver: &str, host: &str, decision: Option<Decision>) -> Heard {
    let mut heard = Heard {
        receiver: receiver.to_owned(),
        decision: decision.as_ref().map_or("nothing", Decision::as_str).to_owned(),
        reply: None,
        check: decision.as_ref().and_then(Decision::check).map(str::to_owned),
        cause: None,
        explained: true,
        because: None,
    };
    match decision {
        Some(Decision::Refused { reply, check }) => {
            let pasted = parse_pasted(&reply);
            let found = pasted.as_ref().map(|pasted| classify(&pasted.reply, Some(host)));
            heard.cause = found.as_ref().map(|found| found.cause.to_owned());
            heard.explained = found.is_some_and(|found| found.checks.contains(&check.as_str()));
            heard.reply = Some(reply);
        }
        Some(Decision::Junk { because, .. }) => heard.because = Some(because),
        _ => {}
    }
    heard
}

/// What has to be so for the story to be true.
pub fn checks(story: &[Told]) -> Vec<Check> {
    let takes = |told: &Told| told.receivers.iter().filter(|r| r.decision == "inbox").count();
    let all = story.last().map_or(0, |told| told.receivers.len());
    let (first, last) = (story.first().map_or(0, takes), story.last().map_or(0, takes));
    let rises = story.windows(2).all(|pair| pair[0].trust <= pair[1].trust && pair[0].points >= pair[1].points);
    let trust = story.last().map_or(0, |told| told.trust);
    let silent = story.iter().flat_map(|told| &told.receivers).filter(|r| r.decision == "nothing").count();
    let refusals: Vec<&Heard> = story.iter().flat_map(|t| &t.receivers).filter(|r| r.reply.is_some()).collect();
    let explained = refusals.iter().filter(|r| r.explained).count();
    let check = |what: String, holds: bool| Check { what, holds };
    vec![
        check(
            format!("the newsletter reached {first} of {all} inboxes with nothing set up, and {last} with all of it"),
            first == 0 && last == all && all > 0,
        ),
        check(format!("trust rose with every rule, to {trust} of 100"), rises && trust == 100),
        check(
            format!("{explained} of {} refusals are explained as what they were given for", refusals.len()),
            explained == refusals.len() && !refusals.is_empty(),
        ),
        check(format!("{silent} receivers left without a decision"), silent == 0),
    ]
}
