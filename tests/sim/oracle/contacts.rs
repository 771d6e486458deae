//! How people are reached: by one way after the other, each when it is due and once, and nobody who need not answer any
//! more. Counts from the deliveries themselves, not from what the daemon keeps in mind for it.

use std::collections::BTreeMap;

use watchbell::engine::effect::Effect;
use watchbell::engine::state::State;
use watchbell::model::{Delivery, Incident, IncidentId, IncidentState, Timestamp};

use super::{Reached, Verdict, ensure};

/// In the words of a level.
const ASKS: &str = " is asked (";
/// How the words of a second step and later ones begin.
const GOES_ON: &str = "has not answered: now by";

#[derive(Default)]
pub struct Contacts {
    /// Ways tried of each person who is being asked about an incident, and when the last one was.
    tried: BTreeMap<(IncidentId, String), (usize, Timestamp)>,
}

impl Contacts {
    pub fn after(&mut self, effects: &[Effect], state: &State, at: Timestamp, reached: &mut Reached) -> Verdict {
        for effect in effects {
            let Effect::Deliver(delivery) = effect else { continue };
            let is_first_life = delivery.fallback_for.is_none() && delivery.redriven.is_none();
            if is_first_life && delivery.created_at == at && state.policy().people.contains_key(&delivery.receiver) {
                self.judge(delivery, state, at, reached)?;
            }
        }
        for incident in state.incidents() {
            judge_reaching(incident, state)?;
        }
        Ok(())
    }

    fn judge(&mut self, delivery: &Delivery, state: &State, at: Timestamp, reached: &mut Reached) -> Verdict {
        let notification = &delivery.notification;
        let person = &delivery.receiver;
        let Some(known) = state.policy().people.get(person) else { return Ok(()) };
        let steps = known.steps(notification.incident.priority);
        let key = (delivery.incident, person.clone());
        if !notification.reason.contains(GOES_ON) {
            // Other loud words come to whoever has heard of it, and ask nobody.
            let is_first = steps.first().is_some_and(|step| step.sinks.contains(&delivery.sink));
            if notification.reason.contains(ASKS) && is_first {
                reached.note("person asked");
                self.tried.insert(key, (0, at));
            }
            return Ok(());
        }
        reached.note("person asked by another way");
        let id = &delivery.id;
        let (before, tried_at) = self.tried.get(&key).copied().unwrap_or((usize::MAX - 1, at));
        let step = steps.get(before + 1);
        ensure(step.is_some_and(|step| step.sinks.contains(&delivery.sink)), "contacts", || {
            format!("{id} is no next way of {person}, of whom {before} were tried")
        })?;
        let due_at = step.map_or(at, |step| tried_at + step.after);
        ensure(at >= due_at, "contacts", || format!("{id} comes {} too early", due_at.since(at).human()))?;
        // It may have been answered in the same step, but no earlier.
        let incident = state.incident(&delivery.incident);
        let is_asked = incident.is_none_or(|incident| {
            incident.acknowledged_at.is_none_or(|acknowledged| acknowledged >= at)
                || incident.unanswered.contains(person)
        });
        ensure(is_asked, "contacts", || format!("{id}: {person} is asked after somebody has acknowledged"))?;
        self.tried.insert(key, (before + 1, at));
        Ok(())
    }
}

/// Who is being asked has a way left, and somebody still has to answer.
fn judge_reaching(incident: &Incident, state: &State) -> Verdict {
    let is_open = match incident.state {
        IncidentState::Open => true,
        IncidentState::Acknowledged => !incident.unanswered.is_empty(),
        _ => false,
    };
    ensure(is_open || incident.reaching.is_empty(), "contacts", || {
        format!("{} is {}, and still asked are {:?}", incident.id, incident.state.as_str(), incident.reaching)
    })?;
    for reaching in &incident.reaching {
        let person = state.policy().people.get(&reaching.person);
        let ways = person.map_or(0, |person| person.steps(incident.priority).len());
        ensure(person.is_none() || (reaching.step as usize) < ways, "contacts", || {
            format!("{}: {} has no way {} of {ways}", incident.id, reaching.person, reaching.step)
        })?;
    }
    Ok(())
}
