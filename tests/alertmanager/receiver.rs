//! The end of one side's webhooks: keeps every request with its moment, and answers each hook as it is told.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// What a hook says from here on; `Status(200)` at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// Nothing, for as long as anyone waits.
    Hang,
    /// 200, but only after so long.
    Slow(Duration),
}

impl Answer {
    /// Whether this ends the matter: Alertmanager tries again after 5xx and after no answer only.
    pub fn is_final(self) -> bool {
        match self {
            Self::Status(status) => status < 500,
            Self::Hang => false,
            Self::Slow(_) => true,
        }
    }
}

#[derive(Clone, Debug)]
pub struct Request {
    pub at: Instant,
    /// The path without its slash.
    pub hook: String,
    pub body: Value,
    /// What it was answered.
    pub answer: Answer,
}

/// What a taken message is answered: Slack says this, and nobody else minds it but Telegram.
const TAKEN: &str = "ok";
const TAKEN_BY_TELEGRAM: &str = r#"{"ok":true,"result":{"message_id":1,"date":1,"chat":{"id":7,"type":"group"}}}"#;

#[derive(Default)]
struct Shared {
    answers: BTreeMap<String, Answer>,
    requests: Vec<Request>,
}

/// Listens until it is dropped.
pub struct Receiver {
    port: u16,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let shared = Arc::new(Mutex::new(Shared::default()));
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the receiver runs until it is dropped");
        });
        Self { port, shared, server }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Changes what a hook answers; requests that hang already go on hanging.
    pub fn answer(&self, hook: &str, answer: Answer) {
        self.shared.lock().answers.insert(hook.to_owned(), answer);
    }

    /// Everything that came, in order of arrival.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.lock().requests.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn take(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri, body: Bytes) -> Response {
    let taken = if uri.path().starts_with("/telegram") { TAKEN_BY_TELEGRAM } else { TAKEN };
    let answer = {
        let mut shared = shared.lock();
        let hook = uri.path().trim_start_matches('/').to_owned();
        let answer = shared.answers.get(&hook).copied().unwrap_or(Answer::Status(200));
        let body = serde_json::from_slice(&body).unwrap_or_default();
        shared.requests.push(Request { at: Instant::now(), hook, body, answer });
        answer
    };
    match answer {
        Answer::Status(200) => taken.into_response(),
        Answer::Status(code) => StatusCode::from_u16(code).expect("a status of a test").into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::Slow(span) => {
            tokio::time::sleep(span).await;
            taken.into_response()
        }
    }
}
