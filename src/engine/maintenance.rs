//! Planned windows: from the configuration, once or again and again, or because a monitor says that a downtime began.
//! A window on an item covers everything that depends on it, another one what its matchers match.

use crate::model::alert::Alert;
use crate::model::event::Event;
use crate::model::silence::Maintenance;
use crate::model::timeline::TimelineKind;
use crate::model::{MutedBy, Span, Timestamp};

use super::firing::Cause;
use super::state::State;
use super::topology::ItemName;
use super::{dedup, inhibit, silence, timeline};

/// A window whose end the monitor never told does not mute for ever.
const OPEN_END_MAX: Span = Span::from_hours(7 * 24);

/// Why a window mutes this alert now, if one does.
pub fn cause(state: &State, now: Timestamp, alert: &Alert) -> Option<Cause> {
    let mut upstream = None;
    let window = state.maintenances_at(now).find(|window| covers(state, window, alert, &mut upstream))?;
    let why = format!("in maintenance: {} ({})", window.subject(), window.reason);
    // When one that recurs began is not looked for.
    let since = window.recurrence.is_none().then_some(window.starts_at);
    Some(Cause { since, ..Cause::new(MutedBy::Maintenance, window.id.clone(), why) })
}

/// What the alert's item depends on is looked up once, when a window asks for it.
fn covers(state: &State, window: &Maintenance, alert: &Alert, upstream: &mut Option<Vec<(ItemName, u8)>>) -> bool {
    let eyes = inhibit::Eyes::of(state.policy());
    let is_match = window.matchers.iter().all(|matcher| matcher.is_match(eyes.label(alert, &matcher.name)));
    let Some(wanted) = window.configuration_item.as_deref() else { return is_match && !window.matchers.is_empty() };
    let Some(item) = alert.configuration_item.as_deref() else { return false };
    let is_own = wanted == item && window.dedup_key.as_ref().is_none_or(|key| **key == *alert.dedup_key);
    let hops_max = state.policy().correlation.hops_max;
    let mut is_below = || {
        let above = upstream.get_or_insert_with(|| state.topology.upstream(item, hops_max));
        above.iter().any(|(ancestor, _)| &**ancestor == wanted)
    };
    is_match && (is_own || window.dedup_key.is_none() && is_below())
}

/// A monitor says that a downtime began on the item, or on one check of it.
pub fn started(state: &mut State, now: Timestamp, event: &Event) {
    let Some(item) = event.configuration_item.clone() else { return };
    let author = event.author.as_deref().unwrap_or("the monitor");
    let note = event.note.as_deref().unwrap_or("no comment");
    let window = Maintenance {
        id: window_id(event, &item),
        configuration_item: Some(item.clone()),
        dedup_key: is_for_check(event).then(|| event.dedup_key.clone()),
        matchers: Vec::new(),
        starts_at: now,
        ends_at: Some(now + OPEN_END_MAX),
        recurrence: None,
        reason: format!("downtime set by {author} in {}: {note}", event.source),
    };
    state.put_maintenance(window);
    say(state, now, event, format!("maintenance of {item} begins, as {} says", event.source));
}

pub fn ended(state: &mut State, now: Timestamp, event: &Event) {
    let Some(item) = event.configuration_item.clone() else { return };
    if state.remove_maintenance(&window_id(event, &item)).is_some() {
        say(state, now, event, format!("maintenance of {item} is over, as {} says", event.source));
        silence::recheck(state);
    } else {
        say(
            state,
            now,
            event,
            format!("{} says that a maintenance of {item} is over, of which nothing is known", event.source),
        );
    }
}

/// A window with a known end has reached it, or one that recurs begins or ends.
pub fn over(state: &mut State, now: Timestamp, id: &str) {
    if let Some(window) = state.remove_maintenance(id) {
        let text = format!("maintenance of {} is over", window.subject());
        timeline::system(state, now, TimelineKind::Maintenance, "maintenance", text);
    }
    let recurs = state.policy().maintenance.iter().find(|window| window.id == id && window.recurrence.is_some());
    if let Some(window) = recurs {
        let begins = state.maintenances_at(now).any(|active| active.id == id);
        let text = format!("maintenance of {} {}", window.subject(), if begins { "begins" } else { "is over" });
        timeline::system(state, now, TimelineKind::Maintenance, "maintenance", text);
        state.schedule_planned();
    }
    silence::recheck(state);
}

/// A host's window covers its checks; a check's window only itself. Sources put the check into the key.
fn is_for_check(event: &Event) -> bool {
    event.labels.get("service").is_some()
}

fn window_id(event: &Event, item: &str) -> String {
    let check = if is_for_check(event) { event.dedup_key.as_str() } else { "" };
    dedup::fingerprint(&event.source, &format!("{item}\u{0}{check}")).to_string()
}

fn say(state: &mut State, now: Timestamp, event: &Event, text: String) {
    let fingerprint = dedup::fingerprint(&event.source, &event.dedup_key);
    timeline::alert(state, now, fingerprint, None, TimelineKind::Maintenance, "maintenance", text);
}
