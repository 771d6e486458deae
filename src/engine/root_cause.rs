//! Which item is to blame, how sure that is, and why, in one sentence. The weighing itself is `rank`; here is what
//! is weighed and what people read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::AlertNumber;
use crate::model::event::Marker;
use crate::model::incident::{Candidate, RootCause};
use crate::model::timeline::TimelineKind;
use crate::model::{Alert, Incident, IncidentId, Severity, Timestamp};

use super::fixed::ONE;
use super::groups::Members;
use super::history::Seen;
use super::rank::{self, Ranking, Suspect, Symptom, term};
use super::small::SmallSet;
use super::state::State;
use super::symptom::Class;
use super::topology::ItemName;
use super::{signature, suspect, timeline};

/// Candidates kept for people to look at.
const CANDIDATES_SHOWN: usize = 5;
/// Items ranked at most. Of more those that failed first are looked at, and what these depend on: the top of the
/// tree is among them.
const ITEMS_RANKED_MAX: usize = 512;
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
    Some(Symptom { item, class: Class::of(&alert.name), bits, first_at: alert.fired_at })
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

fn symptoms(state: &State, id: &IncidentId) -> Vec<Symptom> {
    let Some(members) = state.groups.members(id) else { return Vec::new() };
    let reopened_at = state.incident(id).and_then(|incident| incident.reopened_at);
    let is_present = |alert: &&Alert| alert.is_unsettled() || reopened_at.is_none_or(|at| alert.fired_at >= at);
    let numbers = ranked_items(state, members).into_values().flat_map(SmallSet::iter);
    numbers.filter_map(|number| state.alert(*number)).filter(is_present).filter_map(symptom).collect()
}

/// The ranking as it is without anything learned from confirmed causes.
pub(super) fn unlearned(state: &State, id: &IncidentId) -> Option<Ranking> {
    let symptoms = symptoms(state, id);
    (!symptoms.is_empty()).then(|| weigh(state, id, &symptoms))
}

fn weigh(state: &State, id: &IncidentId, symptoms: &[Symptom]) -> Ranking {
    // Of a storm not all were looked at, and the index knows how many there are.
    let is_sample = state.incident(id).is_some_and(|all| all.configuration_item_count as usize > ITEMS_RANKED_MAX);
    let failing = |item: &ItemName, counted: usize| match is_sample {
        true => counted.max(state.groups.count_below(item, id) as usize),
        false => counted,
    };
    let mut ranking = rank::rank(&state.topology, state.policy().correlation.hops_max, symptoms, failing);
    ranking.add(term::CHANGED, |one| suspect::score(state, &one.item, one.first_at, one.score));
    ranking
}

fn among_items(state: &State, id: &IncidentId, symptoms: &[Symptom]) -> Option<RootCause> {
    let mut ranking = weigh(state, id, symptoms);
    let learned = signature::add(state, id, &mut ranking);
    let best = ranking.suspects.first()?;
    let started_at = state.incident(id).map_or(best.first_at, |incident| incident.started_at.min(best.first_at));
    let shares = rank::shares(&ranking.suspects.iter().map(|suspect| suspect.score).collect::<Vec<_>>());
    Some(RootCause {
        configuration_item: best.item.to_string(),
        alerts: alerts_on(state, id, &best.item).map(Alert::id).collect(),
        why: [Some(sentence(state, id, &ranking, symptoms)), learned]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join("; "),
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

/// How sure it is that an item was the cause of an incident, thousandths.
fn blame(incident: &Incident, item: &str) -> i64 {
    let Some(cause) = incident.root_cause.as_ref() else { return 0 };
    match (&cause.confirmed_by, cause.configuration_item == item) {
        (Some(_), is_it) => i64::from(is_it) * ONE,
        (None, true) => i64::from(cause.confidence_percent) * ONE / 100,
        (None, false) => 0,
    }
}

/// History learns from an incident that is over.
pub fn learn(state: &mut State, now: Timestamp, id: &IncidentId) {
    for (number, blame) in blames(state, id) {
        learn_alert(state, now, number, blame);
    }
}

/// The alerts of an incident that history learns from, with how sure it is that their item was the cause.
pub fn blames(state: &State, id: &IncidentId) -> BTreeMap<AlertNumber, i64> {
    let Some((incident, members)) = state.incident(id).zip(state.groups.members(id)) else { return BTreeMap::new() };
    let blamed = |number| {
        let item = state.alert(number).and_then(|alert| alert.configuration_item.as_deref());
        (number, item.map_or(0, |item| blame(incident, item)))
    };
    members.alerts.iter().copied().take(ALERTS_LEARNED_MAX).map(blamed).collect()
}

/// Somebody has named the cause of an incident after history had learned from it with these blames.
pub fn amend(state: &mut State, id: &IncidentId, before: &BTreeMap<AlertNumber, i64>) {
    let now = blames(state, id);
    let mut kinds: BTreeSet<(Option<&str>, &str)> = BTreeSet::new();
    for (number, blame) in before {
        let Some(alert) = state.alerts.get(number) else { continue };
        let is_first = kinds.insert((alert.configuration_item.as_deref(), &alert.name));
        let less_blame = blame - now.get(number).copied().unwrap_or(0);
        state.history.amend(seen(alert), less_blame, is_first);
    }
}

/// History learns of an alert that is over.
pub fn learn_alert(state: &mut State, now: Timestamp, number: AlertNumber, blame: i64) {
    if let Some(alert) = state.alerts.get(&number) {
        state.history.learn(now, seen(alert), blame);
    }
}

pub(super) fn seen(alert: &Alert) -> Seen<'_> {
    Seen { alert: alert.fingerprint, item: alert.configuration_item.as_deref(), name: &alert.name }
}

/// The first few.
fn alerts_on<'a>(state: &'a State, id: &IncidentId, item: &str) -> impl Iterator<Item = &'a Alert> {
    let numbers = state.groups.members(id).and_then(|members| members.items.get(item));
    numbers.into_iter().flat_map(SmallSet::iter).filter_map(|number| state.alert(*number)).take(10)
}

fn sentence(state: &State, id: &IncidentId, ranking: &Ranking, symptoms: &[Symptom]) -> String {
    let Some(best) = ranking.suspects.first() else { return String::new() };
    let item = &best.item;
    let behind = ranking.behind.get(item).into_iter().flat_map(BTreeMap::keys);
    let affected: Vec<&str> = behind.filter(|other| *other != item).map(|other| &**other).collect();
    if best.is_silent {
        return format!(
            "{} fail together, and all of them depend on {item}, which sends no alerts of its own",
            list(&affected)
        );
    }
    let mut seen_by: Vec<&str> = alerts_on(state, id, item).map(|alert| &*alert.source).collect();
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
