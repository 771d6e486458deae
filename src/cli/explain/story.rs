//! What is known about an incident, an alert or an event, in words for a tired person: the answer first,
//! the evidence below. Decides the form only.

use std::io::{self, Write};

use owo_colors::OwoColorize;

use super::{Facts, Lines};
use crate::cli::output;
use crate::model::delivery::DeliveryState;
use crate::model::event::Marker;
use crate::model::incident::{Candidate, RootCause};
use crate::model::notification::ProblemView;
use crate::model::{
    Alert, AlertStatus, Delivery, Event, Incident, IncidentId, IncidentState, TimelineEntry, Timestamp,
};

pub fn tell(facts: &Facts, now: Timestamp, out: &mut impl Write) -> io::Result<()> {
    if let Some(event) = &facts.event {
        let title = format!("event {}: {}", event.id, event.name);
        block(out, &title, &event_lines(event, facts.alert.as_ref()))?;
    }
    if let Some(alert) = &facts.alert {
        block(out, &format!("alert {}: {}", alert.fingerprint, alert.summary()), &alert_lines(alert, now))?;
    }
    match &facts.incident {
        Some(incident) => {
            let title = format!("incident {}: {}", incident.id, incident.title);
            block(out, &title, &incident_lines(incident, facts, now))?;
            if let Some(cause) = &incident.root_cause {
                candidates(out, cause)?;
            }
            told(out, &facts.deliveries)?;
            alerts(out, incident, &facts.alerts)?;
        }
        None if !facts.groups.is_empty() => groups(out, facts, now)?,
        None => block(out, "no incident", &vec![("why", without_incident(facts))])?,
    }
    timeline(out, &facts.timeline)
}

/// A heading and the lines below it, keys in one column.
fn block(out: &mut impl Write, title: &str, lines: &Lines) -> io::Result<()> {
    writeln!(out, "{}", output::line(title).bold())?;
    let width = lines.iter().map(|(key, _)| key.len()).max().unwrap_or(0);
    for (key, text) in lines {
        writeln!(out, "  {key:<width$}  {}", output::line(text))?;
    }
    writeln!(out)
}

fn heading(out: &mut impl Write, text: &str) -> io::Result<()> {
    writeln!(out, "{}", text.bold())
}

fn event_lines(event: &Event, alert: Option<&Alert>) -> Lines {
    let mut lines = vec![("source", event.source.clone()), ("said", event.status.as_str().to_owned())];
    if let Some(item) = &event.configuration_item {
        lines.push(("about", item.to_string()));
    }
    lines.push(("at", format!("{}, received {}", output::moment(event.at), output::moment(event.received_at))));
    if let Some(note) = &event.note {
        lines.push(("note", note.clone()));
    }
    lines.push(match (alert, event.marker) {
        (Some(alert), _) => ("became", format!("part of the alert {}, {}", alert.fingerprint, events(alert))),
        (None, Some(Marker::DowntimeStarted | Marker::DowntimeEnded)) => {
            ("became", "no alert: it begins or ends a maintenance window".to_owned())
        }
        (None, _) => ("became", "no alert that is still known".to_owned()),
    });
    lines
}

fn events(alert: &Alert) -> String {
    output::plural(usize::try_from(alert.event_count).unwrap_or(usize::MAX), "event")
}

fn alert_lines(alert: &Alert, now: Timestamp) -> Lines {
    let state = match (alert.status, alert.resolved_at) {
        (AlertStatus::Firing, _) => format!("firing for {}", output::age(now, alert.fired_at)),
        (AlertStatus::Resolved, Some(at)) => format!("resolved {} ago", output::age(now, at)),
        (AlertStatus::Resolved, None) => "resolved".to_owned(),
    };
    let flapping = if alert.flap.is_flapping { ", flapping" } else { "" };
    let marker = match alert.marker {
        Some(Marker::Soft) => ", not settled yet for its monitor",
        Some(Marker::Unreachable) => ", behind something that is down",
        _ => "",
    };
    let mut lines = vec![
        ("state", format!("{state}, {}{flapping}{marker}", alert.severity.as_str())),
        ("source", format!("{}, {}", alert.source, events(alert))),
    ];
    if let Some(item) = &alert.configuration_item {
        lines.push(("about", item.to_string()));
    }
    if let Some(incident) = &alert.incident {
        let placed = alert.placed_by.as_ref().map(|who| format!(", where {who} has put it")).unwrap_or_default();
        lines.push(("belongs to", format!("{incident}{placed}")));
    }
    lines
}

/// Where people are told of groups.
fn groups(out: &mut impl Write, facts: &Facts, now: Timestamp) -> io::Result<()> {
    let quiet = || facts.groups.iter().find_map(|group| group.why_quiet(facts.alert.as_ref(), now));
    let why = who_heard(&facts.deliveries).or_else(quiet).unwrap_or_else(|| without_incident(facts));
    for (at, group) in facts.groups.iter().enumerate() {
        let why = (at == 0).then(|| ("why", why.clone()));
        block(out, &group.title(), &why.into_iter().chain(group.lines()).collect())?;
    }
    told(out, &facts.deliveries)
}

