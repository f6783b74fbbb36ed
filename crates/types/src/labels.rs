//! What a message was given to be known by: the campaign it belongs to, tags, and the
//! application's own fields. Stored with the message and carried in its events, never sent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Labels {
    /// The campaign (one letter to a list) that the message is part of.
    pub campaign: Option<String>,
    /// The list of its account that the recipient is written to by: what an unsubscribe leaves.
    pub list: Option<String>,
    pub tags: Vec<String>,
    /// Names and values, in the order in which the application gave them.
    pub metadata: Vec<(String, String)>,
}

impl Labels {
    /// Labels that say nothing are not kept.
    pub fn kept(self) -> Option<Arc<Labels>> {
        let empty = self.campaign.is_none() && self.list.is_none() && self.tags.is_empty() && self.metadata.is_empty();
        (!empty).then(|| Arc::new(self))
    }
}
