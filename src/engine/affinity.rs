//! How strongly an alert belongs to each incident that it might be part of: the same item, the dependencies between
//! items, the labels of an aggregate, and time.
//!
//! Strengths are thousandths and add up as independent reasons (`fixed::noisy_or`). They fade with the time between
//! the onsets, as the monitors tell it, and what fires all the time says little.

use std::collections::BTreeMap;

use crate::model::alert::Alert;
use crate::model::{IncidentId, IncidentState, Severity, Span, Timestamp};

use super::fixed::{self, ONE};
use super::items::ItemId;
use super::state::State;
use super::symptom::Class;
use super::topology::Kinship;

/// Strength from which an alert belongs to an incident.
pub const JOIN_MIN: i64 = 350;
/// What one alert close by is worth at most.
const NEAR: i64 = 900;
/// How fast the onset of one alert loses its say on another.
const TAU_MS: i64 = 180_000;
/// What an alert that still fires on the very item is worth at least.
const SAME_ITEM: i64 = 600;
/// Steps along a dependency to something that is gone, while it is: no time passes that would explain it less.
const BY_HOPS: [i64; 4] = [ONE, 630, 405, 350];
/// Two items with one common dependency: two are chance, three within about ten seconds make a group
/// (before damping; see `hub_damped`).
const SIBLING: i64 = 337;
/// Siblings must fail within this time of each other.
const SIBLING_TAU_MS: i64 = 30_000;
/// A parent that fails later than its children by more than this is another fault.
const PARENT_LATE_MAX: Span = Span::from_mins(2);
/// Candidates looked at for one alert, so that its cost stays flat in a storm.
const CANDIDATES_MAX: usize = 32;
/// Incidents below one dependency that are looked at.
const NEIGHBOURS_MAX: usize = 256;
/// What one alert of the same place is worth at most, and how many of an incident count.
const SCOPE: i64 = 400;
const SCOPE_REASONS_MAX: usize = 4;
/// A place with more incidents at once than this says nothing.
const SCOPE_INCIDENTS_MAX: usize = 16;
/// What ties an aggregate to what it speaks about.
const AGGREGATE: i64 = 500;
/// Reasons of one kind that count; more say nothing new.
const REASONS_MAX: usize = 8;
/// Alerts of one incident on one item that are looked at, the youngest.
const ALERTS_MAX: usize = 16;
/// What is left of the voice of an alert that is only loosely part of its incident.
const LOOSE_VOICE: i64 = 300;
/// Surprise from which an alert counts in full, and the least that is left of one that fires all the time.
const SURPRISE_FULL: i64 = 2 * ONE;
const SURPRISE_LEAST: i64 = 250;

/// One reason: what it is worth at the same moment, and how close in time it is.
#[derive(Clone, Copy, Debug)]
struct Reason {
    strength: i64,
    close: i64,
}

impl Reason {
    /// It holds for as long as what it is about.
    const fn standing(strength: i64) -> Self {
        Self { strength, close: ONE }
    }

    fn worth(self) -> i64 {
        fixed::mul(self.strength, self.close)
    }

    /// The same reason with only a share of its strength.
    fn scaled(self, share: i64) -> Self {
        Self { strength: fixed::mul(self.strength, share), ..self }
    }
}

/// Why an alert belongs to an incident.
#[derive(Clone, Debug)]
pub struct Link {
    reasons: Vec<Reason>,
    pub why: String,
    /// Strong enough in kind to make one incident of two.
    pub bridges: bool,
}

impl Link {
    /// Reasons add up, but what happened two minutes ago stays two minutes ago however many alerts it raised: the time
    /// to the nearest of them counts once.
    pub fn strength(&self) -> i64 {
        let nearest = self.reasons.iter().map(|reason| reason.close).max().unwrap_or(0).max(1);
        let each = self.reasons.iter().map(|reason| reason.strength * reason.close / nearest);
        fixed::mul(fixed::noisy_or(each), nearest)
    }
}

