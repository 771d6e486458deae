//! Which incident an alert belongs to. First rules: the same item, the dependencies between items, the
//! labels of an aggregate, and time.
//!
//! Strengths are thousandths and add up as independent reasons (`fixed::noisy_or`); an alert joins
//! where the sum reaches [`JOIN_MIN`]. An alert that links several young incidents merges them.

use std::collections::BTreeMap;

use crate::model::alert::{Alert, AlertNumber};
use crate::model::event::Marker;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, IncidentState, Severity, Span, Timestamp};

use crate::mutant::{self, Mutant};

use super::dedup::{Change, ChangeKind};
use super::fixed::{self, ONE};
use super::state::State;
use super::{lifecycle, root_cause, timeline};

/// Strength from which an alert belongs to an incident.
const JOIN_MIN: i64 = 350;
/// Strength of one, two and three steps along a dependency, in either direction.
const BY_HOPS: [i64; 4] = [ONE, 630, 405, 350];
/// Two items with one common dependency: two are chance, three within about ten seconds make a group
/// (before damping; see `hub_damped`).
const SIBLING: i64 = 337;
/// Siblings must fail within this time of each other; also how young an incident is for a merge.
const SIBLING_TAU_MS: i64 = 30_000;
/// A parent that fails later than its children by more than this is another fault.
const PARENT_LATE_MAX: Span = Span::from_mins(2);
/// Candidates looked at for one alert, so that its cost stays flat in a storm.
const CANDIDATES_MAX: usize = 32;
/// Incidents below one dependency that are looked at.
const NEIGHBOURS_MAX: usize = 256;

/// Why an alert belongs to an incident.
#[derive(Clone, Debug)]
struct Link {
    strengths: Vec<i64>,
    why: String,
    /// Strong enough in kind to make one incident of two.
    bridges: bool,
}

/// Takes a changed alert to its incident.
pub fn run(state: &mut State, now: Timestamp, change: &Change) {
    match change.kind {
        ChangeKind::Fired => place(state, now, change.alert),
        ChangeKind::Altered => altered(state, now, change.alert),
        ChangeKind::Resolved => refile(state, now, change.alert),
        ChangeKind::Repeated => {}
    }
}

/// A firing alert that has no incident yet looks for one, or makes one.
pub fn place(state: &mut State, now: Timestamp, number: AlertNumber) {
    let Some(alert) = state.alert(number) else { return };
    let (name, severity, fingerprint) = (alert.name.clone(), alert.severity, alert.fingerprint);
    let is_soft = alert.marker == Some(Marker::Soft);
    let is_flapping = alert.flap.is_flapping;
    if let Some(id) = returning(state, now, number, is_flapping) {
        lifecycle::alert_returned(state, now, number, &id);
        return;
    }
    if is_flapping {
        return; // `flap` has said so; the alert is placed when it settles.
    }
    let links = links(state, now, number);
    let mut joined: Vec<(IncidentId, Link)> =
        links.into_iter().filter(|(_, link)| fixed::noisy_or(link.strengths.iter().copied()) >= JOIN_MIN).collect();
    joined.sort_by_key(|(id, link)| {
        let started = state.incident(id).map(|incident| incident.opened_at);
        (-fixed::noisy_or(link.strengths.iter().copied()), started, *id)
    });
    if joined.is_empty() {
        let threshold = state.policy().correlation.open_severity;
        let reason = match (severity.is_at_least(threshold), is_soft) {
            (true, false) => None,
            (_, true) => Some("the monitor has not settled yet (soft state)".to_owned()),
            (false, _) => Some(format!("{severity} is below `open_severity` {threshold}")),
        };
        if let Some(reason) = reason {
            if mutant::is(Mutant::BelowThresholdInSilence) {
                return;
            }
            let text = format!("{name} opens no incident: {reason}");
            timeline::alert(state, now, fingerprint, None, TimelineKind::AlertMuted, "correlate", text);
            return;
        }
        lifecycle::open(state, now, number);
        return;
    }
    let survivor = join_all(state, now, &joined);
    let why = joined.iter().find(|(id, _)| *id == survivor).or(joined.first()).map(|(_, link)| link.why.clone());
    lifecycle::join(state, now, number, &survivor, why.as_deref().unwrap_or("related"));
}

