//! Incidents: list, read, and what a person does with one. Ids may be cut short as long as only one fits.

use axum::extract::State;
use axum::response::Response;
use axum::{Extension, Json};
use http::Uri;
use serde::de::{IntoDeserializer, value};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

use super::alerts::read_fingerprint;
use super::parameters::Parameters;
use super::{Decoded, Id, Note, Outcome, PageOf, command, query};
use crate::engine::input::{Command, Principal};
use crate::engine::split::by_hand::ALERTS_MAX;
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::notification::ProblemView;
use crate::model::{Alert, Fingerprint, Incident, IncidentState, Priority, TimelineEntry};
use crate::sources::ParseError;
use crate::store::{AlertQuery, IncidentQuery, Reader, Subject};

const STATES: &str =
    "`pending`, `open`, `acknowledged`, `active` (open and acknowledged), `resolved`, `closed` or `merged`";

/// A state, or several under one name.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum StateWord {
    Pending,
    Open,
    Acknowledged,
    Active,
    Resolved,
    Closed,
    Merged,
    Lapsed,
}

/// Incidents, newest first; those that never became one (`pending`) only when asked for.
#[utoipa::path(get, path = "/api/v1/incidents", operation_id = "list_incidents", tag = "incidents",
    params(("state" = inline(Option<Vec<StateWord>>), Query, description = "Any of these; `active` is open and acknowledged"),
        ("priority" = Option<Priority>, Query), ("limit" = Option<u32>, Query, minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before")),
    responses((status = 200, body = PageOf<Incident>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["priority"], &["state"])?;
    let mut states = Vec::new();
    for word in parameters.all("state") {
        let state = StateWord::deserialize(word.into_deserializer());
        let state = state.map_err(|_: value::Error| Problem::invalid_parameter("state", word, STATES))?;
        match state {
            StateWord::Pending => states.push(IncidentState::Pending),
            StateWord::Open => states.push(IncidentState::Open),
            StateWord::Acknowledged => states.push(IncidentState::Acknowledged),
            StateWord::Active => states.extend([IncidentState::Open, IncidentState::Acknowledged]),
            StateWord::Resolved => states.push(IncidentState::Resolved),
            StateWord::Closed => states.push(IncidentState::Closed),
            StateWord::Merged => states.push(IncidentState::Merged),
            StateWord::Lapsed => states.push(IncidentState::Lapsed),
        }
    }
    states.sort();
    states.dedup();
    let priority = parameters.word("priority", "`P1` to `P5`", |text| text.parse().ok())?;
    let wanted = IncidentQuery { states, priority, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.incidents(&wanted)?)).await
}

/// The one incident that an id, or the beginning of one, means.
fn find(reader: &dyn Reader, id: &str) -> Result<Incident, Problem> {
    let mut found = reader.find_incidents(id)?;
    match found.len() {
        0 => Err(Problem::not_found(format!("no incident has the id `{id}`"))),
        1 => Ok(found.remove(0)),
        _ => Err(Problem::ambiguous(found.into_iter().map(|incident| incident.id.to_string()).collect())),
    }
}

/// One incident with what is known of its problem.
#[derive(Serialize, ToSchema)]
pub struct IncidentDetails {
    #[serde(flatten)]
    incident: Incident,
    /// The problem that it belongs to, as `problem` names it, with its workaround.
    #[serde(skip_serializing_if = "Option::is_none")]
    known_problem: Option<ProblemView>,
}

fn details(reader: &dyn Reader, id: &str) -> Result<IncidentDetails, Problem> {
    let incident = find(reader, id)?;
    let problem = match &incident.problem {
        Some(problem) => reader.find_problems(&problem.0)?.into_iter().next(),
        None => None,
    };
    Ok(IncidentDetails { incident, known_problem: problem.as_ref().and_then(ProblemView::of) })
}

/// One incident. An id of one that was merged leads to the incident it became part of.
#[utoipa::path(get, path = "/api/v1/incidents/{id}", operation_id = "read_incident", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one")),
    responses((status = 200, body = IncidentDetails), (status = 401, body = ProblemBody), (status = 403, body = ProblemBody),
        (status = 404, body = ProblemBody), (status = 409, body = ProblemBody, description = "Several fit")),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>, Id(id): Id) -> Result<Response, Problem> {
    query(&app, move |reader| details(reader, &id)).await
}

