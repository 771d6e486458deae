//! Figures that were worked out by hand, and what must hold for any grouping.

use proptest::prelude::*;

use super::super::prediction::Group;
use super::super::sets::tests::{alert, failure};
use super::*;
use crate::model::topology::{ConfigurationItem, TopologyFile};
use crate::model::{Labels, Timestamp};

/// Alerts a second apart on items of their own; each failure holds those at its positions, noise is the rest.
fn set(alerts: usize, failures: &[&[usize]]) -> Set {
    let alerts = (0..alerts).map(|at| alert(&format!("a{at}"), &format!("n{at}"), "Down", at as i64, Some(9_999)));
    let failures = failures.iter().enumerate();
    let failures = failures.map(|(number, alerts)| failure(&format!("f{number}"), number as i64, alerts, "n0"));
    Set::new("s".into(), alerts.collect(), TopologyFile::default(), Vec::new(), failures.collect())
}

/// Groups that were opened by their first alert, when it came.
fn prediction(set: &Set, groups: &[&[usize]]) -> Prediction {
    let group = |alerts: &&[usize]| Group {
        alerts: alerts.to_vec(),
        opened_at: alerts.first().map_or_else(Timestamp::default, |first| set.alerts[*first].received_at),
        is_opened: true,
        opened_by: alerts.first().copied(),
        ranking: Vec::new(),
    };
    Prediction { groups: groups.iter().map(group).collect() }
}

fn close(one: f64, other: f64) {
    assert!((one - other).abs() < 1e-9, "{one} instead of {other}");
}

#[test]
fn shares_of_causes_within_the_first_ranks() {
    // First, second, fourth, sixth, and not named.
    let figures = root_cause(&[Some(0), Some(1), Some(3), Some(5), None]);
    close(figures.ac_1.value, 1.0 / 5.0);
    close(figures.ac_3.value, 2.0 / 5.0);
    // AC@1 .2, AC@2 .4, AC@3 .4, AC@4 .6, AC@5 .6.
    close(figures.avg_5.value, (0.2 + 0.4 + 0.4 + 0.6 + 0.6) / 5.0);
    let (low, high) = figures.ac_1.interval.unwrap();
    assert!((0.0..0.2).contains(&low) && high > 0.2 && high < 0.8, "{low} to {high}");
    assert!(root_cause(&[]).ac_1.value.is_nan());
}

#[test]
fn a_service_counts_once_at_its_best_place() {
    let node = |id: &str, service: &str| ConfigurationItem {
        id: id.to_owned(),
        service: Some(service.to_owned()),
        ..ConfigurationItem::default()
    };
    let nodes = vec![node("web-1", "web"), node("web-2", "web"), node("db-1", "db"), node("db-2", "db")];
    let root = Failure { root_service: Some("db".to_owned()), ..failure("f", 0, &[], "db-1") };
    let topology = TopologyFile { nodes, edges: Vec::new() };
    let set = Set::new("s".into(), Vec::new(), topology, Vec::new(), vec![root.clone()]);
    let ranking = ["web-1", "web-2", "db-2", "db-1"].map(str::to_owned);
    assert_eq!(rank_of(&set, &root, &ranking), Some(1));
    assert_eq!(rank_of(&set, &root, &ranking[..2]), None);
}

#[test]
fn pairs_and_rand_index_of_a_partition_worked_out_by_hand() {
    // Truth 000 111, predicted 00 11 22 across: two of six true pairs, three predicted. Published value of the
    // adjusted index for this pair of labelings: 0.2424.
    let set = set(6, &[&[0, 1, 2], &[3, 4, 5]]);
    let figures = grouping(&set, &prediction(&set, &[&[0, 1], &[2, 3], &[4, 5]]));
    close(figures.precision.value, 2.0 / 3.0);
    close(figures.recall.value, 2.0 / 6.0);
    close(figures.f1.value, 4.0 / 9.0);
    close(figures.ari.value, 8.0 / 33.0);
}

#[test]
fn noise_is_alone_in_truth() {
    // One failure of three, two noise alerts. The group of all has 10 pairs, 3 of them right.
    let set = set(5, &[&[0, 1, 2]]);
    let figures = grouping(&set, &prediction(&set, &[&[0, 1, 2, 3, 4]]));
    close(figures.precision.value, 0.3);
    close(figures.recall.value, 1.0);
    close(figures.f1_without_noise.value, 1.0);
    // Two noise alerts together are a wrong pair too.
    let figures = grouping(&set, &prediction(&set, &[&[0, 1, 2], &[3, 4]]));
    close(figures.precision.value, 0.75);
    // Alone, and not opened: nothing is wrong.
    let figures = grouping(&set, &prediction(&set, &[&[0, 1, 2]]));
    close(figures.precision.value, 1.0);
}

