//! The command line as it is typed: exit code, stdout and stderr of the real program, against a real
//! daemon where it needs one. Loopback only.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
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

#[path = "support/cli.rs"]
mod cli;

use cli::{outcome, ran, run, runtime, watchbell};

/// An address where nobody listens: bound once, and closed again.
fn nobody() -> String {
    format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
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
    assert!(list.starts_with("exit code 0\n--- stdout\nKIND    NAME                     TITLE\n"), "{list}");
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

#[test]
fn an_alertmanager_yml_is_taken_over_and_nothing_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let (file, out) = (folder.path().join("alertmanager.yml"), folder.path().join("watchbell.yaml"));
    fs::write(&file, "route: { receiver: r, group_by: [alertname] }\nreceivers: [{ name: r }]\n").unwrap();
    let (file, out) = (file.to_str().unwrap(), out.to_str().unwrap());
    let counts = "note: 1 receiver with 0 sinks";
    let check = format!("{counts}; `watchbell check --config {out}` judges it\n");
    assert_eq!(run(&["import", "alertmanager", file, "-o", out]), ran(0, "", &check));
    let made = fs::read_to_string(out).unwrap();
    assert_eq!(run(&["import", "alertmanager", file]), ran(0, &made, &format!("{counts}\n")));
    let judged = run(&["check", "--config", out]);
    assert!(judged.starts_with("exit code 0") && judged.contains("ok: 1 source, 2 receivers, 1 sink"), "{judged}");
    let again = run(&["import", "alertmanager", file, "-o", out]);
    assert!(again.starts_with("exit code 2") && again.contains("is there already"), "{again}");
}

#[test]
fn an_alertmanager_yml_that_does_not_fit_is_refused_with_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("alertmanager.yml");
    fs::write(&file, "route: { receiver: a }\nreceivers:\n- { name: r, mattermost_configs: [] }\n").unwrap();
    let file = file.to_str().unwrap();
    let said = run(&["import", "alertmanager", file]);
    assert!(said.starts_with("exit code 2\n--- stdout\n--- stderr\nerror: unknown receiver `a`"), "{said}");
    assert!(said.contains("alertmanager.yml:1\n") && said.contains("alertmanager.yml:3\n"), "{said}");
    let output = watchbell(&["import", "alertmanager", file, "--json"]).output().unwrap();
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((output.status.code(), said["problems"].as_array().unwrap().len()), (Some(2), 2));
    assert!(said["yaml"].is_null());
}

const ALERTMANAGER: &str = "route: { receiver: nobody }\nreceivers: [{ name: nobody }]\n";

#[test]
fn flags_in_an_alertmanagers_place_are_checked_and_end_with_its_code() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("am.yml"), ALERTMANAGER).unwrap();
    fs::write(path("bad.yml"), "route: { receiver: who }\nreceivers: [{ name: nobody }]\n").unwrap();
    let said = run(&["alertmanager", "--version"]);
    assert!(
        said.starts_with("exit code 0\n--- stdout\nalertmanager, version 0.34.0 (branch: , revision: watch"),
        "{said}"
    );
    for (flags, why) in [
        (vec!["--bogus"], "unexpected argument '--bogus'"),
        (vec!["--alerts.gc-interval=bogus"], "time: invalid duration \"bogus\""),
        (vec!["--web.external-url=bogus://x"], "invalid \"bogus\" scheme, only 'http' and 'https' are supported"),
        (vec!["--enable-feature=classic-mode,foo"], "unknown option 'foo' for --enable-feature"),
        (vec!["--enable-feature=classic-mode,utf8-strict-mode"], "cannot have both classic and UTF-8 modes enabled"),
        (vec!["--alerts.per-alertname-limit=3"], "alerts of one name are not limited here"),
        (
            vec![
                "--no-log.silences",
                "--no-cluster.allow-insecure-public-advertise-address-discovery",
                "--config.file",
                &path("bad.yml"),
            ],
            "the configuration has 1 error",
        ),
    ] {
        let said = run(&[&["alertmanager", "--config.file", &path("am.yml")][..1], &flags].concat());
        assert!(said.starts_with("exit code 1\n--- stdout\n--- stderr\n") && said.contains(why), "{flags:?}: {said}");
    }
}

/// A daemon in an Alertmanager's place, and its line about where it listens.
fn listening(flags: &[&str]) -> (std::process::Child, tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("alertmanager.yml"), ALERTMANAGER).unwrap();
    let mut command = watchbell(&[&["alertmanager", "--web.listen-address=127.0.0.1:0"], flags].concat());
    let mut child = command.current_dir(folder.path()).stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines.into_iter().find(|line| line.contains("Listening on")).expect("it listens");
    (child, folder, line)
}

#[test]
fn the_log_in_an_alertmanagers_place_has_its_keys() {
    let (mut child, _folder, line) = listening(&["--cluster.listen-address="]);
    child.kill().unwrap();
    child.wait().unwrap();
    let form = r#"^time=\S+Z level=INFO source=app\.rs:\d+ msg="Listening on" address=127\.0\.0\.1:\d+ has_tls=false$"#;
    assert!(regex::Regex::new(form).unwrap().is_match(&line), "{line}");
    let (mut child, _folder, line) = listening(&["--log.format=json", "--cluster.peer-name=bell"]);
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!((line["level"].as_str(), line["msg"].as_str()), (Some("INFO"), Some("Listening on")));
    let mut stream = std::net::TcpStream::connect(line["address"].as_str().unwrap()).unwrap();
    stream.write_all(b"GET /api/v2/status HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let status: serde_json::Value = serde_json::from_str(answer.split("\r\n\r\n").last().unwrap()).unwrap();
    let peers = serde_json::json!([{"address": "0.0.0.0:9094", "name": "bell"}]);
    assert_eq!(status["cluster"], serde_json::json!({"name": "bell", "peers": peers, "status": "ready"}));
}
