//! What people do: those who may, and one who may only look.

use watchbell::engine::input::{Command, Principal, ProblemCommand, Role};
use watchbell::model::problem::ProblemState;
use watchbell::model::schedule::Override;
use watchbell::model::{Delivery, Recurrence, SilenceDraft, Span, Timestamp};
use watchbell::store::{DeliveryQuery, Reader};

use super::world::World;

fn person(name: &str, role: Role) -> Principal {
    Principal { name: name.to_owned(), role }
}

/// Works on incidents.
pub fn ada() -> Principal {
    person("ada", Role::Responder)
}

/// Changes the system.
pub fn root() -> Principal {
    person("root", Role::Admin)
}

/// Only looks.
pub fn vic() -> Principal {
    person("vic", Role::Viewer)
}

/// What somebody wants now; none when there is nothing to want.
pub fn wish(world: &World, random: &mut fastrand::Rng) -> Option<(Principal, Command)> {
    let state = world.daemon.as_ref()?.driver.state();
    // Whoever writes a silence looks at the clock on the wall.
    let now = world.clock.now();
    let by = match random.u32(..10) {
        0 | 1 => vic(),
        2 | 3 => root(),
        _ => ada(),
    };
    let incidents: Vec<String> = state.incidents().map(|incident| incident.id.to_string()).collect();
    let choice = random.u32(..36);
    if choice >= 33 {
        return Some((by, on_call_wish(world, now, random)?));
    }
    if choice >= 30 {
        let by = if random.u32(..4) > 0 { root() } else { by };
        return Some((by, topology_wish(random)));
    }
    if (20..27).contains(&choice) {
        return Some((by, Command::Problem(problem_wish(world, random)?)));
    }
    if (16..20).contains(&choice) {
        return Some((by, silence(now, random)));
    }
    if choice == 15 {
        let all: Vec<String> = state.silences().map(|silence| silence.id.clone()).collect();
        let silence = random.choice(all)?;
        return Some((by, Command::ExpireSilence { silence }));
    }
    if (13..15).contains(&choice) {
        let by = if random.bool() { root() } else { by.clone() };
        if let Some(delivery) = random.choice(dead_letters(world)) {
            return Some((by, Command::Redrive { delivery: Box::new(delivery) }));
        }
    }
    let incident = random.choice(incidents)?;
    let command = match choice {
        0..7 => Command::Acknowledge { incident, note: None },
        7..9 => Command::Resolve { incident, note: Some("fixed".to_owned()) },
        9..11 => Command::Assign { incident, to: "eve".to_owned() },
        11 => Command::Comment { incident, text: "looking".to_owned() },
        12 => Command::Escalate { incident },
        _ => Command::ConfirmRootCause { configuration_item: culprit(world, &incident, random), incident },
    };
    Some((by, command))
}

/// Mostly an item of the incident; people know more than monitors.
fn culprit(world: &World, incident: &str, random: &mut fastrand::Rng) -> String {
    let state = world.daemon.as_ref().map(|daemon| daemon.driver.state());
    let known = state.and_then(|state| state.incidents().find(|known| known.id.to_string() == incident));
    let items = known.map(|incident| incident.configuration_items.clone()).unwrap_or_default();
    let item = random.choice(items).filter(|_| random.u32(..4) > 0);
    item.unwrap_or_else(|| "rtr1".to_owned())
}

/// Systems that know what depends on what.
const ORIGINS: [&str; 2] = ["cmdb", "zabbix/inventory"];

/// What they may tell: the pods on their nodes, other cables, and an item that only they know.
const MAPS: [&str; 3] = [
    r#"{"nodes": [{"id": "node1", "kind": "host"}, {"id": "node2", "kind": "host"}],
        "edges": [{"from": "pod1", "to": "node1"}, {"from": "pod2", "to": "node1"}, {"from": "pod3", "to": "node1"},
                  {"from": "pod4", "to": "node2"}, {"from": "pod5", "to": "node2"}, {"from": "batch1", "to": "node2"}]}"#,
    r#"{"edges": [{"from": "mon1", "to": "rtr1"}, {"from": "web2", "to": "db1"}, {"from": "db1", "to": "rtr1"}]}"#,
    r#"{"nodes": [{"id": "db1", "kind": "database", "tier": 1}, {"id": "san1", "kind": "storage"}],
        "edges": [{"from": "db1", "to": "san1"}, {"from": "mon1", "to": "san1"}, {"from": "web2", "to": "san1"}]}"#,
];

