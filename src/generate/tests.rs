//! A stream held against what it promises: read back from its files, with a parser and a walk of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

use super::faults::FaultKind;
use super::plan::START_MS;
use super::record::{AlertRecord, ChangeRecord, NodeRecord, TopologyRecord, TruthRecord};
use super::vocabulary::{self, Vocabulary};
use super::{Description, GenerateError, Generated, Parameters, Set, write};

/// Small and quick, with a truth that shows: the topology as it is.
fn parameters() -> Parameters {
    Parameters { nodes: 700, faults: 60, missing_edges_percent: 0, wrong_edges_percent: 0, ..Parameters::of(Set::Busy) }
}

fn generate(parameters: &Parameters) -> Generated {
    super::generate(parameters, &mut |_, _| {}).unwrap()
}

/// What the files hold.
struct Stream {
    alerts: Vec<AlertRecord>,
    topology: TopologyRecord,
    truth: Vec<TruthRecord>,
    changes: Vec<ChangeRecord>,
    description: Description,
}

fn lines<T: DeserializeOwned>(text: &str) -> Vec<T> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

fn read(directory: &Path) -> Stream {
    let text = |name: &str| std::fs::read_to_string(directory.join(name)).unwrap();
    let mut alerts = String::new();
    let packed = std::fs::File::open(directory.join("alerts.jsonl.gz")).unwrap();
    GzDecoder::new(packed).read_to_string(&mut alerts).unwrap();
    Stream {
        alerts: lines(&alerts),
        topology: serde_json::from_str(&text("topology.json")).unwrap(),
        truth: lines(&text("truth.jsonl")),
        changes: lines(&text("changes.jsonl")),
        description: serde_json::from_str(&text("generate.json")).unwrap(),
    }
}

/// Every file's bytes.
fn bytes(parameters: &Parameters) -> BTreeMap<String, Vec<u8>> {
    let directory = tempfile::tempdir().unwrap();
    write::write(directory.path(), &generate(parameters)).unwrap();
    let entries = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path());
    let file = |path: std::path::PathBuf| {
        (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap())
    };
    entries.map(file).collect()
}

#[test]
fn the_same_parameters_give_the_same_bytes() {
    let parameters = Parameters { nodes: 300, faults: 30, ..Parameters::of(Set::Storm) };
    let first = bytes(&parameters);
    assert_eq!(first.keys().map(String::as_str).collect::<BTreeSet<_>>(), BTreeSet::from(write::FILES));
    assert!(first == bytes(&parameters), "the bytes differ");
    // Magic, deflate, no flags, no time; then how it was packed, and no system.
    assert_eq!(first["alerts.jsonl.gz"][..8], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0]);
    assert_eq!(first["alerts.jsonl.gz"][9], 255);
    let other = bytes(&Parameters { seed: 2, ..parameters });
    assert!(first.iter().all(|(name, bytes)| other[name] != *bytes), "a file is the same for another seed");
}

#[test]
fn what_is_written_can_be_read_and_is_what_was_made() {
    let parameters = Parameters::of(Set::Busy);
    let generated = generate(&parameters);
    let directory = tempfile::tempdir().unwrap();
    write::write(directory.path(), &generated).unwrap();
    let stream = read(directory.path());
    assert_eq!(stream.alerts, generated.alerts);
    assert_eq!(stream.topology, generated.topology);
    assert_eq!(stream.truth, generated.truth);
    assert_eq!(stream.changes, generated.changes);
    assert_eq!(stream.description, generated.description);
    assert_eq!(stream.description.parameters, parameters);
    assert_eq!((stream.topology.nodes.len(), stream.truth.len()), (2_400, 200));
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<String>>();
    let severities: BTreeSet<String> = stream.alerts.iter().map(|alert| alert.severity.clone()).collect();
    assert_eq!(severities, names(&["critical", "warning", "info"]));
    let sources: BTreeSet<String> = stream.alerts.iter().map(|alert| alert.source.clone()).collect();
    assert_eq!(sources, names(&["metric", "trace", "log", "monitor", "check"]));
    let kinds: BTreeSet<String> = stream.topology.edges.iter().map(|edge| edge.kind.clone()).collect();
    assert_eq!(kinds, names(&["calls", "runs_on", "member_of", "depends_on"]));
    let kinds: BTreeSet<String> = stream.changes.iter().map(|change| change.kind.clone()).collect();
    assert_eq!(kinds, names(&["deploy", "commit", "flag", "config"]));
    check_consistent(&stream);
}

