//! Alertmanager's pipeline in small, written from its documentation: which routes take an alert and what group it is in
//! there, what inhibits it, and when a route is mute. Slow, and knows nothing of how the engine does it.

use std::collections::BTreeMap;

use watchbell::engine::policy::{InhibitRule, Policy, Route};
use watchbell::model::{Alert, Labels, Matcher, Span, TimeInterval, Timestamp};

use super::super::silences::zone;

/// One group of an alert, with the times of its route.
#[derive(Clone, Debug, PartialEq)]
pub struct Home {
    /// `{}/{team="db"}:{alertname="HostDown"}`.
    pub key: String,
    pub receiver: String,
    pub wait: Span,
    pub interval: Span,
    pub repeat: Span,
    mute: Vec<String>,
    active: Vec<String>,
}

/// A route while its branch is walked, with what it has from above.
#[derive(Clone, Default)]
struct Inherited {
    key: String,
    receiver: String,
    group_by: Vec<String>,
    wait: Span,
    interval: Span,
    repeat: Span,
}

/// Homes of an alert with these labels, in the order of the tree.
pub fn homes(policy: &Policy, labels: &Labels) -> Vec<Home> {
    let root = Inherited {
        receiver: "log".to_owned(),
        wait: Span::from_secs(5),
        interval: Span::from_mins(5),
        repeat: Span::from_hours(4),
        ..Inherited::default()
    };
    let mut found = Vec::new();
    visit(&policy.route, &root, labels, true, &mut found);
    found
}

/// Whether the route or something below it takes the alert.
fn visit(route: &Route, above: &Inherited, labels: &Labels, is_root: bool, found: &mut Vec<Home>) -> bool {
    if !is_root && !fits(&route.matchers, labels) {
        return false;
    }
    let own = inherit(route, above, is_root);
    let mut is_taken = false;
    for child in &route.routes {
        if visit(child, &own, labels, false, found) {
            is_taken = true;
            if !child.continues {
                break;
            }
        }
    }
    if !is_taken {
        found.push(home(route, own, labels));
    }
    true
}

fn inherit(route: &Route, above: &Inherited, is_root: bool) -> Inherited {
    let mut texts: Vec<&Matcher> = route.matchers.iter().collect();
    texts.sort_by_key(|matcher| (matcher.name.clone(), matcher.value.clone()));
    let texts: Vec<String> = texts.into_iter().map(ToString::to_string).collect();
    let own = format!("{{{}}}", texts.join(","));
    Inherited {
        key: if is_root { own } else { format!("{}/{own}", above.key) },
        receiver: route.receiver.clone().unwrap_or_else(|| above.receiver.clone()),
        group_by: route.group_by.clone().unwrap_or_else(|| above.group_by.clone()),
        wait: route.group_wait.unwrap_or(above.wait),
        interval: route.group_interval.unwrap_or(above.interval),
        repeat: route.repeat_interval.unwrap_or(above.repeat),
    }
}

fn home(route: &Route, own: Inherited, labels: &Labels) -> Home {
    let Inherited { key, receiver, group_by, wait, interval, repeat } = own;
    let is_by = |name: &str| group_by.iter().any(|by| by == "..." || by == name);
    let pairs: Vec<String> =
        labels.iter().filter(|(name, _)| is_by(name)).map(|(name, value)| format!("{name}={value:?}")).collect();
    Home {
        key: format!("{key}:{{{}}}", pairs.join(", ")),
        receiver,
        wait,
        interval,
        repeat,
        mute: route.mute_time_intervals.clone(),
        active: route.active_time_intervals.clone(),
    }
}

fn fits(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
}

/// Whether the route keeps quiet at this moment of the clock on the wall.
pub fn is_mute(home: &Home, intervals: &BTreeMap<String, Vec<TimeInterval>>, wall: Timestamp) -> bool {
    let is_in = |name: &String| intervals[name].iter().any(|interval| is_within(interval, wall));
    home.mute.iter().any(is_in) || !home.active.is_empty() && !home.active.iter().any(is_in)
}

/// Intervals here know times of the day and a place, nothing else.
fn is_within(interval: &TimeInterval, wall: Timestamp) -> bool {
    let local = zone(interval.location.as_deref().unwrap_or("UTC"))
        .to_datetime(jiff::Timestamp::from_millisecond(wall.as_millis()).unwrap());
    let minute = local.hour() as u16 * 60 + local.minute() as u16;
    interval.times.iter().any(|(from, to)| (*from..*to).contains(&minute))
}

/// Whether a rule could inhibit it.
pub fn is_target(rules: &[InhibitRule], labels: &Labels) -> bool {
    rules.iter().any(|rule| fits(&rule.target_matchers, labels))
}

/// Whether something that fires inhibits it.
pub fn is_inhibited(rules: &[InhibitRule], alert: &Alert, firing: &[&Alert]) -> bool {
    let labels = &alert.labels;
    rules.iter().filter(|rule| fits(&rule.target_matchers, labels)).any(|rule| {
        let is_source_too = fits(&rule.source_matchers, labels);
        firing.iter().any(|source| {
            let equal =
                |name: &String| source.labels.get(name).unwrap_or_default() == labels.get(name).unwrap_or_default();
            source.number != alert.number
                && fits(&rule.source_matchers, &source.labels)
                && !(is_source_too && fits(&rule.target_matchers, &source.labels))
                && rule.equal.iter().all(equal)
        })
    })
}
