//! One fault with more items than are ranked: the cause is found all the same, whatever it is called.

use super::scenario::Scenario;
use super::*;

const HOSTS: usize = 1_500;

/// A site on which every host depends; its name comes last in every order.
fn site() -> Policy {
    let mut policy = Policy::default();
    for number in 0..HOSTS {
        let edge = serde_json::json!({"from": format!("node-{number:04}"), "to": "site-z"});
        policy.topology.edges.push(serde_json::from_value(edge).unwrap());
    }
    policy
}

fn fail(s: &mut Scenario, each: Span) {
    for number in 0..HOSTS {
        s.fire("prometheus", &format!("node-{number:04}"), "LinkDown", CRITICAL);
        s.now = s.now + each;
    }
}

#[test]
fn a_router_with_a_thousand_hosts_behind_it_is_to_blame() {
    let mut s = Scenario::new(site());
    s.fire("nagios", "site-z", "PING", CRITICAL);
    fail(&mut s, Span::from_millis(1));
    let incident = s.open()[0];
    assert_eq!((s.open().len(), incident.alert_count as usize), (1, HOSTS + 1));
    assert_eq!(incident.root_cause.as_ref().unwrap().configuration_item, "site-z");
}

#[test]
fn so_is_one_that_nobody_monitors() {
    let mut s = Scenario::new(site());
    fail(&mut s, Span::from_millis(1));
    let largest = s.open().into_iter().max_by_key(|incident| incident.alert_count).unwrap();
    assert!(largest.alert_count as usize > HOSTS - 10, "{} alerts", largest.alert_count);
    assert_eq!(largest.root_cause.as_ref().unwrap().configuration_item, "site-z");
}

/// The first hosts by name have failed long before the last ones do.
#[test]
fn a_storm_that_goes_on_for_minutes_is_one_fault() {
    let mut s = Scenario::new(site());
    fail(&mut s, Span::from_millis(100));
    let largest = s.open().into_iter().max_by_key(|incident| incident.alert_count).unwrap();
    assert!(largest.alert_count as usize > HOSTS - 10, "{} alerts, {} incidents", largest.alert_count, s.open().len());
    assert_eq!(largest.root_cause.as_ref().unwrap().configuration_item, "site-z");
}
