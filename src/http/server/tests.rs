//! Real connections on loopback; every wait is for something that happens, never for a time to pass.

mod limits;
mod tls;

use super::*;
use crate::model::Span;
use axum::routing::{get, post};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

/// Long enough never to matter, short enough to end a test that hangs.
const NEVER: Span = Span::from_secs(60);

fn patient() -> Limits {
    Limits { connections_max: 16, header_timeout: NEVER, idle_timeout: NEVER, request_timeout: NEVER }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<()>,
}

async fn start(app: Router, limits: Limits) -> Running {
    start_with(watch::Sender::new(None).subscribe(), app, limits).await
}

async fn start_with(tls: TlsConfiguration, app: Router, limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(serve(listener, tls, app, limits, async {
        let _ = stopped.await;
    }));
    Running { address, stop, served }
}

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// Sends one request and reads one answer, up to the end of a body that is shorter than one packet.
async fn ask(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    answer_of(stream).await
}

async fn answer_of(stream: &mut (impl AsyncRead + Unpin)) -> String {
    let mut text = String::new();
    let mut piece = [0; 4_096];
    loop {
        let count = stream.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..count]).unwrap());
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
        let body = text.split_once("\r\n\r\n").map(|(_, body)| body.len());
        if count == 0 || (body.is_some() && body >= length) {
            return text;
        }
    }
}

const GET: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn a_handler_that_panics_costs_one_request() {
    async fn fail() -> &'static str {
        panic!("on purpose")
    }
    let running = start(hello().route("/panic", get(fail)), patient()).await;
    let mut stream = connect(&running).await;
    let failed = ask(&mut stream, "GET /panic HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(failed.starts_with("HTTP/1.1 500") && failed.contains("application/problem+json"), "{failed}");
    assert!(ask(&mut stream, GET).await.ends_with("hello"), "the connection survives");
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_answered() {
    let hang = get(|| async { std::future::pending::<()>().await });
    let limits = Limits { request_timeout: Span::from_millis(20), ..patient() };
    let running = start(hello().route("/hang", hang), limits).await;
    let mut stream = connect(&running).await;
    let answer = ask(&mut stream, "GET /hang HTTP/1.1\r\nhost: localhost\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
}

#[tokio::test]
async fn headers_that_do_not_end_end_the_connection() {
    let limits = Limits { header_timeout: Span::from_millis(20), ..patient() };
    let running = start(hello(), limits).await;
    let mut silent = connect(&running).await;
    assert_eq!(silent.read(&mut [0; 16]).await.unwrap(), 0);
    let mut slow = connect(&running).await;
    assert!(ask(&mut slow, GET).await.ends_with("hello"));
    slow.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
    assert_eq!(slow.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_connection_without_requests_ends() {
    let limits = Limits { idle_timeout: Span::from_millis(20), ..patient() };
    let running = start(hello(), limits).await;
    let mut stream = connect(&running).await;
    assert!(ask(&mut stream, GET).await.ends_with("hello"));
    assert_eq!(stream.read(&mut [0; 16]).await.unwrap(), 0);
}

#[tokio::test]
async fn over_the_limit_the_next_connection_waits_its_turn() {
    let running = start(hello(), Limits { connections_max: 1, ..patient() }).await;
    let mut first = connect(&running).await;
    assert!(ask(&mut first, GET).await.ends_with("hello"));
    let mut second = connect(&running).await;
    second.write_all(GET.as_bytes()).await.unwrap();
    assert!(ask(&mut first, GET).await.ends_with("hello"), "the first still has its place");
    let mut piece = [0; 16];
    assert_eq!(second.try_read(&mut piece).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(first);
    assert!(answer_of(&mut second).await.ends_with("hello"));
}

#[tokio::test]
async fn stopping_lets_requests_in_flight_finish_and_sends_idle_ones_away() {
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (begun, go_on) = (begun.clone(), go_on.clone());
        post(|body: String| async move {
            begun.notify_one();
            go_on.notified().await;
            body
        })
    };
    let running = start(hello().route("/slow", slow), patient()).await;
    let mut idle = connect(&running).await;
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
    let mut busy = connect(&running).await;
    busy.write_all(b"POST /slow HTTP/1.1\r\nhost: localhost\r\ncontent-length: 4\r\n\r\nlast").await.unwrap();
    begun.notified().await;
    running.stop.send(()).unwrap();
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap(), 0);
    assert!(TcpStream::connect(running.address).await.is_err(), "nobody new is let in");
    go_on.notify_one();
    let answer = answer_of(&mut busy).await;
    assert!(answer.ends_with("last") && answer.contains("connection: close"), "{answer}");
    running.served.await.unwrap();
}
