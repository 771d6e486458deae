//! Heartbeats that are expected, and how each of them is.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use std::sync::Arc;

use super::names::NamePage;
use super::parameters::Parameters;
use super::{PageOf, look_at, to_json};
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
    let page = NamePage::read(&parameters, CURSOR_TAG)?;
    let now = app.clock.now();
    let (last, wanted) = (page.after.clone(), page.wanted());
    let look = move |engine: &_| heartbeat::views(engine, now, last.as_deref(), state, wanted);
    look_at(&app, look, move |items| to_json(&page.of(items, |view: &HeartbeatView| &view.name))).await
}
