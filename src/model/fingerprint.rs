//! A stable 64-bit hash and the short ids made from it. FNV-1a, because it must give the same value
//! on every machine and in every version: ids in foreign systems depend on it.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;
/// Crockford's alphabet: no letters that read like digits.
pub(super) const BASE32: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl Fingerprint {
    /// Hash of the parts in order, each closed by a byte that UTF-8 cannot hold, so that
    /// `["ab", "c"]` and `["a", "bc"]` differ.
    pub fn of<'a>(parts: impl IntoIterator<Item = &'a str>) -> Self {
        let mut hash = OFFSET;
        for part in parts {
            for byte in part.as_bytes().iter().chain(&[0xff]) {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(PRIME);
            }
        }
        Self(hash)
    }

    /// FNV's low bits are its best mixed; a final avalanche spreads them over all.
    pub(super) const fn mixed(self) -> u64 {
        let mixed = (self.0 ^ (self.0 >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        mixed ^ (mixed >> 32)
    }

    /// Ten characters (50 bits) for ids that people read and type.
    pub fn short(self) -> String {
        let mixed = self.mixed();
        (0..10).map(|i| char::from(BASE32[(mixed >> (i * 5)) as usize & 31])).collect()
    }

    /// An id in the form of a random UUID (RFC 9562, version 4), for clients that expect one.
    pub fn uuid(parts: &[&str]) -> String {
        let half = |salt: &'static str| Self::of([salt].into_iter().chain(parts.iter().copied())).mixed();
        let (high, low) = (half("uuid high"), half("uuid low"));
        let (version, variant) = (0x4000 | high & 0x0fff, 0x8000 | low >> 48 & 0x3fff);
        let (first, second, last) = (high >> 32, high >> 16 & 0xffff, low & 0xffff_ffff_ffff);
        format!("{first:08x}-{second:04x}-{version:04x}-{variant:04x}-{last:012x}")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for Fingerprint {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match serializer.is_human_readable() {
            true => serializer.collect_str(self),
            false => serializer.serialize_u64(self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Self);
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(|_| de::Error::custom("expected 16 hex digits"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_stable_and_separates_parts() {
        assert_eq!(Fingerprint::of(["a", "bc"]).to_string(), Fingerprint::of(["a", "bc"]).to_string());
        assert_ne!(Fingerprint::of(["a", "bc"]), Fingerprint::of(["ab", "c"]));
        insta::assert_snapshot!(Fingerprint::of(["zabbix", "111"]).short(), @"sb77c4bmr6");
        insta::assert_snapshot!(Fingerprint::uuid(&["zabbix", "111"]), @"e57743c5-4205-4685-ab52-0c58510ee966");
    }

    #[test]
    fn a_uuid_has_the_shape_of_a_random_one() {
        let shape = regex::Regex::new("^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$").unwrap();
        let all: std::collections::BTreeSet<String> =
            (0..1_000).map(|number| Fingerprint::uuid(&["a", &number.to_string()])).collect();
        assert!(all.len() == 1_000 && all.iter().all(|id| shape.is_match(id)), "{all:?}");
    }
}
