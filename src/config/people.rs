//! The sections `people` and `teams`. A person has the keys of a receiver, and says by which of the sinks to be reached
//! first; the names of people and of receivers are of one kind, because routes and rotations lead to either.

use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

use super::policy::{check_list, named};
use super::problem::{Problems, quoted};
use super::read::{entries, is_map, items, join, read};
use super::receivers::{self, Sinks};
use super::references::Names;
use super::schedules::check_time_zone;
use super::schema::Identity;
use super::validate::{Context, check_name, check_not_reserved, check_span};
use super::yaml::Node;
use crate::engine::input::Role;
use crate::engine::policy::Receiver;
use crate::model::Span;
use crate::model::person::{ContactStep, Person, Team};
use crate::render::Language;
use crate::sinks::Setting;

/// Keys that a person has besides those of a receiver.
const KEYS: [&str; 6] = ["name", "time_zone", "language", "role", "accounts", "contact"];
const STEP_AFTER_MAX: Span = Span::from_hours(24);

#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct PersonKeys {
    name: Option<String>,
    time_zone: Option<String>,
    language: Option<Language>,
    role: Option<Role>,
    accounts: BTreeMap<String, String>,
    contact: serde::de::IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StepKeys {
    #[serde(default)]
    after: Span,
    sinks: Vec<String>,
}

/// What the section adds: people, the receivers that they are, and who they are elsewhere.
#[derive(Default)]
pub(super) struct People {
    pub people: BTreeMap<String, Person>,
    pub identities: BTreeMap<String, Identity>,
}

pub(super) fn read_all(
    root: &Node,
    setting: &Setting,
    names: &Names,
    receivers: &mut BTreeMap<String, Receiver>,
    sinks: &mut Sinks,
    context: &mut Context<'_>,
) -> People {
    let mut all = People::default();
    for (name, node) in entries(root, "people", &mut context.problems) {
        let path = join("people", name);
        check_name(name, "got the name", &path, &node.place, &mut context.problems);
        check_not_reserved(name, &path, &node.place, &mut context.problems);
        if receivers.contains_key(name) {
            let message = format!("`{path}`: there is a receiver with this name, expected another one");
            context.problems.error(&node.place, &path, message);
            continue;
        }
        person(name, node, &path, setting, names, (receivers, sinks), &mut all, context);
    }
    check_accounts(root, &all.identities, &mut context.problems);
    all
}

#[allow(clippy::too_many_arguments)] // What it adds to, and what it needs for that.
fn person(
    name: &str,
    node: &Node,
    path: &str,
    setting: &Setting,
    names: &Names,
    (receivers, sinks): (&mut BTreeMap<String, Receiver>, &mut Sinks),
    all: &mut People,
    context: &mut Context<'_>,
) {
    if !is_map(node, path, &mut context.problems) {
        return;
    }
    let (own, of_receiver) = node.split(&KEYS);
    let keys: PersonKeys = match own.entries().is_empty() {
        true => PersonKeys::default(),
        false => read(&own, path, &mut context.problems).unwrap_or_default(),
    };
    if let Some(zone) = &keys.time_zone {
        check_time_zone(zone, node, path, "time_zone", &mut context.problems);
    }
    let setting = Setting {
        language: keys.language.unwrap_or(setting.language),
        time_zone: keys.time_zone.clone().unwrap_or_else(|| setting.time_zone.clone()),
        ..setting.clone()
    };
    let receiver = receivers::read_one(name, &of_receiver, path, &setting, names, sinks, context);
    let (urgent, normal) = contact(name, &own, path, &receiver, &mut context.problems);
    receivers.insert(name.to_owned(), receiver);
    all.people.insert(name.to_owned(), Person { display_name: keys.name, time_zone: keys.time_zone, urgent, normal });
    all.identities
        .insert(name.to_owned(), Identity { role: keys.role.unwrap_or(Role::Responder), accounts: keys.accounts });
}

