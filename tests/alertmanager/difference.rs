//! What differs between two JSON documents that should say the same. Decides what may differ: moments within a
//! tolerance, ids, and keys that Alertmanager learned after the version beside which Watchbell runs.

use std::time::Duration;

use regex::Regex;
use serde_json::Value;

/// Keys that Alertmanager 0.25 does not have and 0.34 does.
const NEWER_KEYS: [&str; 5] = ["notification_reason", "routeLabels", "mutedBy", "annotations", "labels"];
/// Go's zero time: an alert that has not ended.
const NEVER: &str = "0001-01-01T00:00:00Z";

pub struct Rules {
    /// Moments that the programs set by themselves.
    pub times_within: Duration,
    /// Whether every `startsAt` came from outside, and so is the same to the millisecond.
    pub exact_starts: bool,
}

/// Where they differ, one line each.
pub fn differences(theirs: &Value, ours: &Value, rules: &Rules) -> Vec<String> {
    let mut found = Vec::new();
    walk("", theirs, ours, rules, &mut found);
    found
}

fn walk(path: &str, theirs: &Value, ours: &Value, rules: &Rules, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(their), Value::Object(our)) => {
            for (key, value) in their {
                if key == "state" && is_muted_by_time(our) {
                    continue;
                }
                walk(&format!("{path}.{key}"), value, our.get(key).unwrap_or(&Value::Null), rules, found);
            }
            for (key, value) in our {
                if !their.contains_key(key) && !NEWER_KEYS.contains(&key.as_str()) {
                    found.push(format!("{path}.{key}: they do not have it, we say `{value}`"));
                }
            }
        }
        (Value::Array(their), Value::Array(our)) => {
            if their.len() != our.len() {
                found.push(format!("{path}: they have {} entries, we have {}", their.len(), our.len()));
            }
            for (index, (theirs, ours)) in their.iter().zip(our).enumerate() {
                walk(&format!("{path}[{index}]"), theirs, ours, rules, found);
            }
        }
        (Value::String(their), Value::String(our)) if are_alike(path, their, our, rules) => {}
        (theirs, ours) if theirs == ours => {}
        _ => found.push(format!("{path}: they say `{theirs}`, we say `{ours}`")),
    }
}

/// Since 0.28 an alert whose route is mute is `suppressed`; before, it was `active`.
fn is_muted_by_time(ours: &serde_json::Map<String, Value>) -> bool {
    let muted_by = ours.get("mutedBy").and_then(Value::as_array);
    ours.get("state").is_some_and(|state| state == "suppressed") && muted_by.is_some_and(|names| !names.is_empty())
}

fn are_alike(path: &str, theirs: &str, ours: &str, rules: &Rules) -> bool {
    if theirs == ours {
        return true;
    }
    let moments = (theirs.parse::<jiff::Timestamp>(), ours.parse::<jiff::Timestamp>());
    if let (Ok(their), Ok(our)) = moments {
        let is_posted = path.ends_with(".startsAt") && rules.exact_starts;
        let within = if is_posted { Duration::ZERO } else { rules.times_within };
        return theirs != NEVER && ours != NEVER && their.duration_since(our).unsigned_abs() <= within;
    }
    without_ids(theirs) == without_ids(ours)
}

/// Ids are drawn by lot; where one stands is what matters.
pub fn without_ids(text: &str) -> String {
    let id = Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").expect("the expression is right");
    id.replace_all(text, "<id>").into_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(theirs: Value, ours: Value, expected: &[&str]) {
        let rules = Rules { times_within: Duration::from_secs(1), exact_starts: true };
        assert_eq!(differences(&theirs, &ours, &rules), expected);
    }

    #[test]
    fn ids_and_moments_may_differ_a_little() {
        let (a, b) = ("5f1b2c3d-0000-4000-8000-0123456789ab", "00000000-1111-4222-8333-444455556666");
        check(json!({"id": a}), json!({"id": b}), &[]);
        let (early, late) = ("2026-11-28T10:00:00.1Z", "2026-11-28T10:00:00.9Z");
        check(json!({"endsAt": early}), json!({"endsAt": late}), &[]);
        let line = format!(".startsAt: they say `\"{early}\"`, we say `\"{late}\"`");
        check(json!({"startsAt": early}), json!({"startsAt": late}), &[&line]);
        let line = format!(".endsAt: they say `\"{NEVER}\"`, we say `\"{late}\"`");
        check(json!({"endsAt": NEVER}), json!({"endsAt": late}), &[&line]);
    }

    #[test]
    fn what_is_missing_or_too_much_is_named() {
        check(json!({"a": [1, 2]}), json!({"a": [1]}), &[".a: they have 2 entries, we have 1"]);
        check(json!({"a": 1}), json!({}), &[".a: they say `1`, we say `null`"]);
        check(json!({}), json!({"b": 1}), &[".b: they do not have it, we say `1`"]);
        check(json!({}), json!({"mutedBy": []}), &[]);
        let muted = json!({"state": "suppressed", "mutedBy": ["weekend"]});
        check(json!({"state": "active"}), muted, &[]);
        let line = ".state: they say `\"active\"`, we say `\"suppressed\"`";
        check(json!({"state": "active"}), json!({"state": "suppressed", "mutedBy": []}), &[line]);
    }
}
