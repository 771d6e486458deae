//! Alerts: list and read. Their state follows the monitors, so nothing changes one here.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use std::sync::Arc;

use super::parameters::Parameters;
use super::{Id, PageOf, incident_id, query};
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::{Alert, AlertStatus, Fingerprint, TimelineEntry};
use crate::store::{AlertQuery, Subject};

/// Alerts, newest first.
#[utoipa::path(get, path = "/api/v1/alerts", operation_id = "list_alerts", tag = "alerts",
    params(("status" = Option<AlertStatus>, Query), ("incident" = Option<String>, Query, description = "Whole id of an incident",
            pattern = "^inc-[0-9a-hjkmnp-tv-z]{10}$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<Alert>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let parameters = Parameters::read(&uri, &["status", "incident"], &[])?;
    let status = parameters.word("status", "`firing` or `resolved`", |text| match text {
        "firing" => Some(AlertStatus::Firing),
        "resolved" => Some(AlertStatus::Resolved),
        _ => None,
    })?;
    let wanted = AlertQuery { status, incident: incident_id(&parameters, "incident")?, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.alerts(&wanted)?)).await
}

/// 16 hex digits.
pub(super) fn read_fingerprint(text: &str) -> Option<Fingerprint> {
    let is_hex = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    text.parse().ok().filter(|_| is_hex)
}

/// Of the path.
pub(super) fn fingerprint(text: &str) -> Result<Fingerprint, Problem> {
    read_fingerprint(text).ok_or_else(|| Problem::invalid_parameter("fingerprint", text, "16 hex digits"))
}

/// The newest alert with this fingerprint.
#[utoipa::path(get, path = "/api/v1/alerts/{fingerprint}", operation_id = "read_alert", tag = "alerts",
    params(("fingerprint" = String, Path, description = "16 hex digits", pattern = "^[0-9a-fA-F]{16}$")),
    responses((status = 200, body = Alert), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody), (status = 404, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn read(State(app): State<Arc<App>>, Id(id): Id) -> Result<Response, Problem> {
    let fingerprint = fingerprint(&id)?.to_string();
    query(&app, move |reader| {
        let found = reader.alert(&fingerprint)?;
        found.ok_or_else(|| Problem::not_found(format!("no alert has the fingerprint `{fingerprint}`")))
    })
    .await
}

/// What was decided about it and why, oldest first.
#[utoipa::path(get, path = "/api/v1/alerts/{fingerprint}/timeline", operation_id = "read_alert_timeline", tag = "alerts",
    params(("fingerprint" = String, Path, description = "16 hex digits", pattern = "^[0-9a-fA-F]{16}$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<TimelineEntry>), (status = 400, body = ProblemBody),
        (status = 401, body = ProblemBody), (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn timeline(State(app): State<Arc<App>>, Id(id): Id, uri: Uri) -> Result<Response, Problem> {
    let subject = Subject::Alert(fingerprint(&id)?.to_string());
    let page = Parameters::read(&uri, &[], &[])?.page()?;
    query(&app, move |reader| Ok(reader.timeline(&subject, &page)?)).await
}
