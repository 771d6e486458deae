//! Which item is to blame, how sure that is, and why, in one sentence. The weighing itself is `rank`; here is what
//! is weighed and what people read.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::AlertNumber;
use crate::model::incident::{Candidate, RootCause};
use crate::model::timeline::TimelineKind;
use crate::model::{Alert, IncidentId, Timestamp};

use crate::mutant::{self, Mutant};

use super::fixed::ONE;
use super::history::Seen;
use super::rank::{self, Ranking, Suspect, Symptom, term};
use super::scene::Scene;
use super::state::State;
use super::topology::ItemName;
use super::{signature, suspect, timeline};

/// Candidates kept for people to look at.
const CANDIDATES_SHOWN: usize = 5;
/// Alerts of the cause that are named.
const ALERTS_NAMED_MAX: usize = 10;
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
    let cause = judge(state, Scene::Incident(id)).or_else(|| without_items(state, id));
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

/// The ranking as it is without anything learned from confirmed causes; nothing where nothing is on an item.
pub(super) fn unlearned(state: &State, scene: Scene) -> Option<(Vec<Symptom>, Ranking)> {
    let symptoms = scene.symptoms(state);
    let failing = |item: &ItemName, counted| scene.failing(state, item, counted);
    let mut ranking = rank::rank(&state.topology, state.policy().correlation.hops_max, &symptoms, failing);
    ranking.add(term::CHANGED, |one| suspect::score(state, &one.item, one.first_at, one.score));
    (!symptoms.is_empty()).then_some((symptoms, ranking))
}

/// The cause of these alerts, as if they were an incident: what the ranking makes of them at this moment.
pub fn of(state: &State, now: Timestamp, alerts: &[Alert]) -> Option<RootCause> {
    judge(state, Scene::Alerts(&surprising(state, now, alerts)))
}

/// With how much each of them says now.
fn surprising(state: &State, now: Timestamp, alerts: &[Alert]) -> Vec<Alert> {
    let surprise = |alert: &Alert| state.history.surprise(now, seen(alert));
    alerts.iter().map(|alert| Alert { surprise: surprise(alert), ..alert.clone() }).collect()
}

/// The cause among items, with all that was learned.
fn judge(state: &State, scene: Scene) -> Option<RootCause> {
    let (symptoms, mut ranking) = unlearned(state, scene)?;
    let learned = signature::add(state, scene, &mut ranking);
    let best = ranking.suspects.first()?;
    let alerts = scene.on(state, &best.item, ALERTS_NAMED_MAX);
    let started_at = scene.started_at(state).map_or(best.first_at, |at| at.min(best.first_at));
    let shares = rank::shares(&ranking.suspects.iter().map(|suspect| suspect.score).collect::<Vec<_>>());
    let why: Vec<String> = [Some(sentence(&ranking, &symptoms, &alerts)), learned].into_iter().flatten().collect();
    Some(RootCause {
        configuration_item: best.item.to_string(),
        alerts: alerts.iter().map(|alert| alert.id()).collect(),
        why: why.join("; "),
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
    for (number, blame) in blames(state, id) {
        learn_alert(state, now, number, blame);
    }
}

/// The alerts of an incident that history learns from, with how sure it is that their item was the cause.
pub fn blames(state: &State, id: &IncidentId) -> BTreeMap<AlertNumber, i64> {
    let Some((incident, members)) = state.incident(id).zip(state.groups.members(id)) else { return BTreeMap::new() };
    let blamed =
        |number| (number, state.alert(number).map_or(0, |alert| blame_of(incident.root_cause.as_ref(), alert)));
    members.alerts.iter().copied().take(ALERTS_LEARNED_MAX).map(blamed).collect()
}

/// Somebody has named the cause of an incident after history had learned from it with these blames.
pub fn amend(state: &mut State, id: &IncidentId, before: &BTreeMap<AlertNumber, i64>) {
    let now = blames(state, id);
    let mut kinds: BTreeSet<(Option<&str>, &str)> = BTreeSet::new();
    for (number, blame) in before {
        let Some(alert) = state.alerts.get(*number) else { continue };
        let less_blame = blame - now.get(number).copied().unwrap_or(0);
        // Several alerts of a kind on an item were counted once.
        if kinds.insert((alert.configuration_item.as_deref(), &alert.name)) {
            state.history.amend(seen(alert), less_blame);
        }
    }
}

/// The same from alerts that are in no incident, with what they were put down to. What a person confirmed is learned
/// as that of the incident `id`.
pub fn learn_from(state: &mut State, now: Timestamp, id: &IncidentId, alerts: &[Alert], cause: Option<&RootCause>) {
    if let Some((cause, by)) = cause.and_then(|cause| Some((cause, cause.confirmed_by.as_deref()?))) {
        let alerts = surprising(state, now, alerts);
        signature::learn(state, now, Scene::Alerts(&alerts), id, by, &cause.configuration_item);
    }
    for alert in alerts.iter().take(ALERTS_LEARNED_MAX) {
        state.history.learn(now, seen(alert), blame_of(cause, alert));
    }
}

fn blame_of(cause: Option<&RootCause>, alert: &Alert) -> i64 {
    cause.zip(alert.configuration_item.as_deref()).map_or(0, |(cause, item)| blame(cause, item))
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
    let explained = explained(affected.len(), others);
    format!("it fails (seen by {seen_by}), and {explained} on it: {}", list(&affected))
}

/// Of the other items that fail, those that depend on the cause.
fn explained(affected: usize, others: usize) -> String {
    match affected {
        _ if others == 1 => "the only other item that fails depends".to_owned(),
        _ if affected >= others => format!("all {others} other items that fail depend"),
        1 => format!("1 of the {others} other items that fail depends"),
        _ => format!("{affected} of the {others} other items that fail depend"),
    }
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

#[cfg(test)]
mod tests {
    use super::explained;

    #[test]
    fn one_depends_and_several_depend() {
        assert_eq!(explained(1, 1), "the only other item that fails depends");
        assert_eq!(explained(1, 3), "1 of the 3 other items that fail depends");
        assert_eq!(explained(2, 3), "2 of the 3 other items that fail depend");
        assert_eq!(explained(3, 3), "all 3 other items that fail depend");
    }
}
