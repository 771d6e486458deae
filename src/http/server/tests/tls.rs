//! TLS on real connections: what a handshake leads to, what is no handshake, and what a new certificate
//! changes.

use super::*;
use crate::tls::pki::{ALWAYS, Authority, Certified, LONG_AGO};
use crate::tls::{ClientRule, Clients, IdentityFiles, Listener, Offer, Versions};
use axum::Extension;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

const NAME: &str = "bell.example.org";

/// An authority, a listener with a certificate of it, and the folder with that.
struct Scene {
    authority: Authority,
    folder: tempfile::TempDir,
    listener: Listener,
}

impl Scene {
    fn new(clients: Clients) -> Self {
        let (authority, folder) = (Authority::new("ca"), tempfile::tempdir().unwrap());
        write(&folder, &authority.server(&[NAME], ALWAYS));
        let files = IdentityFiles { certificate: folder.path().join("tls.crt"), key: folder.path().join("tls.key") };
        let listener = Listener::new(Some(Offer::load(files, clients, Versions::Both).unwrap()));
        Self { authority, folder, listener }
    }

    async fn start(&self, limits: Limits) -> Running {
        start_with(self.listener.configuration(), app(), limits).await
    }

    /// A client that trusts the authority.
    fn client(&self, certified: Option<&Certified>) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(rustls::pki_types::CertificateDer::from_pem_slice(self.authority.pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        match certified {
            None => builder.with_no_client_auth(),
            Some(certified) => {
                let key = PrivateKeyDer::from_pem_slice(certified.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![certified.der.clone()], key).unwrap()
            }
        }
    }
}

fn write(folder: &tempfile::TempDir, server: &Certified) {
    std::fs::write(folder.path().join("tls.crt"), &server.certificate).unwrap();
    std::fs::write(folder.path().join("tls.key"), &server.key).unwrap();
}

/// `/` says hello, `/who` how many certificates the client showed.
fn app() -> Router {
    let who = |chain: Option<Extension<ClientChain>>| async move {
        chain.map_or_else(|| "nobody".to_owned(), |Extension(chain)| format!("{} shown", chain.0.len()))
    };
    hello().route("/who", get(who))
}

async fn secure(running: &Running, client: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let name = ServerName::try_from(NAME).unwrap();
    TlsConnector::from(Arc::new(client)).connect(name, connect(running).await).await
}

const WHO: &str = "GET /who HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[tokio::test]
async fn requests_are_answered_over_tls_in_http_1_only() {
    let scene = Scene::new(Clients::NotAsked);
    let running = scene.start(patient()).await;
    let mut client = scene.client(None);
    client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let mut stream = secure(&running, client.clone()).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(stream.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    for _ in 0..2 {
        assert!(ask(&mut stream, GET).await.ends_with("hello"));
    }
    assert!(ask(&mut stream, WHO).await.ends_with("nobody"));
    client.alpn_protocols = vec![b"h2".to_vec()];
    let refused = secure(&running, client).await.unwrap_err().to_string();
    assert!(refused.contains("NoApplicationProtocol"), "{refused}");
}

#[tokio::test]
async fn tls_1_2_is_the_oldest_that_is_spoken() {
    let scene = Scene::new(Clients::NotAsked);
    let running = scene.start(patient()).await;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS12])
        .unwrap()
        .with_root_certificates(RootCertStore::empty())
        .with_no_client_auth();
    // It gets as far as the certificate, which this client trusts nobody to sign.
    let refused = secure(&running, client).await.unwrap_err().to_string();
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    // The hello of TLS 1.1, with one cipher suite of its time and one kind of signature.
    let hello = [
        &[22, 3, 1, 0, 55, 1, 0, 0, 51, 3, 2][..],
        &[7; 32],
        &[0, 0, 2, 0, 47, 1, 0],
        &[0, 8, 0, 13, 0, 4, 0, 2, 4, 3],
    ]
    .concat();
    let mut old = connect(&running).await;
    old.write_all(&hello).await.unwrap();
    let mut answer = Vec::new();
    old.read_to_end(&mut answer).await.unwrap();
    // A fatal alert: protocol_version.
    assert_eq!(answer[0..1].iter().chain(&answer[5..]).copied().collect::<Vec<u8>>(), [21, 2, 70]);
}

