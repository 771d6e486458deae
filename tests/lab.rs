//! The commands that need no daemon and measure the engine: streams are generated, replayed and compared.

use std::fs;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

#[path = "support/cli.rs"]
mod cli;

use cli::watchbell;

/// Exit code, stdout, stderr.
fn run(arguments: &[&str]) -> (i32, String, String) {
    let output = watchbell(arguments).stdin(Stdio::null()).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_generated_stream_says_what_it_is_and_overwrites_nothing() {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("stream");
    let out = out.to_str().unwrap();
    let short = ["generate", "--out", out, "--nodes", "300", "--faults", "20"];
    let (code, stdout, told) = run(&short);
    assert_eq!((code, stdout.as_str()), (0, ""));
    let head = format!("{out}: seed 1\n  topology  300 nodes, ");
    assert!(told.starts_with(&head) && told.contains("  failures  20 (") && told.contains(" bad_deploy\n"), "{told}");
    let refused =
        format!("error: `{out}` is not empty\n\nhint: name another directory, or write over it with `--force`\n");
    assert_eq!(run(&short), (2, String::new(), refused));
    let alerts = || fs::read(Path::new(out).join("alerts.jsonl.gz")).unwrap();
    let first = alerts();
    let output = watchbell(&short).args(["--force", "--json"]).output().unwrap();
    let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&summary["nodes"], &summary["failures"]), (&300.into(), &20.into()));
    assert!(output.stderr.is_empty() && alerts() == first);
    let crowded = "error: 2 hours are too short for 20 failures with at most 1 at once: expected 14\n\nhint: `--hours 14` \
                   is long enough; a higher `--concurrent` or fewer `--faults` need less time\n";
    let other = format!("{out}-2");
    let crowd = ["generate", "--out", &other, "--faults", "20", "--hours", "2", "--concurrent", "1"];
    assert_eq!(run(&crowd), (2, String::new(), crowded.to_owned()));
    assert!(!Path::new(&other).exists());
    assert!(run(&["generate", "--out", &other, "--noise", "100"]).2.contains("100 is not in 0..=90"));
}

/// A router, what is behind it, a warning that comes alone, and a deployment of something else that then fails.
const EVENTS: &str = r#"{"id":"e1","at":"2026-11-21T05:00:00Z","source":"nagios","status":"firing","name":"Host down","configuration_item":"rtr1","severity":"critical"}
{"id":"e2","at":"2026-11-21T05:00:04Z","source":"zabbix","status":"firing","name":"Host unreachable","configuration_item":"web1","severity":"critical"}
{"id":"e3","at":"2026-11-21T05:00:05Z","source":"prometheus","status":"firing","name":"HostDown","configuration_item":"web2","severity":"critical"}
{"id":"e4","at":"2026-11-21T05:10:00Z","source":"nagios","status":"firing","name":"Disk filling up","configuration_item":"db9","severity":"warning"}
{"id":"e5","at":"2026-11-21T05:11:00Z","source":"nagios","status":"resolved","name":"Disk filling up","configuration_item":"db9"}
{"id":"e6","at":"2026-11-21T06:00:00Z","source":"prometheus","status":"firing","name":"HighErrorRate","configuration_item":"shop","severity":"critical"}
"#;
const TOPOLOGY: &str = r#"{"nodes":[{"id":"rtr1"},{"id":"web1"},{"id":"web2"},{"id":"shop"},{"id":"db9"}],
"edges":[{"from":"web1","to":"rtr1"},{"from":"web2","to":"rtr1"}]}"#;
const CHANGES: &str = r#"{"id":"c1","at":"2026-11-21T05:50:00Z","kind":"deploy","configuration_item":"shop","reference":"v2"}
{"id":"c2","at":"2026-11-21T05:55:00Z","kind":"deploy","configuration_item":"db9","reference":"v7"}
{"id":"c3","at":"2026-11-21T06:05:00Z","kind":"deploy","configuration_item":"shop","reference":"v1"}
"#;

#[test]
fn a_replay_names_causes_and_suspects_and_gives_the_same_bytes_each_time() {
    let home = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = home.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (events, topology) = (file("events.jsonl", EVENTS), file("topology.json", TOPOLOGY));
    let changes = file("changes.jsonl", CHANGES);
    let call = ["replay", "--events", &events, "--topology", &topology, "--changes", &changes, "--out", "-"];
    let (code, lines, told) = run(&call);
    assert_eq!((code, told.as_str()), (0, "note: 9 inputs, 3 incidents, 2 pages\n"), "{lines}");
    assert_eq!(run(&call).1, lines, "the same bytes");
    let incidents: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let read = |at: usize| {
        let one = &incidents[at];
        let cause = &one["root_causes"][0];
        format!("{} {} {} {}", one["state"], one["alerts"], cause["node"], one["suspect_changes"])
    };
    assert_eq!(read(0), r#""open" ["e1","e2","e3"] "rtr1" null"#);
    assert_eq!(read(1), r#""lapsed" ["e4"] null null"#);
    assert_eq!(read(2), r#""open" ["e6"] "shop" ["changes/c1"]"#);

    // The same traffic, had each warning been worth an incident.
    let warned =
        file("warned.yaml", "correlation: { open_severity: warning }\nroute: { receiver: log, group_wait: 0s }\n");
    let compare = ["replay", "--events", &events, "--topology", &topology, "--compare", &warned, "--json"];
    let (code, comparison, _) = run(&compare);
    let comparison: Value = serde_json::from_str(&comparison).unwrap();
    assert_eq!((code, &comparison["pages"]), (0, &serde_json::json!({ "before": 2, "after": 3 })), "{comparison}");

    let broken = file("broken.jsonl", "{\"status\":\"firing\",\"at\":\"2026-11-21T05:00:00Z\"}\n");
    let refused = format!("error: `{broken}`, line 1: `name`: expected a text that says what is wrong, got nothing\n");
    assert_eq!(run(&["replay", "--events", &broken]), (1, String::new(), refused));
}
