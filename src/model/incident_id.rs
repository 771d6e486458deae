//! The name of an incident: `inc-` and ten characters that people read and type.
//!
//! Behind the text stands a number, the key: the millisecond in which the incident opened, then a hash of
//! what opened it, or the key after the last one where that would not be higher. So keys rise, always, and
//! rows and indexes grow at their end, also when a thousand incidents open at once. The text is the key
//! scrambled, so that the first few characters tell today's incidents apart.
//!
//! ```text
//! key  = milliseconds since 2024 (41 bits) · hash (9 bits)       ──×ODD mod 2⁵⁰──▶   inc-wrfhkd4vpg
//! key  = ten ones · hash of route and labels (40 bits)           ──×ODD mod 2⁵⁰──▶   grp-2e0vfm7kqa
//! ```
//!
//! Where people are told of groups of alerts (`notify_by: group`), a group stands in an incident's place: its
//! deliveries are filed under an id of the second kind, which is the same whenever the group comes again.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;
use std::str::FromStr;

use super::fingerprint::BASE32;
use super::{Fingerprint, Timestamp};

/// No second installation and no wiped store hands out an id that a foreign system already knows for
/// something else: it would have to open an incident in the same millisecond and with the same hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct IncidentId(u64);

const PREFIX: &str = "inc-";
const GROUP_PREFIX: &str = "grp-";
const CHARS: usize = 10;
const BITS: u32 = 50;
const MASK: u64 = (1 << BITS) - 1;
const HASH_BITS: u32 = 9;
/// What the keys of groups begin with; the milliseconds of an incident's reach it in 2093.
const GROUP: u64 = MASK & !GROUP_HASH;
const GROUP_HASH: u64 = (1 << (BITS - 10)) - 1;
/// 2024-01-01T00:00:00Z; the milliseconds last until 2093.
const SINCE_MS: i64 = 1_704_067_200_000;
/// An odd number has an inverse modulo a power of two; this one spreads low bits over the high ones.
const ODD: u64 = 0x2_5b1c_9d3f_4e6b;
const INVERSE: u64 = inverse(ODD);

/// Newton's iteration: each round doubles the number of right bits.
const fn inverse(odd: u64) -> u64 {
    let mut inverse = odd;
    let mut round = 0;
    while round < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(odd.wrapping_mul(inverse)));
        round += 1;
    }
    inverse & MASK
}

impl IncidentId {
    /// Of what is about no incident at all.
    pub const NONE: Self = Self(0);

    /// The id of what `opening` opened at `at`, after the incident with the highest id so far.
    pub fn next(last: Option<Self>, at: Timestamp, opening: Fingerprint) -> Self {
        let millis = (at.as_millis() - SINCE_MS).max(0).cast_unsigned() & (MASK >> HASH_BITS);
        let hash = opening.mixed() & ((1 << HASH_BITS) - 1);
        let by_time = (millis << HASH_BITS | hash).max(1);
        Self(last.map_or(by_time, |last| by_time.max(last.0 + 1)) & MASK)
    }

    /// The id of a group of alerts; `attempt` tells apart those whose hashes are equal.
    pub const fn of_group(group: Fingerprint, attempt: u64) -> Self {
        Self(GROUP | group.mixed().wrapping_add(attempt) & GROUP_HASH)
    }

    pub const fn is_group(self) -> bool {
        self.0 & GROUP == GROUP
    }

    /// Rises with the time of opening; what the store files it under.
    pub const fn key(self) -> u64 {
        self.0
    }

    pub const fn from_key(key: u64) -> Self {
        Self(key & MASK)
    }

    /// Whether the text begins with `start`, which may leave `inc-` out.
    pub fn starts_with(self, start: &str) -> bool {
        let text = self.text();
        text.starts_with(start.as_bytes()) || text[PREFIX.len()..].starts_with(start.as_bytes())
    }

    fn text(self) -> [u8; PREFIX.len() + CHARS] {
        let scrambled = self.0.wrapping_mul(ODD) & MASK;
        let mut text = if self.is_group() { *b"grp-0000000000" } else { *b"inc-0000000000" };
        for (index, char) in text[PREFIX.len()..].iter_mut().enumerate() {
            *char = BASE32[(scrambled >> (BITS as usize - 5 * (index + 1))) as usize & 31];
        }
        text
    }
}

