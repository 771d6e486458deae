//! What fires, one by one and by group. The state is read in parts of some hundred alerts, between which pages pass;
//! sorting and JSON are done here, on a thread that may take its time.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::query::{Wanted, all_match};
use super::{Refusal, answered};
use crate::engine::dispatch::listing::{self, Listed, ListedGroup};
use crate::engine::dispatch::{by_labels, order};
use crate::http::App;
use crate::model::alert::AlertNumber;
use crate::model::{Fingerprint, Labels, Matcher, Span, Timestamp};

/// Alerts looked at in one go: what the writer is kept from its work by, a few milliseconds.
const PART: usize = 512;
/// Life of an alert whose source gives it none, as its list shows it.
const UNTIL_TOLD: Span = Span::from_mins(5);

#[derive(Serialize)]
struct AlertJson<'a> {
    annotations: &'a Labels,
    #[serde(rename = "endsAt")]
    ends_at: Timestamp,
    fingerprint: String,
    receivers: Vec<Named<'a>>,
    #[serde(rename = "startsAt")]
    starts_at: Timestamp,
    status: StatusJson<'a>,
    #[serde(rename = "updatedAt")]
    updated_at: Timestamp,
    #[serde(rename = "generatorURL", skip_serializing_if = "Option::is_none")]
    generator_url: Option<&'a str>,
    labels: &'a Labels,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    #[serde(rename = "inhibitedBy")]
    inhibited_by: Vec<&'a str>,
    /// Times of the week, and planned windows, which are not known there.
    #[serde(rename = "mutedBy")]
    muted_by: Vec<&'a str>,
    #[serde(rename = "silencedBy")]
    silenced_by: &'a [String],
    state: &'static str,
}

#[derive(Serialize)]
struct GroupJson<'a> {
    alerts: Vec<AlertJson<'a>>,
    labels: &'a Labels,
    receiver: Named<'a>,
    /// Those of routes, which the configuration does not take.
    #[serde(rename = "routeLabels")]
    route_labels: BTreeMap<&'a str, &'a str>,
}

impl<'a> AlertJson<'a> {
    fn of(listed: &'a Listed, receivers: &'a [String], muted_by: &'a [String]) -> Self {
        let alert = &listed.alert;
        let muted_by: Vec<&str> = muted_by.iter().chain(&listed.window).map(String::as_str).collect();
        let is_muted = !listed.silenced_by.is_empty() || listed.inhibited_by.is_some() || !muted_by.is_empty();
        Self {
            annotations: &alert.annotations,
            ends_at: alert.expires_at.unwrap_or(alert.last_seen_at + UNTIL_TOLD),
            fingerprint: alert.labels.fingerprint().to_string(),
            receivers: receivers.iter().map(|name| Named { name }).collect(),
            starts_at: alert.started_at,
            status: StatusJson {
                inhibited_by: listed.inhibited_by.as_deref().into_iter().collect(),
                muted_by,
                silenced_by: &listed.silenced_by,
                state: if is_muted { "suppressed" } else { "active" },
            },
            updated_at: alert.last_seen_at,
            generator_url: alert.url.as_deref(),
            labels: &alert.labels,
        }
    }
}

/// Alerts that fire, by fingerprint.
#[utoipa::path(get, path = "/api/v2/alerts", operation_id = "alertmanager_list_alerts", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers, all of which hold"),
        ("receiver" = Option<String>, Query, description = "Regular expression of a receiver's name"),
        ("receiver_matchers" = Option<Vec<String>>, Query, description = "Matchers of a receiver's labels"),
        ("active" = Option<bool>, Query), ("silenced" = Option<bool>, Query), ("inhibited" = Option<bool>, Query),
        ("unprocessed" = Option<bool>, Query)),
    responses((status = 200, body = Vec<serde_json::Value>, description = "Alertmanager's `gettableAlerts`"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn list(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let wanted = Wanted::of(&uri)?;
    let found = all_alerts(&app, wanted.matchers.clone()).await?;
    on_patient_thread(move || {
        let shown = found.iter().filter(|listed| wanted.any_receiver(listed) && wanted.state(listed));
        let mut shown: Vec<(Fingerprint, &Listed)> =
            shown.map(|listed| (listed.alert.labels.fingerprint(), listed)).collect();
        shown.sort_by_key(|(fingerprint, _)| *fingerprint);
        let alerts = shown.iter().map(|(_, listed)| AlertJson::of(listed, &listed.receivers, &[]));
        to_json(shown.len(), alerts)
    })
    .await
}

/// Alerts that fire, by the group in which people hear of them.
#[utoipa::path(get, path = "/api/v2/alerts/groups", operation_id = "alertmanager_list_groups", tag = "alertmanager",
    params(("filter" = Option<Vec<String>>, Query, description = "Matchers, all of which hold"),
        ("receiver" = Option<String>, Query, description = "Regular expression of a receiver's name"),
        ("receiver_matchers" = Option<Vec<String>>, Query, description = "Matchers of a receiver's labels"),
        ("active" = Option<bool>, Query), ("silenced" = Option<bool>, Query), ("inhibited" = Option<bool>, Query),
        ("muted" = Option<bool>, Query)),
    responses((status = 200, body = Vec<serde_json::Value>, description = "Alertmanager's `alertGroups`"),
        (status = "4XX", body = serde_json::Value, description = "What does not fit"),
        (status = 503, body = serde_json::Value, description = "Not able to answer at present")),
    security((), ("api_token" = [])))]
