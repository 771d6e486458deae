//! A sorted set of name/value pairs in one piece of memory, ordered so that equal sets are equal bytes.
//!
//! There are two for each of a million alerts, so a pair costs its bytes and two more: all texts stand one
//! after the other, each behind its length, which is written as a character of that number.
//!
//! ```text
//! {"job":"db","site":"fra1"}  ─▶  ␃job␂db␄site␄fra1
//! ```

use serde::de::{DeserializeSeed, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::ops::Range;

use super::Fingerprint;

/// Names in one set that is read from outside. Sorting costs more than their number, so it is bounded while
/// reading; what an event may really have is [`super::event::LABELS_MAX`].
const READ_MAX: usize = 256;

#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Labels(Box<str>);

impl Labels {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.iter().find(|(other, _)| *other == name).map(|(_, value)| value)
    }

    /// Sets `name`, returning true when it was new.
    pub fn insert(&mut self, name: impl AsRef<str>, value: impl AsRef<str>) -> bool {
        let (name, value) = (name.as_ref(), value.as_ref());
        let mut pairs: Vec<(&str, &str)> = self.iter().collect();
        let place = pairs.binary_search_by(|(other, _)| (*other).cmp(name));
        match place {
            Ok(at) => pairs[at].1 = value,
            Err(at) => pairs.insert(at, (name, value)),
        }
        *self = Self::packed(&pairs);
        place.is_err()
    }

    pub fn remove(&mut self, name: &str) -> Option<Box<str>> {
        let removed = self.get(name)?.into();
        let pairs: Vec<(&str, &str)> = self.iter().filter(|(other, _)| *other != name).collect();
        *self = Self::packed(&pairs);
        Some(removed)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut rest = &*self.0;
        std::iter::from_fn(move || Some((take(&mut rest)?, take(&mut rest)?)))
    }

    pub fn len(&self) -> usize {
        self.iter().count()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Of names and values in order: what Alertmanager prints for the same labels.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.iter().flat_map(|(name, value)| [name, value]))
    }

    /// True when every pair of `self` is also in `other`.
    pub fn is_subset_of(&self, other: &Self) -> bool {
        self.iter().all(|(name, value)| other.get(name) == Some(value))
    }

    /// The pairs must be sorted by name, each name once.
    fn packed(pairs: &[(&str, &str)]) -> Self {
        let bytes = pairs.iter().map(|(name, value)| name.len() + value.len() + 2).sum();
        let mut text = String::with_capacity(bytes);
        for (name, value) in pairs {
            for part in [name, value] {
                let part = clipped(part);
                text.push(length_char(part.len()));
                text.push_str(part);
            }
        }
        Self(text.into())
    }
}

/// Where Unicode has no characters of a number.
const SURROGATES: Range<u32> = 0xd800..0xe000;

/// Bytes of one text, which a character can count. Far more than an event may have.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// A longer text is refused where it comes in; what is made here never is one.
fn clipped(text: &str) -> &str {
    let mut end = text.len().min(TEXT_BYTES_MAX);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

fn length_char(bytes: usize) -> char {
    let bytes = bytes as u32;
    let number = if bytes < SURROGATES.start { bytes } else { bytes + 0x800 };
    char::from_u32(number).unwrap_or_default()
}

fn length(char: char) -> usize {
    let number = u32::from(char);
    let bytes = if number < SURROGATES.start { number } else { number - 0x800 };
    bytes as usize
}

/// The text at the beginning of `rest`, which goes on behind it.
fn take<'a>(rest: &mut &'a str) -> Option<&'a str> {
    let mut chars = rest.chars();
    let bytes = length(chars.next()?);
    let (text, behind) = chars.as_str().split_at_checked(bytes)?;
    *rest = behind;
    Some(text)
}

impl fmt::Debug for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Labels {
    /// Of a name that comes twice the last value counts.
    fn from_iter<I: IntoIterator<Item = (N, V)>>(pairs: I) -> Self {
        let given: Vec<(N, V)> = pairs.into_iter().collect();
        let mut pairs: Vec<(&str, &str)> = given.iter().map(|(name, value)| (name.as_ref(), value.as_ref())).collect();
        pairs.sort_by_key(|(name, _)| *name);
        pairs.reverse();
        pairs.dedup_by_key(|(name, _)| *name);
        pairs.reverse();
        Self::packed(&pairs)
    }
}

