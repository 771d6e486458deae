//! The recording: what three monitors post while a router takes three hosts down, and while it comes
//! back. Decides when each request is due and what its times become; never sends anything.
//!
//! The bodies are those of Nagios Core 4.4.6, Zabbix 6.0.14 and Prometheus 3.5.3 in one lab, put
//! together on one timetable with short intervals. The order is theirs: children are reported before
//! the router, Zabbix repeats what it believes lost, Prometheus repeats everything.
//!
//! One request a line. Instead of a time a body holds `{{ACT MS FORMAT}}` or `{{ACT MS FORMAT LATER_MS}}`:
//! that many milliseconds after the act began, at the speed of the show, plus a span that no speed changes.
//!
//! ```text
//! {"act":"outage","at_ms":1850,"monitor":"nagios","path":"/in/nagios","says":"host rtr1 is DOWN","body":{…"TIMET":"{{outage 1850 epoch}}"…}}
//! ```

use anyhow::{Context, bail};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::model::{Span, Timestamp};

const RECORDING: &str = include_str!("outage.jsonl");

/// The item that fails first, whatever comes in first.
pub const ROOT_CAUSE: &str = "rtr1";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    Outage,
    Repair,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    pub act: Act,
    /// Since the beginning of its act.
    pub at_ms: i64,
    /// Also the name of the source in `demo.yaml`.
    pub monitor: String,
    pub path: String,
    /// The body in a few words.
    pub says: String,
    body: Box<RawValue>,
}

impl Request {
    /// The body with the times of this playback.
    ///
    /// # Errors
    /// When the recording has a placeholder that cannot be filled in.
    pub fn body(&self, playback: &Playback) -> anyhow::Result<String> {
        fill(self.body.get(), playback).with_context(|| format!("cannot fill in the times of `{}`", self.says))
    }
}

/// All requests in their order.
///
/// # Errors
/// When the embedded recording is damaged.
pub fn recording() -> anyhow::Result<Vec<Request>> {
    let lines = RECORDING.lines().enumerate();
    lines
        .map(|(index, line)| {
            serde_json::from_str(line).with_context(|| format!("cannot read line {} of the recording", index + 1))
        })
        .collect()
}

/// When the two acts began, and how fast they go.
#[derive(Clone, Copy, Debug)]
pub struct Playback {
    pub outage_at: Timestamp,
    /// Unknown until the outage is over.
    pub repair_at: Option<Timestamp>,
    /// 2 is twice as fast as recorded.
    pub speed: f64,
}

impl Playback {
    /// The instant of a recorded moment; none while its act has not begun.
    pub fn moment(&self, act: Act, at_ms: i64) -> Option<Timestamp> {
        let began_at = match act {
            Act::Outage => self.outage_at,
            Act::Repair => self.repair_at?,
        };
        Some(began_at + self.scaled(at_ms))
    }

    /// A recorded span at the speed of the show.
    pub fn scaled(&self, ms: i64) -> Span {
        Span::from_millis((ms as f64 / self.speed) as i64)
    }
}

/// Replaces every placeholder in a text.
fn fill(text: &str, playback: &Playback) -> anyhow::Result<String> {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (inside, after) = after.split_once("}}").context("expected `}}` after `{{`")?;
        filled.push_str(before);
        filled.push_str(&time(inside, playback).with_context(|| format!("cannot fill in `{{{{{inside}}}}}`"))?);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}

fn time(placeholder: &str, playback: &Playback) -> anyhow::Result<String> {
    let words: Vec<&str> = placeholder.split(' ').collect();
    let (act, at_ms, format, later_ms) = match words[..] {
        [act, at_ms, format] => (act, at_ms, format, "0"),
        [act, at_ms, format, later_ms] => (act, at_ms, format, later_ms),
        _ => bail!("expected an act, milliseconds and a format, got {} words", words.len()),
    };
    let act = match act {
        "outage" => Act::Outage,
        "repair" => Act::Repair,
        _ => bail!("expected `outage` or `repair`, got `{act}`"),
    };
    let number = |text: &str| text.parse::<i64>().with_context(|| format!("expected milliseconds, got `{text}`"));
    let at = playback.moment(act, number(at_ms)?).context("its act has not begun")?;
    formatted(at + Span::from_millis(number(later_ms)?), format)
}