pub type Links = BTreeMap<IncidentId, Link>;

/// Every incident that the alert might be part of.
pub fn links(state: &State, now: Timestamp, alert: &Alert) -> Links {
    let mut links = Links::new();
    let Some(item) = &alert.configuration_item else {
        aggregated(state, now, alert, &mut links);
        return links;
    };
    // One that the graph does not have, and no incident either, is near nothing.
    if let Some(item) = state.topology.id(item) {
        let above = state.topology.above(item, state.policy().correlation.hops_max);
        same_item(state, now, item, alert, &mut links);
        nearby(state, item, &above, alert, &mut links);
        gone_above(state, item, &above, &mut links);
        downstream(state, now, item, alert, &mut links);
        siblings(state, now, item, &mut links);
    }
    same_scope(state, alert, &mut links);
    aggregates_of(state, alert, &mut links);
    links
}

fn add(links: &mut Links, id: &IncidentId, reason: Reason, bridges: bool, why: impl FnOnce() -> String) {
    if reason.worth() <= 0 || links.len() >= CANDIDATES_MAX && !links.contains_key(id) {
        return;
    }
    match links.get_mut(id) {
        Some(link) => {
            link.bridges |= bridges;
            if link.reasons.len() < REASONS_MAX {
                link.reasons.push(reason);
            }
        }
        None => drop(links.insert(*id, Link { reasons: vec![reason], why: why(), bridges })),
    }
}

/// Whether an incident can take alerts in: active, or resolved so recently that nobody was told.
fn is_joinable(state: &State, id: &IncidentId) -> bool {
    state.incident(id).is_some_and(|incident| {
        incident.state.is_active() || incident.state == IncidentState::Resolved && incident.notifying.flush_at.is_some()
    })
}

/// The youngest alerts of an incident on one item.
fn alerts_on<'a>(state: &'a State, id: &IncidentId, item: ItemId) -> impl Iterator<Item = &'a Alert> {
    let numbers = state.groups.members(id).and_then(|members| members.on(item));
    let numbers = numbers.into_iter().flat_map(|numbers| numbers.iter().rev().take(ALERTS_MAX));
    numbers.filter_map(|number| state.alert(*number))
}

/// How strongly the alerts of an incident on that item speak for this one, thousandths: the closer in time, and the less
/// they fire anyway. Nothing where there is none.
fn closest(state: &State, id: &IncidentId, item: ItemId, alert: &Alert) -> Reason {
    let others = alerts_on(state, id, item).filter(|other| other.number != alert.number);
    let ties = others.map(|other| tie(state, alert, other));
    ties.max_by_key(|tie| tie.worth()).unwrap_or(Reason::standing(0))
}

/// What one alert says for another, by time alone.
fn tie(state: &State, alert: &Alert, other: &Alert) -> Reason {
    let distance = (other.onset().as_millis() - alert.onset().as_millis()).abs();
    let strength = if other.flap.is_flapping { 0 } else { voice(state, other) };
    Reason { strength, close: fixed::decay(distance, TAU_MS) }
}

/// What fires all the time says little, whatever it is close to.
pub(super) fn weight(state: &State, alert: &Alert) -> i64 {
    if state.history.is_young(alert.fired_at) {
        return ONE;
    }
    (alert.surprise * ONE / SURPRISE_FULL).clamp(SURPRISE_LEAST, ONE)
}

/// What an alert of an incident may say for others: less when it fires all the time, and little when it is only
/// loosely part of the incident itself, or one straggler after the other would make an incident endless.
fn voice(state: &State, alert: &Alert) -> i64 {
    let weight = weight(state, alert);
    if alert.is_loose() { fixed::mul(weight, LOOSE_VOICE) } else { weight }
}

/// Whether it takes what depends on it with it.
fn is_fatal(severity: Severity) -> bool {
    severity.is_at_least(Severity::Major)
}

