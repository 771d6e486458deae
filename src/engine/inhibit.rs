//! Inhibition by rule: while a source alert fires, matching targets are muted. The index holds, for each
//! rule and each combination of `equal` labels, the sources that fire, so that a check costs the same
//! with ten alerts and with a million.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Matcher;
use crate::model::alert::{Alert, AlertNumber};

use super::policy::InhibitRule;
use super::state::State;

#[derive(Clone, Debug, Default)]
pub struct Inhibitors {
    sources: BTreeMap<(usize, Vec<String>), BTreeSet<AlertNumber>>,
}

pub fn index(inhibitors: &mut Inhibitors, rules: &[InhibitRule], alert: &Alert) {
    for (rule_index, rule) in rules.iter().enumerate() {
        if !matches(&rule.source_matchers, alert) {
            continue;
        }
        let key = (rule_index, equal_values(rule, alert));
        if alert.is_firing() {
            inhibitors.sources.entry(key).or_default().insert(alert.number);
        } else if let Some(numbers) = inhibitors.sources.get_mut(&key) {
            numbers.remove(&alert.number);
            if numbers.is_empty() {
                inhibitors.sources.remove(&key);
            }
        }
    }
}

/// Follows a change of the alert.
pub fn reindex(state: &mut State, number: AlertNumber) {
    if state.policy().inhibit_rules.is_empty() {
        return;
    }
    state.index_inhibitor(number);
    if !state.alert(number).is_some_and(Alert::is_firing) {
        // Its targets may have been quiet because of it; they are looked at again.
        super::silence::recheck(state);
    }
}

/// Why this alert is inhibited, if it is.
pub fn cause(state: &State, alert: &Alert) -> Option<String> {
    for (index, rule) in state.policy().inhibit_rules.iter().enumerate() {
        if !matches(&rule.target_matchers, alert) {
            continue;
        }
        let sources = state.inhibitors.sources.get(&(index, equal_values(rule, alert)));
        // An alert that is both source and target does not inhibit itself.
        let source = sources.into_iter().flatten().find(|number| **number != alert.number);
        if let Some(source) = source.and_then(|number| state.alert(*number)) {
            return Some(format!("inhibited by {} ({})", source.name, source.id()));
        }
    }
    None
}

fn equal_values(rule: &InhibitRule, alert: &Alert) -> Vec<String> {
    rule.equal.iter().map(|name| label(alert, name).unwrap_or("").to_owned()).collect()
}

fn matches(matchers: &[Matcher], alert: &Alert) -> bool {
    !matchers.is_empty() && matchers.iter().all(|matcher| matcher.is_match(label(alert, &matcher.name)))
}

/// A label as matchers see it: the alert's own, plus what every alert has.
pub fn label<'a>(alert: &'a Alert, name: &str) -> Option<&'a str> {
    match name {
        "alertname" => Some(&alert.name),
        "source" => Some(&alert.source),
        "severity" => Some(alert.severity.as_str()),
        "configuration_item" => alert.configuration_item.as_deref(),
        "service" => alert.service.as_deref().or_else(|| alert.labels.get("service")),
        _ => alert.labels.get(name),
    }
}
