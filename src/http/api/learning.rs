//! What confirmed causes have taught, whether it helps, and forgetting one of them.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use std::sync::Arc;

use super::{Id, Outcome, command, look_at, to_json};
use crate::engine::input::{Command, Principal};
use crate::engine::signature::LearningView;
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};

/// What was learned from confirmed causes, each kind of evidence with its gate, and the latest hundred confirmations.
#[utoipa::path(get, path = "/api/v1/learning", operation_id = "read_learning", tag = "learning",
    responses((status = 200, body = LearningView), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    look_at(&app, LearningView::of, |view| to_json(&view)).await
}

/// Forgets what one confirmed cause taught, as if it had never been confirmed. The incident keeps its cause.
#[utoipa::path(delete, path = "/api/v1/learning/{id}", operation_id = "forget_confirmation", tag = "learning",
    params(("id" = String, Path, description = "Id of the incident, or the beginning of one")),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn forget(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::ForgetConfirmation { incident }).await
}
