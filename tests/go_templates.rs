//! Go's templates, held against Go: `amtool` renders the same texts over the same data, byte for byte.
//!
//! Skipped with a message where `amtool` is not installed. Version 0.25 stands for all: what came later (`since`,
//! `toJson`, `dict`, how labels print, …) is not among the texts.

#[path = "go_templates/texts.rs"]
mod texts;

use std::path::Path;
use std::process::Command;

use texts::{HTML, OWN, REFUSED, TEXTS};
use watchbell::model::{AlertStatus, GroupAlert, GroupView, Labels, Timestamp};
use watchbell::render::go_template::{GoTemplates, TemplateData};

/// Where Debian's package puts the default templates.
const REAL_DEFAULTS: &str = "/usr/share/prometheus/alertmanager/default.tmpl";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Text,
    Html,
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn alert(status: AlertStatus, labels: &[(&str, &str)], annotations: &[(&str, &str)]) -> GroupAlert {
    GroupAlert {
        fingerprint: "c7e68cb08e3e67f9".into(),
        status,
        labels: Labels::from_iter(labels.iter().copied()),
        annotations: Labels::from_iter(annotations.iter().copied()),
        starts_at: at("2026-11-21T05:06:07.089Z"),
        ends_at: (status == AlertStatus::Resolved).then(|| at("2026-11-21T17:30:00Z")),
        generator_url: Some("http://prometheus:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1".into()),
    }
}

fn group(alerts: Vec<GroupAlert>) -> GroupView {
    GroupView {
        key: "{}:{alertname=\"HostDown\"}".into(),
        receiver: "team-db/slack (1.0)".into(),
        reason: "first notification".into(),
        labels: Labels::from_iter([("alertname", "HostDown"), ("site", "fra1")]),
        alerts,
    }
}

/// Firing, resolved, both, and nothing; with whatever may stand in labels.
fn groups() -> Vec<GroupView> {
    let firing = alert(
        AlertStatus::Firing,
        &[
            ("alertname", "HostDown"),
            ("instance", "db-1:9100"),
            ("severity", "warning"),
            ("site", "fra1"),
            ("Zone", "a b"),
        ],
        &[("summary", "it's <b>down</b> & \"out\"\nsince + 5m"), ("runbook_url", "https://wiki/x?a=1&b=\u{fc}")],
    );
    let resolved = alert(
        AlertStatus::Resolved,
        &[("alertname", "HostDown"), ("instance", "db-2:9100"), ("severity", "critical"), ("site", "fra1")],
        &[("summary", "javascript:alert('1') {{ .Status }} \u{20ac} `x` = \\ %d \u{1}")],
    );
    vec![group(vec![firing.clone(), resolved.clone()]), group(vec![firing]), group(vec![resolved]), group(vec![])]
}

/// Output, or nothing when the program refuses.
fn real(files: &str, data: &Path, form: Form, text: &str) -> Option<String> {
    let kind = if form == Form::Html { "html" } else { "text" };
    let output = Command::new("amtool")
        .args(["template", "render", "--template.glob", files, "--template.type", kind, "--template.text", text])
        .arg(format!("--template.data={}", data.display()))
        .output()
        .unwrap();
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn is_missing() -> bool {
    let missing = Command::new("amtool").arg("--version").output().is_err();
    if missing {
        eprintln!("skipped: `amtool` is not installed (package `prometheus-alertmanager`)");
    }
    missing
}

/// Renders every text over the groups with both programs.
fn compare(source: &str, templates: &GoTemplates, texts: &[(Form, &str)], groups: &[GroupView]) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.tmpl");
    std::fs::write(&file, source).unwrap();
    let mut differences = Vec::new();
    for (number, group) in groups.iter().enumerate() {
        let data = TemplateData::new(group, "http://am:9093/x", at("2026-11-21T06:00:00Z"));
        let path = folder.path().join(format!("{number}.json"));
        std::fs::write(&path, templates.text("{{ toJson . }}", &data).unwrap()).unwrap();
        for (form, text) in texts {
            let ours = if *form == Form::Html { templates.html(text, &data) } else { templates.text(text, &data) };
            let theirs = real(&file.to_string_lossy(), &path, *form, text);
            if ours.as_ref().ok() != theirs.as_ref() {
                differences.push(format!("{form:?} {text}\n  ours:   {ours:?}\n  theirs: {theirs:?}"));
            }
        }
    }
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n"));
}

fn as_text<'a>(texts: &[&'a str]) -> Vec<(Form, &'a str)> {
    texts.iter().map(|text| (Form::Text, *text)).collect()
}

/// Calls of every template that the file defines.
fn calls(source: &str) -> Vec<String> {
    let names = source.split("define \"").skip(1).filter_map(|behind| behind.split('"').next());
    let over = |name: &str| {
        if name.starts_with("__text_alert_list") || name.ends_with(".instances") || name.ends_with("_alerts") {
            ".Alerts"
        } else {
            "."
        }
    };
    names.map(|name| format!("<<{{{{ template \"{name}\" {} }}}}>>", over(name))).collect()
}

#[test]
fn the_default_templates_print_what_alertmanagers_print() {
    let Ok(source) = std::fs::read_to_string(REAL_DEFAULTS) else {
        return eprintln!("skipped: there is no `{REAL_DEFAULTS}` (package `prometheus-alertmanager`)");
    };
    if is_missing() {
        return;
    }
    let calls = calls(&source);
    let texts: Vec<&str> = calls.iter().map(|call| &**call).collect();
    assert!(texts.len() > 30, "{}", texts.len());
    compare(&source, &GoTemplates::default(), &as_text(&texts), &groups());
}

#[test]
fn texts_print_what_amtool_prints() {
    if !is_missing() {
        let mut templates = GoTemplates::default();
        templates.add("own.tmpl", OWN).unwrap();
        compare(OWN, &templates, &as_text(TEXTS), &groups());
    }
}

#[test]
fn what_amtool_refuses_is_refused() {
    if !is_missing() {
        let mut templates = GoTemplates::default();
        templates.add("own.tmpl", OWN).unwrap();
        compare(OWN, &templates, &as_text(REFUSED), &groups()[..1]);
        let data = TemplateData::new(&groups()[0], "http://am:9093", at("2026-11-21T06:00:00Z"));
        for text in REFUSED {
            let error = templates.text(text, &data).unwrap_err().to_string();
            assert!(error.starts_with("line ") || error.starts_with("own.tmpl:"), "{text}: {error}");
        }
    }
}

#[test]
fn markup_is_escaped_as_amtool_escapes_it() {
    if !is_missing() {
        let texts: Vec<(Form, &str)> = HTML.iter().map(|text| (Form::Html, *text)).collect();
        compare("", &GoTemplates::default(), &texts, &groups());
    }
}

/// Our own file, whose mail looks different, is read by Go as by us.
#[test]
fn amtool_reads_our_default_templates() {
    if !is_missing() {
        let source = include_str!("../src/render/go_template/defaults.tmpl");
        let calls = calls(source);
        let mut texts: Vec<(Form, &str)> = calls.iter().map(|call| (Form::Text, &**call)).collect();
        texts.extend(calls.iter().filter(|call| call.contains("html")).map(|call| (Form::Html, &**call)));
        compare(source, &GoTemplates::default(), &texts, &groups());
    }
}
