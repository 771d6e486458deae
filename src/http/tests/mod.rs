//! The router as a client sees it, with a driver that only records, a source that counts and a store
//! that remembers what it was asked.

mod alertmanager;
mod api;
mod callbacks;
mod heartbeats;
mod ingest;
mod on_call;
mod operations;
mod roles;
mod signed;
mod topology;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use parking_lot::Mutex;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::sync::mpsc;
use tower::ServiceExt;

use super::{ApiToken, App, Auth, Facade, Limits, ReloadRequest, Setup, SourceInstance, Status, router};
use crate::clock::Clock;
use crate::engine::input::{Input, Reply, Role};
use crate::engine::state::State as EngineState;
use crate::error::ConfigError;
use crate::model::audit::{AuditEntry, AuditRow};
use crate::model::{Alert, Change, Delivery, Event, Firing, Incident, Problem, Silence, TimelineEntry, Timestamp};
use crate::runtime::inbox::{Handle, Job, Queue, Receipt, SubmitError};
use crate::sources::{Inbound, Overload, ParseError, Parsed, Source, SourceSpec};
use crate::store::{
    AlertQuery, ChangeQuery, DeliveryQuery, FiringQuery, IncidentQuery, JournalEntry, Page, PageQuery, Position,
    ProblemQuery, QuarantineRow, Reader, SilenceQuery, StoreError, Subject,
};
use crate::telemetry::Metrics;

pub const NOW_MS: i64 = 1_795_237_200_000;

const fn spec(name: &'static str, overload: Overload) -> SourceSpec {
    SourceSpec { name, title: "", docs: "", examples: &[], overload, build: |_| Err(none_to_build()) }
}

fn none_to_build() -> ConfigError {
    ConfigError::new("", "the tests build their own")
}

pub static ZABBIX: SourceSpec = spec("zabbix", Overload::TooManyRequests);
pub static PROMETHEUS: SourceSpec = spec("prometheus", Overload::ServiceUnavailable);

/// Reads `3 events` as three events, padding allowed; `panic` panics; the rest is an error.
struct CountingSource;

impl Source for CountingSource {
    fn parse(&self, inbound: &Inbound<'_>) -> Result<Parsed, ParseError> {
        let text = String::from_utf8_lossy(inbound.body);
        assert!(text != "panic", "a source that panics");
        let count = text.trim().strip_suffix(" events").and_then(|count| count.parse::<usize>().ok());
        let count = count.ok_or_else(|| ParseError::new("alerts[0].status", &*text, "`firing` or `resolved`"))?;
        Ok((0..count).map(|number| event(inbound, number)).collect::<Vec<_>>().into())
    }
}

fn event(inbound: &Inbound<'_>, number: usize) -> Event {
    serde_json::from_value(json!({
        "id": format!("event-{number}"), "at": inbound.received_at, "received_at": inbound.received_at,
        "source": inbound.source, "status": "firing", "name": "HostDown", "dedup_key": "db-3", "severity": "critical",
    }))
    .unwrap()
}

pub fn source(kind: &'static SourceSpec, auth: Auth) -> SourceInstance {
    SourceInstance {
        kind,
        source: Box::new(CountingSource),
        auth,
        client_certificate: None,
        body_bytes_max: 256 * 1_024,
        events_per_second: None,
    }
}

pub fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

/// The three tokens that most tests use; each is called like its role.
pub fn tokens() -> Vec<ApiToken> {
    [("viewer", Role::Viewer), ("responder", Role::Responder), ("admin", Role::Admin)]
        .map(|(name, role)| ApiToken { name: format!("{name}-token"), role, token_sha256: sha256(name) })
        .into()
}

/// What reached the driver.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    Input(Input, Option<String>),
    Quarantine(QuarantineRow),
    Audit(AuditEntry),
}

type Answer = Result<Receipt, SubmitError>;

pub struct World {
    pub app: Arc<App>,
    pub router: Router,
    pub clock: Clock,
    pub status: Arc<Status>,
    pub reader: Arc<FakeReader>,
    pub reloads: mpsc::Receiver<ReloadRequest>,
    /// While a test holds it the driver answers nobody.
    pub gate: Arc<tokio::sync::Mutex<()>>,
    /// What questions are asked of; tests bring it to where they want it.
    pub state: Arc<Mutex<EngineState>>,
    recorded: Arc<Mutex<Vec<Recorded>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
}

