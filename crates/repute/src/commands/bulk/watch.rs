//! How far a campaign is, until it is done: rate, deferrals, bounces, time left.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use repute_engine::bulk::words::{Campaign, State};
use serde::Deserialize;

use super::page;
use crate::cli::{Context, Ended, Exit};
use crate::control::client::Talk;
use crate::control::wire::Request;
use crate::out;

const LOOK: Duration = Duration::from_millis(500);

/// Shows a campaign until nobody waits any more, or it is cancelled.
pub fn run(server: &mut Talk, campaign: &str, context: &Context) -> anyhow::Result<Exit> {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("  {bar:30.green} {pos}/{len}  {wide_msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut pace = Pace::default();
    loop {
        let answer = server.ask(&Request::BulkShowV1 { campaign: campaign.to_owned() }).map_err(|error| {
            bar.finish_and_clear();
            Ended::going_on(error, || {
                format!("The campaign goes on with it: `repute bulk watch {campaign}` shows how far it is")
            })
        })?;
        let now = Campaign::deserialize(&answer)?;
        bar.set_length(now.taken);
        bar.set_position(now.taken - now.waiting.min(now.taken));
        bar.set_message(pace.told(&now, Instant::now()));
        if matches!(now.state, State::Done | State::Cancelled) {
            bar.finish_and_clear();
            match context.json {
                true => out::json(&answer),
                false => out::print(&page(&now)),
            }
            return Ok(if now.state == State::Done { Exit::Done } else { Exit::Problem });
        }
        std::thread::sleep(LOOK);
    }
}

/// The rate over the last looks.
#[derive(Default)]
struct Pace {
    looks: Vec<(Instant, u64)>,
}

const LOOKS: usize = 20;

impl Pace {
    fn told(&mut self, campaign: &Campaign, at: Instant) -> String {
        let done = campaign.taken.saturating_sub(campaign.waiting);
        if self.looks.len() == LOOKS {
            self.looks.remove(0);
        }
        self.looks.push((at, done));
        let mut text =
            format!("{} delivered, {} deferred, {} bounced", campaign.delivered, campaign.deferred, campaign.failed);
        if let Some(circuit) = campaign.circuit.as_ref().filter(|_| campaign.state == State::Running) {
            return out::plain(&format!("{text}; stopped: {}; {}", circuit.text, circuit.cure));
        }
        match campaign.state {
            State::Paused => text += &format!("; paused: {}", campaign.reason.as_deref().unwrap_or_default()),
            State::Cancelling => text += "; it is being cancelled",
            State::Loading => text += "; the list is loading",
            _ => {
                if let Some(rate) = self.rate() {
                    let left = Duration::from_secs_f64(campaign.waiting as f64 / rate);
                    text += &format!("; {rate:.0}/s, {} left", out::short(left));
                }
            }
        }
        out::plain(&text)
    }

    /// A second, if there is any.
    fn rate(&self) -> Option<f64> {
        let ((first, before), (last, now)) = (self.looks.first()?, self.looks.last()?);
        let seconds = last.duration_since(*first).as_secs_f64();
        let rate = (now.saturating_sub(*before)) as f64 / seconds;
        (seconds > 0.0 && rate > 0.0).then_some(rate)
    }
}
