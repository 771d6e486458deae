//! The scenarios, one test each. Steps come in the middle between two moments at which a group may be told, so
//! that a busy machine changes when things happen, never what.

mod amtool;
mod bad_requests;
mod grouping;
mod inhibition;
mod integrations;
mod mail;
mod payload;
mod prometheus;
mod queries;
mod resolving;
mod restarts;
mod routing;
mod silences;
mod steadfast;
mod times;
mod trouble;

/// One receiver; groups by name are told a second after they began, then every two.
const SIMPLE: &str = r#"
route: { receiver: page, group_by: [alertname], group_wait: 1s, group_interval: 2s, repeat_interval: 1h }
receivers: [ { name: page, webhook_configs: [ { url: "@/page" } ] } ]
"#;

/// [`SIMPLE`] with another line for the route.
fn with_route(route: &str) -> String {
    format!("route: {route}\nreceivers: [ {{ name: page, webhook_configs: [ {{ url: \"@/page\" }} ] }} ]\n")
}
