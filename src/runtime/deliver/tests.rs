//! Where calls go and where they do not: names that change their mind, redirects, and mail as well as HTTP.

use super::*;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use wiremock::matchers::path;
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::error::Secret;

/// Public by its form, and nobody's: connecting fails or takes for ever.
const NOBODY: &str = "2000::1";
/// Time for a call that has nobody to answer it.
const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(60);

type Answers = Arc<Mutex<VecDeque<Vec<IpAddr>>>>;

/// A resolver that gives these answers, one for each question.
fn scripted(answers: &[&str]) -> (Outbound, Answers) {
    let answers = answers.iter().map(|text| vec![text.parse().unwrap()]).collect();
    let answers = Arc::new(Mutex::new(answers));
    (Outbound::resolving_by(Resolver::Scripted(answers.clone())).unwrap(), answers)
}

fn post(url: String) -> Request {
    let headers = Vec::new();
    Request::Http(HttpRequest {
        method: "POST",
        url: Secret::new(url),
        headers,
        body: b"{}".to_vec(),
        client: None,
        timeout: None,
    })
}

fn mail(host: &str, port: u16) -> Request {
    let server = MailServer {
        host: host.to_owned(),
        port,
        security: MailSecurity::None,
        user: None,
        password: None,
        tls: Default::default(),
        hello: None,
    };
    let (from, to) = ("bell@example.org".to_owned(), vec!["ops@example.org".to_owned()]);
    Request::Mail(MailRequest { server, from, to, message: b"Subject: x\r\n\r\nx\r\n".to_vec() })
}

/// A listener that must never be reached.
struct Inside(TcpListener);

impl Inside {
    async fn open() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    async fn was_reached(&self) -> bool {
        // The kernel has finished the connection before the caller knows of it, so what came is there already.
        tokio::select! {
            biased;
            _ = self.0.accept() => true,
            () = std::future::ready(()) => false,
        }
    }
}

fn is_refused(result: Result<Response, SendError>) -> bool {
    matches!(result, Err(SendError { kind: ErrorKind::Invalid, is_ambiguous: false, reason }) if reason.contains("private address"))
}

#[tokio::test]
async fn a_name_that_turns_inside_between_two_looks_is_connected_to_where_it_was_checked() {
    let inside = Inside::open().await;
    let url = || format!("http://rebind.example:{}/", inside.port());
    let requests: [&dyn Fn() -> Request; 2] = [&|| post(url()), &|| mail("rebind.example", inside.port())];
    for request in requests {
        let (outbound, answers) = scripted(&[NOBODY, "127.0.0.1", "127.0.0.1"]);
        let first = outbound.send(request(), false, SHORT).await;
        assert!(first.is_err(), "{first:?}");
        assert_eq!(answers.lock().len(), 2, "one question for one call");
        assert!(!inside.was_reached().await);
        assert!(is_refused(outbound.send(request(), false, LONG).await));
        assert_eq!(answers.lock().len(), 1, "one question for one call");
        assert!(!inside.was_reached().await);
    }
}

#[tokio::test]
async fn a_private_answer_is_refused_for_good_unless_the_sink_may_go_there() {
    let inside = Inside::open().await;
    let (outbound, _) = scripted(&["127.0.0.1", "127.0.0.1"]);
    let url = format!("http://inside.example:{}/", inside.port());
    assert!(is_refused(outbound.send(post(url), false, LONG).await));
    assert!(is_refused(outbound.send(mail("inside.example", inside.port()), false, LONG).await));
    assert!(!inside.was_reached().await);
    let url = format!("http://127.0.0.1:{}/", inside.port());
    assert!(is_refused(outbound.send(post(url.clone()), false, LONG).await));
    let hang_up = async { drop(inside.0.accept().await.unwrap()) };
    let (sent, ()) = tokio::join!(outbound.send(post(url), true, LONG), hang_up);
    assert!(sent.is_err(), "it was let through, and nobody answered");
}

