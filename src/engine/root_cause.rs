//! Which item is to blame, how sure that is, and why, in one sentence. The weighing itself is `rank`; here is what
//! is weighed and what people read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::model::alert::AlertNumber;
use crate::model::event::Marker;
use crate::model::incident::{Candidate, RootCause};
use crate::model::timeline::TimelineKind;
use crate::model::{Alert, IncidentId, Severity, Timestamp};

use crate::mutant::{self, Mutant};

use super::fixed::ONE;
use super::groups::{Members, ORDERED};
use super::history::{History, Seen};
use super::items::ItemId;
use super::rank::{self, Ranking, Suspect, Symptom, term};
use super::small::SmallSet;
use super::state::State;
use super::symptom::Class;
use super::topology::ItemName;
use super::{suspect, timeline};

/// Candidates kept for people to look at.
const CANDIDATES_SHOWN: usize = 5;
/// Alerts of the cause that are named.
const ALERTS_NAMED_MAX: usize = 10;
/// Items ranked at most. Of more those that failed first are looked at, and what these depend on: the top of the
/// tree is among them.
const ITEMS_RANKED_MAX: usize = ORDERED;
/// Alerts of one incident that history learns from.
const ALERTS_LEARNED_MAX: usize = 512;

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
    let symptoms = symptoms(state, id);
    let cause = if symptoms.is_empty() { without_items(state, id) } else { among_items(state, id, &symptoms) };
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

/// What a severity adds to the surprise: without any history it is all there is.
const fn severity_bits(severity: Severity) -> i64 {
    match severity {
        Severity::Critical => 600,
        Severity::Major => 500,
        Severity::Minor => 300,
        Severity::Warning => 200,
        Severity::Info => 0,
    }
}

/// An alert as evidence.
pub(super) fn symptom(alert: &Alert) -> Option<Symptom> {
    let item = alert.configuration_item.clone()?;
    let bits = alert.surprise + severity_bits(alert.severity);
    // That the monitor cannot see it says little about the item.
    let bits = if alert.marker == Some(Marker::Unreachable) { bits / 5 } else { bits };
    let name = Arc::clone(&alert.name);
    Some(Symptom { item, class: Class::of(&name), name, bits, first_at: alert.fired_at })
}

/// The items of an incident that are worth ranking, in the order of their names.
fn ranked_items(state: &State, members: &Members) -> Vec<ItemId> {
    if members.item_count() <= ITEMS_RANKED_MAX {
        return members.first_items().to_vec();
    }
    let hops_max = state.policy().correlation.hops_max;
    let earliest = members.alerts.iter().take(ITEMS_RANKED_MAX).filter_map(|number| state.alert(*number));
    let mut items = BTreeSet::new();
    for item in earliest.filter_map(|alert| state.topology.id(alert.configuration_item.as_deref()?)) {
        if members.on(item).is_some() && items.insert(item) {
            let above = state.topology.above(item, hops_max);
            items.extend(above.into_iter().map(|(above, _)| above).filter(|above| members.on(*above).is_some()));
        }
    }
    let mut items: Vec<ItemId> = items.into_iter().collect();
    state.topology.sort(&mut items);
    items
}

fn symptoms(state: &State, id: &IncidentId) -> Vec<Symptom> {
    let Some(members) = state.groups.members(id) else { return Vec::new() };
    let reopened_at = state.incident(id).and_then(|incident| incident.reopened_at);
    let is_present = |alert: &&Alert| alert.is_unsettled() || reopened_at.is_none_or(|at| alert.fired_at >= at);
    let items = ranked_items(state, members).into_iter();
    let numbers = items.filter_map(|item| members.on(item)).flat_map(SmallSet::iter);
    numbers.filter_map(|number| state.alert(*number)).filter(is_present).filter_map(symptom).collect()
}

fn among_items(state: &State, id: &IncidentId, symptoms: &[Symptom]) -> Option<RootCause> {
    // Of a storm not all were looked at, and the index knows how many there are.
    let is_sample = state.incident(id).is_some_and(|all| all.configuration_item_count as usize > ITEMS_RANKED_MAX);
    let failing = |item: &ItemName, counted: usize| match is_sample {
        true => {
            let below = state.topology.id(item).map_or(0, |item| state.groups.count_below(item, id));
            counted.max(below as usize)
        }
        false => counted,
    };
    let on = |item: &str| alerts_on(state, id, item).collect();
    let started_at = state.incident(id).map(|incident| incident.started_at);
    judge(state, symptoms, started_at, failing, on)
}

/// The cause of these alerts, as if they were an incident: what the ranking makes of them at this moment.
pub fn of(state: &State, now: Timestamp, alerts: &[Alert]) -> Option<RootCause> {
    let symptoms: Vec<Symptom> = alerts
        .iter()
        .filter_map(|alert| symptom(&Alert { surprise: state.history.surprise(now, seen(alert)), ..alert.clone() }))
        .collect();
    let on = |item: &str| {
        let on_it = alerts.iter().filter(|alert| alert.configuration_item.as_deref() == Some(item));
        on_it.take(ALERTS_NAMED_MAX).collect()
    };
    judge(state, &symptoms, None, |_, counted| counted, on)
}

