//! From files to figures: sets that are broken, what the engine makes of a small one, and the labelled data where
//! it lies beside the project.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::engine::{Engine, Replay, Watchbell};
use super::metrics::{Pairs, rank_of};
use super::prediction::from_replay;
use super::read::read;
use super::report::{Mode, worse_when_confirmed};
use super::sets::Set;
use super::sets::tests::{alert, failure};
use super::{ENGINE, ENGINE_CONFIRMED, evaluate};
use crate::generate::{self, Parameters};
use crate::model::topology::{Edge, EdgeKind, TopologyFile};
use crate::model::{IncidentState, Priority, Severity, Span, Timestamp};
use crate::replay::outcome::{ReplayedCause, ReplayedIncident};

const ALERT: &str = r#"{"id":"a","t":10.5,"rx":12,"alertname":"Down","node":"db","severity":"critical","source":"check","status":"firing","labels":{"operation":"x"},"summary":"it is down","resolved_t":20,"score":7}"#;
const TOPOLOGY: &str = r#"{"nodes":[{"id":"db","type":"host","namespace":"shop"},{"id":"web"}],
 "edges":[{"from":"web","to":"db","kind":"calls"},{"from":"web","to":"db","kind":"runs_on"}]}"#;
const TRUTH: &str =
    r#"{"case":"one","t0":10,"t1":20,"alerts":["a"],"root_cause":{"node":"db","metric":null},"symptom":{}}"#;
const CHANGE: &str = r#"{"id":"c","t":9,"kind":"deploy","node":"db","ref":"v2","summary":"version 2"}"#;

/// What reading a directory with these files comes to.
fn set(alerts: &str, topology: &str, truth: &str, changes: &str) -> Result<Set, String> {
    let folder = tempfile::tempdir().unwrap();
    let files =
        [("alerts.jsonl", alerts), ("topology.json", topology), ("truth.jsonl", truth), ("changes.jsonl", changes)];
    for (name, text) in files.iter().filter(|(_, text)| !text.is_empty()) {
        fs::write(folder.path().join(name), text).unwrap();
    }
    read(folder.path()).map_err(|error| {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
        format!("{error}{cause}").replace(&format!("{}/", folder.path().display()), "")
    })
}

