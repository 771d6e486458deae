//! TLS from outside: clients with the right certificate, with none and with wrong ones, a certificate
//! that is renewed under way, and the command line against a daemon with a private authority.

// A daemon lives in real time.
#![allow(clippy::disallowed_methods)]

#[path = "support/pki.rs"]
mod pki;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pki::{ALWAYS, Authority, Certified, LONG_AGO};
use reqwest::{Certificate, Identity};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use watchbell::app::{Daemon, environment};

const TOKEN: &str = "tok-admin-1";
/// More than enough for the daemon to look at its files again.
const NOTICED_WITHIN: Duration = Duration::from_secs(60);

/// A folder with a configuration and certificates, and a daemon that runs with them.
struct Bell {
    folder: tempfile::TempDir,
    daemon: Option<Daemon>,
}

impl Bell {
    async fn start(server: &Certified, files: &[(&str, &str)], sources: &str) -> Self {
        let mut bell = Self { folder: tempfile::tempdir().unwrap(), daemon: None };
        bell.certify(server);
        for (name, content) in files {
            bell.write(name, content);
        }
        bell.configure(sources);
        let file = bell.path("watchbell.yaml");
        let configuration = watchbell::config::load(std::slice::from_ref(&file), environment())
            .unwrap_or_else(|problems| panic!("{problems:?}"));
        bell.daemon = Some(Daemon::start(configuration, watchbell::app::files(vec![file])).await.unwrap());
        bell
    }

    fn configure(&self, sources: &str) {
        let text = format!(
            "listen: 127.0.0.1:0\nstore: {{ sqlite: {{ path: watchbell.db }} }}\n\
             tls: {{ certificate_file: tls.crt, key_file: tls.key }}\n\
             api: {{ tokens: [{{ name: ada, role: admin, token: {TOKEN} }}] }}\nsources:\n{sources}"
        );
        self.write("watchbell.yaml", &text);
    }

    fn certify(&self, server: &Certified) {
        self.write("tls.crt", &server.certificate);
        self.write("tls.key", &server.key);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.path(name), content).unwrap();
    }

    fn address(&self) -> std::net::SocketAddr {
        self.daemon.as_ref().unwrap().address
    }

    fn url(&self, path: &str) -> String {
        format!("https://{}{path}", self.address())
    }

    async fn reload(&self, client: &reqwest::Client) -> Reply {
        let request = client.post(self.url("/-/reload")).bearer_auth(TOKEN);
        Reply::of(request.send().await.unwrap()).await
    }

    async fn stop(mut self) {
        self.daemon.take().unwrap().stop().await;
    }
}

#[derive(Debug)]
struct Reply {
    status: u16,
    closes: bool,
    detail: String,
}

impl Reply {
    async fn of(answer: reqwest::Response) -> Self {
        let status = answer.status().as_u16();
        let closes = answer.headers().get("connection").is_some_and(|value| value == "close");
        let text = answer.text().await.unwrap();
        let problem: Value = serde_json::from_str(&text).unwrap_or_default();
        Self { status, closes, detail: problem["detail"].as_str().unwrap_or(&text).trim().to_owned() }
    }
}

fn server(authority: &Authority) -> Certified {
    authority.server(&["127.0.0.1", "localhost"], ALWAYS)
}

/// Trusts that authority only, and shows that certificate.
fn client(authority: &Authority, shown: Option<&Certified>) -> reqwest::Client {
    watchbell::runtime::deliver::install_tls();
    let root = Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(30)).tls_certs_only([root]);
    let builder = match shown {
        None => builder,
        Some(shown) => {
            builder.identity(Identity::from_pem(format!("{}{}", shown.certificate, shown.key).as_bytes()).unwrap())
        }
    };
    builder.build().unwrap()
}