/// What holds between the files of any stream.
fn check_consistent(stream: &Stream) {
    let nodes: BTreeSet<&str> = stream.topology.nodes.iter().map(|node| node.id.as_str()).collect();
    assert!(stream.topology.edges.iter().all(|edge| nodes.contains(&*edge.from) && nodes.contains(&*edge.to)));
    assert!(stream.changes.iter().all(|change| nodes.contains(&*change.node)));
    assert!(stream.changes.is_sorted_by(|a, b| a.t <= b.t));
    assert!(stream.alerts.is_sorted_by(|a, b| a.rx <= b.rx), "not in order of arrival");
    let alerts: BTreeMap<&str, &AlertRecord> = stream.alerts.iter().map(|alert| (&*alert.id, alert)).collect();
    assert_eq!(alerts.len(), stream.alerts.len(), "an id comes twice");
    for alert in &stream.alerts {
        assert!(nodes.contains(&*alert.node), "{}", alert.node);
        assert!(alert.resolved_t > Some(alert.t) && alert.status == "firing");
    }
    let mut labelled = BTreeSet::new();
    for failure in &stream.truth {
        assert!(!failure.alerts.is_empty() && failure.t0 < failure.t1, "{}", failure.case);
        let skew_s = f64::from(stream.description.parameters.skew_s);
        let mut is_silent = true;
        for id in &failure.alerts {
            let alert = alerts.get(&**id).unwrap_or_else(|| panic!("{}: no alert {id}", failure.case));
            assert!(labelled.insert(id), "{id} has two causes");
            assert!((failure.t0 - skew_s..failure.t1 + skew_s).contains(&alert.t), "{}: {}", failure.case, alert.t);
            is_silent &= alert.node != failure.root_cause.node;
        }
        assert_eq!(failure.silent, is_silent, "{}", failure.case);
        if let Some(id) = &failure.change {
            let change = stream.changes.iter().find(|change| change.id == *id).unwrap();
            assert_eq!(change.node, failure.root_cause.node);
            assert!(change.t < failure.t0 && change.t > failure.t0 - 601.0);
        }
        if let Some(first) = &failure.recurrence_of {
            let first = stream.truth.iter().find(|other| other.case == *first).unwrap();
            assert!(first.root_cause == failure.root_cause && first.t1 < failure.t0 && first.recurrence_of.is_none());
        }
    }
    let noise = stream.alerts.len() - labelled.len();
    assert_eq!(noise, stream.description.summary.noise_alerts);
}

fn in_memory(parameters: &Parameters) -> Stream {
    let Generated { alerts, topology, truth, changes, description } = generate(parameters);
    Stream { alerts, topology, truth, changes, description }
}

#[test]
fn every_set_and_every_seed_is_consistent() {
    for (set, seed) in [(Set::Calm, 2), (Set::Busy, 3), (Set::Busy, u64::MAX), (Set::Storm, 4), (Set::Storm, 0)] {
        check_consistent(&in_memory(&Parameters { seed, nodes: 600, faults: 80, ..Parameters::of(set) }));
    }
    // The smallest estates have a place for every kind of fault too.
    for seed in 1..=40 {
        check_consistent(&in_memory(&Parameters { seed, nodes: 200, faults: 12, ..Parameters::of(Set::Busy) }));
    }
}

