//! The tokens of the configuration, found by what a request shows: a token, or the name that a client of SES signs with.
//!
//! Promise: an answer costs the same however many there are. The time it takes tells nothing that helps a guesser: what is
//! looked for is the SHA-256 of what was shown, in a table whose order is random and this process's own.

use std::collections::HashMap;
use std::sync::Arc;

use crate::settings::{Token, TokenHash};

#[derive(Clone, Debug, Default)]
pub struct Tokens {
    by_name: HashMap<String, Arc<Token>>,
    by_hash: HashMap<[u8; 32], Arc<Token>>,
}

impl Tokens {
    /// The one that was shown.
    pub(crate) fn shown(&self, token: &str) -> Option<&Arc<Token>> {
        self.hashed(&TokenHash::of(token))
    }

    pub(crate) fn hashed(&self, hash: &TokenHash) -> Option<&Arc<Token>> {
        self.by_hash.get(hash.octets()).filter(|token| token.hash.is(hash))
    }

    pub(crate) fn named(&self, name: &str) -> Option<&Arc<Token>> {
        self.by_name.get(name)
    }

    /// In no order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Token>> {
        self.by_name.values()
    }
}

impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Tokens {
        tokens.into_iter().map(Arc::new).collect()
    }
}

impl FromIterator<Arc<Token>> for Tokens {
    fn from_iter<I: IntoIterator<Item = Arc<Token>>>(tokens: I) -> Tokens {
        let mut all = Tokens::default();
        for token in tokens {
            all.by_hash.insert(*token.hash.octets(), token.clone());
            all.by_name.insert(token.name.clone(), token);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_by_itself_and_by_its_name_and_by_nothing_else() {
        let token = |n: u32| Token {
            name: format!("t{n}"),
            hash: TokenHash::of(&format!("repute_{n}")),
            signing_secret: String::new(),
            account: None,
            actions: Vec::new(),
            requests_per_minute: None,
        };
        let tokens: Tokens = (0..3000).map(token).collect();
        let name = |found: Option<&Arc<Token>>| found.map(|token| token.name.clone());
        assert_eq!(name(tokens.shown("repute_2999")).as_deref(), Some("t2999"));
        assert_eq!(name(tokens.named("t7")).as_deref(), Some("t7"));
        assert_eq!(
            (name(tokens.shown("repute_3000")), name(tokens.shown("t7")), name(tokens.named(""))),
            (None, None, None)
        );
        assert_eq!(tokens.iter().count(), 3000);
    }
}
