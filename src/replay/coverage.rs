//! What of a policy a record of months uses, read once from its beginning to its end.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::engine::input::{Command, Input};
use crate::engine::policy::{NotifyBy, Policy, Route};
use crate::engine::trial::coverage::Coverage;
use crate::model::{Span, Timestamp};

use super::RUNS_ON;
use super::player::Player;
use super::record::{self, RecordError};

const GROUP_INTERVAL: Span = Span::from_hours(24);
const REPEAT_INTERVAL: Span = Span::from_hours(24 * 365);

/// What was played, and what of the policy it used.
#[derive(Clone, Debug, Serialize)]
pub struct Covered {
    pub events: u64,
    pub first_at: Option<Timestamp>,
    pub last_at: Option<Timestamp>,
    #[serde(flatten)]
    pub coverage: Coverage,
}

/// Plays the events of a record under a policy, and the silences that people made meanwhile.
///
/// # Errors
/// When the record cannot be read.
pub fn run(
    path: &Path,
    policy: &Policy,
    watch: impl FnOnce(File) -> Box<dyn Read>,
    mut progress: impl FnMut(),
) -> Result<Covered, RecordError> {
    let mut player: Option<Player> = None;
    let unhurried = unhurried(policy);
    let begin = |at| Player::with_policy(unhurried.clone(), at);
    let mut covered = Covered { events: 0, first_at: None, last_at: None, coverage: Coverage::of(policy) };
    record::stream(path, watch, |at, input| {
        progress();
        let is_silence = |command: &Command| matches!(command, Command::Silence { .. } | Command::ExpireSilence { .. });
        match input {
            Input::Events { events } => {
                let player = player.get_or_insert_with(|| begin(at));
                covered.first_at.get_or_insert(at);
                covered.last_at = covered.last_at.max(Some(at));
                covered.events += events.len() as u64;
                pass(player, at, &mut covered.coverage);
                player.input(at, Input::Events { events: events.clone() });
                let now = player.now();
                events.iter().for_each(|event| covered.coverage.see_event(player.state(), now, event));
                see_routed(player, &mut covered.coverage);
            }
            Input::Command { by, command } if is_silence(&command) => {
                let player = player.get_or_insert_with(|| begin(at));
                pass(player, at, &mut covered.coverage);
                player.input(at, Input::Command { by, command });
            }
            _ => {}
        }
    })?;
    if let Some(player) = &mut player {
        pass(player, player.now() + RUNS_ON, &mut covered.coverage);
    }
    Ok(covered)
}

/// A look at a group costs as much as it has alerts, and a record of months has very many. Which routes, rules and
/// silences take an alert does not depend on when a group is looked at.
fn unhurried(policy: &Policy) -> Policy {
    let mut policy = policy.clone();
    if policy.notify_by == NotifyBy::Group {
        slow_down(&mut policy.route);
    }
    policy
}

fn slow_down(route: &mut Route) {
    route.group_interval = Some(GROUP_INTERVAL);
    route.repeat_interval = Some(REPEAT_INTERVAL);
    route.routes.iter_mut().for_each(slow_down);
}

fn pass(player: &mut Player, until: Timestamp, coverage: &mut Coverage) {
    while player.tick(until) {
        see_routed(player, coverage);
    }
}

fn see_routed(player: &mut Player, coverage: &mut Coverage) {
    for id in player.take_routed() {
        if let Some(incident) = player.state().incident(&id) {
            coverage.see_incident(player.state(), incident);
        }
    }
}
