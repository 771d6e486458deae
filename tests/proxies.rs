//! Proxies that the environment names are no way around the guard: outbound calls go where the
//! configuration says, or nowhere.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::net::TcpListener;
use std::process::{Command, Stdio};

use support::receiver::{Answer, Receiver};

const PROXY_VARIABLES: [&str; 6] = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

/// Tries the sink with a proxy in every variable that could name one; exit code and what was said.
async fn try_sink(configuration: &str, proxy: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("watchbell.yaml");
    std::fs::write(&file, configuration).expect("the configuration can be written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_watchbell"));
    command.env_clear().arg("test-sink").arg("--config").arg(&file).arg("ops/webhook").stdin(Stdio::null());
    command.envs(PROXY_VARIABLES.map(|name| (name, proxy)));
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("a thread").expect("the program");
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_is_not_used() {
    let receiver = Receiver::start(Answer::Status(200)).await;
    let proxy = TcpListener::bind("127.0.0.1:0").expect("a port");
    proxy.set_nonblocking(true).expect("a listener that does not wait");
    let proxy_url = format!("http://{}", proxy.local_addr().expect("an address"));
    let sink = |url: &str, allow_private: bool| {
        format!(
            "receivers: {{ ops: {{ sinks: [{{ kind: webhook, url: \"{url}\", allow_private: {allow_private} }}] }} }}\n"
        )
    };
    let (code, said) = try_sink(&sink(&receiver.url(), true), &proxy_url).await;
    assert_eq!(code, 0, "{said}");
    assert_eq!(receiver.count(), 1, "it came the straight way");

    for url in [receiver.url(), receiver.url().replace("127.0.0.1", "localhost")] {
        let (code, said) = try_sink(&sink(&url, false), &proxy_url).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains("is the private address") && said.contains("no repetition can help"), "{said}");
    }
    assert_eq!(receiver.count(), 1);
    assert!(proxy.accept().is_err(), "nobody came to the proxy");
}
