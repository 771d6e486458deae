//! The command line as it is typed: exit code, stdout and stderr of the real program, against a real
//! daemon where it needs one. Loopback only.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use parking_lot::Mutex;
use watchbell::app::{Daemon, environment};

/// What one call printed, as it is compared.
fn ran(code: i32, stdout: &str, stderr: &str) -> String {
    format!("exit code {code}\n--- stdout\n{stdout}--- stderr\n{stderr}")
}

fn watchbell(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
    command.env_clear().args(arguments);
    command
}

fn outcome(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    printed(&output)
}

fn printed(output: &std::process::Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    ran(output.status.code().unwrap(), &text(&output.stdout), &text(&output.stderr))
}

fn run(arguments: &[&str]) -> String {
    outcome(&mut watchbell(arguments))
}

/// An address where nobody listens: bound once, and closed again.
fn nobody() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// A source that notes what it takes, and takes nothing while it is away.
struct Source {
    url: String,
    state: Arc<Mutex<(StatusCode, Vec<String>)>>,
    _runtime: tokio::runtime::Runtime,
}

type Shared = Arc<Mutex<(StatusCode, Vec<String>)>>;

async fn take(State(state): State<Shared>, body: Bytes) -> StatusCode {
    let mut state = state.lock();
    if state.0.is_success() {
        state.1.push(String::from_utf8(body.to_vec()).unwrap());
    }
    state.0
}

impl Source {
    fn start(status: StatusCode) -> Self {
        let (runtime, state) = (runtime(), Arc::new(Mutex::new((status, Vec::new()))));
        let router = Router::new().route("/in/nagios", post(take)).with_state(Arc::clone(&state));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/in/nagios", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state, _runtime: runtime }
    }

    fn answer(&self, status: StatusCode) {
        self.state.lock().0 = status;
    }

    fn taken(&self) -> Vec<String> {
        self.state.lock().1.clone()
    }
}

/// One notification for a host, the output telling them apart.
fn notify(url: &str, spool: &Path, output: &str) -> Command {
    let spool = spool.to_str().unwrap();
    let mut command = watchbell(&["send", "nagios", "--url", url, "--spool", spool, "NOTIFICATIONTYPE=PROBLEM"]);
    command.args(["HOSTNAME=web1", "HOSTSTATE=DOWN", "TIMET=1795239158"]).arg(format!("HOSTOUTPUT={output}"));
    command
}

#[test]
fn a_wrong_call_is_told_from_a_failure() {
    let server = nobody();
    let home = tempfile::tempdir().unwrap();
    assert!(run(&["incidents", "--state", "broken"]).starts_with("exit code 2\n--- stdout\n--- stderr\nerror: "));
    assert_eq!(
        run(&["incidents", "--server", &server]),
        ran(
            1,
            "",
            &format!(
                "error: cannot reach the daemon at `{server}`\n  cause: cannot connect: connection refused\n\n\
            hint: `watchbell run` starts one; `--server` or the variable WATCHBELL_SERVER names another address\n"
            )
        )
    );
    assert_eq!(
        run(&["incidents", "--server", "bell.example"]),
        ran(
            2,
            "",
            "error: `--server`: expected an address such as `http://127.0.0.1:9494`, got something else\n  \
            cause: relative URL without a base\n\nhint: an address begins with `http://` or `https://`\n"
        )
    );
    let absent = home.path().join("absent.yaml");
    let absent = absent.to_str().unwrap();
    assert_eq!(
        run(&["test-sink", "--config", absent]),
        ran(
            2,
            "",
            &format!(
                "error: the configuration does not fit\n  cause: cannot read the file: \
            No such file or directory (os error 2) ({absent})\n\nhint: `watchbell check` shows 1 error\n"
            )
        )
    );
}

#[test]
fn integrations_are_listed_and_documented() {
    let list = run(&["integrations"]);
    assert!(list.starts_with("exit code 0\n--- stdout\nKIND    NAME          TITLE\n"), "{list}");
    assert!(list.ends_with("--- stderr\nnote: `watchbell integrations NAME` says how to set one up\n"), "{list}");
    let one = run(&["integrations", "nagios"]);
    assert!(one.starts_with("exit code 0\n--- stdout\n# nagios: Nagios Core and XI (notification command)\n"), "{one}");
    assert_eq!(
        run(&["integrations", "slak"]),
        ran(
            2,
            "",
            "error: there is no source or sink `slak`\n\nhint: did you mean `slack`? `watchbell integrations` lists all\n"
        )
    );
    let json = watchbell(&["integrations", "--json"]).output().unwrap().stdout;
    let all: Vec<serde_json::Value> = serde_json::from_slice(&json).unwrap();
    assert!(all.iter().any(|one| one["kind"] == "sink" && one["name"] == "slack"));
}