#[test]
fn every_kind_of_fault_occurs_at_a_root_that_can_have_it() {
    for (set, faults) in [(Set::Calm, 12), (Set::Storm, 40)] {
        let stream = in_memory(&Parameters { faults, nodes: 700, ..Parameters::of(set) });
        let nodes: BTreeMap<&str, &NodeRecord> =
            stream.topology.nodes.iter().map(|node| (node.id.as_str(), node)).collect();
        for failure in &stream.truth {
            let root = nodes[failure.root_cause.node.as_str()];
            let expected: &[&str] = match failure.root_cause.fault.as_str() {
                "host_down" | "cpu_saturation" | "disk_full" | "network_loss" => &["host"],
                "switch_down" => &["switch"],
                "memory_leak" => &["pod"],
                "dns_failure" => &["dns"],
                "database_slow" => &["database"],
                "bad_deploy" | "config_error" => &["service"],
                "certificate_expired" => &["service", "load_balancer"],
                "external_outage" => &["external"],
                other => panic!("{other} is no kind"),
            };
            assert!(expected.contains(&root.kind.as_str()), "{}: {}", failure.root_cause.fault, root.kind);
            assert_eq!(failure.root_cause.service, root.service);
            let is_changed = ["bad_deploy", "config_error"].contains(&failure.root_cause.fault.as_str());
            assert_eq!(failure.change.is_some(), is_changed);
        }
        let kinds: BTreeSet<&str> = stream.truth.iter().map(|failure| failure.root_cause.fault.as_str()).collect();
        assert_eq!(kinds, FaultKind::ALL.iter().map(|kind| kind.as_str()).collect());
        assert_eq!(stream.description.summary.failures_by_kind.values().sum::<usize>(), stream.truth.len());
    }
}

/// Every node that `from` reaches along the edges, turned round when `is_reverse`; membership leads nowhere.
fn reached<'a>(topology: &'a TopologyRecord, from: &'a str, is_reverse: bool) -> BTreeSet<&'a str> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in topology.edges.iter().filter(|edge| edge.kind != "member_of") {
        let (from, to) = if is_reverse { (&edge.to, &edge.from) } else { (&edge.from, &edge.to) };
        next.entry(from).or_default().push(to);
    }
    let mut found = BTreeSet::from([from]);
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        for node in next.get(node).into_iter().flatten() {
            if found.insert(node) {
                open.push(node);
            }
        }
    }
    found
}

#[test]
fn a_failure_shows_only_where_the_true_topology_lets_it() {
    for seed in 1..=3 {
        let stream = in_memory(&Parameters { seed, ..parameters() });
        let nodes: BTreeMap<&str, &str> =
            stream.alerts.iter().map(|alert| (alert.id.as_str(), alert.node.as_str())).collect();
        let mut beyond = 0;
        for failure in &stream.truth {
            let root = failure.root_cause.node.as_str();
            let above = reached(&stream.topology, root, true);
            // A failing caller asks its callees less; a service's version runs in its pods.
            let edges = stream.topology.edges.iter().filter(|edge| above.contains(&*edge.from));
            let below: BTreeSet<&str> = edges.map(|edge| edge.to.as_str()).collect();
            for node in failure.alerts.iter().map(|id| nodes[id.as_str()]) {
                let is_allowed = above.contains(node) || below.contains(node);
                assert!(is_allowed, "{}: {node} has nothing to do with {root}", failure.case);
                beyond += usize::from(!above.contains(node));
            }
        }
        assert!(beyond > 0, "no callee got quiet");
    }
}

#[test]
fn what_a_host_takes_along_is_what_runs_on_it() {
    let kinds = vec![FaultKind::HostDown];
    let stream = in_memory(&Parameters { kinds, missed_percent: 0, silent_roots_percent: 0, ..parameters() });
    let nodes: BTreeMap<&str, &str> =
        stream.alerts.iter().map(|alert| (alert.id.as_str(), alert.node.as_str())).collect();
    let mut pods = 0;
    for failure in &stream.truth {
        let host = failure.root_cause.node.as_str();
        let alerting: BTreeSet<&str> = failure.alerts.iter().map(|id| nodes[id.as_str()]).collect();
        assert!(alerting.contains(host), "{} says nothing", failure.case);
        let runs_on = stream.topology.edges.iter().filter(|edge| edge.kind == "runs_on" && edge.to == host);
        pods += runs_on.filter(|edge| alerting.contains(&*edge.from)).count();
    }
    assert!(pods > stream.truth.len(), "{pods}");
}

