//! A map by numbers that are handed out one after the other. A tree to which keys are only added at the end is half
//! empty, so the values stand in pages, and a page is found by the number's upper digits. What has left takes no place
//! once a whole page of neighbours has.

use std::collections::BTreeMap;

/// Values of a page: few enough that one that lasts among many that have gone costs little.
const PAGE: usize = 32;

#[derive(Clone, Debug)]
pub struct Numbered<V> {
    pages: BTreeMap<u64, Box<Page<V>>>,
}

#[derive(Clone, Debug)]
struct Page<V> {
    values: [Option<V>; PAGE],
    count: usize,
}

impl<V> Default for Numbered<V> {
    fn default() -> Self {
        Self { pages: BTreeMap::new() }
    }
}

impl<V> Default for Page<V> {
    fn default() -> Self {
        Self { values: [const { None }; PAGE], count: 0 }
    }
}

/// The page of a number, and its place there.
const fn place(number: u64) -> (u64, usize) {
    (number / PAGE as u64, (number % PAGE as u64) as usize)
}

impl<V> Numbered<V> {
    pub fn get(&self, number: u64) -> Option<&V> {
        let (page, at) = place(number);
        self.pages.get(&page)?.values[at].as_ref()
    }

    pub fn get_mut(&mut self, number: u64) -> Option<&mut V> {
        let (page, at) = place(number);
        self.pages.get_mut(&page)?.values[at].as_mut()
    }

    /// What was there before.
    pub fn insert(&mut self, number: u64, value: V) -> Option<V> {
        let (page, at) = place(number);
        let page = self.pages.entry(page).or_default();
        let before = page.values[at].replace(value);
        page.count += usize::from(before.is_none());
        before
    }

    pub fn remove(&mut self, number: u64) -> Option<V> {
        let (key, at) = place(number);
        let page = self.pages.get_mut(&key)?;
        let value = page.values[at].take()?;
        page.count -= 1;
        if page.count == 0 {
            self.pages.remove(&key);
        }
        Some(value)
    }

    /// Those of this number and higher ones, in order.
    pub fn values_from(&self, number: u64) -> impl Iterator<Item = &V> {
        let (first, at) = place(number);
        let skipped = move |page: u64| if page == first { at } else { 0 };
        self.pages.range(first..).flat_map(move |(number, page)| page.values[skipped(*number)..].iter().flatten())
    }

    /// In the order of the numbers.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.pages.values().flat_map(|page| page.values.iter().flatten())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behaves_as_a_tree(changes in proptest::collection::vec((any::<bool>(), 0..100_u64, any::<u8>()), 0..200)) {
            let (mut numbered, mut tree) = (Numbered::default(), BTreeMap::new());
            for (is_insert, number, value) in changes {
                if is_insert {
                    prop_assert_eq!(numbered.insert(number, value), tree.insert(number, value));
                } else {
                    prop_assert_eq!(numbered.remove(number), tree.remove(&number));
                }
                prop_assert_eq!(numbered.get(number), tree.get(&number));
                prop_assert_eq!(numbered.get_mut(number).copied(), tree.get(&number).copied());
                prop_assert!(numbered.values().eq(tree.values()));
                prop_assert!(numbered.values().rev().eq(tree.values().rev()));
                prop_assert!(numbered.values_from(number).eq(tree.range(number..).map(|(_, value)| value)));
            }
            let pages = tree.keys().map(|number| place(*number).0).collect::<std::collections::BTreeSet<_>>();
            prop_assert_eq!(numbered.pages.len(), pages.len());
        }
    }
}