/// Weighs the symptoms of what began then; `on` finds the first few alerts on an item.
fn judge<'a>(
    state: &State,
    symptoms: &[Symptom],
    started_at: Option<Timestamp>,
    failing: impl Fn(&ItemName, usize) -> usize,
    on: impl Fn(&str) -> Vec<&'a Alert>,
) -> Option<RootCause> {
    let mut ranking = rank::rank(&state.topology, state.policy().correlation.hops_max, symptoms, failing);
    ranking.add(term::CHANGED, |one| suspect::score(state, &one.item, one.first_at, one.score));
    let best = ranking.suspects.first()?;
    let alerts = on(&best.item);
    let started_at = started_at.map_or(best.first_at, |at| at.min(best.first_at));
    let shares = rank::shares(&ranking.suspects.iter().map(|suspect| suspect.score).collect::<Vec<_>>());
    Some(RootCause {
        configuration_item: best.item.to_string(),
        alerts: alerts.iter().map(|alert| alert.id()).collect(),
        why: sentence(&ranking, symptoms, &alerts),
        confidence_percent: (shares[0] * 100 / ONE).clamp(5, 95) as u8,
        confirmed_by: None,
        candidates: ranking.suspects.iter().take(CANDIDATES_SHOWN).map(candidate).collect(),
        suspect_changes: suspect::suspects(state, &best.item, started_at),
    })
}

fn candidate(suspect: &Suspect) -> Candidate {
    Candidate {
        configuration_item: suspect.item.to_string(),
        score: suspect.score,
        terms: suspect.terms.iter().map(|(name, bits)| (Cow::Borrowed(*name), *bits)).collect(),
    }
}

/// How much of the engine's own verdict counts as an excuse: less than all, or a wrong verdict would keep what it
/// rests on rare, and so repeat itself for ever.
const UNCONFIRMED: i64 = 700;

/// How sure it is that an item was the cause of an incident, thousandths.
fn blame(cause: &RootCause, item: &str) -> i64 {
    match (&cause.confirmed_by, cause.configuration_item == item) {
        (Some(_), is_it) => i64::from(is_it != mutant::is(Mutant::LearnedOfAnotherItem)) * ONE,
        (None, true) => i64::from(cause.confidence_percent) * UNCONFIRMED / 100,
        (None, false) => 0,
    }
}

/// History learns from an incident that is over.
pub fn learn(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some((incident, members)) = state.incident(id).zip(state.groups.members(id)) else { return };
    let numbers: Vec<AlertNumber> = members.alerts.iter().copied().take(ALERTS_LEARNED_MAX).collect();
    let cause = incident.root_cause.clone();
    for number in numbers {
        if let Some(alert) = state.alerts.get(number) {
            learn_of(&mut state.history, now, alert, cause.as_ref());
        }
    }
}

/// The same from alerts that are in no incident, with what they were put down to.
pub fn learn_from(state: &mut State, now: Timestamp, alerts: &[Alert], cause: Option<&RootCause>) {
    alerts.iter().take(ALERTS_LEARNED_MAX).for_each(|alert| learn_of(&mut state.history, now, alert, cause));
}

fn learn_of(history: &mut History, now: Timestamp, alert: &Alert, cause: Option<&RootCause>) {
    let blame = cause.zip(alert.configuration_item.as_deref()).map_or(0, |(cause, item)| blame(cause, item));
    history.learn(now, seen(alert), blame);
}

/// History learns of an alert that is over.
pub fn learn_alert(state: &mut State, now: Timestamp, number: AlertNumber, blame: i64) {
    if let Some(alert) = state.alerts.get(number) {
        state.history.learn(now, seen(alert), blame);
    }
}

pub(super) fn seen(alert: &Alert) -> Seen<'_> {
    Seen { item: alert.configuration_item.as_deref(), name: &alert.name }
}

/// The first few of an incident.
fn alerts_on<'a>(state: &'a State, id: &IncidentId, item: &str) -> impl Iterator<Item = &'a Alert> {
    let numbers = state.alerts_on(id, item);
    numbers.into_iter().flat_map(SmallSet::iter).filter_map(|number| state.alert(*number)).take(ALERTS_NAMED_MAX)
}

/// Why the first of the ranking is to blame; `alerts` are some of those on it.
fn sentence(ranking: &Ranking, symptoms: &[Symptom], alerts: &[&Alert]) -> String {
    let Some(best) = ranking.suspects.first() else { return String::new() };
    let item = &best.item;
    let behind = ranking.behind.get(item).into_iter().flat_map(BTreeMap::keys);
    let affected: Vec<&str> = behind.filter(|other| *other != item).map(|other| &**other).collect();
    if !best.instances.is_empty() {
        let names: Vec<&str> = best.instances.iter().map(|other| &**other).collect();
        return format!("{} fail alike, and {item} is what they have in common", list(&names));
    }
    if best.is_silent {
        return format!(
            "{} fail together, and all of them depend on {item}, which sends no alerts of its own",
            list(&affected)
        );
    }
    let mut seen_by: Vec<&str> = alerts.iter().map(|alert| &*alert.source).collect();
    seen_by.sort_unstable();
    seen_by.dedup();
    let seen_by = list(&seen_by);
    let others = symptoms.iter().map(|symptom| &symptom.item).collect::<BTreeSet<_>>().len() - 1;
    if others == 0 {
        return format!("it is the only item that fails (seen by {seen_by})");
    }
    if affected.is_empty() {
        return format!(
            "its alerts are the worst and rarest of {} items (first at {}, seen by {seen_by})",
            others + 1,
            best.first_at.clock_text()
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
        suspect_changes: Vec::new(),
    })
}
