//! Who changed what: one row for each mutation that a person or a token asked for, each sealed with a
//! hash over itself and the row before it. Decides what is hashed and what counts as broken; a row that
//! was changed, taken out, put in or moved shows at the first place where the chain does not hold.
//!
//! ```text
//! hash(n) = SHA-256( hash(n - 1) ‖ [n,at,"principal","action","subject","outcome"] )    hash(0) = 32 zero bytes
//! ```
//!
//! The chain cannot show that its end was cut off: what is left is a whole, shorter chain. Against that
//! its head is noted elsewhere, and must still be in the chain later.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest, Sha256};
use std::fmt;
use std::str::FromStr;

use super::Timestamp;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    pub at: Timestamp,
    /// Name of the token or person.
    pub principal: String,
    /// `incident.acknowledge`, `configuration.reload`, …
    pub action: String,
    pub subject: String,
    /// `done`, or why it was refused.
    pub outcome: String,
}

/// An entry in its place in the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditRow {
    /// From 1, without gaps.
    pub number: u64,
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// Over this row and the hash of the one before.
    pub hash: AuditHash,
}

/// SHA-256, written as 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct AuditHash(pub [u8; 32]);

impl AuditHash {
    /// What the first row follows.
    pub const START: Self = Self([0; 32]);

    /// The hash of row `number` after the row with this hash. The fields stand in a JSON array, so that
    /// no two entries read alike and other programs can check it.
    pub fn next(&self, number: u64, entry: &AuditEntry) -> Self {
        let fields = (number, entry.at.as_millis(), &entry.principal, &entry.action, &entry.subject, &entry.outcome);
        // Numbers and texts, which cannot fail to be JSON.
        let content = serde_json::to_vec(&fields).unwrap_or_default();
        Self(Sha256::new().chain_update(self.0).chain_update(content).finalize().into())
    }
}

impl fmt::Display for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", base16ct::HexDisplay(&self.0))
    }
}

impl fmt::Debug for AuditHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for AuditHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut hash = [0; 32];
        let bytes = base16ct::mixed::decode(text, &mut hash).map_err(|_| NotAHash)?.len();
        if bytes != hash.len() {
            return Err(NotAHash);
        }
        Ok(Self(hash))
    }
}

impl Serialize for AuditHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for AuditHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// Where the chain does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    #[error("row {first} is missing: the next one is row {next}")]
    Missing { first: u64, next: u64 },
    #[error("row {0} has been changed, put in or moved: its hash does not fit what it says after row {before}", before = .0 - 1)]
    Altered(u64),
}

impl Break {
    /// The first row that is not as it was written.
    pub const fn row(&self) -> u64 {
        match self {
            Self::Missing { first, .. } => *first,
            Self::Altered(number) => *number,
        }
    }
}

/// Walks the rows from the first one on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chain {
    /// Rows that hold so far, which is also the number of the last one.
    pub rows: u64,
    pub head: AuditHash,
}

impl Chain {
    pub const EMPTY: Self = Self { rows: 0, head: AuditHash::START };

    /// # Errors
    /// When `row` is not the one that was written after those before.
    pub fn follow(&mut self, row: &AuditRow) -> Result<(), Break> {
        let expected = self.rows + 1;
        if row.number > expected {
            return Err(Break::Missing { first: expected, next: row.number });
        }
        let hash = self.head.next(expected, &row.entry);
        if row.number < expected || row.hash != hash {
            return Err(Break::Altered(expected));
        }
        *self = Self { rows: expected, head: hash };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(subject: &str) -> AuditEntry {
        AuditEntry {
            at: Timestamp::from_millis(1_795_237_200_123),
            principal: "ada".into(),
            action: "incident.acknowledge".into(),
            subject: subject.into(),
            outcome: "done".into(),
        }
    }

    /// What `printf '…' | sha256sum` says of the bytes in the description above.
    #[test]
    fn the_hash_is_what_other_programs_compute() {
        let first = AuditHash::START.next(1, &entry("inc-a"));
        insta::assert_snapshot!(first, @"3f67397b84ca20a19437fa79eee9d6d6c0bb07f57f1c0775950327f63c1c7f66");
        insta::assert_snapshot!(first.next(2, &entry("a \"quoted\" – 磁盘")), @"df04e3b8fc1fa55446378130ff8ad9e8eef6d95ae24746adade13c03c22b95e2");
        assert_eq!(first.to_string().parse(), Ok(first));
        for text in ["", "00", &"g".repeat(64), &"é".repeat(32)] {
            assert_eq!(text.parse::<AuditHash>(), Err(NotAHash), "{text}");
        }
    }

    #[test]
    fn no_two_entries_read_alike() {
        let moved = AuditEntry { principal: "adai".into(), action: "ncident.acknowledge".into(), ..entry("x") };
        assert_ne!(AuditHash::START.next(1, &moved), AuditHash::START.next(1, &entry("x")));
    }
}