pub async fn groups(State(app): State<Arc<App>>, uri: Uri) -> Result<Response, Refusal> {
    let wanted = Wanted::of(&uri)?;
    let alerts = all_alerts(&app, wanted.matchers.clone()).await?;
    let mut groups = all_groups(&app).await?;
    on_patient_thread(move || {
        groups.retain(|group| wanted.receiver(&group.receiver) && (wanted.muted || group.muted_by.is_empty()));
        let alerts: BTreeMap<AlertNumber, Listed> = alerts
            .into_iter()
            .filter(|listed| wanted.state(listed))
            .map(|mut listed| {
                listed.receivers.retain(|name| wanted.receiver(name));
                listed.receivers.sort();
                (listed.alert.number, listed)
            })
            .collect();
        groups.sort_by(|a, b| by_labels(&a.labels, &b.labels).then_with(|| a.receiver.cmp(&b.receiver)));
        let shown: Vec<GroupJson<'_>> = groups.iter().filter_map(|group| group_json(group, &alerts)).collect();
        to_json(shown.len(), shown.into_iter())
    })
    .await
}

/// None when nothing of it is wanted.
fn group_json<'a>(group: &'a ListedGroup, alerts: &'a BTreeMap<AlertNumber, Listed>) -> Option<GroupJson<'a>> {
    let mut members: Vec<&Listed> = group.alerts.iter().filter_map(|number| alerts.get(number)).collect();
    members.sort_by(|a, b| order(&a.alert.labels, &b.alert.labels));
    let alerts: Vec<AlertJson<'a>> =
        members.into_iter().map(|listed| AlertJson::of(listed, &listed.receivers, &group.muted_by)).collect();
    let receiver = Named { name: &group.receiver };
    (!alerts.is_empty()).then(|| GroupJson { alerts, labels: &group.labels, receiver, route_labels: BTreeMap::new() })
}

async fn all_alerts(app: &App, matchers: Vec<Matcher>) -> Result<Vec<Listed>, Refusal> {
    let matchers: Arc<[Matcher]> = matchers.into();
    let (mut found, mut last) = (Vec::new(), None);
    let now = app.clock.now();
    loop {
        let matchers = Arc::clone(&matchers);
        let look =
            move |state: &_| listing::alerts_after(state, now, last, PART, |labels| all_match(&matchers, labels));
        let (part, more) = app.driver.look(look).await?;
        found.extend(part);
        if more.is_none() {
            return Ok(found);
        }
        last = more;
    }
}

async fn all_groups(app: &App) -> Result<Vec<ListedGroup>, Refusal> {
    let (mut found, mut last) = (Vec::new(), None);
    let now = app.clock.now();
    loop {
        let (part, more) = app.driver.look(move |state| listing::groups_after(state, now, last, PART)).await?;
        found.extend(part);
        if more.is_none() {
            return Ok(found);
        }
        last = more;
    }
}

async fn on_patient_thread(
    work: impl FnOnce() -> Result<Vec<u8>, serde_json::Error> + Send + 'static,
) -> Result<Response, Refusal> {
    let written = tokio::task::spawn_blocking(work).await;
    match written {
        Ok(Ok(json)) => Ok(answered(json)),
        Ok(Err(error)) => {
            tracing::error!(%error, "cannot write an answer as JSON");
            Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
        Err(error) => {
            tracing::error!(%error, "a list panicked");
            Ok(StatusCode::INTERNAL_SERVER_ERROR.into_response())
        }
    }
}

/// Bytes of an alert in a list, about.
const ALERT_BYTES: usize = 600;

fn to_json(count: usize, items: impl Iterator<Item = impl Serialize>) -> Result<Vec<u8>, serde_json::Error> {
    let mut json = Vec::with_capacity(count * ALERT_BYTES + 3);
    json.push(b'[');
    for (index, item) in items.enumerate() {
        if index > 0 {
            json.push(b',');
        }
        serde_json::to_writer(&mut json, &item)?;
    }
    json.extend(b"]\n");
    Ok(json)
}
