//! A group as people see it, frozen at the moment of a notification.

use std::cmp::Ordering;

use crate::engine::state::State;
use crate::model::notification::{ALERTS_SHOWN, AlertView, ITEMS_SHOWN, IncidentView};
use crate::model::{
    Alert, AlertStatus, GroupAlert, GroupView, Impact, IncidentId, IncidentState, Labels, Severity, Timestamp, Urgency,
};

/// `{}/{team="db"}:{alertname="HostDown", site="fra1"}`.
pub fn key(route_key: &str, labels: &Labels) -> String {
    let pairs: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value:?}")).collect();
    format!("{route_key}:{{{}}}", pairs.join(", "))
}

/// By job, then instance, then all labels: the order in which Alertmanager lists alerts.
pub fn order(a: &Labels, b: &Labels) -> Ordering {
    for name in ["job", "instance"] {
        let order = match (a.get(name), b.get(name)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => a.cmp(b),
        };
        if order != Ordering::Equal {
            return order;
        }
    }
    by_labels(a, b)
}

/// Fewer labels first; then at the first label in which they differ, who has it, and the smaller value.
pub fn by_labels(a: &Labels, b: &Labels) -> Ordering {
    let names = a.iter().zip(b.iter()).find(|(a, b)| a != b);
    let at_difference = names.map_or(Ordering::Equal, |((name, value), (other_name, other_value))| {
        // Who lacks the smaller name comes first.
        other_name.cmp(name).then_with(|| value.cmp(other_value))
    });
    a.len().cmp(&b.len()).then(at_difference)
}

pub fn alert(alert: &Alert) -> GroupAlert {
    GroupAlert {
        fingerprint: alert.labels.fingerprint().to_string(),
        status: alert.status,
        labels: alert.labels.clone(),
        annotations: alert.annotations.clone(),
        starts_at: alert.started_at,
        ends_at: (!alert.is_firing()).then(|| alert.ended_at.or(alert.resolved_at)).flatten(),
        generator_url: alert.url.as_deref().map(str::to_owned),
    }
}

/// The same in the shape of an incident, for sinks that know only those.
pub fn summary(state: &State, now: Timestamp, id: IncidentId, view: &GroupView, alerts: &[&Alert]) -> IncidentView {
    let fires = view.status() == AlertStatus::Firing;
    let severity = alerts.iter().map(|alert| alert.severity).min().unwrap_or(Severity::Warning);
    let urgency = match severity {
        Severity::Critical | Severity::Major => Urgency::High,
        Severity::Minor | Severity::Warning => Urgency::Medium,
        Severity::Info => Urgency::Low,
    };
    let impact = Impact::Medium;
    let started_at = alerts.iter().map(|alert| alert.started_at).min().unwrap_or(now);
    let items = distinct(alerts.iter().filter_map(|alert| alert.configuration_item.as_deref()));
    IncidentView {
        id,
        state: if fires { IncidentState::Open } else { IncidentState::Resolved },
        title: title(view, alerts),
        priority: state.policy().priority.matrix.priority(impact, urgency),
        impact,
        urgency,
        severity,
        started_at,
        opened_at: alerts.iter().map(|alert| alert.fired_at).min().unwrap_or(now),
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at: (!fires).then_some(now),
        resolved_by: None,
        assignee: None,
        root_cause: None,
        services: distinct(alerts.iter().filter_map(|alert| alert.service.as_deref())),
        configuration_item_count: u32::try_from(items.len()).unwrap_or(u32::MAX),
        configuration_items: items.into_iter().take(ITEMS_SHOWN).collect(),
        alerts: alerts.iter().take(ALERTS_SHOWN).map(|alert| AlertView::of(alert)).collect(),
        alert_count: u32::try_from(alerts.len()).unwrap_or(u32::MAX),
        firing_count: u32::try_from(alerts.iter().filter(|alert| alert.is_firing()).count()).unwrap_or(u32::MAX),
        clocks: Vec::new(),
        problem: None,
        merged_into: None,
        url: state.policy().public_url.clone(),
    }
}

fn title(view: &GroupView, alerts: &[&Alert]) -> String {
    match alerts {
        [one] => format!("{}: {}", one.name, one.summary()),
        _ if view.labels.is_empty() => format!("{} alerts", alerts.len()),
        _ => {
            let values: Vec<&str> = view.labels.iter().map(|(_, value)| value).collect();
            format!("{} alerts: {}", alerts.len(), values.join(", "))
        }
    }
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let all: std::collections::BTreeSet<&str> = texts.collect();
    all.into_iter().map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(a: &[(&str, &str)], b: &[(&str, &str)], expected: Ordering) {
        let labels = |pairs: &[(&str, &str)]| Labels::from_iter(pairs.iter().copied());
        assert_eq!(order(&labels(a), &labels(b)), expected);
        assert_eq!(order(&labels(b), &labels(a)), expected.reverse());
    }

    #[test]
    fn alerts_stand_in_alertmanagers_order() {
        check(&[("job", "a"), ("z", "9")], &[("job", "b")], Ordering::Less);
        check(&[("instance", "9")], &[("job", "b")], Ordering::Greater);
        check(&[("a", "1")], &[("a", "1"), ("b", "1")], Ordering::Less);
        check(&[("a", "1"), ("c", "1")], &[("a", "1"), ("b", "1")], Ordering::Less);
        check(&[("a", "1")], &[("a", "2")], Ordering::Less);
        check(&[("a", "1")], &[("a", "1")], Ordering::Equal);
    }

    #[test]
    fn the_key_is_alertmanagers() {
        let labels = Labels::from_iter([("b", "x\"y"), ("a", "1")]);
        assert_eq!(key("{}/{c=\"d\"}", &labels), r#"{}/{c="d"}:{a="1", b="x\"y"}"#);
    }
}
