//! Beats in: `/in/heartbeat/{name}` by any of POST, GET and HEAD, and `/fail` behind it for whoever is alive and failed.
//! The order is that of `ingest.rs`: find the heartbeat, authenticate, only then read the body, make it durable, answer.
//!
//! Cron jobs are one line, so the token may also stand in the URL, as `?token=`. Like every query it is never logged,
//! counted or repeated, whatever else is wrong with it.

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_ENCODING, HeaderValue};
use http::{HeaderMap, StatusCode, Uri};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::auth::SourceAuth;
use super::error::{Problem, ProblemBody};
use super::ingest::Accepted;
use super::{App, Auth, body};
use crate::engine::heartbeat::SOURCE;
use crate::engine::input::{Input, Reply};
use crate::runtime::inbox::SubmitError;

/// Bytes of a body; a job may send the end of its log.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Characters of it that people see of a failure: its end, where the reason stands.
const NOTE_CHARS_MAX: usize = 500;
/// In the URL.
const TOKEN: &str = "token";

/// The name in a path.
pub(super) type Name = Result<Path<String>, PathRejection>;

/// Who may beat for what. A heartbeat of which only alerts are beats is there, and takes no requests.
#[derive(Default)]
pub struct Doors(BTreeMap<String, Option<SourceAuth>>);

impl Doors {
    pub fn new(heartbeats: BTreeMap<String, Option<Auth>>) -> Self {
        Self(heartbeats.into_iter().map(|(name, auth)| (name, auth.map(SourceAuth::new))).collect())
    }

    fn find(&self, name: &str) -> Result<&SourceAuth, Problem> {
        let shown: String = name.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
        match self.0.get(name) {
            Some(Some(auth)) => Ok(auth),
            Some(None) => Err(Problem::not_found(format!(
                "the heartbeat `{shown}` takes no requests: alerts are its beats; with a `token_file` it takes both"
            ))),
            None => Err(Problem::not_found(format!(
                "no heartbeat `{shown}` is configured; `heartbeats` in the configuration names those that are"
            ))),
        }
    }
}

/// Tells that a heartbeat is alive.
#[utoipa::path(post, path = "/in/heartbeat/{name}", operation_id = "beat", tag = "heartbeats",
    params(("name" = String, Path, description = "Name of the heartbeat"),
        ("token" = Option<String>, Query, description = "Its token, for senders that cannot set a header")),
    responses((status = 200, body = Accepted), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("source_token" = [])))]
pub async fn beat(State(app): State<Arc<App>>, name: Name, request: Request) -> Response {
    receive(&app, name, false, request).await
}

/// The same for senders that know no other method; HEAD does it, too.
#[utoipa::path(get, path = "/in/heartbeat/{name}", operation_id = "beat_by_get", tag = "heartbeats",
    params(("name" = String, Path, description = "Name of the heartbeat"),
        ("token" = Option<String>, Query, description = "Its token, for senders that cannot set a header")),
    responses((status = 200, body = Accepted), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("source_token" = [])))]
pub async fn beat_by_get(state: State<Arc<App>>, name: Name, request: Request) -> Response {
    beat(state, name, request).await
}

/// Tells that whoever beats is alive and failed; the end of a body that is text is shown to people.
#[utoipa::path(post, path = "/in/heartbeat/{name}/fail", operation_id = "beat_failed", tag = "heartbeats",
    params(("name" = String, Path, description = "Name of the heartbeat"),
        ("token" = Option<String>, Query, description = "Its token, for senders that cannot set a header")),
    responses((status = 200, body = Accepted), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("source_token" = [])))]
pub async fn fail(State(app): State<Arc<App>>, name: Name, request: Request) -> Response {
    receive(&app, name, true, request).await
}

/// The same for senders that know no other method.
#[utoipa::path(get, path = "/in/heartbeat/{name}/fail", operation_id = "beat_failed_by_get", tag = "heartbeats",
    params(("name" = String, Path, description = "Name of the heartbeat"),
        ("token" = Option<String>, Query, description = "Its token, for senders that cannot set a header")),
    responses((status = 200, body = Accepted), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("source_token" = [])))]
