//! A notification in which every text that comes from outside is foreign.

use watchbell::model::notification::{ALERTS_SHOWN, ITEMS_SHOWN};
use watchbell::model::{Labels, Notification, NotificationKind};
use watchbell::render::sample_notification;

use crate::NOW;

pub const KINDS: [NotificationKind; 15] = [
    NotificationKind::Opened,
    NotificationKind::Updated,
    NotificationKind::PriorityRaised,
    NotificationKind::Acknowledged,
    NotificationKind::Repeated,
    NotificationKind::Escalated,
    NotificationKind::SlaThreshold,
    NotificationKind::Reopened,
    NotificationKind::Resolved,
    NotificationKind::Merged,
    NotificationKind::ProblemProposed,
    NotificationKind::ProblemAccepted,
    NotificationKind::ProblemKnownError,
    NotificationKind::ProblemResolved,
    NotificationKind::Test,
];

/// Deals `texts` out in turn, so that a text reaches every field and neighbours differ.
pub fn of(kind: NotificationKind, texts: &[String]) -> Notification {
    let mut rest = texts.iter().cycle();
    let mut text = || rest.next().cloned().unwrap_or_default();
    let mut notification = sample_notification(kind, NOW);
    notification.reason = text();
    let incident = &mut notification.incident;
    incident.title = text();
    incident.url = Some(text());
    incident.assignee = Some(text());
    incident.acknowledged_by = Some(text());
    incident.resolved_by = Some(text());
    incident.services = vec![text(), text()];
    incident.configuration_items = (0..ITEMS_SHOWN).map(|_| text()).collect();
    if let Some(cause) = &mut incident.root_cause {
        cause.configuration_item = text();
        cause.why = text();
        cause.confirmed_by = Some(text());
        cause.alerts = vec![text()];
        cause.candidates.iter_mut().for_each(|candidate| candidate.configuration_item = text());
    }
    if let Some(problem) = &mut incident.problem {
        problem.title = text();
        problem.workaround = Some(text());
        problem.root_cause_analysis = Some(text());
    }
    incident.clocks.iter_mut().for_each(|clock| clock.sla = text());
    let sample = incident.alerts[0].clone();
    incident.alerts.resize(ALERTS_SHOWN, sample);
    for (index, alert) in incident.alerts.iter_mut().enumerate() {
        alert.source = text();
        alert.name = text();
        alert.summary = text();
        alert.configuration_item = Some(text());
        alert.labels = Labels::from_iter([(text(), text())]);
        alert.annotations = Labels::from_iter([(text(), text())]);
        // Some whole, some only in the part that a label fills.
        let is_whole = index % 2 == 0;
        let mut address = || if is_whole { text() } else { format!("https://monitor.example/?host={}", text()) };
        alert.runbook_url = Some(address());
        alert.url = Some(address());
    }
    notification
}
