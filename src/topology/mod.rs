//! What other systems know of what depends on what, as topology. One file for each system; pure.
//!
//! A file decides what to ask next and what the answers mean; it never opens a connection.
//! `runtime/topology_pull.rs` carries questions and answers, and hands the topology to the engine.
//! This is no source: a source is told, and is told of events; here the daemon asks, and for a whole.

pub mod zabbix;

use crate::error::ErrorKind;

/// Why a topology could not be had, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct PullError {
    pub kind: ErrorKind,
    /// For people; holds no secret.
    pub reason: String,
    pub hint: &'static str,
}

impl PullError {
    pub fn new(kind: ErrorKind, reason: impl Into<String>, hint: &'static str) -> Self {
        Self { kind, reason: reason.into(), hint }
    }
}
