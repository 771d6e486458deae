//! What a source claims about an alert, after ITU-T X.733; "cleared" is a status, not a severity.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Ordered from the worst: `Critical < Info`, so that sorting puts the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    Critical,
    Major,
    Minor,
    Warning,
    Info,
}

impl Severity {
    pub const ALL: [Self; 5] = [Self::Critical, Self::Major, Self::Minor, Self::Warning, Self::Info];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::Major => "major",
            Self::Minor => "minor",
            Self::Warning => "warning",
            Self::Info => "info",
        }
    }

    /// True when `self` is as bad as `threshold` or worse.
    pub fn is_at_least(self, threshold: Self) -> bool {
        self <= threshold
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Severity {
    type Err = ();
    /// Reads our own words and the common synonyms that people put into a `severity` label.
    fn from_str(text: &str) -> Result<Self, ()> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "critical" | "crit" | "page" | "fatal" | "emergency" | "disaster" | "p1" | "sev1" => Self::Critical,
            "major" | "high" | "error" | "err" | "p2" | "sev2" => Self::Major,
            "minor" | "average" | "medium" | "p3" | "sev3" => Self::Minor,
            "warning" | "warn" | "low" | "p4" | "sev4" => Self::Warning,
            "info" | "information" | "informational" | "notice" | "none" | "debug" | "ok" | "p5" | "sev5" => Self::Info,
            _ => return Err(()),
        })
    }
}
