//! What outlives a restart without being a row that people look at: the topology that others told, and what was learned
//! of causes. And that what comes late is taken in like everything else.

use std::collections::{BTreeMap, BTreeSet};

use watchbell::engine::dedup;
use watchbell::engine::effect::Effect;
use watchbell::engine::history::Seen;
use watchbell::engine::input::{Command, Input, Reply};
use watchbell::engine::policy::NotifyBy;
use watchbell::engine::state::State;
use watchbell::model::event::{Event, EventStatus};
use watchbell::model::timeline::TimelineKind;
use watchbell::model::topology::TopologyFile;
use watchbell::model::{Alert, Fingerprint, IncidentId, IncidentState, Span, Timestamp};

use super::{Reached, Verdict, ensure};

/// Events that come later than this are late.
const LATE: Span = Span::from_mins(1);
/// Later than this is too late to be put in order.
const WATERMARK: Span = Span::from_mins(10);

/// How usual an alert was on the item that a person named, before its incident was over.
struct Usual {
    incident: IncidentId,
    item: String,
    alert: Fingerprint,
    surprise: i64,
}

#[derive(Default)]
pub(super) struct Memory {
    /// What each origin told last, as it was answered.
    told: BTreeMap<String, TopologyFile>,
    usual: Vec<Usual>,
    /// Events of the input that were taken in before.
    known: BTreeSet<String>,
    /// Causes that people confirmed, of incidents that are over.
    confirmed: BTreeSet<String>,
    /// Life and topology version of the last comparison.
    compared: (u32, u64),
}

/// The answer among what a step led to.
pub(super) fn reply_of(effects: &[Effect]) -> Option<&Reply> {
    effects.iter().find_map(|effect| match effect {
        Effect::Reply(reply) => Some(reply),
        _ => None,
    })
}

fn surprise(state: &State, at: Timestamp, alert: &Alert) -> i64 {
    let (item, name) = (alert.configuration_item.as_deref(), &alert.name);
    state.history().surprise(at, Seen { item, name })
}

impl Memory {
    pub fn before(&mut self, input: &Input, state: &State, at: Timestamp) {
        let is_known = |event: &&Event| state.alerts().any(|alert| *alert.opened_by == *event.id);
        self.known = match input {
            Input::Events { events } => events.iter().filter(is_known).map(|event| event.id.clone()).collect(),
            _ => BTreeSet::new(),
        };
        self.usual.clear();
        for incident in state.incidents().filter(|incident| incident.state.is_active()) {
            let Some(cause) = incident.root_cause.as_ref().filter(|cause| cause.confirmed_by.is_some()) else {
                continue;
            };
            let item = &cause.configuration_item;
            let on_it = |alert: &&Alert| {
                alert.incident == Some(incident.id) && alert.configuration_item.as_deref() == Some(item)
            };
            // One that fires elsewhere too is learned there.
            let is_only_one = |alert: &&Alert| state.alerts().filter(|other| other.name == alert.name).count() == 1;
            for alert in state.alerts().filter(on_it).filter(is_only_one) {
                let (incident, alert, surprise) = (incident.id, alert.fingerprint, surprise(state, at, alert));
                self.usual.push(Usual { incident, item: item.clone(), alert, surprise });
            }
        }
    }

    pub fn after(
        &mut self,
        input: &Input,
        effects: &[Effect],
        state: &State,
        at: Timestamp,
        reached: &mut Reached,
    ) -> Verdict {
        self.note_topology(input, effects, state, reached);
        self.judge_learned(state, at, reached)?;
        judge_scope(input, effects, state, reached)?;
        for effect in effects {
            if let Effect::Timeline(entry) = effect
                && entry.kind == TimelineKind::RootCause
                && entry.by == "root_cause"
                && self.confirmed.iter().any(|item| entry.text.starts_with(&format!("root cause is {item}:")))
            {
                reached.note("confirmed cause blamed again");
            }
        }
        let Input::Events { events } = input else { return Ok(()) };
        let news = events.iter().filter(|event| !self.known.contains(&event.id));
        news.into_iter().try_for_each(|event| judge_late(event, effects, state, at, reached))
    }

    fn note_topology(&mut self, input: &Input, effects: &[Effect], state: &State, reached: &mut Reached) {
        let Input::Command { command, .. } = input else { return };
        let Some(Reply::Done(_)) = reply_of(effects) else { return };
        let what = match command {
            Command::PutTopology { origin, topology } => {
                self.told.insert(origin.clone(), topology.as_ref().clone().tidied());
                "topology pushed while an incident is open"
            }
            Command::OverrideShift { .. } => return reached.note("somebody stands in"),
            Command::SwapShifts { .. } => return reached.note("two exchange shifts"),
            Command::RemoveTopology { origin } => {
                self.told.remove(origin);
                "topology removed while an incident is open"
            }
            _ => return,
        };
        if state.incidents().any(|incident| incident.state.is_active()) {
            reached.note(what);
        }
    }

    /// What people say is the cause failed by itself: that makes it no usual symptom of other faults.
    fn judge_learned(&mut self, state: &State, at: Timestamp, reached: &mut Reached) -> Verdict {
        for usual in std::mem::take(&mut self.usual) {
            let incident = state.incident(&usual.incident);
            if incident.is_none_or(|incident| incident.state != IncidentState::Resolved) {
                continue;
            }
            reached.note("confirmed cause learned");
            self.confirmed.insert(usual.item.clone());
            let Some(alert) = state.alerts().find(|alert| alert.fingerprint == usual.alert) else { continue };
            let after = surprise(state, at, alert);
            ensure(after >= usual.surprise, "learned", || {
                let (item, before) = (&usual.item, usual.surprise);
                format!(
                    "{item} was confirmed as a cause, and its {} is held for usual: {before} to {after}",
                    alert.name
                )
            })?;
        }
        Ok(())
    }

