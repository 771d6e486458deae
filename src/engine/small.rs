//! Ordered maps and sets that are mostly tiny. A tree of one entry takes hundreds of bytes, and there is
//! such a set for each alert; so few entries live in a sorted vector, and only many in a tree.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Entries that are kept in the vector.
const FEW: usize = 8;

#[derive(Clone, Debug)]
pub enum SmallMap<K, V> {
    Few(Vec<(K, V)>),
    Many(BTreeMap<K, V>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    pub fn len(&self) -> usize {
        match self {
            Self::Few(few) => few.len(),
            Self::Many(many) => many.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| &few[at].1),
            Self::Many(many) => many.get(key),
        }
    }

    pub fn get_key_value<Q: Ord + ?Sized>(&self, key: &Q) -> Option<(&K, &V)>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| (&few[at].0, &few[at].1)),
            Self::Many(many) => many.get_key_value(key),
        }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| &mut few[at].1),
            Self::Many(many) => many.get_mut(key),
        }
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self {
            Self::Many(many) => many.insert(key, value),
            Self::Few(few) => match place(few, &key) {
                Ok(at) => Some(std::mem::replace(&mut few[at].1, value)),
                Err(at) if few.len() < FEW => {
                    // Most stay alone: no room is kept for company.
                    few.reserve_exact(1);
                    few.insert(at, (key, value));
                    None
                }
                Err(_) => {
                    let mut many: BTreeMap<K, V> = std::mem::take(few).into_iter().collect();
                    many.insert(key, value);
                    *self = Self::Many(many);
                    None
                }
            },
        }
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Few(few) => place(few, key).ok().map(|at| few.remove(at).1),
            Self::Many(many) => many.remove(key),
        }
    }

    /// In order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let (few, many) = match self {
            Self::Few(few) => (Some(few), None),
            Self::Many(many) => (None, Some(many)),
        };
        let few = few.into_iter().flatten().map(|(key, value)| (key, value));
        few.chain(many.into_iter().flat_map(|many| many.iter()))
    }

    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.iter().map(|(key, _)| key)
    }
}

fn place<K: Borrow<Q>, V, Q: Ord + ?Sized>(few: &[(K, V)], key: &Q) -> Result<usize, usize> {
    few.binary_search_by(|(other, _)| other.borrow().cmp(key))
}

#[derive(Clone, Debug)]
pub struct SmallSet<T>(SmallMap<T, ()>);

impl<T> Default for SmallSet<T> {
    fn default() -> Self {
        Self(SmallMap::default())
    }
}

impl<T: Ord> SmallSet<T> {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn contains<Q: Ord + ?Sized>(&self, item: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        self.0.get(item).is_some()
    }

    /// Of items that are in order, each once.
    pub fn of_sorted(items: impl ExactSizeIterator<Item = T>) -> Self {
        let items = items.map(|item| (item, ()));
        Self(if items.len() <= FEW { SmallMap::Few(items.collect()) } else { SmallMap::Many(items.collect()) })
    }

    /// True when it was not there.
    pub fn insert(&mut self, item: T) -> bool {
        self.0.insert(item, ()).is_none()
    }

    pub fn remove(&mut self, item: &T) -> bool {
        self.0.remove(item).is_some()
    }

    /// In order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.0.keys()
    }
}

impl<T: Ord> FromIterator<T> for SmallSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut set = Self::default();
        for item in items {
            set.insert(item);
        }
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_as_a_tree(changes in proptest::collection::vec((any::<bool>(), 0..20_u8, any::<u8>()), 0..80)) {
            let (mut small, mut tree) = (SmallMap::default(), BTreeMap::new());
            for (is_insert, key, value) in changes {
                if is_insert {
                    prop_assert_eq!(small.insert(key, value), tree.insert(key, value));
                } else {
                    prop_assert_eq!(small.remove(&key), tree.remove(&key));
                }
                prop_assert_eq!(small.get(&key), tree.get(&key));
                prop_assert_eq!(small.len(), tree.len());
                prop_assert!(small.iter().eq(tree.iter()));
            }
        }
    }
}
