//! `watchbell silence`: people do not hear about what matches, for a time or again and again; what is muted still counts
//! and can be explained. Decides how matchers and times are typed; what they mute is decided at each notification.
//!
//! ```text
//! watchbell silence team=network 'instance=~"sw-.*"' --for 1h --comment "firmware"
//! watchbell silence add --item rtr1 --rrule 'FREQ=WEEKLY;BYDAY=SA' --time-zone Europe/Berlin \
//!     --starts 2026-11-28T22:00:00+01:00 --duration 4h --comment "patches"
//! watchbell silence --end 3f0cab12-…
//! ```

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::io::Write;
use std::process::ExitCode;

use super::client::{self, Client, Connection};
use super::failure::{Failure, note};
use super::output;
use crate::model::{Matcher, Span, Timestamp};

/// A look needs no duration.
const LOOK: Span = Span::from_hours(1);

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What to mute, all of them must fit: `team=ops`, `instance=~"db-.*"`, `site!=fra1`; `add` before them is allowed
    #[arg(value_name = "MATCHER", required_unless_present_any = ["end", "service", "site", "item"])]
    pub matchers: Vec<String>,
    /// This service only
    #[arg(long, value_name = "NAME")]
    pub service: Option<String>,
    /// What has this label `site` only
    #[arg(long, value_name = "NAME")]
    pub site: Option<String>,
    /// This item and everything that depends on it
    #[arg(long, value_name = "NAME")]
    pub item: Option<String>,
    /// How long: `30m`, `1h`, `2d`; of one that recurs, each time
    #[arg(long = "for", visible_alias = "duration", value_name = "TIME", required_unless_present_any = ["end", "preview"])]
    pub duration: Option<String>,
    /// When it begins; now, when absent. Of one that recurs also the time of the day of all
    #[arg(long = "starts", value_name = "WHEN")]
    pub starts_at: Option<String>,
    /// Again and again, by a rule of RFC 5545: `FREQ=WEEKLY;BYDAY=SA`
    #[arg(long, value_name = "RULE", requires = "time_zone")]
    pub rrule: Option<String>,
    /// Where the times of the rule stand: `Europe/Berlin`
    #[arg(long, value_name = "ZONE", requires = "rrule")]
    pub time_zone: Option<String>,
    /// No time of the rule begins later
    #[arg(long, value_name = "WHEN", requires = "rrule")]
    pub until: Option<String>,
    /// It ends by itself when nothing that it mutes has fired for so long: `10m`
    #[arg(long, value_name = "TIME")]
    pub expire_when_quiet: Option<String>,
    /// Why: whoever wonders at night reads it
    #[arg(long, value_name = "TEXT", required_unless_present_any = ["end", "preview"])]
    pub comment: Option<String>,
    /// Change this silence instead of making one
    #[arg(long, value_name = "SILENCE")]
    pub change: Option<String>,
    /// Show what it would mute now, and make nothing
    #[arg(long, conflicts_with = "end")]
    pub preview: bool,
    /// End this silence now instead
    #[arg(long, value_name = "SILENCE", conflicts_with_all = ["matchers", "service", "site", "item",
        "duration", "starts_at", "rrule", "expire_when_quiet", "comment", "change"])]
    pub end: Option<String>,
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Deserialize)]
struct Outcome {
    id: String,
}

/// # Errors
/// When a matcher or a time does not fit, the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    if let Some(id) = &args.end {
        let answer = Client::new(&args.connection)?.delete(&["silences", id])?;
        return finish(args, answer, |id| format!("the silence {id} has ended"));
    }
    let asked = wish(args)?;
    if args.preview {
        return look(args, Client::new(&args.connection)?.post(&["silences", "preview"], &asked)?);
    }
    let answer = Client::new(&args.connection)?.post(&["silences"], &asked)?;
    finish(args, answer, |id| match &args.change {
        Some(old) if old != id => format!("silence {id} is in the place of {}, which has ended", output::line(old)),
        Some(_) => format!("silence {id} is changed"),
        None => format!("silenced; `watchbell silence --end {id}` ends it early"),
    })
}

fn finish(args: &Args, answer: Value, words: impl Fn(&str) -> String) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&answer)?;
    } else {
        let Outcome { id } = client::read(answer)?;
        note(words(&output::line(&id)));
    }
    Ok(ExitCode::SUCCESS)
}

#[derive(Deserialize)]
struct Preview {
    alert_count: usize,
    alerts: Vec<PreviewAlert>,
    incident_count: usize,
    incidents: Vec<PreviewIncident>,
    next: Option<PreviewTime>,
}

