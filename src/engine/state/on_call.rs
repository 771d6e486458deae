//! Overrides that people made, as the state holds them, and when schedules are looked at. What they lead to is decided in
//! `engine/on_call.rs`.

use std::sync::Arc;

use super::{State, fact};
use crate::engine::deadline::Deadline;
use crate::engine::on_call::{self, Overrides};
use crate::model::Timestamp;
use crate::model::schedule::MadeOverride;

impl State {
    pub fn overrides(&self) -> &Overrides {
        &self.overrides
    }

    /// To be read elsewhere while the state goes on.
    pub fn shared_overrides(&self) -> Arc<Overrides> {
        Arc::clone(&self.overrides)
    }

    /// Keeps one as it is now.
    pub(in crate::engine) fn put_override(&mut self, made: MadeOverride) {
        self.remember(fact::OVERRIDE, key(&made.schedule, &made.id), serde_json::to_value(&made).ok());
        Arc::make_mut(&mut self.overrides).put(made, &self.policy);
    }

    pub(in crate::engine) fn forget_override(&mut self, schedule: &str, id: &str) {
        self.remember(fact::OVERRIDE, key(schedule, id), None);
        Arc::make_mut(&mut self.overrides).remove(schedule, id, &self.policy);
    }

    pub(super) fn restore_override(&mut self, made: MadeOverride) {
        Arc::make_mut(&mut self.overrides).put(made, &self.policy);
    }

    /// Follows another policy.
    pub(super) fn recount_overrides(&mut self) {
        Arc::make_mut(&mut self.overrides).count_all(&self.policy);
        self.schedule_on_call();
    }

    /// When gaps in schedules were looked for last.
    pub(in crate::engine) fn gaps_looked_at(&self) -> Option<Timestamp> {
        self.gaps_looked_at
    }

    pub(in crate::engine) fn set_gaps_looked_at(&mut self, at: Timestamp) {
        self.remember(fact::GAPS_LOOKED_AT, "", serde_json::to_value(at).ok());
        self.gaps_looked_at = Some(at);
    }

    pub(in crate::engine) fn schedule_on_call(&mut self) {
        let at = on_call::moment(self);
        self.deadlines.set(Deadline::OnCall, at);
    }
}

fn key(schedule: &str, id: &str) -> String {
    format!("{schedule}/{id}")
}
