//! Calls of `send` against a server that is well, away, busy, or says no.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use http::{HeaderMap, StatusCode};
use parking_lot::Mutex;

use super::forward::{Summary, Target, forward, without_spool};
use super::spool::Spool;
use crate::cli::client::{self, Proof, Trust};
use crate::cli::failure::Failure;
use crate::error::Secret;
use crate::model::Timestamp;

const TOKEN: &str = "tok-7f3a9c";

/// What the server answers to a body; the number counts requests from 0.
type Policy = fn(usize, &str) -> (StatusCode, String);

/// A source that takes what its policy lets in.
struct Server {
    url: String,
    shared: Arc<Shared>,
    /// Stops the server when it is dropped.
    _runtime: tokio::runtime::Runtime,
}

struct Shared {
    policy: Mutex<Policy>,
    requests: Mutex<usize>,
    taken: Mutex<Vec<String>>,
}

fn well(_: usize, _: &str) -> (StatusCode, String) {
    (StatusCode::OK, String::new())
}

fn away(_: usize, _: &str) -> (StatusCode, String) {
    (StatusCode::SERVICE_UNAVAILABLE, String::new())
}

async fn take(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    assert_eq!(headers["authorization"], format!("Bearer {TOKEN}"));
    let body = String::from_utf8(body.to_vec()).unwrap();
    // Requests that overlap would show here: the lock is held while one is judged.
    let mut requests = shared.requests.lock();
    let answer = (shared.policy.lock())(*requests, &body);
    *requests += 1;
    if answer.0.is_success() {
        shared.taken.lock().push(body);
    }
    answer
}

impl Server {
    fn start(policy: Policy) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let shared =
            Arc::new(Shared { policy: Mutex::new(policy), requests: Mutex::default(), taken: Mutex::default() });
        let router = Router::new().route("/in/nagios", post(take)).with_state(Arc::clone(&shared));
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}/in/nagios", listener.local_addr().unwrap());
        runtime.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared, _runtime: runtime }
    }

    fn become_(&self, policy: Policy) {
        *self.shared.policy.lock() = policy;
    }

    fn taken(&self) -> Vec<String> {
        self.shared.taken.lock().clone()
    }
}

fn target(url: &str) -> Target {
    let url = client::http_url(url, "--url").unwrap();
    let http = client::http_client(&url, &Trust::default(), &Proof::default()).unwrap();
    Target::new(url, http, Some(Secret::new(TOKEN.to_owned())), "application/json").unwrap()
}

fn call_with(url: &str, directory: &Path, entries_max: usize, bodies: &[&str]) -> Result<Summary, Failure> {
    let bodies = bodies.iter().map(|body| body.as_bytes().to_vec()).collect();
    let spool = Spool::open(directory, "nagios", entries_max);
    forward(
        target(url),
        spool,
        bodies,
        Timestamp::from_millis(1_795_239_158_000),
        Instant::now() + Duration::from_secs(30),
    )
}

fn call(server: &Server, directory: &Path, bodies: &[&str]) -> Summary {
    call_with(&server.url, directory, 100, bodies).unwrap()
}

/// Every file below the directory with its text.
fn files(directory: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&entry.path()).into_iter().map(|(below, text)| (format!("{name}/{below}"), text)));
        } else {
            found.insert(name, fs::read_to_string(entry.path()).unwrap());
        }
    }
    found
}

#[test]
fn what_waits_goes_first_and_in_order() {
    let (server, home) = (Server::start(away), tempfile::tempdir().unwrap());
    for (waiting, body) in [(1, "a"), (2, "b"), (3, "c")] {
        let reason = Some("it answered 503".to_owned());
        assert_eq!(call(&server, home.path(), &[body]), Summary { waiting, reason, ..Summary::default() });
    }
    server.become_(well);
    assert_eq!(call(&server, home.path(), &["d"]), Summary { sent: 4, ..Summary::default() });
    assert_eq!(server.taken(), ["a", "b", "c", "d"]);
    assert!(files(home.path()).is_empty());
}

#[test]
fn a_daemon_that_is_not_there_costs_nothing() {
    let home = tempfile::tempdir().unwrap();
    // Bound and closed again: nobody listens there.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let summary = call_with(&format!("http://{address}/in/nagios"), home.path(), 100, &["a"]).unwrap();
    assert_eq!((summary.sent, summary.waiting), (0, 1));
    assert_eq!(summary.reason.as_deref(), Some("cannot connect: connection refused"));
}

#[test]
fn a_daemon_that_hangs_is_left_in_time() {
    let home = tempfile::tempdir().unwrap();
    // The kernel takes the connection; nobody ever reads from it.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/in/nagios", listener.local_addr().unwrap());
    let start = Instant::now();
    let spool = Spool::open(home.path(), "nagios", 100);
    let deadline = start + Duration::from_millis(300);
    let summary = forward(target(&url), spool, vec![b"a".to_vec()], Timestamp::from_millis(0), deadline).unwrap();
    assert_eq!((summary.waiting, summary.reason.as_deref()), (1, Some("no answer in time")));
    assert!(start.elapsed() < Duration::from_secs(3));
}

