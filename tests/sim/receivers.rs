//! The other side of every sink: receivers in memory that answer, refuse, lose answers, are slow or say
//! "later", and that remember everything they were ever sent. The tickets behave like ServiceNow's.

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::Mutex;
use serde_json::json;
use tokio::sync::oneshot;
use watchbell::error::ErrorKind;
use watchbell::model::{IncidentId, Span, Timestamp};
use watchbell::runtime::deliver::{Answer, SendError, Transport};
use watchbell::runtime::engine_clock::EngineClock;
use watchbell::sinks::{HttpRequest, Request, Response};

use super::traced::Label;

/// How a receiver behaves at present.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    #[default]
    Healthy,
    /// A bit of everything that can go wrong.
    Flaky,
    /// 429 with `Retry-After`, mostly.
    Limited,
    /// Refuses connections.
    Down,
    /// Answers after a while, or not within the time-out.
    Slow,
    /// Refuses what it is sent for good.
    Broken,
}

/// Dead letters need the last one, and it is only one fault of many.
pub const MODES: [Mode; 8] =
    [Mode::Healthy, Mode::Flaky, Mode::Limited, Mode::Down, Mode::Slow, Mode::Broken, Mode::Broken, Mode::Broken];

/// What the daemon got to hear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing yet.
    Nothing,
    /// It took effect, says the receiver.
    Done,
    /// A look-up was answered; the delivery goes on.
    Found,
    /// Try again, not before the time given.
    Later(Option<Span>),
    Refused,
}

/// One request as it arrived.
#[derive(Clone, Debug)]
pub struct Received {
    /// As the sender counts time: that is what its pauses are measured by.
    pub at: Timestamp,
    /// Life of the process that sent it.
    pub life: u32,
    pub label: Label,
    /// The key by which a receiver would recognise a repetition.
    pub key: Option<String>,
    pub is_lookup: bool,
    pub took_effect: bool,
    pub heard: Heard,
    pub heard_at: Option<Timestamp>,
}

/// A ticket as its system has it.
#[derive(Clone, Debug)]
pub struct Ticket {
    /// Its `correlation_id`.
    pub key: String,
    state: String,
}

impl Ticket {
    /// Neither resolved nor closed.
    pub fn is_open(&self) -> bool {
        self.state.parse::<u32>().is_ok_and(|state| state < 6)
    }

    /// The group that it is about, if it is about one.
    pub fn group(&self) -> Option<IncidentId> {
        self.key.rsplit(':').next()?.parse().ok().filter(|id: &IncidentId| id.is_group())
    }

    fn shown(&self, index: usize) -> serde_json::Value {
        json!({"sys_id": format!("{:032x}", index + 1), "number": format!("INC{index:07}"), "correlation_id": self.key, "state": self.state})
    }
}

/// Rows of one look-up at most.
const ROWS_MAX: usize = 5;

#[derive(Clone)]
pub struct Receivers(Arc<Mutex<Inner>>);

struct Inner {
    random: fastrand::Rng,
    /// Of the process that lives.
    clock: Option<EngineClock>,
    life: u32,
    modes: BTreeMap<String, Mode>,
    /// In the order of their creation.
    tickets: Vec<Ticket>,
    log: Vec<Received>,
    held: Vec<Held>,
}

/// A request whose answer is on its way.
struct Held {
    index: usize,
    answer: Reply,
    done: oneshot::Sender<Reply>,
}

type Reply = Result<(u16, Option<Span>, String), ErrorKind>;

impl Receivers {
    pub fn new(random: fastrand::Rng) -> Self {
        let (modes, tickets) = (BTreeMap::new(), Vec::new());
        Self(Arc::new(Mutex::new(Inner {
            random,
            clock: None,
            life: 0,
            modes,
            tickets,
            log: Vec::new(),
            held: Vec::new(),
        })))
    }

    pub fn set_mode(&self, sink: &str, mode: Mode) {
        self.0.lock().modes.insert(sink.to_owned(), mode);
    }

    /// Everyone works again, and what was slow arrives.
    pub fn heal(&self) {
        self.0.lock().modes.clear();
        while self.release() {}
    }

