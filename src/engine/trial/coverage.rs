//! What of a policy recorded alerts use: the routes they reach, the receivers they get to, the matchers that match any of
//! them. Counts what the engine's stages decide; decides nothing itself.

use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

use crate::engine::dispatch::Tree;
use crate::engine::inhibit::{self, Eyes};
use crate::engine::policy::{NotifyBy, Policy, Route};
use crate::engine::route::{self, RouteLabels};
use crate::engine::state::State;
use crate::engine::system::SOURCE;
use crate::engine::{dedup, silence};
use crate::model::event::Event;
use crate::model::{Alert, Fingerprint, Incident, Matcher, Timestamp};

/// How often each part was used: by alerts with different labels, or by incidents where people are told of those.
#[derive(Clone, Debug, Serialize)]
pub struct Coverage {
    /// Alerts with different labels.
    pub alerts: u64,
    /// Incidents that went anywhere.
    pub incidents: u64,
    /// Depth first.
    pub routes: Vec<RouteUse>,
    /// Those that routes lead to.
    pub receivers: BTreeMap<String, u64>,
    pub inhibit_rules: Vec<RuleUse>,
    /// By id.
    pub silences: BTreeMap<String, SilenceUse>,
    #[serde(skip)]
    seen: BTreeSet<Fingerprint>,
    #[serde(skip)]
    tree: Tree,
}

#[derive(Clone, Debug, Serialize)]
pub struct RouteUse {
    /// `route.routes[1]`.
    pub path: String,
    /// Of those that its matchers take and that were not taken before.
    pub reached: u64,
    pub matchers: Vec<MatcherUse>,
    #[serde(skip)]
    places: Vec<usize>,
    #[serde(skip)]
    own: Vec<Matcher>,
}

#[derive(Clone, Debug, Serialize)]
pub struct MatcherUse {
    pub matcher: String,
    pub matched: u64,
}

#[derive(Clone, Debug, Serialize)]
pub struct RuleUse {
    /// `inhibit_rules[0]`.
    pub path: String,
    pub inhibited: u64,
    pub source_matchers: Vec<MatcherUse>,
    pub target_matchers: Vec<MatcherUse>,
}

#[derive(Clone, Debug, Serialize)]
pub struct SilenceUse {
    pub matchers: String,
    pub created_by: String,
    pub silenced: u64,
}

impl Coverage {
    pub fn of(policy: &Policy) -> Self {
        let (mut routes, mut receivers) = (Vec::new(), BTreeMap::new());
        list(&policy.route, &mut Vec::new(), &mut routes, &mut receivers);
        let rules = policy.inhibit_rules.iter().enumerate().map(|(index, rule)| RuleUse {
            path: format!("inhibit_rules[{index}]"),
            inhibited: 0,
            source_matchers: unused(&rule.source_matchers),
            target_matchers: unused(&rule.target_matchers),
        });
        Self {
            alerts: 0,
            incidents: 0,
            routes,
            receivers,
            inhibit_rules: rules.collect(),
            silences: BTreeMap::new(),
            seen: BTreeSet::new(),
            tree: Tree::new(policy),
        }
    }

    /// Looks at the alert of an event that was just stepped in.
    pub fn see_event(&mut self, state: &State, now: Timestamp, event: &Event) {
        let number = state.find_alert(dedup::fingerprint(&event.source, &event.dedup_key));
        let alert = number.and_then(|number| state.alert(number));
        let Some(alert) = alert.filter(|alert| alert.is_firing() && *alert.source != *SOURCE) else { return };
        self.see_inhibition(state, alert);
        self.see_silences(state, now, alert);
        let labels = alert.labels.iter().flat_map(|(name, value)| [name, value]);
        let likeness = [&*alert.source, &*alert.name, alert.severity.as_str()].into_iter().chain(labels);
        if !self.seen.insert(Fingerprint::of(likeness)) {
            return;
        }
        self.alerts += 1;
        self.see_rules(state, alert);
        if state.policy().notify_by == NotifyBy::Group {
            let label = |name: &str| alert.labels.get(name);
            self.see_matchers(&label);
            for index in self.tree.matching(&state.policy().route, &alert.labels) {
                let (places, receiver) =
                    (self.tree.route(index).places.clone(), self.tree.route(index).receiver.clone());
                self.see_way(&places, &receiver);
            }
        }
    }