#[test]
fn a_sink_is_shown_and_tried_without_a_daemon() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("watchbell.yaml");
    let hook = Source::start(StatusCode::OK);
    let url = hook.url.as_str();
    let sinks = format!(
        "[{{ kind: webhook, url: \"{url}\", allow_private: true, headers: {{ X-Team: tea }} }}, {{ kind: log }}]"
    );
    fs::write(&file, format!("receivers: {{ ops: {{ sinks: {sinks} }} }}\nroute: {{ receiver: ops }}\n")).unwrap();
    let test = |arguments: &[&str]| {
        let mut all = vec!["test-sink", "--config", file.to_str().unwrap()];
        all.extend(arguments);
        run(&all)
    };
    assert_eq!(
        test(&[]),
        ran(
            0,
            "NAME         KIND     RECEIVER\nlog/log      log      log\nops/log      log      ops\nops/webhook  webhook  ops\n",
            "note: `watchbell test-sink NAME --preview` shows what one would be sent; without `--preview` it is sent\n"
        )
    );
    let preview = test(&["ops/webhook", "--preview", "--kind", "resolved"]);
    let origin = url.trim_end_matches("/in/nagios");
    assert!(preview.starts_with(&format!("exit code 0\n--- stdout\nPOST {origin}/<secret>\n")), "{preview}");
    assert!(
        preview.to_lowercase().contains("\nx-team: <secret>\n") && preview.contains("watchbell.incident.resolved"),
        "{preview}"
    );
    assert!(hook.taken().is_empty());
    assert_eq!(test(&["ops/webhook"]), ran(0, "", "note: ops/webhook: delivered: answered 200\n"));
    assert_eq!(hook.taken().len(), 1);
    hook.answer(StatusCode::GONE);
    assert!(
        test(&["ops/webhook"])
            .starts_with("exit code 1\n--- stdout\n--- stderr\nerror: `ops/webhook` did not take it: ")
    );
    assert!(test(&["ops/log", "--language", "de"]).contains("Testnachricht"));
}

#[test]
fn nagios_notifications_survive_an_outage_in_order() {
    let (source, home) = (Source::start(StatusCode::SERVICE_UNAVAILABLE), tempfile::tempdir().unwrap());
    let spool = home.path().join("spool");
    let kept = |count: &str| {
        let note =
            format!("note: the daemon has not taken everything: it answered 503; {count} in `{}`\n", spool.display());
        ran(0, "", &note)
    };
    assert_eq!(outcome(&mut notify(&source.url, &spool, "one")), kept("1 waits"));
    assert_eq!(outcome(&mut notify(&source.url, &spool, "two")), kept("2 wait"));
    source.answer(StatusCode::OK);
    assert_eq!(outcome(&mut notify(&source.url, &spool, "three")), ran(0, "", "note: sent 2 that had waited\n"));
    assert_eq!(outcome(&mut notify(&source.url, &spool, "four")), ran(0, "", ""));
    let body = |output| {
        format!(
            r#"{{"HOSTNAME":"web1","HOSTOUTPUT":"{output}","HOSTSTATE":"DOWN","KIND":"host","NOTIFICATIONTYPE":"PROBLEM","TIMET":"1795239158"}}"#
        )
    };
    assert_eq!(source.taken(), ["one", "two", "three", "four"].map(body));
}

#[test]
fn a_timer_sends_what_waits_and_fails_while_it_cannot() {
    let (source, home) = (Source::start(StatusCode::OK), tempfile::tempdir().unwrap());
    let nobody = format!("{}/in/nagios", nobody());
    outcome(&mut notify(&nobody, home.path(), "one"));
    let flush = |url: &str| {
        run(&["send", "nagios", "--url", url, "--spool", home.path().to_str().unwrap(), "--flush", "--json"])
    };
    let note = format!(
        "note: the daemon has not taken everything: cannot connect: connection refused; 1 waits in `{}`\n",
        home.path().display()
    );
    let summary = "{\n  \"sent\": 0,\n  \"waiting\": 1,\n  \"rejected\": 0,\n  \"reason\": \"cannot connect: connection refused\"\n}\n";
    assert_eq!(flush(&nobody), ran(1, summary, &note));
    let summary = "{\n  \"sent\": 1,\n  \"waiting\": 0,\n  \"rejected\": 0\n}\n";
    assert_eq!(flush(&source.url), ran(0, summary, "note: sent 1 that had waited\n"));
}

#[test]
fn notify_commands_at_the_same_time_share_one_spool() {
    let (source, home) = (Source::start(StatusCode::SERVICE_UNAVAILABLE), tempfile::tempdir().unwrap());
    outcome(&mut notify(&source.url, home.path(), "first"));
    source.answer(StatusCode::OK);
    let calls: Vec<_> = (0..12)
        .map(|number| notify(&source.url, home.path(), &number.to_string()).stderr(Stdio::null()).spawn().unwrap())
        .collect();
    for mut call in calls {
        assert!(call.wait().unwrap().success());
    }
    let mut taken: Vec<String> = source.taken().iter().map(|body| body.split('"').nth(7).unwrap().to_owned()).collect();
    assert_eq!(taken.remove(0), "first");
    taken.sort_by_key(|output| output.parse::<u32>().unwrap());
    assert_eq!(taken, (0..12).map(|number| number.to_string()).collect::<Vec<_>>());
}

