//! What the spool held at the start, on its way into the queue: in the background, a page at a time, seconds for a million
//! parts.
//!
//! Promise: all that can be read is entered, once. An operator's word waits until it is ([`ended`]): what is not in the queue
//! yet could not be held, and would be sent a moment later. A spool that cannot be read is tried again, and nobody waits for it.

use std::sync::Arc;
use std::time::Duration;

use repute_spool::{CampaignState, MessageMeta, PartRecord, Stretch, Walk};
use repute_types::event::Level;
use repute_types::{MessageId, PartId, Timestamp};
use tokio::sync::watch;

use crate::works::Works;
use crate::{Begin, circuit, held};

const PAGE: usize = 10_000;

/// How much of what the spool held at the start is in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Loading {
    UnderWay,
    /// The spool cannot be read now; it is tried again.
    Hindered,
    Over,
}

/// Waits until all that was there at the start is in the queue, but not for a spool that cannot be read.
pub(crate) async fn ended(works: &Works) {
    let mut loading = works.loading.subscribe();
    // Who could tell is the works themselves, which are there.
    let _ = loading.wait_for(|now| *now != Loading::UnderWay).await;
}

/// However it ends, nobody waits for it any more.
struct Ending<'a>(&'a Works);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.loading.send_replace(Loading::Over);
    }
}

/// Enters what the spool held at start, oldest first, up to the last id of then: what was
/// accepted since enters by itself.
pub(crate) async fn run(works: Arc<Works>, last: Option<MessageId>, stop: watch::Receiver<bool>, how: Begin) {
    let _ending = Ending(&works);
    let Some(last) = last else { return };
    let mut walk = Walk::behind(None);
    let mut count = 0usize;
    loop {
        let page = match walk.next(&*works.doors.spool, PAGE).await {
            Ok(Some(Stretch::Parts(page))) => page,
            Ok(None) => break,
            // What cannot be read cannot be queued: it stays where it is, and the rest goes on.
            Ok(Some(Stretch::Damaged(id))) => {
                let text = format!("the record of message {id} is damaged: it is not delivered");
                works.note(Level::Error, "spool", text);
                continue;
            }
            Ok(Some(Stretch::Gap { after, next })) => {
                works.note(Level::Error, "spool", gap(after, next));
                continue;
            }
            Err(error) => {
                works.loading.send_replace(Loading::Hindered);
                works.note(Level::Error, "spool", format!("the queue could not be read at start: {error}"));
                tokio::time::sleep(Duration::from_secs(5)).await;
                if *stop.borrow() {
                    return;
                }
                continue;
            }
        };
        works.loading.send_replace(Loading::UnderWay);
        let ended = page.last().is_some_and(|(meta, _)| meta.id > last);
        let now = works.now();
        let entries: Vec<_> = page
            .into_iter()
            .filter(|(meta, _)| meta.id <= last)
            .map(|(meta, part)| {
                if how == Begin::Held {
                    return held::entry(&works, &meta, part);
                }
                let part = circuit::let_go_at_start(&works, &meta, part);
                repute_queue::Entry { due: due_at_start(&works, &meta, &part), ..works.entry(&meta, &part) }
            })
            .collect();
        works.queue(|queue| {
            // A campaign may be cancelled meanwhile: looked at where it takes effect.
            for entry in entries.into_iter().filter(|entry| may_wait(&works, entry.part.message)) {
                queue.enter(entry, now);
                count += 1;
            }
        });
        if ended || *stop.borrow() {
            break;
        }
    }
    match how {
        Begin::Held => works.note(Level::Warning, "start", held::told(count)),
        Begin::GoesOn if count == 0 => {}
        Begin::GoesOn => {
            works.note(Level::Info, "start", format!("{count} parts of messages from before are in the queue"));
        }
    }
}

fn gap(after: Option<PartId>, next: Option<PartId>) -> String {
    let from = after.map_or_else(|| "from the beginning".to_owned(), |part| format!("behind {part}"));
    let to = next.map_or_else(|| "to the end".to_owned(), |part| format!("before {part}"));
    format!(
        "a page of the spool's database is damaged: messages that stood there, {from} and {to}, cannot be read and \
         are not delivered; all others are. The history knows which they were (`repute why`)"
    )
}

/// When a part of before is due. Where the clock has been set back meanwhile, a first attempt is due now and a retry
/// no later than retries ever are: the mail does not wait until the clock is where it was. A receiver that asked for a
/// longer wait is asked a little early after a start.
fn due_at_start(works: &Works, meta: &MessageMeta, part: &PartRecord) -> Timestamp {
    let now = works.now();
    match part.attempts {
        // A time to be sent at is later than the time it came in.
        0 if part.due <= meta.received => part.due.min(now),
        0 => part.due,
        _ => part.due.min(now + works.settings().retry.longest()),
    }
}

/// What belongs to a campaign that is loading is not ours yet, and what is cancelled not any more.
fn may_wait(works: &Works, message: MessageId) -> bool {
    let state = works.bulk.state(message);
    !state.is_some_and(|state| state == CampaignState::Loading || state.is_over())
}
