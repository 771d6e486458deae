//! Numbers for the names of configuration items. A number is an index and takes four bytes, so that graph, groups
//! and walks compare no texts. Numbers are handed out as names come and are used again: nothing is decided by their
//! order, and none outlives a start.

use std::collections::{BTreeMap, BTreeSet, btree_map};
use std::num::NonZeroU32;
use std::sync::Arc;

pub type ItemName = Arc<str>;

/// Names that are remembered for all items together: a source that invents names cannot fill memory.
pub const KNOWN_MAX: usize = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemId(NonZeroU32);

impl ItemId {
    pub const FIRST: Self = Self(NonZeroU32::MIN);
    pub const LAST: Self = Self(NonZeroU32::MAX);

    pub const fn of_index(index: usize) -> Self {
        Self(NonZeroU32::MIN.saturating_add(index as u32))
    }

    pub const fn index(self) -> usize {
        self.0.get() as usize - 1
    }
}

#[derive(Clone, Debug, Default)]
pub struct Items {
    /// By number; of one that is free it means nothing.
    entries: Vec<Entry>,
    /// By the hash of the name: looking one up compares hashes, and in the end one text.
    by_hash: BTreeMap<u64, ItemId>,
    /// Those whose hash was taken.
    by_name: BTreeMap<ItemName, ItemId>,
    /// The first known one by the hash of the host name without its domain.
    by_short_name: BTreeMap<u64, ItemId>,
    /// Those that were not the first.
    more_by_short_name: BTreeSet<(u64, ItemId)>,
    free: Vec<ItemId>,
    known_count: usize,
}

#[derive(Clone, Debug)]
struct Entry {
    name: ItemName,
    /// A monitor's short name may mean it; kept until all is made anew.
    is_known: bool,
}

impl Items {
    pub fn name(&self, id: ItemId) -> &ItemName {
        &self.entries[id.index()].name
    }

    pub fn find(&self, name: &str) -> Option<ItemId> {
        let first = self.by_hash.get(&hash(name)).copied();
        // It is nearly always the first, or there is none.
        first.filter(|id| **self.name(*id) == *name).or_else(|| self.find_other(name))
    }

    fn find_other(&self, name: &str) -> Option<ItemId> {
        if self.by_name.is_empty() { None } else { self.by_name.get(name).copied() }
    }

    /// The number of a name, which gets one if it has none.
    pub fn intern(&mut self, name: &str) -> ItemId {
        self.find(name).unwrap_or_else(|| self.add(name.into()))
    }

    /// The same for a text that is shared already.
    pub fn intern_shared(&mut self, name: &ItemName) -> ItemId {
        self.find(name).unwrap_or_else(|| self.add(ItemName::clone(name)))
    }

    fn add(&mut self, name: ItemName) -> ItemId {
        let entry = Entry { name: ItemName::clone(&name), is_known: false };
        let id = match self.free.pop() {
            Some(id) => {
                self.entries[id.index()] = entry;
                id
            }
            None => {
                self.entries.push(entry);
                ItemId::of_index(self.entries.len() - 1)
            }
        };
        match self.by_hash.entry(hash(&name)) {
            btree_map::Entry::Vacant(entry) => drop(entry.insert(id)),
            btree_map::Entry::Occupied(_) => drop(self.by_name.insert(name, id)),
        }
        id
    }

    /// Nobody needs the number any more; it may mean another item from now on.
    pub fn release(&mut self, id: ItemId) {
        let Some(entry) = self.entries.get(id.index()).filter(|entry| !entry.is_known) else { return };
        let hash = hash(&entry.name);
        if self.by_hash.get(&hash) == Some(&id) {
            self.by_hash.remove(&hash);
        } else if self.by_name.get(&entry.name) == Some(&id) {
            self.by_name.remove(&entry.name);
        } else {
            return;
        }
        self.free.push(id);
    }

    /// Its name is remembered from now on, as long as there is room.
    pub fn know(&mut self, id: ItemId) {
        let entry = &mut self.entries[id.index()];
        if entry.is_known || self.known_count >= KNOWN_MAX {
            return;
        }
        entry.is_known = true;
        self.known_count += 1;
        if let Some(short) = short_name(&entry.name) {
            let hash = hash(short);
            if *self.by_short_name.entry(hash).or_insert(id) != id {
                self.more_by_short_name.insert((hash, id));
            }
        }
    }

