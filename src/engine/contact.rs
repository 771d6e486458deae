//! Reaching a person: by one way after the other, as they want it, until somebody acknowledges. While a way is left to try,
//! and exactly then, there is a deadline for it in the incident.

use crate::model::incident::Reaching;
use crate::model::timeline::TimelineKind;
use crate::model::{IncidentId, NotificationKind, Timestamp};
use crate::mutant::{self, Mutant};

use super::state::State;
use super::{escalate, group, notify, timeline};

const STAGE: &str = "contact";

/// Begins with a person; the sinks by which they are reached now. Whoever is being asked already is not asked anew.
pub fn begin(state: &mut State, now: Timestamp, id: &IncidentId, person: &str) -> Vec<String> {
    let Some(incident) = state.incident(id) else { return Vec::new() };
    if incident.reaching.iter().any(|reaching| reaching.person == person) {
        return Vec::new();
    }
    let steps = state.policy().people.get(person).map_or(&[][..], |known| known.steps(incident.priority));
    let Some(first) = steps.first() else { return Vec::new() };
    let reaching = Reaching { person: person.to_owned(), step: 0, due_at: now + first.after };
    go_on(state, now, id, reaching)
}

/// What is due of everybody who is being asked.
pub fn run(state: &mut State, now: Timestamp, id: &IncidentId) {
    let Some(incident) = state.incident(id).filter(|incident| !incident.reaching.is_empty()) else { return };
    if !escalate::is_asking(incident) && !mutant::is(Mutant::ReachedAfterAnswer) {
        if let Some(incident) = state.incident_mut(id) {
            incident.reaching.clear();
        }
        return;
    }
    let due: Vec<Reaching> = incident.reaching.iter().filter(|reaching| reaching.due_at <= now).cloned().collect();
    for reaching in due {
        let person = reaching.person.clone();
        let sinks = go_on(state, now, id, reaching);
        if sinks.is_empty() {
            continue;
        }
        let text = format!("{person} has not answered: now by {}", sinks.join(", "));
        if let Some(cause) = group::mute_cause(state, now, id) {
            timeline::incident(state, now, id, TimelineKind::Muted, STAGE, format!("{person} is not asked: {cause}"));
            continue;
        }
        timeline::incident(state, now, id, TimelineKind::Escalated, STAGE, text.clone());
        let sinks = sinks.into_iter().map(|sink| (sink, person.clone())).collect();
        notify::sinks(state, now, id, sinks, NotificationKind::Escalated, &text);
    }
}

/// Takes the steps that are due; what comes next is noted.
fn go_on(state: &mut State, now: Timestamp, id: &IncidentId, mut reaching: Reaching) -> Vec<String> {
    let Some(priority) = state.incident(id).map(|incident| incident.priority) else { return Vec::new() };
    let mut sinks = Vec::new();
    let mut next = None;
    if let Some(person) = state.policy().people.get(&reaching.person) {
        let steps = person.steps(priority);
        while let Some(step) = steps.get(reaching.step as usize) {
            if reaching.due_at > now {
                next = Some(reaching.clone());
                break;
            }
            sinks.extend(step.sinks.iter().cloned());
            reaching.step += 1;
            if let Some(step) = steps.get(reaching.step as usize) {
                reaching.due_at = now + step.after;
            }
        }
    }
    if let Some(incident) = state.incident_mut(id) {
        incident.reaching.retain(|other| other.person != reaching.person);
        incident.reaching.extend(next);
        incident.reaching.sort_by(|a, b| a.person.cmp(&b.person));
    }
    sinks
}
