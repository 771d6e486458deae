//! Whatever a stranger sends, the answer is a 2xx or a 4xx that says what is wrong, and the daemon lives on.
//! One daemon takes all of it; every source gets its own examples, damaged in every way that we know.

// Real processes live in real time.
#![allow(clippy::disallowed_methods)]

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use support::{Api, Daemon, Reply, Site, client};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use watchbell::sources::{SOURCES, SourceSpec};

/// Above the default, so that a million elements fit.
const BODY_BYTES_MAX: usize = 4 << 20;
const HEADER_TIMEOUT: Duration = Duration::from_secs(1);

/// A daemon with one source of each kind.
struct Target {
    site: Site,
    daemon: Daemon,
    client: reqwest::Client,
}

impl Target {
    async fn start() -> Self {
        let source = |spec: &&SourceSpec| {
            format!("  {}: {{ kind: {}, body_bytes_max: {BODY_BYTES_MAX} }}\n", spec.name, spec.name)
        };
        let sources: String = SOURCES.iter().map(source).collect();
        let site = Site::new(&format!("sources:\n{sources}limits: {{ header_timeout: 1s }}\n"));
        let daemon = site.start().await;
        Self { site, daemon, client: client() }
    }

    /// Sends a body as it is and checks the answer's form.
    async fn send(
        &self,
        spec: &SourceSpec,
        what: &str,
        body: impl Into<reqwest::Body>,
        encoding: Option<&str>,
    ) -> Reply {
        let url = self.site.url(&format!("/in/{}", spec.name));
        let mut request = self.client.post(url).header("content-type", "application/json").body(body);
        if let Some(encoding) = encoding {
            request = request.header("content-encoding", encoding);
        }
        let answer = request.send().await.unwrap_or_else(|error| panic!("{what} to {}: {error:?}", spec.name));
        let reply = Reply::of(answer).await;
        check_reply(&format!("{what} to {}", spec.name), &reply);
        reply
    }

    async fn refused(&self, spec: &SourceSpec, what: &str, body: impl Into<reqwest::Body>) {
        let reply = self.send(spec, what, body, None).await;
        assert_eq!(reply.status, 400, "{what} to {}: {reply:?}", spec.name);
    }

    async fn taken(&self, spec: &SourceSpec, what: &str, body: impl Into<reqwest::Body>) {
        let reply = self.send(spec, what, body, None).await;
        assert_eq!(reply.status, 200, "{what} to {}: {reply:?}", spec.name);
    }

    /// After all of it: alive, well, and at work.
    async fn still_works(mut self) {
        let api = Api::new(&self.site);
        assert_eq!(self.daemon.exited(), None, "the daemon has ended");
        assert_eq!(api.get("/-/healthy").await.status, 200);
        api.event("firing", "after-all").await;
        let alerts = api.items("/api/v1/alerts?limit=5").await;
        assert!(alerts.iter().any(|alert| alert["configuration_item"] == "after-all"), "{alerts:?}");
        let log = self.site.log();
        assert!(!log.contains("panicked"), "something panicked:\n{log}");
    }
}

/// 2xx, or a problem whose text and fields help.
fn check_reply(what: &str, reply: &Reply) {
    if (200..300).contains(&reply.status) {
        return;
    }
    assert!((400..500).contains(&reply.status), "{what}: {reply:?}");
    assert_eq!(reply.content_type, "application/problem+json", "{what}: {reply:?}");
    assert_eq!(reply.body["status"], reply.status, "{what}: {reply:?}");
    let has_text = |name: &str| reply.body[name].as_str().is_some_and(|text| !text.is_empty());
    assert!(has_text("type") && has_text("title") && has_text("detail"), "{what}: {reply:?}");
    if reply.status == 400 {
        assert!(has_text("field") && has_text("got") && has_text("expected"), "{what}: {reply:?}");
    }
    assert!(reply.body.to_string().len() < 4_096, "{what}: an answer of {} bytes", reply.body.to_string().len());
}

/// A body of this source, as a value and as text.
fn example(spec: &SourceSpec) -> Value {
    serde_json::from_str(spec.examples[0]).expect("the first example of each source is one JSON text")
}

