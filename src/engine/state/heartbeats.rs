//! Heartbeats as the state holds them, with their moments. What they lead to is decided in `engine/heartbeat.rs`.

use super::{State, fact};
use crate::engine::deadline::Deadline;
use crate::engine::heartbeat;
use crate::model::Heartbeat;

impl State {
    /// All that are expected, by name.
    pub fn heartbeats(&self) -> impl Iterator<Item = (&str, &Heartbeat)> {
        self.heartbeats.iter().map(|(name, heartbeat)| (name.as_str(), heartbeat))
    }

    /// Those whose names are higher, in order.
    pub fn heartbeats_after(&self, last: Option<&str>) -> impl Iterator<Item = (&str, &Heartbeat)> {
        use std::ops::Bound::{Excluded, Unbounded};
        let from = last.map_or(Unbounded, Excluded);
        let range = self.heartbeats.range::<str, _>((from, Unbounded));
        range.map(|(name, heartbeat)| (name.as_str(), heartbeat))
    }

    pub fn heartbeat(&self, name: &str) -> Option<&Heartbeat> {
        self.heartbeats.get(name)
    }

    /// Keeps one as it is now.
    pub(in crate::engine) fn put_heartbeat(&mut self, name: &str, heartbeat: Heartbeat) {
        self.remember(fact::HEARTBEAT, name, serde_json::to_value(&heartbeat).ok());
        self.heartbeats.insert(name.to_owned(), heartbeat);
        self.deadlines.set(Deadline::Heartbeat(name.to_owned()), heartbeat::moment(self, name));
    }

    pub(in crate::engine) fn forget_heartbeat(&mut self, name: &str) {
        self.remember(fact::HEARTBEAT, name, None);
        self.deadlines.set(Deadline::Heartbeat(name.to_owned()), None);
        self.heartbeats.remove(name);
    }
}
