//! The commands that talk to a daemon, as they are typed: exit code, stdout and stderr of the real program.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use axum::Router;
use http::StatusCode;
use watchbell::app::{Daemon, environment};

#[path = "support/cli.rs"]
mod cli;

use cli::{outcome, printed, ran, runtime, watchbell};

/// A daemon as an operator runs it, in this process.
struct Bell {
    server: String,
    /// It stops when this is dropped.
    _daemon: Daemon,
    _runtime: tokio::runtime::Runtime,
    _home: tempfile::TempDir,
}

const TOKEN: &str = "tok-responder-1";
const ADMIN_TOKEN: &str = "tok-admin-1";

impl Bell {
    fn start() -> Self {
        let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
        let file = home.path().join("watchbell.yaml");
        let text = format!(
            "listen: 127.0.0.1:0\nstore: {{ sqlite: {{ path: {}/watchbell.db }} }}\n\
             sources: {{ gen: {{ kind: generic, token: t }}, ci: {{ kind: changes, token: t }} }}\n\
             heartbeats: {{ nightly: {{ every: 1d, token: t }}, soon: {{ every: 1s, grace: 1s, token: t }} }}\n\
             people: {{ anna: {{ name: Anna Nowak, sinks: [{{ kind: log }}] }}, ben: {{ sinks: [{{ kind: log }}] }} }}\n\
             schedules: {{ week: {{ time_zone: Europe/Berlin, starts_at: 2026-01-05T09:00, shift: 7d, rotation: [anna, ben] }} }}\n\
             api: {{ tokens: [ {{ name: anna, role: responder, token: {TOKEN} }},
               {{ name: sync, role: admin, token: {ADMIN_TOKEN} }} ] }}\n",
            home.path().display()
        );
        fs::write(&file, text).unwrap();
        let configuration = watchbell::config::load(std::slice::from_ref(&file), environment()).unwrap();
        let daemon = runtime.block_on(Daemon::start(configuration, watchbell::app::files(vec![file]))).unwrap();
        Self { server: format!("http://{}", daemon.address), _daemon: daemon, _runtime: runtime, _home: home }
    }

    fn ask(&self, arguments: &[&str]) -> String {
        self.ask_as(TOKEN, arguments, "")
    }

    fn ask_as(&self, token: &str, arguments: &[&str], stdin: &str) -> String {
        let mut command = watchbell(arguments);
        command.env("WATCHBELL_SERVER", &self.server).env("WATCHBELL_TOKEN", token);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(stdin.as_bytes()).unwrap();
        printed(&child.wait_with_output().unwrap())
    }

    fn report(&self, event: &str) {
        self.post("/in/generic", event);
    }

    fn post(&self, path: &str, body: &str) {
        let url = format!("{}{path}", self.server);
        let mut command = watchbell(&["send", "generic", "--url", &url, "--token-env", "SOURCE_TOKEN", "-"]);
        let mut child = command
            .env("SOURCE_TOKEN", "t")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(body.as_bytes()).unwrap();
        assert_eq!(printed(&child.wait_with_output().unwrap()), ran(0, "", ""));
    }
}

