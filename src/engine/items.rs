//! Numbers for the names of configuration items. A number is an index and takes four bytes, so that graph, groups
//! and walks compare no texts. Numbers are handed out as names come and are used again: nothing is decided by their
//! order, and none outlives a start.

use std::collections::BTreeSet;
use std::sync::Arc;

pub type ItemName = Arc<str>;

/// Names that are remembered for all items together: a source that invents names cannot fill memory.
pub const KNOWN_MAX: usize = 1_000_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemId(u32);

impl ItemId {
    pub const FIRST: Self = Self(0);
    pub const LAST: Self = Self(u32::MAX);

    pub const fn of_index(index: usize) -> Self {
        Self(index as u32)
    }

    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

#[derive(Clone, Debug, Default)]
pub struct Items {
    /// By number; of one that is free it means nothing.
    entries: Vec<Entry>,
    /// Hash of the name, and the number: looking one up compares hashes, and in the end one text.
    by_hash: BTreeSet<(u64, ItemId)>,
    /// Known ones by the hash of the host name without its domain.
    by_short_name: BTreeSet<(u64, ItemId)>,
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
        let hash = hash(name);
        let alike = self.by_hash.range((hash, ItemId::FIRST)..=(hash, ItemId::LAST));
        alike.map(|(_, id)| *id).find(|id| **self.name(*id) == *name)
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
        let hash = hash(&name);
        let entry = Entry { name, is_known: false };
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
        self.by_hash.insert((hash, id));
        id
    }

    /// Nobody needs the number any more; it may mean another item from now on.
    pub fn release(&mut self, id: ItemId) {
        let Some(entry) = self.entries.get(id.index()).filter(|entry| !entry.is_known) else { return };
        if self.by_hash.remove(&(hash(&entry.name), id)) {
            self.free.push(id);
        }
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
            self.by_short_name.insert((hash(short), id));
        }
    }

    pub fn is_known(&self, name: &str) -> bool {
        self.find(name).is_some_and(|id| self.entries[id.index()].is_known)
    }

    /// The one item whose host name without its domain this is; none where two have it.
    pub fn with_short_name(&self, short: &str) -> Option<&ItemName> {
        let hash = hash(short);
        let alike = self.by_short_name.range((hash, ItemId::FIRST)..=(hash, ItemId::LAST));
        let mut all = alike.map(|(_, id)| self.name(*id)).filter(|name| short_name(name) == Some(short));
        let first = all.next()?;
        all.next().is_none().then_some(first)
    }
}

/// Eight bytes at a time: a name is looked up several times for each alert. It is not kept anywhere, and two names
/// with one hash are told apart by their texts.
fn hash(name: &str) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = (name.len() as u64).wrapping_mul(ODD);
    for part in name.as_bytes().chunks(8) {
        let mut word = [0; 8];
        word[..part.len()].copy_from_slice(part);
        hash = (hash ^ u64::from_le_bytes(word)).wrapping_mul(ODD);
        hash ^= hash >> 29;
    }
    hash
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
