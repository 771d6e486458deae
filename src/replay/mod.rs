//! Recorded events through the engine under a simulated clock: hours in seconds, and the same bytes each time.
//!
//! ```text
//! record (a journal, JSON Lines) ─▶ player: engine::step, ticks, receivers that always answer ─▶ outcome
//! ```

pub mod compare;
pub mod coverage;
pub mod outcome;
pub mod player;
pub mod record;

use crate::engine::input::Input;
use crate::engine::policy::Policy;
use crate::model::Span;

use player::{Clockwork, Outcome, Player};
use record::Record;

/// Time after the last input, for whatever is still to come.
const RUNS_ON: Span = Span::from_hours(1);

/// Plays a record. Without a policy a journal plays as it was, under the policies in it; `progress` hears after each
/// input.
pub fn run(record: &Record, policy: Option<&Policy>, mut progress: impl FnMut()) -> Outcome {
    let first = record.inputs.first().map(|(at, _)| *at).unwrap_or_default();
    let mut player = match policy {
        Some(policy) => Player::with_policy(policy.clone(), first),
        None if record.is_journal => Player::new(Clockwork::Recorded),
        None => Player::with_policy(Policy::default(), first),
    };
    for (at, input) in &record.inputs {
        // Under another policy other things become due and are sent, and so the record's answers fit nothing.
        let belongs_to_its_policy = matches!(
            input,
            Input::Configured { .. } | Input::Tick | Input::Sent { .. } | Input::Started | Input::Quarantined { .. }
        );
        if policy.is_none() || !belongs_to_its_policy {
            player.input(*at, input.clone());
        }
        progress();
    }
    player.pass(player.now() + RUNS_ON);
    player.finish()
}
