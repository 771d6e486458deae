//! One Slack channel behind the Web API: every answer is 200 and says in `ok` what it means, messages are
//! named by `ts`, metadata is shown only to who asks for it, and the history leaves thread replies out.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderMap, Uri};
use parking_lot::Mutex;
use serde_json::{Value, json};
use watchbell::clock::Clock;

use super::{Fault, parameter};
use crate::support::receiver::Server;

pub const TOKEN: &str = "xoxb-a-test-token";
pub const CHANNEL: &str = "C024BE91L";
/// Blocks of one message.
const BLOCKS_MAX: usize = 50;
/// Characters of one message's text.
const TEXT_CHARS_MAX: usize = 40_000;

#[derive(Clone, Debug)]
pub struct Message {
    pub ts: String,
    pub thread_ts: Option<String>,
    pub text: String,
    pub edits: u32,
    metadata: Value,
}

#[derive(Default)]
struct Shared {
    messages: Mutex<Vec<Message>>,
    /// Method and the error it was answered with, or `ok`.
    log: Mutex<Vec<(&'static str, String)>>,
    lose_answer: Fault,
    /// Error of the next call.
    next_error: Mutex<Option<&'static str>>,
}

pub struct Slack {
    server: Server,
    shared: Arc<Shared>,
}

impl Slack {
    pub async fn start() -> Self {
        let shared = Arc::new(Shared::default());
        let router = Router::new()
            .route("/api/chat.postMessage", post(post_message))
            .route("/api/chat.update", post(update))
            .route("/api/conversations.history", get(history))
            .route("/api/conversations.replies", get(replies))
            .with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    pub fn base_url(&self) -> String {
        format!("http://{}/api", self.server.address)
    }

    /// Messages of the channel itself.
    pub fn main(&self) -> Vec<Message> {
        self.shared.messages.lock().iter().filter(|message| message.thread_ts.is_none()).cloned().collect()
    }

    pub fn replies(&self) -> Vec<Message> {
        self.shared.messages.lock().iter().filter(|message| message.thread_ts.is_some()).cloned().collect()
    }

    pub fn log(&self) -> Vec<(&'static str, String)> {
        self.shared.log.lock().clone()
    }

    /// The next message is posted, but the answer is lost.
    pub fn lose_next_answer(&self) {
        self.shared.lose_answer.arm();
    }

    pub fn fail_next(&self, error: &'static str) {
        *self.shared.next_error.lock() = Some(error);
    }
}

impl Shared {
    fn answer(&self, method: &'static str, result: Result<Value, &str>) -> Response {
        let body = match &result {
            Ok(body) => body.clone(),
            Err(error) => json!({ "ok": false, "error": error }),
        };
        self.log.lock().push((method, result.err().unwrap_or("ok").to_owned()));
        ([("content-type", "application/json; charset=utf-8")], body.to_string()).into_response()
    }

    fn admit(&self, headers: &HeaderMap) -> Result<(), &'static str> {
        let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        match given.strip_prefix("Bearer ") {
            Some(TOKEN) => self.next_error.lock().take().map_or(Ok(()), Err),
            Some(_) => Err("invalid_auth"),
            None => Err("not_authed"),
        }
    }

    fn read(&self, headers: &HeaderMap, body: &[u8]) -> Result<Value, &'static str> {
        self.admit(headers)?;
        let content_type = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !content_type.starts_with("application/json") {
            return Err("invalid_form_data");
        }
        let body: Value = serde_json::from_slice(body).map_err(|_| "invalid_json")?;
        if body["channel"] != CHANNEL {
            return Err("channel_not_found");
        }
        let blocks = body["blocks"].as_array().map_or(0, Vec::len);
        let text = body["text"].as_str().unwrap_or_default();
        if blocks > BLOCKS_MAX {
            return Err("invalid_blocks");
        }
        if text.is_empty() && blocks == 0 {
            return Err("no_text");
        }
        if text.chars().count() > TEXT_CHARS_MAX {
            return Err("msg_too_long");
        }
        Ok(body)
    }

