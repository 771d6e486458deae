//! Which item is to blame, how sure that is, and why, in one sentence.
//!
//! A candidate is every item with an alert, and every silent item on which several of them depend. Its
//! score: how bad and how rare its own alerts are, less what its own dependencies explain, plus the
//! share of the incident that depends on it, plus a little for having been first.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::AlertNumber;
use crate::model::incident::{Candidate, RootCause};
use crate::model::timeline::TimelineKind;
use crate::model::{Alert, IncidentId, Severity, Timestamp};

use super::fixed::{self, ONE};
use super::groups::Members;
use super::small::SmallSet;
use super::state::State;
use super::timeline;
use super::topology::ItemName;

/// Candidates kept for people to look at.
const CANDIDATES_SHOWN: usize = 5;
/// Items ranked at most. Of more those that failed first are looked at, and what these depend on: the top of the
/// tree is among them.
const ITEMS_RANKED_MAX: usize = 512;
const COVERAGE_WEIGHT: i64 = 400;
const ORDER_WEIGHT: i64 = 50;
const EXPLAINED_WEIGHT: i64 = 500;
/// What an item without alerts of its own is worth, relative to those that depend on it.
const SILENT_WEIGHT: i64 = 600;

/// Names of terms that more than one place adds.
const OWN_ALERTS: &str = "own alerts";
const FIRST: &str = "first";

/// How often each alert family has fired, fading with a half-life; the rare one says most.
#[derive(Clone, Debug, Default)]
pub struct Families {
    counts: BTreeMap<String, (i64, Timestamp)>,
    total: i64,
}

const HALF_LIFE_MS: i64 = 14 * 86_400_000;

impl Families {
    pub(super) fn restore(&mut self, family: &str, (count, at): (i64, Timestamp)) {
        self.total += count;
        self.counts.insert(family.to_owned(), (count, at));
    }

    /// One more firing of `family`; counts are thousandths.
    pub(super) fn count(&mut self, family: &str, now: Timestamp) {
        let entry = self.counts.entry(family.to_owned()).or_insert((0, now));
        let halvings = now.since(entry.1).as_millis() / HALF_LIFE_MS;
        if halvings > 0 {
            let faded = entry.0 >> halvings.min(40);
            self.total -= entry.0 - faded;
            *entry = (faded, now);
        }
        entry.0 += ONE;
        self.total += ONE;
    }

    pub(super) fn remember(&self, family: &str) -> Option<(String, serde_json::Value)> {
        Some((family.to_owned(), serde_json::to_value(self.counts.get(family)?).ok()?))
    }

    /// `−log2((c + ½) / (W + 1))` in thousandths of a bit.
    pub fn surprise(&self, family: &str) -> i64 {
        let count = self.counts.get(family).map_or(0, |(count, _)| *count);
        fixed::log2((self.total + ONE) * ONE / (count + ONE / 2).max(1)).max(0)
    }
}

/// What the alerts of one item amount to.
struct Evidence {
    /// Strength, thousandths.
    strength: i64,
    first_at: Timestamp,
}

/// Ranks the candidates again when enough has changed since the last time.
pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id) else { return };
    if incident.root_cause.as_ref().is_some_and(|cause| cause.confirmed_by.is_some()) {
        return;
    }
    // Ranking again for each alert of a storm would cost the square of its size.
    let is_due =
        incident.root_cause.is_none() || incident.alert_count > incident.ranked_alerts + incident.ranked_alerts / 8;
    if !is_due || incident.firing_count == 0 {
        return;
    }
    rank(state, now, id);
}

