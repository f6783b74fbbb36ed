//! Answers that are found out once, however many ask.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

/// Kept for as long as this is: whoever makes one bounds it by how long it lives.
pub(crate) struct Once<K, V>(Mutex<HashMap<K, Arc<OnceCell<V>>>>);

impl<K, V> Default for Once<K, V> {
    fn default() -> Once<K, V> {
        Once(Mutex::default())
    }
}

impl<K: Clone + Eq + Hash, V: Clone> Once<K, V> {
    /// The answer; who asks while it is being found out waits for it.
    pub async fn get(&self, key: &K, ask: impl Future<Output = V>) -> V {
        let cell = {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            match all.get(key) {
                Some(cell) => cell.clone(),
                None => all.entry(key.clone()).or_default().clone(),
            }
        };
        cell.get_or_init(|| ask).await.clone()
    }
}