    /// Looks at an incident that was just routed.
    pub fn see_incident(&mut self, state: &State, incident: &Incident) {
        if incident.routed.is_none() {
            return;
        }
        self.incidents += 1;
        let labels = RouteLabels::of(state, incident);
        self.see_matchers(&|name| labels.get(name));
        for (places, receiver) in route::ways(state, incident) {
            self.see_way(&places, &receiver);
        }
    }

    fn see_matchers<'l>(&mut self, label: &dyn Fn(&str) -> Option<&'l str>) {
        for route in &mut self.routes {
            count(&route.own, &mut route.matchers, label);
        }
    }

    fn see_way(&mut self, places: &[usize], receiver: &str) {
        for route in self.routes.iter_mut().filter(|route| places.starts_with(&route.places)) {
            route.reached += 1;
        }
        *self.receivers.entry(receiver.to_owned()).or_default() += 1;
    }

    fn see_rules(&mut self, state: &State, alert: &Alert) {
        let eyes = Eyes::of(state.policy());
        for (rule, used) in state.policy().inhibit_rules.iter().zip(&mut self.inhibit_rules) {
            count(&rule.source_matchers, &mut used.source_matchers, &|name| eyes.label(alert, name));
            count(&rule.target_matchers, &mut used.target_matchers, &|name| eyes.label(alert, name));
        }
    }

    /// Whether something inhibits it; and whether it inhibits what fired before, for rules that have not done so yet.
    fn see_inhibition(&mut self, state: &State, alert: &Alert) {
        self.see_inhibited(state, alert);
        let eyes = Eyes::of(state.policy());
        let is_source =
            |matchers: &[Matcher]| matchers.iter().all(|matcher| matcher.is_match(eyes.label(alert, &matcher.name)));
        let rules = state.policy().inhibit_rules.iter().zip(&self.inhibit_rules);
        if rules.filter(|(_, used)| used.inhibited == 0).any(|(rule, _)| is_source(&rule.source_matchers)) {
            for target in state.alerts().filter(|target| target.is_firing() && target.number != alert.number) {
                self.see_inhibited(state, target);
            }
        }
    }

    fn see_inhibited(&mut self, state: &State, alert: &Alert) {
        let rule = inhibit::source_and_rule(state, alert).and_then(|(_, index)| self.inhibit_rules.get_mut(index));
        if let Some(rule) = rule {
            rule.inhibited += 1;
        }
    }

    fn see_silences(&mut self, state: &State, now: Timestamp, alert: &Alert) {
        for silence in state.silences().filter(|silence| !self.silences.contains_key(&silence.id)).collect::<Vec<_>>() {
            let matchers: Vec<String> = silence.matchers.iter().map(ToString::to_string).collect();
            let used =
                SilenceUse { matchers: matchers.join(", "), created_by: silence.created_by.clone(), silenced: 0 };
            self.silences.insert(silence.id.clone(), used);
        }
        let eyes = Eyes::of(state.policy());
        for silence in silence::matching(state, now, &|name| eyes.label(alert, name)) {
            if let Some(used) = self.silences.get_mut(&silence.id) {
                used.silenced += 1;
            }
        }
    }
}

fn count<'l>(matchers: &[Matcher], used: &mut [MatcherUse], label: &dyn Fn(&str) -> Option<&'l str>) {
    for (matcher, used) in matchers.iter().zip(used) {
        used.matched += u64::from(matcher.is_match(label(&matcher.name)));
    }
}

fn unused(matchers: &[Matcher]) -> Vec<MatcherUse> {
    matchers.iter().map(|matcher| MatcherUse { matcher: matcher.to_string(), matched: 0 }).collect()
}

fn list(route: &Route, places: &mut Vec<usize>, routes: &mut Vec<RouteUse>, receivers: &mut BTreeMap<String, u64>) {
    routes.push(RouteUse {
        path: super::path_of(places),
        reached: 0,
        matchers: unused(&route.matchers),
        places: places.clone(),
        own: route.matchers.clone(),
    });
    if let Some(receiver) = &route.receiver {
        receivers.insert(receiver.clone(), 0);
    }
    for (place, child) in route.routes.iter().enumerate() {
        places.push(place);
        list(child, places, routes, receivers);
        places.pop();
    }
}
