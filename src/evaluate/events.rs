//! A labelled data set as the events that a source would have made of it, in the order in which they came.
//! Decides when an alert is over; what is only in the truth never gets here.

use super::sets::{Firing, Set};
use crate::engine::dedup;
use crate::model::alert::{AlertNumber, Flap};
use crate::model::event::{Event, EventStatus};
use crate::model::{Alert, AlertStatus, Labels, Timestamp};

/// Firings and their ends, by receipt. An end that the data knows is an event of its own; otherwise the firing
/// carries `expires_at`.
pub fn of(set: &Set) -> Vec<Event> {
    let mut events: Vec<(Timestamp, usize, Event)> = Vec::new();
    for (position, alert) in set.alerts.iter().enumerate() {
        events.push((alert.received_at, position, firing(alert)));
        if let Some(resolved_at) = alert.resolved_at {
            let mut end = resolve(alert, resolved_at);
            // Nobody hears of an end before the beginning.
            end.received_at = resolved_at.max(alert.received_at);
            events.push((end.received_at, position, end));
        }
    }
    events
        .sort_by_key(|(received_at, position, event)| (*received_at, *position, event.status == EventStatus::Resolved));
    events.into_iter().map(|(_, _, event)| event).collect()
}

pub fn firing(alert: &Firing) -> Event {
    let summary = (!alert.summary.is_empty()).then_some(("summary", &alert.summary));
    Event {
        id: alert.id.clone(),
        at: alert.at,
        received_at: alert.received_at,
        source: alert.source.clone(),
        status: EventStatus::Firing,
        name: alert.name.clone(),
        dedup_key: alert.key(),
        severity: alert.severity,
        configuration_item: Some(alert.node.clone()),
        service: alert.labels.get("service").map(str::to_owned),
        labels: alert.labels.clone(),
        annotations: summary.into_iter().collect(),
        url: None,
        expires_at: alert.resolved_at.is_none().then(|| alert.ends_at()),
        is_end_assumed: false,
        started_at: None,
        aliases: Vec::new(),
        parents: Vec::new(),
        marker: None,
        author: None,
        note: None,
        extra: Default::default(),
    }
}

/// The alert that it makes at this moment, where nothing came before it.
pub fn alert(firing: &Firing, number: AlertNumber, at: Timestamp) -> Alert {
    Alert {
        number,
        fingerprint: dedup::fingerprint(&firing.source, &firing.key()),
        source: firing.source.as_str().into(),
        dedup_key: firing.key().into(),
        name: firing.name.as_str().into(),
        severity: firing.severity,
        status: AlertStatus::Firing,
        configuration_item: Some(firing.node.as_str().into()),
        service: firing.labels.get("service").map(Into::into),
        labels: firing.labels.clone(),
        annotations: Labels::new(),
        url: None,
        started_at: at,
        fired_at: at,
        last_seen_at: at,
        resolved_at: None,
        ended_at: None,
        expires_at: None,
        is_end_assumed: false,

        opened_by: firing.id.as_str().into(),
        event_count: 1,
        flap: Flap::default(),
        marker: None,
        surprise: 0,
        incident: None,
        tie: 0,
        placed_by: None,
        muted: Default::default(),
        recorded_at: at,
    }
}

pub fn resolve(alert: &Firing, at: Timestamp) -> Event {
    Event {
        id: format!("{}-resolved", alert.id),
        at,
        received_at: at,
        status: EventStatus::Resolved,
        annotations: Labels::new(),
        expires_at: None,
        is_end_assumed: false,
        started_at: None,
        ..firing(alert)
    }
}

#[cfg(test)]
mod tests {
    use super::super::sets::tests::alert;
    use super::*;
    use crate::model::topology::TopologyFile;

    #[test]
    fn events_come_by_receipt_and_no_end_before_its_beginning() {
        let mut late = alert("late", "db", "Down", 0, Some(10));
        late.received_at = Timestamp::from_millis(60_000);
        let alerts = vec![late, alert("open", "db", "Slow", 20, None), alert("short", "web", "Down", 30, Some(40))];
        let set = Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), Vec::new());
        let events = of(&set);
        let told: Vec<String> = events
            .iter()
            .map(|event| {
                let expires = event.expires_at.map_or(0, Timestamp::as_millis);
                format!("{} {} {} {expires}", event.received_at.as_millis(), event.id, event.at.as_millis())
            })
            .collect();
        insta::assert_snapshot!(told.join("\n"), @r"
        20000 open 20000 320000
        30000 short 30000 0
        40000 short-resolved 40000 0
        60000 late 0 0
        60000 late-resolved 10000 0
        ");
    }
}