fn topology_wish(random: &mut fastrand::Rng) -> Command {
    let origin = ORIGINS[random.usize(..ORIGINS.len())].to_owned();
    if random.u32(..3) == 0 {
        return Command::RemoveTopology { origin };
    }
    let topology = serde_json::from_str(MAPS[random.usize(..MAPS.len())]).unwrap();
    Command::PutTopology { origin, topology: Box::new(topology) }
}

/// Somebody stands in, two exchange what they may have or not, or that is taken back.
fn on_call_wish(world: &World, now: Timestamp, random: &mut fastrand::Rng) -> Option<Command> {
    let state = world.daemon.as_ref()?.driver.state();
    let mut shift = || {
        let starts_at = now + Span::from_mins(random.i64(-10..60));
        let ends_at = starts_at + Span::from_mins(random.i64(-1..90));
        let receiver = ["ops", "duty", "backup"][random.usize(..3)].to_owned();
        Override { starts_at, ends_at, receiver }
    };
    let (schedule, one, other) = ("primary".to_owned(), shift(), shift());
    match random.u32(..4) {
        0 => {
            let all: Vec<String> = state.overrides().of(&schedule).iter().map(|made| made.id.clone()).collect();
            Some(Command::RemoveOverride { schedule, id: random.choice(all)? })
        }
        1 => {
            let who = |shift: Override| {
                let known = state.policy().schedules.get(&schedule)?;
                let stretch = known.calendar(state.overrides().counting(&schedule)).stretch(shift.starts_at.max(now));
                let ends_at = stretch.ends_at?.min(shift.starts_at.max(now) + Span::from_mins(20));
                Some(Override { starts_at: shift.starts_at.max(now), ends_at, receiver: stretch.receiver? })
            };
            Some(Command::SwapShifts { one: who(one)?, other: who(other)?, schedule })
        }
        _ => Some(Command::OverrideShift { schedule, shift: one }),
    }
}

/// A step in the life of a problem, in half of the cases the one that follows.
fn problem_wish(world: &World, random: &mut fastrand::Rng) -> Option<ProblemCommand> {
    let state = world.daemon.as_ref()?.driver.state();
    let incidents: Vec<String> = state.incidents().map(|incident| incident.id.to_string()).collect();
    let problems: Vec<String> = state.problems().map(|problem| problem.id.to_string()).collect();
    let incident = random.choice(incidents);
    let (Some(problem), Some(other)) = (random.choice(problems.clone()), random.choice(problems)) else {
        return Some(ProblemCommand::Open { title: None, incidents: vec![incident?] });
    };
    // Merging wants two of them, and there is seldom a second one by itself.
    let free = state.incidents().find(|incident| incident.problem.is_none()).map(|incident| incident.id.to_string());
    match (other != problem, free) {
        (true, _) if random.bool() => return Some(ProblemCommand::Merge { problem, into: other }),
        (false, Some(free)) if random.bool() => {
            return Some(ProblemCommand::Open { title: Some("the cabling".to_owned()), incidents: vec![free] });
        }
        _ => {}
    }
    let stands = state.problems().find(|known| known.id.to_string() == problem).map(|known| known.state);
    let choice = match stands.filter(|_| random.bool()) {
        Some(ProblemState::Proposed) => 2,
        Some(ProblemState::Open) => 8,
        Some(ProblemState::Analysed) => 10,
        Some(ProblemState::KnownError) => 12,
        _ => random.u32(..16),
    };
    Some(match choice {
        0 | 1 => ProblemCommand::Open { title: Some("the cabling".to_owned()), incidents: vec![incident?] },
        2..5 => ProblemCommand::Accept { problem },
        5 => ProblemCommand::Reject { problem, note: Some("chance".to_owned()) },
        6 | 7 => ProblemCommand::Merge { problem, into: other },
        8 | 9 => ProblemCommand::Analyse { problem, root_cause_analysis: "a loose cable".to_owned() },
        10 | 11 => ProblemCommand::SetWorkaround { problem, workaround: format!("push it, {}", random.u32(..3)) },
        12 => ProblemCommand::Resolve { problem, note: None },
        13 => ProblemCommand::Reopen { problem, note: None },
        14 => ProblemCommand::Link { problem, incident: incident? },
        _ => ProblemCommand::Unlink { problem, incident: incident? },
    })
}

