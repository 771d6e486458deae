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

/// db fails and web with it, and at the same time a printer that has to do with nothing. A day later only api
/// complains, twice, though db was to blame. Then the printer again, too softly for anyone to be called.
fn write(folder: &Path) {
    let alerts = [
        alert("a1", "db", 0, "critical"),
        alert("a2", "web", 5, "critical"),
        alert("a3", "printer", 60, "warning"),
        alert("a4", "api", 86_400, "warning"),
        alert("a5", "api", 86_410, "warning"),
        alert("a6", "printer", 90_000, "info"),
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
        json!({"case": "two", "t0": 86_400, "t1": 86_700, "alerts": ["a4", "a5"], "root_cause": {"node": "db"}}),
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
    insta::assert_json_snapshot!(report, @r#"
{
  "intervals": {
    "confidence": 0.95,
    "resamples": 1000,
    "seed": 20261121
  },
  "sets": [
    {
      "alerts": 6,
      "changes": 0,
      "failures": 2,
      "first_firings": 5,
      "grouping": [
        {
          "ari": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          },
          "captured": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          },
          "compression": {
            "high": null,
            "low": null,
            "value": 0.5
          },
          "detectable": 1,
          "detected": 1,
          "detection_p50_seconds": {
            "high": 0.0,
            "low": 0.0,
            "value": 0.0
          },
          "detection_p95_seconds": {
            "high": 0.0,
            "low": 0.0,
            "value": 0.0
          },
          "f1": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          },
          "f1_without_noise": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          },
          "incidents": 3,
          "incidents_per_failure": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          },
          "method": "watchbell",
          "noise_opened": {
            "high": 0.5,
            "low": 0.5,
            "value": 0.5
          },
          "precision": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          },
          "recall": {
            "high": 1.0,
            "low": 1.0,
            "value": 1.0
          }
        }
      ],
      "micros_per_alert": null,
      "nodes": 3,
      "noise_firings": 2,
      "root_cause": [
        {
          "ac_1": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "ac_3": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "avg_5": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "failures": 2,
          "method": "watchbell",
          "mode": "given",
          "split": null
        },
        {
          "ac_1": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "ac_3": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "avg_5": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "failures": 2,
          "method": "watchbell, causes confirmed",
          "mode": "given",
          "split": null
        },
        {
          "ac_1": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "ac_3": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "avg_5": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "failures": 2,
          "method": "watchbell",
          "mode": "end_to_end",
          "split": null
        },
        {
          "ac_1": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "ac_3": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "avg_5": {
            "high": 1.0,
            "low": 0.0,
            "value": 0.5
          },
          "failures": 2,
          "method": "watchbell, causes confirmed",
          "mode": "end_to_end",
          "split": null
        }
      ],
      "scored_by": "node",
      "set": "shop"
    }
  ]
}
"#);
    insta::assert_json_snapshot!(baselines, @r#"
[
  "rarity only",
  "earliest alert",
  "most alerts",
  "PageRank",
  "by alertname",
  "by namespace",
  "fixed window",
  "quiet gap",
  "topology, 2 hops",
  "by alertname",
  "by namespace",
  "fixed window",
  "quiet gap",
  "topology, 2 hops"
]
"#);
    let output = evaluate(&[shop, shop]);
    let mut tables: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    let both = tables.len();
    tables.truncate(both / 2);
    assert_eq!(both, 2 * tables.len() + 1, "a blank line between two sets");
    let micros = tables.pop().unwrap();
    assert!(micros.ends_with(" µs per alert"), "{micros}");
    insta::assert_snapshot!(tables.join("\n"), @r"
shop: 6 alerts, 5 first (2 of noise), 2 failures, 3 nodes; causes compared by node

Root cause, given the alerts of each failure: 2 failures
                             AC@1                 AC@3                 Avg@5
watchbell                    0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
watchbell, causes confirmed  0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
rarity only                  0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
earliest alert               0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
most alerts                  0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
PageRank                     0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]

Root cause, end to end, through grouping: 2 failures
                             AC@1                 AC@3                 Avg@5
watchbell                    0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
watchbell, causes confirmed  0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
by alertname                 0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
by namespace                 0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
fixed window                 0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
quiet gap                    0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]
topology, 2 hops             0.500 [0.000 1.000]  0.500 [0.000 1.000]  0.500 [0.000 1.000]