    pub fn is_known(&self, name: &str) -> bool {
        self.find(name).is_some_and(|id| self.entries[id.index()].is_known)
    }

    /// The one item whose host name without its domain this is; none where two have it.
    pub fn with_short_name(&self, short: &str) -> Option<&ItemName> {
        let hash = hash(short);
        let first = self.by_short_name.get(&hash)?;
        let more = self.more_by_short_name.range((hash, ItemId::FIRST)..=(hash, ItemId::LAST)).map(|(_, id)| id);
        let all = [first].into_iter().chain(more).map(|id| self.name(*id));
        let mut all = all.filter(|name| short_name(name) == Some(short));
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }
}

/// Eight bytes at a time: a name is looked up several times for each alert. It is not kept anywhere, and two names
/// with one hash are told apart by their texts.
fn hash(name: &str) -> u64 {
    let words = name.as_bytes().chunks(8).map(|part| {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        u64::from_le_bytes(word)
    });
    words.fold(name.len() as u64, mixed)
}

const fn mixed(hash: u64, word: u64) -> u64 {
    let product = (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    product ^ (product >> 29)
}

/// A host name without its domain; an address has none.
fn short_name(name: &str) -> Option<&str> {
    match name.split_once('.') {
        Some(_) if name.parse::<std::net::IpAddr>().is_ok() => None,
        Some((short, _)) => Some(short),
        None => Some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_keeps_its_number_until_it_is_released() {
        let mut items = Items::default();
        let (a, b) = (items.intern("a"), items.intern("b"));
        assert_eq!((items.intern("a"), items.find("b"), items.find("c")), (a, Some(b), None));
        items.release(a);
        items.release(a);
        assert_eq!((items.find("a"), items.find("")), (None, None));
        assert_eq!((items.intern("c"), &**items.name(a)), (a, "c"));
        assert_eq!(items.intern("d").index(), 2);
        items.know(b);
        items.release(b);
        assert_eq!((items.find("b"), items.is_known("b"), items.is_known("c")), (Some(b), true, false));
    }

    /// Two names of sixteen letters with one hash: the second half makes up for the first.
    fn alike() -> [String; 2] {
        let begun =
            |number: u64| mixed(16, u64::from_le_bytes(*format!("{number:08}").as_bytes().first_chunk().unwrap()));
        let end = u64::from_le_bytes(*b"abcdefgh");
        let other = (1..).find(|number| (begun(0) ^ begun(*number)) & 0x8080_8080_8080_8080 == 0).unwrap();
        let other_end = (end ^ begun(0) ^ begun(other)).to_le_bytes().to_vec();
        [format!("{:08}abcdefgh", 0), format!("{other:08}{}", String::from_utf8(other_end).unwrap())]
    }

    #[test]
    fn names_with_one_hash_are_told_apart() {
        let [one, other] = alike();
        assert_eq!(hash(&one), hash(&other));
        let mut items = Items::default();
        let (first, second) = (items.intern(&one), items.intern(&other));
        assert!(first != second);
        assert_eq!((items.find(&one), items.find(&other)), (Some(first), Some(second)));
        items.release(first);
        assert_eq!((items.find(&one), items.find(&other)), (None, Some(second)));
        assert_eq!((items.intern(&one), items.intern(&other)), (first, second));
        items.release(second);
        assert_eq!((items.find(&one), items.find(&other)), (Some(first), None));
    }

    #[test]
    fn a_short_name_means_the_one_item_that_has_it() {
        let mut items = Items::default();
        for name in ["web1.example.net", "web2.example.net", "web2", "10.0.0.1", "10", "web3.example.net"] {
            let id = items.intern(name);
            items.know(id);
        }
        items.intern("web3.example.org");
        let found = |short| items.with_short_name(short).map(|name| &**name);
        assert_eq!((found("web1"), found("web2")), (Some("web1.example.net"), None));
        assert_eq!((found("10"), found("10.0.0.1"), found("web")), (Some("10"), None, None));
        assert_eq!(found("web3"), Some("web3.example.net"), "the other one is not known");
    }
}
