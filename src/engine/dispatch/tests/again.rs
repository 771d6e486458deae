//! Alerts that fire again.

use super::*;

#[test]
fn what_fires_again_before_its_end_was_told_never_ended() {
    check(
        plain(),
        |w| {
            w.fire("x site=1");
            w.pass(SECOND + SECOND);
            w.resolve("x site=1");
            w.pass(SECOND);
            w.fire("x site=1");
            w.pass(SECOND + SECOND);
        },
        &["1.0 ops/a: +x"],
    );
}

#[test]
fn where_its_end_was_told_it_is_news_and_elsewhere_it_never_ended() {
    let routes = serde_json::json!([
        {"receiver": "log", "group_interval": "1m", "continue": true, "matchers": ["site=\"1\""]},
        {"receiver": "ops", "matchers": ["site=\"1\""]},
    ]);
    check(
        policy(serde_json::json!({"receiver": "ops", "group_by": ["site"],
            "group_wait": "1s", "group_interval": "3s", "repeat_interval": "1h", "routes": routes})),
        |w| {
            w.fire("x site=1");
            w.pass(SECOND + SECOND);
            w.resolve("x site=1");
            w.pass(SECOND + SECOND + SECOND);
            w.fire("x site=1");
            w.pass(Span::from_mins(2));
            w.resolve("x site=1");
            w.pass(Span::from_mins(2));
            assert_eq!(w.s.state.book().group_count(), 0);
        },
        &["1.0 ops/a: +x", "1.0 log/log: +x", "4.0 ops/a: -x", "6.0 ops/a: +x", "126.0 ops/a: -x", "181.0 log/log: -x"],
    );
}
