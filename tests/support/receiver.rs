//! An HTTP receiver that remembers every request and answers as it is told. Decides nothing about what a
//! request means.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, Method, StatusCode, Uri};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

use super::{client, eventually};

/// Between two looks of a request that is held.
const HOLD_AGAIN: Duration = Duration::from_millis(10);
/// An attempt to connect on loopback that takes this long was dropped.
const DROPPED_AFTER: Duration = Duration::from_millis(200);
/// Between two bytes of [`Answer::Drip`].
const DRIP_EVERY: Duration = Duration::from_millis(200);

/// What the receiver says to every request from here on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    Status(u16),
    /// 429 with `Retry-After` in seconds.
    TooMany(u64),
    /// 302 to a path of the same receiver.
    Redirect(&'static str),
    /// Nothing, for longer than anyone waits.
    Hang,
    /// 200, but only after so long.
    Slow(Duration),
    /// 200 at once, and then a body that comes byte by byte and never ends.
    Drip,
    /// What the receiver is told to answer next, once it is.
    Hold,
}

#[derive(Clone, Debug)]
pub struct Received {
    pub at: Instant,
    pub path: String,
    pub headers: HeaderMap,
    pub body: Value,
    /// What it was answered.
    pub answer: Answer,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The idempotency key.
    pub fn webhook_id(&self) -> &str {
        self.header("webhook-id")
    }

    pub fn incident(&self) -> &str {
        self.body["data"]["incident"]["id"].as_str().unwrap_or_default()
    }

    pub fn number(&self) -> u64 {
        self.body["data"]["number"].as_u64().unwrap_or_default()
    }

    pub fn kind(&self) -> &str {
        self.body["data"]["kind"].as_str().unwrap_or_default()
    }

    /// The first item of the incident.
    pub fn item(&self) -> &str {
        self.body["data"]["incident"]["configuration_items"][0].as_str().unwrap_or_default()
    }
}

/// A body without an end.
struct Dripping(tokio::time::Interval);

impl hyper::body::Body for Dripping {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
        self.0.poll_tick(context).map(|_| Some(Ok(hyper::body::Frame::data(Bytes::from_static(b" ")))))
    }
}

struct Shared {
    answer: Answer,
    requests: Vec<Received>,
}

/// Path at which a server only says that it is there.
const TAKEN: &str = "/-/taken";

/// A server that ends with its value.
pub struct Server {
    pub address: SocketAddr,
    client: reqwest::Client,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on a free port of loopback.
    pub async fn start(router: Router) -> Self {
        let router = router.route(TAKEN, get(async || ()));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("the server runs until it is dropped");
        });
        Self { address, client: client(), task }
    }

    /// Waits for an answer of its own: what was sent to it before has been taken in by then.
    pub async fn has_taken_all(&self) {
        let answer = self.client.get(format!("http://{}{TAKEN}", self.address)).send().await;
        assert!(answer.is_ok(), "a server of the test is gone: {answer:?}");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// An address whose packets nobody answers: the queue of its listener is full, so the kernel drops every
/// attempt to connect, as a firewall does.
pub struct Blackhole {
    listener: TcpListener,
    _queued: Vec<TcpStream>,
}

impl Blackhole {
    pub async fn start() -> Self {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.bind(([127, 0, 0, 1], 0).into()).expect("a free port");
        let listener = socket.listen(1).expect("a listener");
        let address = listener.local_addr().expect("its address");
        let mut queued = Vec::new();
        while let Ok(connected) = tokio::time::timeout(DROPPED_AFTER, TcpStream::connect(address)).await {
            queued.push(connected.expect("there is still room, or nobody answers"));
        }
        Self { listener, _queued: queued }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.listener.local_addr().expect("its address"))
    }
}

pub struct Receiver {
    server: Server,
    shared: Arc<Mutex<Shared>>,
}

impl Receiver {
    pub async fn start(answer: Answer) -> Self {
        let shared = Arc::new(Mutex::new(Shared { answer, requests: Vec::new() }));
        let router = Router::new().fallback(take).with_state(Arc::clone(&shared));
        Self { server: Server::start(router).await, shared }
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.server.address)
    }

    pub async fn has_taken_all(&self) {
        self.server.has_taken_all().await;
    }

    pub fn answer(&self, answer: Answer) {
        self.shared.lock().answer = answer;
    }

    /// Everything that came, in order of arrival.
    pub fn requests(&self) -> Vec<Received> {
        self.shared.lock().requests.clone()
    }

    pub fn count(&self) -> usize {
        self.shared.lock().requests.len()
    }

    /// Requests that are left without an answer.
    pub fn unanswered(&self) -> usize {
        self.shared.lock().requests.iter().filter(|request| request.answer == Answer::Hang).count()
    }

    /// Waits for a request that fits; the first such.
    pub async fn waits_for(&self, what: &str, within: Duration, fits: impl Fn(&Received) -> bool) -> Received {
        eventually(what, within, async || self.shared.lock().requests.iter().find(|one| fits(one)).cloned()).await
    }
}

async fn take(
    State(shared): State<Arc<Mutex<Shared>>>,
    _method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let answer = {
        let mut shared = shared.lock();
        let answer = shared.answer;
        let body = serde_json::from_slice(&body).unwrap_or_default();
        shared.requests.push(Received { at: Instant::now(), path: uri.path().to_owned(), headers, body, answer });
        answer
    };
    let status = |code: u16| StatusCode::from_u16(code).expect("a status of a test");
    match answer {
        Answer::Status(code) => status(code).into_response(),
        Answer::TooMany(seconds) => (status(429), [("retry-after", seconds.to_string())]).into_response(),
        Answer::Redirect(to) => (status(302), [("location", to)]).into_response(),
        Answer::Hang => std::future::pending().await,
        Answer::Drip => Response::new(axum::body::Body::new(Dripping(tokio::time::interval(DRIP_EVERY)))),
        Answer::Hold => {
            while shared.lock().answer == Answer::Hold {
                tokio::time::sleep(HOLD_AGAIN).await;
            }
            let Answer::Status(code) = shared.lock().answer else { panic!("after `Hold` comes a status") };
            status(code).into_response()
        }
        Answer::Slow(span) => {
            tokio::time::sleep(span).await;
            StatusCode::OK.into_response()
        }
    }
}
