//! Problems: the causes behind incidents that come again, and what people do with them. What may follow what
//! is decided in the engine. Ids may be cut short as long as only one fits.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::Uri;
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Decoded, Id, Note, Outcome, PageOf, command, query};
use crate::engine::input::{Command, Principal, ProblemCommand};
use crate::engine::problem::work::{INCIDENTS_MAX, TEXT_BYTES_MAX, WORD_BYTES_MAX};
use crate::http::App;
use crate::http::error::{Problem as Refusal, ProblemBody};
use crate::model::problem::ProblemState;
use crate::model::{Problem, TimelineEntry};
use crate::sources::ParseError;
use crate::store::{ProblemQuery, Reader, Subject};

const STATES: &str =
    "`proposed`, `open`, `analysed`, `known_error`, `active` (these four), `resolved`, `rejected` or `merged`";

/// A state, or several under one name.
#[derive(ToSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code, reason = "describes the parameter in the OpenAPI document")]
enum ProblemStateWord {
    Proposed,
    Open,
    Analysed,
    KnownError,
    Active,
    Resolved,
    Rejected,
    Merged,
}

/// Problems, newest first; those that were merged only when asked for.
#[utoipa::path(get, path = "/api/v1/problems", operation_id = "list_problems", tag = "problems",
    params(("state" = inline(Option<Vec<ProblemStateWord>>), Query, description = "Any of these"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Problem>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::read(&uri, &[], &["state"])?;
    let mut states = Vec::new();
    for word in parameters.all("state") {
        match ProblemState::ALL.into_iter().find(|state| state.as_str() == word) {
            Some(state) => states.push(state),
            None if word == "active" => states.extend(ProblemState::ALL.into_iter().filter(|state| state.is_active())),
            None => return Err(Refusal::invalid_parameter("state", word, STATES)),
        }
    }
    let wanted = ProblemQuery { states, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.problems(&wanted)?)).await
}

/// The one problem that an id, or the beginning of one, means.
fn find(reader: &dyn Reader, id: &str) -> Result<Problem, Refusal> {
    let mut found = reader.find_problems(id)?;
    match found.len() {
        0 => Err(Refusal::not_found(format!("no problem has the id `{id}`"))),
        1 => Ok(found.remove(0)),
        _ => Err(Refusal::ambiguous(found.into_iter().map(|problem| problem.id.to_string()).collect())),
    }
}

/// One problem. An id of one that was merged leads to the problem it became part of.
#[utoipa::path(get, path = "/api/v1/problems/{id}", operation_id = "read_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")),
    responses((status = 200, body = Problem), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "Several fit")),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>, Id(id): Id) -> Result<Response, Refusal> {
    query(&app, move |reader| find(reader, &id)).await
}

/// What was done about it, oldest first.
#[utoipa::path(get, path = "/api/v1/problems/{id}/timeline", operation_id = "read_problem_timeline", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<TimelineEntry>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn timeline(State(app): State<Arc<App>>, Id(id): Id, uri: Uri) -> Result<Response, Refusal> {
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| {
        let subject = Subject::Problem(find(reader, &id)?.id);
        Ok(reader.timeline(&subject, &page)?)
    })
    .await
}

/// Text of a person, neither empty nor endless.
fn text(field: &str, text: String, bytes_max: usize) -> Result<String, Refusal> {
    let got = match text.trim().len() {
        0 => "nothing".to_owned(),
        bytes if bytes > bytes_max => format!("{bytes} bytes"),
        _ => return Ok(text),
    };
    Err(Refusal::invalid_body(ParseError::new(field, got, format!("1 to {bytes_max} bytes of text"))))
}

fn note(note: Option<String>) -> Result<Option<String>, Refusal> {
    note.filter(|note| !note.trim().is_empty()).map(|note| text("note", note, WORD_BYTES_MAX)).transpose()
}

async fn ask(app: &App, by: Principal, asked: ProblemCommand) -> Result<Json<Outcome>, Refusal> {
    command(app, by, Command::Problem(asked)).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProblem {
    /// That of the first incident, when absent.
    #[serde(default)]
    #[schema(pattern = r"\S", max_length = 1_000)]
    title: Option<String>,
    /// Incidents with the same cause: ids, or the beginnings of them.
    #[schema(min_items = 1, max_items = 100)]
    incidents: Vec<String>,
}

/// Opens a problem behind incidents that a person sees together. It needs no acceptance.
#[utoipa::path(post, path = "/api/v1/problems", operation_id = "create_problem", tag = "problems",
    request_body = NewProblem,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn create(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Decoded(NewProblem { title, incidents }): Decoded<NewProblem>,
) -> Result<Json<Outcome>, Refusal> {
    let title = title.map(|title| text("title", title, WORD_BYTES_MAX)).transpose()?;
    if incidents.is_empty() || incidents.len() > INCIDENTS_MAX {
        let expected = format!("1 to {INCIDENTS_MAX} incidents");
        return Err(Refusal::invalid_body(ParseError::new("incidents", incidents.len().to_string(), expected)));
    }
    ask(&app, by, ProblemCommand::Open { title, incidents }).await
}

/// Takes on a proposal: somebody is to find the cause.
#[utoipa::path(post, path = "/api/v1/problems/{id}/accept", operation_id = "accept_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")),
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn accept(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Accept { problem }).await
}