#[test]
fn a_failure_is_captured_when_little_is_strange_and_little_is_missing() {
    close(jaccard(5, 4, 4), 0.8);
    close(jaccard(2, 2, 0), 0.0);
    let set = set(10, &[&[0, 1, 2, 3], &[4, 5, 6, 7]]);
    let captured = |groups: &[&[usize]]| grouping(&set, &prediction(&set, groups)).captured.value;
    close(captured(&[&[0, 1, 2, 3], &[4, 5, 6, 7]]), 1.0);
    // One noise alert among five is borne, two among six are not.
    close(captured(&[&[0, 1, 2, 3, 8], &[4, 5, 6, 7, 8, 9]]), 0.5);
    close(captured(&[&[0, 1, 2], &[3], &[4, 5, 6, 7]]), 0.5);
    let mut pending = prediction(&set, &[&[0, 1, 2, 3]]);
    pending.groups[0].is_opened = false;
    close(grouping(&set, &pending).captured.value, 0.0);
}

#[test]
fn incidents_noise_and_compression_are_counted() {
    let set = set(10, &[&[0, 1, 2], &[4, 5]]);
    // The first failure in three incidents, one of which noise had opened; the second failure in one of these.
    let figures = grouping(&set, &prediction(&set, &[&[0, 4, 5], &[1], &[2, 3], &[8, 9]]));
    assert_eq!(figures.incidents, 4);
    close(figures.incidents_per_failure.value, (3.0 + 1.0) / 2.0);
    // Of 3, 6, 7, 8 and 9 only 8 was the first of its incident.
    close(figures.noise_opened.value, 0.2);
    close(figures.compression, 1.0 - 4.0 / 10.0);
}

#[test]
fn what_only_repeats_is_not_counted() {
    let alerts = vec![
        alert("a", "db", "Down", 0, Some(100)),
        alert("b", "db", "Down", 50, Some(100)),
        alert("c", "web", "Down", 60, Some(100)),
    ];
    let set =
        Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), vec![failure("f", 0, &[0, 1, 2], "db")]);
    let (failures, _) = pairs(&set, &prediction(&set, &[&[0, 2]]), false);
    assert_eq!(failures[0], Pairs { firings: 2.0, truth: 1.0, predicted: 1.0, both: 1.0 });
    close(grouping(&set, &prediction(&set, &[&[0, 2]])).captured.value, 1.0);
}

#[test]
fn detection_counts_from_the_first_critical_alert_to_the_main_incident() {
    let mut alerts: Vec<_> =
        (0..6).map(|at| alert(&format!("a{at}"), &format!("n{at}"), "Down", at * 10, Some(9_999))).collect();
    alerts[0].severity = Severity::Warning;
    alerts[5].severity = Severity::Info;
    let failures = vec![failure("f", 0, &[0, 1, 2], "n0"), failure("g", 1, &[3, 4], "n3"), failure("h", 2, &[5], "n5")];
    let set = Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), failures);
    // f is mostly in the incident opened at 20 s; its first critical alert came at 10 s.
    let found = prediction(&set, &[&[0], &[2, 1], &[3, 4]]);
    assert_eq!(detection_seconds(&set, &found), [10.0, 0.0]);
    // Opened by a warning before it: no time at all. The other one was never seen.
    let found = prediction(&set, &[&[0, 1, 2]]);
    assert_eq!(detection_seconds(&set, &found), [0.0, f64::INFINITY]);
    let figures = grouping(&set, &found);
    assert_eq!((figures.detectable, figures.detected), (2, 1));
    close(figures.detection_p50.value, 0.0);
    assert!(figures.detection_p95.value.is_infinite());
}

#[test]
fn the_main_incident_is_the_older_of_two_equals_and_an_open_one() {
    let set = set(4, &[&[0, 1, 2, 3]]);
    let mut found = prediction(&set, &[&[2, 3], &[0, 1]]);
    let main = |prediction: &Prediction| held(&set, prediction)[0].main_group(prediction);
    assert_eq!(main(&found), Some(1));
    found.groups[1].is_opened = false;
    assert_eq!(main(&found), Some(0));
    assert_eq!(main(&Prediction::default()), None);
}

/// A set whose alert i belongs to failure `truth[i]`, noise where that is 0, and a grouping likewise.
fn labelled(truth: &[usize], predicted: &[usize]) -> (Set, Prediction) {
    let of = |labels: &[usize]| -> Vec<Vec<usize>> {
        let most = labels.iter().copied().max().unwrap_or_default();
        let with = |label| (0..labels.len()).filter(|at| labels[*at] == label).collect::<Vec<_>>();
        (1..=most).map(with).filter(|alerts| !alerts.is_empty()).collect()
    };
    let (failures, groups) = (of(truth), of(predicted));
    let failures: Vec<&[usize]> = failures.iter().map(Vec::as_slice).collect();
    let groups: Vec<&[usize]> = groups.iter().map(Vec::as_slice).collect();
    let set = set(truth.len(), &failures);
    let prediction = prediction(&set, &groups);
    (set, prediction)
}

