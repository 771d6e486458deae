//! Who changed what: one row for each mutation that a person or a token asked for.

use serde::{Deserialize, Serialize};

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
