//! ServiceNow's Table API for `incident`: basic authentication, strings as values, the data policy that
//! wants a close code and notes, and a query that silently ignores conditions on fields it does not know.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch};
use http::{HeaderMap, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::{Fault, parameter};
use crate::support::receiver::Server;

pub const USER: &str = "watchbell";
pub const PASSWORD: &str = "a-test-password";
/// `watchbell:a-test-password` in base64.
const CREDENTIALS: &str = "Basic d2F0Y2hiZWxsOmEtdGVzdC1wYXNzd29yZA==";
const RESOLVED: &str = "6";
const COLUMNS: [&str; 18] = [
    "sys_id",
    "number",
    "state",
    "short_description",
    "description",
    "impact",
    "urgency",
    "priority",
    "close_code",
    "close_notes",
    "correlation_id",
    "correlation_display",
    "work_notes",
    "assignment_group",
    "caller_id",
    "category",
    "contact_type",
    "comments",
];

pub type Ticket = BTreeMap<String, String>;

#[derive(Default)]
struct Shared {
    tickets: Mutex<Vec<Ticket>>,
    /// Method and status of every request.
    log: Mutex<Vec<(String, u16)>>,
    lose_answer: Fault,
}

pub struct ServiceNow {
    server: Server,
    shared: Arc<Shared>,
}

impl ServiceNow {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/api/now/table/incident", get(find).post(create))
            .route("/api/now/table/incident/{sys_id}", patch(update))
            .with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.server.address)
    }

    pub async fn has_taken_all(&self) {
        self.server.has_taken_all().await;
    }

    pub fn tickets(&self) -> Vec<Ticket> {
        self.shared.tickets.lock().clone()
    }

    pub fn log(&self) -> Vec<(String, u16)> {
        self.shared.log.lock().clone()
    }

    /// The next create is committed, but its answer is lost.
    pub fn lose_next_answer(&self) {
        self.shared.lose_answer.arm();
    }
}

impl Shared {
    fn answer(&self, method: &str, status: u16, body: Value) -> Response {
        self.log.lock().push((method.to_owned(), status));
        let code = StatusCode::from_u16(status).expect("a status of this file");
        (code, [("content-type", "application/json;charset=UTF-8")], body.to_string()).into_response()
    }

    fn error(&self, method: &str, status: u16, message: &str, detail: &str) -> Response {
        let body = json!({ "error": { "message": message, "detail": detail }, "status": "failure" });
        self.answer(method, status, body)
    }

    /// The refusal of a request that may not even be looked at.
    fn refusal(&self, method: &str, headers: &HeaderMap) -> Option<Response> {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok());
        let detail = "Required to provide Auth information";
        (given != Some(CREDENTIALS)).then(|| self.error(method, 401, "User Not Authenticated", detail))
    }
}

/// The fields of a body, as the columns would hold them: everything is text, what is no column is dropped.
fn fields(body: &[u8]) -> Option<Ticket> {
    let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return None };
    let text = |value: Value| match value {
        Value::String(text) => text,
        value => value.to_string(),
    };
    let known = object.into_iter().filter(|(name, _)| COLUMNS.contains(&name.as_str()));
    Some(known.map(|(name, value)| (name, text(value))).collect())
}

/// The data policy "make close info mandatory when resolved or closed".
fn lacks_close_fields(ticket: &Ticket) -> bool {
    let is_empty = |name: &str| ticket.get(name).is_none_or(String::is_empty);
    ticket.get("state").is_some_and(|state| state == RESOLVED) && (is_empty("close_code") || is_empty("close_notes"))
}

const POLICY: (&str, &str) = (
    "Operation Failed",
    "Data Policy Exception: The following fields are mandatory: Resolution code, Resolution notes",
);

fn shown(ticket: &Ticket, uri: &Uri) -> Value {
    let wanted = parameter(uri, "sysparm_fields").unwrap_or_default();
    let names: Vec<&str> = wanted.split(',').filter(|name| !name.is_empty()).collect();
    let shown = COLUMNS.iter().filter(|name| names.is_empty() || names.contains(name));
    let value = |name: &&str| ((*name).to_owned(), ticket.get(*name).cloned().unwrap_or_default().into());
    Value::Object(shown.map(value).collect())
}

async fn create(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    if let Some(refusal) = shared.refusal("POST", &headers) {
        return refusal;
    }
    let Some(mut ticket) = fields(&body) else {
        return shared.error("POST", 400, "Exception while reading request", "The payload is not valid JSON");
    };
    if lacks_close_fields(&ticket) {
        return shared.error("POST", 403, POLICY.0, POLICY.1);
    }
    {
        let mut tickets = shared.tickets.lock();
        ticket.insert("sys_id".to_owned(), format!("{:032x}", 0xa0_0000 + tickets.len()));
        ticket.insert("number".to_owned(), format!("INC{:07}", 10_001 + tickets.len()));
        ticket.entry("state".to_owned()).or_insert_with(|| "1".to_owned());
        tickets.push(ticket.clone());
    }
    shared.lose_answer.strike().await;
    shared.answer("POST", 201, json!({ "result": shown(&ticket, &uri) }))
}

async fn find(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(refusal) = shared.refusal("GET", &headers) {
        return refusal;
    }
    let query = parameter(&uri, "sysparm_query").unwrap_or_default();
    let limit = parameter(&uri, "sysparm_limit").and_then(|text| text.parse().ok()).unwrap_or(10_000);
    let conditions: Vec<(&str, &str)> = query
        .split('^')
        .filter(|part| !part.starts_with("ORDERBY"))
        .filter_map(|part| part.split_once('='))
        .filter(|(name, _)| COLUMNS.contains(name))
        .collect();
    let fits = |ticket: &&Ticket| {
        conditions.iter().all(|(name, value)| ticket.get(*name).map(String::as_str).unwrap_or_default() == *value)
    };
    let found: Vec<Value> =
        shared.tickets.lock().iter().filter(fits).take(limit).map(|ticket| shown(ticket, &uri)).collect();
    shared.answer("GET", 200, json!({ "result": found }))
}

async fn update(
    State(shared): State<Arc<Shared>>,
    Path(sys_id): Path<String>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = shared.refusal("PATCH", &headers) {
        return refusal;
    }
    let Some(changes) = fields(&body) else {
        return shared.error("PATCH", 400, "Exception while reading request", "The payload is not valid JSON");
    };
    let mut tickets = shared.tickets.lock();
    let Some(ticket) = tickets.iter_mut().find(|ticket| ticket.get("sys_id") == Some(&sys_id)) else {
        return shared.error("PATCH", 404, "No Record found", "Record doesn't exist or ACL restricts the record");
    };
    let mut changed = ticket.clone();
    changed.extend(changes);
    if lacks_close_fields(&changed) {
        return shared.error("PATCH", 403, POLICY.0, POLICY.1);
    }
    *ticket = changed;
    let result = shown(ticket, &uri);
    shared.answer("PATCH", 200, json!({ "result": result }))
}