    /// P5 for what is no row of its own. Only a restart or a change of topology can lose any of it.
    pub fn judge(
        &mut self,
        life: u32,
        state: &State,
        replayed: &State,
        now: Timestamp,
        reached: &mut Reached,
    ) -> Verdict {
        let compared = (life, state.origins().version());
        if self.compared == compared {
            return Ok(());
        }
        if self.compared.0 != life {
            reached.note("memory after a restart");
        }
        self.compared = compared;
        self.judge_origins(state, replayed)?;
        let is_same = state.learning().iter().eq(replayed.learning().iter());
        ensure(is_same, "P5", || "confirmed causes looked different in a replay".to_owned())?;
        judge_graph(state, replayed)?;
        for alert in state.alerts() {
            let (one, two) = (surprise(state, now, alert), surprise(replayed, now, alert));
            ensure(one == two, "P5", || format!("{} surprises by {one}, in a replay by {two}", alert.dedup_key))?;
        }
        Ok(())
    }

    fn judge_origins(&self, state: &State, replayed: &State) -> Verdict {
        let (one, two) = (state.origins(), replayed.origins());
        let is_same = one.version() == two.version() && one.files() == two.files() && one.pushed().eq(two.pushed());
        ensure(is_same, "P5", || format!("the topology comes from {one:?}, in a replay from {two:?}"))?;
        let known = one.pushed().map(|(name, origin)| (name, &*origin.topology));
        ensure(known.eq(&self.told), "P5", || format!("origins told {:?}, known is {one:?}", self.told))
    }
}

/// What is confirmed of an item is learned of it where it is: the same name elsewhere is another one.
fn judge_scope(input: &Input, effects: &[Effect], state: &State, reached: &mut Reached) -> Verdict {
    let Input::Command { command: Command::ConfirmRootCause { configuration_item: item, .. }, .. } = input else {
        return Ok(());
    };
    let Some(Reply::Done(id)) = reply_of(effects) else { return Ok(()) };
    let remembered = state.learning().iter().find(|(known, _)| known.to_string() == *id);
    let Some((id, remembered)) = remembered.filter(|_| state.topology().item(item).is_none()) else { return Ok(()) };
    let on_it =
        |alert: &&Alert| alert.incident == Some(*id) && alert.configuration_item.as_deref() == Some(&*remembered.cause);
    let Some(scope) = state.alerts().filter(on_it).filter_map(|alert| alert.labels.get("namespace")).min() else {
        return Ok(());
    };
    reached.note("cause confirmed in a scope");
    let place = Fingerprint::of([&*remembered.cause, scope]);
    ensure(remembered.place() == place, "learned", || format!("{item} of {scope} is learned as that of everywhere"))
}

/// Everything that anyone told of dependencies is in the graph, and nothing else.
fn judge_graph(state: &State, replayed: &State) -> Verdict {
    let learned = |state: &State| -> BTreeSet<(String, String)> {
        let edges = state.learned().flat_map(|(from, all)| all.map(move |to| (from.to_string(), to.to_string())));
        edges.collect()
    };
    let (one, two) = (learned(state), learned(replayed));
    ensure(one == two, "P5", || format!("monitors taught {one:?}, in a replay {two:?}"))?;
    let pushed = state.origins().pushed().map(|(_, origin)| &*origin.topology);
    let documents = [&state.policy().topology].into_iter().chain(pushed);
    let told = documents.flat_map(TopologyFile::dependencies).map(|(from, to)| (from.to_owned(), to.to_owned()));
    let edges: BTreeSet<(String, String)> = told.chain(one).collect();
    let topology = state.topology();
    let ends = |(from, to): &(String, String)| topology.id(from).zip(topology.id(to));
    let is_known = |edge| ends(edge).is_some_and(|(from, to)| topology.depends_on(from, to));
    let is_whole = edges.iter().all(is_known) && topology.edge_count() == edges.len();
    ensure(is_whole, "P5", || format!("the graph has {} of the dependencies {edges:?}", topology.edge_count()))
}

/// I2: however late, it is taken in as what it is, and stands where the monitor saw it.
fn judge_late(event: &Event, effects: &[Effect], state: &State, at: Timestamp, reached: &mut Reached) -> Verdict {
    let late = (at - state.ahead()).since(event.at);
    if event.status != EventStatus::Firing || late <= LATE {
        return Ok(());
    }
    let fingerprint = dedup::fingerprint(&event.source, &event.dedup_key);
    let alert = state.alerts().find(|alert| alert.fingerprint == fingerprint);
    let Some(alert) = alert.filter(|alert| *alert.opened_by == *event.id && alert.fired_at == at) else {
        return Ok(());
    };
    reached.note(if late > WATERMARK { "event later than the watermark" } else { "late event" });
    let joins = |effect: &Effect| matches!(effect, Effect::Timeline(entry) if entry.kind == TimelineKind::AlertJoined && entry.alert == Some(fingerprint));
    if effects.iter().any(joins) {
        reached.note("late event attached");
    }
    // As in Alertmanager one that overlaps with what is known goes on from its start.
    let goes_on = state.policy().notify_by == NotifyBy::Group && alert.started_at < event.at;
    ensure(alert.is_firing() && (alert.started_at == event.at || goes_on), "I2", || {
        format!("{} began at {}, and stands at {}", alert.dedup_key, event.at, alert.started_at)
    })?;
    let early = alert.fired_at.since(alert.onset());
    ensure(early <= WATERMARK, "I2", || format!("{} is put {} before we heard of it", alert.dedup_key, early.human()))
}
