//! Messages for the spool's tests: small to write, the same for the same number.
#![allow(dead_code, reason = "each test program uses a part of it")]

use repute_spool::sqlite::{Fault, Hook, Options, Step};
use repute_spool::{
    Campaign, CampaignState, CampaignWrite, Change, Ended, MessageMeta, NewMessage, PartRecord, Settlement, Spool,
    Tally,
};
use repute_types::{Address, Content, Domain, MessageId, PartId, Random, Recipient, SeededRandom, Timestamp};

pub fn id(number: u64) -> MessageId {
    MessageId(number)
}

pub fn part_id(message: u64, number: u32) -> PartId {
    PartId { message: id(message), number }
}

/// A content of `len` octets that is another for each message.
pub fn octets(number: u64, len: usize) -> Vec<u8> {
    let random = SeededRandom::new(number);
    let mut octets = Vec::with_capacity(len + 8);
    while octets.len() < len {
        octets.extend_from_slice(&random.next().to_le_bytes());
    }
    octets.truncate(len);
    octets
}

pub fn part(message: u64, number: u32, domain: &str) -> PartRecord {
    let address = Address::parse(&format!("bob@{domain}")).unwrap();
    let domain = Domain::parse(domain).unwrap();
    PartRecord::new(part_id(message, number), domain, vec![Recipient::to(address)], Timestamp(1_000))
}

pub fn message(number: u64, content: impl Into<Content>, domains: &[&str]) -> NewMessage {
    let content = content.into();
    let meta = MessageMeta {
        account: Some("shop".into()),
        from: Some(Address::parse("shop@example.com").unwrap()),
        author: Domain::parse("example.com").ok(),
        header_id: format!("{number}@example.com"),
        size: content.len() as u64,
        ..MessageMeta::new(id(number), Timestamp(1_000), Timestamp(2_000))
    };
    let parts = domains.iter().enumerate().map(|(n, domain)| part(number, n as u32, domain)).collect();
    NewMessage { meta, parts, content }
}

/// One message of 100 octets to one recipient.
pub fn small(number: u64) -> NewMessage {
    message(number, octets(number, 100), &["example.net"])
}

pub fn done(message: u64, number: u32) -> Settlement {
    Settlement { part: part_id(message, number), change: Change::Done, notices: Vec::new() }
}

pub fn keep(record: PartRecord) -> Settlement {
    Settlement { part: record.id, change: Change::Keep(record), notices: Vec::new() }
}

/// Watches, delays or fails the writer, as a function.
pub struct Watch<F>(pub F);

impl<F: Fn(Step) -> Result<(), Fault> + Send + Sync + 'static> Hook for Watch<F> {
    fn at(&self, step: Step) -> Result<(), Fault> {
        (self.0)(step)
    }
}

pub fn watched(watch: impl Fn(Step) -> Result<(), Fault> + Send + Sync + 'static) -> Options {
    Options { hook: std::sync::Arc::new(Watch(watch)), ..Options::default() }
}

/// Asks until it is so; a test that hangs is worse than one that fails.
pub async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if is_so() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("after 10 s still not: {what}");
}

/// Of a campaign's letter.
pub fn letter(number: u64) -> MessageMeta {
    let mut meta = small(number).meta;
    meta.letter = Some(["name".to_owned()].into());
    meta
}

/// Begins a campaign.
pub async fn begin(spool: &dyn Spool, number: u64) {
    let campaign = Box::new(Campaign {
        id: id(number),
        name: format!("letter {number}"),
        account: "news".into(),
        list: "letters".into(),
        state: CampaignState::Loading,
        begun: Timestamp(1),
        launched: None,
        rows: 0,
        tally: Tally::default(),
    });
    spool
        .change_campaign(CampaignWrite::Begin { campaign, meta: letter(number), letter: octets(number, 100).into() })
        .await
        .unwrap();
}

/// A recipient of it.
pub fn row(message: u64, number: u32) -> PartRecord {
    let address = Address::parse(&format!("p{number}@example.net")).unwrap();
    let mut part = part(message, number, "example.net");
    part.domain = Domain::parse("example.net").unwrap();
    part.recipients[0].recipient = Recipient::to(address);
    part.values = vec![format!("Person {number}")];
    part
}

/// Takes recipients in, and refuses one row.
pub async fn append(spool: &dyn Spool, message: u64, numbers: &[u32], rows: u32) {
    let parts = numbers.iter().map(|n| row(message, *n)).collect();
    let write = CampaignWrite::Append { id: id(message), rows, parts, refused: 1, left_out: 0 };
    spool.change_campaign(write).await.unwrap();
}

pub fn ended(message: u64, number: u32, ended: Ended) -> Settlement {
    Settlement { part: part_id(message, number), change: Change::Ended(ended), notices: Vec::new() }
}
