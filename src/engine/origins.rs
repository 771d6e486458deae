//! Where the topology comes from. *Files* are part of the policy and are loaded anew with it; *monitors* teach
//! dependencies one by one (`normalize.rs`); what is *pushed* comes under a name of its own, from a CMDB or a
//! monitor's inventory, and is in force until the same origin says otherwise.
//!
//! Decides what of a pushed topology is taken, and which version it becomes: one number rises with every
//! change of files and pushed origins, and each origin keeps the number at which it last changed. What the
//! same origin tells once more changes nothing, so a synchronisation every few minutes costs nothing. Never
//! decides what a dependency is good for.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Timestamp;
use crate::model::timeline::TimelineKind;
use crate::model::topology::{ConfigurationItem, TopologyFault, TopologyFile};
use crate::mutant::{self, Mutant};

use super::input::Reply;
use super::state::{State, fact};
use super::system::{self, TOPOLOGY_ALERT};
use super::timeline;

/// The origin of what the policy's files say.
pub const FILES: &str = "files";
/// The origin of what monitors taught.
pub const MONITORS: &str = "monitors";

const NAME_BYTES_MAX: usize = 64;
/// What begins with a dot or a dash cannot be said in every address or on every command line.
const NAME_EXPECTED: &str = "1 to 64 of `a` to `z`, `0` to `9`, `.`, `_`, `/` and `-`, a letter or a digit first";

/// Items of all origins together, some 1 KiB each with what depends on them: an estate of this size fits into
/// the memory of a small machine, and everything that is built anew with it stays below some seconds.
pub const ITEMS_MAX: usize = 200_000;
/// Dependencies of all origins together, some 200 bytes each in the graph.
pub const DEPENDENCIES_MAX: usize = 1_000_000;

/// When something last changed, and through whom.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// The topology's version that this change made.
    pub version: u64,
    pub changed_at: Timestamp,
    pub by: String,
}

/// What one pushed origin knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub stamp: Stamp,
    /// Items that it describes or names as the end of an edge.
    pub item_count: usize,
    /// In order: see [`TopologyFile::tidied`].
    #[serde(with = "as_text")]
    pub topology: Arc<TopologyFile>,
}

/// Everything of the topology that is not in the policy and was not learned.
#[derive(Clone, Debug, Default)]
pub struct Origins {
    version: u64,
    /// Absent while the files have never held anything.
    files: Option<Stamp>,
    pushed: BTreeMap<String, Origin>,
}

impl Origins {
    /// Of files and pushed origins together; 0 while there was none.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub fn files(&self) -> Option<&Stamp> {
        self.files.as_ref()
    }

    /// By name, which is the order in which they are believed.
    pub fn pushed(&self) -> impl Iterator<Item = (&String, &Origin)> {
        self.pushed.iter()
    }

    pub fn get(&self, name: &str) -> Option<&Origin> {
        self.pushed.get(name)
    }

    pub(super) fn restore(&mut self, name: &str, value: Value) -> Result<(), serde_json::Error> {
        match name {
            FILES => self.files = serde_json::from_value(value)?,
            name => drop(self.pushed.insert(name.to_owned(), serde_json::from_value(value)?)),
        }
        Ok(())
    }

    pub(super) fn restore_version(&mut self, value: Value) -> Result<(), serde_json::Error> {
        self.version = serde_json::from_value(value)?;
        Ok(())
    }
}

/// Whether `origin` may tell `topology`, as far as that can be said without knowing the others.
///
/// # Errors
/// Names the field, what came and what was expected.
pub fn check(origin: &str, topology: &TopologyFile) -> Result<(), TopologyFault> {
    check_name(origin)?;
    topology.check()
}

