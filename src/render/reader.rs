//! Who reads: in which language, and on which clock. Times are written in the manner of the language and in the reader's
//! time zone, which is named beside them.

use super::text::{self, Argument, Language};
use crate::model::{Timestamp, zone};

/// Where no time zone is configured.
pub const TIME_ZONE: &str = "UTC";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    pub language: Language,
    /// A name of the time zone database.
    pub time_zone: String,
}

impl Reader {
    /// On the clock of everybody.
    pub fn new(language: Language) -> Self {
        Self { language, time_zone: TIME_ZONE.to_owned() }
    }

    /// The message of that key, as for [`text::message`].
    pub fn say(&self, key: &str, arguments: &[(&'static str, Argument<'_>)]) -> String {
        text::message(self.language, key, arguments)
    }

    /// Minutes are what a person at night can use: `2026-11-21 06:00 CET`.
    pub fn date_time(&self, at: Timestamp) -> String {
        self.format(
            at,
            match self.language {
                Language::En => "%Y-%m-%d %H:%M %Z",
                Language::De | Language::Pl => "%d.%m.%Y %H:%M %Z",
                Language::It => "%d/%m/%Y %H:%M %Z",
                Language::Nb => "%d.%m.%Y kl. %H:%M %Z",
            },
        )
    }

    /// `06:00`.
    pub fn time(&self, at: Timestamp) -> String {
        self.format(at, "%H:%M")
    }

    fn format(&self, at: Timestamp, format: &str) -> String {
        let instant = jiff::Timestamp::from_millisecond(at.as_millis());
        let zone = zone::find(&self.time_zone).unwrap_or(jiff::tz::TimeZone::UTC);
        // Every time of ours is within what a calendar can show.
        instant.map_or_else(|_| at.to_string(), |at| at.to_zoned(zone).strftime(format).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_readers_write_them() {
        let at: Timestamp = "2026-11-21T05:12:33Z".parse().unwrap();
        let read = |language, time_zone: &str| Reader { language, time_zone: time_zone.into() }.date_time(at);
        assert_eq!(read(Language::En, "UTC"), "2026-11-21 05:12 UTC");
        assert_eq!(read(Language::En, "America/New_York"), "2026-11-21 00:12 EST");
        assert_eq!(read(Language::De, "Europe/Berlin"), "21.11.2026 06:12 CET");
        assert_eq!(read(Language::Pl, "Europe/Warsaw"), "21.11.2026 06:12 CET");
        assert_eq!(read(Language::It, "Europe/Rome"), "21/11/2026 06:12 CET");
        assert_eq!(read(Language::Nb, "Europe/Oslo"), "21.11.2026 kl. 06:12 CET");
        let summer: Timestamp = "2026-07-01T22:30:00Z".parse().unwrap();
        let berlin = Reader { language: Language::De, time_zone: "Europe/Berlin".into() };
        assert_eq!((berlin.date_time(summer), berlin.time(summer)), ("02.07.2026 00:30 CEST".into(), "00:30".into()));
    }
}
