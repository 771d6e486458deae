//! Inhibition by rule: while a source alert fires, matching targets are muted. The index holds, for each
//! rule and each combination of `equal` labels, the sources that fire, so that a check costs the same
//! with ten alerts and with a million. A rule may ask for a dependency instead of labels: then it inhibits what is on
//! items that depend on the source's.
//!
//! As in Alertmanager an alert that matches both sides of a rule is inhibited only by those that do not.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::alert::{Alert, AlertNumber};
use crate::model::{Fingerprint, Matcher, MutedBy};
use crate::mutant::{self, Mutant};

use super::firing::Cause;
use super::policy::{InhibitRule, NotifyBy, Policy};
use super::silence::ITEM;
use super::state::State;

/// A rule, and the hash of the `equal` labels; with the item, where that decides.
type Key = (usize, Fingerprint);

#[derive(Clone, Debug, Default)]
pub struct Inhibitors {
    sources: BTreeMap<Key, Sources>,
    /// Where each of them stands.
    keys: BTreeMap<AlertNumber, Vec<Key>>,
}

#[derive(Clone, Debug, Default)]
struct Sources {
    /// Those that are no targets of the same rule.
    plain: BTreeSet<AlertNumber>,
    /// Those that are.
    both: BTreeSet<AlertNumber>,
}

/// Which labels matchers see of an alert.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Eyes(NotifyBy);

impl Eyes {
    pub fn of(policy: &Policy) -> Self {
        Self(policy.notify_by)
    }

    /// Where people are told of groups, its labels and nothing else; otherwise also what every alert has.
    pub fn label<'a>(self, alert: &'a Alert, name: &str) -> Option<&'a str> {
        match self.0 {
            NotifyBy::Group => alert.labels.get(name),
            NotifyBy::Incident => label(alert, name),
        }
    }

    /// The same, and the item for silences that are about an item and what depends on it.
    pub fn of_silences<'a>(self, alert: &'a Alert, name: &str) -> Option<&'a str> {
        let item = || alert.configuration_item.as_deref().filter(|_| name == ITEM);
        self.label(alert, name).or_else(item)
    }

    pub fn matches(self, matchers: &[Matcher], alert: &Alert) -> bool {
        matchers.iter().all(|matcher| matcher.is_match(self.label(alert, &matcher.name)))
    }

    fn key(self, index: usize, rule: &InhibitRule, alert: &Alert, item: Option<&str>) -> Key {
        let equal = rule.equal.iter().filter(|_| !mutant::is(Mutant::EqualIgnored));
        let equal = equal.map(|name| self.label(alert, name).unwrap_or(""));
        (index, Fingerprint::of(item.into_iter().chain(equal)))
    }

    fn key_of_source(self, index: usize, rule: &InhibitRule, alert: &Alert) -> Key {
        let item = rule.dependants_only.then(|| alert.configuration_item.as_deref().unwrap_or_default());
        self.key(index, rule, alert, item)
    }
}

/// Files the alert by what it inhibits now; true when something that it did inhibit may be heard.
pub fn index(inhibitors: &mut Inhibitors, policy: &Policy, alert: &Alert) -> bool {
    let eyes = Eyes::of(policy);
    let former = inhibitors.keys.remove(&alert.number).unwrap_or_default();
    for key in &former {
        inhibitors.remove(*key, alert.number);
    }
    let mut keys = Vec::new();
    for (rule_index, rule) in policy.inhibit_rules.iter().enumerate() {
        if alert.is_firing() && eyes.matches(&rule.source_matchers, alert) {
            let key = eyes.key_of_source(rule_index, rule, alert);
            let sources = inhibitors.sources.entry(key).or_default();
            let is_target = eyes.matches(&rule.target_matchers, alert);
            if is_target { &mut sources.both } else { &mut sources.plain }.insert(alert.number);
            keys.push(key);
        }
    }
    let is_less = former.iter().any(|key| !keys.contains(key));
    if !keys.is_empty() {
        inhibitors.keys.insert(alert.number, keys);
    }
    is_less
}

impl Inhibitors {
    fn remove(&mut self, key: Key, number: AlertNumber) {
        let Some(sources) = self.sources.get_mut(&key) else { return };
        sources.plain.remove(&number);
        sources.both.remove(&number);
        if sources.plain.is_empty() && sources.both.is_empty() {
            self.sources.remove(&key);
        }
    }
}

/// Follows a change of the alert.
pub fn reindex(state: &mut State, number: AlertNumber) {
    if state.policy().inhibit_rules.is_empty() {
        return;
    }
    if state.index_inhibitor(number) {
        // Its targets may have been quiet because of it; they are looked at again.
        super::silence::recheck(state);
    }
}

/// Why this alert is inhibited, if it is.
pub fn cause(state: &State, alert: &Alert) -> Option<Cause> {
    let (source, rule) = source_and_rule(state, alert)?;
    let why = format!("inhibited by {} ({})", source.name, source.id());
    let rule = u32::try_from(rule).ok();
    Some(Cause { rule, since: Some(source.fired_at), ..Cause::new(MutedBy::Inhibition, source.id(), why) })
}

/// The alert that inhibits this one, if there is one.
pub fn source<'a>(state: &'a State, alert: &Alert) -> Option<&'a Alert> {
    source_and_rule(state, alert).map(|(source, _)| source)
}

/// The same, with the place of the rule by which it does.
pub fn source_and_rule<'a>(state: &'a State, alert: &Alert) -> Option<(&'a Alert, usize)> {
    let policy = state.policy();
    let eyes = Eyes::of(policy);
    policy.inhibit_rules.iter().enumerate().find_map(|(index, rule)| {
        if !eyes.matches(&rule.target_matchers, alert) {
            return None;
        }
        let is_source = eyes.matches(&rule.source_matchers, alert);
        let from = |item: Option<&str>| {
            let sources = state.inhibitors.sources.get(&eyes.key(index, rule, alert, item))?;
            let both = sources.both.iter().filter(|_| !is_source);
            let mut candidates = sources.plain.iter().chain(both).filter_map(|number| state.alert(*number));
            // Equal hashes are taken for nothing more than a hint.
            let is_equal = |source: &&Alert| {
                mutant::is(Mutant::EqualIgnored)
                    || (item.is_none() || source.configuration_item.as_deref() == item)
                        && rule
                            .equal
                            .iter()
                            .all(|name| eyes.label(source, name).unwrap_or("") == eyes.label(alert, name).unwrap_or(""))
            };
            candidates.find(is_equal)
        };
        let source = match (rule.dependants_only, alert.configuration_item.as_deref()) {
            (false, _) => from(None),
            (true, None) => None,
            (true, Some(item)) => {
                let above = state.topology.upstream(item, policy.correlation.hops_max);
                above.iter().find_map(|(item, _)| from(Some(item)))
            }
        };
        source.map(|source| (source, index))
    })
}

/// Whether a rule could inhibit it.
pub fn is_target(state: &State, alert: &Alert) -> bool {
    let eyes = Eyes::of(state.policy());
    state.policy().inhibit_rules.iter().any(|rule| eyes.matches(&rule.target_matchers, alert))
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
