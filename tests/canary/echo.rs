//! Receivers that throw back whatever they are sent, credentials first, in every place where a sink could
//! pick it up: the answer's body in the vendor's own form, its headers, the reply to a mail's AUTH.

use axum::Router;
use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, Method, StatusCode, Uri};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::support::receiver::Server;

pub async fn echo_http() -> Server {
    Server::start(Router::new().fallback(throw_back)).await
}

/// First "later", then "no", so that both ways of failing are gone.
const STATUSES: [u16; 3] = [500, 401, 400];

async fn throw_back(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let authorization = headers.get("authorization").map(text).unwrap_or_default();
    let encoded = authorization.split_once(' ').map_or("", |(_, encoded)| encoded);
    let decoded = BASE64_STANDARD.decode(encoded).unwrap_or_default();
    let decoded = String::from_utf8_lossy(&decoded);
    let all: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
    let echo = format!(
        "you sent {authorization} ({decoded}) to {method} {uri}, and {} and {}",
        all.join(", "),
        String::from_utf8_lossy(&body)
    );
    let answer = match uri.path() {
        path if path.starts_with("/api/now") => {
            json!({ "error": { "message": echo, "detail": echo }, "status": "failure" })
        }
        path if path.starts_with("/slack") => {
            json!({ "ok": false, "error": echo, "response_metadata": { "messages": [echo] } })
        }
        // The version decides where the token is.
        path if path.starts_with("/zabbix") && echo.contains("apiinfo.version") => {
            json!({ "jsonrpc": "2.0", "result": format!("{}.0.1", &path[7..8]), "id": 1 })
        }
        path if path.starts_with("/zabbix") => {
            json!({ "jsonrpc": "2.0", "error": { "code": -32602, "message": echo, "data": echo }, "id": 1 })
        }
        _ => json!(echo),
    };
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let status = match uri.path() {
        // These say no with 200.
        path if path.starts_with("/slack") || path.starts_with("/zabbix") => StatusCode::OK,
        _ => StatusCode::from_u16(STATUSES[count % STATUSES.len()]).expect("a status"),
    };
    (status, [("x-echo", authorization)], answer.to_string()).into_response()
}

pub struct SmtpServer {
    pub address: SocketAddr,
    task: JoinHandle<()>,
}

impl Drop for SmtpServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Wants a password, and refuses it with its own words.
pub async fn echo_smtp() -> SmtpServer {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let address = listener.local_addr().expect("its address");
    let task = tokio::spawn(async move {
        let mut sessions = tokio::task::JoinSet::new();
        while let Ok((stream, _)) = listener.accept().await {
            // A client that leaves in the middle is its own business.
            sessions.spawn(async move { drop(session(stream).await) });
        }
    });
    SmtpServer { address, task }
}

async fn session(stream: TcpStream) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ready\r\n").await?;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let answer = if line.starts_with("EHLO") {
            "250-mail.test\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME".to_owned()
        } else if let Some(credentials) = line.strip_prefix("AUTH PLAIN ") {
            let decoded = BASE64_STANDARD.decode(credentials).unwrap_or_default();
            format!("535 5.7.8 no: {line} ({})", String::from_utf8_lossy(&decoded).replace('\0', " "))
        } else {
            format!("502 no: {line}")
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
