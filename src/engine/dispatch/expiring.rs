//! What is remembered under a key until a moment, and then forgotten: so it stays bounded.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Fingerprint, Timestamp};

#[derive(Clone, Debug)]
pub struct Expiring<T> {
    by_key: BTreeMap<Fingerprint, (Timestamp, T)>,
    by_expiry: BTreeSet<(Timestamp, Fingerprint)>,
}

impl<T> Default for Expiring<T> {
    fn default() -> Self {
        Self { by_key: BTreeMap::new(), by_expiry: BTreeSet::new() }
    }
}

impl<T> Expiring<T> {
    pub fn get(&self, key: Fingerprint) -> Option<&T> {
        self.by_key.get(&key).map(|(_, value)| value)
    }

    /// Everything that is remembered, in order.
    pub fn entries(&self) -> impl Iterator<Item = (&Fingerprint, &T)> {
        self.by_key.iter().map(|(key, (_, value))| (key, value))
    }

    pub fn put(&mut self, key: Fingerprint, expires_at: Timestamp, value: T) {
        self.remove(key);
        self.by_expiry.insert((expires_at, key));
        self.by_key.insert(key, (expires_at, value));
    }

    /// Whether there was anything.
    pub fn remove(&mut self, key: Fingerprint) -> bool {
        let Some((expires_at, _)) = self.by_key.remove(&key) else { return false };
        self.by_expiry.remove(&(expires_at, key))
    }

    /// Forgets one whose time has come.
    pub fn expire(&mut self, now: Timestamp) -> Option<Fingerprint> {
        let (_, key) = self.by_expiry.first().copied().filter(|(at, _)| *at <= now)?;
        self.remove(key);
        Some(key)
    }
}