    /// A new process.
    pub fn begin_life(&self, life: u32, clock: EngineClock) {
        let mut inner = self.0.lock();
        (inner.life, inner.clock) = (life, Some(clock));
    }

    /// What was on its way to a process is lost with it.
    pub fn end_life(&self) {
        self.0.lock().held.clear();
    }

    /// One of the answers that are on their way arrives; false when there is none.
    pub fn release(&self) -> bool {
        let mut inner = self.0.lock();
        if inner.held.is_empty() {
            return false;
        }
        let count = inner.held.len();
        let index = inner.random.usize(..count);
        let held = inner.held.remove(index);
        inner.note(held.index, &held.answer);
        // The process that asked may be gone.
        let _ = held.done.send(held.answer);
        true
    }

    pub fn held_count(&self) -> usize {
        self.0.lock().held.len()
    }

    /// What arrived from `from` on.
    pub fn read<T>(&self, read: impl FnOnce(&[Received], &[Ticket]) -> T) -> T {
        let inner = self.0.lock();
        read(&inner.log, &inner.tickets)
    }
}

impl Inner {
    fn now(&self) -> Timestamp {
        self.clock.as_ref().map(EngineClock::now).unwrap_or_default()
    }

    fn note(&mut self, index: usize, reply: &Reply) {
        let now = self.now();
        let received = &mut self.log[index];
        received.heard_at = Some(now);
        received.heard = match reply {
            Ok((200..=299, ..)) if received.is_lookup => Heard::Found,
            Ok((200..=299, ..)) => Heard::Done,
            Ok((408 | 425 | 429 | 500..=599, after, _)) => Heard::Later(*after),
            Ok(_) => Heard::Refused,
            Err(_) => Heard::Later(None),
        };
    }

    /// Takes a request in: whether it takes effect, what is answered, and whether the answer is slow.
    fn take(&mut self, label: Label, request: Option<&HttpRequest>) -> Result<Reply, oneshot::Receiver<Reply>> {
        let (can_take_effect, mut reply, is_slow) = self.fate(&label.sink, request.is_none());
        let is_lookup = request.is_some_and(|request| request.method == "GET");
        let mut took_effect = can_take_effect && !is_lookup;
        if let Some(request) = request
            && label.sink.contains("servicenow")
            && (can_take_effect || matches!(reply, Ok((200, ..))))
        {
            let body = self.ticket(request, can_take_effect);
            match (&mut reply, body) {
                (Ok((status @ 200, _, text)), Ok(body)) => {
                    (*status, *text) = (if request.method == "POST" { 201 } else { 200 }, body)
                }
                (reply, Err(status)) => {
                    took_effect = false;
                    *reply = Ok((status, None, String::new()));
                }
                _ => {}
            }
        }
        let key = request.and_then(|request| {
            let header = request.headers.iter().find(|(name, _)| name == "idempotency-key");
            header.map(|(_, value)| value.expose().clone())
        });
        let index = self.log.len();
        self.log.push(Received {
            at: self.now(),
            life: self.life,
            label,
            key,
            is_lookup,
            took_effect,
            heard: Heard::Nothing,
            heard_at: None,
        });
        if is_slow {
            let (done, answered) = oneshot::channel();
            self.held.push(Held { index, answer: reply, done });
            return Err(answered);
        }
        self.note(index, &reply);
        Ok(reply)
    }

