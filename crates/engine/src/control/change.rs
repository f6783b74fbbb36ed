//! An operator's word on parts of the queue: hold, release, retry, cancel, and what the closing of a circuit lets go.
//!
//! Page by page: however many are meant, a page of them is in memory, and no more is handed to the spool than it has yet
//! to write. Each page is done to its end, also where who asked has gone away.
//! Every record is changed as [`crate::aside`] says. A part that is meant is counted once: as changed, or as what holds it still.

use std::collections::HashMap;
use std::sync::Arc;

use repute_queue::{Change as Changed, Feedback, Intent, Then};
use repute_spool::{CampaignState, Hold, Holder, MessageMeta, PartRecord, PartState, SpoolError};
use repute_types::{AccountName, Domain, MessageId, Timestamp, shell};

use super::select::{Pages, is_written};
use super::{Changes, Control, ControlError, Selector, StillHeld};
use crate::aside::{self, Taken};
use crate::bulk::Known;
use crate::circuit::Subject;
use crate::refill;
use crate::settle;
use crate::works::Works;

/// Settlements that may wait for the disk before it is waited for.
const UNWRITTEN_MOST: usize = 5_000;

/// What is to become of each part that is meant.
#[derive(Clone)]
pub(super) enum Word {
    /// With the reason.
    Hold(String),
    Release,
    /// Where that circuit held it, which is closed.
    Continue(Subject),
    /// Mail that is to be sent later, too, where it was named by its id.
    Retry {
        named: bool,
    },
    /// With what is told of it; of one circuit's subject alone, but for its campaigns, where it is given.
    Cancel(String, Option<Subject>),
}

impl Word {
    /// By what was read of a part before it is leased.
    fn concerns(&self, meta: &MessageMeta, part: &PartRecord) -> bool {
        match self {
            Word::Hold(_) => part.state == PartState::Due,
            Word::Release | Word::Retry { .. } | Word::Cancel(_, None) => true,
            Word::Continue(subject) => {
                matches!(&part.state, PartState::Held(hold) if subject.holds(meta, hold.by))
            }
            Word::Cancel(_, Some(subject)) => subject.covers(meta) && meta.letter.is_none(),
        }
    }

    /// What is kept for whoever has a part leased.
    fn intent(&self) -> Intent {
        match self {
            Word::Hold(reason) => Intent::Hold(reason.clone()),
            Word::Release | Word::Continue(_) => Intent::Release,
            Word::Retry { .. } => Intent::Retry,
            Word::Cancel(why, _) => Intent::Cancel(why.clone()),
        }
    }
}

/// Why parts do not go for all that was asked.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Still {
    /// The campaign that they are of.
    Campaign(MessageId),
    /// A circuit, by its name.
    Circuit(String),
    /// No permit for the domain that they are sent as.
    Permit(Option<Domain>),
    /// They are held by themselves, and only waiting ones were asked for.
    Themselves(Option<AccountName>),
    /// They are to be sent later.
    Time(Option<AccountName>),
}

impl Control {
    pub(super) async fn change(&self, selector: &Selector, word: Word) -> Result<Changes, ControlError> {
        if selector.is_empty() {
            return Err(ControlError::NothingSelected);
        }
        let (works, spool) = (&self.works, &*self.works.doors.spool);
        refill::ended(works).await;
        let mut changes = Changes::default();
        // What comes in from now on is not meant: else this might never end.
        let Some(last) = spool.last_id().await.map_err(ControlError::Spool)? else { return Ok(changes) };
        let mut pages = Pages::of(selector, Some(last), works.now())?;
        while let Some(page) = pages.next(spool, &|_| false).await? {
            // A task of its own, because a page that is left off half-way would leave its parts leased.
            let done = tokio::spawn(do_page(works.clone(), page, word.clone()));
            changes.add(done.await.map_err(|_| ControlError::Spool(SpoolError::Closed))?);
            if spool.unsettled() > UNWRITTEN_MOST && !is_written(spool).await? && !works.may_start_attempts() {
                changes.unfinished = true;
                break;
            }
        }
        self.flushed(changes).await
    }

    /// What was changed is so, also where the disk refuses to be told: then it says that.
    async fn flushed(&self, changes: Changes) -> Result<Changes, ControlError> {
        let unwritten = !is_written(&*self.works.doors.spool).await?;
        Ok(Changes { unwritten: unwritten && !changes.is_none(), ..changes })
    }
}

async fn do_page(works: Arc<Works>, parts: Vec<(MessageMeta, PartRecord)>, word: Word) -> Changes {
    let mut page = Page { works: &works, now: works.now(), done: Changes::default(), still: HashMap::new() };
    let mut aside = Vec::new();
    for (meta, part) in parts {
        if !word.concerns(&meta, &part) {
            continue;
        }
        let has_record_to_change = match &word {
            Word::Retry { named } => page.retry(&meta, &part, *named),
            Word::Release if part.state == PartState::Due => {
                page.is_free(&meta);
                false
            }
            _ => true,
        };
        if has_record_to_change {
            aside.push((Arc::new(meta), part.id));
        }
    }
    let taken = aside::take(&works, aside, &word.intent()).await;
    page.done.after_attempt += taken.after_lease;
    for part in taken.taken {
        page.carry_out(&word, part);
    }
    page.end()
}

/// One page's work.
struct Page<'a> {
    works: &'a Works,
    now: Timestamp,
    done: Changes,
    still: HashMap<Still, usize>,
}