#[tokio::test]
async fn clients_are_asked_for_a_certificate_and_may_have_none_or_any() {
    let scene = Scene::new(Clients::Asked(Vec::new()));
    let running = scene.start(patient()).await;
    let mut stream = secure(&running, scene.client(None)).await.unwrap();
    assert!(ask(&mut stream, WHO).await.ends_with("nobody"));
    // Whom that certificate opens which source is not for the handshake.
    for client in [
        scene.authority.client(&["zabbix"], "", ALWAYS),
        scene.authority.client(&["zabbix"], "", LONG_AGO),
        Authority::new("another").client(&["zabbix"], "", ALWAYS),
    ] {
        let mut stream = secure(&running, scene.client(Some(&client))).await.unwrap();
        assert!(ask(&mut stream, WHO).await.ends_with("1 shown"));
    }
}

#[tokio::test]
async fn a_certificate_without_its_key_is_no_proof() {
    let scene = Scene::new(Clients::Asked(Vec::new()));
    let running = scene.start(patient()).await;
    let [known, own] = ["known", "own"].map(|name| scene.authority.client(&[name], "", ALWAYS));
    // The certificate of one, the key of the other; the client's library would refuse to hold them together.
    let key = PrivateKeyDer::from_pem_slice(own.key.as_bytes()).unwrap();
    let key = rustls::crypto::ring::sign::any_supported_type(&key).unwrap();
    let stolen = rustls::sign::CertifiedKey::new(vec![known.der.clone()], key);
    let mut client = scene.client(None);
    client.client_auth_cert_resolver = Arc::new(rustls::sign::SingleCertAndKey::from(stolen));
    // With TLS 1.3 the client is done before the server has judged it; what it asks is not answered.
    if let Ok(mut stream) = secure(&running, client).await {
        let _ = stream.write_all(WHO.as_bytes()).await;
        let mut answer = Vec::new();
        let read = stream.read_to_end(&mut answer).await;
        assert!(read.is_err() && answer.is_empty(), "{read:?} {}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections_and_old_ones_go_on() {
    let scene = Scene::new(Clients::NotAsked);
    let running = scene.start(patient()).await;
    let shown = |stream: &TlsStream<TcpStream>| stream.get_ref().1.peer_certificates().unwrap()[0].clone();
    let mut old = secure(&running, scene.client(None)).await.unwrap();
    let next = scene.authority.server(&[NAME], ALWAYS);
    write(&scene.folder, &next);
    assert!(scene.listener.renew().unwrap().is_some());
    assert!(ask(&mut old, GET).await.ends_with("hello"), "the old connection goes on");
    let mut new = secure(&running, scene.client(None)).await.unwrap();
    assert_eq!(shown(&new), next.der);
    assert_ne!(shown(&old), next.der);
    assert!(ask(&mut new, GET).await.ends_with("hello"));
    assert!(ask(&mut old, GET).await.ends_with("hello"));
}

#[tokio::test]
async fn plain_http_on_the_tls_port_is_told_so() {
    let scene = Scene::new(Clients::NotAsked);
    let running = scene.start(patient()).await;
    let mut stream = connect(&running).await;
    let body = "x".repeat(100_000);
    let request =
        format!("POST /in/generic HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 426 ") && head.contains("connection: upgrade, close"), "{head}");
    let problem: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(problem["detail"], "this port speaks TLS: the address begins with `https://`");
}

#[tokio::test]
async fn garbage_ends_its_own_connection_only() {
    let scene = Scene::new(Clients::NotAsked);
    let running = scene.start(patient()).await;
    let mut well = secure(&running, scene.client(None)).await.unwrap();
    let long = vec![0x16; 70_000];
    for garbage in
        [&b"\x00\x01\x02\x03\x04\x05\x06\x07"[..], b"\x16\x03\x01\xff\xff\x01", b"\x80\x2e\x01\x03\x01", &long]
    {
        let mut stream = connect(&running).await;
        let _ = stream.write_all(garbage).await;
        let _ = stream.shutdown().await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(!answer.windows(4).any(|part| part == b"HTTP"), "{answer:?}");
    }
    assert!(ask(&mut well, GET).await.ends_with("hello"));
}

#[tokio::test]
async fn a_handshake_that_stalls_ends_with_the_time_for_headers_and_gives_its_place_back() {
    let scene = Scene::new(Clients::NotAsked);
    let limits = Limits { connections_max: 1, header_timeout: Span::from_millis(50), ..patient() };
    let running = scene.start(limits).await;
    // Silent, with a part of a hello, and with a part of what a method could be.
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01", b"\x16"] {
        let mut stalled = connect(&running).await;
        stalled.write_all(begun).await.unwrap();
        let mut answer = Vec::new();
        // A reset is an end as well.
        let _ = stalled.read_to_end(&mut answer).await;
        assert!(answer.is_empty(), "{answer:?}");
    }
    // The one place is free again, which the next handshake needs.
    let patient_again = Limits { connections_max: 1, ..patient() };
    drop(running);
    let running = scene.start(patient_again).await;
    let mut stream = secure(&running, scene.client(None)).await.unwrap();
    assert!(ask(&mut stream, GET).await.ends_with("hello"));
}

