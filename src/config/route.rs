//! The `route` tree: each node is read on its own. Decides that the root takes everything, so that no
//! alert can fall through; never which alert goes where, which is the engine's.

use super::problem::Problems;
use super::read::{items, join, read};
use super::references::Names;
use super::validate::check_span;
use super::yaml::{Node, Value};
use crate::engine::policy::{LOG_RECEIVER, Route};
use crate::model::Span;

/// Routes below each other.
const DEPTH_MAX: usize = 16;
const PATH: &str = "route";

pub(super) fn read_root(root: &Node, names: &Names, problems: &mut Problems) -> Route {
    let absent = Node::default();
    let node = root.get(PATH).unwrap_or(&absent);
    let mut route = read_one(node, PATH, 0, &Inherited::default(), names, problems);
    if !route.matchers.is_empty() {
        let message = "`route.matchers`: the root takes everything, expected matchers only on the routes below it";
        problems.error(node.place_of("matchers"), "route.matchers", message);
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
    group_interval: Span,
    repeat_interval: Span,
}

impl Default for Inherited {
    fn default() -> Self {
        Self { group_interval: Route::GROUP_INTERVAL, repeat_interval: Route::REPEAT_INTERVAL }
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
    warn_unreachable(children, path, problems);
    route
}

fn check_times(node: &Node, path: &str, route: &Route, parent: &Inherited, problems: &mut Problems) -> Inherited {
    let (second, minute, day) = (Span::from_secs(1), Span::from_mins(1), Span::from_hours(24));
    if let Some(wait) = route.group_wait {
        check_span(node, path, "group_wait", wait, Span::ZERO, Span::from_hours(1), problems);
    }
    if let Some(interval) = route.group_interval {
        check_span(node, path, "group_interval", interval, second, day, problems);
    }
    if let Some(interval) = route.repeat_interval {
        check_span(node, path, "repeat_interval", interval, minute, Span::from_hours(30 * 24), problems);
    }
    let inherited = Inherited {
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

/// A route without matchers takes everything: those after it are never asked. Looks at the file, where
/// a faulty matcher still counts as one.
fn warn_unreachable(children: &[Node], path: &str, problems: &mut Problems) {
    let takes_all = |node: &Node| {
        node.get("matchers").is_none_or(|matchers| matchers.value == Value::List(Vec::new()))
            && !node.get("continue").is_some_and(|node| node.value == Value::Boolean(true))
    };
    let Some(at) = children.iter().position(takes_all) else { return };
    if let Some(next) = children.get(at + 1) {
        let path = format!("{path}.routes[{}]", at + 1);
        let message = format!("`{path}` is never reached: the route before it has no matchers and takes everything");
        problems.warning(&next.place, &path, message);
    }
}
