//! Campaigns to a list of people with a name each.

use repute_engine::bulk::words::{Add, Added, Begin, Row};
use repute_message::Header;
use repute_types::{Content, MessageId};

use super::World;

pub const LETTER: &str = "From: News <news@news.example>\nTo: {{ name }} <{{ email }}>\nSubject: Hello {{ name }}\n\n\
                      Dear {{ name }}, leave at {{ unsubscribe_url }}\n";

pub fn begin(campaign: &str) -> Begin {
    Begin {
        account: "news".into(),
        campaign: campaign.into(),
        list: Some("weekly".into()),
        letter: LETTER.into(),
        fields: vec!["name".into()],
        tags: Vec::new(),
    }
}

pub fn row(email: &str, name: &str) -> Row {
    Row { email: email.into(), values: vec![name.into()] }
}

pub async fn add(world: &World, id: MessageId, first_row: u32, rows: &[Row]) -> Added {
    world.control().add(Add { id, first_row, rows: rows.to_vec() }).await.unwrap()
}

/// A campaign to these, launched.
pub async fn launched(world: &World, campaign: &str, to: &[&str]) -> MessageId {
    let id = world.control().begin(begin(campaign)).await.unwrap().id;
    let rows: Vec<Row> = to.iter().map(|email| row(email, "Ann")).collect();
    assert_eq!(add(world, id, 0, &rows).await.refused, []);
    world.control().launch(campaign).await.unwrap();
    id
}

pub fn field(text: &str, name: &str) -> String {
    let header = Header::read(&Content::from(text.as_bytes().to_vec())).unwrap();
    let mut all = header.all(name);
    let value = all.next().map(|f| String::from_utf8(f.text().into_owned()).unwrap()).unwrap_or_default();
    assert!(all.next().is_none(), "{name} is there twice");
    value
}

/// The token in a link to leave.
pub fn token(text: &str) -> String {
    let link = field(text, "List-Unsubscribe");
    let start = link.find("/unsubscribe/").unwrap() + "/unsubscribe/".len();
    link[start..].split('>').next().unwrap().to_owned()
}
