//! Circles among dependencies: found once each, named by a shortest way round. Pure; linear in nodes
//! and edges, without recursion, because an inventory may be one long chain.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};

/// Names in one reported circle.
const NAMES_MAX: usize = 12;

/// One circle for each set of items that depend on each other: its names, the first one again at the
/// end. Each dependency is given by its two ends.
pub fn cycles<'a>(dependencies: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Vec<&'a str>> {
    let mut names: Vec<&str> = Vec::new();
    let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
    let mut targets: Vec<Vec<usize>> = Vec::new();
    for (from, to) in dependencies {
        let ends = [from, to].map(|name| {
            *numbers.entry(name).or_insert_with(|| {
                names.push(name);
                targets.push(Vec::new());
                names.len() - 1
            })
        });
        targets[ends[0]].push(ends[1]);
    }
    let components = components(&targets);
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); names.len()];
    for (node, component) in components.iter().enumerate() {
        members[*component].push(node);
    }
    let mut found: Vec<Vec<&str>> = Vec::new();
    for members in &members {
        let Some(start) = members.iter().copied().min_by_key(|node| names[*node]) else { continue };
        if members.len() > 1 || targets[start].contains(&start) {
            let ring = shortest_ring(start, &targets, &components);
            let mut ring: Vec<&str> = ring.into_iter().map(|node| names[node]).collect();
            if ring.len() > NAMES_MAX {
                ring.truncate(NAMES_MAX);
                ring.push("…");
            }
            ring.push(names[start]);
            found.push(ring);
        }
    }
    found.sort_unstable();
    found
}

/// Tarjan's strongly connected components: for each node the number of its component.
fn components(targets: &[Vec<usize>]) -> Vec<usize> {
    const NONE: usize = usize::MAX;
    let count = targets.len();
    let (mut order, mut low, mut component) = (vec![NONE; count], vec![0; count], vec![NONE; count]);
    let (mut stack, mut next_order, mut next_component) = (Vec::new(), 0, 0);
    for start in 0..count {
        if order[start] != NONE {
            continue;
        }
        // Each entry: a node and how many of its edges have been followed.
        let mut path = vec![(start, 0)];
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if *followed == 0 {
                order[node] = next_order;
                low[node] = next_order;
                next_order += 1;
                stack.push(node);
            }
            if let Some(target) = targets[node].get(*followed).copied() {
                *followed += 1;
                if order[target] == NONE {
                    path.push((target, 0));
                } else if component[target] == NONE {
                    low[node] = low[node].min(order[target]);
                }
                continue;
            }
            path.pop();
            if let Some((parent, _)) = path.last() {
                low[*parent] = low[*parent].min(low[node]);
            }
            if low[node] == order[node] {
                while let Some(member) = stack.pop() {
                    component[member] = next_component;
                    if member == node {
                        break;
                    }
                }
                next_component += 1;
            }
        }
    }
    component
}

/// The nodes of a shortest way from `start` back to itself inside its component.
fn shortest_ring(start: usize, targets: &[Vec<usize>], components: &[usize]) -> Vec<usize> {
    let mut before: BTreeMap<usize, usize> = BTreeMap::new();
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for target in targets[node].iter().copied().filter(|target| components[*target] == components[start]) {
            if target == start {
                let mut ring = vec![node];
                while let Some(previous) = ring.last().filter(|last| **last != start).and_then(|last| before.get(last))
                {
                    ring.push(*previous);
                }
                ring.reverse();
                return ring;
            }
            if let Entry::Vacant(entry) = before.entry(target) {
                entry.insert(node);
                queue.push_back(target);
            }
        }
    }
    vec![start]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(edges: &[(&str, &str)], expected: &[&str]) {
        let found: Vec<String> = cycles(edges.iter().copied()).iter().map(|cycle| cycle.join(">")).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn each_circle_is_named_once() {
        check(&[("a", "b"), ("b", "c"), ("a", "c")], &[]);
        check(&[("c", "a"), ("a", "b"), ("b", "c"), ("d", "a")], &["a>b>c>a"]);
        check(&[("a", "a"), ("x", "y"), ("y", "x")], &["a>a", "x>y>x"]);
        check(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("b", "a")], &["a>b>a"]);
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let names: Vec<String> = (0..50_000).map(|n| format!("n{n}")).collect();
        let chain: Vec<(&str, &str)> = names.windows(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).collect();
        check(&chain, &[]);
    }
}