/// Ranks unconditionally.
pub fn rank(state: &mut State, now: Timestamp, id: &IncidentId) {
    let evidence = gather(state, id);
    let cause = if evidence.is_empty() { without_items(state, id) } else { among_items(state, id, &evidence) };
    let Some(incident) = state.incident(id) else { return };
    let before = incident.root_cause.as_ref().map(|cause| &cause.configuration_item);
    let count = incident.alert_count;
    let Some(cause) = cause else { return };
    let news = (before != Some(&cause.configuration_item)).then(|| {
        format!("root cause is {}: {} (confidence {} %)", cause.configuration_item, cause.why, cause.confidence_percent)
    });
    if let Some(incident) = state.incident_mut(id) {
        incident.root_cause = Some(cause);
        incident.ranked_alerts = count;
    }
    super::lifecycle::retitle(state, id);
    if let Some(text) = news {
        timeline::incident(state, now, id, TimelineKind::RootCause, "root_cause", text);
    }
}

const fn severity_weight(severity: Severity) -> i64 {
    match severity {
        Severity::Critical => 1_000,
        Severity::Major => 800,
        Severity::Minor => 500,
        Severity::Warning => 400,
        Severity::Info => 100,
    }
}

/// The items of an incident that are worth ranking, with their alerts.
fn ranked_items<'a>(state: &'a State, members: &'a Members) -> BTreeMap<&'a ItemName, &'a SmallSet<AlertNumber>> {
    if members.items.len() <= ITEMS_RANKED_MAX {
        return members.items.iter().collect();
    }
    let hops_max = state.policy().correlation.hops_max;
    let earliest = members.alerts.iter().take(ITEMS_RANKED_MAX).filter_map(|number| state.alert(*number));
    let mut items = BTreeMap::new();
    for item in earliest.filter_map(|alert| alert.configuration_item.as_ref()) {
        if let Some((item, numbers)) = members.items.get_key_value(&**item)
            && items.insert(item, numbers).is_none()
        {
            let above = state.topology.upstream(item, hops_max);
            items.extend(above.iter().filter_map(|(above, _)| members.items.get_key_value(&**above)));
        }
    }
    items
}

fn gather(state: &State, id: &IncidentId) -> BTreeMap<ItemName, Evidence> {
    let Some(members) = state.groups.members(id) else { return BTreeMap::new() };
    let reopened_at = state.incident(id).and_then(|incident| incident.reopened_at);
    let is_present = |alert: &&Alert| alert.is_unsettled() || reopened_at.is_none_or(|at| alert.fired_at >= at);
    let mut all = BTreeMap::new();
    for (item, numbers) in ranked_items(state, members) {
        let mut found: Option<Evidence> = None;
        for alert in numbers.iter().filter_map(|number| state.alert(*number)).filter(is_present) {
            // Ten bits of surprise (one in a thousand) count in full.
            let rarity = 600 + alert.surprise.min(10 * ONE) * 400 / (10 * ONE);
            let mut strength = fixed::mul(severity_weight(alert.severity), rarity);
            if alert.marker == Some(crate::model::event::Marker::Unreachable) {
                strength /= 5; // It only says that the monitor cannot see it.
            }
            let entry = found.get_or_insert(Evidence { strength: 0, first_at: alert.fired_at });
            entry.strength = entry.strength.max(strength);
            entry.first_at = entry.first_at.min(alert.fired_at);
        }
        if let Some(evidence) = found {
            all.insert(item.clone(), evidence);
        }
    }
    all
}

