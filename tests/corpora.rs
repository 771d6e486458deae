//! Public collections of hostile input, where they lie beside the project: every file through every
//! reader and every encoder. Nothing panics, nothing takes long, and what is no JSON is no body.
//! `tests/hostile.rs` sends the same to a running daemon; `fuzz/` goes on from here.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use watchbell::cli::send::macros;
use watchbell::clock::Stopwatch;
use watchbell::config;
use watchbell::error::Table;
use watchbell::model::delivery::Progress;
use watchbell::model::{Matcher, Notification, NotificationKind, Span, Timestamp};
use watchbell::render::template::Template;
use watchbell::render::{Language, sample_notification};
use watchbell::sinks::{Attempt, Request, Response, SINKS, Setting, Sink};
use watchbell::sources::{Inbound, SOURCES};

const NOW: Timestamp = Timestamp::from_millis(1_795_237_920_000);

/// For one file and one reader, on a machine that is busy with other things.
const SECONDS_MAX: f64 = 30.0;

/// Every file, by its path below the folder; none when the folder is not there.
fn corpora() -> Vec<(String, Vec<u8>)> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().skip(1);
    let Some(root) = above.map(|folder| folder.join("shared/corpora")).find(|folder| folder.is_dir()) else {
        eprintln!("skipped: there is no `shared/corpora` beside the project");
        return Vec::new();
    };
    let (mut folders, mut files) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => files.push(path),
            }
        }
    }
    files.sort();
    assert!(files.len() > 400, "{} files in `{}`", files.len(), root.display());
    let read = |path: &PathBuf| {
        let name = path.strip_prefix(&root).unwrap().to_string_lossy().into_owned();
        (name, std::fs::read(path).unwrap())
    };
    files.iter().map(read).collect()
}

fn in_time<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let begun = Stopwatch::start();
    let result = work();
    assert!(begun.seconds() < SECONDS_MAX, "{what} took {} s", begun.seconds());
    result
}

#[test]
fn every_file_as_a_body() {
    for (name, body) in corpora() {
        for spec in SOURCES {
            let source = (spec.build)(&Table::new()).unwrap();
            for content_type in ["application/json", "application/x-www-form-urlencoded", ""] {
                let inbound = Inbound { source: spec.name, content_type, body: &body, received_at: NOW };
                let what = format!("{name} as {content_type:?} to {}", spec.name);
                match in_time(&what, || source.parse(&inbound)) {
                    Ok(parsed) => {
                        let is_refused = content_type == "application/json" && name.contains("/n_");
                        assert!(!is_refused, "{what}: {} events", parsed.len());
                        parsed.check_limits().unwrap();
                    }
                    Err(error) => assert!(!error.to_string().contains(char::is_control), "{what}: {error}"),
                }
            }
        }
    }
}

#[test]
fn every_file_as_the_text_of_an_alert() {
    let sinks = sinks();
    let progress = Progress::default();
    for text in texts() {
        let notification = notification(&text);
        let attempt = Attempt { delivery: "inc-1.1.ops/x", notification: &notification, progress: &progress, now: NOW };
        let response = Response::Http { status: 200, headers: Vec::new(), body: text.as_bytes().to_vec() };
        let begin: String = text.chars().take(60).collect();
        for (sink, built) in &sinks {
            let what = format!("{begin:?} through {sink}");
            check(&what, &in_time(&what, || built.request(&attempt)).unwrap());
            in_time(&what, || built.outcome(&attempt, &response));
        }
    }
}

/// Whole files, and the first lines of each, every text once: large files say the same again and again.
fn texts() -> BTreeSet<String> {
    const LINES_MAX: usize = 20;
    let mut texts = BTreeSet::new();
    for (_, bytes) in corpora() {
        let whole = String::from_utf8_lossy(&bytes);
        texts.extend(whole.lines().take(LINES_MAX).map(str::to_owned));
        texts.insert(whole.into_owned());
    }
    texts
}

