//! Wall clocks: the time zones that are built in, so that a replay finds the same moments on every machine, and the way
//! from an instant to what a clock on the wall shows and back.

use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::LazyLock;

use super::Timestamp;

static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// By a name of the time zone database, such as `Europe/Berlin`.
pub fn find(name: &str) -> Option<TimeZone> {
    ZONES.get(name).ok()
}

/// What a clock on the wall shows; none outside the calendar.
pub fn local(zone: &TimeZone, at: Timestamp) -> Option<DateTime> {
    let at = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
    Some(zone.to_datetime(at))
}

/// When a clock on the wall shows that. A time that is left out when clocks are put forward is an hour later, one that
/// they repeat is the first of the two.
pub fn instant(zone: &TimeZone, at: DateTime) -> Option<Timestamp> {
    let at = zone.to_ambiguous_timestamp(at).compatible().ok()?;
    Some(Timestamp::from_millis(at.as_millisecond()))
}
