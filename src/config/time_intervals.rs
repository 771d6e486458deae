//! Named times: the section `time_intervals`, and one interval wherever it stands. Decides what a sound interval is;
//! what its texts mean is in `model/time_interval.rs`.

use std::collections::BTreeMap;

use super::problem::Problems;
use super::read::{entries, is_map, items, join, kind_of, require, unknown_hint};
use super::yaml::{Node, Value};
use crate::model::TimeInterval;
use crate::model::time_interval::{
    RangeError, check_location, read_days_of_month, read_months, read_times, read_weekdays, read_years,
};

const SECTION: &str = "time_intervals";
const KEYS: [&str; 6] = ["times", "weekdays", "days_of_month", "months", "years", "location"];

pub(super) fn read_all(root: &Node, problems: &mut Problems) -> BTreeMap<String, Vec<TimeInterval>> {
    let mut named = BTreeMap::new();
    for (name, node) in entries(root, SECTION, problems) {
        let path = join(SECTION, name);
        if !matches!(node.value, Value::List(_)) {
            let message = format!("`{path}`: expected a list of intervals, got {}", kind_of(node));
            problems.error(&node.place, &path, message);
            continue;
        }
        named.insert(name.clone(), read_list(node.items(), &path, problems));
    }
    named
}

pub(super) fn read_list(list: &[Node], path: &str, problems: &mut Problems) -> Vec<TimeInterval> {
    let list = list.iter().enumerate();
    list.map(|(index, node)| read_one(node, &format!("{path}[{index}]"), problems)).collect()
}

/// What is faulty in it is reported and left out.
fn read_one(node: &Node, path: &str, problems: &mut Problems) -> TimeInterval {
    if !is_map(node, path, problems) {
        return TimeInterval::default();
    }
    report_unknown(node, path, &KEYS, problems);
    let location = node.get("location").and_then(|node| {
        let path = join(path, "location");
        read_word(node, &path, |name| check_location(name).map(|()| name.to_owned()), problems)
    });
    TimeInterval {
        times: ranges(node, "times", path, problems, times),
        weekdays: words(node, "weekdays", path, problems, read_weekdays),
        days_of_month: words(node, "days_of_month", path, problems, read_days_of_month),
        months: words(node, "months", path, problems, read_months),
        years: words(node, "years", path, problems, read_years),
        location,
    }
}

fn words<T>(
    node: &Node,
    key: &str,
    path: &str,
    problems: &mut Problems,
    read: fn(&str) -> Result<T, RangeError>,
) -> Vec<T> {
    ranges(node, key, path, problems, |node, path, problems| read_word(node, path, read, problems))
}

fn ranges<T>(
    node: &Node,
    key: &str,
    path: &str,
    problems: &mut Problems,
    read: impl Fn(&Node, &str, &mut Problems) -> Option<T>,
) -> Vec<T> {
    let list = items(node, key, path, problems);
    let path = join(path, key);
    if list.is_empty() && node.get(key).is_some_and(|node| matches!(node.value, Value::List(_))) {
        let message = format!("`{path}`: expected at least one; without any the interval would never hold");
        problems.error(node.place_of(key), &path, message).hint = Some("without the key it holds at any".to_owned());
    }
    let list = list.iter().enumerate();
    list.filter_map(|(index, node)| read(node, &format!("{path}[{index}]"), problems)).collect()
}

fn read_word<T>(
    node: &Node,
    path: &str,
    read: impl Fn(&str) -> Result<T, RangeError>,
    problems: &mut Problems,
) -> Option<T> {
    let word = match &node.value {
        Value::Text(text) | Value::Plain(text) => text.clone(),
        Value::Integer(number) => number.to_string(),
        _ => {
            problems.error(&node.place, path, format!("`{path}`: expected text, got {}", kind_of(node)));
            return None;
        }
    };
    sound(read(&word), node, path, problems)
}

fn sound<T>(read: Result<T, RangeError>, node: &Node, path: &str, problems: &mut Problems) -> Option<T> {
    match read {
        Ok(value) => Some(value),
        Err(error) => {
            problems.error(&node.place, path, format!("`{path}`: {error}"));
            None
        }
    }
}

fn times(node: &Node, path: &str, problems: &mut Problems) -> Option<(u16, u16)> {
    if !is_map(node, path, problems) {
        return None;
    }
    const KEYS: [&str; 2] = ["start_time", "end_time"];
    report_unknown(node, path, &KEYS, problems);
    if !require(node, path, &KEYS, problems) {
        return None;
    }
    let mut text = |key: &str| {
        let node = node.get(key)?;
        read_word(node, &join(path, key), |text| Ok(text.to_owned()), problems)
    };
    let (start, end) = (text("start_time")?, text("end_time")?);
    sound(read_times(&start, &end), node, path, problems)
}

fn report_unknown(node: &Node, path: &str, known: &[&str], problems: &mut Problems) {
    for (key, node) in node.entries().iter().filter(|(key, _)| !known.contains(&key.as_str())) {
        let message = format!("unknown key `{key}` in `{path}`");
        problems.error(&node.place, join(path, key), message).hint = unknown_hint(key, known, "keys");
    }
}