/// Merges the incidents that this alert bridges and says which one remains.
fn join_all(state: &mut State, now: Timestamp, joined: &[(IncidentId, Link)]) -> IncidentId {
    let bridged: Vec<IncidentId> = joined.iter().filter(|(_, link)| link.bridges).map(|(id, _)| *id).collect();
    if bridged.len() < 2 {
        return joined[0].0;
    }
    let mut oldest = bridged.clone();
    oldest.sort_by_key(|id| (state.incident(id).map(|incident| incident.opened_at), *id));
    let survivor = oldest.remove(0);
    for id in oldest {
        let why = joined.iter().find(|(other, _)| *other == id).map(|(_, link)| link.why.clone()).unwrap_or_default();
        lifecycle::merge(state, now, &id, &survivor, &why);
    }
    survivor
}

/// The incident this very alert was in, while that is open or may be reopened (not by a flapping alert).
fn returning(state: &State, now: Timestamp, number: AlertNumber, is_flapping: bool) -> Option<IncidentId> {
    let id = state.alert(number)?.incident?;
    let incident = state.incident(&id)?;
    match incident.state {
        IncidentState::Pending | IncidentState::Open | IncidentState::Acknowledged => Some(id),
        IncidentState::Resolved => {
            let until = incident.resolved_at? + state.policy().correlation.reopen_within;
            (now <= until && !is_flapping).then_some(id)
        }
        IncidentState::Closed | IncidentState::Merged => None,
    }
}

fn altered(state: &mut State, now: Timestamp, number: AlertNumber) {
    let Some(alert) = state.alert(number) else { return };
    match alert.incident {
        Some(id) if state.incident(&id).is_some_and(|incident| incident.state.is_active()) => {
            lifecycle::refresh(state, now, &id);
        }
        // What was soft or harmless may deserve an incident now.
        _ => place(state, now, number),
    }
}

/// An alert is over, or has settled as over.
pub fn refile(state: &mut State, now: Timestamp, number: AlertNumber) {
    match state.alert(number).and_then(|alert| alert.incident) {
        Some(id) => lifecycle::alert_resolved(state, now, number, &id),
        None => root_cause::learn_alert(state, now, number, 0),
    }
}

fn links(state: &State, now: Timestamp, number: AlertNumber) -> BTreeMap<IncidentId, Link> {
    let Some(alert) = state.alert(number) else { return BTreeMap::new() };
    let mut links = BTreeMap::new();
    match &alert.configuration_item {
        Some(item) => {
            same_item(state, now, item, alert, &mut links);
            upstream(state, now, item, &mut links);
            downstream(state, now, item, &mut links);
            siblings(state, now, item, &mut links);
            aggregates_of(state, alert, &mut links);
        }
        None => aggregated(state, now, alert, &mut links),
    }
    links
}

fn add(
    links: &mut BTreeMap<IncidentId, Link>,
    id: &IncidentId,
    strength: i64,
    bridges: bool,
    why: impl FnOnce() -> String,
) {
    if strength <= 0 || links.len() >= CANDIDATES_MAX && !links.contains_key(id) {
        return;
    }
    match links.get_mut(id) {
        Some(link) => {
            link.bridges |= bridges;
            // Eight nearest reasons are enough; more of the same kind say nothing new.
            if link.strengths.len() < 8 {
                link.strengths.push(strength);
            }
        }
        None => drop(links.insert(*id, Link { strengths: vec![strength], why: why(), bridges })),
    }
}

