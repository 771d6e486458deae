//! Which silences may mute an alert, without asking all of them. Each is filed under what an alert must show for it to
//! match: a value of a label, a label at all, an item. So an alert is asked about the silences of its own values, and
//! ten thousand for other hosts cost nothing. Decides nothing: who is found here is looked at in full.

use std::collections::{BTreeMap, BTreeSet};

use super::ITEM;
use crate::model::silence::{Silence, SilenceState};

#[derive(Clone, Debug, Default)]
pub struct Index {
    by_label: BTreeMap<String, OfLabel>,
    /// Those that cover what depends on the item.
    by_item: BTreeMap<String, BTreeSet<String>>,
    /// Asked about every alert.
    rest: BTreeSet<String>,
    /// Where each is filed.
    filed: BTreeMap<String, Vec<Place>>,
}

#[derive(Clone, Debug, Default)]
struct OfLabel {
    by_value: BTreeMap<String, BTreeSet<String>>,
    /// For any alert that has the label.
    any: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Value(String, String),
    Label(String),
    Item(String),
    Rest,
}

impl Index {
    /// Follows a silence; one that is over is no longer looked for.
    pub fn put(&mut self, silence: &Silence) {
        self.remove(&silence.id);
        if silence.state == SilenceState::Expired {
            return;
        }
        let places = self.places(silence);
        for place in &places {
            self.at(place).insert(silence.id.clone());
        }
        self.filed.insert(silence.id.clone(), places);
    }

    pub fn remove(&mut self, id: &str) {
        for place in self.filed.remove(id).unwrap_or_default() {
            self.at(&place).remove(id);
            self.tidy(&place);
        }
    }

    pub fn covers_dependants(&self) -> bool {
        !self.by_item.is_empty()
    }

    /// Ids of those that may match, each once, in no order that means anything.
    pub fn candidates<'i, 'l>(
        &'i self,
        label: &'i dyn Fn(&str) -> Option<&'l str>,
        lineage: &'i [String],
    ) -> impl Iterator<Item = &'i str> {
        let by_label = self.by_label.iter().flat_map(|(name, of)| {
            let value = label(name).filter(|value| !value.is_empty());
            let exact = value.and_then(|value| of.by_value.get(value));
            exact.into_iter().chain(value.map(|_| &of.any)).flatten()
        });
        let by_item = lineage.iter().filter_map(|item| self.by_item.get(item)).flatten();
        by_label.chain(by_item).chain(&self.rest).map(String::as_str)
    }

    /// Under the one of its matchers that tells most: a value that few others are filed under, else a label.
    fn places(&self, silence: &Silence) -> Vec<Place> {
        let is_wide = |name: &str| silence.covers_dependants && name == ITEM;
        if let Some(item) = silence.matchers.iter().find(|matcher| is_wide(&matcher.name)) {
            return match item.literals() {
                Some(items) => items.into_iter().map(Place::Item).collect(),
                None => vec![Place::Rest],
            };
        }
        let by_value = silence.matchers.iter().filter_map(|matcher| {
            let values = matcher.literals()?.into_iter();
            Some(values.map(|value| Place::Value(matcher.name.clone(), value)).collect::<Vec<_>>())
        });
        let crowd = |places: &Vec<Place>| places.iter().map(|place| self.count(place)).sum::<usize>();
        if let Some(places) = by_value.min_by_key(crowd) {
            return places;
        }
        let by_label = silence.matchers.iter().filter(|matcher| !matcher.is_match(None));
        let by_label = by_label.map(|matcher| Place::Label(matcher.name.clone()));
        vec![by_label.min_by_key(|place| self.count(place)).unwrap_or(Place::Rest)]
    }

    fn count(&self, place: &Place) -> usize {
        let filed = match place {
            Place::Value(name, value) => self.by_label.get(name).and_then(|of| of.by_value.get(value)),
            Place::Label(name) => self.by_label.get(name).map(|of| &of.any),
            Place::Item(item) => self.by_item.get(item),
            Place::Rest => Some(&self.rest),
        };
        filed.map_or(0, BTreeSet::len)
    }

    fn at(&mut self, place: &Place) -> &mut BTreeSet<String> {
        match place {
            Place::Value(name, value) => {
                self.by_label.entry(name.clone()).or_default().by_value.entry(value.clone()).or_default()
            }
            Place::Label(name) => &mut self.by_label.entry(name.clone()).or_default().any,
            Place::Item(item) => self.by_item.entry(item.clone()).or_default(),
            Place::Rest => &mut self.rest,
        }
    }

    /// Nothing is kept that nobody is filed under.
    fn tidy(&mut self, place: &Place) {
        match place {
            Place::Value(name, _) | Place::Label(name) => {
                let Some(of) = self.by_label.get_mut(name) else { return };
                if let Place::Value(_, value) = place
                    && of.by_value.get(value).is_some_and(BTreeSet::is_empty)
                {
                    of.by_value.remove(value);
                }
                if of.by_value.is_empty() && of.any.is_empty() {
                    self.by_label.remove(name);
                }
            }
            Place::Item(item) => {
                if self.by_item.get(item).is_some_and(BTreeSet::is_empty) {
                    self.by_item.remove(item);
                }
            }
            Place::Rest => {}
        }
    }
}
