//! Routes that nothing can reach and receivers that nobody is told by: sound, and hardly meant. Warns; refuses nothing.

use std::collections::BTreeSet;

use super::problem::{Place, Problems};
use super::read::join;
use super::yaml::{Node, Value};
use crate::engine::policy::{EscalationPolicy, LOG_RECEIVER, Policy, Route};

/// Looks at siblings: what an earlier one takes and does not let go on never gets to a later one. Whether one takes
/// everything is read from the file, where a faulty matcher still counts as one.
pub(super) fn warn_unreachable(children: &[Node], routes: &[Route], path: &str, problems: &mut Problems) {
    let lets_go_on = |at: usize| {
        let given = children[at].get("continue").map(|node| &node.value);
        routes[at].continues || given == Some(&Value::Boolean(true))
    };
    for at in 1..children.len().min(routes.len()) {
        let of = |at: usize| format!("{path}.routes[{at}]");
        let path = of(at);
        let place = &children[at].place;
        if (0..at).any(|earlier| !lets_go_on(earlier) && takes_all(&children[earlier], &routes[earlier])) {
            let message =
                format!("`{path}` is never reached: the route before it has no matchers and takes everything");
            problems.warning(place, &path, message);
            // Those behind it are not reached for the same reason.
            return;
        }
        let covers = |earlier: &usize| !lets_go_on(*earlier) && is_part(&routes[*earlier], &routes[at]);
        if let Some(earlier) = (0..at).find(covers) {
            let message = format!("`{path}` is never reached: `{}` takes all that it would", of(earlier));
            problems.warning(place, &path, message).hint =
                Some("the narrower of two routes comes first, or the first one has `continue: true`".to_owned());
        }
    }
}

fn takes_all(node: &Node, route: &Route) -> bool {
    let is_given = |key: &str| node.get(key).is_some_and(|node| node.value != Value::List(Vec::new()));
    route.matchers.is_empty() && !["match", "match_re", "matchers"].into_iter().any(is_given)
}

/// Whether each matcher of `wide` is one of `narrow` too, so that it takes whatever that takes.
fn is_part(wide: &Route, narrow: &Route) -> bool {
    !wide.matchers.is_empty() && wide.matchers.iter().all(|matcher| narrow.matchers.contains(matcher))
}

/// `receivers` are those of the file, each with its path. Only where all else is sound: a faulty route names nobody.
pub(super) fn warn_unused<'a>(
    receivers: impl Iterator<Item = (&'a str, String, &'a Place)>,
    policy: &Policy,
    problems: &mut Problems,
) {
    if problems.has_errors() {
        return;
    }
    let used = used(policy);
    for (name, path, place) in receivers.filter(|(name, ..)| *name != LOG_RECEIVER && !used.contains(name)) {
        problems.warning(place, path, format!("no route leads to the receiver `{name}`"));
    }
}

/// Whoever may be told of anything: by a route, as the next to be asked, or where another one cannot be told.
fn used(policy: &Policy) -> BTreeSet<&str> {
    let mut used = BTreeSet::new();
    let mut routes = vec![&policy.route];
    while let Some(route) = routes.pop() {
        used.extend(route.receiver.as_deref());
        routes.extend(&route.routes);
    }
    let targets = policy.escalation_policies.values().flat_map(EscalationPolicy::targets);
    used.extend(targets.flat_map(|targets| &targets.receivers).map(String::as_str));
    for schedule in policy.schedules.values() {
        used.extend(schedule.layers.iter().flat_map(|layer| &layer.rotation).map(String::as_str));
        used.extend(schedule.overrides.iter().map(|one| one.receiver.as_str()));
    }
    loop {
        let known = used.len();
        let fallbacks = used.iter().filter_map(|name| policy.receivers.get(*name)?.fallback.as_deref());
        used.extend(fallbacks.collect::<Vec<_>>());
        if used.len() == known {
            return used;
        }
    }
}

/// `receivers.ops`, the place of each entry of the section.
pub(super) fn named(root: &Node) -> impl Iterator<Item = (&str, String, &Place)> {
    let entries = root.get("receivers").map_or(&[][..], Node::entries);
    entries.iter().map(|(name, node)| (name.as_str(), join("receivers", name), &node.place))
}