/// The steps when it is urgent and otherwise. One of the two alone stands for both; without either, all sinks at once.
fn contact(
    name: &str,
    own: &Node,
    path: &str,
    receiver: &Receiver,
    problems: &mut Problems,
) -> (Vec<ContactStep>, Vec<ContactStep>) {
    let path = join(path, "contact");
    let empty = Node::default();
    let node = own.get("contact").unwrap_or(&empty);
    if own.get("contact").is_some() && !is_map(node, &path, problems) {
        return Default::default();
    }
    for (key, value) in node.entries().iter().filter(|(key, _)| !["urgent", "normal"].contains(&key.as_str())) {
        let message = format!("unknown key `{key}` in `{path}`");
        problems.error(&value.place, join(&path, key), message).hint = Some("there are: `normal`, `urgent`".to_owned());
    }
    let mut steps = |key: &str| -> Vec<ContactStep> {
        let path = join(&path, key);
        let list = items(node, key, &path, problems).iter().enumerate();
        list.filter_map(|(index, node)| step(name, node, &format!("{path}[{index}]"), receiver, problems)).collect()
    };
    match (steps("urgent"), steps("normal")) {
        (urgent, normal) if urgent.is_empty() && normal.is_empty() => {
            let all = vec![ContactStep { after: Span::ZERO, sinks: receiver.sinks.clone() }];
            (all.clone(), all)
        }
        (urgent, normal) if urgent.is_empty() => (normal.clone(), normal),
        (urgent, normal) if normal.is_empty() => (urgent.clone(), urgent),
        both => both,
    }
}

fn step(name: &str, node: &Node, path: &str, receiver: &Receiver, problems: &mut Problems) -> Option<ContactStep> {
    let keys: StepKeys = read(node, path, problems)?;
    check_span(node, path, "after", keys.after, Span::ZERO, STEP_AFTER_MAX, problems);
    if keys.sinks.is_empty() {
        let message = format!("`{path}.sinks`: expected at least one sink");
        problems.error(node.place_of("sinks"), join(path, "sinks"), message);
    }
    let sinks: Vec<String> = keys.sinks.iter().map(|short| receivers::sink_name(name, short)).collect();
    check_list(node, path, "sinks", &keys.sinks, problems, |short, place, path, problems| {
        if !receiver.sinks.contains(&receivers::sink_name(name, short)) {
            let own = receiver.sinks.iter().filter_map(|sink| sink.rsplit('/').next());
            let hint = format!("there are: {}", quoted(own));
            problems.error(place, path, format!("`{path}`: {name} has no sink `{short}`")).hint = Some(hint);
        }
    });
    Some(ContactStep { after: keys.after, sinks })
}

/// An account is one person's.
fn check_accounts(root: &Node, identities: &BTreeMap<String, Identity>, problems: &mut Problems) {
    let mut known = BTreeSet::new();
    for (name, identity) in identities {
        for (system, account) in identity.accounts.iter().filter(|(system, account)| !known.insert((*system, *account)))
        {
            let path = format!("people.{name}.accounts.{system}");
            let place = root.get("people").and_then(|people| people.get(name)).map(|node| node.place_of("accounts"));
            let message = format!("`{path}`: `{account}` is the account of another person, too");
            problems.error(place.unwrap_or(&root.place), path, message);
        }
    }
}

pub(super) fn teams(root: &Node, names: &Names, problems: &mut Problems) -> BTreeMap<String, Team> {
    named(root, "teams", problems, |node, path, problems| {
        let team: Team = read(node, path, problems)?;
        check_list(node, path, "members", &team.members, problems, |name, place, path, problems| {
            names.check_receiver(name, place, path, problems);
        });
        check_list(node, path, "schedules", &team.schedules, problems, |name, place, path, problems| {
            names.check_schedule(name, place, path, problems);
        });
        if team.members.is_empty() && team.schedules.is_empty() {
            problems.error(&node.place, path, format!("`{path}`: expected `members` or `schedules`"));
        }
        Some(team)
    })
}