/// As the monitors write times: Nagios in seconds and as `date` does, Zabbix as two texts, all in UTC.
fn formatted(at: Timestamp, format: &str) -> anyhow::Result<String> {
    let pattern = match format {
        "rfc3339" => return Ok(at.to_string()),
        "epoch" => return Ok(at.as_millis().div_euclid(1_000).to_string()),
        "date" => "%Y.%m.%d",
        "time" => "%H:%M:%S",
        "short" => "%Y-%m-%d %H:%M:%S",
        "long" => "%a %b %d %H:%M:%S UTC %Y",
        _ => bail!("expected `rfc3339`, `epoch`, `date`, `time`, `short` or `long`, got `{format}`"),
    };
    let at = jiff::Timestamp::from_millisecond(at.as_millis())?;
    Ok(at.strftime(pattern).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn playback() -> Playback {
        Playback {
            outage_at: "2026-11-21T05:00:00.250Z".parse().unwrap(),
            repair_at: Some("2026-11-21T05:00:20Z".parse().unwrap()),
            speed: 2.0,
        }
    }

    fn check(text: &str) -> String {
        fill(text, &playback()).unwrap_or_else(|error| format!("{error:#}"))
    }

    #[test]
    fn times_are_filled_in() {
        insta::assert_snapshot!(check(r#"{"t":"{{outage 3000 epoch}}"}"#), @r#"{"t":"1795237201"}"#);
        insta::assert_snapshot!(check("{{outage -600000 epoch}}"), @"1795236900");
        insta::assert_snapshot!(check("{{repair 500 rfc3339}}"), @"2026-11-21T05:00:20.250Z");
        insta::assert_snapshot!(check("{{outage 1000 rfc3339 240000}}"), @"2026-11-21T05:04:00.750Z");
        insta::assert_snapshot!(check("at {{outage 0 time}} on {{outage 0 date}}"), @"at 05:00:00 on 2026.11.21");
        insta::assert_snapshot!(check("{{outage 0 short}} {{outage 0 long}}"), @"2026-11-21 05:00:00 Sat Nov 21 05:00:00 UTC 2026");
        insta::assert_snapshot!(check("{EVENT.RECOVERY.ID} {}"), @"{EVENT.RECOVERY.ID} {}");
    }

    #[test]
    fn a_wrong_placeholder_is_named() {
        insta::assert_snapshot!(check("{{outage 1 epoch"), @"expected `}}` after `{{`");
        insta::assert_snapshot!(check("{{outage}}"), @"cannot fill in `{{outage}}`: expected an act, milliseconds and a format, got 1 words");
        insta::assert_snapshot!(check("{{pause 1 epoch}}"), @"cannot fill in `{{pause 1 epoch}}`: expected `outage` or `repair`, got `pause`");
        insta::assert_snapshot!(check("{{outage x epoch}}"), @"cannot fill in `{{outage x epoch}}`: expected milliseconds, got `x`: invalid digit found in string");
        insta::assert_snapshot!(check("{{outage 1 unix}}"), @"cannot fill in `{{outage 1 unix}}`: expected `rfc3339`, `epoch`, `date`, `time`, `short` or `long`, got `unix`");
    }

    #[test]
    fn nothing_is_over_before_it_has_begun() {
        let playback = Playback { repair_at: None, ..playback() };
        let error = fill("{{repair 0 epoch}}", &playback).unwrap_err();
        insta::assert_snapshot!(format!("{error:#}"), @"cannot fill in `{{repair 0 epoch}}`: its act has not begun");
    }
}
