//! What was kept for later questions: events in the journal, who did what, bodies nobody could read.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use serde::Serialize;
use std::sync::Arc;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Id, PageOf, query};
use crate::engine::input::Input;
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::audit::AuditRow;
use crate::model::{Event, Timestamp};
use crate::store::{Position, QuarantineRow, StoreError};

/// Bytes of a refused body that are shown.
const BODY_SHOWN_BYTES: usize = 4 * 1_024;

/// An event as it stands in the journal.
#[derive(Serialize, ToSchema)]
pub struct JournalEvent {
    /// Number of the journal's row that holds it.
    #[schema(value_type = u64)]
    position: Position,
    event: Event,
}

/// One event, as it was accepted.
#[utoipa::path(get, path = "/api/v1/events/{id}", operation_id = "read_event", tag = "records",
    params(("id" = String, Path)),
    responses((status = 200, body = JournalEvent), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn event(State(app): State<Arc<App>>, Id(id): Id) -> Result<Response, Problem> {
    query(&app, move |reader| {
        let missing = || Problem::not_found(format!("the journal holds no event with the id `{id}`"));
        let (position, payload) = reader.find_event(&id)?.ok_or_else(missing)?;
        let input = serde_json::from_slice(&payload).map_err(|source| StoreError::Decode {
            what: "input",
            key: position.to_string(),
            source: source.into(),
        })?;
        let Input::Events { events } = input else { return Err(missing()) };
        let event = events.into_iter().find(|event| event.id == id).ok_or_else(missing)?;
        Ok(JournalEvent { position, event })
    })
    .await
}

/// Who changed what, and who was refused; newest first.
#[utoipa::path(get, path = "/api/v1/audit", operation_id = "list_audit", tag = "records",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<AuditRow>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn audit(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| Ok(reader.audit(&page)?)).await
}

/// A body that could not be read, or an input that the engine failed on.
#[derive(Serialize, ToSchema)]
pub struct Quarantined {
    at: Timestamp,
    source: String,
    reason: String,
    /// The beginning of the body; bytes that are not UTF-8 show as U+FFFD.
    body: String,
    /// Bytes that are kept, also those not shown.
    body_bytes: usize,
}

impl From<QuarantineRow> for Quarantined {
    fn from(row: QuarantineRow) -> Self {
        let shown = &row.body[..row.body.len().min(BODY_SHOWN_BYTES)];
        let body = String::from_utf8_lossy(shown).into_owned();
        Self { at: row.at, source: row.source, reason: row.reason, body, body_bytes: row.body.len() }
    }
}

/// What could not be read, newest first.
#[utoipa::path(get, path = "/api/v1/quarantine", operation_id = "list_quarantine", tag = "records",
    params(("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Quarantined>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn quarantine(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| {
        let rows = reader.quarantine(&page)?;
        let items: Vec<Quarantined> = rows.items.into_iter().map(Quarantined::from).collect();
        Ok(PageOf { items, next_cursor: rows.next_cursor })
    })
    .await
}
