//! Beginning, launching, pausing, resuming, cancelling and looking at campaigns. What is left of a cancelled one: [`super::take_out`].
//!
//! Promise: a change is on disk before it counts and before it is answered, and the changes of one campaign wait their turn.
//! How it fails: with a [`BulkError`], whose sentence says what to do; then nothing was changed.

use std::sync::Arc;
use std::time::Duration;

use repute_message::merge::FormLetter;
use repute_spool::{
    Campaign as Stored, CampaignState, CampaignWrite, MessageMeta, PartRecord, PartState, Stretch, Tally, Walk,
};
use repute_types::event::Level;
use repute_types::labels::list_name;
use repute_types::{Address, Content, Domain, EventKind, Labels, MessageId, PartId, Stream};
use tokio::sync::watch;

use super::leave::GOOD_FOR;
use super::render::{self, For};
use super::words::{Begin, Begun, BulkError, Campaign, Preview, Row, State, list_fault, name_fault};
use super::{Known, check, refused_by_spool};
use crate::circuit::campaigns;
use crate::control::Control;
use crate::works::Works;

const PAGE: usize = 2_000;
const FIELDS: usize = 64;
const PREVIEWS: usize = 100;
/// Between two steps of forgetting: some million recipients a day.
const SWEEP: Duration = Duration::from_secs(600);

impl Control {
    /// Begins a campaign, or goes on with one of that name, letter and fields that is still loading.
    pub async fn begin(&self, question: Begin) -> Result<Begun, BulkError> {
        let works = &*self.works;
        let letter = read_letter(works, &question)?;
        let _alone = works.bulk.beginning.lock().await;
        if let Some(known) = named(works, &question.account, &question.campaign) {
            return go_on_loading(works, &known, &question, &letter).await;
        }
        let now = works.now();
        let id = works.ids.next(now);
        let list = list_of(&question);
        let campaign = Stored {
            id,
            name: question.campaign.clone(),
            account: question.account.as_str().into(),
            list: list.clone(),
            state: CampaignState::Loading,
            begun: now,
            launched: None,
            rows: 0,
            tally: Tally::default(),
        };
        let labels =
            Labels { campaign: Some(question.campaign), list: Some(list), tags: question.tags, ..Labels::default() };
        let meta = MessageMeta {
            account: Some(campaign.account.clone()),
            stream: Stream::Bulk,
            from: Some(letter.from),
            author: Some(letter.author),
            size: letter.content.len() as u64,
            labels: labels.kept(),
            letter: Some(question.fields.into()),
            ..MessageMeta::new(id, now, now + works.settings().retry.expire)
        };
        let known = Known::of(&campaign);
        let write = CampaignWrite::Begin { campaign: Box::new(campaign), meta, letter: letter.content };
        let kept = works.doors.spool.change_campaign(write).await;
        kept.map_err(|error| refused_by_spool(works, 1, error))?;
        let begun = Begun { id, campaign: known.name.clone(), next_row: 0 };
        works.bulk.insert(known);
        Ok(begun)
    }

    /// Whether a campaign may be begun so; nothing is kept.
    pub async fn may_begin(&self, question: &Begin) -> Result<(), BulkError> {
        let works = &*self.works;
        let letter = read_letter(works, question)?;
        match named(works, &question.account, &question.campaign) {
            Some(known) => go_on_loading(works, &known, question, &letter).await.map(drop),
            None => Ok(()),
        }
    }

    /// Launches: the list is whole, and from now on its recipients are written to.
    pub async fn launch(&self, campaign: &str) -> Result<Campaign, BulkError> {
        let works = &self.works;
        let known = find(works, campaign)?;
        let turn = known.turn.lock().await;
        if known.state() != CampaignState::Loading {
            return Err(BulkError::Conflict(format!("the campaign {} was launched or cancelled before", known.name)));
        }
        if known.is_coming_in() {
            return Err(BulkError::ComingIn(known.name.clone()));
        }
        let taken = self.stored(known.id).await?.tally.taken;
        if taken == 0 {
            return Err(BulkError::Conflict(format!("the campaign {} has no recipients: add some first", known.name)));
        }
        let now = works.now();
        let meta = works.doors.spool.meta(known.id).await.map_err(BulkError::Spool)?;
        let meta = MessageMeta { received: now, expires: now + works.settings().retry.expire, ..meta };
        let write = CampaignWrite::Launch { meta: meta.clone(), at: now };
        works.doors.spool.change_campaign(write).await.map_err(BulkError::Spool)?;
        works.bulk.forget_letter(known.id);
        known.set(CampaignState::Running);
        works.emit(EventKind::Accepted {
            message: known.id,
            account: meta.account.clone(),
            from: meta.from.clone(),
            // Each is named when there is something to say of them.
            recipients: Vec::new(),
            recipient_count: taken,
            size: usize::try_from(meta.size).unwrap_or(usize::MAX),
            header_id: String::new(),
            client: None,
            tls: None,
            labels: meta.labels.clone(),
        });
        if let Some(hold) = works.circuits.stops(&meta) {
            campaigns::tell(works, &known, &hold.reason);
        }
        drop(turn);
        tokio::spawn(enter(works.clone(), known.clone()));
        self.told(known.id).await
    }

