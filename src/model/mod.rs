//! The plain nouns of the domain: no IO, no policy, no clock. Each file defines its word.
//!
//! ```text
//! Event (observation) → Alert (condition) → Incident (what people work on) → Problem (its cause)
//! Notification (decision to tell) → Delivery (one sink, durable) → attempt
//! ```

pub mod alert;
pub mod alert_group;
pub mod audit;
pub mod change;
pub mod cycles;
pub mod delivery;
pub mod event;
pub mod fingerprint;
pub mod firing;
pub mod heartbeat;
pub mod incident;
pub mod incident_id;
pub mod labels;
pub mod matcher;
pub mod muting;
pub mod notification;
pub mod person;
pub mod priority;
pub mod problem;
pub mod recurrence;
pub mod schedule;
pub mod severity;
pub mod silence;
pub mod sla;
pub mod span;
pub mod time_interval;
pub mod timeline;
pub mod timestamp;
pub mod topology;
pub mod zone;

pub use alert::{Alert, AlertStatus};
pub use alert_group::{GroupAlert, GroupView};
pub use change::{Change, ChangeKind, ChangeState};
pub use delivery::{Delivery, DeliveryState};
pub use event::{Event, EventStatus};
pub use fingerprint::Fingerprint;
pub use firing::{Firing, FiringDelivery, GroupName, PastFiring};
pub use heartbeat::{Heartbeat, HeartbeatView};
pub use incident::{Incident, IncidentState};
pub use incident_id::IncidentId;
pub use labels::Labels;
pub use matcher::Matcher;
pub use muting::{MutedBy, Muting};
pub use notification::{Notification, NotificationKind};
pub use person::{Person, Team};
pub use priority::{Impact, Priority, Urgency};
pub use problem::Problem;
pub use recurrence::Recurrence;
pub use schedule::Schedule;
pub use severity::Severity;
pub use silence::{Silence, SilenceDraft, SilenceState};
pub use span::Span;
pub use time_interval::TimeInterval;
pub use timeline::TimelineEntry;
pub use timestamp::Timestamp;