Grouping
                  precision            recall               F1                   F1 without noise     ARI
watchbell         1.000 [1.000 1.000]  1.000 [1.000 1.000]  1.000 [1.000 1.000]  1.000 [1.000 1.000]  1.000 [1.000 1.000]
by alertname      0.333 [0.333 1.000]  1.000 [1.000 1.000]  0.500 [0.500 1.000]  1.000 [1.000 1.000]  0.412 [0.375 1.000]
by namespace      0.333 [0.333 1.000]  1.000 [1.000 1.000]  0.500 [0.500 1.000]  1.000 [1.000 1.000]  0.412 [0.375 1.000]
fixed window      0.333 [0.333 1.000]  1.000 [1.000 1.000]  0.500 [0.500 1.000]  1.000 [1.000 1.000]  0.412 [0.375 1.000]
quiet gap         0.333 [0.333 1.000]  1.000 [1.000 1.000]  0.500 [0.500 1.000]  1.000 [1.000 1.000]  0.412 [0.375 1.000]
topology, 2 hops  1.000 [1.000 1.000]  1.000 [1.000 1.000]  1.000 [1.000 1.000]  1.000 [1.000 1.000]  1.000 [1.000 1.000]

Incidents
                  opened  captured             per failure       noise that opened one  compression  detected  after p50, s   p95, s
watchbell         3       1.000 [1.000 1.000]  1.00 [1.00 1.00]  0.500 [0.500 0.500]    0.5000       1 of 1    0.0 [0.0 0.0]  0.0 [0.0 0.0]
by alertname      3       0.500 [0.000 1.000]  1.00 [1.00 1.00]  0.500 [0.500 0.500]    0.5000       1 of 1    0.0 [0.0 0.0]  0.0 [0.0 0.0]
by namespace      3       0.500 [0.000 1.000]  1.00 [1.00 1.00]  0.500 [0.500 0.500]    0.5000       1 of 1    0.0 [0.0 0.0]  0.0 [0.0 0.0]
fixed window      3       0.500 [0.000 1.000]  1.00 [1.00 1.00]  0.500 [0.500 0.500]    0.5000       1 of 1    0.0 [0.0 0.0]  0.0 [0.0 0.0]
quiet gap         3       0.500 [0.000 1.000]  1.00 [1.00 1.00]  0.500 [0.500 0.500]    0.5000       1 of 1    0.0 [0.0 0.0]  0.0 [0.0 0.0]
topology, 2 hops  4       1.000 [1.000 1.000]  1.00 [1.00 1.00]  1.000 [1.000 1.000]    0.3333       1 of 1    0.0 [0.0 0.0]  0.0 [0.0 0.0]
");
}

#[test]
fn what_is_no_set_is_refused_with_a_way_out() {
    let folder = tempfile::tempdir().unwrap();
    let shop = folder.path().to_str().unwrap();
    let told = |output: Output| {
        assert_eq!((output.status.code(), text(&output.stdout)), (Some(2), String::new()));
        text(&output.stderr).replace(shop, "shop")
    };
    insta::assert_snapshot!(told(evaluate(&[shop])), @r"
error: cannot use the labelled data
  cause: cannot read `shop/alerts.jsonl.gz`
  cause: No such file or directory (os error 2)

hint: a set is a directory with `alerts.jsonl.gz`, `topology.json` and `truth.jsonl`; docs/evaluation.md shows how to make one of your own incidents
");
    write(folder.path());
    let truth = json!({"case": "one", "t0": 0, "alerts": ["a9"], "root_cause": {"node": "db"}});
    fs::write(folder.path().join("truth.jsonl"), truth.to_string()).unwrap();
    insta::assert_snapshot!(told(evaluate(&[shop])), @r"
error: cannot use the labelled data
  cause: shop/truth.jsonl:1: `alerts[0]`: expected the id of an alert, got `a9`, which is in no line of `alerts.jsonl.gz`

hint: docs/evaluation.md says what each field means
");
    fs::write(folder.path().join("alerts.jsonl.gz"), "no gzip").unwrap();
    insta::assert_snapshot!(told(evaluate(&[shop])), @r"
error: cannot use the labelled data
  cause: cannot read `shop/alerts.jsonl.gz`
  cause: unexpected end of file

hint: a set is a directory with `alerts.jsonl.gz`, `topology.json` and `truth.jsonl`; docs/evaluation.md shows how to make one of your own incidents
");
}
