//! Beginning a campaign: its letter and its fields are read and judged, and the letter is kept; or nothing is kept, and it
//! is shown what its recipients would get.
//!
//! Promise: a name is taken once, and whoever begins the same again goes on where the list ended.
//! How it fails: with a [`BulkError`], whose sentence says what to do; then nothing was changed.

use std::sync::Arc;

use repute_message::merge::FormLetter;
use repute_spool::{Campaign as Stored, CampaignState, CampaignWrite, MessageMeta, Tally};
use repute_types::labels::list_name;
use repute_types::{Address, Content, Domain, Labels, PartId, Stream};

use super::render::{self, For};
use super::words::{Begin, Begun, BulkError, Preview, Row, list_fault, name_fault};
use super::{Known, check, refused_by_spool};
use crate::control::Control;
use crate::works::Works;

const FIELDS: usize = 64;
const PREVIEWS: usize = 100;

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
