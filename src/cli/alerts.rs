//! `watchbell alerts`: what fires, or what fired at a time, with what muted it and who was told, as a table. Decides
//! which columns; what muted an alert is noted in `engine/firing.rs`.
//!
//! ```text
//! FROM                 UNTIL                SEVERITY  ALERT     ITEM  IN              MUTED BY          TOLD
//! 2026-11-28 02:41:07  2026-11-28 03:20:00  critical  HostDown  db-3  inc-7h3kq0v9zd  silence 3f0cab12  ops/chat
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::changes::{Moment, moment};
use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::{Alert, Firing, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// What fired at that moment: a time (2026-11-28T03:00:00Z) or how long ago (2h)
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with_all = ["from", "until"])]
    pub at: Option<Moment>,
    /// What fired from then on
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<Moment>,
    /// What fired until then; up to now, when absent
    #[arg(long, value_name = "TIME", value_parser = moment, requires = "from")]
    pub until: Option<Moment>,
    /// Only what this matches, `severity="critical"` for example; several must all match. With a time
    #[arg(long, value_name = "MATCHER")]
    pub filter: Vec<String>,
    /// Only from this source. With a time
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// How many at most, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the alerts, or with a time the firings, as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let now = Clock::System.now();
    let time = |moment: Option<Moment>| moment.map(|moment| moment.at(now));
    let (at, from, until) = (time(args.at), time(args.from), time(args.until));
    let mut query = Vec::new();
    query.extend(at.as_deref().map(|at| ("at", at)));
    query.extend(from.as_deref().map(|from| ("from", from)));
    query.extend(until.as_deref().map(|until| ("until", until)));
    query.extend(args.filter.iter().map(|filter| ("filter", filter.as_str())));
    query.extend(args.source.as_deref().map(|source| ("source", source)));
    let has_time = args.at.is_some() || args.from.is_some();
    // A filter alone is for the daemon to refuse: it says what is missing.
    if !has_time && args.filter.is_empty() && args.source.is_none() {
        query.push(("status", "firing"));
    }
    let (items, is_cut) = Client::new(&args.connection)?.list(&["alerts"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let count = items.len();
    let table = match has_time {
        true => {
            let at: Option<Timestamp> = at.as_deref().and_then(|at| at.parse().ok());
            firings(&items.into_iter().map(client::read).collect::<anyhow::Result<Vec<_>>>()?, at)
        }
        false => alerts(&items.into_iter().map(client::read).collect::<anyhow::Result<Vec<_>>>()?, now),
    };
    if count > 0 {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &table)?;
        stdout.flush()?;
    }
    note(next_step(args, count, has_time, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn alerts(alerts: &[Alert], now: Timestamp) -> Vec<Vec<String>> {
    let head = ["AGE", "SEVERITY", "ALERT", "ITEM", "INCIDENT", "SUMMARY"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for alert in alerts {
        rows.push(vec![
            output::age(now, alert.fired_at),
            alert.severity.as_str().to_owned(),
            output::clipped(&alert.name, 48),
            item(alert),
            alert.incident.map(|id| id.to_string()).unwrap_or_default(),
            output::clipped(alert.summary(), 72),
        ]);
    }
    rows
}

/// Of what muted it, with `at` only what did so at that moment.
fn firings(firings: &[Firing], at: Option<Timestamp>) -> Vec<Vec<String>> {
    let head = ["FROM", "UNTIL", "SEVERITY", "ALERT", "ITEM", "IN", "MUTED BY", "TOLD"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for firing in firings {
        let muted = firing.muted.iter().filter(|muting| at.is_none_or(|at| muting.is_at(at)));
        let muted = muted.map(|muting| format!("{} {}", muting.by.as_str(), muting.cause).trim_end().to_owned());
        let groups = firing.groups.iter().map(|group| group.key.clone());
        let told = firing.deliveries.iter().map(|told| told.sink.clone());
        rows.push(vec![
            output::moment(firing.from),
            firing.until.map_or_else(|| "fires".to_owned(), output::moment),
            firing.alert.severity.as_str().to_owned(),
            output::clipped(&firing.alert.name, 48),
            item(&firing.alert),
            output::clipped(&distinct(firing.incident.map(|id| id.to_string()).into_iter().chain(groups)), 72),
            output::clipped(&distinct(muted), 96),
            output::clipped(&distinct(told), 72),
        ]);
    }
    rows
}

fn item(alert: &Alert) -> String {
    let item = alert.configuration_item.as_deref().or_else(|| alert.labels.get("instance"));
    output::clipped(item.unwrap_or_default(), 48)
}

fn distinct(texts: impl Iterator<Item = String>) -> String {
    let mut all: Vec<String> = Vec::new();
    for text in texts {
        if !all.contains(&text) {
            all.push(text);
        }
    }
    all.join(", ")
}

fn next_step(args: &Args, count: usize, has_time: bool, is_cut: bool) -> String {
    let what = if has_time { "firing" } else { "alert" };
    if count == 0 {
        let is_filtered = !args.filter.is_empty() || args.source.is_some();
        return match (has_time, is_filtered) {
            (true, true) => "nothing of that fired then".to_owned(),
            (true, false) => "nothing fired then".to_owned(),
            (false, _) => "nothing fires; `--at 2h` says what did two hours ago".to_owned(),
        };
    }
    let count = output::plural(count, what);
    match is_cut {
        true => format!("{count}, and more: `--limit {}` shows them", args.limit.saturating_mul(4)),
        false => count,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(number: u8) -> serde_json::Value {
        json!({"id": number.to_string(), "receiver": "ops", "sink": "ops/chat", "kind": "opened",
            "created_at": "2026-11-28T02:41:17Z", "state": "delivered"})
    }

    fn firing() -> Firing {
        serde_json::from_value(json!({
            "from": "2026-11-28T02:41:07Z", "until": "2026-11-28T03:20:00Z", "incident": "inc-7h3kq0v9zd",
            "alert": {"number": 1, "fingerprint": "00000000000000ff", "source": "zabbix", "dedup_key": "k",
                "name": "Host\n\u{1b}[31mDown", "severity": "critical", "status": "resolved", "configuration_item": "db-3",
                "started_at": "2026-11-28T02:41:00Z", "fired_at": "2026-11-28T02:41:07Z",
                "last_seen_at": "2026-11-28T03:20:00Z", "opened_by": "e", "event_count": 2},
            "muted": [
                {"by": "hold_down", "cause": "inc-7h3kq0v9zd", "why": "", "from": "2026-11-28T02:41:07Z",
                    "until": "2026-11-28T02:41:17Z"},
                {"by": "silence", "cause": "3f0cab12", "why": "", "from": "2026-11-28T03:00:00Z"}],
            "deliveries": [told(1), told(2)],
        }))
        .unwrap()
    }

    #[test]
    fn a_moment_shows_what_muted_then_and_a_range_all_of_it() {
        let mut out = Vec::new();
        for at in [None, Some("2026-11-28T03:00:00Z".parse().unwrap())] {
            output::table(&mut out, &firings(&[firing()], at)).unwrap();
        }
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        FROM                 UNTIL                SEVERITY  ALERT          ITEM  IN              MUTED BY                                    TOLD
        2026-11-28 02:41:07  2026-11-28 03:20:00  critical  Host [31mDown  db-3  inc-7h3kq0v9zd  hold_down inc-7h3kq0v9zd, silence 3f0cab12  ops/chat
        FROM                 UNTIL                SEVERITY  ALERT          ITEM  IN              MUTED BY          TOLD
        2026-11-28 02:41:07  2026-11-28 03:20:00  critical  Host [31mDown  db-3  inc-7h3kq0v9zd  silence 3f0cab12  ops/chat
        ");
    }
}