#[tokio::test]
async fn stopping_does_not_wait_for_handshakes() {
    let scene = Scene::new(Clients::NotAsked);
    let running = scene.start(patient()).await;
    let mut stalled = connect(&running).await;
    stalled.write_all(b"\x16\x03\x01").await.unwrap();
    let mut idle = secure(&running, scene.client(None)).await.unwrap();
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
    let told = Instant::now();
    running.stop.send(()).unwrap();
    running.served.await.unwrap();
    assert!(told.elapsed() < DRAIN_TIMEOUT);
    // Ended in order: a cut would be an error.
    assert_eq!(idle.read(&mut [0; 16]).await.unwrap(), 0);
    let _ = stalled.read_to_end(&mut Vec::new()).await;
}

#[tokio::test]
async fn a_source_asks_for_the_authorities_that_it_trusts() {
    let [ours, another] = ["ours", "another"].map(Authority::new);
    let rule = ClientRule::new(Some(&ours.pem), &[], Vec::new()).unwrap();
    let scene = Scene::new(Clients::of([&rule].into_iter()));
    let running = scene.start(patient()).await;
    let asked = Arc::new(parking_lot::Mutex::new(Vec::new()));
    let mut client = scene.client(None);
    client.client_auth_cert_resolver = Arc::new(Listens(asked.clone()));
    let mut stream = secure(&running, client).await.unwrap();
    assert!(ask(&mut stream, WHO).await.ends_with("nobody"));
    let subject = |authority: &Authority| {
        let der = rustls::pki_types::CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(der).unwrap();
        roots.subjects()[0].as_ref().to_vec()
    };
    assert_eq!(*asked.lock(), [subject(&ours)]);
    assert_ne!(*asked.lock(), [subject(&another)]);
}

/// A client that notes whose certificates it is asked for, and has none.
#[derive(Debug)]
struct Listens(Arc<parking_lot::Mutex<Vec<Vec<u8>>>>);

impl rustls::client::ResolvesClientCert for Listens {
    fn resolve(&self, subjects: &[&[u8]], _: &[rustls::SignatureScheme]) -> Option<Arc<rustls::sign::CertifiedKey>> {
        *self.0.lock() = subjects.iter().map(|subject| subject.to_vec()).collect();
        None
    }

    fn has_certs(&self) -> bool {
        true
    }
}