impl fmt::Display for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.text().iter().try_for_each(|byte| fmt::Write::write_char(f, char::from(*byte)))
    }
}

impl fmt::Debug for IncidentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected an incident id such as `inc-wrfhkd4vpg`, got `{0}`")]
pub struct ParseIncidentIdError(String);

impl FromStr for IncidentId {
    type Err = ParseIncidentIdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseIncidentIdError(text.escape_debug().take(80).collect());
        let chars = text.strip_prefix(PREFIX).or_else(|| text.strip_prefix(GROUP_PREFIX));
        let chars = chars.filter(|chars| chars.len() == CHARS).ok_or_else(refused)?;
        let mut scrambled = 0;
        for byte in chars.bytes() {
            let digit = BASE32.iter().position(|other| *other == byte).ok_or_else(refused)?;
            scrambled = scrambled << 5 | digit as u64;
        }
        let id = Self(scrambled.wrapping_mul(INVERSE) & MASK);
        if text.starts_with(GROUP_PREFIX) == id.is_group() { Ok(id) } else { Err(refused()) }
    }
}

impl Serialize for IncidentId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if !serializer.is_human_readable() {
            return serializer.serialize_u64(self.0);
        }
        let text = self.text();
        serializer.serialize_str(str::from_utf8(&text).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for IncidentId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return u64::deserialize(deserializer).map(Self::from_key);
        }
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

/// An id for tests: the same for the same name.
#[cfg(test)]
pub(crate) fn sample_id(name: &str) -> IncidentId {
    IncidentId::from_key(Fingerprint::of([name]).mixed())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn text_and_key_are_two_forms_of_one(key in 0..=MASK) {
            let id = IncidentId::from_key(key);
            prop_assert_eq!(id.to_string().parse::<IncidentId>().unwrap(), id);
            prop_assert_eq!(id.key(), key);
            prop_assert_eq!(serde_json::from_str::<IncidentId>(&serde_json::to_string(&id).unwrap()).unwrap(), id);
        }
    }

    #[test]
    fn a_group_has_an_id_of_its_own_kind() {
        let group = IncidentId::of_group(Fingerprint::of(["{}", "alertname", "x"]), 0);
        assert!(group.is_group() && group != IncidentId::of_group(Fingerprint::of(["{}", "alertname", "x"]), 1));
        let text = group.to_string();
        assert!(text.starts_with("grp-"), "{text}");
        assert_eq!(text.parse(), Ok(group));
        assert!(text.replace("grp-", "inc-").parse::<IncidentId>().is_err());
        assert!(!sample_id("a").is_group());
    }

    #[test]
    fn keys_rise_with_time_and_neighbours_do_not_look_alike() {
        let at = Timestamp::from_millis(1_795_237_200_000);
        let mut last = IncidentId::next(None, at, Fingerprint::of(["a"]));
        let later = IncidentId::next(None, at + crate::model::Span::from_millis(1), Fingerprint::of(["a"]));
        assert!(later > last);
        let mut starts = std::collections::BTreeSet::new();
        for number in 0..1_000 {
            let next = IncidentId::next(Some(last), at, Fingerprint::of([number.to_string().as_str()]));
            assert!(next > last);
            starts.insert(next.to_string()[..8].to_owned());
            last = next;
        }
        assert!(starts.len() > 990, "{} of 1,000 ids of one moment differ in four characters", starts.len());
    }

    #[test]
    fn a_beginning_is_recognised_and_what_is_no_id_is_refused() {
        let id = sample_id("a");
        let text = id.to_string();
        assert!(
            id.starts_with(&text) && id.starts_with(&text[..6]) && id.starts_with(&text[4..7]) && id.starts_with("inc")
        );
        assert!(!id.starts_with("inc-i"));
        for wrong in ["", "inc-", "inc-0", "inc-0000000000x", "inc-000000000i", "INC-0000000000", &text[4..]] {
            assert!(wrong.parse::<IncidentId>().is_err(), "{wrong}");
        }
    }
}
