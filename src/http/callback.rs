//! Callbacks: what people press, type and answer where messages went. The order is that of `ingest.rs`: find the sink, look
//! at the headers, only then read the body, check that it is the vendor's; then find the person behind the account, make a
//! command of the wish, and answer once that is durable. Knows no system: `sinks/` does.
//!
//! A vendor's signature says who sent it, not what that person may do. An account that is no person's may do nothing, and
//! the attempt is in the audit.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::error::{Problem, ProblemBody};
use super::replay::{Claim, Replays, Stamp};
use super::router::refused;
use super::{App, body};
use crate::engine::input::{Command, Input, Principal, Reply as Replied, Role};
use crate::engine::on_call;
use crate::engine::state::State as EngineState;
use crate::model::{IncidentId, SilenceDraft, Span, Timestamp};
use crate::render::{Reader, text};
use crate::runtime::deliver::Transport;
use crate::runtime::outbox::SinkInstance;
use crate::sinks::Request as SinkRequest;
use crate::sinks::callback::{Action, Answer, Button, Callbacks, Heard, Inbound, Refusal, Reply, Style, Wish};

/// Bytes of a callback's body.
const BODY_BYTES_MAX: usize = 1 << 20;
/// Possible causes that are offered.
const CAUSES_MAX: usize = 5;
/// What the button mutes for.
const MUTED_FOR: Span = Span::from_hours(1);

/// Everybody who may be called back, and who people are.
#[derive(Default)]
pub struct Ears {
    sinks: BTreeMap<String, Ear>,
    /// By kind of sink and account.
    people: BTreeMap<(String, String), Principal>,
    transport: Option<Arc<dyn Transport>>,
}

/// A sink that is called back.
pub struct Ear {
    pub kind: String,
    pub reader: Reader,
    pub instance: Arc<SinkInstance>,
    replays: Arc<Replays>,
}

impl Ear {
    pub fn new(kind: &str, reader: Reader, instance: Arc<SinkInstance>) -> Self {
        Self { kind: kind.to_owned(), reader, instance, replays: Arc::default() }
    }
}

impl Ears {
    /// `people` by kind of sink and account there.
    pub fn new(
        sinks: BTreeMap<String, Ear>,
        people: BTreeMap<(String, String), Principal>,
        transport: Arc<dyn Transport>,
    ) -> Self {
        let sinks = sinks.into_iter().filter(|(_, ear)| ear.instance.sink.callbacks().is_some()).collect();
        Self { sinks, people, transport: Some(transport) }
    }

    /// What was done once stays done across a reload.
    pub fn keeping(mut self, before: &Self) -> Self {
        for (name, ear) in &mut self.sinks {
            if let Some(known) = before.sinks.get(name) {
                ear.replays = Arc::clone(&known.replays);
            }
        }
        self
    }

    fn find(&self, name: &str) -> Result<&Ear, Problem> {
        self.sinks.get(name).ok_or_else(|| {
            let shown: String = name.chars().take(80).map(|c| if c.is_control() { ' ' } else { c }).collect();
            Problem::not_found(format!("no sink `{shown}` is configured to be called back"))
        })
    }
}

/// Takes what people press and type where a sink's messages are.
#[utoipa::path(post, path = "/callback/{receiver}/{sink}", operation_id = "call_back", tag = "callbacks",
    params(("receiver" = String, Path, description = "Name of the receiver or person"),
        ("sink" = String, Path, description = "Name of the sink, as in `ops/slack`")),
    request_body(content = String, description = "As the vendor sends and signs it"),
    responses((status = 200, description = "As the vendor wants to be answered"), (status = "4XX", body = ProblemBody),
        (status = 503, body = ProblemBody)),
    security(()))]
pub async fn receive(
    State(app): State<Arc<App>>,
    path: Result<Path<(String, String)>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path((receiver, sink))) = path else {
        return Problem::not_found("the path is not UTF-8 once its `%` are decoded").into_response();
    };
    match take(&app, &format!("{receiver}/{sink}"), request).await {
        Ok(reply) => written(reply),
        Err(problem) => problem.into_response(),
    }
}

fn written(reply: Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK);
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(reply.content_type)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, reply.body).into_response()
}