pub async fn fail_by_get(state: State<Arc<App>>, name: Name, request: Request) -> Response {
    fail(state, name, request).await
}

async fn receive(app: &App, name: Name, is_failure: bool, request: Request) -> Response {
    let taken = match name {
        Ok(Path(name)) => take(app, name, is_failure, request).await,
        Err(_) => Err(Problem::not_found("the path is not UTF-8 once its `%` are decoded")),
    };
    let status = taken.as_ref().map_or_else(Problem::status, |()| StatusCode::OK);
    app.metrics.ingest_requests.with_label_values(&[SOURCE, status.as_str()]).inc();
    match taken {
        // No cache may beat in somebody's place.
        Ok(()) => ([(CACHE_CONTROL, HeaderValue::from_static("no-store"))], Json(Accepted::one())).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// From request to durable.
async fn take(app: &App, name: String, is_failure: bool, request: Request) -> Result<(), Problem> {
    let (parts, body) = request.into_parts();
    let doors = app.doors();
    let query = read_query(&parts.uri);
    let headers = with_token(&parts.headers, query.as_ref().ok());
    let door = doors.find(&name)?;
    door.check(&headers, &parts.uri, app.clock.now()).map_err(|problem| explain(problem, &headers))?;
    query?;
    let raw = body::read(body, &parts.headers, BODY_BYTES_MAX).await?;
    let note = (is_failure && !parts.headers.contains_key(CONTENT_ENCODING)).then(|| note(&raw)).flatten();
    let input = Input::Beat { heartbeat: name.clone(), is_failure, note };
    let receipt = app.driver.submit(input, Some(SOURCE.to_owned())).await.map_err(|error| match error {
        SubmitError::Overloaded => Problem::overloaded(StatusCode::TOO_MANY_REQUESTS),
        SubmitError::Unavailable(_) => error.into(),
    })?;
    match receipt.reply {
        // A reload took it away meanwhile.
        Some(Reply::NotFound(_)) => Doors::default().find(&name).map(drop),
        _ => Ok(()),
    }
}

/// Whoever came without a token learns where it may be.
fn explain(problem: Problem, headers: &HeaderMap) -> Problem {
    if problem.status() != StatusCode::UNAUTHORIZED || headers.contains_key(AUTHORIZATION) {
        return problem;
    }
    Problem::unauthenticated(
        HeaderValue::from_static("Bearer realm=\"watchbell\""),
        "this heartbeat wants its token, in the header `Authorization: Bearer <token>` or in the URL as `?token=<token>`",
    )
}

/// The token in the URL, if there is one. What else stands there is wrong, and not repeated: it may be the token.
pub(super) fn read_query(uri: &Uri) -> Result<Option<String>, Problem> {
    let refused = || {
        let expected = "nothing but the parameter `token`, once";
        Problem::invalid_parameter("query", "(not shown)", expected)
    };
    let Query(mut pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| refused())?;
    match (pairs.pop(), pairs.is_empty()) {
        (None, _) => Ok(None),
        (Some((name, value)), true) if name == TOKEN => Ok(Some(value)),
        _ => Err(refused()),
    }
}

/// The headers as if the token in the URL had come with them. One that really did counts.
pub(super) fn with_token(headers: &HeaderMap, token: Option<&Option<String>>) -> HeaderMap {
    let mut headers = headers.clone();
    let token = token.and_then(Option::as_ref).filter(|token| !token.is_empty());
    let token = token.and_then(|token| HeaderValue::try_from(format!("Bearer {token}")).ok());
    if let Some(mut token) = token.filter(|_| !headers.contains_key(AUTHORIZATION)) {
        token.set_sensitive(true);
        headers.insert(AUTHORIZATION, token);
    }
    headers
}

/// What people see of the body, on one line.
fn note(body: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(body);
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    let text = words.join(" ");
    let surplus = text.chars().count().saturating_sub(NOTE_CHARS_MAX);
    let end: String = text.chars().skip(surplus).collect();
    match (end.is_empty(), surplus) {
        (true, _) => None,
        (false, 0) => Some(end),
        (false, _) => Some(format!("…{end}")),
    }
}