    /// Nothing more is sent until it is resumed; attempts under way end.
    pub async fn pause(&self, campaign: &str, reason: &str) -> Result<Campaign, BulkError> {
        let known = find(&self.works, campaign)?;
        let _turn = known.turn.lock().await;
        match self.told(known.id).await?.state {
            State::Running | State::Paused => {}
            State::Done => return Err(done(&known)),
            _ => return Err(BulkError::Conflict(format!("the campaign {} does not run", known.name))),
        }
        change(&self.works, &known, CampaignState::Paused(reason.to_owned())).await?;
        self.told(known.id).await
    }

    pub async fn resume(&self, campaign: &str) -> Result<Campaign, BulkError> {
        let works = &self.works;
        let known = find(works, campaign)?;
        let turn = known.turn.lock().await;
        match self.told(known.id).await?.state {
            State::Paused => {}
            State::Done => return Err(done(&known)),
            _ => return Err(BulkError::Conflict(format!("the campaign {} is not paused", known.name))),
        }
        change(works, &known, CampaignState::Running).await?;
        drop(turn);
        tokio::spawn(enter(works.clone(), known.clone()));
        self.told(known.id).await
    }

    /// Nothing more is sent from the answer on; what is under way at that moment ends. Whoever was not written to yet is
    /// taken out afterwards, also over a restart; what is done stays done. What went to everybody is not cancelled, and not
    /// told as that.
    pub async fn cancel_campaign(&self, campaign: &str) -> Result<Campaign, BulkError> {
        let known = find(&self.works, campaign)?;
        match self.call_off(&known).await? {
            Some(_) => self.told(known.id).await,
            None => Err(done(&known)),
        }
    }

    /// How many were waiting for what is cancelled; `None` where it went to everybody.
    pub(crate) async fn call_off(&self, known: &Known) -> Result<Option<u64>, BulkError> {
        let _turn = known.turn.lock().await;
        let told = self.told(known.id).await?;
        match told.state {
            State::Done => return Ok(None),
            State::Cancelling | State::Cancelled => {}
            State::Loading | State::Running | State::Paused => {
                change(&self.works, known, CampaignState::Cancelling).await?;
                self.works.bulk.cancelled.notify_one();
            }
        }
        Ok(Some(told.waiting))
    }

    /// By its name or its id; of several accounts' campaigns of one name, say `account/name`.
    pub async fn campaign(&self, campaign: &str) -> Result<Campaign, BulkError> {
        self.told(find(&self.works, campaign)?.id).await
    }

    /// All that are known, newest first.
    pub async fn campaigns(&self) -> Result<Vec<Campaign>, BulkError> {
        let stored = self.works.doors.spool.campaigns().await.map_err(BulkError::Spool)?;
        Ok(stored.iter().rev().map(|stored| self.row_of(stored)).collect())
    }

    /// The messages that rows would get, signed and all; nothing is kept. The links in them lead nowhere.
    pub async fn preview(&self, question: &Begin, rows: &[Row]) -> Result<Vec<Preview>, BulkError> {
        let works = &*self.works;
        let letter = read_letter(works, question)?;
        let now = works.now();
        let message = works.ids.next(now);
        let list = &*list_of(question);
        let mut previews = Vec::new();
        for (number, row) in (0u32..).zip(rows.iter().take(PREVIEWS)) {
            let refused =
                |text: String| BulkError::Refused(format!("row {number} (the first is 0), {}: {text}", row.email));
            let email = check::address(&row.email).map_err(refused)?;
            let whom = For {
                part: PartId { message, number },
                email: &email,
                values: &row.values,
                account: &question.account,
                campaign: &question.campaign,
                list,
                date: now,
            };
            let content = render::render(works, &works.settings(), &letter.form, &whom).map_err(refused)?;
            let message = String::from_utf8_lossy(&content.to_vec()).into_owned();
            previews.push(Preview { email: row.email.clone(), message });
            tokio::task::yield_now().await;
        }
        Ok(previews)
    }

