//! Which circuit opens: the campaign's, or its account's.
#![allow(clippy::unwrap_used, reason = "a test says what it expects by failing")]

use super::*;
use crate::circuit::count::Told;

const NOW: Timestamp = Timestamp(1_795_485_950_000);

/// Counts as [`crate::circuit::count`] does, and opens what it says; the subjects that opened.
struct Book {
    state: State,
    settings: CircuitSettings,
}

fn of(campaign: Option<&str>) -> Subject {
    Subject { account: "shop".into(), campaign: campaign.map(str::to_owned) }
}

impl Book {
    fn new() -> Book {
        Book { state: State::default(), settings: CircuitSettings::default() }
    }

    fn count(&mut self, campaign: Option<&str>, told: Told, times: usize) -> Vec<(String, String)> {
        let mut opened = Vec::new();
        for _ in 0..times {
            let mut trouble = None;
            for subject in campaign.iter().map(|name| of(Some(name))).chain([of(None)]) {
                trouble = self.state.windows.entry(subject).or_default().add(told, NOW, &self.settings);
            }
            let oldest = NOW - self.settings.window;
            let account = "shop".into();
            let found = trouble.and_then(|trouble| {
                self.state.too_much(&account, campaign.map(str::to_owned), trouble, oldest, &self.settings)
            });
            if let Some((subject, trouble, text)) = found {
                opened.push((subject.name(), text.clone()));
                let row = Opened {
                    account: "shop".into(),
                    campaign: subject.campaign.clone().unwrap_or_default(),
                    what: trouble.what().into(),
                    at: NOW,
                    text,
                    incident: 1,
                };
                self.state.open.insert(subject, row);
            }
        }
        opened
    }

    fn close(&mut self, campaign: Option<&str>) {
        self.state.open.remove(&of(campaign)).unwrap();
        self.state.forgive(&of(campaign));
    }
}

fn opened(name: &str, text: &str) -> Vec<(String, String)> {
    vec![(name.to_owned(), text.to_owned())]
}

#[test]
fn a_campaign_that_alone_explains_its_accounts_figures_is_stopped_alone() {
    let mut book = Book::new();
    assert_eq!(book.count(Some("bad"), Told::SentToUnknown, 10), []);
    // The eleventh is of the account's other mail, and is not what is wrong.
    assert_eq!(book.count(None, Told::SentToUnknown, 1), opened("shop/bad", "10 of 10 recipients do not exist"));
    assert_eq!(book.count(Some("bad"), Told::SentToUnknown, 5), [], "what was under way");
    // What is left is judged without it.
    assert_eq!(book.count(None, Told::SentToUnknown, 9), []);
    assert_eq!(book.count(None, Told::SentToUnknown, 1), opened("shop", "11 of 11 recipients do not exist"));
}

#[test]
fn where_no_campaign_explains_it_the_account_is_stopped() {
    let mut book = Book::new();
    for campaign in ["a", "b"] {
        assert_eq!(book.count(Some(campaign), Told::SentToUnknown, 4), []);
    }
    assert_eq!(book.count(Some("c"), Told::SentToUnknown, 3), opened("shop", "11 of 11 recipients do not exist"));
}

#[test]
fn a_good_campaign_is_not_stopped_for_its_accounts_other_mail() {
    let mut book = Book::new();
    book.count(Some("good"), Told::Sent, 300);
    assert_eq!(book.count(Some("good"), Told::SentToUnknown, 12), []);
    // 12 of 312 are a good list's, but with these it is too much.
    let found = book.count(None, Told::SentToUnknown, 10);
    assert_eq!(found, opened("shop", "16 of 316 recipients do not exist"));
}

#[test]
fn what_was_told_opens_nothing_again_and_habit_is_not_forgotten() {
    let mut book = Book::new();
    book.count(None, Told::Sent, 1_000);
    assert_eq!(book.count(Some("bad"), Told::SentToUnknown, 30).len(), 1);
    book.close(Some("bad"));
    // The account had 30 of 1,030; now it has none of 1,000 again, and the campaign none of none.
    assert_eq!(book.count(Some("bad"), Told::SentToUnknown, 10), []);
    assert_eq!(book.count(Some("bad"), Told::SentToUnknown, 1), opened("shop/bad", "11 of 11 recipients do not exist"));
    assert_eq!(book.count(None, Told::SentToUnknown, 50), []);
    assert_eq!(book.count(None, Told::SentToUnknown, 3), opened("shop", "53 of 1053 recipients do not exist"));
    // The account's word is one for its campaigns' figures, too, but for their circuits each.
    book.close(None);
    assert!(book.state.open.contains_key(&of(Some("bad"))));
    book.close(Some("bad"));
    assert_eq!(book.count(Some("bad"), Told::SentToUnknown, 10), []);
}
