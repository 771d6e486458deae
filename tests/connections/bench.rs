//! A server that keeps what it sees, and `watchbell` with a configuration of one sink.

use std::process::{Command, Output};
use std::sync::Arc;

use parking_lot::Mutex;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::pki::{Authority, Certified};

pub const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
pub const DELIVERED: &str = "delivered: answered 200";

/// One request as a server sees it.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The name that the client asked for in the handshake.
    pub sni: Option<String>,
    pub is_tls12: bool,
    pub showed_certificate: bool,
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// A server that answers what `answer` says, and keeps what came.
pub struct Server {
    pub port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    pub async fn start(tls: Option<ServerConfig>, answer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
        let (kept, answer) = (Arc::clone(&seen), Arc::new(answer));
        let tls = tls.map(|tls| TlsAcceptor::from(Arc::new(tls)));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, kept, answer) = (tls.clone(), Arc::clone(&kept), Arc::clone(&answer));
                tokio::spawn(async move {
                    let Some(tls) = tls else { return serve(stream, Seen::default(), &kept, &*answer).await };
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let session = stream.get_ref().1;
                    let shown = Seen {
                        sni: session.server_name().map(str::to_owned),
                        is_tls12: session.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_2),
                        showed_certificate: session.peer_certificates().is_some(),
                        ..Seen::default()
                    };
                    serve(stream, shown, &kept, &*answer).await;
                });
            }
        });
        Self { port, seen }
    }

    pub fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().clone()
    }
}

/// One request for each connection.
async fn serve<S>(mut stream: S, mut request: Seen, seen: &Mutex<Vec<Seen>>, answer: &(dyn Fn(&Seen) -> String + Sync))
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Vec::new();
    let head_end = loop {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return;
        }
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
    };
    request.head = String::from_utf8_lossy(&bytes[..head_end]).into_owned();
    let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_end + length {
        stream.read_buf(&mut bytes).await.unwrap();
    }
    request.body = String::from_utf8_lossy(&bytes[head_end..]).into_owned();
    let answer = answer(&request);
    seen.lock().push(request);
    stream.write_all(answer.as_bytes()).await.unwrap();
    let _ = stream.shutdown().await;
}

pub fn tls(
    certified: &Certified,
    clients: Option<&Authority>,
    versions: &[&'static SupportedProtocolVersion],
) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_protocol_versions(versions).unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
    builder.with_single_cert(vec![certified.der.clone()], key).unwrap()
}

pub const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A folder with a configuration of one sink, and what `watchbell` makes of it.
pub struct Bench(pub tempfile::TempDir);

impl Bench {
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    pub fn configure(&self, url: &str, http_config: &str) {
        let text = format!(
            "notify_by: group\nreceivers:\n  ops:\n    sinks:\n      - kind: alertmanager_webhook\n        \
             allow_private: true\n        url: {url}\n        http_config: {http_config}\nroute: {{ receiver: ops }}\n"
        );
        self.write("watchbell.yaml", &text);
    }

    pub async fn run(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
        command.args(arguments).arg("--config").arg(self.0.path().join("watchbell.yaml"));
        let Output { status, stdout, stderr } =
            tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = format!("{}{}{}", status.code().unwrap(), text(&stdout), text(&stderr));
        let text = text.replace(&format!("{}/", self.0.path().display()), "");
        assert!(!text.contains("s3cret"), "a secret shows: {text}");
        text
    }

    /// Sends one notification.
    pub async fn send(&self, url: &str, http_config: &str) -> String {
        self.configure(url, http_config);
        self.run(&["test-sink", "ops/webhook"]).await
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