    async fn stored(&self, id: MessageId) -> Result<Stored, BulkError> {
        let all = self.works.doors.spool.campaigns().await.map_err(BulkError::Spool)?;
        all.into_iter().find(|campaign| campaign.id == id).ok_or_else(|| BulkError::NoSuchCampaign(id.to_string()))
    }

    async fn told(&self, id: MessageId) -> Result<Campaign, BulkError> {
        Ok(self.row_of(&self.stored(id).await?))
    }

    fn row_of(&self, stored: &Stored) -> Campaign {
        let deferred = match stored.tally.waiting() {
            0 => 0,
            _ => self.works.queue(|queue| queue.tried(stored.id)),
        };
        let circuit = self.works.circuits.of_campaign(&stored.account, &stored.name);
        let mut row = Campaign::of(stored, deferred as u64);
        // Where nobody waits, nothing is stopped.
        row.circuit = circuit.filter(|_| matches!(row.state, State::Running | State::Paused | State::Loading));
        row
    }
}

fn done(known: &Known) -> BulkError {
    BulkError::Conflict(format!("the campaign {} is done: nobody waits for it any more", known.name))
}

/// A letter that may be sent.
struct Letter {
    form: FormLetter,
    content: Content,
    from: Address,
    /// The domain that it is signed as.
    author: Domain,
}

/// The list that recipients leave, as it is known.
fn list_of(question: &Begin) -> String {
    list_name(question.list.as_deref().unwrap_or(&question.campaign))
}

fn read_letter(works: &Works, question: &Begin) -> Result<Letter, BulkError> {
    let settings = works.settings();
    let refused = |text: String| BulkError::Refused(text);
    let fault = name_fault(&question.campaign).or_else(|| question.list.as_deref().and_then(list_fault));
    if let Some(text) = fault {
        return Err(refused(text));
    }
    // Paths of the API that are no campaign's, or that no client asks for as they are written.
    if matches!(question.campaign.as_str(), "." | ".." | "check" | "preview") {
        return Err(refused(format!(
            "{:?} cannot be the name of a campaign: over HTTP nobody could reach it",
            question.campaign
        )));
    }
    let field_is_good = |name: &String| {
        let letter = |c: char| c.is_alphanumeric() || c == '_';
        !name.is_empty() && name.chars().all(letter) && !name.starts_with(|c: char| c.is_numeric())
    };
    if let Some(bad) = question.fields.iter().find(|name| !field_is_good(name)) {
        return Err(refused(format!("{bad:?} cannot be a field: letters, digits and `_`, no digit first")));
    }
    if question.fields.len() > FIELDS {
        return Err(refused(format!("a list has at most {FIELDS} fields")));
    }
    if settings.bulk.url.is_none() {
        let cure = "bulk mail needs a link by which recipients leave: set `url` in [web], such as \"https://mail.example.com\"";
        return Err(BulkError::Conflict(cure.into()));
    }
    let mut text = question.letter.replace("\r\n", "\n").replace('\n', "\r\n");
    text.push_str(if text.ends_with("\r\n") { "" } else { "\r\n" });
    let content = Content::from(text.into_bytes());
    let form = FormLetter::read(&content, &question.fields).map_err(|fault| refused(fault.to_string()))?;
    let from = form.author().ok_or_else(|| refused("the letter has no From field with one address".into()))?;
    let author = render::author(&settings, &question.account, std::slice::from_ref(&from)).map_err(refused)?;
    let author = author.name.clone();
    Ok(Letter { form, content, from, author })
}

fn named(works: &Works, account: &str, name: &str) -> Option<Arc<Known>> {
    works.bulk.all().into_iter().find(|known| &*known.account == account && known.name == name)
}

fn find(works: &Works, campaign: &str) -> Result<Arc<Known>, BulkError> {
    if let Some(known) = campaign.parse().ok().and_then(|id| works.bulk.known(id)) {
        return Ok(known);
    }
    let (account, name) = match campaign.rsplit_once('/') {
        Some((account, name)) => (Some(account), name),
        None => (None, campaign),
    };
    let is_it = |known: &Arc<Known>| known.name == name && account.is_none_or(|account| account == &*known.account);
    let found: Vec<_> = works.bulk.all().into_iter().filter(is_it).collect();
    match found.as_slice() {
        [] => Err(BulkError::NoSuchCampaign(campaign.to_owned())),
        [one] => Ok(one.clone()),
        _ => Err(BulkError::Conflict(format!("several accounts have a campaign {name}: say ACCOUNT/{name}"))),
    }
}