fn among_items(state: &State, id: &IncidentId, evidence: &BTreeMap<ItemName, Evidence>) -> Option<RootCause> {
    let (first, own) = evidence.first_key_value()?;
    if evidence.len() == 1 && !state.topology.has_dependencies(first) {
        // Most incidents: nothing else to blame, so nothing to weigh.
        let best = candidate(first, &[(OWN_ALERTS, own.strength), (FIRST, ORDER_WEIGHT)]);
        let dependants = BTreeSet::new();
        return Some(blame(state, id, best, None, &dependants, evidence, Vec::new()));
    }
    let hops_max = state.policy().correlation.hops_max;
    let mut below: BTreeMap<ItemName, BTreeSet<ItemName>> = BTreeMap::new();
    let mut strengths: BTreeMap<ItemName, i64> =
        evidence.iter().map(|(item, evidence)| (item.clone(), evidence.strength)).collect();
    for item in evidence.keys() {
        for (ancestor, _) in state.topology.upstream(item, hops_max) {
            below.entry(ancestor).or_default().insert(item.clone());
        }
    }
    for (item, dependants) in &below {
        if !evidence.contains_key(item) && dependants.len() >= 2 {
            strengths.insert(item.clone(), silent_strength(state, id, item, dependants, evidence));
        }
    }
    let earliest = evidence.values().map(|evidence| evidence.first_at).min()?;
    let others = (evidence.len() as i64 - 1).max(1);
    let mut candidates: Vec<(Candidate, Timestamp)> = Vec::new();
    for (item, own) in &strengths {
        let explained_by = state
            .topology
            .upstream(item, hops_max)
            .iter()
            .filter_map(|(ancestor, _)| strengths.get(ancestor))
            .max()
            .map_or(0, |strength| (*strength * ONE / (*own).max(1)).min(ONE));
        let explained = -fixed::mul(*own, fixed::mul(EXPLAINED_WEIGHT, explained_by));
        let covered = below.get(item).map_or(0, |items| items.iter().filter(|other| *other != item).count() as i64);
        let is_silent = !evidence.contains_key(item);
        let others = if is_silent { evidence.len() as i64 } else { others };
        let coverage = COVERAGE_WEIGHT * covered.min(others) / others;
        let first_at = evidence.get(item).map_or(earliest, |evidence| evidence.first_at);
        let order = if !is_silent && first_at == earliest { ORDER_WEIGHT } else { 0 };
        let name = if is_silent { "silent" } else { OWN_ALERTS };
        let terms =
            [(name, *own), ("explained by its dependencies", explained), ("coverage", coverage), (FIRST, order)];
        candidates.push((candidate(item, &terms), first_at));
    }
    candidates.sort_by(|(a, a_at), (b, b_at)| {
        (-a.score, *a_at, &a.configuration_item).cmp(&(-b.score, *b_at, &b.configuration_item))
    });
    let mut candidates = candidates.into_iter().map(|(candidate, _)| candidate);
    let best = candidates.next()?;
    let others: Vec<Candidate> = candidates.take(CANDIDATES_SHOWN - 1).collect();
    let dependants = below.get(best.configuration_item.as_str()).cloned().unwrap_or_default();
    let runner_up = others.first().map(|other| other.score.max(0));
    Some(blame(state, id, best, runner_up, &dependants, evidence, others))
}