/// The one sentence that was asked for.
fn answer(incident: &Incident, deliveries: &[Delivery]) -> String {
    if let Some(heard) = who_heard(deliveries) {
        return heard;
    }
    if let Some(cause) = &incident.notifying.muted {
        return format!("nobody is told: {cause}");
    }
    if incident.state == IncidentState::Pending {
        return "nobody is told: these alerts are not worth anyone's attention yet, see the timeline".to_owned();
    }
    if let Some(until) = incident.notifying.held_until {
        return format!("nobody was told yet: it waits for its parents' verdict until {}", output::moment(until));
    }
    if let Some(at) = incident.notifying.flush_at {
        return format!("nobody was told yet: the first notification is due at {}", output::moment(at));
    }
    "nobody was told, see the timeline".to_owned()
}

/// What people heard, if they did.
fn who_heard(deliveries: &[Delivery]) -> Option<String> {
    let loud = || deliveries.iter().filter(|delivery| delivery.notification.kind.is_loud());
    let has_arrived = |delivery: &&Delivery| matches!(delivery.state, DeliveryState::Delivered { .. });
    if let Some(delivery) = loud().find(has_arrived) {
        return Some(format!("people were told: {}", delivery.notification.reason));
    }
    let delivery = loud().next()?;
    Some(format!("people were to be told, but nothing has arrived: {}", delivery.notification.reason))
}

fn incident_lines(incident: &Incident, facts: &Facts, now: Timestamp) -> Lines {
    let by = |who: &Option<String>| who.as_ref().map(|who| format!(" by {who}")).unwrap_or_default();
    let state = match incident.state {
        IncidentState::Acknowledged => format!("acknowledged{}", by(&incident.acknowledged_by)),
        IncidentState::Resolved => format!("resolved{}", by(&incident.resolved_by)),
        state => state.as_str().to_owned(),
    };
    let mut lines = vec![
        ("why", answer(incident, &facts.deliveries)),
        ("state", format!("{state}; opened {} ago, {}", output::age(now, incident.opened_at), counts(incident))),
        ("priority", format!("{} = impact {} × urgency {}", incident.priority, incident.impact, incident.urgency)),
    ];
    if let Some(cause) = &incident.root_cause {
        let sure = match &cause.confirmed_by {
            Some(who) => format!("confirmed by {who}"),
            None => format!("confidence {} %", cause.confidence_percent),
        };
        lines.push(("root cause", format!("{}: {} ({sure})", cause.configuration_item, cause.why)));
    }
    if let Some(routed) = &incident.routed {
        let path = if routed.path.is_empty() { "the top route" } else { &routed.path };
        let policy = routed.escalation_policy.as_ref().map(|name| format!(", escalation policy {name}"));
        let receivers = routed.receivers.join(", ");
        lines.push(("routed to", format!("{receivers}{} by {path}", policy.unwrap_or_default())));
    }
    if let Some(escalating) = &incident.escalating {
        let text = format!("next level of {} at {}", escalating.policy, output::moment(escalating.due_at));
        lines.push(("escalation", text));
    }
    for clock in &incident.clocks {
        let state = match (clock.is_breached, clock.met_at) {
            (true, _) => "breached",
            (false, Some(_)) => "met",
            (false, None) => "running",
        };
        let due = output::moment(clock.due_at());
        lines.push(("SLA", format!("{} {}: due {due}, {state}", clock.sla, clock.target.as_str())));
    }
    let links = [
        ("assigned to", incident.assignee.clone()),
        ("problem", problem(incident, facts.problem.as_ref())),
        ("workaround", facts.problem.as_ref().and_then(|problem| problem.workaround.clone())),
        ("merged into", incident.merged_into.as_ref().map(ToString::to_string)),
        ("alerts from", ids(&incident.split_from)),
        ("alerts to", ids(&incident.split_into)),
        ("suggestion", incident.split_suggestion.as_ref().map(|suggestion| suggestion.why.clone())),
        ("follow it", incident.split_suggestion.as_ref().map(|suggestion| suggestion.command.clone())),
    ];
    lines.extend(links.into_iter().filter_map(|(key, text)| Some((key, text?))));
    lines
}

fn ids(all: &[IncidentId]) -> Option<String> {
    (!all.is_empty()).then(|| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))
}

/// Its id, and what is known of it.
fn problem(incident: &Incident, known: Option<&ProblemView>) -> Option<String> {
    let id = incident.problem.as_ref()?;
    Some(match known {
        Some(problem) => {
            format!("{}: {} ({})", problem.id, problem.title, problem.state.as_str().replace('_', " "))
        }
        None => id.to_string(),
    })
}