#[tokio::test]
async fn mail_to_an_address_in_any_form_is_refused() {
    let inside = Inside::open().await;
    let outbound = Outbound::new().unwrap();
    for host in ["127.0.0.1", "127.1", "0x7f.1", "0177.0.0.1", "2130706433", "::ffff:127.0.0.1", "localhost"] {
        let result = outbound.send(mail(host, inside.port()), false, LONG).await;
        assert!(matches!(&result, Err(error) if !error.is_ambiguous), "{host}: {result:?}");
        assert!(!inside.was_reached().await, "{host}");
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_no_way() {
    let inside = Inside::open().await;
    let moved = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", moved.local_addr().unwrap());
    let target = format!("http://127.0.0.1:{}/latest/meta-data/", inside.port());
    let answering = tokio::spawn(async move {
        for status in [301, 302, 303, 307, 308] {
            let (mut stream, _) = moved.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4_096]).await.unwrap();
            let head = format!(
                "HTTP/1.1 {status} Moved\r\nlocation: {target}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
        }
    });
    let outbound = Outbound::new().unwrap();
    for expected in [301, 302, 303, 307, 308] {
        let Ok(Response::Http { status, .. }) = outbound.send(post(url.clone()), true, LONG).await else { panic!() };
        assert_eq!(status, expected);
    }
    answering.await.unwrap();
    assert!(!inside.was_reached().await);
}

#[tokio::test]
async fn a_redirect_is_followed_only_where_it_is_asked_for() {
    let server = MockServer::start().await;
    let to = |status: u16, target: &str| ResponseTemplate::new(status).insert_header("location", target);
    Mock::given(path("/moved")).respond_with(to(307, "/there")).mount(&server).await;
    Mock::given(path("/round")).respond_with(to(307, "/round")).mount(&server).await;
    Mock::given(path("/there")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    let outbound = Outbound::new().unwrap();
    let follow = Arc::new(crate::sinks::HttpClient { follow_redirects: true, ..Default::default() });
    for (route, client, expected) in
        [("/moved", None, 307), ("/moved", Some(follow.clone()), 204), ("/round", Some(follow.clone()), 307)]
    {
        let Request::Http(request) = post(format!("{}{route}", server.uri())) else { panic!() };
        let request = Request::Http(HttpRequest { client, ..request });
        match outbound.send(request, true, LONG).await.unwrap() {
            Response::Http { status, .. } => assert_eq!(status, expected, "{route}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn neither_another_name_nor_a_token_server_leads_inside() {
    let inside = Inside::open().await;
    let tls = crate::sinks::TlsSetting { server_name: Some("other.example".to_owned()), ..Default::default() };
    let named = crate::sinks::HttpClient { tls, follow_redirects: true, ..Default::default() };
    let asking = |token_url: String| {
        let oauth2 = crate::sinks::OAuth2 {
            client_id: "bell".to_owned(),
            client_secret: None,
            scopes: Vec::new(),
            token_url: Secret::new(token_url),
            endpoint_params: Default::default(),
            client: Default::default(),
        };
        crate::sinks::HttpClient { oauth2: Some(Arc::new(oauth2)), ..Default::default() }
    };
    let (port, elsewhere) = (inside.port(), "http://hook.example/".to_owned());
    let cases = [
        (named, format!("https://inside.example:{port}/")),
        (asking(format!("http://inside.example:{port}/")), elsewhere.clone()),
        (asking(format!("http://127.0.0.1:{port}/")), elsewhere),
    ];
    for (client, url) in cases {
        let (outbound, _) = scripted(&["127.0.0.1"]);
        let Request::Http(request) = post(url) else { panic!() };
        let request = Request::Http(HttpRequest { client: Some(Arc::new(client)), ..request });
        let sent = outbound.send(request, false, LONG).await;
        assert!(!inside.was_reached().await, "{sent:?}");
        assert!(is_refused(sent));
    }
}