#[test]
fn every_field_is_read_and_case_is_kept() {
    let alerts = format!("{ALERT}\n\n{}\n", ALERT.replace(r#""id":"a""#, r#""id":"b""#).replace("\"db\"", "\"DB\""));
    let set = set(&alerts, TOPOLOGY, TRUTH, CHANGE).unwrap();
    let first = &set.alerts[0];
    assert_eq!((first.at.as_millis(), first.received_at.as_millis()), (10_500, 12_000));
    assert_eq!(first.key(), "db/Down/operation=x");
    assert!(set.is_first(0) && set.is_first(1), "`db` and `DB` are two");
    assert_eq!(set.topology.nodes[0].labels.get("namespace"), Some("shop"));
    let kinds: Vec<EdgeKind> = set.topology.edges.iter().map(|edge| edge.kind).collect();
    assert_eq!(kinds, [EdgeKind::DependsOn, EdgeKind::RunsOn]);
    assert_eq!(set.failure_of, [Some(0), None]);
    assert_eq!(set.changes[0].reference.as_deref(), Some("v2"));
}

#[test]
fn a_broken_set_is_refused_with_file_line_and_field() {
    let alerts = |from: &str, to: &str| set(&ALERT.replace(from, to), TOPOLOGY, TRUTH, "").unwrap_err();
    let truth = |from: &str, to: &str| set(ALERT, TOPOLOGY, &TRUTH.replace(from, to), "").unwrap_err();
    let twice = |text: &str| format!("{text}\n{text}");
    let found = [
        set("", TOPOLOGY, TRUTH, "").unwrap_err(),
        set(ALERT, "", TRUTH, "").unwrap_err(),
        alerts("10.5", "\"noon\""),
        alerts("10.5", "1e300"),
        alerts("\"node\":\"db\",", ""),
        alerts("critical", "loud"),
        alerts("firing", "resolved"),
        alerts("\"resolved_t\":20", "\"resolved_t\":2"),
        alerts("}", ""),
        set(&twice(ALERT), TOPOLOGY, TRUTH, "").unwrap_err(),
        set(ALERT, &TOPOLOGY.replace("\"to\":\"db\",\"kind\":\"runs_on\"", "\"to\":7"), TRUTH, "").unwrap_err(),
        truth("[\"a\"]", "[\"a\",\"b\"]"),
        truth("{\"node\":\"db\",\"metric\":null}", "\"db\""),
        set(ALERT, TOPOLOGY, &twice(TRUTH), "").unwrap_err(),
        set(ALERT, TOPOLOGY, TRUTH, &CHANGE.replace("deploy", "wish")).unwrap_err(),
    ];
    insta::assert_snapshot!(found.join("\n"), @r#"
cannot read `alerts.jsonl.gz`: No such file or directory (os error 2)
cannot read `topology.json`: No such file or directory (os error 2)
alerts.jsonl:1: `t`: invalid type: string "noon", expected a number
alerts.jsonl:1: `t`: expected seconds since 1970, got 1e300
alerts.jsonl:1: missing field `node`
alerts.jsonl:1: `severity`: expected critical, major, minor, warning or info, got `loud`
alerts.jsonl:1: `status`: expected `firing` (`resolved_t` says when it was over), got `resolved`
alerts.jsonl:1: `resolved_t`: expected a time after `t`, got an earlier one
alerts.jsonl:1: `labels.resolved_t`: invalid type: integer `20`, expected a string
alerts.jsonl:2: `id`: expected one of its own, got `a` once more
topology.json:2: `edges[1].to`: invalid type: integer `7`, expected a string
truth.jsonl:1: `alerts[1]`: expected the id of an alert, got `b`, which is in no line of `alerts.jsonl.gz`
truth.jsonl:1: `root_cause`: invalid type: string "db", expected an object with the `node` that was the cause
truth.jsonl:2: `alerts[0]`: expected an alert of this failure alone, got `a`, which is in `one` too
changes.jsonl:1: `kind`: unknown variant `wish`, expected one of `deploy`, `commit`, `flag`, `config`, `maintenance`
"#);
}

#[test]
fn a_failure_is_handed_over_whole_however_little_its_items_have_in_common() {
    let nodes = ["db", "printer", "web", "switch"];
    let mut alerts: Vec<_> = nodes.iter().map(|node| alert(node, node, "Down", 0, None)).collect();
    // Too soft to open anything, and long after the others.
    alerts[3].severity = Severity::Info;
    alerts[3].received_at = Timestamp::from_millis(2_000_000);
    let failures = vec![failure("one", 0, &[0, 1, 2, 3], "switch")];
    let set = Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), failures);
    let mut named = Watchbell.rank_given(&set, false).remove(0);
    named.sort();
    assert_eq!(named, ["db", "printer", "switch", "web"]);
}

/// web and api depend on db; db goes down twice and takes the others with it, far apart.
fn outage() -> Set {
    let edge = |from: &str, to: &str| Edge { from: from.to_owned(), to: to.to_owned(), kind: EdgeKind::DependsOn };
    let topology = TopologyFile { nodes: Vec::new(), edges: vec![edge("web", "db"), edge("api", "db")] };
    let mut alerts = Vec::new();
    for (run, at) in [0, 100_000].into_iter().enumerate() {
        for (number, node) in ["db", "web", "api"].into_iter().enumerate() {
            alerts.push(alert(&format!("{node}{run}"), node, "Down", at + number as i64, Some(at + 200)));
        }
    }
    let failures = vec![failure("one", 0, &[0, 1, 2], "db"), failure("two", 100_000, &[3, 4, 5], "web")];
    Set::new("outage".into(), alerts, topology, Vec::new(), failures)
}

#[test]
fn a_replay_tells_each_outage_as_one_incident_with_its_cause() {
    let set = outage();
    for is_confirmed in [false, true] {
        let Replay { incidents, .. } = Watchbell.replay(&set, is_confirmed);
        let told: Vec<String> = incidents
            .iter()
            .map(|incident| {
                let cause = &incident.root_causes[0];
                format!("{} {} {}", incident.alerts.join(","), incident.state.as_str(), cause.node)
            })
            .collect();
        // What a person said in the end is not what the engine had said.
        assert_eq!(told, ["db0,web0,api0 closed db", "db1,web1,api1 resolved db"]);
    }
}

#[test]
fn the_alerts_of_a_failure_are_ranked_as_one_incident() {
    let set = outage();
    let rankings = Watchbell.rank_given(&set, false);
    let ranks: Vec<Option<usize>> =
        set.failures.iter().zip(&rankings).map(|(failure, ranking)| rank_of(&set, failure, ranking)).collect();
    assert_eq!(rankings[0][0], "db");
    assert_eq!(ranks[0], Some(0));
    assert!(ranks[1].is_some_and(|rank| rank > 0), "{rankings:?}");
}

fn incident(id: &str, opened_at_s: i64, state: IncidentState, alerts: &[&str]) -> ReplayedIncident {
    ReplayedIncident {
        id: format!("inc-000000000{id}").parse().unwrap(),
        opened_at: Timestamp::from_millis(opened_at_s * 1_000),
        resolved_at: None,
        state,
        priority: Priority::P3,
        alerts: alerts.iter().map(|alert| (*alert).to_owned()).collect(),
        root_causes: vec![ReplayedCause { node: "db".to_owned(), score: 1, confidence: 90, why: String::new() }],
        merged_from: Vec::new(),
        suspect_changes: Vec::new(),
    }
}

#[test]
fn a_replay_becomes_groups_of_first_firings() {
    let set = Set::new(
        "s".into(),
        vec![
            alert("a", "db", "Down", 0, Some(100)),
            alert("b", "db", "Down", 10, Some(100)),
            alert("c", "web", "Down", 20, Some(100)),
            alert("d", "api", "Down", 30, Some(100)),
        ],
        TopologyFile::default(),
        Vec::new(),
        Vec::new(),
    );
    let found = from_replay(
        &set,
        &[
            incident("3", 30, IncidentState::Pending, &["d"]),
            incident("2", 20, IncidentState::Merged, &[]),
            incident("1", 20, IncidentState::Open, &["b", "c", "unknown"]),
            incident("4", 40, IncidentState::Closed, &["a"]),
        ],
    );
    let told: Vec<_> = found
        .groups
        .iter()
        .map(|group| (group.alerts.clone(), group.is_opened, group.opened_by, group.ranking.join(" ")))
        .collect();
    // `b` repeats `a`, so both are one; the alert that came last before the opening opened it.
    assert_eq!(
        told,
        [
            (vec![0, 2], true, Some(2), "db".to_owned()),
            (vec![3], false, None, "db".to_owned()),
            (vec![], true, None, "db".to_owned()),
        ]
    );
}

/// Names what it is told to.
struct Fixed([&'static str; 2]);

impl Engine for Fixed {
    fn replay(&self, _: &Set, _: bool) -> Replay {
        Replay::default()
    }

    fn rank_given(&self, set: &Set, confirm: bool) -> Vec<Vec<String>> {
        vec![vec![self.0[usize::from(confirm)].to_owned()]; set.failures.len()]
    }
}

#[test]
fn an_engine_that_learns_the_wrong_thing_is_told_on() {
    let worse = worse_when_confirmed(&evaluate(&outage(), &Fixed(["db", "api"]), |_| {}));
    assert_eq!(worse, ["outage, given the alerts of each failure: AC@1 is 0.000 with confirmed causes, 0.500 without"]);
    assert!(worse_when_confirmed(&evaluate(&outage(), &Fixed(["api", "db"]), |_| {})).is_empty());
}

#[test]
fn several_splits_are_told_apart() {
    let mut set = outage();
    set.failures[0].split = Some("train".to_owned());
    set.failures[1].split = Some("test".to_owned());
    let report = evaluate(&set, &Fixed(["db", "db"]), |_| {});
    let given = report.root_cause.iter().filter(|row| row.mode == Mode::Given && row.method == ENGINE);
    let told: Vec<_> = given.map(|row| (row.split.as_deref(), row.failures, row.ac_1.0.value)).collect();
    assert_eq!(told, [(None, 2, 0.5), (Some("test"), 1, 0.0), (Some("train"), 1, 1.0)]);
    assert!(report.root_cause.iter().any(|row| row.method == ENGINE_CONFIRMED));
}

/// A labelled set beside the project, or one further up.
fn labelled(name: &str) -> Option<PathBuf> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    above.map(|folder| folder.join("shared/rca-data").join(name)).find(|folder| folder.is_dir())
}

#[test]
fn the_labelled_sets_are_read_whole() {
    let sets = [
        ("petshop", 1_373, 52, 44, "node"),
        ("onlineboutique", 2_146, 56, 11, "service"),
        ("hotel", 11_488, 200, 21, "service"),
        ("mix-calm", 7_131, 120, 380, "node"),
        ("mix-busy", 7_266, 120, 380, "node"),
    ];
    for (name, alerts, failures, nodes, scored_by) in sets {
        let Some(folder) = labelled(name) else {
            eprintln!("skipped: there is no `shared/rca-data/{name}` beside the project");
            continue;
        };
        let set = read(&folder).unwrap();
        let counts = (set.alerts.len(), set.failures.len(), set.topology.nodes.len());
        assert_eq!(counts, (alerts, failures, nodes), "{name}");
        assert_eq!(if set.is_service_level() { "service" } else { "node" }, scored_by, "{name}");
    }
}

/// Incident of each event, and each event that is in none by itself.
fn partition(replay: &Replay) -> BTreeMap<&str, usize> {
    let groups = replay.incidents.iter().enumerate();
    groups.flat_map(|(number, incident)| incident.alerts.iter().map(move |id| (id.as_str(), number))).collect()
}

/// Pairs that two replays of one set put together.
fn common_pairs(set: &Set, one: &Replay, other: &Replay) -> Pairs {
    let (one, other) = (partition(one), partition(other));
    let pairs = |groups: &mut dyn Iterator<Item = (usize, usize)>| -> f64 {
        let mut sizes: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        groups.for_each(|group| *sizes.entry(group).or_default() += 1.0);
        sizes.values().map(|size| size * (size - 1.0) / 2.0).sum()
    };
    let both = one.iter().filter_map(|(id, group)| Some((*group, *other.get(id)?)));
    Pairs {
        firings: set.alerts.len() as f64,
        truth: pairs(&mut one.values().map(|group| (*group, 0))),
        predicted: pairs(&mut other.values().map(|group| (*group, 0))),
        both: pairs(&mut both.into_iter()),
    }
}

#[test]
fn alerts_that_arrive_up_to_thirty_seconds_late_are_grouped_alike() {
    for seed in 1..=3 {
        let folder = tempfile::tempdir().unwrap();
        let parameters = Parameters { seed, nodes: 700, faults: 40, ..Parameters::of(generate::Set::Calm) };
        let generated = generate::generate(&parameters, &mut |_, _| {}).unwrap();
        generate::write::write(folder.path(), &generated).unwrap();
        let set = read(folder.path()).unwrap();
        let mut shuffled = set.clone();
        let mut random = fastrand::Rng::with_seed(seed);
        for alert in &mut shuffled.alerts {
            alert.received_at = alert.received_at + Span::from_millis(random.i64(0..30_000));
        }
        let pairs = common_pairs(&set, &Watchbell.replay(&set, false), &Watchbell.replay(&shuffled, false));
        assert!(pairs.ari() >= 0.98, "seed {seed}: {} of {pairs:?}", pairs.ari());
    }
}