#[test]
fn a_notification_that_nobody_will_take_is_put_aside_and_a_wrong_token_keeps_it() {
    let (source, home) = (Source::start(StatusCode::BAD_REQUEST), tempfile::tempdir().unwrap());
    let refused = outcome(&mut notify(&source.url, home.path(), "one"));
    assert!(
        refused.starts_with(&format!(
            "exit code 1\n--- stdout\n--- stderr\nwarning: `{}` refused a notification with 400; kept as `",
            source.url
        )),
        "{refused}"
    );
    assert_eq!(fs::read_dir(home.path().join("rejected")).unwrap().count(), 2);
    source.answer(StatusCode::OK);
    let token = outcome(notify(&source.url, home.path(), "two").args(["--token-file", "/absent"]));
    assert_eq!(
        token,
        ran(
            1 + 1,
            "",
            &format!(
                "warning: nothing was sent; kept in `{}` until this is put right\n\
            error: cannot read the token file `/absent`\n  cause: No such file or directory (os error 2)\n",
                home.path().display()
            )
        )
    );
    outcome(&mut notify(&source.url, home.path(), "three"));
    assert_eq!(source.taken().len(), 2);
}

#[test]
fn macros_come_from_the_environment_of_nagios() {
    let (source, home) = (Source::start(StatusCode::OK), tempfile::tempdir().unwrap());
    let objects = home.path().join("objects.cache");
    fs::write(&objects, "define host {\n\thost_name\tweb1\n\tparents\tsw1,sw2\n\t}\n").unwrap();
    let (spool, objects) = (home.path().join("spool"), objects.to_str().unwrap());
    let mut command =
        watchbell(&["send", "nagios", "--url", &source.url, "--kind", "service", "--objects-cache", objects]);
    command.arg("--spool").arg(&spool).env("NAGIOS_NOTIFICATIONTYPE", "RECOVERY").env("NAGIOS_HOSTNAME", "web1");
    command.env("NAGIOS_SERVICEDESC", "disk").env("NAGIOS_SERVICESTATE", "OK").env("NAGIOS_TIMET", "1795239158");
    command.env("NAGIOS_SERVICECHECKCOMMAND", "check_x!password").env("NAGIOS_CONTACTEMAIL", "a@b");
    assert_eq!(outcome(&mut command), ran(0, "", ""));
    assert_eq!(
        source.taken(),
        [
            r#"{"HOSTNAME":"web1","HOSTPARENTS":"sw1,sw2","KIND":"service","NOTIFICATIONTYPE":"RECOVERY","SERVICEDESC":"disk","SERVICESTATE":"OK","TIMET":"1795239158"}"#
        ]
    );
    let nothing = run(&["send", "nagios", "--url", &source.url, "--spool", spool.to_str().unwrap()]);
    assert!(nothing.starts_with("exit code 2\n--- stdout\n--- stderr\nerror: no notification came: "), "{nothing}");
}

/// A daemon as an operator runs it, in this process.
struct Bell {
    server: String,
    /// It stops when this is dropped.
    _daemon: Daemon,
    _runtime: tokio::runtime::Runtime,
    _home: tempfile::TempDir,
}

const TOKEN: &str = "tok-responder-1";

impl Bell {
    fn start() -> Self {
        let (runtime, home) = (runtime(), tempfile::tempdir().unwrap());
        let file = home.path().join("watchbell.yaml");
        let text = format!(
            "listen: 127.0.0.1:0\nstore: {{ sqlite: {{ path: {}/watchbell.db }} }}\n\
             sources: {{ gen: {{ kind: generic, token: t }}, ci: {{ kind: changes, token: t }} }}\n\
             api: {{ tokens: [ {{ name: anna, role: responder, token: {TOKEN} }} ] }}\n",
            home.path().display()
        );
        fs::write(&file, text).unwrap();
        let configuration = watchbell::config::load(std::slice::from_ref(&file), environment()).unwrap();
        let daemon = runtime.block_on(Daemon::start(configuration, vec![file])).unwrap();
        Self { server: format!("http://{}", daemon.address), _daemon: daemon, _runtime: runtime, _home: home }
    }

    fn ask(&self, arguments: &[&str]) -> String {
        outcome(watchbell(arguments).env("WATCHBELL_SERVER", &self.server).env("WATCHBELL_TOKEN", TOKEN))
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
        assert_eq!(run(&[command, "7h3", "--server", &server]), ran(1, "", error));
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
fn a_silence_is_made_and_ended() {
    let bell = Bell::start();
    let made = bell.ask(&["silence", "team=network", "site=~fra.*", "--for", "1h", "--comment", "firmware", "--json"]);
    let id = regex::Regex::new("sil-[0-9a-z]+").unwrap().find(&made).unwrap().as_str().to_owned();
    assert_eq!(bell.ask(&["silence", "--end", &id]), ran(0, "", &format!("note: the silence {id} has ended\n")));
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