async fn take(app: &App, name: &str, request: Request) -> Result<Reply, Problem> {
    let ears = app.ears();
    let ear = ears.find(name)?;
    let Some(callbacks) = ear.instance.sink.callbacks() else { return Err(Problem::internal()) };
    let (parts, body) = request.into_parts();
    callbacks.greet(&parts.headers, app.clock.now()).map_err(problem)?;
    let raw = body::read(body, &parts.headers, BODY_BYTES_MAX).await?;
    let now = app.clock.now();
    let inbound = Inbound { headers: &parts.headers, body: &raw, now };
    let wish = match callbacks.hear(&inbound).map_err(problem)? {
        Heard::Formality(reply) => return Ok(reply),
        Heard::Wish(wish) => wish,
    };
    let stamp = Stamp { signature: wish.stamp, valid_until: wish.valid_until };
    let ticket = match ear.replays.claim(stamp, now) {
        Claim::First(ticket) => ticket,
        Claim::Repeated(_) => return Ok(Reply::empty()),
        Claim::UnderWay => return Err(Problem::under_way(StatusCode::TOO_MANY_REQUESTS)),
        Claim::Full(wait_s) => return Err(Problem::too_many_signatures(StatusCode::TOO_MANY_REQUESTS, wait_s)),
    };
    let answer = match ears.people.get(&(ear.kind.clone(), wish.account.id.clone())) {
        Some(by) => carry_out(app, by, &wish.action, &ear.reader).await?,
        None => stranger(app, name, &wish, &ear.reader).await,
    };
    ticket.taken(1);
    Ok(speak(&ears, ear, callbacks, &wish, &answer))
}

fn problem(refusal: Refusal) -> Problem {
    match refusal {
        Refusal::Unauthenticated(why) => Problem::unauthenticated(HeaderValue::from_static("Signature"), why),
        Refusal::Unreadable(why) => Problem::unreadable_callback(why),
    }
}

/// Answers, and sends the words that go another way. They are a courtesy: what was wanted is durable already.
fn speak(ears: &Ears, ear: &Ear, callbacks: &dyn Callbacks, wish: &Wish, answer: &Answer) -> Reply {
    let spoken = callbacks.answer(wish, answer);
    if let (Some(request), Some(transport)) = (spoken.aside, &ears.transport) {
        let (transport, instance) = (Arc::clone(transport), Arc::clone(&ear.instance));
        tokio::spawn(async move {
            let sent = transport.send(SinkRequest::Http(request), instance.allow_private, instance.timeout).await;
            if let Err(error) = sent {
                tracing::warn!(error = %error.reason, "an answer to a person could not be sent");
            }
        });
    }
    spoken.reply
}

/// An account that is no person's.
async fn stranger(app: &App, sink: &str, wish: &Wish, reader: &Reader) -> Answer {
    let account = text::one_line(&wish.account.id);
    let name = text::one_line(&wish.account.name);
    let why = format!("the account `{account}` ({name}) is no person's here");
    let subject = wish.action.incident().unwrap_or(sink);
    app.audit(refused(app.clock.now(), "(unknown)", "callback", subject, &why)).await;
    said(reader.say("callback-stranger", &[("account", account.as_str().into())]))
}

const fn said(text: String) -> Answer {
    Answer { text, choices: Vec::new(), shows_in_message: false }
}

async fn carry_out(app: &App, by: &Principal, action: &Action, reader: &Reader) -> Result<Answer, Problem> {
    let word = |key: &str| reader.say(key, &[]);
    let done = |key: &str| (reader.say(key, &[("person", by.name.as_str().into())]), true);
    let (command, (words, shows_in_message)) = match action {
        Action::Help => return Ok(said(word("callback-help"))),
        Action::Unknown(what) => {
            return Ok(said(reader.say("callback-unknown", &[("what", what.as_str().into())])));
        }
        Action::WhoIsOnCall(schedule) => return who_is_on_call(app, schedule.clone(), reader).await,
        Action::AskCause(incident) => return ask_cause(app, incident, reader).await,
        Action::Mute(incident) => match mute(app, incident, by, reader).await? {
            Ok(command) => command,
            Err(answer) => return Ok(answer),
        },
        Action::Acknowledge(incident) => {
            (Command::Acknowledge { incident: incident.clone(), note: None }, done("callback-acknowledged"))
        }
        Action::Resolve(incident) => {
            (Command::Resolve { incident: incident.clone(), note: None }, done("callback-resolved"))
        }
        Action::AssignToMe(incident) => {
            (Command::Assign { incident: incident.clone(), to: by.name.clone() }, done("callback-assigned"))
        }
        Action::Escalate(incident) => {
            (Command::Escalate { incident: incident.clone() }, (word("callback-escalated"), false))
        }
        Action::Comment { incident, text } => {
            (Command::Comment { incident: incident.clone(), text: text.clone() }, (word("callback-commented"), false))
        }
        Action::ConfirmCause { incident, configuration_item } => (
            Command::ConfirmRootCause { incident: incident.clone(), configuration_item: configuration_item.clone() },
            (reader.say("callback-cause", &[("item", configuration_item.as_str().into())]), false),
        ),
    };
    let receipt = app.driver.submit(Input::Command { by: by.clone(), command }, None).await?;
    Ok(match receipt.reply {
        Some(Replied::Done(_)) => Answer { text: words, choices: Vec::new(), shows_in_message },
        Some(Replied::Already(_)) => said(word("callback-already")),
        Some(Replied::NotFound(id)) => {
            said(reader.say("callback-not-found", &[("incident", text::one_line(&id).as_str().into())]))
        }
        Some(Replied::Ambiguous(ids)) => {
            said(reader.say("callback-ambiguous", &[("incidents", ids.join(", ").as_str().into())]))
        }
        Some(Replied::Refused(why) | Replied::Needless { why, .. }) => {
            said(reader.say("callback-refused", &[("why", why.as_str().into())]))
        }
        None => return Err(Problem::internal()),
    })
}

