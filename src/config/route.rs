//! The `route` tree: each node is read on its own. Decides that the root takes everything, so that no
//! alert can fall through; never which alert goes where, which is the engine's.

use super::policy::check_list;
use super::problem::Problems;
use super::read::{items, join, read};
use super::references::Names;
use super::unused::warn_unreachable;
use super::validate::check_span;
use super::yaml::{Node, Value};
use crate::engine::policy::{LOG_RECEIVER, NotifyBy, Route};
use crate::model::Span;

/// Routes below each other.
pub(super) const DEPTH_MAX: usize = 16;
const PATH: &str = "route";
/// In place of names: alerts of a group have all labels in common.
const ALL_LABELS: &str = "...";

pub(super) fn read_root(root: &Node, notify_by: NotifyBy, names: &Names, problems: &mut Problems) -> Route {
    let absent = Node::default();
    let node = root.get(PATH).unwrap_or(&absent);
    let mut route = read_one(node, PATH, 0, &Inherited::of(notify_by), names, problems);
    if !route.matchers.is_empty() {
        let message = "`route.matchers`: the root takes everything, expected matchers only on the routes below it";
        problems.error(node.place_of("matchers"), "route.matchers", message);
    }
    for (key, intervals) in
        [("mute_time_intervals", &route.mute_time_intervals), ("active_time_intervals", &route.active_time_intervals)]
    {
        if !intervals.is_empty() {
            let path = join(PATH, key);
            let message = format!("`{path}`: the root is there at any time, expected it only on the routes below it");
            problems.error(node.place_of(key), path, message);
        }
    }
    if route.receiver.is_none() {
        route.receiver = match names.own_receivers.as_slice() {
            [] => Some(LOG_RECEIVER.to_owned()),
            [only] => Some(only.clone()),
            several => {
                let place = if root.get(PATH).is_some() { &node.place } else { &root.place };
                problems.error(place, "route.receiver", "missing key `receiver` in `route`").hint = Some(format!(
                    "there are {} receivers; name the one that gets what no other route takes",
                    several.len()
                ));
                None
            }
        };
    }
    route
}

/// What a route takes over from its parent.
#[derive(Clone, Copy)]
struct Inherited {
    notify_by: NotifyBy,
    group_interval: Span,
    repeat_interval: Span,
}

impl Inherited {
    fn of(notify_by: NotifyBy) -> Self {
        Self { notify_by, group_interval: Route::GROUP_INTERVAL, repeat_interval: Route::REPEAT_INTERVAL }
    }
}

fn read_one(
    node: &Node,
    path: &str,
    depth: usize,
    parent: &Inherited,
    names: &Names,
    problems: &mut Problems,
) -> Route {
    let (children, own) = node.split(&["routes"]);
    // `split` makes a map of everything; what was none is reported as it is.
    let own = if matches!(node.value, Value::Map(_) | Value::Null) { own } else { node.clone() };
    let mut route: Route = read(&own, path, problems).unwrap_or_default();
    if let Some(receiver) = &route.receiver {
        names.check_receiver(receiver, node.place_of("receiver"), &join(path, "receiver"), problems);
    }
    if let Some(policy) = &route.escalation_policy {
        let place = node.place_of("escalation_policy");
        names.check_escalation_policy(policy, place, &join(path, "escalation_policy"), problems);
    }
    for (key, intervals) in
        [("mute_time_intervals", &route.mute_time_intervals), ("active_time_intervals", &route.active_time_intervals)]
    {
        check_list(node, path, key, intervals, problems, |name, place, path, problems| {
            names.check_time_interval(name, place, path, problems);
        });
    }
    check_group_by(node, path, &route, parent.notify_by, problems);
    check_has_effect(node, path, &route, parent.notify_by, problems);
    let inherited = check_times(node, path, &route, parent, problems);
    let children = items(&children, "routes", path, problems);
    if depth >= DEPTH_MAX && !children.is_empty() {
        let message = format!("`{path}.routes`: routes are nested more than {DEPTH_MAX} deep");
        problems.error(node.place_of("routes"), join(path, "routes"), message);
        return route;
    }
    for (index, child) in children.iter().enumerate() {
        let path = format!("{path}.routes[{index}]");
        route.routes.push(read_one(child, &path, depth + 1, &inherited, names, problems));
    }
    warn_unreachable(children, &route.routes, path, problems);
    route
}

