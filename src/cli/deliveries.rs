//! `watchbell deliveries`: what went where, what waits, and what was given up, as a table. Decides which
//! columns; what becomes of a delivery is decided in `engine/delivery.rs`. `redrive.rs` sends dead letters
//! once more.
//!
//! ```text
//! ID                         STATE      SINK       AGE  TRIES  KIND    WHY
//! inc-7h3kq0v9zd.1.ops/chat  exhausted  ops/chat   2h   1      opened  the receiver answered 400
//! ```

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;

use super::client::{self, Client, Connection};
use super::failure::note;
use super::output;
use crate::clock::Clock;
use crate::model::{Delivery, DeliveryState, Timestamp};

#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only in this state; `exhausted` are the dead letters
    #[arg(long, value_enum)]
    pub state: Option<State>,
    /// Only to this sink, `ops/slack` for example
    #[arg(long, value_name = "NAME")]
    pub sink: Option<String>,
    /// Only of this incident, by its whole id
    #[arg(long, value_name = "ID")]
    pub incident: Option<String>,
    /// How many at most, newest first
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub limit: u32,
    /// Print the deliveries as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum State {
    Pending,
    Delivered,
    Superseded,
    Cancelled,
    Exhausted,
}

impl State {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Superseded => "superseded",
            Self::Cancelled => "cancelled",
            Self::Exhausted => "exhausted",
        }
    }
}

/// # Errors
/// When the daemon cannot be reached or refuses.
pub fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut query = Vec::new();
    query.extend(args.state.map(|state| ("state", state.as_str())));
    query.extend(args.sink.as_deref().map(|sink| ("sink", sink)));
    query.extend(args.incident.as_deref().map(|incident| ("incident", incident)));
    let (items, is_cut) = Client::new(&args.connection)?.list(&["deliveries"], &query, args.limit as usize)?;
    if args.json {
        output::json(&json!({ "items": items, "is_cut": is_cut }))?;
        return Ok(ExitCode::SUCCESS);
    }
    let deliveries = items.into_iter().map(client::read).collect::<anyhow::Result<Vec<Delivery>>>()?;
    if !deliveries.is_empty() {
        let mut stdout = anstream::stdout().lock();
        output::table(&mut stdout, &rows(&deliveries, Clock::System.now()))?;
        stdout.flush()?;
    }
    note(next_step(args, &deliveries, is_cut));
    Ok(ExitCode::SUCCESS)
}

fn rows(deliveries: &[Delivery], now: Timestamp) -> Vec<Vec<String>> {
    let mut rows = vec![["ID", "STATE", "SINK", "AGE", "TRIES", "KIND", "WHY"].map(str::to_owned).to_vec()];
    for delivery in deliveries {
        rows.push(vec![
            output::line(&delivery.id),
            delivery.state.as_str().to_owned(),
            output::line(&delivery.sink),
            output::age(now, delivery.created_at),
            delivery.attempts.to_string(),
            delivery.notification.kind.as_str().to_owned(),
            output::clipped(&why(delivery), 96),
        ]);
    }
    rows
}

fn why(delivery: &Delivery) -> String {
    match &delivery.state {
        DeliveryState::Pending => delivery.last_error.clone().unwrap_or_default(),
        DeliveryState::Delivered { proof } => proof.clone(),
        DeliveryState::Superseded { by } => format!("by {by}"),
        DeliveryState::Cancelled { by } => format!("by {by}"),
        DeliveryState::Exhausted { reason, .. } => reason.clone(),
    }
}

fn next_step(args: &Args, deliveries: &[Delivery], is_cut: bool) -> String {
    let what = args.state.map_or_else(|| "delivery".to_owned(), |state| format!("{} delivery", state.as_str()));
    if deliveries.is_empty() {
        return format!("no {what}");
    }
    let mut text = match deliveries.len() {
        1 => format!("1 {what}"),
        count => format!("{count} {}", what.replace("delivery", "deliveries")),
    };
    if is_cut {
        text.push_str(&format!(", and more: `--limit {}` shows them", args.limit.saturating_mul(4)));
    }
    let is_dead = |delivery: &&Delivery| matches!(delivery.state, DeliveryState::Exhausted { .. });
    if let Some(dead) = deliveries.iter().find(is_dead) {
        let id = output::line(&dead.id);
        text.push_str(&format!("; `watchbell redrive {id}` sends one once more, `--all` all that were given up"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::NotificationKind;
    use crate::runtime::outbox::sample_delivery;

    #[test]
    fn a_dead_letter_says_where_it_was_to_go_and_why_it_did_not() {
        let made_at: Timestamp = "2026-11-21T05:00:00Z".parse().unwrap();
        let sample = sample_delivery(NotificationKind::Opened, made_at);
        let state = DeliveryState::Exhausted { reason: "the receiver\nanswered \u{1b}[31m400".into(), fallback: None };
        let dead = Delivery { state, ..sample.clone() };
        let superseded =
            Delivery { state: DeliveryState::Superseded { by: "inc-7h3kq0v9zd.2.ops/slack".into() }, ..sample };
        let mut out = Vec::new();
        let deliveries = [dead, superseded];
        output::table(&mut out, &rows(&deliveries, "2026-11-21T07:00:00Z".parse().unwrap())).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap(), @r"
        ID                          STATE       SINK       AGE  TRIES  KIND    WHY
        inc-7h3kq0v9zd.1.ops/slack  exhausted   ops/slack  2h   1      opened  the receiver answered [31m400
        inc-7h3kq0v9zd.1.ops/slack  superseded  ops/slack  2h   1      opened  by inc-7h3kq0v9zd.2.ops/slack
        ");
        let args = Args {
            state: Some(State::Exhausted),
            sink: None,
            incident: None,
            limit: 50,
            json: false,
            connection: Connection { server: String::new(), token_file: None, trust: client::Trust::default() },
        };
        insta::assert_snapshot!(next_step(&args, &deliveries[..1], false), @"1 exhausted delivery; `watchbell redrive inc-7h3kq0v9zd.1.ops/slack` sends one once more, `--all` all that were given up");
        insta::assert_snapshot!(next_step(&args, &[], false), @"no exhausted delivery");
    }
}
