//! What a notification that is of no group looks like to a receiver that knows only groups: one alert.
//! That is a test, an alert of ours about ourselves, or news of a problem.

use super::super::Setting;
use crate::model::{AlertStatus, Fingerprint, GroupAlert, GroupView, IncidentState, Labels, Notification, Timestamp};
use crate::render::text;

const TITLE_CHARS_MAX: usize = 300;
const SUMMARY_CHARS_MAX: usize = 1_000;
/// A longer address is none that anyone follows.
const URL_BYTES_MAX: usize = 2_048;

pub(super) fn of_incident(notification: &Notification, setting: &Setting) -> GroupView {
    let incident = &notification.incident;
    let is_over = matches!(incident.state, IncidentState::Resolved | IncidentState::Closed | IncidentState::Merged);
    let title = text::excerpt(&incident.title, TITLE_CHARS_MAX);
    let summary = text::excerpt_of_paragraphs(&notification.reason, SUMMARY_CHARS_MAX);
    let labels = Labels::from_iter([("alertname", title.as_str()), ("severity", incident.severity.as_str())]);
    let alert = GroupAlert {
        fingerprint: Fingerprint::of(labels.iter().flat_map(|(name, value)| [name, value])).to_string(),
        status: if is_over { AlertStatus::Resolved } else { AlertStatus::Firing },
        labels: labels.clone(),
        annotations: Labels::from_iter([("summary", summary.as_str())]),
        starts_at: incident.started_at,
        ends_at: is_over.then(|| ended_at(notification)),
        generator_url: incident.url.clone().filter(|url| url.len() <= URL_BYTES_MAX),
    };
    GroupView {
        key: format!("{{}}:{{incident=\"{}\"}}", incident.id),
        receiver: setting.sink.split('/').next().unwrap_or_default().to_owned(),
        reason: notification.kind.as_str().to_owned(),
        labels: Labels::from_iter([("alertname", title.as_str())]),
        alerts: vec![alert],
    }
}

fn ended_at(notification: &Notification) -> Timestamp {
    notification.incident.resolved_at.unwrap_or(notification.at)
}
