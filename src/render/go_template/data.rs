//! What `.` is.

use crate::model::{GroupView, Timestamp};

/// A group of alerts as templates see it. Built once for one send.
#[derive(Clone, Debug)]
pub struct TemplateData {
    _group: GroupView,
}

impl TemplateData {
    pub fn new(group: &GroupView, _external_url: &str, _now: Timestamp) -> Self {
        Self { _group: group.clone() }
    }
}
