//! What a connection may take: time, headers, a place; and requests that are made to be misunderstood.

use super::*;

fn echo() -> Router {
    hello().route("/echo", post(|body: String| async { body }))
}

/// Everything until the other side ends the connection.
async fn whole_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

/// Long before a deadline that is meant never to come.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(NEVER.to_std() / 2, what).await.unwrap()
}

/// How many answers there are in what came.
fn answers(text: &str) -> usize {
    text.matches("HTTP/1.1 ").count()
}

#[tokio::test]
async fn a_body_that_does_not_end_is_answered_and_ends_the_connection() {
    let limits = Limits { request_timeout: Span::from_millis(50), ..patient() };
    let running = start(echo(), limits).await;
    for framing in ["content-length: 100\r\n\r\nabc", "transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n"] {
        let mut slow = connect(&running).await;
        slow.write_all(format!("POST /echo HTTP/1.1\r\nhost: localhost\r\n{framing}").as_bytes()).await.unwrap();
        let answer = whole_answer(&mut slow).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: 1"), "{answer}");
        assert_eq!(answers(&answer), 1, "{answer}");
    }
}

#[tokio::test]
async fn headers_have_a_size_and_a_number() {
    let running = start(hello(), patient()).await;
    let request = |headers: &str| format!("GET / HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
    let many = |count: usize| (0..count).map(|number| format!("x-{number}: 1\r\n")).collect::<String>();
    let long = |bytes: usize| format!("x: {}\r\n", "a".repeat(bytes));
    for (headers, status) in
        [(many(99), "200"), (many(100), "431"), (long(HEADER_BYTES_MAX - 200), "200"), (long(HEADER_BYTES_MAX), "431")]
    {
        let mut stream = connect(&running).await;
        let answer = ask(&mut stream, &request(&headers)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    let mut stream = connect(&running).await;
    let target = "a".repeat(HEADER_BYTES_MAX);
    let answer = ask(&mut stream, &format!("GET /{target} HTTP/1.1\r\nhost: localhost\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 431 ") || answer.starts_with("HTTP/1.1 414 "), "{answer}");
}

#[tokio::test]
async fn headers_without_an_end_are_cut_at_their_size_not_only_at_their_time() {
    let running = start(hello(), patient()).await;
    let mut stream = connect(&running).await;
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let (mut reads, mut writes) = stream.into_split();
    let endless = tokio::spawn(async move { while writes.write_all(b"x-more: and more\r\n").await.is_ok() {} });
    let mut answer = Vec::new();
    // A reset may take the answer's place: the client still writes.
    let _ = reads.read_to_end(&mut answer).await;
    let answer = String::from_utf8(answer).unwrap();
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    endless.await.unwrap();
}

#[tokio::test]
async fn pipelined_requests_are_answered_in_their_order() {
    const COUNT: usize = 500;
    let running = start(echo(), patient()).await;
    let (mut reads, mut writes) = connect(&running).await.into_split();
    let requests: String = (0..COUNT)
        .map(|number| {
            let body = format!("<{number}>");
            format!("POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        })
        .chain(["GET / HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n".to_owned()])
        .collect();
    let sending = tokio::spawn(async move { writes.write_all(requests.as_bytes()).await.map(|()| writes) });
    let mut text = String::new();
    reads.read_to_string(&mut text).await.unwrap();
    assert_eq!(answers(&text), COUNT + 1);
    let bodies: Vec<&str> = text.split('<').skip(1).filter_map(|rest| rest.split('>').next()).collect();
    assert_eq!(bodies, (0..COUNT).map(|number| number.to_string()).collect::<Vec<_>>());
    assert!(text.ends_with("hello"));
    sending.await.unwrap().unwrap();
}

/// Requests whose end two readers could see in different places, each with another one hidden behind it.
#[tokio::test]
async fn a_request_of_two_lengths_never_lets_a_second_one_in() {
    const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let (seen, told) = tokio::sync::mpsc::unbounded_channel::<()>();
    let hidden = get(move || {
        let _ = seen.send(());
        async { "hidden" }
    });
    let running = start(echo().route("/hidden", hidden), patient()).await;
    let long = format!("content-length: {}", 5 + HIDDEN.len());
    for headers in [
        // Both framings: chunked counts, and the connection ends with it (RFC 9112, 6.1).
        "content-length: 5\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        &format!("{long}\r\ntransfer-encoding: chunked"),
        &format!("transfer-encoding: chunked\r\n{long}"),
        // Neither of them for sure.
        "content-length: 5\r\ncontent-length: 6",
        "content-length: 5, 6",
        "content-length: +5",
        "content-length: 0x5",
        "content-length: -1",
        "content-length: 5 5",
        "content-length: 99999999999999999999999",
        "transfer-encoding: identity",
        "transfer-encoding: chunked, identity",
        "transfer-encoding: xchunked",
        "transfer-encoding: \u{b}chunked",
        "transfer-encoding : chunked",
        "content-length : 5",
        " content-length: 5",
        "x: 1\r\n transfer-encoding: chunked",
    ] {
        let mut stream = connect(&running).await;
        let request = format!("POST /echo HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n\r\n0\r\n\r\n{HIDDEN}");
        stream.write_all(request.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = whole_answer(&mut stream).await;
        assert_eq!(answers(&answer), 1, "{headers:?}: {answer}");
        let is_refused = answer.starts_with("HTTP/1.1 400 ");
        let is_last = answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close");
        assert!(is_refused || is_last, "{headers:?}: {answer}");
    }
    let mut old = connect(&running).await;
    let request = format!("POST /echo HTTP/1.0\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{HIDDEN}");
    old.write_all(request.as_bytes()).await.unwrap();
    assert!(whole_answer(&mut old).await.starts_with("HTTP/1.1 400 "));
    drop(running);
    assert!(told.is_empty(), "a hidden request was carried out");
}

#[tokio::test]
async fn chunks_that_lie_end_the_connection() {
    const HIDDEN: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let running = start(echo(), patient()).await;
    for chunks in ["g\r\nabc\r\n", "-1\r\n", "ffffffffffffffffff\r\n", "3\r\nabcdef\r\n", "3\nabc\n0\n\n"] {
        let mut stream = connect(&running).await;
        let head = "POST /echo HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\n";
        stream.write_all(format!("{head}{chunks}{HIDDEN}").as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let answer = whole_answer(&mut stream).await;
        assert!(!answer.contains("hello"), "{chunks:?}: {answer}");
    }
}

#[tokio::test]
async fn connections_that_send_no_headers_make_room_when_their_time_is_over() {
    let limits = Limits { connections_max: 2, header_timeout: Span::from_millis(50), ..patient() };
    let running = start(hello(), limits).await;
    let mut stalled = connect(&running).await;
    stalled.write_all(b"GET / HT").await.unwrap();
    let silent = connect(&running).await;
    let mut operator = connect(&running).await;
    assert!(ask(&mut operator, GET).await.ends_with("hello"));
    drop((stalled, silent));
}

#[tokio::test]
async fn idle_connections_make_room_at_once_when_others_wait() {
    // Ticks come four times in the shorter deadline; the idle one would keep its place for a minute.
    let limits = Limits { connections_max: 2, header_timeout: Span::from_millis(800), ..patient() };
    let running = start(hello(), limits).await;
    let mut idle = [connect(&running).await, connect(&running).await];
    for stream in &mut idle {
        assert!(ask(stream, GET).await.ends_with("hello"));
    }
    let mut operator = connect(&running).await;
    assert!(soon(ask(&mut operator, GET)).await.ends_with("hello"));
    let ended = async {
        let [first, second] = &mut idle;
        let (mut one, mut two) = ([0; 16], [0; 16]);
        tokio::select! {
            count = first.read(&mut one) => count,
            count = second.read(&mut two) => count,
        }
    };
    assert_eq!(ended.await.unwrap(), 0, "one of them was sent away in order");
}

#[tokio::test]
async fn without_anyone_waiting_idle_connections_stay() {
    let limits = Limits { connections_max: 3, header_timeout: Span::from_millis(20), ..patient() };
    let running = start(hello(), limits).await;
    let mut idle = connect(&running).await;
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
    // Many ticks of the idle one pass while others are cut off for their headers.
    for _ in 0..3 {
        assert_eq!(connect(&running).await.read(&mut [0; 16]).await.unwrap(), 0);
    }
    assert!(ask(&mut idle, GET).await.ends_with("hello"));
}

#[tokio::test]
async fn who_does_not_read_the_answer_loses_the_place_when_others_wait() {
    let large = get(|| async { vec![b'x'; 64 << 20] });
    let limits = Limits { connections_max: 1, header_timeout: Span::from_millis(100), ..patient() };
    let running = start(hello().route("/large", large), limits).await;
    let mut deaf = connect(&running).await;
    deaf.write_all(b"GET /large HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();
    // The answer has begun.
    deaf.readable().await.unwrap();
    let mut operator = connect(&running).await;
    assert!(soon(ask(&mut operator, GET)).await.ends_with("hello"));
}

#[tokio::test]
async fn what_a_handshake_took_is_taken_from_the_time_for_headers() {
    let (_stop, stopping) = watch::channel(false);
    // Ticks follow the shorter deadline; the one for headers is over when the handshake is.
    let limits = Limits { idle_timeout: Span::from_millis(40), ..patient() };
    let begun = Instant::now().checked_sub(NEVER.to_std()).unwrap();
    let connection = Connection { app: hello(), limits, stopping, is_crowded: Arc::default(), begun };
    let (mut client, server) = tokio::io::duplex(64);
    soon(connection.serve(server, None)).await;
    assert_eq!(client.read(&mut [0; 16]).await.unwrap(), 0);
}
