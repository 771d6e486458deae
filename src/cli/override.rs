//! `watchbell override`: somebody is on call instead of whoever has the turn, and that is taken back. Decides how times are
//! typed; whether it may be so is decided by the daemon.
//!
//! ```text
//! watchbell override primary ben --from 2026-12-24T08:00 --until 2026-12-27T08:00
//! watchbell override primary ben --for 4h
//! watchbell override primary --remove 3f0cab12-…
//! ```

use serde::Deserialize;
use serde_json::json;
use std::process::ExitCode;

use super::common::{Common, hint_where_unknown};
use super::failure::Failure;
use super::{on_call, output};
use crate::model::Span;

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Which schedule
    #[arg(value_name = "SCHEDULE")]
    pub schedule: String,
    /// Who is on call: a person, or another receiver
    #[arg(value_name = "PERSON", required_unless_present = "remove")]
    pub person: Option<String>,
    /// From when on: `2026-12-24T08:00` on the schedule's clock, or with an offset; now, when absent
    #[arg(long, value_name = "WHEN")]
    pub from: Option<String>,
    /// Until when
    #[arg(long, value_name = "WHEN", required_unless_present_any = ["duration", "remove"])]
    pub until: Option<String>,
    /// How long instead: `4h`, `2d`
    #[arg(long = "for", visible_alias = "duration", value_name = "TIME", conflicts_with = "until")]
    pub duration: Option<String>,
    /// Take back an override or a swap instead; what is past of it stays
    #[arg(long, value_name = "ID", conflicts_with_all = ["person", "from", "until", "duration"])]
    pub remove: Option<String>,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Deserialize)]
struct Outcome {
    id: String,
    outcome: String,
}

/// # Errors
/// When a time does not fit, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let client = args.common.client()?;
    let schedule = output::line(&args.schedule);
    if let Some(id) = &args.remove {
        let unknown = |error| {
            hint_where_unknown(error, &format!("`watchbell schedule {schedule}` shows the overrides that count"))
        };
        let answer = client.delete(&["schedules", &args.schedule, "overrides", id]).map_err(unknown)?;
        return args.common.finish(answer, |outcome: Outcome| match outcome.outcome.as_str() {
            "already" => format!("{} was over already", output::line(&outcome.id)),
            _ => format!("{} is taken back", output::line(&outcome.id)),
        });
    }
    let mut wish = json!({ "receiver": args.person });
    for (key, flag, text) in [("starts_at", "--from", &args.from), ("ends_at", "--until", &args.until)] {
        if let Some(text) = text {
            wish[key] = json!(on_call::moment(&client, Some(&args.schedule), flag, text)?);
        }
    }
    if let Some(text) = &args.duration {
        let span: Span = text.parse().map_err(|error| Failure::misuse(format!("`--for`: {error}")))?;
        wish["duration"] = json!(span);
    }
    let answer = client.post(&["schedules", &args.schedule, "overrides"], &wish).map_err(on_call::with_hint)?;
    let person = args.person.as_deref().map(output::line).unwrap_or_default();
    args.common.finish(answer, |outcome: Outcome| {
        let id = output::line(&outcome.id);
        format!("{person} stands in; `watchbell override {schedule} --remove {id}` takes it back")
    })
}
