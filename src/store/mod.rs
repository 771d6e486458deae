//! The one place that keeps things: journal, state, outbox, history. The trait speaks in transitions
//! of the flow, not in tables; time is always an argument.
//!
//! ```text
//! step ──▶ Commit { journal, rows? } ──▶ one transaction ──▶ acknowledged
//! load ◀── rows as of `applied`, then the journal from there
//! ```
//!
//! The journal is the truth and is in every commit; the rows that say what it led to may follow a few
//! commits later (docs/decisions/0005).

#[cfg(test)]
mod conformance;
mod cursor;
mod sqlite;

pub use sqlite::{Copied, Progress, Restored, SqliteReader, SqliteStore, restore};

use crate::engine::inhibit::Eyes;
use crate::engine::state::{Changes, Snapshot};
use crate::model::audit::{AuditEntry, AuditRow};
use crate::model::delivery::DeliveryState;
use crate::model::problem::ProblemId;
use crate::model::{
    Alert, Change, Delivery, Firing, Incident, IncidentId, Matcher, Problem, Silence, SilenceState, TimelineEntry,
    Timestamp,
};
use serde::Serialize;

/// Where the journal stands: the number of its last row, 0 when it is empty.
pub type Position = u64;

/// One input as it is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalRow {
    pub at: Timestamp,
    /// `Input::kind`.
    pub kind: &'static str,
    /// Source instance, for inputs that have one.
    pub source: Option<String>,
    /// The input as JSON.
    pub payload: Vec<u8>,
}

/// A journal row as it is read back: position, time, kind, payload.
pub type JournalEntry = (Position, Timestamp, String, Vec<u8>);

/// A body that could not be read, or an input that the engine failed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct QuarantineRow {
    pub at: Timestamp,
    pub source: String,
    pub reason: String,
    /// The raw bytes, cut at [`QUARANTINE_BYTES_MAX`].
    #[serde(skip)]
    pub body: Vec<u8>,
}

/// Bytes kept of one refused body.
pub const QUARANTINE_BYTES_MAX: usize = 64 * 1_024;

/// What one group of inputs leads to; all of it or nothing.
#[derive(Debug, Default)]
pub struct Commit {
    pub journal: Vec<JournalRow>,
    /// Brings the stored rows up to the journal's end, this commit's included. Without it they stay
    /// behind, and a start steps what is missing again.
    pub rows: Option<Rows>,
    pub audit: Vec<AuditEntry>,
    pub quarantine: Vec<QuarantineRow>,
}

/// Everything that changed since the last commit that had rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    pub changes: Changes,
    pub timeline: Vec<TimelineEntry>,
}

impl Commit {
    pub fn is_empty(&self) -> bool {
        self.promises_nothing() && self.rows.is_none()
    }

    /// It holds only what the journal leads to anyway: nobody is told that it is durable.
    pub fn promises_nothing(&self) -> bool {
        self.journal.is_empty() && self.audit.is_empty() && self.quarantine.is_empty()
    }
}

