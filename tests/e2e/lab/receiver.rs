//! The other end: an HTTP receiver that records what Watchbell sends, and can misbehave.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// How the receiver answers from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    Status(u16),
    /// Takes the request and never answers.
    Hang,
}

/// One request, as it came in.
#[derive(Clone, Debug)]
pub struct Recorded {
    /// Since the receiver started.
    pub at: Duration,
    pub path: String,
    pub headers: HeaderMap,
    /// `Null` when the body was not JSON.
    pub body: Value,
    /// What the receiver did with it.
    pub behaviour: Behaviour,
}

impl Recorded {
    /// The CloudEvents-like type, for example `watchbell.incident.opened`.
    pub fn kind(&self) -> &str {
        self.body["type"].as_str().unwrap_or_default()
    }

    pub fn incident(&self) -> &Value {
        &self.body["data"]["incident"]
    }

    pub fn incident_id(&self) -> &str {
        self.incident()["id"].as_str().unwrap_or_default()
    }

    /// A header as text, empty when it is missing.
    pub fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).map(|value| value.as_bytes());
        String::from_utf8_lossy(value.unwrap_or_default()).into_owned()
    }

    /// Whether Watchbell was told that this request arrived.
    pub fn is_accepted(&self) -> bool {
        matches!(self.behaviour, Behaviour::Status(status) if (200..300).contains(&status))
    }
}

struct Shared {
    started: Instant,
    behaviour: Behaviour,
    requests: Vec<Recorded>,
}

/// Listens until it is dropped.
pub struct Receiver {
    address: String,
    shared: Arc<Mutex<Shared>>,
    server: JoinHandle<()>,
}

impl Receiver {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind the receiver");
        let address = listener.local_addr().expect("a bound address").to_string();
        let shared = Arc::new(Mutex::new(Shared {
            started: Instant::now(),
            behaviour: Behaviour::Status(200),
            requests: Vec::new(),
        }));
        let router = Router::new().fallback(record).with_state(shared.clone());
        let server = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serve the receiver");
        });
        Self { address, shared, server }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Changes how requests are answered; those that hang already stay hanging.
    pub fn behave(&self, behaviour: Behaviour) {
        lock(&self.shared).behaviour = behaviour;
    }

    /// Everything so far, oldest first.
    pub fn requests(&self) -> Vec<Recorded> {
        lock(&self.shared).requests.clone()
    }

    /// Requests of one type that were accepted, oldest first.
    pub fn accepted(&self, kind: &str) -> Vec<Recorded> {
        let mut requests = self.requests();
        requests.retain(|request| request.is_accepted() && request.kind() == kind);
        requests
    }

    /// What came in, one line per request, for messages.
    pub fn describe(&self) -> String {
        let requests = self.requests();
        let mut text = format!("the receiver got {} requests", requests.len());
        for request in requests {
            let _ = write!(
                text,
                "\n  {:>7.2} s {} {:?} {} {}",
                request.at.as_secs_f64(),
                request.path,
                request.behaviour,
                request.kind(),
                request.incident(),
            );
        }
        text
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn record(State(shared): State<Arc<Mutex<Shared>>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let behaviour = {
        let mut shared = lock(&shared);
        let request = Recorded {
            at: shared.started.elapsed(),
            path: uri.path().to_owned(),
            headers,
            body: serde_json::from_slice(&body).unwrap_or(Value::Null),
            behaviour: shared.behaviour,
        };
        shared.requests.push(request);
        shared.behaviour
    };
    match behaviour {
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Status(status) => {
            StatusCode::from_u16(status).expect("a test answers with a real status").into_response()
        }
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().expect("the receiver never panics while locked")
}
