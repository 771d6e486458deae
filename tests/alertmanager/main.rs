//! Watchbell beside the real Alertmanager: the same `alertmanager.yml`, the same steps at the same moments, and
//! then every notification, every answer of the API and every output of `amtool` compared one by one.
//!
//! Decides what may differ (times within a tolerance, ids, versions, what Alertmanager did not have yet) and
//! what Watchbell must do better: after `kill -9` it loses nothing and repeats nothing. Needs Debian's
//! `prometheus-alertmanager` and `prometheus`, and runs only when asked to:
//!
//! ```text
//! ./tests/run                                                             installs them and runs all
//! WATCHBELL_E2E=1 cargo nextest run --test-threads 8 --test alertmanager  when they are installed already
//! WATCHBELL_COMPARE_WITH=reference …                                      Alertmanager beside itself: is the
//!                                                                         comparison itself steady here?
//! ```

#![allow(clippy::disallowed_methods, reason = "real programs run on the real clock")]

mod alert;
mod compare;
mod difference;
#[path = "../e2e/lab/guard.rs"]
#[allow(clippy::disallowed_types, reason = "shared with the lab of the end-to-end tests")]
mod guard;
mod lab;
mod notification;
#[path = "../e2e/lab/port.rs"]
#[allow(clippy::disallowed_types, reason = "shared with the lab of the end-to-end tests")]
mod port;
mod program;
mod receiver;
mod scenarios;
mod side;
#[path = "../support/smtp.rs"]
mod smtp;
