//! `watchbell test-route` and `watchbell check --alerts` as they are typed: the page that describes them, command by
//! command, and what it does not show. Loopback only.

use std::fs;
use std::path::Path;
use std::process::Command;

#[path = "support/cli.rs"]
mod cli;

use cli::{outcome, watchbell};

const PAGE: &str = "docs/test-routes.md";

/// The fenced blocks of a page, each with its language.
fn blocks(page: &str) -> Vec<(String, String)> {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let parts = text.split("```").skip(1).step_by(2);
    parts.map(|part| part.split_once('\n').unwrap()).map(|(name, text)| (name.to_owned(), text.to_owned())).collect()
}

/// A folder with the files of the page, and an Alertmanager's.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    let all = blocks(PAGE);
    let with = |language: &str| {
        all.iter().filter(|(name, _)| name == language).map(|(_, text)| text.as_str()).collect::<Vec<_>>()
    };
    let ([configuration, tests], [alerts]) = (&with("yaml")[..], &with("json")[..]) else { panic!("other blocks") };
    write("watchbell.yaml", &configuration.replace("token_file: /etc/watchbell/prometheus.token", "token: abcdefgh"));
    write("tests.yaml", tests);
    write("alerts.json", alerts);
    write("alertmanager.yml", ALERTMANAGER);
    folder
}

const ALERTMANAGER: &str = r#"
route:
  receiver: all
  routes:
    - match: { team: db }
      receiver: dba
    - matchers: ['team="db"', 'severity="critical"']
      receiver: all
    - matchers: ['team=~"web|app"']
      receiver: web
      routes: [{ matchers: ['severity="critical"'], continue: true }, { receiver: dba }]
receivers:
  - name: all
  - name: dba
    webhook_configs: [{ url: 'http://127.0.0.1:9/top-secret-path', http_config: { authorization: { credentials: Tr0ub4dor } } }]
  - name: web
  - name: nobody
"#;

fn called(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = watchbell(arguments);
    command.current_dir(folder);
    command
}

fn check(arguments: &[&str]) -> String {
    let folder = folder();
    outcome(&mut called(folder.path(), arguments))
}

#[test]
fn the_page_shows_what_is_printed() {
    let folder = folder();
    let mut shown = 0;
    let all = blocks(PAGE);
    for (at, (language, commands)) in all.iter().enumerate().filter(|(_, (language, _))| language == "sh") {
        assert_eq!(language, "sh");
        let arguments: Vec<&str> = commands.split_whitespace().skip(1).collect();
        let printed = outcome(&mut called(folder.path(), &arguments));
        assert!(printed.starts_with("exit code 0\n"), "{commands}{printed}");
        let text = all[at + 1..].iter().take_while(|(language, _)| language != "sh").find(|(name, _)| name == "text");
        if let Some((_, text)) = text {
            assert_eq!(printed, format!("exit code 0\n--- stdout\n{text}--- stderr\n"), "{commands}");
            shown += 1;
        }
    }
    assert_eq!(shown, 4);
}

