//! What many alerts have in common, worked out once: texts (names, sources, services, links) are kept once, and what
//! kind of trouble a name speaks of is read from its words once.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::Fingerprint;

use super::symptom::Class;

/// Texts kept at most: a sender that makes each one different shall not fill the memory.
const TEXTS_MAX: usize = 65_536;

/// By the hash of the text: many are links that differ only at their ends. Of two with one hash the first is shared.
#[derive(Clone, Debug, Default)]
pub struct Interner(BTreeMap<Fingerprint, Arc<str>>);

impl Interner {
    /// The shared form of `text`.
    pub fn share(&mut self, text: &str) -> Arc<str> {
        let hash = Fingerprint::of([text]);
        if let Some(known) = self.0.get(&hash).filter(|known| ***known == *text) {
            return Arc::clone(known);
        }
        let new: Arc<str> = text.into();
        if self.0.len() < TEXTS_MAX {
            self.0.entry(hash).or_insert_with(|| Arc::clone(&new));
        }
        new
    }

    pub fn share_some(&mut self, text: Option<&str>) -> Option<Arc<str>> {
        text.map(|text| self.share(text))
    }
}

/// Classes of the names of alerts.
#[derive(Clone, Debug, Default)]
pub struct Classes(BTreeMap<Arc<str>, Class>);

impl Classes {
    /// An alert has this name.
    pub fn note(&mut self, name: &Arc<str>) {
        if self.0.len() < TEXTS_MAX && !self.0.contains_key(name) {
            self.0.insert(Arc::clone(name), Class::of(name));
        }
    }

    pub fn of(&self, name: &str) -> Class {
        self.0.get(name).copied().unwrap_or_else(|| Class::of(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_once_and_classes_do_not_depend_on_it() {
        let mut texts = Interner::default();
        assert!(Arc::ptr_eq(&texts.share("HostDown"), &texts.share("HostDown")));
        assert_eq!(&*texts.share("HostUp"), "HostUp");
        let mut classes = Classes::default();
        classes.note(&texts.share("HostDown"));
        assert_eq!((classes.of("HostDown"), classes.of("DiskFull")), (Class::Down, Class::Local));
    }
}
