//! Alerts: list and read, as they are and as they were. Their state follows the monitors, so nothing changes one here.

use axum::extract::State;
use axum::response::Response;
use http::Uri;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

use super::parameters::Parameters;
use super::{Id, PageOf, incident_id, look_up, query};
use crate::engine::dispatch;
use crate::engine::inhibit::Eyes;
use crate::engine::state::State as EngineState;
use crate::http::App;
use crate::http::error::{Problem, ProblemBody};
use crate::model::alert::AlertNumber;
use crate::model::{Alert, AlertStatus, Fingerprint, Firing, GroupName, Matcher, Span, TimelineEntry, Timestamp};
use crate::store::{AlertQuery, FiringQuery, Subject};

/// A clock elsewhere may be ahead of ours by so much.
const AHEAD_MAX: Span = Span::from_mins(1);
const TIME_EXPECTED: &str = "an RFC 3339 time such as `2026-11-21T05:00:00Z`";
const MATCHER_EXPECTED: &str = "one matcher such as `severity=\"critical\"`";

/// With a time a firing, otherwise an alert.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only described")]
pub enum AlertOrFiring {
    Alert(Alert),
    Firing(Firing),
}

/// Alerts, newest first. With `at` or `from`: what fired then, with what muted it and who was told; what still fires
/// first, then what ended last.
#[utoipa::path(get, path = "/api/v1/alerts", operation_id = "list_alerts", tag = "alerts",
    params(("at" = Option<Timestamp>, Query, description = "What fired at this moment"),
        ("from" = Option<Timestamp>, Query, description = "What fired from here on"),
        ("until" = Option<Timestamp>, Query, description = "Up to here; with `from` only, which alone means up to now"),
        ("filter" = Option<Vec<String>>, Query, description = "Matchers, all of which hold; with `at` or `from` only"),
        ("source" = Option<String>, Query, description = "Only from this source; with `at` or `from` only"),
        ("status" = Option<AlertStatus>, Query), ("incident" = Option<String>, Query, description = "Whole id of an incident",
            pattern = "^inc-[0-9a-hjkmnp-tv-z]{10}$"),
        ("limit" = Option<u32>, Query, minimum = 1, maximum = 500), ("cursor" = Option<String>, Query)),
    responses((status = 200, body = PageOf<AlertOrFiring>), (status = 400, body = ProblemBody), (status = 401, body = ProblemBody),
        (status = 403, body = ProblemBody)),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Problem> {
    let names = ["status", "incident", "at", "from", "until", "source"];
    let parameters = Parameters::read(&uri, &names, &["filter"])?;
    if let Some((from, until)) = time(&parameters, app.clock.now())? {
        return history(&app, &parameters, from, until).await;
    }
    let status = parameters.word("status", "`firing` or `resolved`", |text| match text {
        "firing" => Some(AlertStatus::Firing),
        "resolved" => Some(AlertStatus::Resolved),
        _ => None,
    })?;
    let wanted = AlertQuery { status, incident: incident_id(&parameters, "incident")?, page: parameters.page()? };
    query(&app, move |reader| Ok(reader.alerts(&wanted)?)).await
}

/// The time that is asked for, if one is.
fn time(parameters: &Parameters, now: Timestamp) -> Result<Option<(Timestamp, Timestamp)>, Problem> {
    let read = |name| parameters.word(name, TIME_EXPECTED, |text| text.parse::<Timestamp>().ok());
    let (at, from, until) = (read("at")?, read("from")?, read("until")?);
    let refused = |name: &str, expected: &str| {
        let got = parameters.text(name).unwrap_or_default();
        Err(Problem::invalid_parameter(name, &got, expected))
    };
    for (name, given) in [("at", at), ("from", from), ("until", until)] {
        if given.is_some_and(|given| given > now + AHEAD_MAX) {
            return refused(name, &format!("a time that is not in the future (it is {now})"));
        }
    }
    let has = |name: &&&str| parameters.text(name).is_some();
    let wanted = match (at, from, until) {
        (Some(_), Some(_), _) => return refused("from", "`at` or `from`, not both"),
        (Some(_), _, Some(_)) => return refused("until", "`at` or `until`, not both"),
        (_, None, Some(_)) => return refused("until", "`from` with it"),
        (_, Some(from), Some(until)) if until < from => return refused("until", "a time that is not before `from`"),
        (Some(at), ..) => Some((at, at)),
        (_, Some(from), until) => Some((from, until.unwrap_or(now.max(from)))),
        (None, None, None) => None,
    };
    let alien = match wanted {
        Some(_) => ["status", "incident"].iter().find(has).map(|name| (name, "neither `at` nor `from` with it")),
        None => ["filter", "source"].iter().find(has).map(|name| (name, "`at` or `from` with it")),
    };
    alien.map_or(Ok(wanted), |(name, expected)| refused(name, expected))
}

/// What fired in a time.
async fn history(
    app: &Arc<App>,
    parameters: &Parameters,
    from: Timestamp,
    until: Timestamp,
) -> Result<Response, Problem> {
    let read = |text: &str| match Matcher::parse_all(text).as_deref() {
        Ok([one]) => Ok(one.clone()),
        _ => Err(Problem::invalid_parameter("filter", text, MATCHER_EXPECTED)),
    };
    let matchers = parameters.all("filter").map(read).collect::<Result<_, _>>()?;
    let (source, page) = (parameters.text("source"), parameters.page()?);
    let eyes = app.driver.look(|state| Eyes::of(state.policy())).await?;
    let wanted = FiringQuery { from, until, matchers, eyes, source, page };
    let mut found = look_up(app, move |reader| Ok(reader.firings(&wanted)?)).await?;
    // What still fires is in groups that the engine knows.
    let fires: Vec<AlertNumber> =
        found.items.iter().filter(|firing| firing.until.is_none()).map(|firing| firing.alert.number).collect();
    let groups = app.driver.look(move |state| groups_of(state, &fires)).await?;
    for firing in found.items.iter_mut().filter(|firing| firing.until.is_none()) {
        firing.groups = groups.get(&firing.alert.number).cloned().unwrap_or_default();
    }
    query(app, move |reader| {
        reader.add_told(&mut found.items)?;
        Ok(found)
    })
    .await
}

fn groups_of(state: &EngineState, numbers: &[AlertNumber]) -> BTreeMap<AlertNumber, Vec<GroupName>> {
    numbers.iter().map(|number| (*number, dispatch::groups_of(state, *number))).collect()
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