#[test]
fn missing_and_wrong_edges_are_as_many_as_asked_for_and_change_nothing_else() {
    let truth = in_memory(&parameters());
    let real: BTreeSet<_> = truth.topology.edges.iter().cloned().collect();
    let spoilt = in_memory(&Parameters { missing_edges_percent: 20, wrong_edges_percent: 10, ..parameters() });
    assert_eq!((&spoilt.alerts, &spoilt.truth), (&truth.alerts, &truth.truth));
    assert_eq!(spoilt.topology.nodes, truth.topology.nodes);
    let written: BTreeSet<_> = spoilt.topology.edges.iter().cloned().collect();
    assert_eq!(written.len(), spoilt.topology.edges.len(), "an edge comes twice");
    let (missing, wrong) = (real.difference(&written).count(), written.difference(&real).count());
    assert!((17..=23).contains(&(missing * 100 / real.len())), "{missing} of {}", real.len());
    assert_eq!(wrong, real.len() / 10);
    let summary = spoilt.description.summary;
    assert_eq!((summary.missing_edges, summary.wrong_edges), (missing, wrong));
}

#[test]
fn decoys_are_as_many_as_asked_for_and_never_at_a_root_before_it_fails() {
    let quiet = Parameters { noise_percent: 0, ..parameters() };
    let without = in_memory(&Parameters { decoys: 0, ..quiet.clone() });
    assert_eq!(without.changes.len(), without.description.summary.guilty_changes);
    let with = in_memory(&Parameters { decoys: 4, ..quiet });
    assert_eq!(with.changes.len() - without.changes.len(), 4 * with.truth.len());
    assert_eq!(with.truth, without.truth);
    let guilty: BTreeSet<&str> = with.truth.iter().filter_map(|failure| failure.change.as_deref()).collect();
    for failure in &with.truth {
        let at_root = with.changes.iter().filter(|change| change.node == failure.root_cause.node);
        let soon = at_root.filter(|change| (failure.t0 - 3_600.0..failure.t0).contains(&change.t));
        assert!(soon.into_iter().all(|change| guilty.contains(&*change.id)), "{}", failure.case);
    }
}

#[test]
fn each_monitor_has_a_clock_of_its_own_that_is_wrong_by_no_more_than_asked_for() {
    let exact = in_memory(&Parameters { skew_s: 0, ..parameters() });
    let skewed = in_memory(&Parameters { skew_s: 60, ..parameters() });
    assert_eq!(exact.changes, skewed.changes);
    let mut offsets: BTreeMap<String, BTreeSet<i64>> = BTreeMap::new();
    for (exact, skewed) in exact.alerts.iter().zip(&skewed.alerts) {
        assert_eq!((&exact.id, exact.rx), (&skewed.id, skewed.rx));
        let offset_ms = ((skewed.t - exact.t) * 1_000.0).round() as i64;
        if let Some(namespace) = exact.labels.get("namespace") {
            offsets.entry(namespace.clone()).or_default().insert(offset_ms);
        }
    }
    assert!(offsets.values().all(|offsets| offsets.len() == 1), "a clock is wrong in two ways: {offsets:?}");
    let all: Vec<i64> = offsets.into_values().flatten().collect();
    assert!(all.iter().all(|offset_ms| offset_ms.abs() <= 60_000));
    assert!(all.iter().any(|offset_ms| *offset_ms > 10_000) && all.iter().any(|offset_ms| *offset_ms < -10_000));
    assert!(exact.alerts.iter().all(|alert| alert.rx > Some(alert.t)), "arrived before it happened");
}

#[test]
fn what_is_missed_is_taken_out_of_the_same_failures() {
    let quiet = Parameters { noise_percent: 0, silent_roots_percent: 0, ..parameters() };
    let all = in_memory(&Parameters { missed_percent: 0, ..quiet.clone() });
    let some = in_memory(&Parameters { missed_percent: 40, ..quiet });
    let share = some.alerts.len() * 100 / all.alerts.len();
    assert!((54..=66).contains(&share), "{share}% are left");
    let same = |a: &TruthRecord, b: &TruthRecord| a.root_cause == b.root_cause && a.t0 == b.t0 && a.t1 == b.t1;
    assert!(all.truth.iter().zip(&some.truth).all(|(all, some)| same(all, some)));
}

#[test]
fn silent_roots_are_as_many_as_asked_for_and_most_where_nobody_looks() {
    let silent = |percent, kinds: &[FaultKind]| {
        let stream = in_memory(&Parameters {
            silent_roots_percent: percent,
            missed_percent: 0,
            kinds: kinds.to_vec(),
            ..parameters()
        });
        stream.truth.iter().filter(|failure| failure.silent).count() * 100 / stream.truth.len()
    };
    assert_eq!(silent(0, &[FaultKind::HostDown]), 0);
    assert!((25..=55).contains(&silent(40, &[FaultKind::HostDown])));
    assert!(silent(0, &[FaultKind::SwitchDown]) >= 60);
}