/// # Errors
/// When no pushed origin can have this name.
pub fn check_name(origin: &str) -> Result<(), TopologyFault> {
    let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'/' | b'-');
    let begins_well = origin.starts_with(|first: char| first.is_ascii_alphanumeric());
    if !begins_well || origin.len() > NAME_BYTES_MAX || !origin.bytes().all(is_allowed) {
        return Err(TopologyFault::new("origin", origin, NAME_EXPECTED));
    }
    if [FILES, MONITORS].contains(&origin) {
        return Err(TopologyFault::new("origin", origin, "a name other than `files` and `monitors`, which are taken"));
    }
    Ok(())
}

/// An origin tells all that it knows.
pub fn put(state: &mut State, now: Timestamp, by: &str, origin: String, topology: TopologyFile) -> Reply {
    if let Err(fault) = check(&origin, &topology) {
        return Reply::Refused(fault.to_string());
    }
    let topology = topology.tidied();
    let known = state.origins.get(&origin);
    if known.is_some_and(|known| *known.topology == topology) {
        system::clear(state, now, TOPOLOGY_ALERT, &origin);
        return Reply::Already(origin);
    }
    let item_count = topology.names().len();
    if let Err(why) = check_room(state, &origin, item_count, topology.edges.len()) {
        return Reply::Refused(why);
    }
    let nothing = TopologyFile::default();
    let difference = difference(known.map_or(&nothing, |known| &*known.topology), &topology);
    let stamp = next_stamp(state, now, by);
    let told = Origin { stamp, item_count, topology: Arc::new(topology) };
    state.remember(fact::TOPOLOGY, &*origin, serde_json::to_value(&told).ok());
    state.origins.pushed.insert(origin.clone(), told);
    follow(state);
    timeline::system(state, now, TimelineKind::Configuration, by, format!("topology {origin}: {difference}"));
    system::clear(state, now, TOPOLOGY_ALERT, &origin);
    Reply::Done(origin)
}

/// An origin is gone, and with it everything that only it told.
pub fn remove(state: &mut State, now: Timestamp, by: &str, origin: &str) -> Reply {
    system::clear(state, now, TOPOLOGY_ALERT, origin);
    let Some(known) = state.origins.pushed.remove(origin) else { return Reply::NotFound(origin.to_owned()) };
    next_stamp(state, now, by);
    if !mutant::is(Mutant::RemovedOriginComesBack) {
        state.remember(fact::TOPOLOGY, origin, None);
    }
    follow(state);
    let difference = difference(&known.topology, &TopologyFile::default());
    timeline::system(
        state,
        now,
        TimelineKind::Configuration,
        by,
        format!("topology {origin} is removed: {difference}"),
    );
    Reply::Done(origin.to_owned())
}

/// A policy with other files came into force; the graph is built by whoever puts it there.
pub(super) fn files_changed(state: &mut State, now: Timestamp, by: &str) {
    let stamp = next_stamp(state, now, by);
    state.remember(fact::TOPOLOGY, FILES, serde_json::to_value(&stamp).ok());
    state.origins.files = Some(stamp);
}

/// The next version of all.
fn next_stamp(state: &mut State, now: Timestamp, by: &str) -> Stamp {
    let version = state.origins.version + 1;
    state.origins.version = version;
    state.remember(fact::TOPOLOGY_VERSION, "", Some(version.into()));
    Stamp { version, changed_at: now, by: by.to_owned() }
}

/// Everything that rests on the graph is made anew. Incidents keep what they have: an edge that is gone tears
/// no incident apart, and what comes next goes by the new graph.
fn follow(state: &mut State) {
    state.rebuild();
    let active: Vec<_> =
        state.incidents().filter(|incident| incident.state.is_active()).map(|incident| incident.id).collect();
    state.touched.extend(active);
}

