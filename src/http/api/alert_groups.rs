//! Groups of alerts, where people are told of those instead of incidents (`notify_by: group`): what is in one, what
//! mutes it, when it is looked at next. The list of all is Alertmanager's, `/api/v2/alerts/groups`.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use std::sync::Arc;

use super::parameters::Parameters;
use super::{Id, PageOf, look_at, query, to_json};
use crate::engine::dispatch::listing::{self, GroupDetails};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::{Fingerprint, IncidentId, TimelineEntry};
use crate::store::Subject;

/// Alerts of a group that are shown.
const ALERTS_MAX: usize = 500;

fn group_id(text: &str) -> Result<IncidentId, Problem> {
    if let Some(id) = text.parse().ok().filter(|id: &IncidentId| id.is_group()) {
        return Ok(id);
    }
    // One of a thousand numbers is a group's; the others are written like one all the same.
    let is_written_like_one =
        text.strip_prefix("grp-").is_some_and(|rest| format!("inc-{rest}").parse::<IncidentId>().is_ok());
    Err(match is_written_like_one {
        true => Problem::not_found(format!("no group can have the id `{text}`")),
        false => Problem::invalid_parameter("id", text, "the id of a group, `grp-` and ten characters"),
    })
}

/// A group that there is now.
#[utoipa::path(get, path = "/api/v1/alert-groups/{id}", operation_id = "read_alert_group", tag = "alerts",
    params(("id" = String, Path, description = "Whole id", pattern = "^grp-[0-9a-hjkmnp-tv-z]{10}$")),
    responses((status = 200, body = GroupDetails), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>, Id(id): Id) -> Result<Response, Problem> {
    let id = group_id(&id)?;
    let now = app.clock.now();
    let look = move |state: &crate::engine::state::State| listing::group_details(state, now, &id, ALERTS_MAX);
    let write = move |found: Option<GroupDetails>| {
        to_json(&found.ok_or_else(|| Problem::not_found(format!("there is no group `{id}` now")))?)
    };
    look_at(&app, look, write).await
}

/// What was decided about a group and why, oldest first; also of one that is gone.
#[utoipa::path(get, path = "/api/v1/alert-groups/{id}/timeline", operation_id = "read_alert_group_timeline",
    tag = "alerts",
    params(("id" = String, Path, description = "Whole id", pattern = "^grp-[0-9a-hjkmnp-tv-z]{10}$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<TimelineEntry>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn timeline(State(app): State<Arc<App>>, Id(id): Id, uri: Uri) -> Result<Response, Problem> {
    let subject = Subject::Incident(group_id(&id)?);
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| Ok(reader.timeline(&subject, &page)?)).await
}

/// The groups in which people hear of an alert now.
#[utoipa::path(get, path = "/api/v1/alerts/{fingerprint}/groups", operation_id = "read_alert_groups", tag = "alerts",
    params(("fingerprint" = String, Path, description = "16 hex digits", pattern = "^[0-9a-fA-F]{16}$")),
    responses((status = 200, body = PageOf<GroupDetails>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn of_alert(State(app): State<Arc<App>>, Id(id): Id) -> Result<Response, Problem> {
    let alert: Fingerprint = super::alerts::fingerprint(&id)?;
    let now = app.clock.now();
    let look = move |state: &crate::engine::state::State| listing::groups_of_alert(state, now, alert, ALERTS_MAX);
    look_at(&app, look, |items| to_json(&PageOf { items, next_cursor: None })).await
}
