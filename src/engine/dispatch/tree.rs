//! The route tree with everything inherited worked out, once for each policy.

use crate::engine::policy::{LOG_RECEIVER, Policy, Route};
use crate::model::{Labels, Matcher, Span};
use crate::mutant::{self, Mutant};

/// One route as groups need it.
#[derive(Clone, Debug)]
pub struct GroupRoute {
    /// The matchers on the way from the root: `{}/{team="db"}`. Two siblings with equal matchers share it.
    pub key: String,
    /// The same with the place among the siblings, so that it is unique.
    pub id: String,
    /// The way from the root, which has none itself: places among siblings.
    pub places: Vec<usize>,
    pub receiver: String,
    group_by: GroupBy,
    pub group_wait: Span,
    pub group_interval: Span,
    pub repeat_interval: Span,
    pub mute_time_intervals: Vec<String>,
    pub active_time_intervals: Vec<String>,
}

#[derive(Clone, Debug)]
enum GroupBy {
    All,
    Labels(Vec<String>),
}

/// Depth first, a route before those below it; before all of them the one for our own alerts.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    routes: Vec<GroupRoute>,
}

const EVERY_LABEL: &str = "...";

impl Tree {
    /// Where alerts of our own go: to the log, one by one. Nobody has written a route for them.
    pub const OWN: usize = 0;

    pub fn new(policy: &Policy) -> Self {
        let own = GroupRoute {
            key: "watchbell".to_owned(),
            id: "watchbell".to_owned(),
            places: Vec::new(),
            receiver: LOG_RECEIVER.to_owned(),
            group_by: GroupBy::All,
            group_wait: Span::ZERO,
            group_interval: Route::GROUP_INTERVAL,
            repeat_interval: Route::REPEAT_INTERVAL,
            mute_time_intervals: Vec::new(),
            active_time_intervals: Vec::new(),
        };
        let mut tree = Self { routes: vec![own] };
        tree.take(&policy.route, None, 0);
        tree
    }

    fn take(&mut self, route: &Route, parent: Option<usize>, place: usize) {
        let above = parent.map(|parent| &self.routes[parent]);
        let matchers = matchers_text(&route.matchers);
        let of_root = || LOG_RECEIVER.to_owned();
        let inherited = |own: Option<Span>, pick: fn(&GroupRoute) -> Span, default| {
            own.or_else(|| above.map(pick)).unwrap_or(default)
        };
        let taken = GroupRoute {
            key: above.map_or_else(|| matchers.clone(), |above| format!("{}/{matchers}", above.key)),
            id: above.map_or_else(|| matchers.clone(), |above| format!("{}/{matchers}/{place}", above.id)),
            places: above.map_or_else(Vec::new, |above| above.places.iter().copied().chain([place]).collect()),
            receiver: route
                .receiver
                .clone()
                .unwrap_or_else(|| above.map_or_else(of_root, |above| above.receiver.clone())),
            group_by: match (&route.group_by, above) {
                (Some(labels), _) if labels.iter().any(|label| label == EVERY_LABEL) => GroupBy::All,
                (Some(labels), _) => GroupBy::Labels(labels.clone()),
                (None, Some(above)) => above.group_by.clone(),
                (None, None) => GroupBy::Labels(Vec::new()),
            },
            group_wait: inherited(route.group_wait, |route| route.group_wait, Route::GROUP_WAIT),
            group_interval: inherited(route.group_interval, |route| route.group_interval, Route::GROUP_INTERVAL),
            repeat_interval: inherited(route.repeat_interval, |route| route.repeat_interval, Route::REPEAT_INTERVAL),
            mute_time_intervals: route.mute_time_intervals.clone(),
            active_time_intervals: route.active_time_intervals.clone(),
        };
        self.routes.push(taken);
        let at = self.routes.len() - 1;
        for (place, child) in route.routes.iter().enumerate() {
            self.take(child, Some(at), place);
        }
    }

    pub fn route(&self, index: usize) -> &GroupRoute {
        &self.routes[index]
    }

    pub fn find(&self, id: &str) -> Option<usize> {
        self.routes.iter().position(|route| route.id == id)
    }

    /// The routes that take an alert with these labels: the deepest that match, and the siblings that `continue`
    /// lets match as well.
    pub fn matching(&self, root: &Route, labels: &Labels) -> Vec<usize> {
        let mut found = Vec::new();
        let mut next = 1;
        collect(root, labels, &mut next, &mut found);
        if found.is_empty() { vec![1] } else { found }
    }
}