/// Files count as well: it is one graph in one memory.
fn check_room(state: &State, origin: &str, items: usize, dependencies: usize) -> Result<(), String> {
    let files = &state.policy().topology;
    let others = state.origins.pushed().filter(|(name, _)| *name != origin);
    let (mut other_items, mut other_dependencies) = (files.nodes.len(), files.edges.len());
    for (_, other) in others {
        other_items += other.item_count;
        other_dependencies += other.topology.edges.len();
    }
    for (what, new, others, max) in
        [("items", items, other_items, ITEMS_MAX), ("dependencies", dependencies, other_dependencies, DEPENDENCIES_MAX)]
    {
        if new + others > max {
            return Err(format!(
                "expected at most {max} {what} over all origins, got {new} and {others} of the others"
            ));
        }
    }
    Ok(())
}

/// `12 items and 30 dependencies more, 2 items fewer, 1 item described anew`; both in order.
fn difference(before: &TopologyFile, after: &TopologyFile) -> String {
    let (more_items, fewer_items) = count_changed(&before.names(), &after.names());
    let (more_edges, fewer_edges) = count_changed(&before.edges, &after.edges);
    let mut parts = Vec::new();
    parts.extend(counted(more_items, more_edges).map(|text| format!("{text} more")));
    parts.extend(counted(fewer_items, fewer_edges).map(|text| format!("{text} fewer")));
    let anew = described_anew(&before.nodes, &after.nodes);
    parts.extend((anew > 0).then(|| format!("{} described anew", plural(anew, "item", "items"))));
    if parts.is_empty() { "nothing more, nothing fewer".to_owned() } else { parts.join(", ") }
}

fn counted(items: usize, dependencies: usize) -> Option<String> {
    let items = (items > 0).then(|| plural(items, "item", "items"));
    let dependencies = (dependencies > 0).then(|| plural(dependencies, "dependency", "dependencies"));
    let parts: Vec<String> = items.into_iter().chain(dependencies).collect();
    (!parts.is_empty()).then(|| parts.join(" and "))
}

fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// How many are only in `after`, and only in `before`; both sorted, each entry once.
fn count_changed<T: Ord>(before: &[T], after: &[T]) -> (usize, usize) {
    let (mut at, mut both) = (0, 0);
    for entry in after {
        while before.get(at).is_some_and(|known| known < entry) {
            at += 1;
        }
        both += usize::from(before.get(at) == Some(entry));
    }
    (after.len() - both, before.len() - both)
}

/// Items that both describe, each in another way.
fn described_anew(before: &[ConfigurationItem], after: &[ConfigurationItem]) -> usize {
    let earlier = |item: &ConfigurationItem| before.binary_search_by(|known| known.id.cmp(&item.id)).ok();
    after.iter().filter(|item| earlier(item).is_some_and(|at| before[at] != **item)).count()
}

/// A document as one text inside of a fact. As a tree of JSON values a million edges would take most of a
/// gigabyte on their way to the store.
mod as_text {
    use std::sync::Arc;

    use serde::de::Error as _;
    use serde::ser::Error as _;
    use serde::{Deserialize, Deserializer, Serializer};

    use crate::model::topology::TopologyFile;

    pub fn serialize<S: Serializer>(topology: &TopologyFile, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&serde_json::to_string(topology).map_err(S::Error::custom)?)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<TopologyFile>, D::Error> {
        let text = String::deserialize(deserializer)?;
        serde_json::from_str(&text).map(Arc::new).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_origins_are_names() {
        for good in ["cmdb", "zabbix/prod", "a", "0._/-", &"x".repeat(64)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "-a", "/a", "CMDB", "a b", "ä", "files", "monitors", &"x".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
        insta::assert_snapshot!(check_name("CMDB").unwrap_err(), @"`origin`: expected 1 to 64 of `a` to `z`, `0` to `9`, `.`, `_`, `/` and `-`, a letter or a digit first, got `CMDB`");
    }

    #[test]
    fn what_differs_is_counted() {
        assert_eq!(count_changed(&[1, 3, 5], &[2, 3, 4, 6]), (3, 2));
        assert_eq!(count_changed::<u8>(&[], &[]), (0, 0));
        assert_eq!(count_changed(&[1, 2], &[]), (0, 2));
    }
}
