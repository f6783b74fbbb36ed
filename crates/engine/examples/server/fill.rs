//! Fills a spool with messages that are due now, without a server.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use repute_spool::sqlite::Options;
use repute_spool::{MessageMeta, NewMessage, PartRecord, Spool, SpoolError, SqliteSpool};
use repute_types::{Address, Clock, Content, Domain, MessageId, PartId, Recipient, Stream, SystemClock, Timestamp};

use crate::Result;

/// Writers at a time: what one sync is shared by.
const WRITERS: usize = 256;

pub struct Fill {
    pub messages: u64,
    pub domains: u64,
    /// Of each message's content.
    pub octets: usize,
}

pub fn fill(dir: &Path, fill: Fill) -> Result<()> {
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let spool = Arc::new(SqliteSpool::open(dir, Options::default())?);
        let (next, fill, now) = (Arc::new(AtomicU64::new(0)), Arc::new(fill), SystemClock.now());
        let mut writers = Vec::new();
        for _ in 0..WRITERS {
            let (spool, next, fill) = (spool.clone(), next.clone(), fill.clone());
            writers.push(tokio::spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= fill.messages {
                        return Ok::<_, SpoolError>(());
                    }
                    spool.commit(message(number, &fill, now)).await?;
                }
            }));
        }
        for writer in writers {
            writer.await??;
        }
        spool.flush().await?;
        Ok(())
    })
}

fn message(number: u64, fill: &Fill, now: Timestamp) -> NewMessage {
    let id = MessageId(MessageId::first_at(now).0 + number);
    let to = format!("somebody{number}@customer-{}.example", number % fill.domains);
    let recipient = Recipient::to(Address::parse(&to).expect("it is well formed"));
    let head = format!("From: <news@example.com>\r\nTo: <{to}>\r\nSubject: news {number}\r\n\r\n");
    let text = "One line of what there is to be told to everybody, as good as any.\r\n";
    let content = Content::from(head.clone() + &text.repeat(fill.octets.saturating_sub(head.len()) / text.len()));
    NewMessage {
        meta: MessageMeta {
            account: Some("shop".into()),
            stream: Stream::Bulk,
            from: Address::parse("news@example.com").ok(),
            author: Domain::parse("example.com").ok(),
            header_id: format!("{id}@mail.example.com"),
            size: content.len() as u64,
            ..MessageMeta::new(id, now, now + std::time::Duration::from_secs(5 * 24 * 3600))
        },
        parts: vec![PartRecord {
            attempts: 1,
            ..PartRecord::new(
                PartId { message: id, number: 0 },
                recipient.address.domain().clone(),
                vec![recipient],
                now,
            )
        }],
        content,
    }
}
