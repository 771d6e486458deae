//! Tokens: a server that enforces the grant of client credentials, and a receiver that knows one token.

use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::bench::{BOTH, Bench, DELIVERED, OK, Server, tls};
use crate::pki::{ALWAYS, Authority};

const SECRET: &str = "s3cret+of/the client";

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
