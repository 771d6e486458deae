//! Texts that many alerts have in common (names, sources, services, links), kept once.

use std::collections::BTreeSet;
use std::sync::Arc;

/// Texts kept at most: a sender that makes each one different shall not fill the memory.
const TEXTS_MAX: usize = 65_536;

#[derive(Clone, Debug, Default)]
pub struct Interner(BTreeSet<Arc<str>>);

impl Interner {
    /// The shared form of `text`.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        if let Some(known) = self.0.get(text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.0.len() < TEXTS_MAX {
            self.0.insert(Arc::clone(&new));
        }
        new
    }

    pub fn share_some(&mut self, text: Option<&str>) -> Option<Arc<str>> {
        text.map(|text| self.share(text))
    }
}