/// Whether an incident can take alerts in: active, or resolved so recently that nobody was told.
fn is_joinable(state: &State, id: &IncidentId) -> bool {
    state.incident(id).is_some_and(|incident| {
        incident.state.is_active() || incident.state == IncidentState::Resolved && incident.notifying.flush_at.is_some()
    })
}

/// The alerts of an incident on one item: when the last of them fired, and the worst that still does.
fn evidence(state: &State, id: &IncidentId, item: &str) -> Option<(Timestamp, Option<Severity>)> {
    let numbers = state.groups.members(id)?.items.get(item)?;
    let alerts = || numbers.iter().filter_map(|number| state.alert(*number));
    let last = alerts().map(|alert| alert.fired_at).max()?;
    Some((last, alerts().filter(|alert| alert.is_firing()).map(|alert| alert.severity).min()))
}

fn is_down(state: &State, item: &str) -> bool {
    let mut on = state.groups.on(item).filter(|id| is_joinable(state, id));
    on.any(|id| evidence(state, id, item).is_some_and(|(_, firing)| firing.is_some_and(is_fatal)))
}

/// Whether it takes what depends on it with it.
fn is_fatal(severity: Severity) -> bool {
    severity.is_at_least(Severity::Major)
}

fn same_item(state: &State, now: Timestamp, item: &str, alert: &Alert, links: &mut BTreeMap<IncidentId, Link>) {
    let window = state.policy().correlation.window;
    for id in state.groups.on(item).filter(|id| is_joinable(state, id)) {
        let Some((last, firing)) = evidence(state, id, item) else { continue };
        let explains = firing.is_some_and(is_fatal);
        if now.since(last) <= window || explains {
            let source = &alert.source;
            add(links, id, ONE, true, || format!("{item} is already part of it ({source} adds its view)"));
        }
    }
}

fn upstream(state: &State, now: Timestamp, item: &str, links: &mut BTreeMap<IncidentId, Link>) {
    let correlation = &state.policy().correlation;
    for (ancestor, hops) in state.topology.upstream(item, correlation.hops_max) {
        for id in state.groups.on(&ancestor).filter(|id| is_joinable(state, id)) {
            let Some((last, firing)) = evidence(state, id, &ancestor) else { continue };
            if firing.is_some_and(is_fatal) || firing.is_some() && now.since(last) <= correlation.window {
                let strength = BY_HOPS[usize::from(hops).min(3)];
                add(links, id, strength, true, || {
                    format!("{item} depends on {ancestor} ({hops} hop{}), which fails too", plural(hops.into()))
                });
            }
        }
    }
}

fn downstream(state: &State, now: Timestamp, item: &str, links: &mut BTreeMap<IncidentId, Link>) {
    for (id, count) in state.groups.below(item) {
        let Some(incident) = state.incident(id).filter(|_| is_joinable(state, id)) else { continue };
        if now.since(incident.opened_at) <= PARENT_LATE_MAX {
            add(links, id, BY_HOPS[1], true, || {
                format!(
                    "{count} item{} that depend{} on {item} failed shortly before",
                    plural((*count).into()),
                    if *count == 1 { "s" } else { "" }
                )
            });
        }
    }
}

/// Three or more items below one silent dependency that fail together. A dependency that is known to be down
/// needs no such guess: `upstream` has said so.
fn siblings(state: &State, now: Timestamp, item: &str, links: &mut BTreeMap<IncidentId, Link>) {
    for parent in state.topology.dependencies(item).filter(|parent| !is_down(state, parent)) {
        let strength = hub_damped(state, parent);
        // The youngest first: what happened long ago has nothing to say.
        let below = state.groups.below(parent).rev().map(|(id, _)| id).filter(|id| is_joinable(state, id));
        let found: Vec<(IncidentId, i64)> = below
            .take(NEIGHBOURS_MAX)
            .map(|id| (*id, failing_now(state, now, id, item, parent, strength)))
            .filter(|(_, strength)| *strength > 0)
            .collect();
        let together = fixed::noisy_or(found.iter().map(|(_, strength)| *strength));
        if together < JOIN_MIN {
            continue;
        }
        for (id, _) in &found {
            add(links, id, together, true, || format!("{item} and others that depend on {parent} fail together"));
        }
    }
}