/// Nobody silences anything for longer.
pub const SILENCE_MAX: Span = Span::from_mins(30);

/// What people do about known errors once all faults are repaired.
pub fn last_wishes(world: &World) -> Vec<ProblemCommand> {
    let Some(daemon) = &world.daemon else { return Vec::new() };
    let known = daemon.driver.state().problems().filter(|problem| problem.state == ProblemState::KnownError);
    known.map(|problem| ProblemCommand::Resolve { problem: problem.id.to_string(), note: None }).collect()
}

/// The shortest time between two moments of a group.
const FRESH: Span = Span::from_secs(10);

/// What was given up, as people see it.
pub fn dead_letters(world: &World) -> Vec<Delivery> {
    let query = DeliveryQuery { state: Some("exhausted".to_owned()), ..DeliveryQuery::default() };
    world.reader.deliveries(&query).map(|page| page.items).unwrap_or_default()
}

/// The latest of what was given up of groups, while no newer letter can have been made.
pub fn fresh_dead_letter(world: &World) -> Option<Delivery> {
    let of_groups = dead_letters(world).into_iter().filter(|delivery| delivery.incident.is_group());
    let newest = of_groups.max_by_key(|delivery| delivery.notification.number)?;
    let since = world.now().since(newest.finished_at?);
    (since < FRESH).then_some(newest)
}

fn silence(now: Timestamp, random: &mut fastrand::Rng) -> Command {
    let matchers = [
        "configuration_item=\"web1\"",
        "source=\"zabbix\"",
        "severity=\"critical\"",
        "configuration_item=~\"db.*|mon.*\"",
        "alertname=~\"HostDown|HighErrorRate\"",
    ];
    let matcher = matchers[random.usize(..matchers.len())];
    let recurs = random.u32(..3) == 0;
    let quiet = (random.u32(..4) == 0).then(|| Span::from_secs(random.i64(60..900)));
    Command::Silence(Box::new(SilenceDraft {
        matchers: vec![matcher.parse().unwrap()],
        starts_at: now,
        ends_at: now + Span::from_millis(random.i64(5_000..SILENCE_MAX.as_millis())),
        comment: "moving".to_owned(),
        recurrence: recurs.then(|| recurrence(now, random)),
        expire_when_quiet: quiet,
        ..SilenceDraft::default()
    }))
}

/// Every night, or every weekend, at about this time of the day; it is in force now, soon, or was lately.
fn recurrence(now: Timestamp, random: &mut fastrand::Rng) -> Recurrence {
    let days = random.i64(0..9);
    let minutes = random.i64(-90..60);
    let zones = ["Europe/Berlin", "Europe/Berlin", "UTC", "America/New_York"];
    let rules = ["FREQ=DAILY", "FREQ=DAILY", "FREQ=WEEKLY;BYDAY=SA,SU"];
    Recurrence {
        rrule: rules[random.usize(..rules.len())].to_owned(),
        time_zone: zones[random.usize(..zones.len())].to_owned(),
        starts_at: now - Span::from_hours(days * 24) + Span::from_mins(minutes),
        duration: Span::from_mins(random.i64(3..120)),
        until: (random.u32(..5) == 0).then(|| now + Span::from_hours(random.i64(0..48))),
    }
}
