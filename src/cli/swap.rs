//! `watchbell swap`: two people exchange shifts. Decides how these are typed: by a time that is in them, which means the
//! whole of a shift, or by begin and end. Whether they may be exchanged is decided by the daemon.
//!
//! ```text
//! watchbell swap primary anna 2026-12-24T12:00 ben 2026-12-31T12:00
//! watchbell swap primary anna 2026-12-24T18:00/2026-12-24T23:00 ben 2026-12-25T18:00/2026-12-25T23:00
//! ```

use serde::Deserialize;
use serde_json::{Value, json};
use std::process::ExitCode;

use super::client::Client;
use super::common::Common;
use super::failure::Failure;
use super::{on_call, output};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which schedule
    #[arg(value_name = "SCHEDULE")]
    pub schedule: String,
    /// Who gives the first shift away
    #[arg(value_name = "PERSON")]
    pub one: String,
    /// Which shift: a time in it, `2026-12-24T12:00` on the schedule's clock, or a part of it as `FROM/UNTIL`
    #[arg(value_name = "WHEN")]
    pub first: String,
    /// Who takes it and gives another one
    #[arg(value_name = "OTHER")]
    pub other: String,
    /// Which shift, written alike
    #[arg(value_name = "OTHER_WHEN")]
    pub second: String,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Deserialize)]
struct Outcome {
    id: String,
}

/// # Errors
/// When a time does not fit, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.common.client()?;
    let one = turn(&client, &args.schedule, &args.one, &args.first)?;
    let other = turn(&client, &args.schedule, &args.other, &args.second)?;
    let wish = json!({ "one": one, "other": other });
    let answer = client.post(&["schedules", &args.schedule, "swap"], &wish).map_err(on_call::with_hint)?;
    let [schedule, one, other] = [&args.schedule, &args.one, &args.other].map(|text| output::line(text));
    args.common.finish(answer, |outcome: Outcome| {
        let id = output::line(&outcome.id);
        format!("{one} and {other} have changed places; `watchbell override {schedule} --remove {id}` takes it back")
    })
}

fn turn(client: &Client, schedule: &str, person: &str, when: &str) -> anyhow::Result<Value> {
    let read = |text: &str| on_call::moment(client, Some(schedule), person, text);
    if let Some((from, until)) = when.split_once('/') {
        return Ok(json!({ "receiver": person, "starts_at": read(from)?, "ends_at": read(until)? }));
    }
    let shift = on_call::at(client, schedule, Some(read(when)?))?;
    let Some(ends_at) = shift.ends_at else {
        let message = format!("the shift of {} has no end: say which part of it, `FROM/UNTIL`", output::line(person));
        return Err(Failure::misuse(message).into());
    };
    Ok(json!({ "receiver": person, "starts_at": shift.starts_at, "ends_at": ends_at }))
}
