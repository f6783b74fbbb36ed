//! Hash tables of the way that every message takes: those of the standard library, with a hasher that needs a fifth of the
//! instructions of theirs (some forty look-ups a message).
//!
//! It is seeded anew in each process, and no answer of ours gives away how something hashes. It is not made against somebody who
//! can find that out, so keys are ids of our own and names that came from clients who logged in or from the configuration.

/// `Map::default()` makes an empty one.
pub type Map<K, V> = std::collections::HashMap<K, V, foldhash::fast::RandomState>;
/// `Set::default()` makes an empty one.
pub type Set<K> = std::collections::HashSet<K, foldhash::fast::RandomState>;