/// Looks an incident up by what the person typed or pressed.
fn find(state: &EngineState, incident: &str) -> Option<IncidentId> {
    crate::engine::command::find(state, incident).ok()
}

async fn ask_cause(app: &App, incident: &str, reader: &Reader) -> Result<Answer, Problem> {
    let wanted = incident.to_owned();
    let found = app.driver.look(move |state| {
        let incident = state.incident(&find(state, &wanted)?)?;
        let cause = incident.root_cause.as_ref()?;
        let items: Vec<String> =
            cause.candidates.iter().take(CAUSES_MAX).map(|candidate| candidate.configuration_item.clone()).collect();
        Some((incident.id.to_string(), items))
    });
    let Some((id, items)) = found.await? else {
        let incident = text::one_line(incident);
        return Ok(said(reader.say("callback-not-found", &[("incident", incident.as_str().into())])));
    };
    let button = |item: String| Button {
        label: item.clone(),
        action: Action::ConfirmCause { incident: id.clone(), configuration_item: item },
        style: Style::Plain,
    };
    let text = reader.say("callback-which-cause", &[]);
    Ok(Answer { text, choices: items.into_iter().map(button).collect(), shows_in_message: false })
}

type Muting = Result<(Command, (String, bool)), Answer>;

/// The item that is to blame, and what depends on it.
async fn mute(app: &App, incident: &str, by: &Principal, reader: &Reader) -> Result<Muting, Problem> {
    let (wanted, now) = (incident.to_owned(), app.clock.now());
    let found = app.driver.look(move |state| {
        let incident = state.incident(&find(state, &wanted)?)?;
        let item = incident.root_cause.as_ref().map(|cause| cause.configuration_item.clone());
        Some((incident.id, item.or_else(|| incident.configuration_items.first().cloned())))
    });
    let Some((id, Some(item))) = found.await? else {
        let incident = text::one_line(incident);
        let text = reader.say("callback-not-found", &[("incident", incident.as_str().into())]);
        return Ok(Err(said(text)));
    };
    let until = now + MUTED_FOR;
    let matcher = crate::model::Matcher::equal("configuration_item", &item);
    let draft = SilenceDraft {
        matchers: vec![matcher],
        covers_dependants: true,
        starts_at: now,
        ends_at: until,
        comment: format!("muted by {} from a message about {id}", by.name),
        ..SilenceDraft::default()
    };
    let at = reader.date_time(until);
    let words = reader.say("callback-muted", &[("item", item.as_str().into()), ("until", at.as_str().into())]);
    Ok(Ok((Command::Silence(Box::new(draft)), (words, false))))
}

async fn who_is_on_call(app: &App, schedule: Option<String>, reader: &Reader) -> Result<Answer, Problem> {
    let now = app.clock.now();
    let lines = app.driver.look(move |state| {
        let at: Timestamp = state.wall_time(now);
        let names = state.policy().schedules.keys();
        let wanted = names.filter(|name| schedule.as_ref().is_none_or(|wanted| wanted == *name));
        wanted.map(|name| (name.clone(), on_call::who(state, name, at))).collect::<Vec<_>>()
    });
    let lines: Vec<String> = lines
        .await?
        .into_iter()
        .map(|(schedule, who)| match who {
            Some(who) => format!("{schedule}: {who}"),
            None => reader.say("callback-nobody-on-call", &[("schedule", schedule.as_str().into())]),
        })
        .collect();
    Ok(said(match lines.is_empty() {
        true => reader.say("callback-no-schedule", &[]),
        false => lines.join("\n"),
    }))
}

/// Who people are, from what the configuration says of each.
pub fn people<'a>(
    identities: impl Iterator<Item = (&'a String, Role, &'a BTreeMap<String, String>)>,
) -> BTreeMap<(String, String), Principal> {
    let mut people = BTreeMap::new();
    for (name, role, accounts) in identities {
        for (kind, account) in accounts {
            people.insert((kind.clone(), account.clone()), Principal { name: name.clone(), role });
        }
    }
    people
}
