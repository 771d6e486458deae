//! Monitors that go on with one alert under other labels.

use super::*;

/// Critical ones go to other people.
fn by_severity() -> Policy {
    policy(serde_json::json!({"receiver": "ops", "group_by": ["site"],
        "group_wait": "1s", "group_interval": "3s", "repeat_interval": "1h",
        "routes": [{"receiver": "two", "matchers": ["severity=\"critical\""]}]}))
}

/// The alert is the same one whatever its labels are.
fn is(w: &mut World, labels: &str) {
    let event = Event { dedup_key: "disk/db-3".to_owned(), ..event(w.s.now, labels, EventStatus::Firing, None) };
    w.events(vec![event]);
}

fn is_over(w: &mut World) {
    let event = event(w.s.now, "x", EventStatus::Resolved, None);
    w.events(vec![Event { dedup_key: "disk/db-3".to_owned(), ..event }]);
}

fn nothing_is_left(w: &World) {
    assert_eq!(w.s.state.book().group_count(), 0);
    assert_eq!(w.s.state.alerts().count(), 0);
}

#[test]
fn who_knew_it_by_other_labels_hears_an_end_and_who_hears_of_it_now_its_beginning() {
    check(
        by_severity(),
        |w| {
            is(w, "x site=1 severity=warning");
            w.pass(SECOND + SECOND);
            is(w, "x site=1 severity=critical");
            w.pass(Span::from_millis(2_500));
            is(w, "x site=1 severity=warning");
            w.pass(Span::from_secs(3));
            is_over(w);
            w.pass(Span::from_secs(3));
            nothing_is_left(w);
        },
        // It has waited already: those who hear of it now hear at once.
        &[
            "1.0 ops/a: +x",
            "2.0 two/a: +x",
            "2.0 two/b: +x",
            "4.0 ops/a: -x",
            "4.5 ops/a: +x",
            "5.0 two/a: -x",
            "5.0 two/b: -x",
            "10.5 ops/a: -x",
        ],
    );
}

#[test]
fn within_its_group_it_is_news_and_no_end() {
    check(
        plain(),
        |w| {
            is(w, "x site=1 severity=warning");
            w.pass(SECOND + SECOND);
            is(w, "x site=1 severity=critical");
            w.pass(Span::from_secs(3));
            is_over(w);
            w.pass(Span::from_secs(3));
            nothing_is_left(w);
        },
        &["1.0 ops/a: +x", "4.0 ops/a: +x", "7.0 ops/a: -x"],
    );
}

#[test]
fn what_changes_back_before_anybody_was_told_has_not_changed() {
    check(
        by_severity(),
        |w| {
            is(w, "x site=1 severity=warning");
            w.pass(Span::from_millis(300));
            is(w, "x site=1 severity=critical");
            w.pass(Span::from_millis(300));
            is(w, "x site=1 severity=warning");
            w.pass(Span::from_secs(20));
            is_over(w);
            w.pass(Span::from_secs(3));
            nothing_is_left(w);
        },
        &["1.0 ops/a: +x", "22.0 ops/a: -x"],
    );
}

#[test]
fn it_may_come_back_under_other_labels_before_its_end_was_told() {
    check(
        by_severity(),
        |w| {
            is(w, "x site=1 severity=warning");
            w.pass(SECOND + SECOND);
            is_over(w);
            w.pass(Span::from_millis(500));
            is(w, "x site=1 severity=critical");
            w.pass(Span::from_secs(3));
            is_over(w);
            w.pass(Span::from_secs(3));
            nothing_is_left(w);
        },
        &["1.0 ops/a: +x", "3.5 two/a: +x", "3.5 two/b: +x", "4.0 ops/a: -x", "6.5 two/a: -x", "6.5 two/b: -x"],
    );
}

#[test]
fn who_inhibits_no_more_lets_the_others_be_heard() {
    let rule = serde_json::json!({"source_matchers": ["alertname=\"x\"", "severity=\"critical\""],
        "target_matchers": ["alertname=\"y\""], "equal": ["site"]});
    let mut policy = plain();
    policy.inhibit_rules = vec![serde_json::from_value(rule).unwrap()];
    check(
        policy,
        |w| {
            is(w, "x site=1 severity=critical");
            w.fire("y site=1");
            w.pass(SECOND + SECOND);
            is(w, "x site=1 severity=warning");
            w.pass(Span::from_secs(4));
        },
        &["1.0 ops/a: +x", "4.0 ops/a: +y +x"],
    );
}
