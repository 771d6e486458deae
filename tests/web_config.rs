//! `watchbell alertmanager --web.config.file`: who is let in, by password or by certificate, over which TLS, and on which
//! addresses; and what such a file may not say.

// A daemon lives in real time.
#![allow(clippy::disallowed_methods)]

// Others need more of it.
#[allow(dead_code)]
#[path = "support/pki.rs"]
mod pki;

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use pki::{ALWAYS, Authority, Certified};
use reqwest::{Certificate, Client, ClientBuilder, Identity};

/// Of `abc` and of `hunter2`, as crypt(3) makes them.
const ADA: &str = "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i";
const BOB: &str = "$2y$05$C4ZtPgqXXOc3bRqXjHgp9.BDQkkzLFdrG/Ji1kJ57d09LTJ5DFanS";

struct Bell {
    folder: tempfile::TempDir,
    ports: [u16; 2],
    child: Option<Child>,
}

impl Drop for Bell {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Bell {
    fn new(files: &[(&str, &str)], web: &str) -> Self {
        let free = || std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let bell = Self { folder: tempfile::tempdir().unwrap(), ports: [free(), free()], child: None };
        bell.write("alertmanager.yml", "route: { receiver: ops }\nreceivers: [{ name: ops }]\n");
        bell.write("web.yml", web);
        files.iter().for_each(|(name, content)| bell.write(name, content));
        bell
    }

