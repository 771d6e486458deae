//! What the tests of chats share: requests as text, answers, and the published descriptions of vendors.

use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::Value;

use super::super::tests::{attempt, attempt_request, build_from, json_answer, setting};
use super::super::{HttpRequest, Outcome, Request, SinkSpec};
use crate::model::NotificationKind;
use crate::model::delivery::Progress;
use crate::render::hostile::now;
use crate::render::sample_notification;

pub fn at(step: u16, remote: Option<&str>) -> Progress {
    Progress { remote: remote.map(str::to_owned), step, ..Progress::default() }
}

pub fn doubt(step: u16, remote: Option<&str>) -> Progress {
    Progress { is_ambiguous: true, ..at(step, remote) }
}

pub fn requested(spec: &SinkSpec, yaml: &str, kind: NotificationKind, progress: &Progress) -> Request {
    let sink = build_from(spec, yaml, &setting());
    attempt_request(&*sink, &sample_notification(kind, now()), progress)
}

/// Method and address, its own headers, an empty line, the body. Secrets are shown: the tests' are none.
pub fn asked(spec: &SinkSpec, yaml: &str, kind: NotificationKind, progress: &Progress) -> String {
    match requested(spec, yaml, kind, progress) {
        Request::Http(request) => shown(&request),
        Request::Skip(why) => format!("skipped: {why}"),
        other => panic!("{other:?}"),
    }
}

fn shown(request: &HttpRequest) -> String {
    let mut text = format!("{} {}\n", request.method, request.url.expose());
    for (name, value) in &request.headers {
        if !matches!(name.as_ref(), "accept" | "content-type") {
            text.push_str(&format!("{name}: {}\n", value.expose()));
        }
    }
    text.push('\n');
    let body = String::from_utf8(request.body.clone()).expect("text");
    match serde_json::from_str::<Value>(&body) {
        Ok(json) => text.push_str(&serde_json::to_string_pretty(&json).expect("JSON")),
        Err(_) => text.push_str(&body),
    }
    text
}

/// The first line alone.
pub fn called(spec: &SinkSpec, yaml: &str, kind: NotificationKind, progress: &Progress) -> String {
    asked(spec, yaml, kind, progress).lines().next().unwrap_or_default().to_owned()
}

pub fn json_of(request: &Request) -> Result<Value, String> {
    let Request::Http(request) = request else { return Err("not HTTP".into()) };
    serde_json::from_slice(&request.body).map_err(|error| error.to_string())
}

pub fn outcome_of(
    spec: &SinkSpec,
    yaml: &str,
    kind: NotificationKind,
    progress: &Progress,
    status: u16,
    body: &str,
) -> Outcome {
    let sink = build_from(spec, yaml, &setting());
    sink.outcome(&attempt(&sample_notification(kind, now()), progress), &json_answer(status, body))
}

/// A vendor's description, where this machine has it.
pub fn shared(file: &str) -> Option<Value> {
    let text = shared_text(file)?;
    if file.ends_with(".json") {
        return Some(serde_json::from_str(&text).expect("JSON"));
    }
    let documents = <Yaml<'_> as LoadableYamlNode<'_>>::load_from_str(&text).expect("YAML");
    documents.first().map(json)
}

pub fn shared_text(file: &str) -> Option<String> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/specs").join(file);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    };
    Some(String::from_utf8(bytes).expect("text"))
}

fn json(node: &Yaml<'_>) -> Value {
    match node {
        Yaml::Mapping(map) => {
            map.iter().map(|(key, node)| (key.as_str().unwrap_or_default().to_owned(), json(node))).collect()
        }
        Yaml::Sequence(nodes) => nodes.iter().map(json).collect(),
        Yaml::Value(Scalar::String(text)) => text.as_ref().into(),
        Yaml::Value(Scalar::Integer(number)) => (*number).into(),
        Yaml::Value(Scalar::Boolean(flag)) => (*flag).into(),
        _ => Value::Null,
    }
}