impl Page<'_> {
    /// On a part that is leased, as it now is.
    fn carry_out(&mut self, word: &Word, Taken { mut loaded, as_it_was }: Taken) {
        let works = self.works;
        let is_due = loaded.part.state == PartState::Due;
        let then = match word {
            Word::Cancel(why, _) => {
                self.done.now += 1;
                return settle::cancel(works, loaded, why.clone());
            }
            Word::Hold(reason) if is_due => {
                self.done.now += 1;
                loaded.part = works.write_held(&loaded.meta, loaded.part, Hold::new(Holder::Operator, reason));
                Then::Held
            }
            Word::Retry { .. } if is_due => {
                self.goes_or_waits(&loaded.meta, &loaded.part);
                aside::bring_forward(works, &mut loaded)
            }
            Word::Release | Word::Continue(_) if !is_due => {
                let then = self.release(word, &mut loaded);
                return aside::put_back_stopped(works, loaded, then);
            }
            _ => as_it_was,
        };
        aside::put_back(works, loaded, then, Feedback::None);
    }

    /// What a circuit stops is held by that one from now on.
    fn release(&mut self, word: &Word, loaded: &mut crate::fresh::Loaded) -> Then {
        let PartState::Held(hold) = &loaded.part.state else { return Then::Held };
        if !word.concerns(&loaded.meta, &loaded.part) {
            return Then::Held;
        }
        if let Some(stops) = self.works.circuits.stops(&loaded.meta).filter(|_| loaded.meta.letter.is_none()) {
            if *hold != stops {
                loaded.part = self.works.write_held(&loaded.meta, loaded.part.clone(), stops);
            }
            self.is_free(&loaded.meta);
            return Then::Held;
        }
        if self.is_free(&loaded.meta) {
            self.goes_or_waits(&loaded.meta, &loaded.part);
        }
        aside::release(self.works, loaded)
    }

    /// Makes a part due now; where its record has to say so, that is the answer, and nothing is done.
    fn retry(&mut self, meta: &MessageMeta, part: &PartRecord, named: bool) -> bool {
        if !self.is_free(meta) {
            return false;
        }
        if part.state != PartState::Due {
            self.holds(Still::Themselves(meta.account.clone()));
            return false;
        }
        if aside::is_scheduled(part, self.now) {
            if !named {
                self.holds(Still::Time(meta.account.clone()));
            }
            return named;
        }
        match self.works.queue(|queue| queue.retry(part.id, self.now)) {
            Changed::Now => self.goes_or_waits(meta, part),
            Changed::AfterAttempt => self.done.after_attempt += 1,
            Changed::Unknown => {}
        }
        false
    }

    /// Whether nothing holds mail of this as a whole; what does is counted.
    fn is_free(&mut self, meta: &MessageMeta) -> bool {
        let still = match self.works.bulk.state(meta.id) {
            Some(CampaignState::Loading | CampaignState::Paused(_)) => Some(Still::Campaign(meta.id)),
            // It is being taken out.
            Some(CampaignState::Cancelling | CampaignState::Cancelled) => return false,
            Some(CampaignState::Running) | None => self.works.circuits.stopper(meta).map(Still::Circuit),
        };
        match still {
            Some(still) => {
                self.holds(still);
                false
            }
            None => true,
        }
    }

    /// A part goes on, unless it has no permit.
    fn goes_or_waits(&mut self, meta: &MessageMeta, part: &PartRecord) {
        match self.works.way(&self.works.settings(), &self.works.flow(meta, part)) {
            Some(_) => self.done.now += 1,
            None => self.holds(Still::Permit(meta.author.clone())),
        }
    }

    fn holds(&mut self, still: Still) {
        *self.still.entry(still).or_default() += 1;
    }

    fn end(mut self) -> Changes {
        for (still, parts) in std::mem::take(&mut self.still) {
            if let Some(row) = row(self.works, still, parts) {
                self.done.hold_still(row);
            }
        }
        self.done
    }
}

/// What is said of what holds parts; none where it has let go meanwhile.
fn row(works: &Works, still: Still, parts: usize) -> Option<StillHeld> {
    let parts = Some(parts);
    let of = |account: Option<AccountName>| account.map_or_else(|| "the server itself".to_owned(), |a| a.to_string());
    Some(match still {
        Still::Campaign(id) => StillHeld { parts, ..of_campaign(&*works.bulk.known(id)?)? },
        Still::Circuit(name) => {
            let row = works.circuits.list().into_iter().find(|row| row.name == name)?;
            StillHeld { name, parts, text: row.text, cure: row.cure }
        }
        Still::Permit(domain) => StillHeld {
            name: domain.as_ref().map_or_else(String::new, ToString::to_string),
            parts,
            text: works.gate.table().why(works.gate.sender(domain.as_ref())).to_string(),
            cure: "it goes by itself when it may: `repute permit` says what that takes".to_owned(),
        },
        Still::Themselves(account) => StillHeld {
            name: of(account),
            parts,
            text: "it is held by itself, as `repute queue list --held` shows".to_owned(),
            cure: "let it go with `repute queue release`".to_owned(),
        },
        Still::Time(account) => StillHeld {
            name: of(account),
            parts,
            text: "it is to be sent later".to_owned(),
            cure: "it goes at its time; `repute queue retry ID` sends one now".to_owned(),
        },
    })
}

/// A campaign that does not go on by itself.
pub(super) fn of_campaign(known: &Known) -> Option<StillHeld> {
    let name = format!("{}/{}", known.account, known.name);
    let (text, cure) = match known.state() {
        CampaignState::Paused(reason) => (
            format!("the campaign is paused: {reason}"),
            format!("go on with `repute bulk resume {}`", shell::Word(&name)),
        ),
        CampaignState::Loading => {
            let cure = "run the `repute bulk` command that began it again, or launch it where it was begun".to_owned();
            ("the campaign is not launched yet".to_owned(), cure)
        }
        _ => return None,
    };
    Some(StillHeld { name, parts: None, text, cure })
}
