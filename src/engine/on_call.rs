//! Who is on call in a schedule at an instant, with what people have changed since the configuration was written.

use crate::model::Timestamp;

use super::state::State;

/// The receiver of whoever is on call; none before the schedule starts or for an unknown schedule.
pub fn who(state: &State, schedule: &str, at: Timestamp) -> Option<String> {
    state.policy().schedules.get(schedule)?.calendar(&[]).who(at).map(str::to_owned)
}
