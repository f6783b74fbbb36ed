//! Lists of the configuration that are asked by key for each message: accounts, sending domains, the domains of an account.
//!
//! Promises: an answer costs the same however long the list is, and a clone costs nothing; the order is that in which it
//! was written, and of several with one key the first comes first. The index is made with the list, once for each state of
//! the configuration; there is no way to change one without the other.

use std::borrow::Borrow;
use std::collections::hash_map::Entry;
use std::fmt;
use std::hash::Hash;
use std::ops::Deref;
use std::sync::Arc;

use repute_types::{Domain, Map};

/// What something is asked by.
pub trait Keyed {
    type Key: Eq + Hash;

    fn keys(&self) -> impl Iterator<Item = Self::Key>;
}

impl Keyed for Domain {
    type Key = Domain;

    fn keys(&self) -> impl Iterator<Item = Domain> {
        std::iter::once(self.clone())
    }
}

pub struct Listed<T: Keyed>(Arc<Inner<T>>);

struct Inner<T: Keyed> {
    all: Vec<T>,
    places: Map<T::Key, Places>,
}

/// Where those with one key stand. Nearly always there is one.
struct Places {
    first: usize,
    more: Vec<usize>,
}

impl<T: Keyed> Listed<T> {
    /// Those with this key.
    pub fn of<Q>(&self, key: &Q) -> impl Iterator<Item = &T> + Clone
    where
        T::Key: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        let places = self.0.places.get(key);
        let places = places.into_iter().flat_map(|places| std::iter::once(&places.first).chain(&places.more));
        places.filter_map(|place| self.0.all.get(*place))
    }

    pub fn has<Q>(&self, key: &Q) -> bool
    where
        T::Key: Borrow<Q>,
        Q: Eq + Hash + ?Sized,
    {
        self.0.places.contains_key(key)
    }

    /// Makes it anew; its clones stay as they are.
    pub fn change(&mut self, change: impl FnOnce(&mut Vec<T>))
    where
        T: Clone,
    {
        let mut all = self.0.all.clone();
        change(&mut all);
        *self = Listed::from(all);
    }
}

impl<T: Keyed> From<Vec<T>> for Listed<T> {
    fn from(all: Vec<T>) -> Listed<T> {
        let mut places = Map::<T::Key, Places>::with_capacity_and_hasher(all.len(), Default::default());
        for (place, one) in all.iter().enumerate() {
            for key in one.keys() {
                match places.entry(key) {
                    Entry::Vacant(free) => drop(free.insert(Places { first: place, more: Vec::new() })),
                    Entry::Occupied(taken) => taken.into_mut().more.push(place),
                }
            }
        }
        Listed(Arc::new(Inner { all, places }))
    }
}

impl<T: Keyed> FromIterator<T> for Listed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(all: I) -> Listed<T> {
        Listed::from(Vec::from_iter(all))
    }
}

impl<T: Keyed> Deref for Listed<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0.all
    }
}

impl<'a, T: Keyed> IntoIterator for &'a Listed<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.all.iter()
    }
}

impl<T: Keyed> Clone for Listed<T> {
    fn clone(&self) -> Listed<T> {
        Listed(self.0.clone())
    }
}

impl<T: Keyed> Default for Listed<T> {
    fn default() -> Listed<T> {
        Listed::from(Vec::new())
    }
}

impl<T: Keyed + fmt::Debug> fmt::Debug for Listed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct One(&'static str, &'static str);

    impl Keyed for One {
        type Key = &'static str;

        fn keys(&self) -> impl Iterator<Item = &'static str> {
            [self.0, self.1].into_iter()
        }
    }

    #[test]
    fn a_list_answers_by_every_key_in_the_order_in_which_it_was_written() {
        let list = Listed::from(vec![One("a", "shared"), One("b", "shared"), One("c", "own")]);
        let check = |list: &Listed<One>, key: &'static str, expected: &[&str]| {
            let found: Vec<_> = list.of(key).map(|one| one.0).collect();
            assert_eq!((found.as_slice(), list.has(key)), (expected, !expected.is_empty()), "{key}");
        };
        check(&list, "shared", &["a", "b"]);
        check(&list, "own", &["c"]);
        check(&list, "b", &["b"]);
        check(&list, "d", &[]);
        // What was changed is found as it is now, and the earlier list as it was.
        let mut other = list.clone();
        other.change(|all| all[0] = One("d", "own"));
        check(&other, "d", &["d"]);
        check(&other, "own", &["d", "c"]);
        check(&other, "a", &[]);
        check(&list, "a", &["a"]);
    }
}
