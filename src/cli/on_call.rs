//! `watchbell on-call`: who is on call, now or at another time, as a table. Times are those of the clock on the wall of
//! each schedule's zone. Who it is was decided by the daemon.
//!
//! ```text
//! SCHEDULE  ON CALL            SINCE             UNTIL             ZONE           BY
//! primary   anna (Anna Nowak)  2026-11-23 09:00  2026-11-30 09:00  Europe/Berlin  layer 1
//! night     nobody             2026-11-27 06:00  2026-11-27 21:00  Europe/Berlin
//! ```

use std::io::Write;
use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde_json::json;

use super::client::{self, Client};
use super::common::{Common, hint_where_unknown};
use super::failure::{Failure, note};
use super::output;
use crate::model::schedule::Wall;
use crate::model::schedule::view::{OnCallView, TurnBy};
use crate::model::{Timestamp, zone};

/// Schedules of one table.
const SHOWN_MAX: usize = 100_000;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only this schedule; all of them, when absent
    #[arg(value_name = "SCHEDULE")]
    pub schedule: Option<String>,
    /// At another time: `2026-12-24T08:00:00+01:00`, or with a schedule `2026-12-24T08:00` on its own clock
    #[arg(long, value_name = "WHEN")]
    pub at: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

/// # Errors
/// When a time cannot be read, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.common.client()?;
    let at = match &args.at {
        Some(text) => Some(moment(&client, args.schedule.as_deref(), "--at", text)?.to_string()),
        None => None,
    };
    let asked = [("at", at.as_deref()), ("schedule", args.schedule.as_deref())];
    let query: Vec<(&str, &str)> = asked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
    let (items, is_cut) = client.list(&["on-call"], &query, SHOWN_MAX).map_err(with_hint)?;
    if args.common.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let all = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<OnCallView>>>()?;
    if !all.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&all))?;
        stdout.flush()?;
    }
    note(next_step(&all));
    Ok(ExitCode::SUCCESS)
}

fn rows(all: &[OnCallView]) -> Vec<Vec<String>> {
    let mut rows = vec![["SCHEDULE", "ON CALL", "SINCE", "UNTIL", "ZONE", "BY"].map(str::to_owned).to_vec()];
    for one in all {
        let clock = Clock::of(&one.time_zone);
        rows.push(vec![
            output::line(&one.schedule),
            one.receiver.as_ref().map_or("nobody".to_owned(), |name| who(name, one.display_name.as_deref())),
            clock.show(one.starts_at),
            one.ends_at.map_or("-".to_owned(), |at| clock.show(at)),
            output::line(&one.time_zone),
            one.by.map_or(String::new(), |by| reason(by, one.layer, one.override_id.as_deref())),
        ]);
    }
    rows
}

fn next_step(all: &[OnCallView]) -> String {
    let nobody = all.iter().filter(|one| one.receiver.is_none()).count();
    match (all.len(), nobody) {
        (0, _) => "there is no schedule; `schedules` in the configuration names those that are".to_owned(),
        (count, 0) => format!("{}; `watchbell schedule NAME` shows what comes", output::plural(count, "schedule")),
        (count, nobody) => format!("{}, {nobody} with nobody", output::plural(count, "schedule")),
    }
}

/// `anna (Anna Nowak)`.
pub fn who(name: &str, display_name: Option<&str>) -> String {
    let name = output::line(name);
    display_name.map_or(name.clone(), |display| format!("{name} ({})", output::clipped(display, 40)))
}

/// `layer 2`, the first is 1; or which override.
pub fn reason(by: TurnBy, layer: Option<usize>, override_id: Option<&str>) -> String {
    match (by, override_id) {
        (TurnBy::Layer, _) => format!("layer {}", layer.unwrap_or_default() + 1),
        (TurnBy::Override, Some(id)) => format!("override {}", output::line(id)),
        (TurnBy::Override, None) => "override".to_owned(),
    }
}

/// The wall clock of a schedule.
pub struct Clock(TimeZone);

impl Clock {
    pub fn of(name: &str) -> Self {
        // One that only a newer daemon knows is shown in UTC.
        Self(zone::find(name).unwrap_or(TimeZone::UTC))
    }

    /// To the minute where that is all there is to say.
    pub fn show(&self, at: Timestamp) -> String {
        let Some(local) = zone::local(&self.0, at) else { return at.to_string() };
        let form = if local.second() == 0 && local.subsec_nanosecond() == 0 { "%F %R" } else { "%F %T" };
        local.strftime(form).to_string()
    }
}

/// A time as it was typed: an instant, or without an offset one on the clock of that schedule.
///
/// # Errors
/// When it is none, or the daemon does not tell the schedule's zone.
pub fn moment(client: &Client, schedule: Option<&str>, flag: &str, text: &str) -> anyhow::Result<Timestamp> {
    let wall: Wall = text.parse().map_err(|error| Failure::misuse(format!("`{flag}`: {error}")))?;
    let zone = match (wall, schedule) {
        (Wall::Instant(at), _) => return Ok(at),
        (Wall::Clock(_), None) => {
            let expected = "expected a time with an offset, such as `2026-12-24T08:00:00+01:00`";
            return Err(Failure::misuse(format!("`{flag}`: {expected}, got `{}`", output::line(text))).into());
        }
        (Wall::Clock(_), Some(schedule)) => at(client, schedule, None)?.time_zone,
    };
    let there = wall.instant(&Clock::of(&zone).0);
    there.ok_or_else(|| Failure::misuse(format!("`{flag}`: no time: `{}`", output::line(text))).into())
}

/// Who is on call in a schedule at a time; now, when absent.
///
/// # Errors
/// When the daemon cannot be reached, or knows no such schedule.
pub fn at(client: &Client, schedule: &str, at: Option<Timestamp>) -> anyhow::Result<OnCallView> {
    let at = at.map(|at| at.to_string());
    let mut query = vec![("schedule", schedule)];
    query.extend(at.as_deref().map(|at| ("at", at)));
    let (mut items, _) = client.list(&["on-call"], &query, 1).map_err(with_hint)?;
    let only = items.pop().ok_or_else(|| Failure::new("the daemon says nothing about the schedule"))?;
    client::read(only)
}

pub fn with_hint(error: anyhow::Error) -> anyhow::Error {
    hint_where_unknown(error, "`watchbell on-call` lists all schedules")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_one_line_on_its_own_clock() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let primary = OnCallView {
            schedule: "primary".into(),
            time_zone: "Europe/Berlin".into(),
            starts_at: at("2026-11-23T08:00:00Z"),
            ends_at: Some(at("2026-11-30T08:00:30Z")),
            receiver: Some("anna".into()),
            display_name: Some("Anna\nNowak".into()),
            by: Some(TurnBy::Layer),
            layer: Some(0),
            override_id: None,
        };
        let night = OnCallView { receiver: None, ends_at: None, by: None, ..primary.clone() };
        let mut out = Vec::new();
        output::table(&mut out, &rows(&[primary, night])).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        SCHEDULE  ON CALL            SINCE             UNTIL                ZONE           BY
        primary   anna (Anna Nowak)  2026-11-23 09:00  2026-11-30 09:00:30  Europe/Berlin  layer 1
        primary   nobody             2026-11-23 09:00  -                    Europe/Berlin
        "#);
    }
}