/// What holds for every transport; `src/sinks/tests.rs` knows what else holds for each vendor.
fn check(what: &str, request: &Request) {
    match request {
        Request::Http(request) => {
            let is_json =
                request.headers.iter().any(|(name, value)| name == "content-type" && value.expose().contains("json"));
            let body = serde_json::from_slice::<serde_json::Value>(&request.body);
            assert!(body.is_ok() || !is_json, "{what}: {body:?}");
        }
        Request::Mail(request) => assert!(request.message.is_ascii(), "{what}"),
        Request::Line(text) => {
            assert!(!text.contains(|c: char| c.is_control() && c != '\n'), "{what}: {text:?}");
            assert!(text.lines().skip(1).all(|line| line.starts_with("  ")), "{what}: {text:?}");
        }
        Request::Skip(_) => {}
    }
}

#[test]
fn every_file_as_configuration_and_topology() {
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name);
    for (key, name) in [("files", "it.json"), ("files", "it.yaml"), ("nagios_objects", "it.cache")] {
        std::fs::write(at(&format!("{name}.config.yaml")), format!("topology: {{ {key}: {name} }}\n")).unwrap();
    }
    for (name, bytes) in corpora() {
        for file in ["it.json", "it.yaml", "it.cache"] {
            std::fs::write(at(file), &bytes).unwrap();
        }
        for file in ["it.yaml", "it.json.config.yaml", "it.yaml.config.yaml", "it.cache.config.yaml"] {
            let what = format!("{name} in {file}");
            if let Err(problems) = in_time(&what, || config::load(&[at(file)], std::iter::empty())) {
                assert!(!problems.is_empty(), "{what}: refused without a reason");
            }
        }
    }
}

#[test]
fn every_line_as_a_setting() {
    for (name, bytes) in corpora() {
        let argument = OsString::from(String::from_utf8_lossy(&bytes).into_owned());
        let _ = in_time(&name, || macros::body(&macros::NAGIOS, &[argument], std::iter::empty(), None, |_| None, NOW));
        for line in String::from_utf8_lossy(&bytes).lines().take(200) {
            in_time(&name, || {
                let _ = (line.parse::<Timestamp>(), line.parse::<Span>(), Template::new(line));
                for matcher in Matcher::parse_all(line).into_iter().flatten() {
                    assert_eq!(matcher.to_string().parse::<Matcher>().as_ref(), Ok(&matcher), "{name}: {line}");
                    matcher.is_match(Some(line));
                }
            });
        }
    }
}

/// Every sink, as its own example configures it.
fn sinks() -> Vec<(&'static str, Box<dyn Sink>)> {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("sinks.yaml");
    let mut yaml = String::from("route: { receiver: log }\nreceivers:\n");
    for spec in SINKS {
        yaml.push_str(&format!("  {0}:\n    sinks:\n      - kind: {0}\n", spec.name));
        spec.example.lines().for_each(|line| yaml.push_str(&format!("        {line}\n")));
    }
    std::fs::write(&file, yaml).unwrap();
    let configuration = config::load(&[file], std::iter::empty()).unwrap();
    let build = |name: &'static str| {
        let (sink, settings) = configuration.sinks.iter().find(|(_, sink)| sink.receiver == name).unwrap();
        let setting = Setting {
            instance: "fra1".into(),
            sink: sink.clone(),
            language: Language::En,
            time_zone: "UTC".to_owned(),
            public_url: None,
            go_templates: Default::default(),
        };
        let spec = watchbell::sinks::find(name).unwrap();
        (name, (spec.build)(&settings.table, &setting).unwrap())
    };
    SINKS.iter().map(|spec| build(spec.name)).collect()
}

/// A notification in which the texts that monitors write are `text`.
fn notification(text: &str) -> Notification {
    let mut notification = sample_notification(NotificationKind::Escalated, NOW);
    let foreign = || text.to_owned();
    notification.reason = foreign();
    notification.incident.title = foreign();
    notification.incident.configuration_items = vec![foreign(); 2];
    notification.incident.services = vec![foreign(); 2];
    notification.incident.url = Some(foreign());
    for alert in &mut notification.incident.alerts {
        (alert.name, alert.summary, alert.source) = (foreign(), foreign(), foreign());
        (alert.url, alert.runbook_url) = (Some(foreign()), Some(format!("https://wiki.example/{text}")));
    }
    notification
}