/// Whether the incident has an item that is gone, as far as monitors can tell.
pub(super) fn is_gone(state: &State, id: &IncidentId, item: ItemId) -> bool {
    let mut firing = alerts_on(state, id, item).filter(|alert| alert.is_firing() && is_fatal(alert.severity));
    firing.any(|alert| state.classes.of(&alert.name) == Class::Down)
}

fn same_item(state: &State, now: Timestamp, item: ItemId, alert: &Alert, links: &mut Links) {
    let window = state.policy().correlation.window;
    for id in state.groups.on(item).filter(|id| is_joinable(state, id)) {
        let close = closest(state, id, item, alert);
        // Two incidents about one item at the same time help nobody, but what fails again long after is another fault.
        let fires_lately = |other: &&Alert| other.is_firing() && now.since(other.fired_at) <= window;
        let recent = alerts_on(state, id, item).filter(fires_lately).filter(|other| other.number != alert.number);
        let weightiest = recent.map(|other| voice(state, other)).max().unwrap_or(0);
        let weightiest = if is_gone(state, id, item) { ONE } else { weightiest };
        let standing = Reason::standing(fixed::mul(SAME_ITEM, weightiest));
        let reason = if close.worth() > standing.worth() { close } else { standing };
        let (item, source) = (state.topology.name(item), &alert.source);
        add(links, id, reason.scaled(weight(state, alert).max(SAME_ITEM)), false, || {
            format!("{item} is already part of it ({source} adds its view)")
        });
    }
}

/// Items a few steps away, in either direction and by a common neighbour.
fn nearby(state: &State, item: ItemId, above: &[(ItemId, u8)], alert: &Alert, links: &mut Links) {
    let (topology, hops_max) = (&state.topology, state.policy().correlation.hops_max);
    let weight = weight(state, alert);
    for near in topology.around(item, hops_max, above, |near| state.groups.is_hit(near)) {
        for id in state.groups.on(near.item).filter(|id| is_joinable(state, id)) {
            let share = fixed::mul(fixed::mul(NEAR, near.nearness), weight);
            add(links, id, closest(state, id, near.item, alert).scaled(share), near.kinship != Kinship::Caller, || {
                near.text(topology.name(item), topology.name(near.item))
            });
        }
    }
}

/// Alerts of the same place, whatever the topology knows.
fn same_scope(state: &State, alert: &Alert, links: &mut Links) {
    let Some(scope) = state.groups.scope(alert) else { return };
    // The youngest; a day's worth of those that are over is among them.
    let known = state.groups.in_scope(&scope).into_iter().flat_map(|ids| ids.iter().rev().take(NEIGHBOURS_MAX));
    let ids: Vec<&IncidentId> = known.filter(|id| is_joinable(state, id)).take(SCOPE_INCIDENTS_MAX + 1).collect();
    if ids.len() > SCOPE_INCIDENTS_MAX {
        return;
    }
    let weight = weight(state, alert);
    for id in ids {
        let youngest = state.groups.members(id).into_iter().flat_map(|members| members.alerts.iter().rev());
        let others = youngest.take(ALERTS_MAX).filter_map(|number| state.alert(*number));
        let mut close: Vec<Reason> = others
            .filter(|other| other.number != alert.number && state.groups.is_in_scope(other, &scope))
            .map(|other| tie(state, alert, other))
            .collect();
        close.sort_by_key(|tie| std::cmp::Reverse(tie.worth()));
        for close in close.into_iter().take(SCOPE_REASONS_MAX) {
            add(links, id, close.scaled(fixed::mul(SCOPE, weight)), false, || format!("both belong to {scope}"));
        }
    }
}

/// Something that it depends on is gone, and explains it for as long as it is.
fn gone_above(state: &State, item: ItemId, above: &[(ItemId, u8)], links: &mut Links) {
    for (ancestor, hops) in above {
        for id in state.groups.on(*ancestor).filter(|id| is_joinable(state, id)) {
            if is_gone(state, id, *ancestor) {
                add(links, id, Reason::standing(BY_HOPS[usize::from(*hops).min(3)]), true, || {
                    let (item, ancestor) = (state.topology.name(item), state.topology.name(*ancestor));
                    let plural = plural((*hops).into());
                    format!("{item} depends on {ancestor} ({hops} hop{plural}), which fails too")
                });
            }
        }
    }
}