#[test]
fn calls_at_the_same_time_lose_nothing_repeat_nothing_and_keep_their_order() {
    // Busy now and then, so that some have to leave theirs to others.
    let busy: Policy = |number, body| if number % 5 == 3 { away(number, body) } else { well(number, body) };
    let (server, home) = (Server::start(busy), tempfile::tempdir().unwrap());
    let expected: Vec<Vec<String>> =
        (0..16).map(|caller| (0..6).map(|number| format!("{caller}.{number}")).collect()).collect();
    std::thread::scope(|scope| {
        for bodies in &expected {
            let (server, home) = (&server, home.path());
            scope.spawn(move || bodies.iter().for_each(|body| drop(call(server, home, &[body]))));
        }
    });
    server.become_(well);
    call(&server, home.path(), &[]);
    let taken = server.taken();
    assert_eq!(taken.len(), expected.concat().len());
    for (caller, bodies) in expected.iter().enumerate() {
        let own: Vec<_> = taken.iter().filter(|body| body.starts_with(&format!("{caller}."))).collect();
        assert_eq!(own, bodies.iter().collect::<Vec<_>>());
    }
    assert!(files(home.path()).is_empty());
}

#[test]
fn what_is_refused_for_good_is_put_aside_and_blocks_nothing() {
    let picky: Policy = |number, body| match body {
        "bad" => (StatusCode::BAD_REQUEST, r#"{"detail":"`HOSTSTATE`: expected `UP`, got nothing"}"#.to_owned()),
        _ => well(number, body),
    };
    let (server, home) = (Server::start(away), tempfile::tempdir().unwrap());
    call(&server, home.path(), &["a", "bad", "c"]);
    server.become_(picky);
    assert_eq!(call(&server, home.path(), &["d"]), Summary { sent: 3, rejected: 1, ..Summary::default() });
    assert_eq!(server.taken(), ["a", "c", "d"]);
    let kept = files(home.path());
    assert_eq!(
        kept.into_iter().collect::<Vec<_>>(),
        [
            ("rejected/01795239158000-000001.nagios".to_owned(), "bad".to_owned()),
            (
                "rejected/01795239158000-000001.nagios.answer".to_owned(),
                "400\n{\"detail\":\"`HOSTSTATE`: expected `UP`, got nothing\"}\n".to_owned()
            ),
        ]
    );
    server.become_(well);
    assert_eq!(Spool::open(home.path(), "nagios", 100).unwrap().retry_rejected().unwrap(), 1);
    assert_eq!(call(&server, home.path(), &[]), Summary { sent: 1, ..Summary::default() });
    assert!(files(home.path()).is_empty());
}

#[test]
fn a_full_spool_refuses_aloud_and_goes_on_once_there_is_room() {
    let (server, home) = (Server::start(away), tempfile::tempdir().unwrap());
    let full = |body| call_with(&server.url, home.path(), 2, &[body]);
    full("a").unwrap();
    full("b").unwrap();
    assert_eq!(
        full("c").unwrap_err().to_string(),
        "1 notification is lost: the spool is full and the daemon does not take them (it answered 503)"
    );
    server.become_(well);
    assert_eq!(full("d").unwrap(), Summary { sent: 3, ..Summary::default() });
    assert_eq!(server.taken(), ["a", "b", "d"]);
}

#[test]
fn a_spool_that_cannot_be_used_does_not_cost_a_page() {
    let (server, home) = (Server::start(well), tempfile::tempdir().unwrap());
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    assert_eq!(call(&server, &file, &["a"]), Summary { sent: 1, ..Summary::default() });
    assert_eq!(server.taken(), ["a"]);
    server.become_(away);
    let error = call_with(&server.url, &file, 100, &["b"]).unwrap_err();
    assert_eq!(error.to_string(), format!("1 notification is lost: `{}`: it answered 503", server.url));
}

#[test]
fn without_a_spool_a_loss_is_said() {
    let server = Server::start(well);
    let soon = || Instant::now() + Duration::from_secs(30);
    let sent = without_spool(target(&server.url), vec![b"a".to_vec()], soon()).unwrap();
    assert_eq!(sent, Summary { sent: 1, ..Summary::default() });
    server.become_(away);
    let error = without_spool(target(&server.url), vec![b"b".to_vec(), b"c".to_vec()], soon()).unwrap_err();
    assert_eq!(error.to_string(), format!("2 notifications are lost: `{}`: it answered 503", server.url));
}

#[test]
fn the_token_is_written_nowhere() {
    let echo: Policy = |_, _| (StatusCode::FORBIDDEN, format!("no entry with Bearer {TOKEN}"));
    let (server, home) = (Server::start(away), tempfile::tempdir().unwrap());
    call(&server, home.path(), &["a"]);
    assert_eq!(files(home.path()).len(), 1);
    server.become_(echo);
    call(&server, home.path(), &["b"]);
    let kept = files(home.path());
    assert_eq!(kept.len(), 4);
    assert!(kept.values().all(|text| !text.contains(TOKEN)), "{kept:?}");
    assert_eq!(kept["rejected/01795239158000-000000.nagios.answer"], "403\nno entry with Bearer <secret>\n");
}
