//! Ordered maps and sets that are mostly tiny. A tree of one entry takes hundreds of bytes, and there is
//! such a set for each alert; so one entry lives alone, a few live in a sorted vector, and only many in a tree.

use std::borrow::Borrow;
use std::collections::BTreeMap;

/// Entries that are kept in the vector.
const FEW: usize = 8;

#[derive(Clone, Debug)]
pub enum SmallMap<K, V> {
    /// Most have no company.
    One([(K, V); 1]),
    Few(Vec<(K, V)>),
    #[allow(clippy::box_collection, reason = "without the box the others would take more room")]
    Many(Box<BTreeMap<K, V>>),
}

impl<K, V> Default for SmallMap<K, V> {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl<K: Ord, V> SmallMap<K, V> {
    /// The entries in order, where they are not many.
    fn few(&self) -> &[(K, V)] {
        match self {
            Self::One(one) => one,
            Self::Few(few) => few,
            Self::Many(_) => &[],
        }
    }

    pub fn len(&self) -> usize {
        match self {
            Self::Many(many) => many.len(),
            _ => self.few().len(),
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
            Self::Many(many) => many.get(key),
            _ => place(self.few(), key).ok().map(|at| &self.few()[at].1),
        }
    }

    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let few: &mut [(K, V)] = match self {
            Self::Many(many) => return many.get_mut(key),
            Self::One(one) => one,
            Self::Few(few) => few,
        };
        place(few, key).ok().map(|at| &mut few[at].1)
    }

    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        if let Self::Many(many) = self {
            return many.insert(key, value);
        }
        if let Some(known) = self.get_mut(&key) {
            return Some(std::mem::replace(known, value));
        }
        *self = match std::mem::take(self) {
            Self::One([one]) => {
                let is_first = key < one.0;
                Self::Few(if is_first { vec![(key, value), one] } else { vec![one, (key, value)] })
            }
            Self::Few(few) if few.is_empty() => Self::One([(key, value)]),
            Self::Few(mut few) if few.len() < FEW => {
                // Room is kept for no more than came.
                few.reserve_exact(1);
                let (Ok(at) | Err(at)) = place(&few, &key);
                few.insert(at, (key, value));
                Self::Few(few)
            }
            Self::Few(few) => Self::Many(Box::new(few.into_iter().chain([(key, value)]).collect())),
            many @ Self::Many(_) => many,
        };
        None
    }

    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        match self {
            Self::Many(many) => many.remove(key),
            Self::Few(few) => place(few, key).ok().map(|at| few.remove(at).1),
            Self::One(one) => {
                place(one, key).ok()?;
                let Self::One([(_, value)]) = std::mem::take(self) else { return None };
                Some(value)
            }
        }
    }

    /// In order of the keys.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> {
        let many = if let Self::Many(many) = self { Some(many) } else { None };
        let few = self.few().iter().map(|(key, value)| (key, value));
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