/// A dependency that fails after what depends on it: monitors look at it less often.
fn downstream(state: &State, now: Timestamp, item: ItemId, alert: &Alert, links: &mut Links) {
    if !is_fatal(alert.severity) || state.classes.of(&alert.name) != Class::Down {
        return;
    }
    for (id, count) in state.groups.below(item) {
        let Some(incident) = state.incident(id).filter(|_| is_joinable(state, id)) else { continue };
        if now.since(incident.opened_at) <= PARENT_LATE_MAX {
            add(links, id, Reason::standing(BY_HOPS[1]), true, || {
                format!(
                    "{count} item{} that depend{} on {} failed shortly before",
                    plural((*count).into()),
                    if *count == 1 { "s" } else { "" },
                    state.topology.name(item)
                )
            });
        }
    }
}

fn is_down(state: &State, item: ItemId) -> bool {
    let mut on = state.groups.on(item).filter(|id| is_joinable(state, id));
    on.any(|id| alerts_on(state, id, item).any(|alert| alert.is_firing() && is_fatal(alert.severity)))
}

/// Three or more items below one silent dependency that fail together. A dependency that is known to be down
/// needs no such guess: `upstream` has said so.
fn siblings(state: &State, now: Timestamp, item: ItemId, links: &mut Links) {
    let parents = state.topology.dependencies_of(item).iter().copied();
    for parent in parents.filter(|parent| !is_down(state, *parent)) {
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
            add(links, id, Reason::standing(together), true, || {
                let (item, parent) = (state.topology.name(item), state.topology.name(parent));
                format!("{item} and others that depend on {parent} fail together")
            });
        }
    }
}

/// How strongly the items of one incident that depend on `parent` speak for a common fault now, each with
/// `strength` and less with time. The alerts that came last are looked at, until they say enough.
fn failing_now(state: &State, now: Timestamp, id: &IncidentId, item: ItemId, parent: ItemId, strength: i64) -> i64 {
    let Some(members) = state.groups.members(id) else { return 0 };
    let newest = members.unsettled_on_items().take(CANDIDATES_MAX);
    let newest = newest.filter_map(|(number, on)| Some((state.alert(number)?, on)));
    let mut counted: Vec<ItemId> = Vec::new();
    let mut sum = 0;
    for (alert, on) in newest.filter(|(alert, _)| alert.is_firing()) {
        let strength = fixed::mul(strength, fixed::decay(now.since(alert.fired_at).as_millis(), SIBLING_TAU_MS));
        let sibling = on.filter(|other| *other != item && !counted.contains(other));
        let Some(sibling) = sibling.filter(|other| strength > 0 && state.topology.depends_on(*other, parent)) else {
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
fn hub_damped(state: &State, parent: ItemId) -> i64 {
    let degree = state.topology.dependant_count_of(parent) as i64;
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
fn aggregates_of(state: &State, alert: &Alert, links: &mut Links) {
    for aggregate in state.groups.aggregates().filter_map(|number| state.alert(*number)) {
        if aggregate.source == alert.source
            && is_scope_of(aggregate, alert)
            && let Some(id) = aggregate.incident.as_ref().filter(|id| is_joinable(state, id))
        {
            add(links, id, Reason::standing(AGGREGATE), true, || format!("{} speaks about it", aggregate.name));
        }
    }
}

/// A new aggregate over alerts that fire already: it joins the one incident that holds most of them, and
/// never makes one of two.
fn aggregated(state: &State, now: Timestamp, aggregate: &Alert, links: &mut Links) {
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
        add(links, &id, Reason::standing(AGGREGATE), false, || format!("it sums up {count} of the alerts in it"));
    }
}

fn plural(count: i64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