/// Why everything about it was decided as it was, oldest first.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/timeline", operation_id = "read_incident_timeline", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<TimelineEntry>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody),
        (status = 409, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn timeline(State(app): State<Arc<App>>, Id(id): Id, uri: Uri) -> Result<Response, Problem> {
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| {
        let subject = Subject::Incident(find(reader, &id)?.id);
        Ok(reader.timeline(&subject, &page)?)
    })
    .await
}

/// The alerts that belong to it.
#[utoipa::path(get, path = "/api/v1/incidents/{id}/alerts", operation_id = "list_incident_alerts", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Alert>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody), (status = 409, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn alerts(State(app): State<Arc<App>>, Id(id): Id, uri: Uri) -> Result<Response, Problem> {
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| {
        let incident = Some(find(reader, &id)?.id);
        Ok(reader.alerts(&AlertQuery { status: None, incident, page })?)
    })
    .await
}

/// Someone has it: escalation stops.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/acknowledge", operation_id = "acknowledge_incident", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Option<Note>,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn acknowledge(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
    Decoded(Note { note }): Decoded<Note>,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::Acknowledge { incident, note }).await
}

/// The service is back, whatever the monitors still say.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/resolve", operation_id = "resolve_incident", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Option<Note>,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn resolve(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
    Decoded(Note { note }): Decoded<Note>,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::Resolve { incident, note }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Assignment {
    /// Person or team.
    to: String,
}

/// Someone shall take it.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/assign", operation_id = "assign_incident", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Assignment,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn assign(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
    Decoded(Assignment { to }): Decoded<Assignment>,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::Assign { incident, to }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Comment {
    text: String,
}

/// Adds words to its timeline.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/comment", operation_id = "comment_incident", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Comment,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn comment(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
    Decoded(Comment { text }): Decoded<Comment>,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::Comment { incident, text }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfirmedRootCause {
    configuration_item: String,
}

/// This item is the cause, whatever the ranking says, and stays it.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/confirm-root-cause", operation_id = "confirm_root_cause",
    tag = "incidents", params(("id" = String, Path, description = "Id, or the beginning of one")),
    request_body = ConfirmedRootCause,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn confirm_root_cause(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
    Decoded(ConfirmedRootCause { configuration_item }): Decoded<ConfirmedRootCause>,
) -> Result<Json<Outcome>, Problem> {
    command(&app, by, Command::ConfirmRootCause { incident, configuration_item }).await
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Split {
    /// Fingerprints of the alerts that are another fault; at least one alert stays.
    #[schema(min_items = 1, max_items = 500, value_type = Vec<Fingerprint>)]
    alerts: Vec<String>,
    /// The incident that they go to: its id, or the beginning of one. Without it they become one of their own.
    #[serde(default)]
    into: Option<String>,
}

/// These alerts are another fault. They stay where a person has put them; the answer names the incident they are in.
#[utoipa::path(post, path = "/api/v1/incidents/{id}/split", operation_id = "split_incident", tag = "incidents",
    params(("id" = String, Path, description = "Id, or the beginning of one")), request_body = Split,
    responses((status = 200, body = Outcome), (status = "4XX", body = ProblemBody), (status = 503, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn split(
    State(app): State<Arc<App>>,
    Extension(by): Extension<Principal>,
    Id(incident): Id,
    Decoded(Split { alerts, into }): Decoded<Split>,
) -> Result<Json<Outcome>, Problem> {
    if alerts.is_empty() || alerts.len() > ALERTS_MAX {
        let expected = format!("1 to {ALERTS_MAX} alerts");
        return Err(Problem::invalid_body(ParseError::new("alerts", alerts.len().to_string(), expected)));
    }
    let alerts = alerts.iter().enumerate().map(|(at, text)| {
        let expected = "an alert's fingerprint of 16 hex digits";
        let refused = || Problem::invalid_body(ParseError::new(format!("alerts[{at}]"), format!("`{text}`"), expected));
        read_fingerprint(text).ok_or_else(refused)
    });
    let alerts = alerts.collect::<Result<Vec<_>, _>>()?;
    command(&app, by, Command::SplitIncident { incident, alerts, into }).await
}
