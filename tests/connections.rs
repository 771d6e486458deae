//! How sinks connect, by what their `http_config` says: names, versions and certificates of TLS, tokens of OAuth 2. From a
//! configuration to the requests that a server sees, which is picky in the way that is meant.

// A daemon lives in real time.
#![allow(clippy::disallowed_methods)]

// Others need more of it.
#[allow(dead_code)]
#[path = "support/pki.rs"]
mod pki;

use std::process::{Command, Output};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use pki::{ALWAYS, Authority, Certified};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
const SECRET: &str = "s3cret+of/the client";

/// One request as a server sees it.
#[derive(Clone, Debug, Default)]
struct Seen {
    /// The name that the client asked for in the handshake.
    sni: Option<String>,
    is_tls12: bool,
    showed_certificate: bool,
    head: String,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(given, _)| given.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap_or_default()
    }
}

/// A server that answers what `answer` says, and keeps what came.
struct Server {
    port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    async fn start(tls: Option<ServerConfig>, answer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
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

    fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.port)
    }

    fn seen(&self) -> Vec<Seen> {
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

fn tls(
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

const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS13, &rustls::version::TLS12];

/// A folder with a configuration of one sink, and what `watchbell` makes of it.
struct Bench(tempfile::TempDir);

impl Bench {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.0.path().join(name), content).unwrap();
    }

    fn configure(&self, url: &str, http_config: &str) {
        let text = format!(
            "notify_by: group\nreceivers:\n  ops:\n    sinks:\n      - kind: alertmanager_webhook\n        \
             allow_private: true\n        url: {url}\n        http_config: {http_config}\nroute: {{ receiver: ops }}\n"
        );
        self.write("watchbell.yaml", &text);
    }

    async fn run(&self, arguments: &[&str]) -> String {
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
    async fn send(&self, url: &str, http_config: &str) -> String {
        self.configure(url, http_config);
        self.run(&["test-sink", "ops/webhook"]).await
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

const DELIVERED: &str = "delivered: answered 200";

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_asked_for_another_name_than_the_address_has() {
    let authority = Authority::new("ours");
    let server = tls(&authority.server(&["inside.example"], ALWAYS), None, BOTH);
    let server = Server::start(Some(server), |request| match request.path() {
        "/moved" => {
            "HTTP/1.1 307 Moved\r\nlocation: /hook\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_owned()
        }
        _ => OK.to_owned(),
    })
    .await;
    let bench = Bench::new();
    bench.write("ca.pem", &authority.pem);
    let url = server.url("https", "/moved");

    let said = bench.send(&url, "{ tls_config: { ca_file: ca.pem, server_name: inside.example } }").await;
    assert!(said.contains(DELIVERED), "{said}");
    let seen = server.seen();
    assert_eq!(seen.iter().map(Seen::path).collect::<Vec<_>>(), ["/moved", "/hook"]);
    for request in &seen {
        assert_eq!(request.sni.as_deref(), Some("inside.example"));
        assert_eq!(request.header("host"), Some(&*format!("127.0.0.1:{}", server.port)), "the address stays the host");
        assert!(request.header("user-agent").unwrap().starts_with("watchbell/") && request.body.contains("alerts"));
    }
    for other in
        ["{ ca_file: ca.pem }", "{ ca_file: ca.pem, server_name: other.example }", "{ server_name: inside.example }"]
    {
        let said = bench.send(&url, &format!("{{ tls_config: {other} }}")).await;
        assert!(said.contains("certificate"), "{other}: {said}");
    }
    let said = bench
        .send(&url, "{ follow_redirects: false, tls_config: { ca_file: ca.pem, server_name: inside.example } }")
        .await;
    assert!(said.contains("answered 307"), "{said}");
    let said = bench.send(&url, "{ tls_config: { insecure_skip_verify: true, server_name: other.example } }").await;
    assert!(said.contains(DELIVERED), "{said}");
    assert_eq!(server.seen().last().unwrap().sni.as_deref(), Some("other.example"));
    assert!(
        bench
            .send(&url, "{ tls_config: { server_name: 'not a name' } }")
            .await
            .contains("tls_config.server_name`: expected the name")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_name_holds_through_a_proxy() {
    let authority = Authority::new("ours");
    let server = tls(&authority.server(&["inside.example"], ALWAYS), None, BOTH);
    let server = Server::start(Some(server), |_| OK.to_owned()).await;
    let (proxy, asked) = proxy(server.port).await;
    let bench = Bench::new();
    bench.write("ca.pem", &authority.pem);
    let http = |more: &str| {
        let proxy =
            format!("proxy_url: 'http://me:s3cret@127.0.0.1:{proxy}', proxy_connect_header: {{ X-Team: [ops] }}");
        format!("{{ {proxy}, {more} tls_config: {{ ca_file: ca.pem, server_name: inside.example }} }}")
    };
    let said = bench.send("https://hook.invalid/hook", &http("")).await;
    assert!(said.contains(DELIVERED), "{said}");
    let head = asked.lock().clone();
    let credentials = STANDARD.encode("me:s3cret");
    assert!(head.starts_with("CONNECT hook.invalid:443 "), "{head}");
    assert!(head.contains(&format!("Basic {credentials}")) && head.to_lowercase().contains("x-team: ops"), "{head}");
    assert_eq!(server.seen()[0].sni.as_deref(), Some("inside.example"));
    // What is to be reached without it is.
    asked.lock().clear();
    let said = bench.send(&server.url("https", "/"), &http("no_proxy: 127.0.0.1,")).await;
    assert!(said.contains(DELIVERED) && asked.lock().is_empty(), "{said}");
}

/// A proxy that connects to one server whatever it is asked for; keeps the last head.
async fn proxy(to: u16) -> (u16, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: Arc<Mutex<String>> = Arc::default();
    let kept = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = Vec::new();
            while !bytes.windows(4).any(|four| four == b"\r\n\r\n") {
                stream.read_buf(&mut bytes).await.unwrap();
            }
            *kept.lock() = text(&bytes);
            stream.write_all(b"HTTP/1.1 200 Connected\r\n\r\n").await.unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut server).await });
        }
    });
    (port, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_and_certificates_are_as_the_file_says() {
    let (authority, clients) = (Authority::new("ours"), Authority::new("clients"));
    let certified = authority.server(&["127.0.0.1"], ALWAYS);
    let client = clients.client(&["watchbell"], "", ALWAYS);
    let old = Server::start(Some(tls(&certified, None, &[&rustls::version::TLS12])), |_| OK.to_owned()).await;
    let both = Server::start(Some(tls(&certified, None, BOTH)), |_| OK.to_owned()).await;
    let strict = Server::start(Some(tls(&certified, Some(&clients), BOTH)), |_| OK.to_owned()).await;
    let bench = Bench::new();
    bench.write("ca.pem", &authority.pem);
    bench.write("client.pem", &client.certificate);
    bench.write("client.key", &client.key);
    let http = |more: &str| format!("{{ tls_config: {{ ca_file: ca.pem{more} }} }}");

    let said = bench.send(&old.url("https", "/"), &http(", min_version: TLS13")).await;
    assert!(said.contains("cannot connect"), "{said}");
    // At least an old one that is not spoken any more: one of the newer ones.
    let said = bench.send(&old.url("https", "/"), &http(", min_version: TLS10")).await;
    assert!(said.contains(DELIVERED) && old.seen()[0].is_tls12, "{said}");
    let said = bench.send(&both.url("https", "/"), &http(", max_version: TLS12")).await;
    assert!(said.contains(DELIVERED) && both.seen()[0].is_tls12, "{said}");
    let said = bench.send(&both.url("https", "/"), &http("")).await;
    assert!(said.contains(DELIVERED) && !both.seen()[1].is_tls12, "{said}");
    let said = bench.send(&both.url("https", "/"), "{ tls_config: { insecure_skip_verify: true } }").await;
    assert!(said.contains(DELIVERED), "{said}");
    assert!(bench.send(&both.url("https", "/"), "{}").await.contains("certificate"));

    assert!(!bench.send(&strict.url("https", "/"), &http("")).await.contains(DELIVERED));
    let said = bench.send(&strict.url("https", "/"), &http(", cert_file: client.pem, key_file: client.key")).await;
    assert!(said.contains(DELIVERED) && strict.seen()[0].showed_certificate, "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_used_is_found_before_anything_is_sent() {
    let (authority, other) = (Authority::new("ours"), Authority::new("other"));
    let [client, stranger] = [&authority, &other].map(|authority| authority.client(&["watchbell"], "", ALWAYS));
    let bench = Bench::new();
    bench.write("ca.pem", &authority.pem);
    bench.write("client.pem", &client.certificate);
    bench.write("other.key", &stranger.key);
    bench.write("no.pem", "-----BEGIN CERTIFICATE-----\ns3cret\n");
    let cases = [
        ("{ tls_config: { ca_file: no.pem } }", "tls_config.ca`: expected certificates in PEM"),
        (
            "{ tls_config: { cert_file: client.pem, key_file: other.key } }",
            "tls_config.key`: does not belong to the certificate",
        ),
        ("{ tls_config: { cert_file: client.pem, key_file: no.pem } }", "tls_config.key`: expected a private key"),
        (
            "{ tls_config: { min_version: TLS13, max_version: TLS12 } }",
            "tls_config.max_version`: expected it not to be below",
        ),
        ("{ tls_config: { max_version: TLS11 } }", "tls_config.max_version`: expected `TLS12` or `TLS13`"),
        (
            "{ oauth2: { client_id: a, token_url: 'https://a.example', tls_config: { ca_file: no.pem } } }",
            "oauth2.tls_config.ca`: expected",
        ),
        ("{ oauth2: { client_id: a, token_url: 'a.example' } }", "oauth2.token_url`: expected an address"),
        ("{ oauth2: { token_url: 'https://a.example' } }", "oauth2.client_id`: expected"),
        (
            "{ oauth2: { client_id: a, token_url: 'https://a.example' }, basic_auth: { username: a } }",
            "expected one of",
        ),
    ];
    for (http_config, expected) in cases {
        bench.configure("https://hook.example", http_config);
        let said = bench.run(&["check"]).await;
        assert!(
            said.starts_with('2') && said.contains(expected) && said.contains("watchbell.yaml:8"),
            "{http_config}: {said}"
        );
    }
    let public = "notify_by: group\nreceivers: { ops: { sinks: [{ kind: alertmanager_webhook, url: 'https://a.example',\n  \
                  http_config: { proxy_url: 'http://127.0.0.1:1' } }] } }\nroute: { receiver: ops }\n";
    bench.write("watchbell.yaml", public);
    let said = bench.run(&["check"]).await;
    assert!(said.contains("http_config.proxy_url`") && said.contains("allow_private"), "{said}");
    let mail = "receivers: { ops: { sinks: [{ kind: email, host: mail.example, from: a@b.example, to: [c@d.example],\n  \
                ca_pem_file: no.pem }] } }\nroute: { receiver: ops }\n";
    bench.write("watchbell.yaml", mail);
    let said = bench.run(&["check"]).await;
    assert!(said.contains("ca_pem`: expected certificates in PEM") && said.contains("watchbell.yaml:2"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_with_a_bad_certificate_is_refused_and_one_with_a_good_one_counts() {
    let [first, second] = ["first", "second"].map(Authority::new);
    let server = tls(&second.server(&["127.0.0.1"], ALWAYS), None, BOTH);
    let server = Server::start(Some(server), |_| OK.to_owned()).await;
    let bench = Bench::new();
    bench.write("ca.pem", &first.pem);
    let path = bench.0.path().to_owned();
    let text = format!(
        "route: {{ receiver: ops, group_wait: 0s }}\nreceivers:\n  - name: ops\n    webhook_configs:\n      - url: {}\n        \
         http_config: {{ tls_config: {{ ca_file: ca.pem }} }}\n",
        server.url("https", "/hook")
    );
    bench.write("alertmanager.yml", &text);
    let load = move || {
        let mut configuration = watchbell::config::alertmanager::load(&path.join("alertmanager.yml"))?.configuration;
        configuration.listen = "127.0.0.1:0".parse().unwrap();
        configuration.store = watchbell::config::StoreSettings::Sqlite { path: path.join("watchbell.db") };
        Ok(configuration)
    };
    let daemon = watchbell::app::Daemon::start(load().unwrap(), Box::new(load)).await.unwrap();
    bench.write("ca.pem", "nothing\n");
    let refused = daemon.reload().await.unwrap_err();
    assert!(
        refused.contains("receivers[0].webhook_configs[0].http_config.tls_config.ca`: expected certificates"),
        "{refused}"
    );
    bench.write("ca.pem", &second.pem);
    daemon.reload().await.unwrap();
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let alerts =
        client.post(format!("http://{}/api/v2/alerts", daemon.address)).header("content-type", "application/json");
    let answer = alerts.body(r#"[{"labels":{"alertname":"Disk"}}]"#).send().await.unwrap();
    assert!(answer.status().is_success(), "{answer:?}");
    for _ in 0..300 {
        if !server.seen().is_empty() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(server.seen()[0].body.contains("Disk"));
    daemon.stop().await;
}

/// Says what a token server says, as JSON.
fn json(status: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn fields(form: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(form.as_bytes()).into_owned().collect()
}

/// The header of a client that shows its secret as RFC 6749 wants it: each part encoded first.
fn client_header() -> String {
    let encoded: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
    format!("Basic {}", STANDARD.encode(format!("bell%3A1:{encoded}")))
}

/// A receiver that knows one token only.
async fn hook(token: &'static str) -> Server {
    Server::start(None, move |request| match request.header("authorization") == Some(token) {
        true => OK.to_owned(),
        false => json("401 Unauthorized", "{}"),
    })
    .await
}

fn oauth2(server: &Server, more: &str) -> String {
    let url = server.url("http", "/token");
    format!("{{ oauth2: {{ client_id: 'bell:1', client_secret_file: secret, token_url: '{url}'{more} }} }}")
}

fn bench_with_secret() -> Bench {
    let bench = Bench::new();
    bench.write("secret", SECRET);
    bench
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_fetched_by_the_grant_of_client_credentials() {
    let tokens = Server::start(None, |request| {
        let mut given = fields(&request.body);
        given.sort();
        let expected = [("audience", "hooks"), ("grant_type", "client_credentials"), ("scope", "read write")];
        let is_meant = given.iter().map(|(name, value)| (&**name, &**value)).eq(expected);
        match is_meant && request.header("authorization") == Some(&*client_header()) {
            true => json("200 OK", r#"{"access_token":"tok-1","token_type":"bearer","expires_in":3600}"#),
            false => json("400 Bad Request", r#"{"error":"invalid_request"}"#),
        }
    })
    .await;
    let hook = hook("Bearer tok-1").await;
    let bench = bench_with_secret();
    let http = oauth2(&tokens, ", scopes: [read, write], endpoint_params: { audience: hooks }");
    let said = bench.send(&hook.url("http", "/hook"), &http).await;
    assert!(said.contains(DELIVERED), "{said}\n{:?}", tokens.seen());
    assert_eq!((tokens.seen().len(), hook.seen().len()), (1, 1));
    assert!(tokens.seen()[0].head.starts_with("POST /token "));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_wants_the_secret_in_the_body_gets_it_there() {
    let tokens = Server::start(None, |request| {
        let given = fields(&request.body);
        let has = |name: &str, value: &str| given.iter().any(|(n, v)| n == name && v == value);
        match request.header("authorization").is_none() && has("client_id", "bell:1") && has("client_secret", SECRET) {
            true => {
                let body = "access_token=tok-2&expires_in=60";
                let kind = "application/x-www-form-urlencoded";
                let length = body.len();
                format!("HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
            }
            false => json("401 Unauthorized", r#"{"error":"invalid_client"}"#),
        }
    })
    .await;
    let hook = hook("Bearer tok-2").await;
    let said = bench_with_secret().send(&hook.url("http", "/hook"), &oauth2(&tokens, "")).await;
    assert!(said.contains(DELIVERED), "{said}");
    assert_eq!(tokens.seen().len(), 2, "in the header first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_refused_is_fetched_anew_once() {
    let count = AtomicUsize::new(0);
    let tokens = Server::start(None, move |_| {
        let number = count.fetch_add(1, Ordering::Relaxed) + 1;
        json("200 OK", &format!(r#"{{"access_token":"tok-{number}"}}"#))
    })
    .await;
    let second = hook("Bearer tok-2").await;
    let bench = bench_with_secret();
    let said = bench.send(&second.url("http", "/hook"), &oauth2(&tokens, "")).await;
    assert!(said.contains(DELIVERED), "{said}");
    assert_eq!((tokens.seen().len(), second.seen().len()), (2, 2));
    let bodies: Vec<String> = second.seen().into_iter().map(|request| request.body).collect();
    assert_eq!(bodies[0], bodies[1], "the same request once more");

    let never = hook("Bearer none").await;
    let said = bench.send(&never.url("http", "/hook"), &oauth2(&tokens, "")).await;
    assert!(said.contains("answered 401") && said.contains("no repetition can help"), "{said}");
    assert_eq!(never.seen().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_of_a_token_that_is_not_to_be_had() {
    let hook = hook("Bearer any").await;
    let bench = bench_with_secret();
    let quote = format!(r#"{{"error":"invalid_client","error_description":"{SECRET}"}}"#);
    let odd = format!(r#"{{"error":"{SECRET}"}}"#);
    let cases = [
        ("401 Unauthorized", &*quote, "the token server answered 401: invalid_client", false),
        ("200 OK", &*quote, "the token server answered 200: invalid_client", false),
        ("400 Bad Request", &*odd, "the token server answered 400: an error of its own", false),
        ("200 OK", "{}", "without an `access_token`", false),
        ("200 OK", "s3cret", "without an `access_token`", false),
        ("503 Unavailable", "", "the token server answered 503", true),
        ("429 Too Many", "", "the token server answered 429", true),
    ];
    for (status, body, expected, is_tried_again) in cases {
        let answer = json(status, body);
        let tokens = Server::start(None, move |_| answer.clone()).await;
        let said = bench.send(&hook.url("http", "/hook"), &oauth2(&tokens, "")).await;
        assert!(said.contains(expected), "{status}: {said}");
        assert_eq!(said.contains("the daemon would try again"), is_tried_again, "{status}: {said}");
    }
    let http = "{ oauth2: { client_id: a, token_url: 'http://127.0.0.1:1/token' } }";
    let said = bench.send(&hook.url("http", "/hook"), http).await;
    assert!(said.contains("no token: cannot connect") && said.contains("would try again"), "{said}");
    assert!(hook.seen().is_empty(), "nothing goes out without a token");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_server_has_a_tls_of_its_own() {
    let authority = Authority::new("ours");
    let server = tls(&authority.server(&["tokens.example"], ALWAYS), None, BOTH);
    let tokens = Server::start(Some(server), |_| json("200 OK", r#"{"access_token":"tok-1"}"#)).await;
    let hook = hook("Bearer tok-1").await;
    let bench = bench_with_secret();
    bench.write("ca.pem", &authority.pem);
    let url = tokens.url("https", "/token");
    let http = format!(
        "{{ oauth2: {{ client_id: a, client_secret_file: secret, token_url: '{url}', \
         tls_config: {{ ca_file: ca.pem, server_name: tokens.example }} }} }}"
    );
    let said = bench.send(&hook.url("http", "/hook"), &http).await;
    assert!(said.contains(DELIVERED), "{said}");
    assert_eq!(tokens.seen()[0].sni.as_deref(), Some("tokens.example"));
}
