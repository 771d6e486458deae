//! Inhibition of what depends on the failing item.

use super::*;

fn on(w: &mut World, item: &str, name: &str, status: EventStatus) {
    let labels = format!("{name} instance={item}");
    let event = Event { configuration_item: Some(item.into()), ..event(w.s.now, &labels, status, None) };
    w.events(vec![event]);
}

#[test]
fn what_depends_on_a_host_that_is_down_stays_quiet_and_nothing_else_does() {
    let rule = serde_json::json!({"source_matchers": ["alertname=\"down\""], "dependants_only": true});
    let topology = serde_json::json!({"nodes": [],
        "edges": [{"from": "web1", "to": "rack7", "kind": "depends_on"}, {"from": "rack7", "to": "rtr1", "kind": "depends_on"}]});
    let mut policy = plain();
    policy.route.group_by = Some(vec!["instance".to_owned()]);
    policy.inhibit_rules = vec![serde_json::from_value(rule).unwrap()];
    policy.topology = serde_json::from_value(topology).unwrap();
    check(
        policy,
        |w| {
            on(w, "web1", "slow", EventStatus::Firing);
            on(w, "rtr1", "down", EventStatus::Firing);
            on(w, "web2", "slow", EventStatus::Firing);
            w.pass(Span::from_secs(6));
            on(w, "rtr1", "down", EventStatus::Resolved);
            w.pass(Span::from_secs(4));
        },
        &["1.0 ops/a: +down", "1.0 ops/a: +slow", "7.0 ops/a: +slow", "7.0 ops/a: -down"],
    );
}
