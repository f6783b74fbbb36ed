//! What a message was given to be known by: the campaign it belongs to, tags, and the
//! application's own fields. Stored with the message and carried in its events, never sent.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// The bounds of what doors take: tags, and names with values, of one message.
pub const TAGS: usize = 20;
pub const PAIRS: usize = 50;
/// Characters of a tag, a list, a campaign and a name.
pub const WORD: usize = 128;
/// Characters of a value.
pub const VALUE: usize = 1000;

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

/// The spelling by which a list of an account is known: who left `weekly` has left `WEEKLY` and `weekly ` as well.
pub fn list_name(text: &str) -> String {
    text.trim().to_lowercase()
}

impl Labels {
    /// Labels that say nothing are not kept; the list's name is, in the one spelling by which it is known.
    pub fn kept(mut self) -> Option<Arc<Labels>> {
        self.list = self.list.map(|list| list_name(&list)).filter(|list| !list.is_empty());
        let empty = self.campaign.is_none() && self.list.is_none() && self.tags.is_empty() && self.metadata.is_empty();
        (!empty).then(|| Arc::new(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_one_name_however_it_is_spelt() {
        let kept = |list: &str| Labels { list: Some(list.into()), ..Labels::default() }.kept()?.list.clone();
        for spelt in ["weekly", "WEEKLY", " Weekly\t", "weekly "] {
            assert_eq!(kept(spelt).as_deref(), Some("weekly"));
        }
        assert_eq!(kept("BÜCHER").as_deref(), Some("bücher"));
        assert_eq!(kept("  "), None);
    }
}
