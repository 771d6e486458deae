//! Heartbeats that are expected, and how each of them is.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::Uri;
use std::sync::Arc;

use super::parameters::Parameters;
use super::{CURSOR_EXPECTED, PageOf, look_at, to_json};
use crate::engine::heartbeat;
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::HeartbeatView;
use crate::model::heartbeat::HeartbeatState;

/// Before the name in a cursor, so that one of another list is refused.
const CURSOR_TAG: &str = "h";

/// Heartbeats by name, or those in one state.
#[utoipa::path(get, path = "/api/v1/heartbeats", operation_id = "list_heartbeats", tag = "heartbeats",
    params(("state" = Option<String>, Query, pattern = "^(waiting|alive|late|missing|failed)$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<HeartbeatView>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["state"], &[])?;
    let read = |text: &str| HeartbeatState::ALL.into_iter().find(|state| state.as_str() == text);
    let state = parameters.word("state", "`waiting`, `alive`, `late`, `missing` or `failed`", read)?;
    let page = parameters.page()?;
    let last = match &page.cursor {
        Some(cursor) => {
            Some(name_in(cursor).ok_or_else(|| Problem::invalid_parameter("cursor", cursor, CURSOR_EXPECTED))?)
        }
        None => None,
    };
    let (now, limit) = (app.clock.now(), page.limit as usize);
    let look = move |engine: &_| heartbeat::views(engine, now, last.as_deref(), state, limit + 1);
    look_at(&app, look, move |mut items| {
        let has_more = items.len() > limit;
        items.truncate(limit);
        let next_cursor = items.last().filter(|_| has_more).map(|last| cursor_of(&last.name));
        to_json(&PageOf { items, next_cursor })
    })
    .await
}

fn cursor_of(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("{CURSOR_TAG}{name}"))
}

fn name_in(cursor: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(cursor).ok()?).ok()?;
    text.strip_prefix(CURSOR_TAG).map(str::to_owned)
}