async fn go_on_loading(works: &Works, known: &Known, question: &Begin, letter: &Letter) -> Result<Begun, BulkError> {
    let loading = known.turn.lock().await;
    if known.state() != CampaignState::Loading {
        let text = format!("there is a campaign {} already: give this one another name", known.name);
        return Err(BulkError::Conflict(text));
    }
    let before = works.doors.spool.content(known.id).await.map_err(BulkError::Spool)?;
    let meta = works.doors.spool.meta(known.id).await.map_err(BulkError::Spool)?;
    let list = list_of(question);
    let same = before.to_vec() == letter.content.to_vec()
        && meta.letter.as_deref() == Some(&question.fields)
        && known.list == list;
    if !same {
        let text = format!(
            "the campaign {0} was begun with another letter, list or fields and is still loading: cancel it with \
             `repute bulk cancel {0}`, or give this one another name",
            known.name
        );
        return Err(BulkError::Conflict(text));
    }
    Ok(Begun { id: known.id, campaign: known.name.clone(), next_row: loading.next_row })
}

/// On disk first; then it counts.
pub(super) async fn change(works: &Works, known: &Known, state: CampaignState) -> Result<(), BulkError> {
    let write = CampaignWrite::State { id: known.id, state: state.clone() };
    works.doors.spool.change_campaign(write).await.map_err(BulkError::Spool)?;
    known.set(state);
    Ok(())
}

/// Pauses a campaign that runs, as one who says `pause` does.
pub(crate) async fn hold(works: &Works, known: &Known, reason: &str) -> Result<(), BulkError> {
    let _turn = known.turn.lock().await;
    if known.state() == CampaignState::Running {
        change(works, known, CampaignState::Paused(reason.to_owned())).await?;
    }
    Ok(())
}

/// The campaign's next parts; none at its end. What is damaged is passed over, and was told at start.
pub(super) async fn page(
    works: &Works,
    id: MessageId,
    walk: &mut Walk,
    most: usize,
) -> Result<Vec<(MessageMeta, PartRecord)>, BulkError> {
    while let Some(stretch) = walk.next(&*works.doors.spool, most).await.map_err(BulkError::Spool)? {
        if let Stretch::Parts(mut page) = stretch {
            page.retain(|(meta, _)| meta.id == id);
            return Ok(page);
        }
    }
    Ok(Vec::new())
}

/// Hands a campaign's parts to the queue, and lets go those that it holds for the campaign alone.
pub(crate) async fn enter(works: Arc<Works>, known: Arc<Known>) {
    let mut walk = Walk::starting_at(known.id);
    loop {
        let parts = match page(&works, known.id, &mut walk, PAGE).await {
            Ok(parts) => parts,
            Err(error) => {
                let text = format!(
                    "the campaign {} could not be read: {error}; the rest of it goes on at the next start",
                    known.name
                );
                return works.note(Level::Error, "bulk", text);
            }
        };
        if parts.is_empty() {
            return;
        }
        let now = works.now();
        let entries: Vec<_> =
            parts.iter().map(|(meta, part)| (works.entry(meta, part), part.state == PartState::Due)).collect();
        works.queue(|queue| {
            // Looked at where it takes effect: who takes a campaign out finds all of it in the queue, or none.
            if known.state().is_over() {
                return;
            }
            for (entry, is_due) in entries {
                let part = entry.part;
                let held = entry.held;
                queue.enter(entry, now);
                if is_due && !held {
                    queue.let_go(part, now);
                }
            }
        });
        if known.state() != CampaignState::Running || campaigns::stops(&works, &known) {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Forgets whom bulk mail went to so long ago that no link to leave works any more, some at a time.
pub(crate) async fn sweep(works: Arc<Works>, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            _ = stop.changed() => return,
        }
        let before = works.now() - GOOD_FOR;
        if let Err(error) = works.doors.spool.forget_members(before).await {
            works.note(Level::Warning, "bulk", format!("old recipients could not be forgotten: {error}"));
        }
        works.bulk.forget(MessageId::first_at(before));
    }
}