fn counts(incident: &Incident) -> String {
    let count = |count: u32, what| output::plural(count as usize, what);
    let services = match incident.services.len() {
        0 => String::new(),
        _ => format!(", services {}", incident.services.iter().cloned().collect::<Vec<_>>().join(", ")),
    };
    format!(
        "{} ({} firing) on {}{services}",
        count(incident.alert_count, "alert"),
        incident.firing_count,
        count(incident.configuration_item_count, "configuration item")
    )
}

/// Every candidate with the signed terms of its score.
fn candidates(out: &mut impl Write, cause: &RootCause) -> io::Result<()> {
    if cause.candidates.is_empty() {
        return Ok(());
    }
    heading(out, "candidates for the root cause")?;
    let rows: Vec<Vec<String>> = cause.candidates.iter().map(candidate).collect();
    output::table(out, &rows)?;
    writeln!(out)
}

fn candidate(candidate: &Candidate) -> Vec<String> {
    let terms: Vec<String> =
        candidate.terms.iter().map(|(name, value)| format!("{} {}", signed(*value), output::line(name))).collect();
    let score = signed(candidate.score);
    vec![
        format!("  {}", output::clipped(&candidate.configuration_item, 48)),
        score.trim_start_matches('+').to_owned(),
        if terms.is_empty() { String::new() } else { format!("= {}", terms.join("  ")) },
    ]
}

/// Thousandths with their sign: `+0.400`.
fn signed(thousandths: i64) -> String {
    let sign = if thousandths < 0 { '-' } else { '+' };
    let size = thousandths.unsigned_abs();
    format!("{sign}{}.{:03}", size / 1_000, size % 1_000)
}

/// Who heard what, when, and what came of it.
fn told(out: &mut impl Write, deliveries: &[Delivery]) -> io::Result<()> {
    if deliveries.is_empty() {
        return Ok(());
    }
    heading(out, "who was told")?;
    let rows: Vec<Vec<String>> = deliveries
        .iter()
        .map(|delivery| {
            vec![
                format!("  {}", output::moment(delivery.created_at)),
                output::line(&delivery.sink),
                delivery.notification.kind.as_str().replace('_', " "),
                output::line(&outcome(delivery)),
            ]
        })
        .collect();
    output::table(out, &rows)?;
    writeln!(out)
}

fn outcome(delivery: &Delivery) -> String {
    let tries = match delivery.attempts {
        0 | 1 => String::new(),
        attempts => format!(", try {attempts}"),
    };
    let error = delivery.last_error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let text = match &delivery.state {
        DeliveryState::Pending => format!("pending, due {}{tries}{error}", output::moment(delivery.due_at)),
        DeliveryState::Delivered { proof } => format!("delivered: {proof}{tries}"),
        DeliveryState::Superseded { by } => format!("superseded by {by}"),
        DeliveryState::Cancelled { by } => format!("cancelled by {by}"),
        DeliveryState::Exhausted { reason, fallback: Some(fallback) } => {
            format!("given up: {reason}; sent as {fallback} instead")
        }
        DeliveryState::Exhausted { reason, fallback: None } => format!("given up: {reason}"),
    };
    match &delivery.fallback_for {
        Some(other) => format!("{text} (stands in for {other})"),
        None => text,
    }
}

fn alerts(out: &mut impl Write, incident: &Incident, alerts: &[Alert]) -> io::Result<()> {
    if alerts.is_empty() {
        return Ok(());
    }
    match (incident.alert_count as usize).saturating_sub(alerts.len()) {
        0 => heading(out, "alerts")?,
        more => heading(out, &format!("alerts, newest first ({more} more)"))?,
    }
    let rows: Vec<Vec<String>> = alerts
        .iter()
        .map(|alert| {
            let status = if alert.is_firing() { "firing" } else { "resolved" };
            vec![
                format!("  {}", alert.fingerprint),
                alert.severity.as_str().to_owned(),
                status.to_owned(),
                output::clipped(alert.configuration_item.as_deref().unwrap_or("-"), 32),
                output::clipped(alert.summary(), 72),
            ]
        })
        .collect();
    output::table(out, &rows)?;
    writeln!(out)
}

fn timeline(out: &mut impl Write, entries: &[TimelineEntry]) -> io::Result<()> {
    if entries.is_empty() {
        return Ok(());
    }
    heading(out, "timeline (UTC)")?;
    let rows: Vec<Vec<String>> = entries
        .iter()
        .map(|entry| {
            vec![format!("  {}", output::moment(entry.at)), output::line(&entry.by), output::line(&entry.text)]
        })
        .collect();
    output::table(out, &rows)
}

/// Why an alert or an event has led to nothing, by the last word about it.
fn without_incident(facts: &Facts) -> String {
    match (facts.timeline.last(), &facts.alert) {
        (Some(entry), _) => format!("nobody was told; last decided: {} ({})", entry.text, entry.by),
        (None, Some(alert)) if !alert.is_firing() => "nobody was told: it is not firing".to_owned(),
        _ => "nobody was told: no alert came of it".to_owned(),
    }
}
