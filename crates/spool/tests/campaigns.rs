//! Campaigns, asked of every spool: a letter stored once, recipients that come in rows, counts
//! that are exact, and members that are known when all else is gone.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

mod common;

use std::sync::Arc;

use common::*;
use repute_spool::sqlite::Options;
use repute_spool::{CampaignState, CampaignWrite, Ended, MemorySpool, Spool, SpoolError, SqliteSpool, Tally};
use repute_types::{Address, Labels, Timestamp};

async fn check<F: Future<Output = ()>>(questions: impl Fn(Arc<dyn Spool>) -> F) {
    questions(Arc::new(MemorySpool::new())).await;
    let dir = tempfile::tempdir().unwrap();
    questions(Arc::new(SqliteSpool::open(dir.path(), Options::default()).unwrap())).await;
}

#[tokio::test]
async fn rows_come_in_and_each_end_is_counted() {
    check(|spool| async move {
        begin(&*spool, 7).await;
        append(&*spool, 7, &[0, 2], 3).await;
        append(&*spool, 7, &[3, 4], 6).await;
        assert_eq!(spool.part(part_id(7, 2)).await.unwrap(), row(7, 2));
        assert_eq!(spool.content(id(7)).await.unwrap().to_vec(), octets(7, 100));
        let mut later = letter(7);
        later.expires = Timestamp(99_000);
        spool.change_campaign(CampaignWrite::Launch { meta: later.clone(), at: Timestamp(5) }).await.unwrap();
        assert_eq!(spool.meta(id(7)).await.unwrap(), later);
        for (number, how) in [(0, Ended::Delivered), (2, Ended::Failed), (3, Ended::Delivered)] {
            spool.settle(ended(7, number, how));
        }
        // What is gone is counted once.
        spool.settle(ended(7, 0, Ended::Failed));
        let campaigns = spool.campaigns().await.unwrap();
        let tally = Tally { taken: 4, refused: 2, delivered: 2, failed: 1, ..Tally::default() };
        assert_eq!((campaigns[0].tally, campaigns[0].rows), (tally, 6));
        assert_eq!((campaigns[0].state.clone(), campaigns[0].launched), (CampaignState::Running, Some(Timestamp(5))));
        assert_eq!(campaigns[0].tally.waiting(), 1);
        assert_eq!(spool.scan(None, 9).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn members_outlive_their_message_until_they_are_forgotten() {
    check(|spool| async move {
        begin(&*spool, 7).await;
        append(&*spool, 7, &[0], 1).await;
        spool.settle(ended(7, 0, Ended::Delivered));
        let mut alone = small(8);
        alone.meta.members = true;
        alone.meta.labels = Labels { list: Some("offers".into()), ..Labels::default() }.kept();
        spool.commit(alone).await.unwrap();
        spool.settle(done(8, 0));
        spool.commit(small(9)).await.unwrap();
        spool.flush().await.unwrap();
        assert!(matches!(spool.content(id(7)).await, Err(SpoolError::Missing(_))), "the last part takes the letter");
        let of_campaign = spool.member(part_id(7, 0)).await.unwrap().unwrap();
        assert_eq!(of_campaign.recipients, [Address::parse("p0@example.net").unwrap()]);
        assert_eq!((of_campaign.account.as_deref(), of_campaign.list.as_deref()), (Some("news"), Some("letters")));
        assert_eq!(of_campaign.campaign.as_deref(), Some("letter 7"));
        let alone = spool.member(part_id(8, 0)).await.unwrap().unwrap();
        assert_eq!(
            (alone.account.as_deref(), alone.list.as_deref(), alone.campaign),
            (Some("shop"), Some("offers"), None)
        );
        assert_eq!(spool.member(part_id(9, 0)).await.unwrap(), None, "mail that is not bulk has none");
        spool.forget_members(Timestamp(1)).await.unwrap();
        assert_eq!(spool.member(part_id(7, 0)).await.unwrap(), None);
        assert_eq!(spool.member(part_id(8, 0)).await.unwrap(), None);
    })
    .await;
}

#[tokio::test]
async fn a_letter_without_recipients_goes_with_its_cancellation() {
    check(|spool| async move {
        begin(&*spool, 7).await;
        let state = CampaignState::Paused("wait".into());
        spool.change_campaign(CampaignWrite::State { id: id(7), state: state.clone() }).await.unwrap();
        assert_eq!(spool.campaigns().await.unwrap()[0].state, state);
        spool.change_campaign(CampaignWrite::State { id: id(7), state: CampaignState::Cancelled }).await.unwrap();
        assert!(spool.meta(id(7)).await.is_err());
        assert_eq!(spool.last_id().await.unwrap(), Some(id(7)), "its id is not given again");
    })
    .await;
}

#[tokio::test]
async fn who_is_taken_out_is_counted_once_and_only_who_was_sent_something_is_remembered() {
    check(|spool| async move {
        begin(&*spool, 7).await;
        append(&*spool, 7, &[0, 1, 2, 3, 4], 5).await;
        begin(&*spool, 8).await;
        append(&*spool, 8, &[0], 1).await;
        spool.change_campaign(CampaignWrite::State { id: id(7), state: CampaignState::Cancelling }).await.unwrap();
        // What was settled before counts, also where it is not on disk yet.
        spool.settle(ended(7, 1, Ended::Delivered));
        let mut again = row(7, 2);
        again.attempts = 1;
        spool.settle(keep(again));
        let take_out =
            |parts: &[u32], never_sent| CampaignWrite::TakeOut { id: id(7), parts: parts.to_vec(), never_sent };
        spool.change_campaign(take_out(&[0, 1], true)).await.unwrap();
        spool.change_campaign(take_out(&[2], false)).await.unwrap();
        // Done twice, it is done once.
        spool.change_campaign(take_out(&[0, 1, 2], true)).await.unwrap();
        let tally = |spool: Arc<dyn Spool>| async move { spool.campaigns().await.unwrap()[0].tally };
        let so_far = tally(spool.clone()).await;
        assert_eq!((so_far.delivered, so_far.cancelled, so_far.waiting()), (1, 2, 2));
        let is_known = async |number| spool.member(part_id(7, number)).await.unwrap().is_some();
        assert!(!is_known(0).await, "nothing was sent to them");
        assert!(is_known(1).await && is_known(2).await && is_known(3).await, "a link to leave by works");
        spool.change_campaign(take_out(&[3, 4], true)).await.unwrap();
        assert_eq!(tally(spool.clone()).await.cancelled, 4);
        assert!(matches!(spool.content(id(7)).await, Err(SpoolError::Missing(_))), "the last part takes the letter");
        assert_eq!(spool.scan(None, 9).await.unwrap().len(), 1, "another campaign stays");
    })
    .await;
}

#[tokio::test]
async fn a_campaign_is_as_it_was_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let before = {
        let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
        begin(&spool, 7).await;
        append(&spool, 7, &[0, 1, 2], 3).await;
        spool.settle(ended(7, 1, Ended::Suppressed));
        spool.campaigns().await.unwrap()
    };
    let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
    assert_eq!(spool.campaigns().await.unwrap(), before);
    assert_eq!(spool.scan(None, 9).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_change_of_a_campaign_that_is_gone_is_refused_alone() {
    let dir = tempfile::tempdir().unwrap();
    let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
    let gone = CampaignWrite::State { id: id(1), state: CampaignState::Running };
    let (refused, taken) = tokio::join!(spool.change_campaign(gone), spool.commit(small(2)));
    assert!(refused.is_err() && taken.is_ok());
}

/// The promise of docs/bulk.md: at most 200 octets beside its own fields.
#[tokio::test]
async fn a_recipient_costs_at_most_200_octets_beside_their_fields() {
    const ROWS: u32 = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let mut fields = 0;
    {
        let spool = SqliteSpool::open(dir.path(), Options::default()).unwrap();
        begin(&spool, 7).await;
        for first in (0..ROWS).step_by(1000) {
            let numbers: Vec<u32> = (first..first + 1000).collect();
            fields += numbers.iter().map(|n| row(7, *n).values[0].len()).sum::<usize>();
            append(&spool, 7, &numbers, first + 1000).await;
        }
    }
    let file = std::fs::metadata(dir.path().join("spool.sqlite")).unwrap().len() as usize;
    let each = (file - fields) / ROWS as usize;
    println!("{each} octets a recipient beside their fields");
    assert!(each <= 200, "{each} octets");
}
