//! `watchbell evaluate` as it is typed, on a set that is small enough to follow by hand.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

fn evaluate(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_watchbell")).env_clear().arg("evaluate").args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn alert(id: &str, node: &str, at: i64, severity: &str) -> Value {
    json!({
        "id": id, "t": at, "alertname": "Down", "node": node, "severity": severity, "source": "check",
        "status": "firing", "labels": {}, "summary": format!("{node} is down"), "resolved_t": at + 300,
    })
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

/// db fails and web with it, a day later api alone; in between a printer that has to do with nothing.
fn write(folder: &Path) {
    let alerts = [
        alert("a1", "db", 0, "critical"),
        alert("a2", "web", 5, "critical"),
        alert("a3", "printer", 40_000, "warning"),
        alert("a4", "api", 86_400, "critical"),
    ];
    let mut packed = GzEncoder::new(fs::File::create(folder.join("alerts.jsonl.gz")).unwrap(), Compression::fast());
    packed.write_all(lines(&alerts).as_bytes()).unwrap();
    packed.finish().unwrap();
    let topology = json!({
        "nodes": [{"id": "db", "type": "host"}, {"id": "web", "type": "pod"}, {"id": "api", "type": "pod"}],
        "edges": [{"from": "web", "to": "db", "kind": "calls"}],
    });
    fs::write(folder.join("topology.json"), topology.to_string()).unwrap();
    let truth = [
        json!({"case": "one", "t0": 0, "t1": 300, "alerts": ["a1", "a2"], "root_cause": {"node": "db"}}),
        json!({"case": "two", "t0": 86_400, "t1": 86_700, "alerts": ["a4"], "root_cause": {"node": "api"}}),
    ];
    fs::write(folder.join("truth.jsonl"), lines(&truth)).unwrap();
}

#[test]
fn a_small_set_is_judged() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().join("shop");
    fs::create_dir(&shop).unwrap();
    write(&shop);
    let shop = shop.to_str().unwrap();
    let output = evaluate(&["--json", shop]);
    assert_eq!((output.status.code(), text(&output.stderr)), (Some(0), String::new()));
    let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let micros = report["sets"][0]["micros_per_alert"].take();
    assert!(micros.as_f64().is_some_and(|micros| micros > 0.0), "{micros}");
    let set = &mut report["sets"][0];
    let baselines: Vec<Value> = ["root_cause", "grouping"]
        .iter()
        .flat_map(|part| {
            let rows = set[*part].as_array_mut().unwrap();
            let is_engine = |row: &Value| row["method"].as_str().is_some_and(|name| name.starts_with("watchbell"));
            let (engine, others): (Vec<Value>, Vec<Value>) = rows.drain(..).partition(is_engine);
            *rows = engine;
            others.into_iter().map(|row| row["method"].clone())
        })
        .collect();
    insta::assert_json_snapshot!(report, @"");
    insta::assert_json_snapshot!(baselines, @"");
    let output = evaluate(&[shop, shop]);
    let mut tables: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    let both = tables.len();
    tables.truncate(both / 2);
    assert_eq!(both, 2 * tables.len() + 1, "a blank line between two sets");
    let micros = tables.pop().unwrap();
    assert!(micros.ends_with(" µs per alert"), "{micros}");
    insta::assert_snapshot!(tables.join("\n"), @"");
}

#[test]
fn what_is_no_set_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().to_str().unwrap();
    let told = |output: Output| {
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
        text(&output.stderr).replace(shop, "shop")
    };
    insta::assert_snapshot!(told(evaluate(&[shop])), @"");
    write(folder.path());
    let truth = json!({"case": "one", "t0": 0, "alerts": ["a9"], "root_cause": {"node": "db"}});
    fs::write(folder.path().join("truth.jsonl"), truth.to_string()).unwrap();
    insta::assert_snapshot!(told(evaluate(&[shop])), @"");
    fs::write(folder.path().join("alerts.jsonl.gz"), "no gzip").unwrap();
    insta::assert_snapshot!(told(evaluate(&[shop])), @"");
}
