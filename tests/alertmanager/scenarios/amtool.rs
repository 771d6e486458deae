//! The real `amtool` against both: what it prints, and how it ends, is the same. `template render` and
//! `check-config` ask no server; the latter judges the configuration that the server shows.

use std::process::{Child, Command, Stdio};

use saphyr::{LoadableYamlNode, Yaml};
use serde_json::Value;

use super::SIMPLE;
use crate::alert::alert;
use crate::difference::{Rules, differences, without_ids};
use crate::lab::Lab;
use crate::side::Side;

/// Debian's name for it.
const AMTOOL: &str = "/usr/bin/amtool";
const SHOWN: &str = "shown.yml";
const TREE: &str = r#"
global: { resolve_timeout: 10m }
route:
  receiver: page
  group_by: [alertname]
  group_wait: 1s
  group_interval: 2s
  routes:
    - { receiver: mail, matchers: [ team="db", zone!~"1|2" ], continue: true }
    - receiver: chat
      match: { team: db }
      routes: [ { receiver: page, match_re: { zone: "[0-9]+" } } ]
receivers:
  - { name: page, webhook_configs: [ { url: "@/page" } ] }
  - { name: mail, webhook_configs: [ { url: "@/mail", send_resolved: false, max_alerts: 5 } ] }
  - { name: chat, webhook_configs: [ { url: "@/chat" } ] }
inhibit_rules:
  - { source_matchers: [ severity="critical" ], target_matchers: [ severity="warning" ], equal: [cluster] }
time_intervals:
  - { name: weekend, time_intervals: [ { weekdays: ["saturday", "sunday"] } ] }
"#;

/// What one call printed, and its exit code.
struct Said {
    stdout: String,
    stderr: String,
    code: Option<i32>,
}

/// A running `amtool` with these words, asking this side.
fn start(side: &Side, words: &[&str]) -> Child {
    Command::new(AMTOOL)
        .args(words)
        // Both are another version than it may expect.
        .args([&format!("--alertmanager.url={}", side.url("/")), "--no-version-check"])
        // It reads defaults from there.
        .env("HOME", &side.directory)
        .env("TZ", "UTC")
        .current_dir(&side.directory)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`amtool` can be called")
}

impl Said {
    /// Waits until it has ended.
    fn by(amtool: Child) -> Self {
        let output = amtool.wait_with_output().expect("`amtool` ends");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { stdout: text(&output.stdout), stderr: text(&output.stderr), code: output.status.code() }
    }
}

/// Without ids, times, the addresses of the sides, and the words in which a server says what is wrong.
fn masked(text: &str, side: &Side) -> String {
    let times = regex::Regex::new(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+Z| UTC)?").expect("the expression is right");
    let text = without_ids(text).replace(&side.url(""), "<address>").replace(&side.receiver.url(), "<receiver>");
    let text = times.replace_all(&text, "<time>");
    let words = regex::Regex::new(r"(\]\[\d+\] \w+)  .+").expect("the expression is right");
    words.replace_all(&text, "$1  <the server's words>").into_owned()
}

/// Asks both sides the same and compares everything; returns what they printed.
async fn same(lab: &Lab, words: &[&str]) -> [String; 2] {
    let words = [words, words];
    same_with(lab, words).await
}

/// As [`same`], with words of their own for each side, an id for example.
async fn same_with(lab: &Lab, words: [&[&str]; 2]) -> [String; 2] {
    let (theirs, ours) = (start(&lab.reference, words[0]), start(&lab.ours, words[1]));
    let (theirs, ours) = (Said::by(theirs), Said::by(ours));
    // What amtool adds begins when it arrives.
    let rules = Rules { exact_starts: false, ..lab.rules() };
    let mut found = Vec::new();
    match (serde_json::from_str::<Value>(&theirs.stdout), serde_json::from_str::<Value>(&ours.stdout)) {
        (Ok(their), Ok(our)) => found.extend(differences(&their, &our, &rules)),
        _ => found.extend(differing("stdout", &lab_masked(lab, &theirs.stdout, &ours.stdout))),
    }
    found.extend(differing("stderr", &lab_masked(lab, &theirs.stderr, &ours.stderr)));
    if theirs.code != ours.code {
        found.push(format!("it ends with {:?} at theirs, with {:?} at ours", theirs.code, ours.code));
    }
    if !found.is_empty() {
        lab.object(&format!("amtool {}:\n{}", words[1].join(" "), found.join("\n")));
    }
    [theirs.stdout, ours.stdout]
}

fn lab_masked(lab: &Lab, theirs: &str, ours: &str) -> [String; 2] {
    [masked(theirs, &lab.reference), masked(ours, &lab.ours)]
}

