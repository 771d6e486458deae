//! A time as a clock on the wall of the schedule's time zone shows it, `2026-11-23T09:00`; or an instant, which becomes
//! one there.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

use crate::model::{Timestamp, zone};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Wall {
    Clock(DateTime),
    Instant(Timestamp),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected a time such as `2026-11-23T09:00`, got `{0}`")]
pub struct WallError(String);

impl Wall {
    /// What the clock in that zone shows then.
    pub fn local(self, zone: &TimeZone) -> Option<DateTime> {
        match self {
            Self::Clock(at) => Some(at),
            Self::Instant(at) => zone::local(zone, at),
        }
    }

    pub fn instant(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Clock(at) => zone::instant(zone, at),
            Self::Instant(at) => Some(at),
        }
    }
}

impl FromStr for Wall {
    type Err = WallError;

    fn from_str(text: &str) -> Result<Self, WallError> {
        // An instant has an offset, which a civil time must not have.
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(Self::Instant(at));
        }
        text.parse().map(Self::Clock).map_err(|_| WallError(text.chars().take(64).collect()))
    }
}

impl TryFrom<String> for Wall {
    type Error = WallError;

    fn try_from(text: String) -> Result<Self, WallError> {
        text.parse()
    }
}

impl fmt::Display for Wall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Clock(at) => write!(f, "{at}"),
            Self::Instant(at) => write!(f, "{at}"),
        }
    }
}

impl From<Wall> for String {
    fn from(wall: Wall) -> Self {
        wall.to_string()
    }
}