#[test]
fn noise_has_its_share_and_is_no_failure() {
    for percent in [0, 20, 60] {
        let stream = in_memory(&Parameters { noise_percent: percent, ..parameters() });
        let share = stream.description.summary.noise_percent();
        assert!((percent as usize).abs_diff(share) <= 1, "{percent}% asked for, {share}% found");
    }
    // One storm in a small estate within an hour, where most of the noise is about the same few checks.
    let kinds = vec![FaultKind::SwitchDown];
    let crowded = Parameters { nodes: 200, faults: 1, hours: 1, noise_percent: 50, kinds, ..parameters() };
    assert_eq!(in_memory(&crowded).description.summary.noise_percent(), 50);
    let stream = in_memory(&Parameters { noise_percent: 60, ..parameters() });
    let labelled: BTreeSet<&String> = stream.truth.iter().flat_map(|failure| &failure.alerts).collect();
    let planned: Vec<&AlertRecord> =
        stream.alerts.iter().filter(|alert| alert.labels.contains_key("maintenance")).collect();
    assert!(!planned.is_empty());
    for alert in planned {
        assert!(!labelled.contains(&alert.id), "planned work is no failure");
        let ticket = &alert.labels["maintenance"];
        assert!(stream.changes.iter().any(|change| change.reference == *ticket && change.summary.contains("planned")));
    }
    let mut firings: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for alert in stream.alerts.iter().filter(|alert| !labelled.contains(&alert.id)) {
        *firings.entry((&alert.node, &alert.alertname)).or_default() += 1;
    }
    assert!(firings.values().any(|count| *count >= 10), "nothing flaps");
}

#[test]
fn a_condition_never_fires_while_it_fires() {
    let stream = in_memory(&Parameters { missed_percent: 0, ..parameters() });
    let mut spans: BTreeMap<[&str; 3], Vec<(f64, f64)>> = BTreeMap::new();
    for alert in &stream.alerts {
        let operation = alert.labels.get("operation").or_else(|| alert.labels.get("callee"));
        let condition = [alert.node.as_str(), &alert.alertname, operation.map_or("", String::as_str)];
        spans.entry(condition).or_default().push((alert.t, alert.resolved_t.unwrap()));
    }
    for (condition, mut spans) in spans {
        spans.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{condition:?}");
    }
}

#[test]
fn some_alerts_arrive_late_and_only_where_asked_for() {
    let late = |percent| {
        let stream = in_memory(&Parameters { skew_s: 0, late_percent: percent, ..parameters() });
        let is_late = |alert: &&AlertRecord| alert.rx.unwrap() - alert.t >= 120.0;
        stream.alerts.iter().filter(is_late).count() * 100 / stream.alerts.len()
    };
    assert_eq!(late(0), 0);
    assert!((16..=24).contains(&late(20)), "{}", late(20));
}

#[test]
fn failures_overlap_up_to_the_number_asked_for() {
    for concurrent in [1, 2, 20] {
        let stream = in_memory(&Parameters { concurrent, hours: 200, ..parameters() });
        let mut most = 0;
        for failure in &stream.truth {
            let same = stream.truth.iter().filter(|other| other.t0 <= failure.t0 && failure.t0 < other.t1);
            let roots: Vec<&str> = same.map(|failure| failure.root_cause.node.as_str()).collect();
            assert_eq!(roots.iter().collect::<BTreeSet<_>>().len(), roots.len(), "one root, two faults at once");
            most = most.max(roots.len());
        }
        assert!(most <= concurrent as usize && most * 2 > concurrent as usize, "{most} at once, {concurrent} allowed");
        let last = stream.truth.iter().map(|failure| failure.t1).fold(0.0, f64::max);
        assert!(last <= (START_MS / 1_000) as f64 + 200.0 * 3_600.0);
    }
}

#[test]
fn a_few_roots_fail_again_and_again() {
    let recurring = |recurring_percent| {
        let parameters = Parameters { recurring_percent, faults: 100, ..parameters() };
        in_memory(&parameters).description.summary.recurring_failures
    };
    assert!(recurring(60) >= 40, "{}", recurring(60));
    assert!(recurring(0) < 40, "{}", recurring(0));
}

