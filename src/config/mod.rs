//! The configuration: one YAML file or several, variables over them, and every problem at once with
//! its line. Decides what a key means and whether the whole makes sense; never opens a connection or
//! the store, so that `watchbell check` can run anywhere.
//!
//! ```text
//! files ─▶ yaml ─▶ layers (merge, ${NAME}, *_file) ─▶ validate ─▶ Configuration | every Problem
//! ```

mod alert_tests;
pub mod alertmanager;
mod escalation;
mod heartbeats;
mod layers;
mod load;
mod nagios;
mod people;
mod policy;
mod problem;
mod quiet;
mod read;
mod receivers;
mod references;
mod rhythm;
mod route;
mod schedules;
mod schema;
mod self_check;
mod sources;
mod templates;
mod time_intervals;
mod tls;
mod topology;
mod unused;
mod validate;
mod yaml;
mod yaml_text;
mod zabbix;

pub use alert_tests::{AlertTest, Expectation, OneOrMore, Sample, read_alert_tests};
pub use load::load;
pub use problem::Problem;
pub use schema::*;
pub use topology::read_topology;

#[cfg(test)]
mod tests;