impl Rows {
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty() && self.timeline.is_empty()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the store at `{path}`")]
    Open { path: String, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("the store at `{path}` is damaged: {detail}")]
    Damaged { path: String, detail: String },
    #[error("the store at `{path}` is in use: {detail}")]
    InUse { path: String, detail: &'static str },
    #[error("the store was written by a newer version (schema {found}, this one knows {known})")]
    Newer { found: u32, known: u32 },
    #[error("another writer has taken over (epoch {ours} is stale)")]
    Stale { ours: u64 },
    /// Retried later; nothing of the commit took effect.
    #[error("cannot {operation}")]
    Failed { operation: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    /// The disk did not confirm a sync: what is durable is unknown, only a restart can tell.
    #[error("the disk did not confirm a write while trying to {operation}")]
    Sync { operation: &'static str, source: Box<dyn std::error::Error + Send + Sync> },
    #[error("cannot read a stored {what} (`{key}`)")]
    Decode { what: &'static str, key: String, source: Box<dyn std::error::Error + Send + Sync> },
    /// The caller's mistake: not one of ours, or of another list.
    #[error("`cursor`: expected the `next_cursor` of this list's previous page, got `{cursor}`")]
    BadCursor { cursor: String },
}

/// What is older than these may go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    pub journal: Timestamp,
    pub history: Timestamp,
}

/// The writer's side; one holder at a time, fenced by an epoch.
pub trait Store: Send {
    /// Takes over writing: from here on every earlier holder is stale.
    fn acquire(&mut self) -> Result<u64, StoreError>;

    /// The working set as of the last commit that had rows.
    fn load(&mut self) -> Result<Snapshot, StoreError>;

    /// Journal rows after `after`, at most `limit`: what a start steps again.
    fn journal(&mut self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError>;

    /// Writes all of it in one durable transaction and returns the journal's new position.
    ///
    /// # Errors
    /// [`StoreError::Stale`] when another writer has taken over; [`StoreError::Sync`] when durability
    /// is unknown. In every error case nothing may be acknowledged.
    fn commit(&mut self, commit: &Commit) -> Result<Position, StoreError>;

    /// Deletes what is older than the horizon: journal, history, finished deliveries, changes, timeline and
    /// quarantine, but nothing live or pending and never the audit. At most `rows_max` rows of each,
    /// so that the writer is not held up; returns how many went, 0 when there is nothing more to do.
    fn prune(&mut self, horizon: &Horizon, rows_max: u32) -> Result<u64, StoreError>;
}

/// The readers' side; never waits for the writer. Sees only what is committed.
pub trait Reader: Send + Sync {
    fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>, StoreError>;
    /// By id or by the beginning of one (`inc-` may be left out); follows merges. All that fit, at most 10.
    fn find_incidents(&self, prefix: &str) -> Result<Vec<Incident>, StoreError>;
    fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError>;
    /// The newest alert with that fingerprint.
    fn alert(&self, fingerprint: &str) -> Result<Option<Alert>, StoreError>;
    /// Firings that overlap a time: what still fires from the newest alert back, then what is over from the latest end
    /// back. A page looks at a bounded number of rows, so it may be short and have a next one all the same. What ends
    /// while somebody pages comes twice rather than never.
    fn firings(&self, query: &FiringQuery) -> Result<Page<Firing>, StoreError>;
    /// Fills in what was sent about each of them.
    fn add_told(&self, firings: &mut [Firing]) -> Result<(), StoreError>;
    fn problems(&self, query: &ProblemQuery) -> Result<Page<Problem>, StoreError>;
    /// By id or by the beginning of one (`prb-` may be left out); follows merges. All that fit, at most 10.
    fn find_problems(&self, prefix: &str) -> Result<Vec<Problem>, StoreError>;
    /// What was altered outside, latest first.
    fn changes(&self, query: &ChangeQuery) -> Result<Page<Change>, StoreError>;
    /// Those that have not ended, latest start first.
    fn silences(&self, query: &SilenceQuery) -> Result<Page<Silence>, StoreError>;
    /// By its whole id.
    fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError>;
    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError>;
    /// How many were given up, by sink.
    fn dead_letters(&self) -> Result<Vec<(String, u64)>, StoreError>;
    /// Oldest first. By incident, alert fingerprint or problem.
    fn timeline(&self, subject: &Subject, page: &PageQuery) -> Result<Page<TimelineEntry>, StoreError>;
    /// The newest journal row that holds the event with this id: its position and its payload. Looks
    /// through the last 200,000 rows only, and may take seconds: for people, not for a hot path.
    fn find_event(&self, id: &str) -> Result<Option<(Position, Vec<u8>)>, StoreError>;
    /// Journal rows after `after`, at most `limit`.
    fn journal(&self, after: Position, limit: u32) -> Result<Vec<JournalEntry>, StoreError>;
    fn audit(&self, page: &PageQuery) -> Result<Page<AuditRow>, StoreError>;
    /// Oldest first: the rows after row `number`, from whatever comes first without one; at most `limit`.
    fn audit_after(&self, number: Option<u64>, limit: u32) -> Result<Vec<AuditRow>, StoreError>;
    fn quarantine(&self, page: &PageQuery) -> Result<Page<QuarantineRow>, StoreError>;
    fn position(&self) -> Result<Position, StoreError>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    Incident(IncidentId),
    Alert(String),
    Problem(ProblemId),
}

/// Rows of one page when nothing is asked for.
pub const PAGE_LIMIT_DEFAULT: u32 = 50;
/// Rows of one page at most.
pub const PAGE_LIMIT_MAX: u32 = 500;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Opaque, from the page before.
    pub cursor: Option<String>,
    pub limit: u32,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { cursor: None, limit: PAGE_LIMIT_DEFAULT }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IncidentQuery {
    /// Any of these states; empty means every state but `pending` and `merged`.
    pub states: Vec<crate::model::IncidentState>,
    pub priority: Option<crate::model::Priority>,
    pub page: PageQuery,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProblemQuery {
    /// Any of these states; empty means every state but `merged`.
    pub states: Vec<crate::model::problem::ProblemState>,
    pub page: PageQuery,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AlertQuery {
    pub status: Option<crate::model::AlertStatus>,
    pub incident: Option<IncidentId>,
    pub page: PageQuery,
}

/// Which firings: those that were going on at some moment between the two, both included.
#[derive(Clone, Debug, PartialEq)]
pub struct FiringQuery {
    pub from: Timestamp,
    pub until: Timestamp,
    /// All of them match.
    pub matchers: Vec<Matcher>,
    /// What matchers see of an alert.
    pub eyes: Eyes,
    pub source: Option<String>,
    pub page: PageQuery,
}

impl FiringQuery {
    /// Whether a firing from `began` to `ended` was going on in that time; it no longer was when it ended.
    pub fn overlaps(&self, began: Timestamp, ended: Option<Timestamp>) -> bool {
        began <= self.until && (began >= self.from || ended.is_none_or(|ended| ended > self.from))
    }

    pub fn is_wanted(&self, alert: &Alert) -> bool {
        self.source.as_deref().is_none_or(|source| source == &*alert.source) && self.eyes.matches(&self.matchers, alert)
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryQuery {
    /// One of [`DeliveryState::as_str`].
    pub state: Option<String>,
    pub incident: Option<IncidentId>,
    pub sink: Option<String>,
    pub page: PageQuery,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SilenceQuery {
    /// Without one: those that are not over.
    pub state: Option<SilenceState>,
    pub page: PageQuery,
}

/// By the time at which a change began, both ends included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangeQuery {
    /// As the engine names it.
    pub configuration_item: Option<String>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub page: PageQuery,
}

/// Newest first, unless said otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Page<T> {
    pub items: Vec<T>,
    pub next_cursor: Option<String>,
}

/// True for states that a pruner may delete once they are old.
pub fn is_finished(state: &DeliveryState) -> bool {
    !matches!(state, DeliveryState::Pending)
}