    /// May it take effect, what is the answer, is that slow.
    fn fate(&mut self, sink: &str, is_line: bool) -> (bool, Reply, bool) {
        let ok = || Ok((200, None, "{}".to_owned()));
        let later = |status, seconds| Ok((status, Some(Span::from_secs(seconds)), String::new()));
        let fail = |status| Ok((status, None, String::new()));
        let mode = if is_line { Mode::Healthy } else { self.modes.get(sink).copied().unwrap_or_default() };
        let (dice, slow, seconds) = (self.random.u32(..100), self.random.u32(..100), self.random.i64(2..120));
        let (effect, reply) = match (mode, dice) {
            (Mode::Healthy | Mode::Slow, _) => (true, ok()),
            (Mode::Down, _) => (false, Err(ErrorKind::Unreachable)),
            (Mode::Limited, 0..70) => (false, later(429, seconds)),
            (Mode::Broken, 0..60) => (false, fail(400)),
            (Mode::Flaky, 0..12) => (false, fail(500)),
            (Mode::Flaky, 12..18) => (true, fail(502)),
            (Mode::Flaky, 18..24) => (false, later(503, seconds)),
            (Mode::Flaky, 24..38) => (true, Err(ErrorKind::Timeout)),
            (Mode::Flaky, 38..46) => (false, Err(ErrorKind::Timeout)),
            (Mode::Flaky, 46..54) => (false, Err(ErrorKind::Unreachable)),
            (Mode::Flaky, 54..58) => (false, later(429, seconds)),
            _ => (true, ok()),
        };
        let slow_percent = match mode {
            Mode::Slow => 90,
            Mode::Flaky | Mode::Broken => 30,
            _ => 10,
        };
        (effect, reply, !is_line && slow < slow_percent)
    }

    /// The ticket system: look-up by correlation id, create, update.
    fn ticket(&mut self, request: &HttpRequest, can_take_effect: bool) -> Result<String, u16> {
        let url = request.url.expose();
        let body = || serde_json::from_slice::<serde_json::Value>(&request.body).map_err(|_| 400_u16);
        let result = match request.method {
            "GET" => {
                let is_meant = |(_, ticket): &(usize, &Ticket)| {
                    url.contains(&format!("correlation_id%3D{}%5E", ticket.key.replace(':', "%3A")))
                };
                let known = self.tickets.iter().enumerate().filter(is_meant);
                let mut rows: Vec<serde_json::Value> = known.map(|(index, ticket)| ticket.shown(index)).collect();
                if url.contains("ORDERBYDESC") {
                    rows.reverse();
                }
                rows.truncate(ROWS_MAX);
                rows.into()
            }
            "POST" => {
                let body = body()?;
                let key = body["correlation_id"].as_str().ok_or(400_u16)?.to_owned();
                let ticket = Ticket { key, state: body["state"].as_str().unwrap_or("1").to_owned() };
                let shown = ticket.shown(self.tickets.len());
                if can_take_effect {
                    self.tickets.push(ticket);
                }
                shown
            }
            _ => {
                let path = url.split('?').next().unwrap_or_default();
                let id = path.rsplit('/').next().and_then(|id| usize::from_str_radix(id, 16).ok()).ok_or(404_u16)?;
                let index = id.checked_sub(1).ok_or(404_u16)?;
                let state = body()?["state"].as_str().map(str::to_owned);
                let ticket = self.tickets.get_mut(index).ok_or(404_u16)?;
                if let Some(state) = state.filter(|_| can_take_effect) {
                    ticket.state = state;
                }
                ticket.shown(index)
            }
        };
        Ok(json!({ "result": result }).to_string())
    }
}

impl Transport for Receivers {
    fn send(&self, request: Request, _allow_private: bool, _timeout: std::time::Duration) -> Answer<'_> {
        let label = Label::of(&request);
        let http = match &request {
            Request::Http(request) => Some(request),
            _ => None,
        };
        let is_line = http.is_none();
        let taken = self.0.lock().take(label, http);
        Box::pin(async move {
            let reply = match taken {
                Ok(reply) => reply,
                // Dropped only together with the process.
                Err(answered) => answered.await.unwrap_or(Err(ErrorKind::Timeout)),
            };
            match reply {
                Ok(_) if is_line => Ok(Response::Written),
                Ok((status, after, body)) => {
                    let mut headers = vec![("content-type".to_owned(), "application/json".to_owned())];
                    headers
                        .extend(after.map(|after| ("retry-after".to_owned(), (after.as_millis() / 1_000).to_string())));
                    Ok(Response::Http { status, headers, body: body.into_bytes() })
                }
                Err(kind) => {
                    let is_ambiguous = kind == ErrorKind::Timeout;
                    Err(SendError { kind, reason: kind.to_string(), is_ambiguous })
                }
            }
        })
    }
}