impl World {
    pub fn new(sources: impl IntoIterator<Item = (&'static str, SourceInstance)>, tokens: Vec<ApiToken>) -> Self {
        Self::with_facade(sources, tokens, Facade::default())
    }

    pub fn with_facade(
        sources: impl IntoIterator<Item = (&'static str, SourceInstance)>,
        tokens: Vec<ApiToken>,
        facade: Facade,
    ) -> Self {
        let clock = Clock::manual(Timestamp::from_millis(NOW_MS));
        let (driver, jobs) = Handle::channel(16);
        let (recorded, answers) = (Arc::<Mutex<Vec<Recorded>>>::default(), Arc::<Mutex<VecDeque<Answer>>>::default());
        let gate = Arc::<tokio::sync::Mutex<()>>::default();
        let state = Arc::new(Mutex::new(EngineState::default()));
        tokio::spawn(record(jobs, recorded.clone(), answers.clone(), gate.clone(), state.clone()));
        let (reload, reloads) = mpsc::channel(1);
        let (reader, status) = (Arc::new(FakeReader::default()), Arc::new(Status::default()));
        let app = App::new(Setup {
            listen: SocketAddr::from(([127, 0, 0, 1], 9494)),
            sources: sources.into_iter().map(|(name, source)| (name.to_owned(), source)).collect::<BTreeMap<_, _>>(),
            tokens,
            limits: Limits::default(),
            clock: clock.clone(),
            driver,
            reader: reader.clone(),
            metrics: Arc::new(Metrics::new()),
            status: status.clone(),
            facade,
            reload,
        });
        Self { router: router(app.clone()), app, clock, status, reader, reloads, gate, state, recorded, answers }
    }

    /// The next job gets this instead of a success.
    pub fn answer_next(&self, answer: Answer) {
        self.answers.lock().push_back(answer);
    }

    pub fn reply_next(&self, reply: Reply) {
        self.answer_next(Ok(Receipt { position: 1, reply: Some(reply) }));
    }

    pub fn recorded_count(&self) -> usize {
        self.recorded.lock().len()
    }

    pub fn take_recorded(&self) -> Vec<Recorded> {
        std::mem::take(&mut self.recorded.lock())
    }

    pub async fn send(&self, request: Request<Body>) -> Answered {
        Answered::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    /// As the holder of a token, which is called like its role.
    pub async fn ask(&self, token: &str, method: &str, path: &str, body: &str) -> Answered {
        let mut request =
            Request::builder().method(method).uri(path).header("authorization", format!("Bearer {token}"));
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.ask("viewer", "GET", path, "").await
    }
}

async fn record(
    mut jobs: Queue,
    recorded: Arc<Mutex<Vec<Recorded>>>,
    answers: Arc<Mutex<VecDeque<Answer>>>,
    gate: Arc<tokio::sync::Mutex<()>>,
    state: Arc<Mutex<EngineState>>,
) {
    while let Some(job) = jobs.recv().await {
        let (entry, done) = match job {
            // The same.
            Job::Look { mut question, done } => {
                question.ask(&state.lock());
                let _ = done.send(Ok(Receipt { position: 1, reply: None }));
                continue;
            }
            // A query; it changes nothing.
            Job::CatchUp { done } => {
                let _ = done.send(Ok(Receipt { position: 1, reply: None }));
                continue;
            }
            Job::Input { input, source, done, .. } => (Recorded::Input(*input, source), done),
            Job::Quarantine { row, done } => (Recorded::Quarantine(row), done),
            Job::Audit { entry, done } => (Recorded::Audit(entry), done),
        };
        recorded.lock().push(entry);
        drop(gate.lock().await);
        let usual = Ok(Receipt { position: 1, reply: Some(Reply::Done("the-id".into())) });
        let answer = answers.lock().pop_front().unwrap_or(usual);
        // A client that gave up does not wait for it.
        let _ = done.send(answer);
    }
}

#[derive(Debug)]
pub struct Answered {
    pub status: StatusCode,
    pub headers: http::HeaderMap,
    pub body: String,
}

impl Answered {
    pub async fn read(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and detail of a problem, for snapshots.
    #[track_caller]
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let json = self.json();
        assert_eq!(json["status"], self.status.as_u16());
        assert!(json["type"].as_str().unwrap().starts_with("urn:watchbell:problem:") && json["title"].is_string());
        format!("{} {}", self.status.as_u16(), json["detail"].as_str().unwrap())
    }

    /// The same in Alertmanager's shape: a sentence with 400, else a code and a sentence.
    pub fn refusal(&self) -> String {
        assert_eq!(self.header("content-type"), "application/json", "{self:?}");
        let (status, json) = (self.status.as_u16(), self.json());
        let said = if status == 400 { &json } else { &json["message"] };
        assert!(status == 400 || json["code"] == status);
        format!("{status} {}", said.as_str().unwrap())
    }
}

/// Holds two incidents and remembers every query.
#[derive(Default)]
pub struct FakeReader {
    asked: Mutex<Vec<String>>,
    /// The one delivery there is.
    pub delivery: Mutex<Option<Delivery>>,
}

impl FakeReader {
    pub fn take_asked(&self) -> Vec<String> {
        std::mem::take(&mut self.asked.lock())
    }

    fn note<T>(&self, query: impl std::fmt::Debug, page: &PageQuery) -> Result<Page<T>, StoreError> {
        self.asked.lock().push(format!("{query:?}"));
        match &page.cursor {
            Some(cursor) if cursor == "forged" => Err(StoreError::BadCursor { cursor: cursor.clone() }),
            _ => Ok(Page { items: Vec::new(), next_cursor: None }),
        }
    }
}

pub fn incident(id: &str) -> Incident {
    serde_json::from_value(json!({
        "id": id, "state": "open", "title": "db-3 is down", "priority": "P1", "impact": "high", "urgency": "high",
        "severity": "critical", "started_at": "2026-11-21T05:00:00Z", "opened_at": "2026-11-21T05:00:01Z",
        "updated_at": "2026-11-21T05:00:01Z", "alert_count": 1, "firing_count": 1, "configuration_item_count": 1,
        "services": ["orders"],
        "root_cause": {"configuration_item": "db-3", "alerts": [], "why": "it failed first", "confidence_percent": 90,
            "candidates": []},
    }))
    .unwrap()
}

impl Reader for FakeReader {
    fn incidents(&self, query: &IncidentQuery) -> Result<Page<Incident>, StoreError> {
        let _: Page<()> = self.note(query, &query.page)?;
        Ok(Page { items: vec![incident("inc-aaaaaaaaaa")], next_cursor: Some("next".into()) })
    }
    fn find_incidents(&self, prefix: &str) -> Result<Vec<Incident>, StoreError> {
        if prefix == "broken" {
            let source = "disk on fire at /var/lib/secret".into();
            return Err(StoreError::Failed { operation: "read incidents", source });
        }
        let known = ["inc-aaaaaaaaaa", "inc-ab00000000"];
        Ok(known.into_iter().filter(|id| id.starts_with(prefix)).map(incident).collect())
    }
    fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError> {
        self.note(query, &query.page)
    }
    fn alert(&self, _fingerprint: &str) -> Result<Option<Alert>, StoreError> {
        Ok(None)
    }
    fn firings(&self, query: &FiringQuery) -> Result<Page<Firing>, StoreError> {
        self.note(query, &query.page)
    }
    fn add_told(&self, _firings: &mut [Firing]) -> Result<(), StoreError> {
        Ok(())
    }
    fn problems(&self, query: &ProblemQuery) -> Result<Page<Problem>, StoreError> {
        self.note(query, &query.page)
    }
    fn find_problems(&self, _prefix: &str) -> Result<Vec<Problem>, StoreError> {
        Ok(Vec::new())
    }
    fn silences(&self, query: &SilenceQuery) -> Result<Page<Silence>, StoreError> {
        self.note(query, &query.page)
    }
    fn delivery(&self, id: &str) -> Result<Option<Delivery>, StoreError> {
        Ok(self.delivery.lock().clone().filter(|delivery| delivery.id == id))
    }

    fn deliveries(&self, query: &DeliveryQuery) -> Result<Page<Delivery>, StoreError> {
        self.note(query, &query.page)
    }
    fn dead_letters(&self) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(Vec::new())
    }
    fn timeline(&self, subject: &Subject, page: &PageQuery) -> Result<Page<TimelineEntry>, StoreError> {
        self.note(subject, page)
    }
    fn find_event(&self, id: &str) -> Result<Option<(Position, Vec<u8>)>, StoreError> {
        let at = Timestamp::from_millis(NOW_MS);
        let inbound = Inbound { source: "zabbix", content_type: "", body: b"", received_at: at };
        let input = Input::Events { events: vec![event(&inbound, 0), event(&inbound, 1)] };
        Ok((id == "event-1").then(|| (7, serde_json::to_vec(&input).unwrap())))
    }
    fn journal(&self, _after: Position, _limit: u32) -> Result<Vec<JournalEntry>, StoreError> {
        Ok(Vec::new())
    }
    fn audit(&self, page: &PageQuery) -> Result<Page<AuditRow>, StoreError> {
        self.note(page, page)
    }
    fn audit_after(&self, _number: Option<u64>, _limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        Ok(Vec::new())
    }
    fn changes(&self, query: &ChangeQuery) -> Result<Page<Change>, StoreError> {
        self.note(query, &query.page)
    }
    fn quarantine(&self, _page: &PageQuery) -> Result<Page<QuarantineRow>, StoreError> {
        let at = Timestamp::from_millis(NOW_MS);
        let row = QuarantineRow { at, source: "zabbix".into(), reason: "no JSON".into(), body: b"{\xff".to_vec() };
        Ok(Page { items: vec![row], next_cursor: None })
    }
    fn position(&self) -> Result<Position, StoreError> {
        Ok(0)
    }
}