#[test]
fn a_wrong_receiver_is_a_failure() {
    let to = |expected: &str| {
        let labels = ["team=web", "severity=critical"];
        check(&["test-route", "--alertmanager", "alertmanager.yml", "--expect", expected, labels[0], labels[1]])
    };
    insta::assert_snapshot!(to("dba,web"), @r#"
    exit code 0
    --- stdout
    alert  severity="critical", team="web"
      -> web by route.routes[2].routes[0] (team=~"web|app", severity="critical")
         group  {}/{team=~"web|app"}/{severity="critical"}:{}
         waits  30s, then looks every 5m, repeats every 4h
         sinks  none: nobody is told
         goes on, for route.routes[2].routes[0] has `continue`
      -> dba by route.routes[2].routes[1] (team=~"web|app")
         group  {}/{team=~"web|app"}/{}:{}
         waits  30s, then looks every 5m, repeats every 4h
         sinks  dba/webhook
    --- stderr
    "#);
    insta::assert_snapshot!(to("all"), @r#"
    exit code 1
    --- stdout
    alert  severity="critical", team="web"
      -> web by route.routes[2].routes[0] (team=~"web|app", severity="critical")
         group  {}/{team=~"web|app"}/{severity="critical"}:{}
         waits  30s, then looks every 5m, repeats every 4h
         sinks  none: nobody is told
         goes on, for route.routes[2].routes[0] has `continue`
      -> dba by route.routes[2].routes[1] (team=~"web|app")
         group  {}/{team=~"web|app"}/{}:{}
         waits  30s, then looks every 5m, repeats every 4h
         sinks  dba/webhook
    --- stderr
    warning: alert: expected all, it goes to dba, web
    "#);
    insta::assert_snapshot!(to("dbq"), @r#"
    exit code 2
    --- stdout
    --- stderr
    error: `--expect`: there is no receiver `dbq`

    hint: there are: `all`, `dba`, `log`, `nobody`, `web`
    "#);
}

#[test]
fn what_would_be_sent_is_shown_without_secrets() {
    let file = ["test-route", "--alertmanager", "alertmanager.yml"];
    let at = ["--at", "2026-11-21T05:00:00Z", "alertname=Slow", "team=db"];
    let all = |more: &[&str]| check(&[&file[..], &at[..], more].concat());
    let rendered = all(&["--render"]);
    insta::assert_snapshot!(rendered, @r#"
    exit code 0
    --- stdout
    Slow  alertname="Slow", team="db"
      -> dba by route.routes[0] (team="db")
         group  {}/{team="db"}:{}
         waits  30s, then looks every 5m, repeats every 4h
         sinks  dba/webhook
         dba/webhook:
           POST http://127.0.0.1:9/<secret>
           content-type: application/json
           user-agent: Alertmanager/0.34.0
           authorization: <secret>

           {
             "alerts": [
               {
                 "annotations": {},
                 "endsAt": "0001-01-01T00:00:00Z",
                 "fingerprint": "24a8acb949379a52",
                 "generatorURL": "",
                 "labels": {
                   "alertname": "Slow",
                   "team": "db"
                 },
                 "startsAt": "2026-11-21T05:00:00Z",
                 "status": "firing"
               }
             ],
             "commonAnnotations": {},
             "commonLabels": {
               "alertname": "Slow",
               "team": "db"
             },
             "externalURL": "",
             "groupKey": "{}/{team=\"db\"}:{}",
             "groupLabels": {},
             "notification_reason": "first notification",
             "receiver": "dba",
             "routeLabels": {},
             "status": "firing",
             "truncatedAlerts": 0,
             "version": "4"
           }
    --- stderr
    "#);
    let json = all(&["--render", "--json"]);
    for printed in [&rendered, &json] {
        assert!(!printed.contains("top-secret-path") && !printed.contains("Tr0ub4dor"), "{printed}");
    }
    insta::assert_snapshot!(json, @r#"
    exit code 0
    --- stdout
    {
      "alerts": [
        {
          "is_muted": false,
          "labels": {
            "alertname": "Slow",
            "team": "db"
          },
          "muted_by": [],
          "name": "Slow",
          "routes": [
            {
              "group": {
                "key": "{}/{team=\"db\"}:{}",
                "labels": {}
              },
              "group_interval": "5m",
              "group_wait": "30s",
              "path": "route.routes[0]",
              "receiver": "dba",
              "repeat_interval": "4h",
              "requests": [
                {
                  "sent": {
                    "body": {
                      "alerts": [
                        {
                          "annotations": {},
                          "endsAt": "0001-01-01T00:00:00Z",
                          "fingerprint": "24a8acb949379a52",
                          "generatorURL": "",
                          "labels": {
                            "alertname": "Slow",
                            "team": "db"
                          },
                          "startsAt": "2026-11-21T05:00:00Z",
                          "status": "firing"
                        }
                      ],
                      "commonAnnotations": {},
                      "commonLabels": {
                        "alertname": "Slow",
                        "team": "db"
                      },
                      "externalURL": "",
                      "groupKey": "{}/{team=\"db\"}:{}",
                      "groupLabels": {},
                      "notification_reason": "first notification",
                      "receiver": "dba",
                      "routeLabels": {},
                      "status": "firing",
                      "truncatedAlerts": 0,
                      "version": "4"
                    },
                    "headers": [
                      [
                        "content-type",
                        "application/json"
                      ],
                      [
                        "user-agent",
                        "Alertmanager/0.34.0"
                      ],
                      [
                        "authorization",
                        "<secret>"
                      ]
                    ],
                    "method": "POST",
                    "request": "http",
                    "url": "http://127.0.0.1:9/<secret>"
                  },
                  "sink": "dba/webhook"
                }
              ],
              "sinks": [
                "dba/webhook"
              ],
              "steps": [
                {
                  "continue": false,
                  "matchers": [],
                  "path": "route"
                },
                {
                  "continue": false,
                  "matchers": [
                    "team=\"db\""
                  ],
                  "path": "route.routes[0]"
                }
              ]
            }
          ],
          "severity": "warning"
        }
      ],
      "at": "2026-11-21T05:00:00.000Z",
      "notify_by": "group"
    }
    --- stderr
    "#);
    let muted = all(&["--render", "--silence", "team=~\"db|x\""]);
    insta::assert_snapshot!(muted, @r#"
    exit code 0
    --- stdout
    Slow  alertname="Slow", team="db"
      muted: silenced by --silence-1: team=~"db|x"
      -> dba by route.routes[0] (team="db")
         group  {}/{team="db"}:{}
         waits  30s, then looks every 5m, repeats every 4h
         sinks  dba/webhook
         nothing is sent: muted
    --- stderr
    "#);
}

#[test]
fn incidents_say_when_they_open() {
    let folder = tempfile::tempdir().unwrap();
    let run = |labels: &[&str]| {
        outcome(&mut called(folder.path(), &[&["test-route", "--at", "2026-11-21T05:00:00Z"], labels].concat()))
    };
    insta::assert_snapshot!(run(&["alertname=Slow", "host=db1", "severity=warning"]), @r#"
    exit code 0
    --- stdout
    Slow  alertname="Slow", host="db1", severity="warning"
      incident db1: Slow: P4, 1 alert, cause db1, opens after 5m
      -> log by route (takes everything)
         waits  5s, then looks every 5m, repeats every 4h
         sinks  log/log
    --- stderr
    "#);
    insta::assert_snapshot!(run(&["alertname=Slow", "severity=info"]), @r#"
    exit code 0
    --- stdout
    Slow  alertname="Slow", severity="info"
      nobody hears of it: it is only recorded: `info` is less severe than `warning`, and opens no incident
    --- stderr
    "#);
}

#[test]
fn a_difference_is_a_failure_and_says_what_came() {
    let folder = folder();
    let tests = r#"
tests:
  - name: as it is
    alerts: [{ labels: { alertname: A, team: db }, expect: { receivers: dba, muted: false, text: '"team": "db"' } }]
  - name: as it is not
    silences: ['team="web"']
    alerts:
      - labels: { alertname: B, team: db }
        expect: { receivers: [all, web], group: { alertname: B }, muted: true, muted_by: silence, text: [B, C] }
      - labels: { alertname: C, team: web }
        expect: { muted: false, text: C }
      - name: Disk full
        labels: { team: app }
        severity: minor
        source: zabbix
        expect: { receivers: web }
"#;
    fs::write(folder.path().join("tests.yaml"), tests).unwrap();
    let check = ["check", "--alertmanager", "alertmanager.yml", "--alerts", "tests.yaml"];
    insta::assert_snapshot!(outcome(&mut called(folder.path(), &check)), @r#"
    exit code 1
    --- stdout
    warning: `route.routes[1]` is never reached: `route.routes[0]` takes all that it would
      --> alertmanager.yml:7
      hint: the narrower of two routes comes first, or the first one has `continue: true`
    warning: no route leads to the receiver `nobody`
      --> alertmanager.yml:17
    ok: 1 source, 5 receivers, 2 sinks, 2 warnings
    ok    as it is
    FAIL  as it is not (tests.yaml:5)
          B  alertname="B", team="db"
            receivers: expected all, web, got dba
            group: expected {alertname="B"}, got {}
            muted: expected true, got not muted
            muted_by: expected silence, got nothing
            text: expected "C", got dba/webhook says something else
          C  alertname="C", team="web"
            muted: expected false, got muted: silenced by test-1: team="web"
            text: expected "C", got dba/webhook says something else
          Disk full  alertname="Disk full", severity="minor", team="app"
            receivers: expected web, got dba
    2 tests, 1 not as expected
    --- stderr
    "#);
    let json = called(folder.path(), &[&check[..], &["--json"]].concat()).output().unwrap();
    assert_eq!(json.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&json["passed"], &json["failed"], &json["warnings"]), (&1.into(), &1.into(), &2.into()));
    assert_eq!(json["tests"][1]["alerts"][1]["differences"][0]["what"], "muted");
}

#[test]
fn a_record_is_read_through_for_what_it_uses() {
    let folder = folder();
    let event = |minute: u32, status: &str, team: &str| {
        format!(
            r#"{{"at":"2026-11-21T05:{minute:02}:00Z","status":"{status}","name":"Down","dedup_key":"{team}","labels":{{"team":"{team}","severity":"critical"}}}}"#
        )
    };
    let lines =
        [event(0, "firing", "db"), event(1, "firing", "web"), event(9, "resolved", "db"), event(20, "firing", "db")];
    fs::write(folder.path().join("events.jsonl"), lines.join("\n")).unwrap();
    let check = ["check", "--alertmanager", "alertmanager.yml", "--alerts", "events.jsonl"];
    insta::assert_snapshot!(outcome(&mut called(folder.path(), &check)), @r#"
    exit code 0
    --- stdout
    warning: `route.routes[1]` is never reached: `route.routes[0]` takes all that it would
      --> alertmanager.yml:7
      hint: the narrower of two routes comes first, or the first one has `continue: true`
    warning: no route leads to the receiver `nobody`
      --> alertmanager.yml:17
    ok: 1 source, 5 receivers, 2 sinks, 2 warnings
    unused route route.routes[1]: its matchers fit, but not together, or routes before it take what it would
    unused receiver all
    4 events, 2 different alerts, 5 of 6 routes reached from 2026-11-21 05:00:00 to 2026-11-21 05:20:00
    --- stderr
    "#);
    fs::write(folder.path().join("events.jsonl"), "{\"at\":1}\n").unwrap();
    insta::assert_snapshot!(outcome(&mut called(folder.path(), &check)), @r#"
    exit code 1
    --- stdout
    --- stderr
    error: `events.jsonl`, line 1: `at`: expected an RFC 3339 time such as `2026-11-21T05:00:00Z`, got integer `1`
    "#);
}

#[test]
fn what_is_no_alert_says_where() {
    let folder = folder();
    let file = |text: &str| {
        fs::write(folder.path().join("alerts"), text).unwrap();
        outcome(&mut called(folder.path(), &["test-route", "-c", "watchbell.yaml", "--alerts", "alerts"]))
    };
    insta::assert_snapshot!(file("[{\"labels\": {}}]"), @r#"
    exit code 2
    --- stdout
    --- stderr
    error: `alerts` holds no alerts as `POST /api/v2/alerts` takes them
      cause: `[0].labels`: expected an object with at least one label that is not empty, got no label
    "#);
    insta::assert_snapshot!(file("[{\"labels\": {\"a\": \"b\"}}, 7]"), @r#"
    exit code 2
    --- stdout
    --- stderr
    error: `alerts` holds no alerts as `POST /api/v2/alerts` takes them
      cause: `[1]`: expected an alert object, got integer `7`
    "#);
    insta::assert_snapshot!(file("tests:\n  - name: x\n    alerts: [{ labels: { a: \"\" } }]\n"), @r#"
    exit code 2
    --- stdout
    --- stderr
    error: `alerts:3`: this makes no alert
      cause: `labels`: expected an object with at least one label that is not empty, got no label
    "#);
    insta::assert_snapshot!(file("tests:\n  - name: x\n    alarms: []\n"), @r#"
    exit code 2
    --- stdout
    --- stderr
    error: `alerts` is no file of tests
      cause: missing key `alerts` in `tests[0]` (alerts:2)
    "#);
    insta::assert_snapshot!(check(&["test-route", "-c", "watchbell.yaml", "team!=db"]), @r#"
    exit code 2
    --- stdout
    --- stderr
    error: `team!=db`: expected a label such as `team=db`, got a matcher
    "#);
}