fn check_group_by(node: &Node, path: &str, route: &Route, notify_by: NotifyBy, problems: &mut Problems) {
    let Some(labels) = &route.group_by else { return };
    let full = join(path, "group_by");
    if notify_by == NotifyBy::Incident && !labels.is_empty() {
        let message = format!("`{full}`: what belongs together is an incident here, expected no labels to group by");
        problems.error(node.place_of("group_by"), &full, message).hint =
            Some("`notify_by: group` tells people of groups of alerts".to_owned());
    }
    check_labels(node, "group_by", &full, labels, problems);
}

/// What only one way of telling people knows is an error in the other.
fn check_has_effect(node: &Node, path: &str, route: &Route, notify_by: NotifyBy, problems: &mut Problems) {
    let is_by_incident = notify_by == NotifyBy::Incident;
    let keys = [
        ("mute_time_intervals", is_by_incident && !route.mute_time_intervals.is_empty(), "group"),
        ("active_time_intervals", is_by_incident && !route.active_time_intervals.is_empty(), "group"),
        ("escalation_policy", !is_by_incident && route.escalation_policy.is_some(), "incident"),
    ];
    for (key, _, needed) in keys.into_iter().filter(|(_, is_vain, _)| *is_vain) {
        let path = join(path, key);
        let message = format!("`{path}`: expected it only with `notify_by: {needed}`, where it has an effect");
        problems.error(node.place_of(key), path, message);
    }
}

/// Names of labels, each once, or `...` alone.
pub(super) fn check_labels(node: &Node, key: &str, path: &str, labels: &[String], problems: &mut Problems) {
    let places = node.get(key).map_or(&[][..], Node::items);
    for (index, label) in labels.iter().enumerate() {
        let place = places.get(index).map_or(node.place_of(key), |item| &item.place);
        let fault = match label.as_str() {
            "" => "expected the name of a label, got nothing".to_owned(),
            ALL_LABELS if labels.len() > 1 => format!("`{ALL_LABELS}` is all labels, expected no others beside it"),
            _ if labels[..index].contains(label) => format!("the label `{label}` comes twice"),
            _ => continue,
        };
        problems.error(place, format!("{path}[{index}]"), format!("`{path}`: {fault}"));
    }
}

fn check_times(node: &Node, path: &str, route: &Route, parent: &Inherited, problems: &mut Problems) -> Inherited {
    let (second, minute, day) = (Span::from_secs(1), Span::from_mins(1), Span::from_hours(24));
    // Whoever comes from Alertmanager may have any times that it takes.
    let limits = match parent.notify_by {
        NotifyBy::Incident => [(Span::ZERO, Span::from_hours(1)), (second, day), (minute, Span::from_hours(30 * 24))],
        NotifyBy::Group => {
            let (instant, century) = (Span::from_millis(1), Span::from_hours(24 * 36_525));
            [(Span::ZERO, century), (instant, century), (instant, century)]
        }
    };
    let given = [
        ("group_wait", route.group_wait),
        ("group_interval", route.group_interval),
        ("repeat_interval", route.repeat_interval),
    ];
    for ((key, span), (min, max)) in given.into_iter().zip(limits) {
        if let Some(span) = span {
            check_span(node, path, key, span, min, max, problems);
        }
    }
    let inherited = Inherited {
        notify_by: parent.notify_by,
        group_interval: route.group_interval.unwrap_or(parent.group_interval),
        repeat_interval: route.repeat_interval.unwrap_or(parent.repeat_interval),
    };
    let is_own = route.group_interval.is_some() || route.repeat_interval.is_some();
    if is_own && inherited.repeat_interval < inherited.group_interval {
        let message = format!(
            "`{path}`: `repeat_interval` ({}) is shorter than `group_interval` ({}), so the latter counts",
            inherited.repeat_interval, inherited.group_interval
        );
        problems.warning(node.place_of("repeat_interval"), join(path, "repeat_interval"), message);
    }
    inherited
}