impl Serialize for Labels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_map(self.iter()),
            false => serializer.serialize_str(&self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Labels {
    /// Rejects a name that comes twice: two senders' parsers would disagree on which one counts.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return deserializer.deserialize_map(PairsVisitor);
        }
        let packed = Self(Box::deserialize(deserializer)?);
        let mut rest = &*packed.0;
        while !rest.is_empty() {
            if take(&mut rest).is_none() || take(&mut rest).is_none() {
                return Err(de::Error::custom("expected pairs of texts, each behind its length"));
            }
        }
        Ok(packed)
    }
}

struct PairsVisitor;

impl<'de> Visitor<'de> for PairsVisitor {
    type Value = Labels;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object whose values are strings")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Labels, A::Error> {
        let mut texts = String::with_capacity(256);
        let mut parts: Vec<(Range<usize>, Range<usize>)> = Vec::with_capacity(16);
        while let Some(name) = map.next_key_seed(Part(&mut texts))? {
            if parts.len() == READ_MAX {
                return Err(de::Error::custom(format_args!("more than {READ_MAX} names")));
            }
            let value = map.next_value_seed(Part(&mut texts))?;
            parts.push((name, value));
        }
        let mut pairs: Vec<(&str, &str)> =
            parts.into_iter().map(|(name, value)| (&texts[name], &texts[value])).collect();
        // Most senders sort them; then this is one look at each.
        pairs.sort_by_key(|(name, _)| *name);
        if let Some(twice) = pairs.windows(2).find(|two| two[0].0 == two[1].0) {
            return Err(de::Error::custom(format_args!("duplicate name `{}`", twice[0].0)));
        }
        Ok(Labels::packed(&pairs))
    }
}

/// Reads one text to the end of a buffer, without memory of its own.
struct Part<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Range<usize>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Range<usize>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Part<'_> {
    type Value = Range<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Range<usize>, E> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(E::custom(format_args!("a text of more than {TEXT_BYTES_MAX} bytes")));
        }
        let start = self.0.len();
        self.0.push_str(text);
        Ok(start..self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

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

    proptest! {
        #[test]
        fn behaves_as_a_tree(changes in proptest::collection::vec((any::<bool>(), ".{0,3}", ".{0,200}"), 0..40)) {
            let (mut labels, mut tree) = (Labels::new(), BTreeMap::new());
            for (is_insert, name, value) in changes {
                if is_insert {
                    prop_assert_eq!(labels.insert(&name, &value), tree.insert(name.clone(), value).is_none());
                } else {
                    prop_assert_eq!(labels.remove(&name).map(String::from), tree.remove(&name));
                }
                prop_assert_eq!(labels.get(&name), tree.get(&name).map(String::as_str));
                prop_assert!(labels.iter().eq(tree.iter().map(|(name, value)| (name.as_str(), value.as_str()))));
            }
            let json = serde_json::to_string(&labels).unwrap();
            prop_assert_eq!(&json, &serde_json::to_string(&tree).unwrap());
            prop_assert_eq!(serde_json::from_str::<Labels>(&json).unwrap(), labels.clone());
            prop_assert_eq!(tree.into_iter().rev().collect::<Labels>(), labels);
        }
    }

    #[test]
    fn keeps_texts_of_every_length() {
        for bytes in [0, 127, 128, 2_047, 2_048, 55_295, 55_296, 57_344, 65_536, 1_000_000] {
            let text = "x".repeat(bytes);
            let labels = Labels::from_iter([("a", text.as_str()), ("b", "2")]);
            assert_eq!((labels.get("a"), labels.get("b")), (Some(text.as_str()), Some("2")), "{bytes}");
        }
    }

    #[test]
    fn knows_subsets() {
        let small = Labels::from_iter([("site", "fra1")]);
        let large = Labels::from_iter([("site", "fra1"), ("host", "db-3")]);
        assert!(small.is_subset_of(&large) && !large.is_subset_of(&small));
    }
}