/// Walks in the order in which the tree was made, so that `next` is the index of the route at hand.
fn collect(route: &Route, labels: &Labels, next: &mut usize, found: &mut Vec<usize>) -> bool {
    let own = *next;
    *next += 1;
    if !route.matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name))) {
        *next += route.routes.iter().map(size).sum::<usize>();
        return false;
    }
    let before = found.len();
    let mut is_taken = false;
    for child in &route.routes {
        if is_taken {
            *next += size(child);
        } else {
            let goes_on = child.continues && !mutant::is(Mutant::ContinueIgnored);
            is_taken = collect(child, labels, next, found) && !goes_on;
        }
    }
    if found.len() == before {
        found.push(own);
    }
    true
}

/// Routes in a branch, its own included.
fn size(route: &Route) -> usize {
    1 + route.routes.iter().map(size).sum::<usize>()
}

impl GroupRoute {
    /// The labels by which this route groups, as far as an alert has them.
    pub fn group_labels(&self, labels: &Labels) -> Labels {
        match &self.group_by {
            GroupBy::All => labels.clone(),
            GroupBy::Labels(names) => {
                Labels::from_iter(labels.iter().filter(|(name, _)| names.iter().any(|other| other == name)))
            }
        }
    }
}

/// In Alertmanager's order and spelling: `{a="b",c=~"d"}`.
fn matchers_text(matchers: &[Matcher]) -> String {
    let mut sorted: Vec<&Matcher> = matchers.iter().collect();
    sorted.sort_by(|a, b| a.name.cmp(&b.name).then_with(|| a.value.cmp(&b.value)));
    let texts: Vec<String> = sorted.iter().map(ToString::to_string).collect();
    format!("{{{}}}", texts.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(tree: serde_json::Value, labels: &[(&str, &str)], ids: &[&str]) {
        let policy = Policy { route: serde_json::from_value(tree).unwrap(), ..Policy::default() };
        let tree = Tree::new(&policy);
        let found = tree.matching(&policy.route, &Labels::from_iter(labels.iter().copied()));
        assert_eq!(found.iter().map(|at| tree.route(*at).id.as_str()).collect::<Vec<_>>(), ids);
    }

    #[test]
    fn the_deepest_match_wins_and_continue_adds() {
        let tree = serde_json::json!({"receiver": "all", "routes": [
            {"matchers": ["a=\"1\""], "continue": true},
            {"matchers": ["b=\"2\""], "routes": [{"matchers": ["c=\"3\""]}, {"matchers": ["c=~\"3|4\""]}]},
            {"matchers": ["b=\"2\""]},
        ]});
        check(tree.clone(), &[("z", "0")], &["{}"]);
        check(tree.clone(), &[("a", "1")], &["{}/{a=\"1\"}/0"]);
        check(tree.clone(), &[("a", "1"), ("b", "2")], &["{}/{a=\"1\"}/0", "{}/{b=\"2\"}/1"]);
        check(tree.clone(), &[("b", "2"), ("c", "4")], &["{}/{b=\"2\"}/1/{c=~\"3|4\"}/1"]);
        check(tree, &[("b", "2"), ("c", "3")], &["{}/{b=\"2\"}/1/{c=\"3\"}/0"]);
    }

    #[test]
    fn what_a_route_does_not_say_its_parent_does() {
        let policy = Policy {
            route: serde_json::from_value(serde_json::json!({"receiver": "all", "group_by": ["x"], "group_wait": "1s",
                "routes": [{"matchers": ["a=\"1\""], "group_by": ["..."], "repeat_interval": "1h",
                    "routes": [{"receiver": "b", "group_interval": "2s"}]}]}))
            .unwrap(),
            ..Policy::default()
        };
        let tree = Tree::new(&policy);
        let labels = Labels::from_iter([("a", "1"), ("x", "2")]);
        let last = tree.route(3);
        assert_eq!((last.receiver.as_str(), last.group_labels(&labels)), ("b", labels.clone()));
        let times = [last.group_wait, last.group_interval, last.repeat_interval].map(Span::as_millis);
        assert_eq!(times, [1_000, 2_000, 3_600_000]);
        assert_eq!(tree.route(1).group_labels(&labels), Labels::from_iter([("x", "2")]));
    }
}
