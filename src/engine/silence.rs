//! Silences: what an operator mutes for a time, and what happens when that time is over. Muting is decided
//! again at every moment somebody would be told; it never changes what is.

use crate::model::alert::Alert;
use crate::model::silence::Silence;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, IncidentState, Timestamp};

use crate::mutant::{self, Mutant};

use super::state::State;
use super::{inhibit, timeline};

/// Why a silence mutes this alert now, if one does.
pub fn cause(state: &State, now: Timestamp, alert: &Alert) -> Option<String> {
    let silence = state.silences().find(|silence| is_muting(silence, now, alert))?;
    Some(format!("silenced by {} until {} ({})", silence.created_by, silence.ends_at, silence.comment))
}

/// All that mute an alert with these labels now, by id.
pub fn matching<'a, 'l>(state: &'a State, now: Timestamp, label: &dyn Fn(&str) -> Option<&'l str>) -> Vec<&'a Silence> {
    let is_on = |silence: &&Silence| silence.starts_at <= now && now < silence.ends_at;
    let matches = |silence: &&Silence| silence.matchers.iter().all(|matcher| matcher.is_match(label(&matcher.name)));
    state.silences().filter(is_on).filter(matches).collect()
}

fn is_muting(silence: &Silence, now: Timestamp, alert: &Alert) -> bool {
    silence.starts_at <= now
        && now < silence.ends_at
        && silence.matchers.iter().all(|matcher| matcher.is_match(inhibit::label(alert, &matcher.name)))
}

/// The time of a silence is over: whoever still has a fault under it hears now.
pub fn ended(state: &mut State, now: Timestamp, id: &str) {
    if let Some(silence) = state.remove_silence(id) {
        let text = format!("silence {id} by {} has ended", silence.created_by);
        timeline::system(state, now, TimelineKind::Silence, "silence", text);
        if !mutant::is(Mutant::SilenceEndsUnnoticed) {
            recheck(state);
        }
    }
}

/// Has every muted incident look again.
pub fn recheck(state: &mut State) {
    let muted: Vec<IncidentId> = state
        .incidents()
        .filter(|incident| incident.notifying.muted.is_some() && incident.state == IncidentState::Open)
        .map(|incident| incident.id)
        .collect();
    state.touched.extend(muted);
}