/// One connection of its own, which is there until it is dropped.
async fn secure(bell: &Bell, authority: &Authority) -> TlsStream<TcpStream> {
    watchbell::runtime::deliver::install_tls();
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(bell.address()).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

async fn is_healthy(stream: &mut TlsStream<TcpStream>) -> bool {
    stream.write_all(b"GET /-/healthy HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 1_024];
    while !answer.ends_with(b"healthy\n") {
        match stream.read(&mut piece).await.unwrap() {
            0 => return false,
            count => answer.extend_from_slice(&piece[..count]),
        }
    }
    true
}

fn event(item: &str) -> Value {
    json!({ "status": "firing", "name": "Disk full", "configuration_item": item, "severity": "critical" })
}

async fn post(bell: &Bell, client: &reqwest::Client, source: &str, token: Option<&str>) -> Reply {
    let mut request = client.post(bell.url(&format!("/in/generic/{source}")));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let request = request.header("content-type", "application/json").body(event("db-1").to_string());
    Reply::of(request.send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_source_lets_in_its_own_clients() {
    let [ca, clients, foreign] = ["ca", "clients", "foreign"].map(Authority::new);
    let right = clients.client(&["zabbix.example.org"], "", ALWAYS);
    let pinned = foreign.client(&["somebody"], "", ALWAYS);
    let print: String = Sha256::digest(&pinned.der).iter().map(|byte| format!("{byte:02X}")).collect();
    let sources = format!(
        "  named: {{ kind: generic, client_certificate: {{ ca_pem_file: clients.crt, names: [zabbix.example.org] }} }}
  any: {{ kind: generic, client_certificate: {{ ca_pem_file: clients.crt }} }}
  both: {{ kind: generic, token: tok-source-1, client_certificate: {{ ca_pem_file: clients.crt }} }}
  pinned: {{ kind: generic, client_certificate: {{ sha256: ['{print}'] }} }}
  open: {{ kind: generic, token: tok-source-1 }}
"
    );
    let bell = Bell::start(&server(&ca), &[("clients.crt", &clients.pem)], &sources).await;
    let other_name = clients.client(&["nagios.example.org"], "zabbix.example.org", ALWAYS);
    let expired = clients.client(&["zabbix.example.org"], "", LONG_AGO);
    let wrong_ca = foreign.client(&["zabbix.example.org"], "", ALWAYS);
    let mut said = String::new();
    for (who, shown) in [
        ("right", Some(&right)),
        ("none", None),
        ("wrong authority", Some(&wrong_ca)),
        ("expired", Some(&expired)),
        ("other name", Some(&other_name)),
        ("pinned", Some(&pinned)),
    ] {
        let client = client(&ca, shown);
        let statuses = ["named", "any", "both", "pinned", "open"].map(|source| (source, None));
        let mut line = Vec::new();
        for (source, token) in
            statuses.into_iter().chain([("both", Some("tok-source-1")), ("open", Some("tok-source-1"))])
        {
            let reply = post(&bell, &client, source, token).await;
            line.push(reply.status.to_string());
        }
        let named = post(&bell, &client, "named", None).await;
        assert_eq!(named.closes, named.status != 200, "{named:?}");
        let words = named.detail.split(", SHA-256").next().unwrap_or_default().to_owned();
        said.push_str(&format!("{who}: {}: {words}\n", line.join(" ")));
        // Whatever it is, it is no concern of those who ask for nothing.
        let health = client.get(bell.url("/-/healthy")).send().await.unwrap();
        assert_eq!(health.status(), 200, "{who}");
    }
    insta::assert_snapshot!(said, @r#"
    right: 200 200 401 403 401 200 200: {"accepted":1}
    none: 401 401 401 401 401 401 200: this source wants a client certificate, and the connection came without one
    wrong authority: 401 401 401 403 401 401 200: the client certificate is not issued by an authority that this source trusts
    expired: 401 401 401 401 401 401 200: the client certificate has expired
    other name: 403 200 401 403 401 200 200: the client certificate is valid, but this source lets in others only; it is for `nagios.example.org`
    pinned: 401 401 401 200 401 401 200: the client certificate is not issued by an authority that this source trusts
    "#);
    bell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_is_refused_before_the_body_is_read() {
    let [ca, clients] = ["ca", "clients"].map(Authority::new);
    let sources = "  named: { kind: generic, client_certificate: { ca_pem_file: clients.crt } }\n";
    let bell = Bell::start(&server(&ca), &[("clients.crt", &clients.pem)], sources).await;
    let mut stream = secure(&bell, &ca).await;
    let head = "POST /in/generic HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 4_096];
    // No byte of the body has been sent, and none will be.
    let count = stream.read(&mut answer).await.unwrap();
    let answer = String::from_utf8_lossy(&answer[..count]).to_lowercase();
    assert!(answer.starts_with("http/1.1 401") && answer.contains("www-authenticate: clientcertificate"), "{answer}");
    bell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_brings_a_new_certificate_and_a_bad_one_changes_nothing() {
    let [first, second] = ["first", "second"].map(Authority::new);
    let bell = Bell::start(&server(&first), &[], "  open: { kind: generic, token: tok-source-1 }\n").await;
    let mut old = secure(&bell, &first).await;
    assert!(is_healthy(&mut old).await);

    bell.write("tls.key", &server(&first).key);
    let refused = bell.reload(&client(&first, None)).await;
    assert_eq!(refused.status, 422, "{refused:?}");
    assert!(refused.detail.contains("does not belong to the first certificate"), "{refused:?}");
    assert!(!refused.detail.contains("PRIVATE KEY"), "{refused:?}");
    assert_eq!(post(&bell, &client(&first, None), "open", Some("tok-source-1")).await.status, 200);

    bell.certify(&server(&second));
    let done = bell.reload(&client(&first, None)).await;
    assert_eq!((done.status, done.detail.as_str()), (200, "a new configuration is in force"));
    assert!(is_healthy(&mut old).await, "what is connected goes on");
    assert!(client(&first, None).get(bell.url("/-/healthy")).send().await.is_err());
    assert_eq!(post(&bell, &client(&second, None), "open", Some("tok-source-1")).await.status, 200);
    bell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewed_certificate_is_noticed_without_being_told() {
    let [first, second] = ["first", "second"].map(Authority::new);
    let bell = Bell::start(&server(&first), &[], "  open: { kind: generic, token: tok-source-1 }\n").await;
    let metric = async |authority: &Authority| {
        let answer = client(authority, None).get(bell.url("/metrics")).send().await.ok()?;
        let text = answer.text().await.ok()?;
        let line =
            text.lines().find(|line| line.starts_with("watchbell_tls_certificate_expires_timestamp_seconds "))?;
        line.split(' ').nth(1)?.parse::<i64>().ok()
    };
    let before = metric(&first).await.unwrap();
    bell.certify(&second.server(&["127.0.0.1"], pki::days(-10, 19_000)));
    let end = Instant::now() + NOTICED_WITHIN;
    let after = loop {
        if let Some(after) = metric(&second).await {
            break after;
        }
        assert!(Instant::now() < end, "the new certificate was not noticed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(before - after, 1_000 * 86_400);
    bell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_that_wants_a_certificate_from_now_on_gets_it_with_the_next_connection() {
    let [ca, clients] = ["ca", "clients"].map(Authority::new);
    let before = "  a: { kind: generic, token: tok-source-1 }\n";
    let bell = Bell::start(&server(&ca), &[("clients.crt", &clients.pem)], before).await;
    let shown = clients.client(&["zabbix.example.org"], "", ALWAYS);
    let client = client(&ca, Some(&shown));
    assert_eq!(post(&bell, &client, "a", Some("tok-source-1")).await.status, 200);
    bell.configure("  a: { kind: generic, client_certificate: { ca_pem_file: clients.crt } }\n");
    assert_eq!(bell.reload(&client).await.status, 200);
    // The client may have opened more than one connection before the reload; each refusal ends one.
    let mut refusals = 0;
    loop {
        let reply = post(&bell, &client, "a", None).await;
        if reply.status == 200 {
            break;
        }
        assert_eq!((reply.status, reply.closes), (401, true), "{reply:?}");
        refusals += 1;
        assert!(refusals < 10, "a new connection brings the certificate");
    }
    assert!(refusals > 0, "the old connection came without one");
    bell.stop().await;
}

/// What one call of the command line printed.
async fn watchbell(arguments: &[&str], environment: &[(&str, &Path)]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
    command.env_clear().envs(environment.iter().copied()).args(arguments).stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("exit code {}\n{}{}", output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_speak_to_a_daemon_with_a_private_authority() {
    let [ca, foreign] = ["ca", "foreign"].map(Authority::new);
    let files = [("ca.crt", ca.pem.as_str()), ("foreign.crt", &foreign.pem), ("token", TOKEN), ("none.crt", "on fire")];
    let bell = Bell::start(&server(&ca), &files, "  a: { kind: generic, token: tok-source-1 }\n").await;
    let (url, token) = (bell.url(""), bell.path("token"));
    let call = async |server: &str, more: &[&str], environment: &[(&str, &Path)]| {
        let mut arguments = vec!["incidents", "--json", "--server", server, "--token-file", token.to_str().unwrap()];
        arguments.extend(more);
        let said = watchbell(&arguments, environment).await;
        said.replace(&bell.address().to_string(), "<address>").replace(bell.folder.path().to_str().unwrap(), "<folder>")
    };
    let path = |name: &str| bell.path(name).to_str().unwrap().to_owned();
    let (ca_file, foreign_file, none) = (path("ca.crt"), path("foreign.crt"), path("none.crt"));
    let trusted = call(&url, &["--ca-file", &ca_file], &[]).await;
    assert!(trusted.starts_with("exit code 0\n") && trusted.contains("\"items\""), "{trusted}");
    let by_variable = call(&url, &[], &[("WATCHBELL_CA_FILE", &bell.path("ca.crt"))]).await;
    assert_eq!(by_variable, trusted);
    let said = [
        call(&url, &["--ca-file", &foreign_file], &[]).await,
        call(&url, &["--ca-file", &none], &[]).await,
        call(&url.replace("https", "http"), &[], &[]).await,
    ];
    insta::assert_snapshot!(said.join("---\n"), @"
    exit code 1
    error: cannot reach the daemon at `https://<address>`
      cause: its certificate is not from an authority that is trusted here; `--ca-file` or the variable WATCHBELL_CA_FILE names others

    hint: `watchbell run` starts one; `--server` or the variable WATCHBELL_SERVER names another address
    ---
    exit code 2
    error: `--ca-file`: `<folder>/none.crt` cannot be used
      cause: it holds no certificate in PEM
    ---
    exit code 1
    error: this port speaks TLS: the address begins with `https://`
    ");
    bell.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn send_shows_its_certificate_and_keeps_what_the_wrong_one_cannot_deliver() {
    let [ca, clients] = ["ca", "clients"].map(Authority::new);
    let [shown, other] = ["shown", "other"].map(|name| clients.client(&[name], "", ALWAYS));
    let files = [
        ("ca.crt", ca.pem.as_str()),
        ("clients.crt", &clients.pem),
        ("client.crt", &shown.certificate),
        ("client.key", &shown.key),
        ("other.key", &other.key),
        ("events.jsonl", &format!("{}\n", event("db-1"))),
    ];
    let sources = "  generic: { kind: generic, client_certificate: { ca_pem_file: clients.crt, names: [shown] } }\n";
    let bell = Bell::start(&server(&ca), &files, sources).await;
    let path = |name: &str| bell.path(name).to_str().unwrap().to_owned();
    let (url, spool, events) = (bell.url("/in/generic"), path("spool"), path("events.jsonl"));
    let send = async |url: &str, more: &[&str]| {
        let mut arguments = vec!["send", "generic", "--url", url, "--spool", &spool];
        arguments.extend(more);
        arguments.push(&events);
        let said = watchbell(&arguments, &[]).await;
        said.replace(&bell.address().to_string(), "<address>").replace(bell.folder.path().to_str().unwrap(), "<folder>")
    };
    let (ca_file, certificate, key, other) =
        (path("ca.crt"), path("client.crt"), path("client.key"), path("other.key"));
    let trusting = ["--ca-file", &ca_file];
    let showing = [&trusting[..], &["--certificate-file", &certificate, "--key-file", &key]].concat();
    let mismatched = [&trusting[..], &["--certificate-file", &certificate, "--key-file", &other]].concat();
    let said = [
        send(&url.replace("https", "http"), &[]).await,
        send(&url, &mismatched).await,
        send(&url, &showing).await,
        send(&url, &showing).await,
    ];
    insta::assert_snapshot!(said.join("---\n"), @"
    exit code 0
    note: the daemon has not taken everything: it answered 426; 1 waits in `<folder>/spool`
    ---
    exit code 2
    warning: nothing was sent; kept in `<folder>/spool` until this is put right
    error: the client certificate cannot be used
      cause: the key in `<folder>/other.key` does not belong to the first certificate in `<folder>/client.crt`

    hint: the certificate that belongs to the key comes first in its file, those of its authorities after it
    ---
    exit code 0
    note: sent 2 that had waited
    ---
    exit code 0
    ");
    let refused = send(&url, &trusting).await;
    assert!(refused.starts_with("exit code 1\n") && refused.contains("wants a client certificate"), "{refused}");
    bell.stop().await;
}
