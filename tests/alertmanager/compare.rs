//! Both sides' notifications, one by one. Decides which of them belong together (the same hook and group, in
//! order) and prints the sides beside each other where they differ.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use serde_json::Value;

use crate::difference::{Rules, differences};
use crate::notification::{Heard, Notification};

/// Width of one side in print.
const COLUMN: usize = 50;

/// What differs, for people; empty when nothing does.
pub fn compare(theirs: &Heard, ours: &Heard, rules: &Rules, seconds_apart_max: f64) -> String {
    let nothing = Vec::new();
    let keys: BTreeSet<&(String, String)> = theirs.keys().chain(ours.keys()).collect();
    let mut report = String::new();
    for key in keys {
        let (their, our) = (theirs.get(key).unwrap_or(&nothing), ours.get(key).unwrap_or(&nothing));
        let mut found = Vec::new();
        if their.len() != our.len() {
            found.push(format!("they told {} times, we told {} times", their.len(), our.len()));
        }
        for (index, (theirs, ours)) in their.iter().zip(our).enumerate() {
            found.extend(
                pair(theirs, ours, rules, seconds_apart_max).into_iter().map(|line| format!("[{index}]{line}")),
            );
        }
        if !found.is_empty() {
            let (hook, group) = key;
            let _ = writeln!(report, "{hook}, group {group}:\n{}", side_by_side(their, our));
            found.iter().for_each(|line| report.push_str(&format!("  {line}\n")));
        }
    }
    report
}

fn pair(theirs: &Notification, ours: &Notification, rules: &Rules, seconds_apart_max: f64) -> Vec<String> {
    let mut found = differences(&theirs.body, &ours.body, rules);
    if theirs.answer != ours.answer {
        found.push(format!(" they were answered {:?}, we were answered {:?}", theirs.answer, ours.answer));
    }
    let apart = ours.at - theirs.at;
    if apart.abs() > seconds_apart_max {
        found.push(format!(" we told it {apart:+.2} s after them; at most {seconds_apart_max:.2} s either way"));
    }
    found
}

/// Times and alerts of both sides in two columns.
pub fn side_by_side(theirs: &[Notification], ours: &[Notification]) -> String {
    let mut text = format!("  {:<COLUMN$} {}\n", "Alertmanager", "Watchbell");
    for index in 0..theirs.len().max(ours.len()) {
        let cell = |told: &[Notification]| {
            told.get(index).map_or("-".to_owned(), |one| {
                let status = one.body.get("status").and_then(Value::as_str).unwrap_or("?");
                format!("{:6.2} s {status} {}", one.at, one.line())
            })
        };
        let _ = writeln!(text, "  {:<COLUMN$} {}", cell(theirs), cell(ours));
    }
    text
}
