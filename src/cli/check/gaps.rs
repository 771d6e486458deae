//! Times at which nobody will be on call, as far as the configuration goes: what people have changed since is known to
//! the daemon only.

use crate::config::Problem;
use crate::engine::policy::Policy;
use crate::model::{Span, Timestamp};

/// How far is looked ahead.
const AHEAD: Span = Span::from_hours(30 * 24);
/// Gaps of a schedule that are listed.
const LISTED_MAX: usize = 3;

/// A warning for each schedule in which somebody is missing.
pub fn warnings(policy: &Policy, now: Timestamp) -> Vec<Problem> {
    let watched = policy.schedules.iter().filter(|(_, schedule)| !schedule.may_have_gaps);
    watched
        .filter_map(|(name, schedule)| {
            let gaps = schedule.calendar(&[]).gaps(now, now + AHEAD);
            let listed: Vec<String> = gaps
                .iter()
                .take(LISTED_MAX)
                .map(|gap| format!("from {} until {}", gap.starts_at, gap.ends_at))
                .collect();
            let more = gaps.len().saturating_sub(LISTED_MAX);
            let more = if more > 0 { format!(", and {more} times more") } else { String::new() };
            (!gaps.is_empty()).then(|| Problem {
                is_warning: true,
                path: format!("schedules.{name}"),
                message: format!(
                    "nobody is on call in `schedules.{name}` {}{more}, within the next {}",
                    listed.join(", "),
                    AHEAD.human()
                ),
                hint: Some("where that is meant, `may_have_gaps: true` says so".to_owned()),
                ..Problem::default()
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Schedule;

    #[test]
    fn somebody_who_is_missing_is_named_with_the_time() {
        let schedule = |json: serde_json::Value| -> Schedule { serde_json::from_value(json).unwrap() };
        let mut policy = Policy::default();
        let layer = serde_json::json!({ "starts_at": "2026-11-02T09:00", "shift": "7d", "rotation": ["ops"] });
        let mut office = layer.clone();
        office["only"] = serde_json::json!([{ "days": ["monday:friday"], "from": "08:00", "until": "18:00" }]);
        let mut ending = layer.clone();
        ending["ends_at"] = "2026-12-01T09:00".into();
        policy.schedules.insert("always".into(), schedule(serde_json::json!({ "layers": [layer] })));
        policy.schedules.insert("ends".into(), schedule(serde_json::json!({ "layers": [ending] })));
        policy.schedules.insert("office".into(), schedule(serde_json::json!({ "layers": [office] })));
        let meant = serde_json::json!({ "layers": [office], "may_have_gaps": true });
        policy.schedules.insert("meant".into(), schedule(meant));
        let said: Vec<String> = warnings(&policy, "2026-11-21T05:00:00Z".parse().unwrap())
            .iter()
            .map(|problem| problem.message.clone())
            .collect();
        insta::assert_snapshot!(said.join("\n"), @r#"
        nobody is on call in `schedules.ends` from 2026-12-01T09:00:00.000Z until 2026-12-21T05:00:00.000Z, within the next 30d
        nobody is on call in `schedules.office` from 2026-11-21T05:00:00.000Z until 2026-11-23T08:00:00.000Z, from 2026-11-23T18:00:00.000Z until 2026-11-24T08:00:00.000Z, from 2026-11-24T18:00:00.000Z until 2026-11-25T08:00:00.000Z, and 18 times more, within the next 30d
        "#);
    }
}
