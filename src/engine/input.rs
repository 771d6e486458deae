//! Everything that can change state. All of it stands in the journal.

use serde::{Deserialize, Serialize};

use crate::model::delivery::{DeliveryId, Progress};
use crate::model::schedule::Override;
use crate::model::topology::TopologyFile;
use crate::model::{Change, Delivery, Event, Fingerprint, SilenceDraft, Span, Timestamp};

use super::policy::Policy;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "input", rename_all = "snake_case")]
pub enum Input {
    /// What one request of a source held.
    Events { events: Vec<Event> },
    /// What one request of a source told of changes.
    Changes { changes: Vec<Change> },
    /// A sign of life, or whoever gives it says that it failed.
    Beat {
        heartbeat: String,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        is_failure: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// A person or a token wants something.
    Command { by: Principal, command: Command },
    /// The daemon has started: what was in flight is in doubt, and monitors could not refresh anything.
    Started,
    /// A deadline has come.
    Tick,
    /// What a send led to.
    Sent { delivery: DeliveryId, result: SendResult },
    /// The policy in force from here on.
    Configured { policy: Box<Policy> },
    /// An input on which the engine failed; kept, reported, never tried again.
    Quarantined { source: String, reason: String },
    /// Somebody has set the wall clock, or the machine stood still.
    ClockSet {
        /// Time that came and went without our seeing it.
        jumped: Span,
        /// How far "now" is ahead of the wall clock from here on.
        ahead: Span,
    },
}

impl Input {
    /// The `kind` column of the journal.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Events { .. } => "events",
            Self::Changes { .. } => "changes",
            Self::Beat { .. } => "beat",
            Self::Command { .. } => "command",
            Self::Started => "started",
            Self::Tick => "tick",
            Self::Sent { .. } => "sent",
            Self::Configured { .. } => "configured",
            Self::Quarantined { .. } => "quarantined",
            Self::ClockSet { .. } => "clock_set",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads.
    Viewer,
    /// Works on incidents.
    Responder,
    /// Changes the system.
    Admin,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Principal {
    pub name: String,
    pub role: Role,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case")]
pub enum Command {
    Acknowledge {
        incident: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// The next level is asked now.
    Escalate {
        incident: String,
    },
    Resolve {
        incident: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    Assign {
        incident: String,
        to: String,
    },
    Comment {
        incident: String,
        text: String,
    },
    /// The named item is the cause, whatever the ranking says.
    ConfirmRootCause {
        incident: String,
        configuration_item: String,
    },
    /// These alerts are another fault: they become an incident of their own, or go to the one named.
    SplitIncident {
        incident: String,
        alerts: Vec<Fingerprint>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        into: Option<String>,
    },
    /// What the confirmed cause of an incident taught is forgotten.
    ForgetConfirmation {
        incident: String,
    },
    /// A new silence, or with the id of one a change to it.
    Silence(Box<SilenceDraft>),
    ExpireSilence {
        silence: String,
    },
    /// Somebody is on call instead of whoever has the turn.
    OverrideShift {
        schedule: String,
        #[serde(rename = "override")]
        shift: Override,
    },
    /// Two people exchange two shifts, or parts of them; each comes with the one who gives it away.
    SwapShifts {
        schedule: String,
        one: Override,
        other: Override,
    },
    /// What is left of it; a swap is taken back as a whole.
    RemoveOverride {
        schedule: String,
        id: String,
    },
    /// Work on a problem.
    Problem(ProblemCommand),
    /// Try an exhausted delivery again. It left memory when it ended, so it comes whole.
    Redrive {
        delivery: Box<Delivery>,
    },
    /// What an origin (a CMDB, a monitor's own inventory) knows of items and dependencies, all of it: what the
    /// origin told before and does not tell now is gone.
    PutTopology {
        origin: String,
        topology: Box<TopologyFile>,
    },
    /// An origin knows nothing any more.
    RemoveTopology {
        origin: String,
    },
}

/// A step in the life of a problem. Ids may be cut short as long as only one fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum ProblemCommand {
    /// A person sees the same cause behind these incidents.
    Open {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        title: Option<String>,
        incidents: Vec<String>,
    },
    Accept {
        problem: String,
    },
    /// Only a proposal is declined.
    Reject {
        problem: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    /// `problem` is the same as `into`, which goes on.
    Merge {
        problem: String,
        into: String,
    },
    Analyse {
        problem: String,
        root_cause_analysis: String,
    },
    SetWorkaround {
        problem: String,
        workaround: String,
    },
    Resolve {
        problem: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    Reopen {
        problem: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
    Assign {
        problem: String,
        to: String,
    },
    Retitle {
        problem: String,
        title: String,
    },
    Link {
        problem: String,
        incident: String,
    },
    Unlink {
        problem: String,
        incident: String,
    },
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum SendResult {
    Delivered {
        proof: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        remote: Option<String>,
    },
    /// A step is done; the next send of the same delivery is intended at once.
    Advanced {
        progress: Progress,
    },
    /// The next send is intended at `at`; counted as an attempt from now on.
    Retry {
        at: Timestamp,
        reason: String,
        progress: Progress,
    },
    /// A newer delivery to the same sink carries the present state.
    Superseded {
        by: DeliveryId,
    },
    Exhausted {
        reason: String,
    },
}

/// What a command led to, for whoever asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Id of the thing that changed.
    Done(String),
    /// It was so already; nothing changed.
    Already(String),
    NotFound(String),
    /// More than one thing has an id that begins like this.
    Ambiguous(Vec<String>),
    Refused(String),
    /// It is over without anything being done: the id, the state it ended in, and why.
    Needless {
        id: String,
        state: &'static str,
        why: String,
    },
}