    fn write(&self, name: &str, content: &str) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn command(&self) -> Command {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
        command.arg("alertmanager").arg(format!("--config.file={}", path("alertmanager.yml")));
        command.arg(format!("--storage.path={}", path("data"))).arg(format!("--web.config.file={}", path("web.yml")));
        command.args(self.ports.map(|port| format!("--web.listen-address=127.0.0.1:{port}")));
        std::fs::create_dir_all(self.folder.path().join("data")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Starts it; returns once both addresses answer.
    async fn start(files: &[(&str, &str)], web: &str) -> Self {
        let mut bell = Self::new(files, web);
        bell.child = Some(bell.command().stderr(Stdio::null()).spawn().unwrap());
        for port in bell.ports {
            let mut tries = 0;
            while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
                tries += 1;
                assert!(tries < 600, "nothing listens");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        bell
    }

    /// What it says instead of starting.
    fn refusal(web: &str, files: &[(&str, &str)]) -> String {
        let bell = Self::new(files, web);
        let output = bell.command().stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "as an Alertmanager ends: {web}");
        String::from_utf8(output.stderr).unwrap()
    }

    fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://127.0.0.1:{}{path}", self.ports[0])
    }
}

async fn status(client: &Client, url: &str, user: Option<(&str, &str)>) -> u16 {
    let request = client.get(url);
    let request = match user {
        Some((name, password)) => request.basic_auth(name, Some(password)),
        None => request,
    };
    request.send().await.map_or(0, |answer| answer.status().as_u16())
}

fn builder() -> ClientBuilder {
    watchbell::runtime::deliver::install_tls();
    Client::builder().no_proxy().timeout(Duration::from_secs(30))
}

#[tokio::test(flavor = "multi_thread")]
async fn users_show_their_passwords_on_every_path_and_address() {
    let web = format!(
        "http_server_config:\n  headers:\n    X-Frame-Options: deny\nbasic_auth_users:\n  ada: {ADA}\n  bob: {BOB}\n"
    );
    let bell = Bell::start(&[], &web).await;
    let client = builder().build().unwrap();
    for path in ["/api/v2/status", "/-/healthy", "/metrics", "/nothing"] {
        let answer = client.get(bell.url("http", path)).send().await.unwrap();
        assert_eq!(answer.status().as_u16(), 401, "{path}");
        assert_eq!(answer.headers()["www-authenticate"], "Basic");
        assert_eq!(answer.headers()["x-frame-options"], "deny");
    }
    let url = bell.url("http", "/api/v2/status");
    let tries = [
        (("ada", "abc"), 200),
        (("ada", "abc"), 200),
        (("bob", "hunter2"), 200),
        (("ada", "hunter2"), 401),
        (("bob", "abc"), 401),
        (("eve", "abc"), 401),
        (("ada", ""), 401),
    ];
    for (user, expected) in tries {
        assert_eq!(status(&client, &url, Some(user)).await, expected, "{user:?}");
    }
    let other = format!("http://127.0.0.1:{}/api/v2/status", bell.ports[1]);
    assert_eq!(status(&client, &other, None).await, 401);
    assert_eq!(status(&client, &other, Some(("ada", "abc"))).await, 200);
    // A reload takes another file.
    bell.write("web.yml", &format!("basic_auth_users: {{ bob: {BOB} }}\n"));
    let reload = client.post(bell.url("http", "/-/reload")).basic_auth("ada", Some("abc"));
    assert_eq!(reload.send().await.unwrap().status().as_u16(), 200);
    assert_eq!(status(&client, &url, Some(("ada", "abc"))).await, 401);
    assert_eq!(status(&client, &url, Some(("bob", "hunter2"))).await, 200);
}

const TLS: &str = "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n";

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_let_in_by_their_certificates() {
    let (authority, clients) = (Authority::new("ours"), Authority::new("clients"));
    let server = authority.server(&["127.0.0.1"], ALWAYS);
    let good = clients.client(&["prometheus.example"], "", ALWAYS);
    let named_otherwise = clients.client(&["eve.example"], "", ALWAYS);
    let foreign = Authority::new("foreign").client(&["prometheus.example"], "", ALWAYS);
    let files = [("tls.crt", &*server.certificate), ("tls.key", &*server.key), ("clients.pem", &*clients.pem)];
    let root = Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let client = |shown: Option<&Certified>| {
        let builder = builder().tls_certs_only([root.clone()]);
        let identity =
            shown.map(|shown| Identity::from_pem(format!("{}{}", shown.certificate, shown.key).as_bytes()).unwrap());
        match identity {
            Some(identity) => builder.identity(identity).build().unwrap(),
            None => builder.build().unwrap(),
        }
    };
    // Without one, with a good one, with one of another name, with one of another authority.
    let cases = [
        (
            "RequireAndVerifyClientCert\n  client_ca_file: clients.pem\n  client_allowed_sans: [prometheus.example]",
            [false, true, false, false],
        ),
        ("RequireAndVerifyClientCert\n  client_ca_file: clients.pem", [false, true, true, false]),
        ("VerifyClientCertIfGiven\n  client_ca_file: clients.pem", [true, true, true, false]),
        ("RequireAnyClientCert", [false, true, true, true]),
        ("RequestClientCert", [true, true, true, true]),
        ("NoClientCert", [true, true, true, true]),
    ];
    for (policy, expected) in cases {
        let bell = Bell::start(&files, &format!("{TLS}  client_auth_type: {policy}\n")).await;
        for (shown, is_let_in) in [None, Some(&good), Some(&named_otherwise), Some(&foreign)].into_iter().zip(expected)
        {
            let status = status(&client(shown), &bell.url("https", "/api/v2/status"), None).await;
            assert_eq!(status == 200, is_let_in, "{policy}: {status}");
            assert!(status != 0, "{policy}: the refusal comes in words");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_versions_that_the_file_allows_are_spoken() {
    let authority = Authority::new("ours");
    let server = authority.server(&["127.0.0.1"], ALWAYS);
    let files = [("tls.crt", &*server.certificate), ("tls.key", &*server.key)];
    let root = Certificate::from_pem(authority.pem.as_bytes()).unwrap();
    let (old, new) = (reqwest::tls::Version::TLS_1_2, reqwest::tls::Version::TLS_1_3);
    for (more, expected) in
        [("", [200, 200]), ("  min_version: TLS13\n", [0, 200]), ("  max_version: TLS12\n", [200, 0])]
    {
        let bell = Bell::start(&files, &format!("{TLS}{more}")).await;
        for (version, expected) in [old, new].into_iter().zip(expected) {
            let builder = builder().tls_certs_only([root.clone()]).tls_version_min(version).tls_version_max(version);
            let client = builder.build().unwrap();
            assert_eq!(status(&client, &bell.url("https", "/-/healthy"), None).await, expected, "{more} {version:?}");
        }
    }
}

#[test]
fn what_such_a_file_may_not_say_is_named_with_its_line() {
    let authority = Authority::new("ours");
    let server = authority.server(&["127.0.0.1"], ALWAYS);
    let files = [("tls.crt", &*server.certificate), ("tls.key", &*server.key), ("no.pem", "nothing")];
    let cases = [
        ("basic_auth_users:\n  ada: hunter2hunter2\n", "basic_auth_users.ada`: expected a bcrypt hash", 2),
        ("basic_auth_users:\n  ada: $2y$31$C4ZtPgqXXOc3bRqXjHgp9.BDQkkzLFdrG/Ji1kJ57d09LTJ5DFanS\n", "got 31", 2),
        (
            "http_server_config:\n  headers:\n    X-Team: ops\n",
            "http_server_config.headers.X-Team`: expected one of",
            3,
        ),
        (
            "http_server_config:\n  headers:\n    X-Frame-Options: none\n",
            "expected `deny` or `sameorigin`, got `none`",
            3,
        ),
        ("rate_limit: { burst: 1 }\n", "`rate_limit`: Watchbell does not support", 1),
        ("tls_server_config:\n  cert_file: tls.crt\n", "missing key `key_file`", 1),
        ("tls_server_config:\n  cert_file: no.pem\n  key_file: tls.key\n", "tls_server_config.cert_file`: ", 2),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n  cipher_suites: [a]\n",
            "cipher_suites`: Watchbell",
            4,
        ),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n  client_ca_file: tls.crt\n",
            "expected a `client_auth_type`",
            4,
        ),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n  client_auth_type: RequireAndVerifyClientCert\n",
            "expected `client_ca_file`",
            4,
        ),
        (
            "tls_server_config:\n  cert_file: tls.crt\n  key_file: tls.key\n  max_version: TLS11\n",
            "max_version`: expected one of",
            4,
        ),
        ("tls_server_config:\n  cert_files: tls.crt\n", "unknown key `cert_files`", 2),
    ];
    for (web, expected, line) in cases {
        let said = Bell::refusal(web, &files);
        assert!(said.contains(expected) && said.contains(&format!("web.yml:{line}")), "{web}\n{said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
