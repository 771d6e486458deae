//! Silences: list them, make one, end one. What they mute is decided by the engine at each notification.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::Uri;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Decoded, Id, Outcome, PageOf, command, query};
use crate::engine::input::{Command, Principal};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::{Matcher, Silence, SilenceDraft, SilenceState, Span, Timestamp};
use crate::sources::ParseError;
use crate::store::SilenceQuery;

/// Matchers of one silence.
const MATCHERS_MAX: usize = 32;

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSilence {
    /// All of them must match: `team="ops"`, `instance=~"db-.*"`.
    #[schema(min_items = 1, max_items = 32)]
    matchers: Vec<Matcher>,
    /// Now, when absent.
    #[serde(default)]
    starts_at: Option<Timestamp>,
    /// Either this or `duration`.
    #[serde(default)]
    ends_at: Option<Timestamp>,
    #[serde(default)]
    duration: Option<Span>,
    /// Why: whoever wonders at night reads it.
    #[schema(pattern = r"\S")]
    comment: String,
}

impl NewSilence {
    fn into_command(self, now: Timestamp) -> Result<Command, ParseError> {
        let starts_at = self.starts_at.unwrap_or(now);
        let ends_at = match (self.ends_at, self.duration) {
            (Some(ends_at), None) => ends_at,
            (None, Some(duration)) => starts_at + duration,
            (None, None) => return Err(ParseError::new("ends_at", "neither", "either `ends_at` or `duration`")),
            (Some(_), Some(_)) => return Err(ParseError::new("ends_at", "both", "either `ends_at` or `duration`")),
        };
        if self.matchers.is_empty() || self.matchers.len() > MATCHERS_MAX {
            let expected = format!("1 to {MATCHERS_MAX} matchers");
            return Err(ParseError::new("matchers", format!("{}", self.matchers.len()), expected));
        }
        if self.comment.trim().is_empty() {
            return Err(ParseError::new("comment", "nothing", "a word on why"));
        }
        let draft = SilenceDraft {
            matchers: self.matchers,
            starts_at,
            ends_at,
            comment: self.comment,
            ..SilenceDraft::default()
        };
        Ok(Command::Silence(Box::new(draft)))
    }
}

/// Silences, latest start first: those in force and those to come, or those in one state. One that is over can be
/// seen for `silences.retention` (5 days).
#[utoipa::path(get, path = "/api/v1/silences", operation_id = "list_silences", tag = "silences",
    params(("state" = Option<String>, Query, pattern = "^(pending|active|expired)$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Silence>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["state"], &[])?;
    let read = |text: &str| SilenceState::ALL.into_iter().find(|state| state.as_str() == text);
    let state = parameters.word("state", "`pending`, `active` or `expired`", read)?;
    let wanted = SilenceQuery { state, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.silences(&wanted)?)).await
}

/// Keeps people from hearing about what matches, for a time.
#[utoipa::path(post, path = "/api/v1/silences", operation_id = "create_silence", tag = "silences",
    request_body = NewSilence,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Decoded(silence): Decoded<NewSilence>,
) -> Result<Json<Outcome>, Problem> {
    let asked = silence.into_command(app.clock.now()).map_err(Problem::invalid_body)?;
    command(&app, by, asked).await
}

/// Ends a silence now.
#[utoipa::path(delete, path = "/api/v1/silences/{id}", operation_id = "expire_silence", tag = "silences",
    params(("id" = String, Path)),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn expire(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(silence): Id,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::ExpireSilence { silence }).await
}