/// Declines a proposal; the like of it is not proposed again.
#[utoipa::path(post, path = "/api/v1/problems/{id}/reject", operation_id = "reject_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Option<Note>,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn reject(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(Note { note: said }): Decoded<Note>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Reject { problem, note: note(said)? }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MergeTarget {
    /// The problem that goes on.
    into: String,
}

/// It is the same as another problem, which goes on; this id leads there.
#[utoipa::path(post, path = "/api/v1/problems/{id}/merge", operation_id = "merge_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = MergeTarget,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn merge(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(MergeTarget { into }): Decoded<MergeTarget>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Merge { problem, into }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Analysis {
    #[schema(pattern = r"\S", max_length = 4_096)]
    root_cause_analysis: String,
}

/// Says what the cause is. With a workaround it is a known error from here on.
#[utoipa::path(post, path = "/api/v1/problems/{id}/analyse", operation_id = "analyse_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Analysis,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn analyse(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(Analysis { root_cause_analysis }): Decoded<Analysis>,
) -> Result<Json<Outcome>, Refusal> {
    let root_cause_analysis = text("root_cause_analysis", root_cause_analysis, TEXT_BYTES_MAX)?;
    ask(&app, by, ProblemCommand::Analyse { problem, root_cause_analysis }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Workaround {
    #[schema(pattern = r"\S", max_length = 4_096)]
    workaround: String,
}

/// Says what to do while it is not fixed; shown on every incident of it.
#[utoipa::path(post, path = "/api/v1/problems/{id}/workaround", operation_id = "set_workaround", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Workaround,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn workaround(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(Workaround { workaround }): Decoded<Workaround>,
) -> Result<Json<Outcome>, Refusal> {
    let workaround = text("workaround", workaround, TEXT_BYTES_MAX)?;
    ask(&app, by, ProblemCommand::SetWorkaround { problem, workaround }).await
}

/// It is fixed. The next incident like it opens it again.
#[utoipa::path(post, path = "/api/v1/problems/{id}/resolve", operation_id = "resolve_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Option<Note>,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn resolve(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(Note { note: said }): Decoded<Note>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Resolve { problem, note: note(said)? }).await
}

/// It is not fixed after all.
#[utoipa::path(post, path = "/api/v1/problems/{id}/reopen", operation_id = "reopen_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Option<Note>,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn reopen(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(Note { note: said }): Decoded<Note>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Reopen { problem, note: note(said)? }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignee {
    /// Person or team.
    #[schema(pattern = r"\S", max_length = 1_000)]
    to: String,
}

/// Someone shall find the cause.
#[utoipa::path(post, path = "/api/v1/problems/{id}/assign", operation_id = "assign_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Assignee,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn assign(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(Assignee { to }): Decoded<Assignee>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Assign { problem, to: text("to", to, WORD_BYTES_MAX)? }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTitle {
    #[schema(pattern = r"\S", max_length = 1_000)]
    title: String,
}

/// Gives it a better name.
#[utoipa::path(post, path = "/api/v1/problems/{id}/retitle", operation_id = "retitle_problem", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = NewTitle,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn retitle(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(NewTitle { title }): Decoded<NewTitle>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Retitle { problem, title: text("title", title, WORD_BYTES_MAX)? }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LinkedIncident {
    /// Id of an incident, or the beginning of one.
    incident: String,
}

/// An incident belongs to it, although it looks different.
#[utoipa::path(post, path = "/api/v1/problems/{id}/link", operation_id = "link_incident", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = LinkedIncident,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn link(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(LinkedIncident { incident }): Decoded<LinkedIncident>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Link { problem, incident }).await
}

/// An incident does not belong to it, although it looks alike; it does not come back by itself.
#[utoipa::path(post, path = "/api/v1/problems/{id}/unlink", operation_id = "unlink_incident", tag = "problems",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = LinkedIncident,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn unlink(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(problem): Id,
    Decoded(LinkedIncident { incident }): Decoded<LinkedIncident>,
) -> Result<Json<Outcome>, Refusal> {
    ask(&app, by, ProblemCommand::Unlink { problem, incident }).await
}
