//! Something that people or machines altered on purpose: a deployment, a commit that went live, a flag that was
//! switched. What changed shortly before a fault, on the way to its root, is the first suspect.

use serde::{Deserialize, Serialize};

use super::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Another version runs.
    #[default]
    Deploy,
    /// Source or configuration as code that is live once it is merged.
    Commit,
    /// A feature flag or another switch.
    Flag,
    /// Settings of a component.
    Config,
    /// Planned work on infrastructure, with or without a ticket.
    Maintenance,
}

impl ChangeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Commit => "commit",
            Self::Flag => "flag",
            Self::Config => "config",
            Self::Maintenance => "maintenance",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Change {
    /// Unique within its source; the same change told again carries the same id.
    pub id: String,
    /// When it took effect, by the clock of whoever told us.
    pub at: Timestamp,
    /// When it reached us, by ours.
    pub received_at: Timestamp,
    /// Name of the source instance, for example `argocd`.
    pub source: String,
    pub kind: ChangeKind,
    /// The component it altered, as the source names it; `engine/normalize.rs` resolves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_item: Option<String>,
    /// The service it altered, where no single component is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Version, commit or ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}
