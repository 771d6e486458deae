//! Who is on call in a schedule at an instant: an override that covers it, else the turn of the rotation.

use crate::model::Timestamp;

use super::policy::Policy;

/// The receiver of whoever is on call; none before the schedule starts or for an unknown schedule.
pub fn who(policy: &Policy, schedule: &str, at: Timestamp) -> Option<String> {
    let schedule = policy.schedules.get(schedule)?;
    // The last override that covers the instant wins, so that a swap can be swapped again.
    let covering = schedule.overrides.iter().rfind(|shift| shift.starts_at <= at && at < shift.ends_at);
    if let Some(shift) = covering {
        return Some(shift.receiver.clone());
    }
    let elapsed_ms = at.since(schedule.starts_at).as_millis();
    let shift_ms = schedule.shift.as_millis();
    if elapsed_ms < 0 || shift_ms <= 0 || schedule.rotation.is_empty() {
        return None;
    }
    let turn = (elapsed_ms / shift_ms) as usize % schedule.rotation.len();
    Some(schedule.rotation[turn].clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::policy::{Override, Schedule};
    use crate::model::Span;

    #[test]
    fn turns_rotate_and_overrides_win() {
        let start: Timestamp = "2026-11-02T08:00:00Z".parse().unwrap();
        let week = Span::from_hours(7 * 24);
        let schedule = Schedule {
            starts_at: start,
            shift: week,
            rotation: vec!["anna".into(), "ben".into()],
            overrides: vec![Override {
                starts_at: start + week,
                ends_at: start + week + Span::from_hours(1),
                receiver: "cleo".into(),
            }],
        };
        let mut policy = Policy::default();
        policy.schedules.insert("ops".into(), schedule);
        let at = |span| who(&policy, "ops", start + span);
        assert_eq!(at(Span::ZERO).as_deref(), Some("anna"));
        assert_eq!(at(week).as_deref(), Some("cleo"));
        assert_eq!(at(week + Span::from_hours(1)).as_deref(), Some("ben"));
        assert_eq!(at(Span::from_hours(14 * 24)).as_deref(), Some("anna"));
        assert_eq!(at(Span::from_millis(-1)), None);
    }
}