/// How strongly the items of one incident that depend on `parent` speak for a common fault now, each with
/// `strength` and less with time. The alerts that came last are looked at, until they say enough.
fn failing_now(state: &State, now: Timestamp, id: &IncidentId, item: &str, parent: &str, strength: i64) -> i64 {
    let Some(members) = state.groups.members(id) else { return 0 };
    let newest = members.unsettled().rev().take(CANDIDATES_MAX).filter_map(|number| state.alert(*number));
    let mut counted: Vec<&str> = Vec::new();
    let mut sum = 0;
    for alert in newest.filter(|alert| alert.is_firing()) {
        let strength = fixed::mul(strength, fixed::decay(now.since(alert.fired_at).as_millis(), SIBLING_TAU_MS));
        let sibling = alert.configuration_item.as_deref().filter(|other| *other != item && !counted.contains(other));
        let Some(sibling) = sibling.filter(|other| strength > 0 && state.topology.depends_on(other, parent)) else {
            continue;
        };
        counted.push(sibling);
        sum = fixed::noisy_or([sum, strength]);
        if sum >= JOIN_MIN {
            break;
        }
    }
    sum
}

/// A dependency that everything has (DNS, a core switch with hundreds behind it) says less.
fn hub_damped(state: &State, parent: &str) -> i64 {
    let degree = state.topology.dependant_count(parent) as i64;
    SIBLING * ONE / (ONE + fixed::log2(ONE + degree * ONE / 16))
}

/// Labels that say what kind of alert it is, not what it is about.
const NOT_SCOPE: [&str; 4] = ["alertname", "severity", "priority", "job"];

/// An aggregate is about everything that carries all of its own labels.
fn is_scope_of(aggregate: &Alert, member: &Alert) -> bool {
    let mut scope = aggregate.labels.iter().filter(|(name, _)| !NOT_SCOPE.contains(name)).peekable();
    scope.peek().is_some() && scope.all(|(name, value)| member.labels.get(name) == Some(value))
}

/// A new alert under an aggregate that fires already.
fn aggregates_of(state: &State, alert: &Alert, links: &mut BTreeMap<IncidentId, Link>) {
    for aggregate in state.groups.aggregates().filter_map(|number| state.alert(*number)) {
        if aggregate.source == alert.source
            && is_scope_of(aggregate, alert)
            && let Some(id) = aggregate.incident.as_ref().filter(|id| is_joinable(state, id))
        {
            add(links, id, 500, true, || format!("{} speaks about it", aggregate.name));
        }
    }
}

/// A new aggregate over alerts that fire already: it joins the one incident that holds most of them, and
/// never makes one of two.
fn aggregated(state: &State, now: Timestamp, aggregate: &Alert, links: &mut BTreeMap<IncidentId, Link>) {
    let window = state.policy().correlation.window;
    let mut counts: BTreeMap<IncidentId, u32> = BTreeMap::new();
    for alert in state.recent_alerts().take(256).filter(|alert| alert.is_firing() && alert.number != aggregate.number) {
        if now.since(alert.fired_at) <= window
            && is_scope_of(aggregate, alert)
            && let Some(id) = alert.incident.as_ref().filter(|id| is_joinable(state, id))
        {
            *counts.entry(*id).or_default() += 1;
        }
    }
    let best = counts.into_iter().max_by_key(|(id, count)| (*count, std::cmp::Reverse(*id)));
    if let Some((id, count)) = best {
        add(links, &id, 500, false, || format!("it sums up {count} of the alerts in it"));
    }
}

fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
