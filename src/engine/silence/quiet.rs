//! Silences that end by themselves once nothing that they mute has fired for a while: whoever restarts a host need not
//! know how long that takes. Decides when to look, and what counts as firing.

use super::{fits, lineage, turn};
use crate::engine::inhibit;
use crate::engine::state::State;
use crate::model::alert::{Alert, AlertNumber};
use crate::model::silence::{Silence, SilenceState};
use crate::model::{Span, Timestamp};
use crate::mutant::{self, Mutant};

/// An alert that is over stays in memory for longer, so that its end is seen.
const LOOK_EVERY_MAX: Span = Span::from_mins(10);

/// With its watch begun, where it wants one and is active.
pub fn watched(silence: Silence) -> Silence {
    let Some(wait) = silence.expire_when_quiet.filter(|_| silence.state == SilenceState::Active) else {
        return silence;
    };
    let since = silence.quiet_since.unwrap_or(silence.starts_at.max(silence.updated_at));
    let check_at = since + wait.min(LOOK_EVERY_MAX);
    Silence { quiet_since: Some(since), quiet_check_at: Some(check_at), ..silence }
}

/// Ends it when it has been quiet for long enough, or says when to look again.
pub fn look(state: &mut State, now: Timestamp, silence: Silence) {
    let Some(wait) = silence.expire_when_quiet else {
        return state.put_silence(Silence { quiet_check_at: None, ..silence });
    };
    let fired_at = if mutant::is(Mutant::NeverQuiet) { Some(now) } else { last_fired(state, now, &silence) };
    let since = silence.quiet_since.max(fired_at).unwrap_or(now);
    if since + wait <= now {
        let what = format!("nothing that it mutes has fired for {}", wait.human());
        let text = format!("silence {} by {} has ended: {what}", silence.id, silence.created_by);
        // Of one that recurs only this time is over.
        let after = state.wall_time(silence.ends_at);
        return turn(state, now, silence, after, text);
    }
    let check_at = (since + wait).min(now + LOOK_EVERY_MAX);
    state.put_silence(Silence { quiet_since: Some(since), quiet_check_at: Some(check_at), ..silence });
}

/// An alert is let go of soon after it is over; who waits for quiet keeps in mind until when it fired.
pub fn gone(state: &mut State, number: AlertNumber) {
    let Some((alert, resolved_at)) = state.alert(number).and_then(|alert| Some((alert, alert.resolved_at?))) else {
        return;
    };
    let waits = |silence: &&Silence| silence.quiet_since.is_some_and(|since| since < resolved_at);
    let of_it: Vec<Silence> =
        state.silences().filter(waits).filter(|silence| mutes(state, silence, alert)).cloned().collect();
    for silence in of_it {
        state.put_silence(Silence { quiet_since: Some(resolved_at), ..silence });
    }
}

/// When something that it mutes fired last; now, while something does.
fn last_fired(state: &State, now: Timestamp, silence: &Silence) -> Option<Timestamp> {
    let muted = state.alerts().filter(|alert| mutes(state, silence, alert) && !mutant::is(Mutant::QuietWhileItFires));
    muted.filter_map(|alert| if alert.is_unsettled() { Some(now) } else { alert.resolved_at }).max()
}

/// Whether it is about this alert, whenever that is.
pub fn mutes(state: &State, silence: &Silence, alert: &Alert) -> bool {
    let label = |name: &str| inhibit::Eyes::of(state.policy()).of_silences(alert, name);
    let item = alert.configuration_item.as_deref().filter(|_| silence.covers_dependants);
    fits(silence, &label, &lineage(state, item))
}