/// The same by looking at every pair.
fn by_looking_at_every_pair(truth: &[usize], predicted: &[usize]) -> (f64, f64, f64) {
    let is_same = |labels: &[usize], a: usize, b: usize| labels[a] != 0 && labels[a] == labels[b];
    let (mut in_truth, mut in_predicted, mut in_both) = (0.0, 0.0, 0.0);
    for a in 0..truth.len() {
        for b in 0..a {
            in_truth += f64::from(u8::from(is_same(truth, a, b)));
            in_predicted += f64::from(u8::from(is_same(predicted, a, b)));
            in_both += f64::from(u8::from(is_same(truth, a, b) && is_same(predicted, a, b)));
        }
    }
    (in_truth, in_predicted, in_both)
}

fn total(set: &Set, prediction: &Prediction) -> Pairs {
    let (failures, mut sum) = pairs(set, prediction, false);
    failures.into_iter().for_each(|pairs| sum.add(pairs));
    sum
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn pairs_are_those_that_one_finds_by_looking(labels in prop::collection::vec((0..5_usize, 0..5_usize), 1..40)) {
        let (truth, predicted): (Vec<usize>, Vec<usize>) = labels.into_iter().unzip();
        let (set, prediction) = labelled(&truth, &predicted);
        let sum = total(&set, &prediction);
        prop_assert_eq!((sum.truth, sum.predicted, sum.both), by_looking_at_every_pair(&truth, &predicted));
        prop_assert_eq!(sum.firings, truth.len() as f64);
    }

    #[test]
    fn the_truth_itself_is_perfect(truth in prop::collection::vec(0..5_usize, 1..40)) {
        let (set, prediction) = labelled(&truth, &truth);
        let figures = grouping(&set, &prediction);
        for figure in [figures.precision, figures.recall, figures.f1, figures.f1_without_noise, figures.ari] {
            close(figure.value, 1.0);
        }
        if !set.failures.is_empty() {
            close(figures.captured.value, 1.0);
            close(figures.incidents_per_failure.value, 1.0);
        }
    }

    #[test]
    fn names_of_groups_change_nothing(
        labels in prop::collection::vec((0..5_usize, 0..5_usize), 1..40),
        names in Just((1..5_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let (truth, predicted): (Vec<usize>, Vec<usize>) = labels.into_iter().unzip();
        let renamed: Vec<usize> = predicted.iter().map(|name| if *name == 0 { 0 } else { names[name - 1] }).collect();
        let (set, before) = labelled(&truth, &predicted);
        let (_, after) = labelled(&truth, &renamed);
        prop_assert_eq!(total(&set, &before), total(&set, &after));
        // What does not exist equals nothing, but reads alike.
        let figures = |prediction| format!("{:?}", grouping(&set, prediction));
        prop_assert_eq!(figures(&before), figures(&after));
    }
}

#[test]
fn labels_at_random_come_to_nothing() {
    let mut random = fastrand::Rng::with_seed(7);
    let truth: Vec<usize> = (0..600).map(|_| random.usize(1..7)).collect();
    let predicted: Vec<usize> = (0..600).map(|_| random.usize(1..7)).collect();
    let (set, prediction) = labelled(&truth, &predicted);
    let ari = total(&set, &prediction).ari();
    assert!(ari.abs() < 0.02, "{ari}");
}

#[test]
fn noise_that_opens_is_resampled_by_condition() {
    // One check that flaps a hundred times and always opens, one that fires once and does not.
    let mut alerts: Vec<_> =
        (0..100).map(|at| alert(&format!("a{at}"), "db", "Flaps", at * 10, Some(at * 10 + 1))).collect();
    alerts.push(alert("quiet", "db", "Once", 5_000, None));
    alerts.iter_mut().for_each(|alert| alert.labels = Labels::new());
    let set = Set::new("s".into(), alerts, TopologyFile::default(), Vec::new(), Vec::new());
    let alone: Vec<Vec<usize>> = (0..100).map(|at| vec![at]).collect();
    let alone: Vec<&[usize]> = alone.iter().map(Vec::as_slice).collect();
    let share = grouping(&set, &prediction(&set, &alone)).noise_opened;
    close(share.value, 100.0 / 101.0);
    assert_eq!(share.interval, Some((0.0, 1.0)));
}