fn candidate(item: &str, terms: &[(&'static str, i64)]) -> Candidate {
    Candidate {
        configuration_item: item.to_owned(),
        score: terms.iter().map(|(_, value)| value).sum(),
        terms: terms
            .iter()
            .filter(|(_, value)| *value != 0)
            .map(|(name, value)| (Cow::Borrowed(*name), *value))
            .collect(),
    }
}

/// The verdict on `best`, before which the `others` stand back.
fn blame(
    state: &State,
    id: &IncidentId,
    best: Candidate,
    runner_up: Option<i64>,
    dependants: &BTreeSet<ItemName>,
    evidence: &BTreeMap<ItemName, Evidence>,
    others: Vec<Candidate>,
) -> RootCause {
    RootCause {
        alerts: alerts_on(state, id, &best.configuration_item).map(Alert::id).collect(),
        why: sentence(state, id, &best, dependants, evidence),
        confidence_percent: confidence(best.score, runner_up),
        confirmed_by: None,
        configuration_item: best.configuration_item.clone(),
        candidates: [best].into_iter().chain(others).collect(),
    }
}

/// The unmonitored switch: as strong as those behind it, the more of all behind it fail.
fn silent_strength(
    state: &State,
    id: &IncidentId,
    item: &str,
    dependants: &BTreeSet<ItemName>,
    evidence: &BTreeMap<ItemName, Evidence>,
) -> i64 {
    let sum: i64 = dependants.iter().filter_map(|item| evidence.get(item)).map(|evidence| evidence.strength).sum();
    let mean = sum / (dependants.len() as i64).max(1);
    let direct = state.topology.dependant_count(item).max(1) as i64;
    let failing = dependants.iter().filter(|dependant| state.topology.depends_on(dependant, item)).count() as i64;
    // Where not all were looked at, the index knows how many there are.
    let is_sample = state.incident(id).is_some_and(|all| all.configuration_item_count as usize > ITEMS_RANKED_MAX);
    let failing = if is_sample { failing.max(state.groups.count_below(item, id).into()) } else { failing };
    let share = (failing * ONE / direct).min(ONE);
    fixed::mul(fixed::mul(mean, SILENT_WEIGHT), share)
}

fn confidence(best: i64, runner_up: Option<i64>) -> u8 {
    let Some(second) = runner_up else { return 90 };
    let margin = (best - second).max(0) * 100 / best.max(1);
    (40 + margin).clamp(5, 95) as u8
}

/// The first few.
fn alerts_on<'a>(state: &'a State, id: &IncidentId, item: &str) -> impl Iterator<Item = &'a Alert> {
    let numbers = state.groups.members(id).and_then(|members| members.items.get(item));
    numbers.into_iter().flat_map(SmallSet::iter).filter_map(|number| state.alert(*number)).take(10)
}

fn sentence(
    state: &State,
    id: &IncidentId,
    best: &Candidate,
    dependants: &BTreeSet<ItemName>,
    evidence: &BTreeMap<ItemName, Evidence>,
) -> String {
    let item = &best.configuration_item;
    let affected: Vec<&str> = dependants.iter().filter(|d| &***d != item.as_str()).map(|d| &**d).collect();
    let Some(own) = evidence.get(item.as_str()) else {
        return format!(
            "{} fail together, and all of them depend on {item}, which sends no alerts of its own",
            list(&affected)
        );
    };
    let mut seen_by: Vec<&str> = alerts_on(state, id, item).map(|alert| &*alert.source).collect();
    seen_by.sort_unstable();
    seen_by.dedup();
    let seen_by = list(&seen_by);
    let others = evidence.len() - 1;
    if others == 0 {
        return format!("it is the only item that fails (seen by {seen_by})");
    }
    if affected.is_empty() {
        return format!(
            "its alerts are the worst and rarest of {} items (first at {}, seen by {seen_by})",
            others + 1,
            own.first_at.clock_text()
        );
    }
    let share = if affected.len() >= others { "all".to_owned() } else { format!("{} of the", affected.len()) };
    format!(
        "it fails (seen by {seen_by}), and {share} {others} other item{} that fail depend on it: {}",
        if others == 1 { "" } else { "s" },
        list(&affected)
    )
}

/// `a, b and c`, cut after five.
fn list(names: &[&str]) -> String {
    match names {
        [] => "nothing".to_owned(),
        [one] => (*one).to_owned(),
        _ if names.len() > 5 => format!("{} and {} more", names[..5].join(", "), names.len() - 5),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// Nothing but alerts without an item: the worst and rarest of them stands for the cause.
fn without_items(state: &State, id: &IncidentId) -> Option<RootCause> {
    let members = state.groups.members(id)?;
    let lead = members
        .alerts
        .iter()
        .filter_map(|number| state.alert(*number))
        .min_by_key(|alert| (alert.severity, -alert.surprise, alert.number))?;
    Some(RootCause {
        configuration_item: lead.name.to_string(),
        alerts: vec![lead.id()],
        why: format!("the alert from {} names no configuration item", lead.source),
        confidence_percent: 50,
        confirmed_by: None,
        candidates: Vec::new(),
    })
}
