//! Silences as Alertmanager's clients make, change, read and end them. What may be asked for is decided by the engine
//! (`engine/silence/request.rs`), as for everyone; here are their words for it.

use axum::Extension;
use axum::body::{Body, HttpBody};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::query::{Parameters, bad_pattern};
use super::status::Facade;
use super::{REQUIRED, Refusal, TOO_FEW, WRONG_TYPE, json_answer};
use crate::engine::input::{Command, Input, Principal, Reply};
use crate::http::{App, body};
use crate::model::matcher::MatcherError;
use crate::model::silence::{Silence, SilenceDraft, SilenceState};
use crate::model::{Matcher, Timestamp};
use crate::sources::prometheus;

/// A silence as it is listed.
#[derive(Serialize)]
struct SilenceJson {
    id: String,
    status: StatusJson,
    #[serde(rename = "updatedAt")]
    updated_at: Timestamp,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    annotations: BTreeMap<String, String>,
    comment: String,
    #[serde(rename = "createdBy")]
    created_by: String,
    #[serde(rename = "endsAt")]
    ends_at: Timestamp,
    matchers: Vec<MatcherJson>,
    #[serde(rename = "startsAt")]
    starts_at: Timestamp,
}

#[derive(Serialize)]
struct StatusJson {
    state: &'static str,
}

#[derive(Serialize)]
struct MatcherJson {
    #[serde(rename = "isEqual")]
    is_equal: bool,
    #[serde(rename = "isRegex")]
    is_regex: bool,
    name: String,
    value: String,
}

impl SilenceJson {
    fn of(silence: &Silence, now: Timestamp) -> Self {
        Self {
            id: silence.id.clone(),
            status: StatusJson { state: silence.state_at(now).as_str() },
            updated_at: silence.updated_at,
            annotations: silence.annotations.clone(),
            comment: silence.comment.clone(),
            created_by: silence.created_by.clone(),
            ends_at: silence.ends_at,
            matchers: silence.matchers.iter().map(MatcherJson::of).collect(),
            starts_at: silence.starts_at,
        }
    }
}

impl MatcherJson {
    fn of(matcher: &Matcher) -> Self {
        Self {
            is_equal: matcher.operator().starts_with('='),
            is_regex: matcher.operator().ends_with('~'),
            name: matcher.name.clone(),
            value: matcher.value.clone(),
        }
    }
}