/// Ids follow from the events; times and ages do not.
fn steady(text: &str) -> String {
    let times = regex::Regex::new(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d").unwrap();
    let ages = regex::Regex::new(r"\b\d+s\b( +)").unwrap();
    let id = regex::Regex::new(r"inc-[0-9a-z]{10}").unwrap();
    let text = times.replace_all(text, "<time>");
    id.replace_all(&ages.replace_all(&text, "<age>$1"), "<incident>").into_owned()
}

#[test]
fn an_incident_is_listed_explained_and_worked_on() {
    let bell = Bell::start();
    assert_eq!(
        bell.ask(&["incidents"]),
        ran(0, "", "note: no active incident; `watchbell incidents --state all` lists past ones too\n")
    );
    bell.report(
        r#"{"id":"e-1","status":"firing","name":"Host down","configuration_item":"rtr1","severity":"critical"}"#,
    );
    let listed = bell.ask(&["incidents", "--priority", "p2"]);
    let id = regex::Regex::new("inc-([0-9a-z]{10})").unwrap().captures(&listed).unwrap()[1].to_owned();
    insta::assert_snapshot!(steady(&listed), @"
    exit code 0
    --- stdout
    ID              PRIORITY  STATE  AGE  ALERTS  ROOT CAUSE  TITLE
    <incident>  P2        open   <age>   1       rtr1        rtr1: Host down
    --- stderr
    note: 1 active incident with priority P2; `watchbell explain <incident>` says why, `watchbell ack <incident>` takes it
    ");
    for what in [id.as_str(), "e-1"] {
        let story = bell.ask(&["explain", what]);
        assert!(story.contains("  priority    P2 = impact medium × urgency high\n"), "{story}");
        assert!(story.contains("\ntimeline (UTC)\n") && story.contains("opened by Host down on rtr1"), "{story}");
    }
    let done = |text: &str| ran(0, "", &format!("note: inc-{id} {text}\n"));
    assert_eq!(bell.ask(&["ack", &id[..4], "--note", "looking"]), done("is acknowledged"));
    assert_eq!(bell.ask(&["ack", &id]), done("was acknowledged already"));
    assert_eq!(bell.ask(&["assign", &id, "--to", "team-network"]), done("is assigned"));
    assert_eq!(bell.ask(&["comment", &id, "power is back"]), done("is commented"));
    assert_eq!(bell.ask(&["confirm-root-cause", &id, "rtr1"]), done("is confirmed"));
    let story = bell.ask(&["explain", &id]);
    for text in ["acknowledged by anna", "looking", "team-network", "power is back", "(confirmed by anna)"] {
        assert!(story.contains(text), "{text}: {story}");
    }
    let learned = bell.ask(&["learning"]);
    let unused = "note: 1 confirmed cause, not in the ranking, which has not been better with what was learned; \
                  `watchbell learning forget ID` forgets one\n";
    assert!(learned.contains("traits    shut  0 %") && learned.ends_with(unused), "{learned}");
    assert!(learned.contains(&id) && learned.contains("alert Host down"), "{learned}");
    let done_learning = ran(0, "", &format!("note: what inc-{id} taught is forgotten\n"));
    assert!(bell.ask(&["learning", "forget", &id]).contains("this takes the role admin"));
    assert_eq!(bell.ask_as(ADMIN_TOKEN, &["learning", "forget", &id], ""), done_learning);
    let none = "error: nothing here has the id `zzz`\n\nhint: `watchbell learning` lists what was confirmed\n";
    assert_eq!(bell.ask_as(ADMIN_TOKEN, &["learning", "forget", "zzz"], ""), ran(1, "", none));
    assert!(bell.ask(&["learning", "--json"]).contains("\"confirmations\": 0"));
    assert_eq!(bell.ask(&["resolve", &id]), done("is resolved"));
    let none = "error: nothing here has the id `zzz`\n\nhint: `watchbell incidents` lists what is going on\n";
    assert_eq!(bell.ask(&["resolve", "zzz"]), ran(1, "", none));
    assert_eq!(
        bell.ask(&["resolve", &id, "zzz"]),
        ran(
            1,
            "",
            &format!("note: inc-{id} was resolved already\nnote: zzz is not resolved: nothing here has the id `zzz`\n")
        )
    );
    let refused =
        outcome(watchbell(&["incidents"]).env("WATCHBELL_SERVER", &bell.server).env("WATCHBELL_TOKEN", "wrong"));
    assert!(
        refused.starts_with("exit code 1\n--- stdout\n--- stderr\nerror: the daemon does not let you in\n  cause: "),
        "{refused}"
    );
    assert!(!refused.contains("wrong"), "{refused}");
}

#[test]
fn an_incident_of_two_faults_is_parted() {
    let bell = Bell::start();
    for (id, name) in [("e-1", "Host down"), ("e-2", "Disk full")] {
        bell.report(&format!(
            r#"{{"id":"{id}","status":"firing","name":"{name}","configuration_item":"rtr1","severity":"critical"}}"#
        ));
    }
    let story = bell.ask(&["explain", "e-2"]);
    let find = |pattern: &str| regex::Regex::new(pattern).unwrap().captures(&story).unwrap()[1].to_owned();
    let (alert, id) = (find("alert ([0-9a-f]{16}):"), find("belongs to  (inc-[0-9a-z]{10})"));
    let all = bell.ask(&["split", &id, "--alerts", "00000000000000ff"]);
    assert_eq!(all, ran(1, "", "error: `alerts[0]`: no alert here has the id `00000000000000ff`\n"));
    let told = bell.ask(&["split", &id[4..9], "--alerts", &alert]);
    let new = regex::Regex::new("went to (inc-[0-9a-z]{10});").unwrap().captures(&told).unwrap()[1].to_owned();
    assert_eq!(told, ran(0, "", &format!("note: 1 alert went to {new}; `watchbell explain {new}` tells its story\n")));
    assert_eq!(
        bell.ask(&["split", &id, "--alerts", &alert]),
        ran(0, "", &format!("note: 1 alert went to {new} already\n"))
    );
    let story = bell.ask(&["explain", &alert]);
    assert!(story.contains(&format!("belongs to  {new}, where anna has put it")), "{story}");
    assert!(bell.ask(&["explain", &id]).contains(&format!("  alerts to   {new}\n")));
    assert!(bell.ask(&["explain", &new]).contains(&format!("  alerts from  {id}\n")));
    let audit = bell.ask_as(ADMIN_TOKEN, &["audit", "list"], "");
    assert!(audit.contains("incident.split") && audit.contains("refused: `alerts[0]`"), "{audit}");
    bell.report(
        r#"{"id":"e-3","status":"firing","name":"Load high","configuration_item":"rtr1","severity":"critical"}"#,
    );
    let third = bell.ask(&["explain", "e-3", "--json"]);
    let third: serde_json::Value =
        serde_json::from_str(third.split("--- stdout\n").nth(1).unwrap().split("--- stderr").next().unwrap()).unwrap();
    let (from, alert) = (third["incident"]["id"].as_str().unwrap(), third["alert"]["fingerprint"].as_str().unwrap());
    let into = if from == id { &new } else { &id };
    let json = bell.ask(&["split", from, "--alerts", alert, "--into", into, "--json"]);
    assert!(json.contains(&format!("\"id\": \"{into}\"")) && json.contains("\"outcome\": \"done\""), "{json}");
}

#[test]
fn the_beginning_of_an_id_that_fits_several_lists_them() {
    let runtime = runtime();
    let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
    let server = format!("http://{}", listener.local_addr().unwrap());
    let problem =
        r#"{"detail":"the id could mean inc-7h3a, inc-7h3b; give more of it","candidates":["inc-7h3a","inc-7h3b"]}"#;
    let router = Router::new().fallback(move || async move { (StatusCode::CONFLICT, problem) });
    runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
    let error =
        "error: the id fits more than one incident\n  cause: the id could mean inc-7h3a, inc-7h3b; give more of it\n";
    for command in ["ack", "explain"] {
        assert_eq!(outcome(&mut watchbell(&[command, "7h3", "--server", &server])), ran(1, "", error));
    }
}

#[test]
fn changes_are_listed() {
    let bell = Bell::start();
    let none = "note: no change is known; `watchbell integrations changes` says how to tell of them\n";
    assert_eq!(bell.ask(&["changes"]), ran(0, "", none));
    let change = r#"{"id":"1","configuration_item":"shop-web","reference":"v1.4.2","state":"started","author":"ada"}"#;
    bell.post("/in/changes", change);
    bell.post("/in/changes", &change.replace("started", "succeeded"));
    insta::assert_snapshot!(steady(&bell.ask(&["changes", "--since", "1h"])), @"
    exit code 0
    --- stdout
    AGE  STATE      KIND    ITEM      REFERENCE  BY   SOURCE  SUMMARY
    <age>   succeeded  deploy  shop-web  v1.4.2     ada  ci
    --- stderr
    note: 1 change
    ");
    assert_eq!(bell.ask(&["changes", "--configuration-item", "db-1"]), ran(0, "", "note: no such change\n"));
    let json = bell.ask(&["changes", "--json", "--limit", "1"]);
    assert!(json.contains("\"reference\": \"v1.4.2\"") && json.contains("\"is_cut\": false"), "{json}");
    let refused = bell.ask(&["changes", "--since", "yesterday"]);
    assert!(refused.contains("or how long ago, such as `2h`"), "{refused}");
}

#[test]
fn heartbeats_are_listed_and_one_that_stays_away_is_an_incident() {
    let bell = Bell::start();
    bell.post("/in/heartbeat/nightly", r#"{"status":"firing","name":"any body will do"}"#);
    let missing = || bell.ask(&["heartbeats", "--state", "missing", "--json"]);
    // Each question takes a while.
    assert!((0..600).any(|_| missing().contains("\"name\": \"soon\"")), "{}", missing());
    // How wide a column is depends on how long that took.
    let table = steady(&bell.ask(&["heartbeats"]));
    let lines: Vec<String> = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
    exit code 0
    --- stdout
    NAME STATE LAST BEAT BY EXPECTED
    nightly alive <age> ago request in 23h 59m, every 1d and 1h late at most
    soon missing never <age> ago, every <age> and <age> late at most
    --- stderr
    note: 2 heartbeats, 1 missing
    "#);
    let listed = bell.ask(&["incidents"]);
    assert!(listed.contains("soon is missing since") && !listed.contains("nightly"), "{listed}");
    assert_eq!(bell.ask(&["heartbeats", "--state", "failed"]), ran(0, "", "note: no such heartbeat\n"));
}

#[test]
fn who_is_on_call_is_shown_and_changed() {
    let bell = Bell::start();
    let ask = |arguments: &str| bell.ask(&arguments.split(' ').collect::<Vec<_>>());
    let said = |arguments: &str, words: &str| {
        let said = ask(arguments);
        assert!(said.contains(words), "{arguments}: {said}");
    };
    said(
        "on-call week --at 2098-12-30T12:00",
        "anna (Anna Nowak)  2098-12-29 09:00  2099-01-05 09:00  Europe/Berlin  layer 1",
    );
    said(
        "swap week ben 2098-12-24T12:00 anna 2098-12-30T12:00",
        "note: ben and anna have changed places; `watchbell override",
    );
    said(
        "override week ben --from 2098-12-31T18:00 --for 12h",
        "note: ben stands in; `watchbell override week --remove",
    );
    let id = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").unwrap();
    let week = ask("schedule week --from 2098-12-22T00:00 --until 2099-01-06T00:00");
    let mine = "2098-12-31 18:00  2099-01-01 06:00  ben                override";
    assert!(week.contains(mine) && week.contains("note: 6 shifts; times are those of Europe/Berlin"), "{week}");
    let id = id.find(&week).unwrap().as_str();
    said(&format!("override week --remove {id}"), &format!("note: {id} is taken back"));
    said(&format!("override week --remove {id}"), "hint: `watchbell schedule week` shows the overrides that count");
    said("override week cleo --for 12h", "error: `receiver`: there is no person and no receiver `cleo`");
    said(
        "swap week anna 2098-12-24T12:00 ben 2098-12-24T12:00",
        "cannot give that away: at 2098-12-22T08:00:00.000Z ben is",
    );
    said("on-call --at 2098-12-30T12:00", "expected a time with an offset, such as `2026-12-24T08:00:00+01:00`");
}

#[test]
fn a_silence_is_made_and_ended() {
    let bell = Bell::start();
    let made = bell.ask(&["silence", "team=network", "site=~fra.*", "--for", "1h", "--comment", "firmware", "--json"]);
    let id = regex::Regex::new("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
        .unwrap()
        .find(&made)
        .unwrap()
        .as_str()
        .to_owned();
    // A question about routes knows the silences of a daemon that is named.
    let labels = ["alertname=LinkDown", "team=network", "site=fra1", "severity=critical"];
    let tried = || bell.ask(&[&["test-route", "--server", &bell.server], &labels[..]].concat());
    let muted = format!("  muted: silenced by {id} (firmware): team=\"network\", site=~\"fra.*\"\n");
    assert!(tried().contains(&muted), "{}", tried());
    assert_eq!(bell.ask(&["silence", "--end", &id]), ran(0, "", &format!("note: the silence {id} has ended\n")));
    assert!(!tried().contains("muted"), "{}", tried());
    assert_eq!(
        bell.ask(&["silence", "team", "--for", "1h", "--comment", "x"]),
        ran(
            2,
            "",
            "error: `team`: expected a matcher such as `name=\"value\"` with `=`, `!=`, `=~` or `!~`, got `team`\n"
        )
    );
    assert_eq!(
        bell.ask(&["explain", "nothing"]),
        ran(
            1,
            "",
            "error: nothing is known under `nothing`\n\nhint: `watchbell incidents --state all` lists incidents; \
            an alert goes by its fingerprint of 16 hex digits, an event by its whole id\n"
        )
    );
}

#[test]
fn a_problem_is_opened_worked_on_and_resolved() {
    let bell = Bell::start();
    bell.report(
        r#"{"id":"e-1","status":"firing","name":"Host down","severity":"critical","configuration_item":"rtr1"}"#,
    );
    let listed = bell.ask(&["incidents", "--json"]);
    let incident = regex::Regex::new("inc-[0-9a-z]{10}").unwrap().find(&listed).unwrap().as_str().to_owned();
    let none = "note: no active problem; `watchbell problems --state all` lists past ones too\n";
    assert_eq!(bell.ask(&["problems"]), ran(0, "", none));
    let made = bell.ask(&["problem", "create", "--incident", &incident[4..9], "--title", "the left feed", "--json"]);
    let id = regex::Regex::new("prb-[0-9a-z]{10}").unwrap().find(&made).unwrap().as_str().to_owned();
    let only = format!("error: {id} is open, and only a proposal is rejected; resolve it\n");
    assert_eq!(bell.ask(&["problem", "reject", &id]), ran(1, "", &only));
    let done =
        |text: &str| ran(0, "", &format!("note: {id} is {text}; `watchbell problem show {id}` tells its story\n"));
    for (arguments, text) in [
        (&["assign", &id, "--to", "team-network"][..], "assigned"),
        (&["unlink", &id, "--incident", &incident], "unlinked"),
        (&["link", &id, "--incident", &incident], "linked"),
        (&["retitle", &id, "the left power feed"], "renamed"),
        (&["resolve", &id], "resolved"),
        (&["reopen", &id, "--note", "it was another one"], "open again"),
        (&["analyse", &id[4..9], "a loose cable"], "analysed"),
        (&["workaround", &id, "push it back in"], "worked around"),
    ] {
        assert_eq!(bell.ask(&[&["problem"], arguments].concat()), done(text), "{arguments:?}");
    }
    let already = ran(0, "", &format!("note: {id} was worked around already\n"));
    assert_eq!(bell.ask(&["problem", "workaround", &id, "push it back in"]), already);
    let story = bell.ask(&["explain", &incident]);
    assert!(story.contains(&format!("problem     {id}: the left power feed (known error)")), "{story}");
    assert!(story.contains("workaround  push it back in"), "{story}");
    let table = bell.ask(&["problems"]);
    assert!(table.contains("known error  1") && table.contains("team-network  the left power feed"), "{table}");
    assert_eq!(bell.ask(&["problem", "resolve", &id, "--note", "new cable"]), done("resolved"));
    let story = bell.ask(&["explain", &id]);
    assert!(story.contains("resolved by anna") && story.contains("anna  resolved: new cable"), "{story}");
    assert!(bell.ask(&["problem", "show", &id[..9]]).contains("resolved by anna"));
    let unknown = "error: nothing here has the id `zzz`\n\nhint: `watchbell problems --state all` lists problems, \
                   `watchbell incidents` what is going on\n";
    assert_eq!(bell.ask(&["problem", "accept", "zzz"]), ran(1, "", unknown));
}

#[test]
fn what_a_cmdb_pushes_makes_one_incident_of_two_alerts() {
    let bell = Bell::start();
    let admin = |arguments: &[&str], stdin: &str| bell.ask_as(ADMIN_TOKEN, &[&["topology"], arguments].concat(), stdin);
    let none = "note: no topology is known; `topology.files` in the configuration names files, \
                `watchbell topology put ORIGIN FILE` pushes one\n";
    assert_eq!(bell.ask(&["topology"]), ran(0, "", none));
    let fire = |id: &str, item: &str| {
        bell.report(&format!(
            r#"{{"id":"{id}","status":"firing","name":"{id} is down","severity":"critical","configuration_item":"{item}"}}"#
        ));
    };
    let active = || bell.ask(&["incidents"]).matches("inc-").count();
    fire("shelf", "san1");
    fire("billing", "db8");
    let before = active();

    let cmdb = "nodes:\n  - { id: DB7, kind: database, tier: 1 }\nedges:\n  - { from: DB7, to: san1 }\n  - { from: shop/cart, to: DB7 }\n";
    let size = "3 items and 2 dependencies";
    let told = format!("note: cmdb/fra tells {size}; the topology is at version 1\n");
    assert_eq!(admin(&["put", "cmdb/fra", "-"], cmdb), ran(0, "", &told));
    let same = format!("note: cmdb/fra told the same {size} before; nothing changed\n");
    assert_eq!(admin(&["put", "cmdb/fra", "-"], cmdb), ran(0, "", &same));
    fire("database", "db7");
    assert_eq!(active(), before, "it joined the incident of what it depends on");

    insta::assert_snapshot!(steady(&bell.ask(&["topology"])), @"
    exit code 0
    --- stdout
    ORIGIN    ITEMS  DEPENDENCIES  VERSION  CHANGED  BY
    cmdb/fra  3      2             1        <age>       sync
    --- stderr
    note: version 1: 3 items and 2 dependencies together; `watchbell topology show ITEM` says what is around one
    ");
    insta::assert_snapshot!(bell.ask(&["topology", "show", "db7:5432"]), @"
    exit code 0
    --- stdout
    DB7
      kind      database
      tier      1

    depends on
      1  san1

    needed by
      1  shop/cart
    --- stderr
    ");
    insta::assert_snapshot!(bell.ask(&["topology", "show", "san1", "--hops", "2"]), @"
    exit code 0
    --- stdout
    san1

    needed by
      1  DB7
      2  shop/cart
    --- stderr
    note: no origin describes it; it is known as an end of dependencies
    ");
    let json = bell.ask(&["topology", "show", "shop/cart", "--json"]);
    assert!(json.contains("\"kinship\": \"dependency\""), "{json}");

    let refused = bell.ask(&["topology", "put", "cmdb/fra", "/dev/null"]);
    assert!(refused.contains("the daemon does not let you do that"), "{refused}");
    insta::assert_snapshot!(admin(&["put", "CMDB", "-"], "{}"), @"
    exit code 2
    --- stdout
    --- stderr
    error: `origin`: expected 1 to 64 of `a` to `z`, `0` to `9`, `.`, `_`, `/` and `-`, a letter or a digit first, got `CMDB`
    ");
    insta::assert_snapshot!(admin(&["put", "cmdb", "-"], "nodes:\n  - { id: a, teir: 1 }\n"), @"
    exit code 2
    --- stdout
    --- stderr
    error: the topology in `stdin` is not sound
      cause: unknown key `teir` in `nodes[0]` (line 2)

    hint: did you mean `tier`? known keys: `aliases`, `id`, `kind`, `labels`, `owner`, `service`, `tier`
    ");
    insta::assert_snapshot!(admin(&["put", "cmdb", "-"], "{\"nodes\":[{\"id\":\"a\"},{\"id\":\"a\"}]}"), @"
    exit code 2
    --- stdout
    --- stderr
    error: the topology in `stdin` is not sound
      cause: node `a` is there more than once: in lines 1 and 1 (line 1)
    ");
    insta::assert_snapshot!(bell.ask(&["topology", "show", "nobody"]), @"
    exit code 1
    --- stdout
    --- stderr
    error: the topology has no item `nobody`: it is here once an origin describes it or a monitor tells what it depends on

    hint: `watchbell topology` says who told how much
    ");
    assert_eq!(
        admin(&["remove", "cmdb/fra"], ""),
        ran(0, "", "note: cmdb/fra is removed; the topology is at version 2\n")
    );
    insta::assert_snapshot!(admin(&["remove", "cmdb/fra"], ""), @"
    exit code 1
    --- stdout
    --- stderr
    error: no origin is called `cmdb/fra`; `/api/v1/topology` lists all

    hint: `watchbell topology` lists the origins
    ");
    assert_eq!(bell.ask(&["topology"]), ran(0, "", none));
}

#[test]
fn what_fired_then_is_listed() {
    let bell = Bell::start();
    assert_eq!(bell.ask(&["alerts"]), ran(0, "", "note: nothing fires; `--at 2h` says what did two hours ago\n"));
    let event = r#"{"status":"firing","name":"HostDown","severity":"critical","configuration_item":"db-1"}"#;
    bell.report(event);
    let now = bell.ask(&["alerts"]);
    assert!(now.contains("critical  HostDown  db-1  inc-") && now.contains("1 alert"), "{now}");
    bell.report(&event.replace("firing", "resolved"));
    assert_eq!(bell.ask(&["alerts", "--at", "1h"]), ran(0, "", "note: nothing fired then\n"));
    let range = bell.ask(&["alerts", "--from", "1h", "--filter", "alertname=HostDown"]);
    assert!(range.contains("critical  HostDown  db-1  inc-") && range.contains("1 firing"), "{range}");
    let none = bell.ask(&["alerts", "--from", "1h", "--filter", "alertname!=HostDown"]);
    assert_eq!(none, ran(0, "", "note: nothing of that fired then\n"));
    let json = bell.ask(&["alerts", "--from", "1h", "--json"]);
    assert!(json.contains(r#""deliveries""#) && json.contains(r#""is_cut": false"#), "{json}");
    let refused = bell.ask(&["alerts", "--filter", "a=b"]);
    assert!(refused.contains("`filter`: expected `at` or `from` with it, got `a=b`"), "{refused}");
    let refused = bell.ask(&["alerts", "--at", "yesterday"]);
    assert!(refused.contains("expected a time such as"), "{refused}");
}
