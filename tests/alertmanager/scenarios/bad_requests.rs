//! Requests that are wrong: both answer with the same status and with JSON of the same shape.

use serde_json::Value;

use super::SIMPLE;
use crate::lab::Lab;
use crate::program::Kind;
use crate::side::{NO_ANSWER, Reply};

const NO_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Method, path, body.
const REQUESTS: [(&str, &str, &str); 38] = [
    ("POST", "/api/v2/alerts", ""),
    ("POST", "/api/v2/alerts", "{"),
    ("POST", "/api/v2/alerts", "{}"),
    ("POST", "/api/v2/alerts", "[]"),
    ("POST", "/api/v2/alerts", "[null]"),
    ("POST", "/api/v2/alerts", "[{}]"),
    ("POST", "/api/v2/alerts", r#"[{"labels":{}}]"#),
    ("POST", "/api/v2/alerts", r#"[{"labels":{"alertname":""}}]"#),
    ("POST", "/api/v2/alerts", r#"[{"labels":{"alertname":1}}]"#),
    ("POST", "/api/v2/alerts", r#"[{"labels":{"a":"b"},"startsAt":"yesterday"}]"#),
    (
        "POST",
        "/api/v2/alerts",
        r#"[{"labels":{"a":"b"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]"#,
    ),
    ("PUT", "/api/v2/alerts", "[]"),
    ("GET", "/api/v2/alerts?filter=nonsense", ""),
    ("GET", "/api/v2/alerts?filter=a=~%22(%22", ""),
    ("GET", "/api/v2/alerts?active=maybe", ""),
    ("GET", "/api/v2/alerts?receiver=(", ""),
    ("GET", "/api/v2/alerts/groups?filter=nonsense", ""),
    ("GET", "/api/v2/alerts/groups?receiver=(", ""),
    ("GET", "/api/v2/silences?filter=nonsense", ""),
    ("GET", "/api/v2/silence/nonsense", ""),
    ("GET", "/api/v2/silence/00000000-0000-4000-8000-000000000000", ""),
    ("DELETE", "/api/v2/silence/nonsense", ""),
    ("POST", "/api/v2/silences", ""),
    ("POST", "/api/v2/silences", "{}"),
    ("POST", "/api/v2/silences", "[]"),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[{"name":"a","value":"","isRegex":false}],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[{"name":"a","value":"(","isRegex":true}],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[{"name":"a","value":".*","isRegex":true}],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[{"value":"b","isRegex":false}],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[{"name":"a","isRegex":false}],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{MATCHERS:[{"name":"a","value":"b"}],TIMES,WHO}"#),
    ("POST", "/api/v2/silences", r#"{A_MATCHER,WHO}"#),
    ("POST", "/api/v2/silences", r#"{A_MATCHER,"startsAt":"LATER","endsAt":"NOW",WHO}"#),
    (
        "POST",
        "/api/v2/silences",
        r#"{A_MATCHER,"startsAt":"2020-01-01T00:00:00Z","endsAt":"2020-01-02T00:00:00Z",WHO}"#,
    ),
    ("POST", "/api/v2/silences", r#"{A_MATCHER,TIMES}"#),
    ("POST", "/api/v2/silences", r#"{A_MATCHER,TIMES,WHO,"id":"NO_ID"}"#),
    ("GET", "/api/v2/nothing", ""),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_requests_are_answered_alike() {
    let Some(lab) = Lab::start(SIMPLE).await else { return };
    for (method, path, body) in REQUESTS {
        let body = body
            .replace("A_MATCHER", r#"MATCHERS:[{"name":"a","value":"b","isRegex":false}]"#)
            .replace("MATCHERS", "\"matchers\"")
            .replace("TIMES", r#""startsAt":"NOW","endsAt":"LATER""#)
            .replace("WHO", r#""createdBy":"eva","comment":"planned""#)
            .replace("NOW", &lab.moment(0.0))
            .replace("LATER", &lab.moment(600.0))
            .replace("NO_ID", NO_ID);
        let (theirs, ours) = lab.both(async |side| side.ask(method, path, &body).await).await;
        if theirs.status == NO_ANSWER {
            // They fell over it; whoever asks us still hears what is wrong.
            let fell_over_too = ours.status == NO_ANSWER && lab.ours.kind == Kind::Alertmanager;
            if !fell_over_too && !(400..500).contains(&ours.status) {
                lab.object(&format!("{method} {path} {body}: we answer {ours:?}, expected 4xx"));
            }
            continue;
        }
        let (their_shape, our_shape) = (shape(&theirs), shape(&ours));
        if their_shape != our_shape {
            let lines = format!("  they answer {their_shape}: {theirs:?}\n  we answer {our_shape}: {ours:?}");
            lab.object(&format!("{method} {path} {body}\n{lines}"));
        }
    }
    lab.agree(&[]).await;
}

/// Status and kinds of values, without the words.
fn shape(reply: &Reply) -> String {
    format!("{} {}", reply.status, kind(&reply.body))
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::String(_) => "text".to_owned(),
        Value::Array(values) => format!("[{}]", values.iter().map(kind).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let fields: Vec<String> = fields.iter().map(|(key, value)| format!("{key}: {}", kind(value))).collect();
            format!("{{{}}}", fields.join(", "))
        }
    }
}
