//! A sorted set of name/value pairs, compact and ordered so that equal sets are equal bytes.

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// Names in one set that is read from outside. Sorted insertion costs the square of it, so it is
/// bounded while reading; what an event may really have is [`super::event::LABELS_MAX`].
const READ_MAX: usize = 256;

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Vec<(Box<str>, Box<str>)>);

impl Labels {
    pub fn new() -> Self {
        Self::default()
    }
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok().map(|i| &*self.0[i].1)
    }
    /// Sets `name`, returning true when it was new.
    pub fn insert(&mut self, name: impl Into<Box<str>>, value: impl Into<Box<str>>) -> bool {
        let (name, value) = (name.into(), value.into());
        match self.0.binary_search_by(|(n, _)| (**n).cmp(&*name)) {
            Ok(i) => {
                self.0[i].1 = value;
                false
            }
            Err(i) => {
                self.0.insert(i, (name, value));
                true
            }
        }
    }
    pub fn remove(&mut self, name: &str) -> Option<Box<str>> {
        self.0.binary_search_by(|(n, _)| (**n).cmp(name)).ok().map(|i| self.0.remove(i).1)
    }
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }
    pub fn len(&self) -> usize {
        self.0.len()
    }
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// True when every pair of `self` is also in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|(name, value)| other.get(name) == Some(value))
    }
}

impl<N: Into<Box<str>>, V: Into<Box<str>>> FromIterator<(N, V)> for Labels {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let mut labels = Self::new();
        for (name, value) in pairs {
            labels.insert(name, value);
        }
        labels
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de> Deserialize<'de> for Labels {
    /// Rejects a name that comes twice: two senders' parsers would disagree on which one counts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PairsVisitor;
        impl<'de> Visitor<'de> for PairsVisitor {
            type Value = Labels;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object whose values are strings")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
                let mut labels = Labels(Vec::with_capacity(map.size_hint().unwrap_or(8)));
                while let Some((name, value)) = map.next_entry::<Box<str>, Box<str>>()? {
                    if labels.0.len() == READ_MAX {
                        return Err(de::Error::custom(format_args!("more than {READ_MAX} names")));
                    }
                    match labels.0.last() {
                        Some((last, _)) if **last >= *name => {
                            if labels.get(&name).is_some() {
                                return Err(de::Error::custom(format_args!("duplicate name `{name}`")));
                            }
                            labels.insert(name, value);
                        }
                        _ => labels.0.push((name, value)),
                    }
                }
                Ok(labels)
            }
        }
        deserializer.deserialize_map(PairsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_sorted_and_rejects_duplicates() {
        let labels: Labels = serde_json::from_str(r#"{"b":"2","a":"1","c":"3"}"#).unwrap();
        assert_eq!(serde_json::to_string(&labels).unwrap(), r#"{"a":"1","b":"2","c":"3"}"#);
        assert_eq!(labels.get("b"), Some("2"));
        let error = serde_json::from_str::<Labels>(r#"{"a":"1","a":"2"}"#).unwrap_err();
        assert!(error.to_string().contains("duplicate name `a`"), "{error}");
    }

    #[test]
    fn a_flood_of_names_is_cut_off() {
        let names: Vec<_> = (0..=READ_MAX).rev().map(|i| format!(r#""n{i:04}":"""#)).collect();
        let error = serde_json::from_str::<Labels>(&format!("{{{}}}", names.join(","))).unwrap_err();
        assert!(error.to_string().contains("more than 256 names"), "{error}");
    }

    #[test]
    fn knows_subsets() {
        let small = Labels::from_iter([("site", "fra1")]);
        let large = Labels::from_iter([("site", "fra1"), ("host", "db-3")]);
        assert!(small.is_subset_of(&large) && !large.is_subset_of(&small));
    }
}