#[derive(Deserialize)]
struct PreviewAlert {
    fingerprint: String,
    name: String,
    severity: String,
    configuration_item: Option<String>,
    incident: Option<String>,
}

#[derive(Deserialize)]
struct PreviewIncident {
    is_muted: bool,
}

#[derive(Deserialize)]
struct PreviewTime {
    starts_at: Timestamp,
    ends_at: Timestamp,
}

fn look(args: &Args, answer: Value) -> anyhow::Result<ExitCode> {
    if args.json {
        output::json(&answer)?;
        return Ok(ExitCode::SUCCESS);
    }
    let preview: Preview = client::read(answer)?;
    if !preview.alerts.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&preview.alerts))?;
        stdout.flush()?;
    }
    note(words(&preview));
    Ok(ExitCode::SUCCESS)
}

fn rows(alerts: &[PreviewAlert]) -> Vec<Vec<String>> {
    let mut rows = vec![["ALERT", "SEVERITY", "NAME", "ITEM", "INCIDENT"].map(str::to_owned).to_vec()];
    for alert in alerts {
        rows.push(vec![
            output::line(&alert.fingerprint),
            output::line(&alert.severity),
            output::clipped(&alert.name, 48),
            output::clipped(alert.configuration_item.as_deref().unwrap_or("-"), 40),
            output::line(alert.incident.as_deref().unwrap_or("-")),
        ]);
    }
    rows
}

fn words(preview: &Preview) -> String {
    let next = preview.next.as_ref().map(|next| format!("; its next time is {} to {}", next.starts_at, next.ends_at));
    let next = next.unwrap_or_default();
    if preview.alert_count == 0 {
        return format!("it would mute nothing that fires now{next}; nothing was made");
    }
    let alerts = output::plural(preview.alert_count, "alert");
    let incidents = output::plural(preview.incident_count, "open incident");
    let whole = preview.incidents.iter().filter(|incident| incident.is_muted).count();
    let shown = if preview.alerts.len() < preview.alert_count { ", the first of them shown" } else { "" };
    format!("it would mute {alerts}{shown} of {incidents}, {whole} of them altogether{next}; nothing was made")
}

/// Checked here too, so that a slip is answered without a daemon and with the exit code for usage.
fn wish(args: &Args) -> Result<Value, Failure> {
    let mut matchers = Vec::new();
    let typed = args.matchers.strip_prefix(&["add".to_owned()][..]).unwrap_or(&args.matchers);
    for text in typed {
        let parsed = Matcher::parse_all(text);
        matchers.extend(parsed.map_err(|error| Failure::misuse(format!("`{}`: {error}", output::line(text))))?);
    }
    if matchers.is_empty() && args.service.is_none() && args.site.is_none() && args.item.is_none() {
        return Err(Failure::misuse("expected a matcher such as `team=ops`, `--service`, `--site` or `--item`"));
    }
    let mut wish = Map::new();
    let texts = [("service", &args.service), ("site", &args.site), ("configuration_item", &args.item)];
    for (name, text) in texts.into_iter().chain([("id", &args.change), ("comment", &args.comment)]) {
        wish.extend(text.as_ref().map(|text| (name.to_owned(), json!(text))));
    }
    wish.insert("matchers".into(), json!(matchers));
    wish.insert("duration".into(), json!(span("--for", args.duration.as_deref())?.unwrap_or(LOOK)));
    if let Some(quiet) = span("--expire-when-quiet", args.expire_when_quiet.as_deref())? {
        wish.insert("expire_when_quiet".into(), json!(quiet));
    }
    if let Some(at) = moment("--starts", args.starts_at.as_deref())? {
        wish.insert("starts_at".into(), json!(at));
    }
    if let (Some(rrule), Some(time_zone)) = (&args.rrule, &args.time_zone) {
        let mut recurrence = json!({ "rrule": rrule, "time_zone": time_zone });
        if let Some(until) = moment("--until", args.until.as_deref())? {
            recurrence["until"] = json!(until);
        }
        wish.insert("recurrence".into(), recurrence);
    }
    Ok(Value::Object(wish))
}

fn span(flag: &str, text: Option<&str>) -> Result<Option<Span>, Failure> {
    let Some(text) = text else { return Ok(None) };
    let span: Span = text.parse().map_err(|error| Failure::misuse(format!("`{flag}`: {error}")))?;
    if span.is_zero() {
        return Err(Failure::misuse(format!("`{flag}`: expected a time above 0")));
    }
    Ok(Some(span))
}

fn moment(flag: &str, text: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let read = |text: &str| text.parse().map_err(|error| Failure::misuse(format!("`{flag}`: {error}")));
    text.map(read).transpose()
}
