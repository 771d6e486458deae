//! `watchbell silences`: what is muted now or will be, as a table. Decides which columns; what a silence
//! mutes is decided at each notification. `silence.rs` makes and ends them.
//!
//! ```text
//! ID                                    STATE   WHEN      BY   MATCHERS                           COMMENT
//! 3f0cab12-8d1e-4a53-9c07-2b64f0c1d9aa  active  42m left  ada  team="network", instance=~"sw-.*"  firmware
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::{Silence, SilenceState, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only in this state; those in force and to come, when absent
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// How many at most, latest start first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the silences as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    Pending,
    Active,
    Expired,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Expired => "expired",
        }
    }
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let query: Vec<_> = args.state.map(|state| ("state", state.as_str())).into_iter().collect();
    let (items, is_cut) = Client::new(&args.connection)?.list(&["silences"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let silences = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<Silence>>>()?;
    if !silences.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&silences, Clock::System.now()))?;
        stdout.flush()?;
    }
    note(next_step(args, &silences, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(silences: &[Silence], now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = vec![["ID", "STATE", "WHEN", "BY", "MATCHERS", "COMMENT"].map(str::to_owned).to_vec()];
    for silence in silences {
        let wide = if silence.covers_dependants { " and below" } else { "" };
        rows.push(vec![
            output::line(&silence.id),
            silence.state_at(now).as_str().to_owned(),
            when(silence, now),
            output::clipped(&silence.created_by, 32),
            output::clipped(&format!("{}{wide}", silence.matchers_text()), 64),
            output::clipped(&silence.comment, 72),
        ]);
    }
    rows
}

fn when(silence: &Silence, now: Timestamp) -> String {
    let length = || silence.ends_at.since(silence.starts_at).human();
    let time = match silence.state_at(now) {
        SilenceState::Pending => format!("in {} for {}", output::age(silence.starts_at, now), length()),
        SilenceState::Active => format!("{} left", output::age(silence.ends_at, now)),
        SilenceState::Expired => format!("{} ago", output::age(now, silence.ends_at)),
    };
    let quiet = silence.expire_when_quiet.map(|quiet| format!(" or {} quiet", quiet.human())).unwrap_or_default();
    let rule = silence.recurrence.as_ref();
    let rule = rule.map(|recurrence| format!(", {} {}", output::line(&recurrence.rrule), recurrence.time_zone));
    format!("{time}{quiet}{}", rule.unwrap_or_default())
}

fn next_step(args: &Args, silences: &[Silence], is_cut: bool) -> String {
    let Some(first) = silences.first() else {
        return "nothing is silenced; `watchbell silence` mutes what matches for a time".to_owned();
    };
    let more = if is_cut {
        format!(", and more: `--limit {}` shows them", args.limit.saturating_mul(4))
    } else {
        String::new()
    };
    let count = output::plural(silences.len(), "silence");
    if args.state == Some(State::Expired) {
        return format!("{count}{more}");
    }
    format!("{count}{more}; `watchbell silence --end {}` ends one early", output::line(&first.id))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Recurrence, Span};

    #[test]
    fn a_silence_is_one_line_whatever_was_typed() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let silence = |id: &str, starts_at: &str, comment: &str| Silence {
            id: id.into(),
            matchers: vec!["team=ops".parse().unwrap(), "site!=fra1".parse().unwrap()],
            starts_at: at(starts_at),
            ends_at: at("2026-11-21T07:00:00Z"),
            created_by: "ada".into(),
            comment: comment.into(),
            annotations: Default::default(),
            updated_at: at(starts_at),
            state: SilenceState::Active,
            owner: None,
            covers_dependants: false,
            recurrence: None,
            expire_when_quiet: None,
            quiet_since: None,
            quiet_check_at: None,
        };
        let weekly = Silence {
            recurrence: Some(Recurrence {
                rrule: "FREQ=WEEKLY;BYDAY=SA".into(),
                time_zone: "Europe/Berlin".into(),
                starts_at: at("2026-11-21T06:00:00Z"),
                duration: Span::from_hours(1),
                until: None,
            }),
            covers_dependants: true,
            ..silence("sil-b", "2026-11-21T06:00:00Z", "firmware")
        };
        let quiet = Some(Span::from_mins(10));
        let silences = [
            weekly,
            Silence { expire_when_quiet: quiet, ..silence("sil-a", "2026-11-21T04:00:00Z", "move\n\u{1b}[31mit") },
            Silence { ends_at: at("2026-11-21T05:00:00Z"), ..silence("sil-0", "2026-11-21T04:00:00Z", "done") },
        ];
        let mut out = Vec::new();
        output::table(&mut out, &rows(&silences, at("2026-11-21T05:30:00Z"))).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r#"
        ID     STATE    WHEN                                               BY   MATCHERS                            COMMENT
        sil-b  pending  in 30m for 1h, FREQ=WEEKLY;BYDAY=SA Europe/Berlin  ada  team="ops", site!="fra1" and below  firmware
        sil-a  active   1h 30m left or 10m quiet                           ada  team="ops", site!="fra1"            move [31mit
        sil-0  expired  30m ago                                            ada  team="ops", site!="fra1"            done
        "#);
    }
}
