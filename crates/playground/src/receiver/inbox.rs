//! What a receiver got: every message with its facts and report, and counts of the rest.
//!
//! Bounds: 64 MiB of contents are kept, then only sizes; 200,000 messages are kept, then only
//! counts.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;

use repute_trust::receivers::Decision;

use crate::judge::{Facts, Report, Seen};

const CONTENT_MOST: usize = 64 << 20;
const REFUSED_MOST: usize = 100;
const MESSAGES_MOST: usize = 200_000;

/// A message that came whole: taken, or refused at its last dot.
#[derive(Clone, Debug)]
pub struct Received {
    pub facts: Facts,
    /// Missing where the receiver has no judge.
    pub report: Option<Report>,
    /// Where it decides as a receiver of the world, or mirrors: what it saw.
    pub seen: Option<Arc<Seen>>,
    /// What it decided by that.
    pub decision: Option<Decision>,
    /// The Message-ID field, with its brackets; empty where there is none.
    pub message_id: String,
    /// Octets, also where the content is not kept any more.
    pub size: usize,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    pub over_tls: u64,
    pub messages: u64,
    /// Recipients of them.
    pub recipients: u64,
    /// RCPT answered 450 by the greylist.
    pub greylisted: u64,
    /// RCPT answered 550 5.1.1.
    pub unknown_users: u64,
    /// Messages that came whole, taken or not.
    pub ends_of_data: u64,
    /// Of these, those answered by closing.
    pub hung_up: u64,
    /// Of these, those that were refused for what they are.
    pub refused: u64,
    /// Commands that broke the protocol: a sender of ours makes none.
    pub protocol_errors: u64,
}

/// A handle on what a receiver got; clones share it.
#[derive(Clone, Debug, Default)]
pub struct Inbox {
    state: Arc<Mutex<State>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct State {
    messages: Vec<Received>,
    refused: Vec<Received>,
    content: usize,
    counts: Counts,
}

impl Inbox {
    pub(crate) fn count<T>(&self, change: impl FnOnce(&mut Counts) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner).counts)
    }

    pub(crate) fn put(&self, mut received: Received) {
        let size = received.size;
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts.messages += 1;
        state.counts.recipients += received.facts.recipients.len() as u64;
        if state.messages.len() < MESSAGES_MOST {
            if state.content + size > CONTENT_MOST {
                received.facts.content = Bytes::new();
                received.seen = None;
            }
            state.content += received.facts.content.len();
            state.messages.push(received);
        }
        drop(state);
        self.arrived.notify_waiters();
    }

    /// Refused messages are kept without their content, the newest hundred of them.
    pub(crate) fn refuse(&self, mut received: Received) {
        received.facts.content = Bytes::new();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.counts.refused += 1;
        if state.refused.len() == REFUSED_MOST {
            state.refused.remove(0);
        }
        state.refused.push(received);
        drop(state);
        self.arrived.notify_waiters();
    }

    /// The newest messages that were refused for what they are.
    pub fn refused(&self) -> Vec<Received> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).refused.clone()
    }

    pub fn counts(&self) -> Counts {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).counts
    }

    /// All messages so far, in the order of their arrival.
    pub fn messages(&self) -> Vec<Received> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).messages.clone()
    }

    /// How often each recipient got each message: (Message-ID, recipient) to count.
    pub fn copies(&self) -> HashMap<(String, String), u32> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let mut copies = HashMap::new();
        for message in &state.messages {
            for recipient in &message.facts.recipients {
                *copies.entry((message.message_id.clone(), recipient.clone())).or_insert(0) += 1;
            }
        }
        copies
    }

    /// Waits until at least so many messages have come; false where they do not in time.
    pub async fn wait_for(&self, messages: u64, within: Duration) -> bool {
        let enough = async {
            loop {
                let arrived = self.arrived.notified();
                if self.counts().messages >= messages {
                    return;
                }
                // One that arrives between the look and the wait is seen at the next look.
                let _ = tokio::time::timeout(Duration::from_millis(100), arrived).await;
            }
        };
        tokio::time::timeout(within, enough).await.is_ok()
    }
}

impl Received {
    pub(crate) fn new(facts: Facts, report: Option<Report>) -> Received {
        let message_id = header_field(&facts.content, "message-id").unwrap_or_default();
        let size = facts.content.len();
        Received { facts, report, seen: None, decision: None, message_id, size }
    }
}

/// The unfolded value of the first field of this name (lower case) in a message's header.
pub fn header_field(content: &[u8], name: &str) -> Option<String> {
    let mut value: Option<Vec<u8>> = None;
    for line in content.split_inclusive(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r\n").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        let folded = line.starts_with(b" ") || line.starts_with(b"\t");
        match &mut value {
            Some(value) if folded => value.extend_from_slice(line),
            Some(_) => break,
            None if !folded => {
                let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
                if line[..colon].trim_ascii().eq_ignore_ascii_case(name.as_bytes()) {
                    value = Some(line.get(colon + 1..).unwrap_or_default().to_vec());
                }
            }
            None => {}
        }
    }
    value.map(|v| String::from_utf8_lossy(v.trim_ascii()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_and_unfolded() {
        let content = b"From: a@b\r\nMESSAGE-id:\r\n <1@x>\r\nTo: c\r\n\r\nMessage-ID: <2@x>\r\n";
        assert_eq!(header_field(content, "message-id").as_deref(), Some("<1@x>"));
        assert_eq!(header_field(content, "subject"), None);
        assert_eq!(header_field(b"\r\nTo: x\r\n", "to"), None);
    }
}