/// The object that describes one event, inside whatever the source wraps around it.
fn inner(body: &mut Value) -> &mut serde_json::Map<String, Value> {
    let event = match body {
        Value::Array(_) => &mut body[0],
        _ if body.get("alerts").is_some() => &mut body["alerts"][0],
        _ => body,
    };
    event.as_object_mut().expect("an event is an object")
}

fn with_field(spec: &SourceSpec, name: &str, value: Value) -> Value {
    let mut body = example(spec);
    inner(&mut body).insert(name.to_owned(), value);
    body
}

/// Raw text in the place of a value that no reader asks for.
fn with_raw(spec: &SourceSpec, raw: &str) -> String {
    with_field(spec, "zz_unknown", "PLACE".into()).to_string().replacen("\"PLACE\"", raw, 1)
}

fn gzip(chunk: &[u8], times: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    (0..times).for_each(|_| encoder.write_all(chunk).expect("memory takes everything"));
    encoder.finish().expect("memory takes everything")
}

#[tokio::test]
async fn damaged_bodies_are_refused_by_name() {
    let target = Target::start().await;
    for spec in SOURCES {
        let whole = example(spec).to_string();
        target.taken(spec, "an example", whole.clone()).await;
        for cut in [1, whole.len() / 4, whole.len() / 2, whole.len() * 3 / 4, whole.len() - 1] {
            let end = (0..=cut).rev().find(|at| whole.is_char_boundary(*at)).unwrap_or(0);
            target.refused(spec, "a truncated body", whole[..end].to_owned()).await;
        }
        target.refused(spec, "an empty body", "").await;
        target.refused(spec, "blanks", " \r\n\t ").await;
        for text in ["5", "true", "\"text\"", "[5]", "[[]]", "[null]", "nul", "{]", "'a'", "{\"a\":}"] {
            target.refused(spec, text, text).await;
        }
        let mut bytes = whole.clone().into_bytes();
        let letter = whole.find(":\"").expect("an example holds text") + 2;
        bytes[letter] = 0xff;
        target.refused(spec, "invalid UTF-8", bytes.clone()).await;
        bytes[letter] = 0;
        target.refused(spec, "a null byte", bytes).await;
        target.refused(spec, "a name twice", with_raw(spec, "1,\"zz_unknown\":2")).await;
        target.refused(spec, "a name twice below", with_raw(spec, "{\"a\":1,\"a\":2}")).await;
        target.taken(spec, "an unknown field", with_raw(spec, "{\"a\":[1,{}]}")).await;
    }
    target.still_works().await;
}

