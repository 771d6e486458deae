//! PagerDuty's event queue, Opsgenie, which answers before it has done anything, and Twilio's text messages.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::Fault;
use crate::support::receiver::Server;

#[derive(Default)]
struct Shared {
    /// What PagerDuty was sent.
    events: Mutex<Vec<Value>>,
    /// Calls to Opsgenie: what was done to the one alert, and the request's status when it was asked for.
    calls: Mutex<Vec<String>>,
    /// Text messages that went out, oldest first.
    texts: Mutex<Vec<String>>,
    lose_answer: Fault,
}

pub struct Alarms {
    server: Server,
    shared: Arc<Shared>,
}

impl Alarms {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/v2/enqueue", post(enqueue))
            .route("/v2/alerts", post(create))
            .route("/v2/alerts/requests/{id}", get(request))
            .route("/v2/alerts/{alias}/{action}", post(act).put(act))
            .route("/2010-04-01/Accounts/AC1/Messages.json", post(send).get(list))
            .with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    /// Configuration of a sink that is this vendor's.
    pub fn sink(&self, keys: &str) -> String {
        format!("{keys}, base_url: \"http://{}\", allow_private: true, timeout: 1s", self.server.address)
    }

    pub fn events(&self) -> Vec<Value> {
        self.shared.events.lock().clone()
    }

    pub fn calls(&self) -> Vec<String> {
        self.shared.calls.lock().clone()
    }

    pub fn texts(&self) -> Vec<String> {
        self.shared.texts.lock().clone()
    }

    /// The next thing is done, but the answer is lost.
    pub fn lose_next_answer(&self) {
        self.shared.lose_answer.arm();
    }
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or_default();
    (status, [("content-type", "application/json")], body.to_string()).into_response()
}

async fn enqueue(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&body).unwrap_or_default();
    if event["routing_key"] != "a-routing-key" || event["dedup_key"].is_null() {
        return answer(400, &json!({ "status": "invalid event", "errors": ["no key"] }));
    }
    let key = event["dedup_key"].clone();
    shared.events.lock().push(event);
    shared.lose_answer.strike().await;
    answer(202, &json!({ "status": "success", "dedup_key": key }))
}

async fn create(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let alert: Value = serde_json::from_slice(&body).unwrap_or_default();
    if headers.get("authorization").is_none_or(|value| value != "GenieKey k") || alert["message"].is_null() {
        return answer(403, &json!({ "message": "no" }));
    }
    shared.calls.lock().push(format!("create {}", alert["alias"].as_str().unwrap_or_default()));
    shared.lose_answer.strike().await;
    answer(202, &json!({ "result": "Request will be processed", "requestId": "r1" }))
}

/// Not known yet when it is asked for the first time.
async fn request(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    let mut calls = shared.calls.lock();
    let is_first = !calls.contains(&"not yet".to_owned());
    calls.push(if is_first { "not yet" } else { "done" }.to_owned());
    match (is_first, id.as_str()) {
        (false, "r1") => {
            answer(200, &json!({ "data": { "isSuccess": true, "status": "Created alert", "alertId": "a1" } }))
        }
        _ => answer(404, &json!({ "message": "not found" })),
    }
}

async fn act(State(shared): State<Arc<Shared>>, Path((alias, action)): Path<(String, String)>) -> Response {
    shared.calls.lock().push(format!("{action} {alias}"));
    answer(202, &json!({ "result": "Request will be processed", "requestId": "r2" }))
}

async fn send(State(shared): State<Arc<Shared>>, body: Bytes) -> Response {
    let form: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
    let text = form.iter().find(|(name, _)| name == "Body").map(|(_, text)| text.clone()).unwrap_or_default();
    let count = {
        let mut texts = shared.texts.lock();
        texts.push(text);
        texts.len()
    };
    shared.lose_answer.strike().await;
    answer(201, &json!({ "sid": format!("SM{count}"), "status": "queued" }))
}

async fn list(State(shared): State<Arc<Shared>>) -> Response {
    let texts = shared.texts.lock();
    let rows: Vec<Value> = texts
        .iter()
        .enumerate()
        .rev()
        .map(|(at, text)| json!({"sid": format!("SM{}", at + 1), "body": text}))
        .collect();
    answer(200, &json!({ "messages": rows }))
}
