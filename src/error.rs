//! Kinds of failure that metrics may count, and the type that keeps secrets from printing.

use serde::{Deserialize, Deserializer};
use std::fmt;

/// Bounded: a metric label, never message text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    Timeout,
    Auth,
    RateLimited,
    /// The other side understood and said no.
    Rejected,
    Unreachable,
    /// What we were given, or were about to send, is not well formed.
    Invalid,
    Internal,
}

impl ErrorKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Auth => "auth",
            Self::RateLimited => "rate_limited",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Invalid => "invalid",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A value that never prints: no `Display`, a `Debug` that hides it, no `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    pub const fn new(value: T) -> Self {
        Self(value)
    }
    /// The only way to the value; grep for it to see where secrets go.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Secret<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The cause could quote the value, so it is replaced.
        T::deserialize(deserializer)
            .map(Self)
            .map_err(|_| serde::de::Error::custom("expected text (its value is not shown)"))
    }
}

/// A key of a source's or sink's own configuration that does not fit. `path` is relative to that
/// entry; `config/validate.rs` puts the place in the file before it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("`{path}`: ") })]
pub struct ConfigError {
    pub path: String,
    pub message: String,
}

impl ConfigError {
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: message.into() }
    }
}

/// The keys of one source or sink as they stand in the configuration, secrets already read.
pub type Table = serde_json::Map<String, serde_json::Value>;

/// Reads an integration's own keys into its own struct; the error names the key.
pub fn read_table<T: serde::de::DeserializeOwned>(table: &Table) -> Result<T, ConfigError> {
    serde_path_to_error::deserialize(serde_json::Value::Object(table.clone())).map_err(|error| {
        let path = error.path().to_string();
        ConfigError::new(if path == "." { String::new() } else { path }, error.into_inner().to_string())
    })
}