#[tokio::test]
async fn wrong_types_and_absurd_values_are_survived() {
    let target = Target::start().await;
    for spec in SOURCES {
        let names: Vec<String> = inner(&mut example(spec)).keys().cloned().collect();
        for name in names {
            let values = [json!(5), json!(-1e300), json!([]), json!({}), json!([[1]]), json!(true), Value::Null];
            for value in values.into_iter().chain([json!(""), json!("\u{0}"), json!("x".repeat(100_000))]) {
                target.send(spec, &name, with_field(spec, &name, value).to_string(), None).await;
            }
            for year in
                ["2099-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "0000-01-01T00:00:00Z", "-9999-01-01T00:00:00Z"]
            {
                target.send(spec, &name, with_field(spec, &name, year.into()).to_string(), None).await;
            }
        }
        let digits = "9".repeat(100_000);
        for number in ["1e400", "-1e400", "1e-400", "18446744073709551616", "-0", digits.as_str()] {
            target.send(spec, "a huge number", with_raw(spec, number), None).await;
        }
        target.send(spec, "an escaped null", with_raw(spec, r#""\u0000""#), None).await;
        target.send(spec, "half a surrogate", with_raw(spec, r#""\ud800""#), None).await;
    }
    target.still_works().await;
}

#[tokio::test]
async fn bombs_cost_no_more_than_the_limit() {
    let target = Target::start().await;
    let zeros = gzip(&[0; 1 << 16], 20 << 4);
    let blanks = gzip(&[b' '; 1 << 16], 20 << 4);
    let million = format!("[{}0]", "0,".repeat(1_000_000));
    for spec in SOURCES {
        for (what, bomb) in [("20 MB of zeros", &zeros), ("20 MB of blanks", &blanks)] {
            assert!(bomb.len() < 100_000, "{} bytes", bomb.len());
            let reply = target.send(spec, what, bomb.clone(), Some("gzip")).await;
            assert_eq!(reply.status, 413, "{what} to {}: {reply:?}", spec.name);
        }
        let reply = target.send(spec, "no gzip at all", "{}", Some("gzip")).await;
        assert_eq!(reply.status, 400, "{reply:?}");
        let reply = target.send(spec, "half a gzip", zeros[..zeros.len() / 2].to_vec(), Some("gzip")).await;
        assert!(matches!(reply.status, 400 | 413), "{reply:?}");
        let packed = gzip(example(spec).to_string().as_bytes(), 1);
        assert_eq!(target.send(spec, "a good gzip", packed, Some("gzip")).await.status, 200);

        let label = format!("{{\"a\":\"{}\"}}", "x".repeat(10 << 20));
        let reply = target.send(spec, "10 MB in one label", with_raw(spec, &label), None).await;
        assert_eq!(reply.status, 413, "{reply:?}");
        for open in ["[", "{\"a\":"] {
            let deep = open.repeat(100_000);
            target.refused(spec, "100,000 levels", deep.clone()).await;
            target.refused(spec, "100,000 levels in a field", with_raw(spec, &deep)).await;
        }
        target.refused(spec, "a million numbers", million.clone()).await;
        target.send(spec, "a million numbers in a field", with_raw(spec, &million), None).await;
        let labels: serde_json::Map<String, Value> = (0..100_000).map(|n| (format!("l{n}"), "v".into())).collect();
        target.send(spec, "100,000 labels", with_field(spec, "labels", labels.into()).to_string(), None).await;
    }
    target.still_works().await;
}

/// Public collections of nasty JSON and nasty text, where this machine has them beside the project.
fn corpora() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpora");
    if !folder.is_dir() {
        println!("skipped: there is no `{}`", folder.display());
        return None;
    }
    Some(folder)
}

#[tokio::test]
async fn the_collections_of_nasty_json_and_text_are_survived() {
    let Some(corpora) = corpora() else { return };
    let target = Target::start().await;
    let mut files: Vec<PathBuf> = std::fs::read_dir(corpora.join("jsontestsuite/test_parsing"))
        .expect("the collection is a folder")
        .map(|entry| entry.expect("its entries can be read").path())
        .collect();
    files.sort();
    let blns = std::fs::read_to_string(corpora.join("blns/blns.json")).expect("the collection is there");
    let texts: Vec<String> = serde_json::from_str(&blns).expect("a list of texts");
    for spec in SOURCES {
        for file in &files {
            let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let body = std::fs::read(file).expect("its files can be read");
            let reply = target.send(spec, &name, body, None).await;
            // An empty list is a good request without events.
            assert!(reply.status == 400 || !name.starts_with("n_"), "{name} to {}: {reply:?}", spec.name);
        }
        for text in &texts {
            let mut body = example(spec);
            let event = inner(&mut body);
            match event.get_mut("labels").and_then(Value::as_object_mut) {
                Some(labels) => drop(labels.insert("nasty".to_owned(), text.clone().into())),
                None => {
                    let name = if spec.name == "nagios" { "SERVICEOUTPUT" } else { "event_opdata" };
                    event.insert(name.to_owned(), text.clone().into());
                }
            }
            target.taken(spec, text, body.to_string()).await;
            target.send(spec, text, text.clone(), None).await;
        }
    }
    println!("{} files and {} texts for each of {} sources", files.len(), texts.len(), SOURCES.len());
    target.still_works().await;
}

#[tokio::test]
async fn a_client_that_dribbles_its_headers_is_cut_off() {
    let target = Target::start().await;
    let stream = tokio::net::TcpStream::connect(("127.0.0.1", target.site.port())).await.expect("a connection");
    let (mut reads, mut writes) = stream.into_split();
    let begun = Instant::now();
    writes.write_all(b"POST /in/generic HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.expect("a first part");
    let dribble = tokio::spawn(async move {
        // Until the other side has had enough.
        while writes.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let mut rest = Vec::new();
    let read = tokio::time::timeout(HEADER_TIMEOUT * 5, reads.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "still connected after {:?}", begun.elapsed());
    assert!(begun.elapsed() >= HEADER_TIMEOUT * 9 / 10, "cut off after {:?} already", begun.elapsed());
    dribble.abort();
    target.still_works().await;
}
