//! Times of the week and year, as Alertmanager's `time_intervals` describe them.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// All of its conditions hold at once; an empty list is no condition. Ranges hold both of their ends, but `times`,
/// whose end is outside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TimeInterval {
    /// Minutes of the day, 0 to 1440.
    pub times: Vec<(u16, u16)>,
    /// 0 is Sunday.
    pub weekdays: Vec<(u8, u8)>,
    /// 1 to 31, or −1 to −31 from the end of the month.
    pub days_of_month: Vec<(i8, i8)>,
    /// 1 to 12.
    pub months: Vec<(u8, u8)>,
    pub years: Vec<(i16, i16)>,
    /// A name of the time zone database; UTC without one.
    pub location: Option<String>,
}

impl TimeInterval {
    pub fn contains(&self, at: Timestamp) -> bool {
        let _ = at;
        false
    }
}