#[test]
fn chronic_nodes_ring_in_more_failures_than_others() {
    let most = |chronic_percent| {
        let stream =
            in_memory(&Parameters { chronic_percent, noise_percent: 0, nodes: 2_400, faults: 200, ..parameters() });
        let nodes: BTreeMap<&str, &str> =
            stream.alerts.iter().map(|alert| (alert.id.as_str(), alert.node.as_str())).collect();
        let mut failures: BTreeMap<&str, usize> = BTreeMap::new();
        for failure in &stream.truth {
            let alerting: BTreeSet<&str> = failure.alerts.iter().map(|id| nodes[id.as_str()]).collect();
            alerting.into_iter().for_each(|node| *failures.entry(node).or_default() += 1);
        }
        let mut counts: Vec<usize> = failures.into_values().collect();
        counts.sort_unstable_by(|a, b| b.cmp(a));
        counts.iter().take(20).sum::<usize>()
    };
    let (without, with) = (most(0), most(10));
    assert!(with * 10 > without * 12, "{without} without, {with} with chronic nodes");
}

#[test]
fn the_root_is_found_neither_by_being_first_nor_by_being_loud() {
    let stream = in_memory(&Parameters::of(Set::Busy));
    let alerts: BTreeMap<&str, &AlertRecord> = stream.alerts.iter().map(|alert| (&*alert.id, alert)).collect();
    let (mut first, mut loudest, mut silent) = (0, 0, 0);
    for failure in &stream.truth {
        let own: Vec<&AlertRecord> = failure.alerts.iter().map(|id| alerts[id.as_str()]).collect();
        let root = failure.root_cause.node.as_str();
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        own.iter().for_each(|alert| *counts.entry(&alert.node).or_default() += 1);
        let most = counts.values().max().copied();
        first += usize::from(own.iter().min_by(|a, b| a.t.total_cmp(&b.t)).unwrap().node == root);
        loudest += usize::from(counts.get(root).copied() == most);
        silent += usize::from(failure.silent);
    }
    let failures = stream.truth.len();
    assert!(first * 100 / failures <= 45, "first in {first} of {failures}");
    assert!(loudest * 100 / failures <= 55, "loudest in {loudest} of {failures}");
    assert!((6..=18).contains(&(silent * 100 / failures)), "silent in {silent} of {failures}");
}

#[test]
fn every_vocabulary_has_a_word_for_the_first_sign_of_every_fault() {
    for kind in FaultKind::ALL {
        let (symptom, percent, _) = kind.local()[0];
        assert_eq!(percent, 100);
        for vocabulary in Vocabulary::ALL {
            assert!(vocabulary::name(vocabulary, symptom).is_some(), "{vocabulary:?} does not know {symptom:?}");
        }
    }
    assert_eq!(FaultKind::ALL.iter().map(|kind| kind.weight()).sum::<u32>(), 100);
}

#[test]
fn too_many_failures_for_the_time_are_refused_with_a_time_that_is_enough() {
    let crowded = Parameters { hours: 10, concurrent: 1, ..parameters() };
    let Err(GenerateError::TooShort { hours, .. }) = super::generate(&crowded, &mut |_, _| {}) else {
        panic!("sixty failures one after the other do not fit into ten hours");
    };
    let hours = u32::try_from(hours).unwrap();
    check_consistent(&in_memory(&Parameters { hours, ..crowded.clone() }));
    assert!(super::generate(&Parameters { hours: hours - 1, ..crowded }, &mut |_, _| {}).is_err());
}

#[test]
fn a_directory_with_something_in_it_is_left_alone_unless_forced() {
    let directory = tempfile::tempdir().unwrap();
    assert!(write::check_free(directory.path(), false).is_ok());
    assert!(write::check_free(&directory.path().join("new"), false).is_ok());
    std::fs::write(directory.path().join("notes.txt"), "mine").unwrap();
    let error = write::check_free(directory.path(), false).unwrap_err();
    assert!(matches!(error, GenerateError::NotEmpty { .. }), "{error}");
    assert!(write::check_free(directory.path(), true).is_ok());
    let file = directory.path().join("notes.txt");
    assert!(matches!(write::check_free(&file, true), Err(GenerateError::Write { .. })));
}