    fn posted(&self, body: &Value) -> Result<Value, &'static str> {
        let mut messages = self.messages.lock();
        let thread_ts = body["thread_ts"].as_str().map(str::to_owned);
        if let Some(thread) = &thread_ts
            && !messages.iter().any(|message| message.ts == *thread)
        {
            return Err("thread_not_found");
        }
        let seconds = Clock::System.now().as_millis() / 1_000;
        let ts = format!("{seconds}.{:06}", messages.len() + 1);
        let text = body["text"].as_str().unwrap_or_default().to_owned();
        let metadata = body["metadata"].clone();
        messages.push(Message { ts: ts.clone(), thread_ts, text: text.clone(), edits: 0, metadata });
        Ok(json!({ "ok": true, "channel": CHANNEL, "ts": ts, "message": { "text": text, "ts": ts } }))
    }

    fn updated(&self, body: &Value) -> Result<Value, &'static str> {
        let mut messages = self.messages.lock();
        let ts = body["ts"].as_str().unwrap_or_default();
        let message = messages.iter_mut().find(|message| message.ts == ts).ok_or("message_not_found")?;
        message.text = body["text"].as_str().unwrap_or_default().to_owned();
        message.edits += 1;
        if body["metadata"].is_object() {
            message.metadata = body["metadata"].clone();
        }
        Ok(json!({ "ok": true, "channel": CHANNEL, "ts": ts, "text": message.text }))
    }

    /// Messages that fit, as a query shows them.
    fn rows(&self, uri: &Uri, fits: impl Fn(&Message) -> bool) -> Result<Vec<Value>, &'static str> {
        if parameter(uri, "channel").as_deref() != Some(CHANNEL) {
            return Err("channel_not_found");
        }
        let oldest: f64 = parameter(uri, "oldest").and_then(|text| text.parse().ok()).unwrap_or(0.0);
        let has_metadata = parameter(uri, "include_all_metadata").as_deref() == Some("true");
        let row = |message: &Message| {
            let mut row = json!({ "type": "message", "ts": message.ts, "text": message.text });
            if has_metadata && message.metadata.is_object() {
                row["metadata"] = message.metadata.clone();
            }
            row
        };
        let is_young = |message: &&Message| message.ts.parse::<f64>().is_ok_and(|at| at >= oldest);
        let messages = self.messages.lock();
        Ok(messages.iter().filter(is_young).filter(|message| fits(message)).map(row).collect())
    }
}

async fn post_message(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let result = shared.read(&headers, &body).and_then(|body| shared.posted(&body));
    if result.is_ok() {
        shared.lose_answer.strike().await;
    }
    shared.answer("chat.postMessage", result)
}

async fn update(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let result = shared.read(&headers, &body).and_then(|body| shared.updated(&body));
    shared.answer("chat.update", result)
}

async fn history(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    let found = shared.admit(&headers).and_then(|()| shared.rows(&uri, |message| message.thread_ts.is_none()));
    let newest_first = found.map(|mut rows| {
        rows.reverse();
        json!({ "ok": true, "messages": rows, "has_more": false })
    });
    shared.answer("conversations.history", newest_first)
}

async fn replies(State(shared): State<Arc<Shared>>, headers: HeaderMap, uri: Uri) -> Response {
    let ts = parameter(&uri, "ts").unwrap_or_default();
    let is_in = |message: &Message| message.ts == ts || message.thread_ts.as_deref() == Some(ts.as_str());
    let found = shared.admit(&headers).and_then(|()| shared.rows(&uri, is_in));
    let found = found.and_then(|rows| if rows.is_empty() { Err("thread_not_found") } else { Ok(rows) });
    shared.answer("conversations.replies", found.map(|rows| json!({ "ok": true, "messages": rows, "has_more": false })))
}
