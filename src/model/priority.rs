//! Impact (breadth of harm) × urgency (how fast it must stop) = priority, as ITIL has it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Impact {
    High,
    Medium,
    Low,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Urgency {
    High,
    Medium,
    Low,
}

/// Ordered from the most pressing: `P1 < P5`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
pub enum Priority {
    P1,
    P2,
    P3,
    P4,
    P5,
}

impl Priority {
    pub const ALL: [Self; 5] = [Self::P1, Self::P2, Self::P3, Self::P4, Self::P5];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P1 => "P1",
            Self::P2 => "P2",
            Self::P3 => "P3",
            Self::P4 => "P4",
            Self::P5 => "P5",
        }
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Priority {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|priority| priority.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

macro_rules! three_levels {
    ($name:ident) => {
        impl $name {
            pub const fn as_str(self) -> &'static str {
                match self {
                    Self::High => "high",
                    Self::Medium => "medium",
                    Self::Low => "low",
                }
            }
            /// Row or column of the matrix, 0 for high.
            pub const fn index(self) -> usize {
                self as usize
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
three_levels!(Impact);
three_levels!(Urgency);

/// The 3 × 3 matrix: rows are impact, columns urgency, each from high to low.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PriorityMatrix(pub [[Priority; 3]; 3]);

impl PriorityMatrix {
    pub fn priority(&self, impact: Impact, urgency: Urgency) -> Priority {
        self.0[impact.index()][urgency.index()]
    }
}

impl Default for PriorityMatrix {
    /// The matrix that ITIL prints and that ServiceNow ships as `dl_u_priority`.
    fn default() -> Self {
        use Priority::{P1, P2, P3, P4, P5};
        Self([[P1, P2, P3], [P2, P3, P4], [P3, P4, P5]])
    }
}