/// What a client posts. All but the id has to be there; which is missing first is told in their order.
#[derive(Deserialize)]
struct Posted {
    id: Option<String>,
    comment: Option<String>,
    #[serde(rename = "createdBy")]
    created_by: Option<String>,
    #[serde(rename = "endsAt")]
    ends_at: Option<Timestamp>,
    matchers: Option<Vec<PostedMatcher>>,
    #[serde(rename = "startsAt")]
    starts_at: Option<Timestamp>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
struct PostedMatcher {
    name: Option<String>,
    value: Option<String>,
    #[serde(rename = "isRegex")]
    is_regex: Option<bool>,
    #[serde(rename = "isEqual")]
    is_equal: Option<bool>,
}

/// All silences: active ones by end, pending ones by start, expired ones from the latest.
#[utoipa::path(get, path = "/api/v2/silences", operation_id = "alertmanager_list_silences", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers that a silence must hold"),
        ("active" = Option<bool>, Query), ("pending" = Option<bool>, Query), ("expired" = Option<bool>, Query)),
    responses((status = 200, body = Vec<serde_json::Value>, description = "Alertmanager's `gettableSilences`"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let parameters = Parameters::of(&uri);
    let filter = parameters.filter()?;
    let states: Vec<SilenceState> =
        SilenceState::ALL.into_iter().filter(|state| parameters.switch(state.as_str())).collect();
    let now = app.clock.now();
    let look = move |state: &crate::engine::state::State| -> Vec<Silence> {
        let is_wanted = |silence: &&Silence| {
            states.contains(&silence.state_at(now)) && filter.iter().all(|wanted| silence.matchers.contains(wanted))
        };
        state.silences().filter(is_wanted).cloned().collect()
    };
    let mut found = app.driver.look(look).await?;
    found.sort_by_cached_key(|silence| in_order(silence, now));
    Ok(json_answer(&found.iter().map(|silence| SilenceJson::of(silence, now)).collect::<Vec<_>>()))
}

fn in_order(silence: &Silence, now: Timestamp) -> (u8, Timestamp, Reverse<Timestamp>, String) {
    let none = Timestamp::default();
    let id = silence.id.clone();
    match silence.state_at(now) {
        SilenceState::Active => (1, silence.ends_at, Reverse(none), id),
        SilenceState::Pending => (2, silence.starts_at, Reverse(none), id),
        SilenceState::Expired => (3, none, Reverse(silence.ends_at), id),
    }
}

/// One silence.
#[utoipa::path(get, path = "/api/v2/silence/{id}", operation_id = "alertmanager_read_silence", tag = "alertmanager",
    params(("id" = String, Path, description = "UUID")),
    responses((status = 200, body = serde_json::Value, description = "Alertmanager's `gettableSilence`"),
        (status = 404, description = "There is no such silence"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let id = uuid(id)?;
    let found = app.driver.look(move |state| state.silence(&id).cloned()).await?;
    let now = app.clock.now();
    Ok(found
        .map_or_else(|| StatusCode::NOT_FOUND.into_response(), |silence| json_answer(&SilenceJson::of(&silence, now))))
}

/// Ends a silence now.
#[utoipa::path(delete, path = "/api/v2/silence/{id}", operation_id = "alertmanager_expire_silence",
    tag = "alertmanager", params(("id" = String, Path, description = "UUID")),
    responses((status = 200, description = "It has ended, now or before"), (status = 404, description = "There is no such silence"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn expire(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response, Refusal> {
    let silence = uuid(id)?;
    match command(&app, by, Command::ExpireSilence { silence }).await? {
        Reply::NotFound(_) => Ok(StatusCode::NOT_FOUND.into_response()),
        Reply::Refused(why) => Err(Refusal::Said(StatusCode::FORBIDDEN, why)),
        _ => Ok(StatusCode::OK.into_response()),
    }
}

/// Makes a silence, or with an id changes one; what a change may not do makes another one in its place.
#[utoipa::path(post, path = "/api/v2/silences", operation_id = "alertmanager_post_silence", tag = "alertmanager",
    request_body(content = serde_json::Value, description = "Alertmanager's `postableSilence`"),
    responses((status = 200, body = serde_json::Value, description = "`silenceID`"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn post(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    request: Request<Body>,
) -> Result<Response, Refusal> {
    if HttpBody::is_end_stream(request.body()) {
        let message = "silence in body is required".to_owned();
        return Err(Refusal::Coded(StatusCode::UNPROCESSABLE_ENTITY, REQUIRED, message));
    }
    let posted: Posted = match body::read_json(request).await {
        Ok(posted) => posted,
        Err(problem) => {
            let message = format!("parsing silence body from \"\" failed, because {}", problem.detail());
            return Err(Refusal::Coded(problem.status(), problem.status().as_u16(), message));
        }
    };
    let facade = app.facade();
    let draft = draft(posted, facade.classic_names, app.clock.now())?;
    check_limits(&app, &facade, &draft).await?;
    match command(&app, by, Command::Silence(Box::new(draft))).await? {
        Reply::Done(id) | Reply::Already(id) => Ok(json_answer(&json!({ "silenceID": id }))),
        Reply::NotFound(_) => Err(Refusal::Said(StatusCode::NOT_FOUND, "silence not found".to_owned())),
        Reply::Refused(why) => Err(Refusal::bad(format!("invalid silence: {why}"))),
        other => {
            tracing::error!(?other, "the engine gave no fitting reply about a silence");
            Err(Refusal::Said(StatusCode::INTERNAL_SERVER_ERROR, "no fitting reply".to_owned()))
        }
    }
}

/// `--silences.max-silences` and `--silences.max-silence-size-bytes`.
async fn check_limits(app: &App, facade: &Facade, draft: &SilenceDraft) -> Result<(), Refusal> {
    let size = size(draft);
    if let Some(max) = facade.silence_bytes_max.filter(|max| size > *max) {
        let message = format!("silence exceeded maximum size: {size} bytes (limit: {max} bytes)");
        return Err(Refusal::bad(message));
    }
    let Some(max) = facade.silences_max.filter(|_| draft.id.is_none()) else { return Ok(()) };
    // Those that have ended count as long as they are kept, as there.
    let count = app.driver.look(|state: &crate::engine::state::State| state.silences().count()).await?;
    if count < max {
        return Ok(());
    }
    Err(Refusal::bad(format!("exceeded maximum number of silences: {count} (limit: {max})")))
}

/// Bytes of its texts, each with two that tell what and how long it is, and of its id and times.
fn size(draft: &SilenceDraft) -> usize {
    const ID_AND_TIMES: usize = 74;
    let matchers = draft.matchers.iter().flat_map(|matcher| [&matcher.name, &matcher.value]);
    let annotations = draft.annotations.iter().flat_map(|(name, text)| [name, text]);
    let texts = matchers.chain(annotations).chain([&draft.comment]).chain(&draft.created_by);
    texts.map(|text| text.len() + 2).sum::<usize>() + ID_AND_TIMES
}

async fn command(app: &App, by: Principal, command: Command) -> Result<Reply, Refusal> {
    let receipt = app.driver.submit(Input::Command { by, command }, None).await?;
    receipt.reply.ok_or_else(|| Refusal::Said(StatusCode::INTERNAL_SERVER_ERROR, "no reply".to_owned()))
}

fn draft(posted: Posted, classic_names: bool, now: Timestamp) -> Result<SilenceDraft, Refusal> {
    let missing =
        |name: &str| Refusal::Coded(StatusCode::UNPROCESSABLE_ENTITY, REQUIRED, format!("{name} in body is required"));
    let Posted { id, comment, created_by, ends_at, matchers, starts_at, annotations } = posted;
    let comment = comment.ok_or_else(|| missing("comment"))?;
    let created_by = created_by.ok_or_else(|| missing("createdBy"))?;
    let ends_at = ends_at.ok_or_else(|| missing("endsAt"))?;
    let matchers = matchers.ok_or_else(|| missing("matchers"))?;
    let starts_at = starts_at.ok_or_else(|| missing("startsAt"))?;
    if matchers.is_empty() {
        let message = "matchers in body should have at least 1 items".to_owned();
        return Err(Refusal::Coded(StatusCode::UNPROCESSABLE_ENTITY, TOO_FEW, message));
    }
    let matchers: Vec<Matcher> = matchers
        .into_iter()
        .enumerate()
        .map(|(at, posted)| matcher(at, posted, classic_names))
        .collect::<Result<_, _>>()?;
    if starts_at >= ends_at {
        return Err(Refusal::bad("Failed to create silence: start time must be before end time"));
    }
    if ends_at < now {
        return Err(Refusal::bad("Failed to create silence: end time can't be in the past"));
    }
    if matchers.iter().all(Matcher::is_for_nothing) {
        return Err(Refusal::bad(
            "invalid silence: matcher set 0: at least one matcher must not match the empty string",
        ));
    }
    let id = id.filter(|id| !id.is_empty());
    Ok(SilenceDraft {
        id,
        matchers,
        starts_at,
        ends_at,
        comment,
        annotations: annotations.unwrap_or_default(),
        created_by: Some(created_by),
        ..SilenceDraft::default()
    })
}

fn matcher(at: usize, posted: PostedMatcher, classic_names: bool) -> Result<Matcher, Refusal> {
    let missing = |name: &str| {
        let message = format!("matchers.{at}.{name} in body is required");
        Refusal::Coded(StatusCode::UNPROCESSABLE_ENTITY, REQUIRED, message)
    };
    let is_regex = posted.is_regex.ok_or_else(|| missing("isRegex"))?;
    let name = posted.name.ok_or_else(|| missing("name"))?;
    let value = posted.value.ok_or_else(|| missing("value"))?;
    let refused = |why: String| Refusal::bad(format!("invalid silence: invalid label matcher {at} in set 0: {why}"));
    if name.is_empty() || classic_names && !prometheus::is_classic_name(&name) {
        return Err(refused(format!("invalid label name {name:?}")));
    }
    let operator = match (is_regex, posted.is_equal.unwrap_or(true)) {
        (false, true) => "=",
        (false, false) => "!=",
        (true, true) => "=~",
        (true, false) => "!~",
    };
    Matcher::new(name, operator, value).map_err(|error| match error {
        MatcherError::Regex { pattern, reason } => {
            refused(format!("invalid regular expression {pattern:?}: {}", bad_pattern(&pattern, &reason, &pattern)))
        }
        other => refused(other.to_string()),
    })
}

/// Eight, four, four, four and twelve hexadecimal digits.
fn uuid(text: String) -> Result<String, Refusal> {
    let parts: Vec<&str> = text.split('-').collect();
    let is_hex = |part: &&str| part.bytes().all(|byte| byte.is_ascii_hexdigit());
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    if lengths == [8, 4, 4, 4, 12] && parts.iter().all(is_hex) {
        return Ok(text.to_ascii_lowercase());
    }
    let message = format!("silenceID in path must be of type uuid: {text:?}");
    Err(Refusal::Coded(StatusCode::UNPROCESSABLE_ENTITY, WRONG_TYPE, message))
}