fn differing(stream: &str, [theirs, ours]: &[String; 2]) -> Option<String> {
    (theirs != ours).then(|| format!("{stream} at theirs:\n{theirs}\n{stream} at ours:\n{ours}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alerts_are_added_and_queried() {
    let Some(lab) = Lab::start(TREE).await else { return };
    let old = format!("--start={}", lab.moment(-400.0));
    same(&lab, &["alert", "add", "Old", "cluster=red", "severity=critical", "--annotation=summary=it is old", &old])
        .await;
    lab.silence(&[["instance", "=", "c"]], 0.0, 600.0).await;
    lab.post(&[
        alert("a").starts(-300.0).label("team", "db").annotation("summary", "full").generator("http://p.example/g"),
        alert("b").starts(-200.0).label("cluster", "red").label("severity", "warning"),
        alert("c").starts(-100.0).label("team", "web").ends(500.0),
    ])
    .await;
    lab.at(4.0).await;
    for words in [
        ["alert", "query"].as_slice(),
        &["alert"],
        &["alert", "query", "-o", "extended"],
        &["alert", "query", "-o", "json"],
        &["alert", "query", "--silenced"],
        &["alert", "query", "--inhibited"],
        &["alert", "query", "--active", "--silenced", "--inhibited", "-o", "extended"],
        &["alert", "query", "--unprocessed"],
        &["alert", "query", "--receiver=mail"],
        &["alert", "query", "--receiver=ma.*", "-o", "json"],
        &["alert", "query", "DiskFull"],
        &["alert", "query", "DiskFull", "team=db"],
        &["alert", "query", "team=~d.", "instance!=b"],
        &["alert", "query", "team!~d.|"],
        &["alert", "query", "nothing=like_it", "-o", "json"],
        &["alert", "query", "team=~("],
        &["alert", "add"],
        &["alert", "add", "Bad", "--start=tomorrow"],
    ] {
        same(&lab, words).await;
    }
    lab.agree(&["chat: +a", "mail: +a", "page: +Old"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_added_with_its_end_is_told_and_resolved() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let end = format!("--end={}", lab.moment(2.0));
    let start = format!("--start={}", lab.moment(0.0));
    same(&lab, &["alert", "add", "DiskFull", "instance=a", &start, &end, "--generator-url=http://p.example/"]).await;
    lab.at(4.5).await;
    same(&lab, &["alert", "query", "-o", "json"]).await;
    lab.agree(&["page: +a | -a"]).await;
}

/// Both ids that a call printed.
fn ids(printed: &[String; 2]) -> [&str; 2] {
    printed.each_ref().map(|text| text.trim())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_are_added_changed_and_expired() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    let add = ["silence", "add", "--comment=planned", "--author=eva"];
    let first = same(&lab, &[add.as_slice(), &["DiskFull", "instance=a"]].concat()).await;
    same(&lab, &[add.as_slice(), &["team=~d.", "zone!=1", "--duration=3h"]].concat()).await;
    same(
        &lab,
        &[add.as_slice(), &["rack=7", "zone!~1|2", "--start=2098-01-01T00:00:00Z", "--end=2098-01-02T00:00:00Z"]]
            .concat(),
    )
    .await;
    for words in [
        ["silence"].as_slice(),
        &["silence", "query"],
        &["silence", "query", "-o", "extended"],
        &["silence", "query", "-o", "json"],
        &["silence", "query", "-q"],
        &["silence", "query", "DiskFull"],
        &["silence", "query", "instance=a"],
        &["silence", "query", "team=db"],
        &["silence", "query", "--created-by=eva", "--within=2h"],
        &["silence", "query", "--created-by=jan"],
        &["silence", "query", "--expired"],
        &["silence", "add", "no_comment=1"],
        &["silence", "add", "-c", "x"],
        &["silence", "add", "-c", "x", "a=~("],
        &["silence", "expire", "nonsense"],
        &["silence", "update", "nonsense", "-d", "1h"],
    ] {
        same(&lab, words).await;
    }
    let [theirs, ours] = ids(&first);
    let update = |id| ["silence", "update", "--duration=4h", "--comment=it takes longer", id];
    same_with(&lab, [&update(theirs), &update(ours)]).await;
    same(&lab, &["silence", "query", "-o", "json"]).await;
    let updated = same(&lab, &["silence", "query", "-q", "instance=a"]).await;
    let [theirs, ours] = ids(&updated);
    same_with(&lab, [&["silence", "expire", theirs], &["silence", "expire", ours]]).await;
    same_with(&lab, [&["silence", "expire", theirs], &["silence", "expire", ours]]).await;
    same(&lab, &["silence", "query", "--expired"]).await;
    same(&lab, &["silence", "query", "--expired", "--within=1h", "-o", "json"]).await;
    same(&lab, &["silence", "query", "-o", "json"]).await;
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silences_are_imported() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    same(&lab, &["silence", "add", "DiskFull", "--comment=planned", "--author=eva"]).await;
    same(&lab, &["silence", "add", "team=~d.", "--comment=planned too", "--author=jan", "--duration=2h"]).await;
    let exported = same(&lab, &["silence", "query", "-o", "json"]).await;
    for (side, text) in [&lab.reference, &lab.ours].into_iter().zip(&exported) {
        std::fs::write(side.directory.join("silences.json"), text).expect("the silences can be written");
        std::fs::write(side.directory.join("broken.json"), "[{").expect("a broken file can be written");
    }
    // One after the other, so that they come in an order.
    same(&lab, &["silence", "import", "--worker=1", "silences.json"]).await;
    same(&lab, &["silence", "query", "-o", "json"]).await;
    same(&lab, &["silence", "import", "--worker=1", "--force", "silences.json"]).await;
    same(&lab, &["silence", "query", "DiskFull", "-o", "simple"]).await;
    same(&lab, &["silence", "import", "broken.json"]).await;
    lab.agree(&[]).await;
}

/// The configuration that `amtool config show` shows, also in the file [`SHOWN`].
///
/// Since 0.26 the URL of a webhook is a secret, which `amtool` reads since 0.27 only: it gets another one here.
async fn shown(side: &Side) -> String {
    let said = Said::by(start(side, &["config", "show"]));
    assert_eq!(said.code, Some(0), "{}: {}", side.name(), said.stderr);
    let status = side.get("/api/v2/status").await;
    let original = status.body["config"]["original"].as_str().expect("the text of the configuration");
    assert_eq!(said.stdout.trim(), original.trim());
    let text = original.replace("<secret>", "http://secret.example/");
    std::fs::write(side.directory.join(SHOWN), &text).expect("it can be written");
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tree_of_routes_is_shown_and_tested() {
    let Some(lab) = Lab::start(TREE).await else { return };
    for side in [&lab.reference, &lab.ours] {
        shown(side).await;
    }
    let file = format!("--config.file={SHOWN}");
    for words in [
        ["config", "routes", &file].as_slice(),
        &["config", "routes", "show", &file],
        &["config", "routes", "test", &file, "team=db"],
        &["config", "routes", "test", &file, "team=db", "zone=2"],
        &["config", "routes", "test", &file, "--tree", "team=db", "zone=3"],
        &["config", "routes", "test", &file, "--verify.receivers=mail,page", "team=db", "zone=3"],
        &["config", "routes", "test", &file, "--verify.receivers=page", "team=db", "zone=3"],
        &["config", "routes", "test", &file, "team=web"],
        &["config", "routes", "test", &file],
        &["cluster", "show"],
        &["cluster", "show", "-o", "extended"],
    ] {
        same(&lab, words).await;
    }
    lab.agree(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_configuration_that_is_shown_is_the_one_that_was_given() {
    let Some(lab) = Lab::start(TREE).await else { return };
    for side in [&lab.reference, &lab.ours] {
        let shown = shown(side).await;
        let checked = Said::by(start(side, &["check-config", SHOWN]));
        assert_eq!(checked.code, Some(0), "{}:\n{}\n{shown}", side.name(), checked.stderr);
        let load = |text: &str| Yaml::load_from_str(text).expect("YAML").into_iter().next().expect("a document");
        let given = std::fs::read_to_string(side.file()).expect("the file that was given");
        if let Some(lost) = lost("", &load(&given), &load(&shown)) {
            lab.object(&format!("{} shows another configuration: {lost}\n{}", side.name(), shown));
        }
    }
    lab.agree(&[]).await;
}

/// What the file says and what is shown does not; defaults may be added, and URLs are secrets since 0.26.
fn lost(path: &str, given: &Yaml, shown: &Yaml) -> Option<String> {
    match (given, shown) {
        (Yaml::Mapping(given), Yaml::Mapping(_)) => given.iter().find_map(|(key, value)| {
            let name = key.as_str().expect("keys are texts");
            let path = format!("{path}.{name}");
            match shown.as_mapping_get(name) {
                _ if name == "url" => None,
                // The default.
                None if value.as_bool() == Some(false) => None,
                None => Some(format!("{path} is missing")),
                Some(shown) => lost(&path, value, shown),
            }
        }),
        (Yaml::Sequence(given), Yaml::Sequence(shown)) => {
            if given.len() != shown.len() {
                return Some(format!("{path} has {} entries, expected {}", shown.len(), given.len()));
            }
            let mut pairs = given.iter().zip(shown).enumerate();
            pairs.find_map(|(index, (given, shown))| lost(&format!("{path}[{index}]"), given, shown))
        }
        (given, shown) => (given != shown).then(|| format!("{path} is {shown:?}, expected {given:?}")),
    }
}
