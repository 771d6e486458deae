//! How sinks connect, by what their `http_config` says: names, versions and certificates of TLS, tokens of OAuth 2. From a
//! configuration to the requests that a server sees, which is picky in the way that is meant.

// A daemon lives in real time.
#![allow(clippy::disallowed_methods)]

mod bench;
mod oauth2;
// Others need more of it.
#[allow(dead_code)]
#[path = "../support/pki.rs"]
mod pki;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use parking_lot::Mutex;
use pki::{ALWAYS, Authority};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use bench::{BOTH, Bench, DELIVERED, OK, Seen, Server, text, tls};

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
        assert!(request.header("user-agent").unwrap().starts_with("Alertmanager/") && request.body.contains("alerts"));
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
