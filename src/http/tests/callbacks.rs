//! Callbacks over HTTP, with Slack's: who is let in, whose wish it is, what becomes of it, and what is done once only.

use hmac::{Hmac, Mac};
use sha2::Sha256;
use std::pin::Pin;
use std::time::Duration;

use super::*;
use crate::engine::input::{Command, Principal};
use crate::engine::policy::{EscalationPolicy, Level, Policy, Targets};
use crate::engine::step;
use crate::http::callback::{self, Ear, Ears};
use crate::model::Span;
use crate::render::{GoTemplates, Language, Reader};
use crate::runtime::deliver::{SendError, Transport};
use crate::runtime::outbox::SinkInstance;
use crate::sinks::{self, Request as SinkRequest, Response as SinkResponse, Setting};

const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";

/// Remembers what goes out.
#[derive(Clone, Default)]
struct Out(Arc<Mutex<Vec<(String, Value)>>>);

impl Transport for Out {
    fn send(
        &self,
        request: SinkRequest,
        _allow_private: bool,
        _timeout: Duration,
    ) -> Pin<Box<dyn Future<Output = Result<SinkResponse, SendError>> + Send + '_>> {
        let SinkRequest::Http(request) = request else { panic!("not HTTP") };
        let body = serde_json::from_slice(&request.body).unwrap();
        self.0.lock().push((request.url.expose().clone(), body));
        Box::pin(async { Ok(SinkResponse::Written) })
    }
}

fn slack(keys: &str) -> Arc<SinkInstance> {
    let spec = sinks::find("slack").unwrap();
    let setting = Setting {
        instance: "watchbell".into(),
        sink: "ops/slack".into(),
        language: Language::En,
        time_zone: "UTC".into(),
        public_url: None,
        go_templates: Arc::new(GoTemplates::default()),
    };
    let table = serde_json::from_str(&format!(r#"{{ "channel": "C024BE91L", "token": "xoxb-1"{keys} }}"#)).unwrap();
    Arc::new(SinkInstance {
        sink: (spec.build)(&table, &setting).unwrap(),
        allow_private: false,
        timeout: Duration::from_secs(1),
        rate: spec.rate,
        give_up_after: Span::from_hours(1),
    })
}

/// Ada may work on incidents, Vic may only look.
fn world() -> (World, Out) {
    let (world, out) = (World::new([], tokens()), Out::default());
    let signed = slack(&format!(r#", "signing_secret": "{SECRET}""#));
    let sinks = BTreeMap::from([
        ("ops/slack".to_owned(), Ear::new("slack", Reader::new(Language::En), signed)),
        ("ops/deaf".to_owned(), Ear::new("slack", Reader::new(Language::En), slack(""))),
    ]);
    let accounts = |id: &str| BTreeMap::from([("slack".to_owned(), id.to_owned())]);
    let (ada, vic) = (accounts("UADA"), accounts("UVIC"));
    let names = ["ada".to_owned(), "vic".to_owned()];
    let people = callback::people([(&names[0], Role::Responder, &ada), (&names[1], Role::Viewer, &vic)].into_iter());
    world.app.hear(Ears::new(sinks, people, Arc::new(out.clone())));
    (world, out)
}

fn signature(at_s: i64, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("v0:{at_s}:{body}").as_bytes());
    format!("v0={}", base16ct::lower::encode_string(&mac.finalize().into_bytes()))
}

const NOW_S: i64 = NOW_MS / 1_000;

fn signed(path: &str, at_s: i64, signature: &str, body: &str) -> Request<Body> {
    Request::builder()
        .method("POST")
        .uri(path)
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-slack-request-timestamp", at_s.to_string())
        .header("x-slack-signature", signature)
        .body(Body::from(body.to_owned()))
        .unwrap()
}

async fn call(world: &World, body: &str) -> Answered {
    world.send(signed("/callback/ops/slack", NOW_S, &signature(NOW_S, body), body)).await
}

fn press(user: &str, token: &str) -> String {
    let payload = json!({
        "type": "block_actions", "user": { "id": user, "username": "somebody" },
        "actions": [{ "action_id": "watchbell_0", "value": token, "type": "button" }],
        "response_url": "https://hooks.slack.com/actions/T0/1/x",
    });
    form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish()
}

fn typed(user: &str, words: &str) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("command", "/watchbell").append_pair("user_id", user).append_pair("user_name", "somebody");
    form.append_pair("text", words).finish()
}

/// The commands that reached the driver.
fn commands(world: &World) -> Vec<(Principal, Command)> {
    let command = |recorded| match recorded {
        Recorded::Input(Input::Command { by, command }, _) => Some((by, command)),
        _ => None,
    };
    world.take_recorded().into_iter().filter_map(command).collect()
}

fn words(answer: &Answered) -> String {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    answer.json()["text"].as_str().unwrap().to_owned()
}

/// The way out is a courtesy that nobody waits for.
async fn said(out: &Out) -> (String, Value) {
    while out.0.lock().is_empty() {
        tokio::task::yield_now().await;
    }
    out.0.lock().remove(0)
}

#[tokio::test]
async fn only_what_slack_has_signed_just_now_is_heard() {
    let (world, _) = world();
    let body = press("UADA", "ack:inc-wrfhkd4vpg");
    let good = signature(NOW_S, &body);
    let send = async |path: &str, at_s: i64, signature: &str, body: &str| {
        world.send(signed(path, at_s, signature, body)).await
    };
    let old = NOW_S - 301;
    for (at_s, signature, body) in [
        (NOW_S, "v0=00", &*body),
        (NOW_S, &good[3..], &body),
        (NOW_S, &good, &format!("{body}&more=1")),
        (NOW_S - 1, &good, &body),
        (old, &self::signature(old, &body), &body),
        (NOW_S + 301, &self::signature(NOW_S + 301, &body), &body),
    ] {
        let answer = send("/callback/ops/slack", at_s, signature, body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{at_s} {signature}: {answer:?}");
    }
    let bare = Request::builder().method("POST").uri("/callback/ops/slack").body(Body::from(body.clone())).unwrap();
    insta::assert_snapshot!(world.send(bare).await.problem(), @"401 the header `x-slack-signature` is missing");
    for path in ["/callback/ops/deaf", "/callback/ops/nothing", "/callback/ops/slack/more"] {
        assert_eq!(send(path, NOW_S, &good, &body).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    assert!(world.take_recorded().is_empty());
    assert_eq!(send("/callback/ops/slack", NOW_S, &good, &body).await.status, StatusCode::OK);
    assert_eq!(commands(&world).len(), 1);
}

/// The example of Slack's own documentation.
#[test]
fn the_signature_is_slacks() {
    let body = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow&channel_id=G8PSS9T3V&\
                channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner&command=%2Fwebhook-collect&text=&\
                response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2FT1DC2JH3J%2F397700885554%2F\
                96rGlfmibIGlgcZRskXaIFfN&trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    let expected = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";
    assert_eq!(signature(1_531_420_618, body), expected);
    let sink = slack(&format!(r#", "signing_secret": "{SECRET}""#));
    let mut headers = http::HeaderMap::new();
    headers.insert("x-slack-request-timestamp", "1531420618".parse().unwrap());
    headers.insert("x-slack-signature", expected.parse().unwrap());
    let now = Timestamp::from_millis(1_531_420_700_000);
    let inbound = sinks::callback::Inbound { headers: &headers, body: body.as_bytes(), now };
    let heard = sink.sink.callbacks().unwrap().hear(&inbound).unwrap();
    let sinks::callback::Heard::Wish(wish) = heard else { panic!("{heard:?}") };
    assert_eq!((&*wish.account.id, &wish.action), ("U2CERLKJA", &sinks::callback::Action::Help));
}

#[tokio::test]
async fn a_press_is_a_command_of_the_person_and_the_same_press_is_one() {
    let (world, out) = world();
    let body = press("UADA", "ack:inc-wrfhkd4vpg");
    for _ in 0..2 {
        let answer = call(&world, &body).await;
        assert_eq!((answer.status, &*answer.body), (StatusCode::OK, ""));
    }
    let expected = Command::Acknowledge { incident: "inc-wrfhkd4vpg".into(), note: None };
    assert_eq!(commands(&world), [(Principal { name: "ada".into(), role: Role::Responder }, expected)]);
    assert!(out.0.lock().is_empty(), "the message will say it");
    let take = press("UADA", "take:inc-wrfhkd4vpg");
    call(&world, &take).await;
    let expected = Command::Assign { incident: "inc-wrfhkd4vpg".into(), to: "ada".into() };
    assert_eq!(commands(&world)[0].1, expected);
}

#[tokio::test]
async fn an_account_of_nobody_does_nothing_and_is_in_the_audit() {
    let (world, out) = world();
    let answer = call(&world, &press("UMALLORY", "resolve:inc-wrfhkd4vpg")).await;
    assert_eq!(answer.status, StatusCode::OK);
    let recorded = world.take_recorded();
    let [Recorded::Audit(entry)] = &recorded[..] else { panic!("{recorded:?}") };
    insta::assert_snapshot!(format!("{} {} {} {}", entry.principal, entry.action, entry.subject, entry.outcome), @"(unknown) callback inc-wrfhkd4vpg refused: the account `UMALLORY` (somebody) is no person's here");
    let (url, body) = said(&out).await;
    assert_eq!(url, "https://hooks.slack.com/actions/T0/1/x");
    assert_eq!(body["response_type"], "ephemeral");
    insta::assert_snapshot!(body["text"].as_str().unwrap(), @"Nobody here has your account UMALLORY. An administrator can add it to a person.");
}

#[tokio::test]
async fn what_is_refused_is_said_to_the_person_alone() {
    let (world, out) = world();
    world.reply_next(Reply::Refused("incident.resolve needs the role responder, vic is viewer".into()));
    call(&world, &press("UVIC", "resolve:inc-wrfhkd4vpg")).await;
    assert_eq!(commands(&world)[0].0, Principal { name: "vic".into(), role: Role::Viewer });
    let (_, body) = said(&out).await;
    assert_eq!(body["replace_original"], false);
    insta::assert_snapshot!(body["text"].as_str().unwrap(), @"This cannot be done: incident.resolve needs the role responder, vic is viewer");
}

#[tokio::test]
async fn an_answer_goes_nowhere_but_to_slack() {
    let (world, out) = world();
    world.reply_next(Reply::Refused("no".into()));
    let payload = json!({
        "type": "block_actions", "user": { "id": "UADA" }, "response_url": "https://hooks.slack.com.evil.example/x",
        "actions": [{ "value": "ack:inc-wrfhkd4vpg" }],
    });
    let body = form_urlencoded::Serializer::new(String::new()).append_pair("payload", &payload.to_string()).finish();
    assert_eq!(call(&world, &body).await.status, StatusCode::OK);
    tokio::task::yield_now().await;
    assert!(out.0.lock().is_empty());
}

#[tokio::test]
async fn a_command_that_is_typed_is_answered_in_the_same_breath() {
    let (world, _) = world();
    assert!(words(&call(&world, &typed("UADA", "help")).await).starts_with("ack, resolve"));
    insta::assert_snapshot!(words(&call(&world, &typed("UADA", "open <!channel> pod bay doors")).await), @"“open &lt;!channel&gt; pod bay doors” is nothing that can be done here. Try: help");
    insta::assert_snapshot!(words(&call(&world, &typed("UADA", "who")).await), @"There is no such schedule.");
    insta::assert_snapshot!(words(&call(&world, &typed("UADA", "ack inc-wrfhkd4vpg")).await), @"Acknowledged by ada.");
    assert_eq!(commands(&world).len(), 1);
    world.reply_next(Reply::Ambiguous(vec!["inc-1".into(), "inc-2".into()]));
    insta::assert_snapshot!(words(&call(&world, &typed("UADA", "ack inc-")).await), @"That could be any of inc-1, inc-2.");
    world.reply_next(Reply::NotFound("inc-9".into()));
    insta::assert_snapshot!(words(&call(&world, &typed("UADA", "ack inc-9")).await), @"There is no incident inc-9.");
}

#[tokio::test]
async fn slack_may_ask_whether_somebody_is_there() {
    let (world, _) = world();
    let answer = call(&world, r#"{"type":"url_verification","challenge":"3eZbrw1aB"}"#).await;
    assert_eq!((answer.status, &*answer.body), (StatusCode::OK, "3eZbrw1aB"));
    assert_eq!(call(&world, "ssl_check=1").await.status, StatusCode::OK);
    assert_eq!(call(&world, r#"{"type":"event_callback","event":{}}"#).await.status, StatusCode::OK);
    insta::assert_snapshot!(call(&world, "payload=nonsense").await.problem(), @"400 `payload` is not JSON");
    insta::assert_snapshot!(call(&world, "text=ack").await.problem(), @"400 neither `payload` nor `user_id` is in the form");
}

#[tokio::test]
async fn the_cause_is_asked_for_muted_and_confirmed_by_its_item() {
    let (world, out) = world();
    let id = {
        let mut state = world.state.lock();
        let mut policy = Policy::default();
        let targets = Targets { receivers: vec!["log".into()], ..Targets::default() };
        let levels = vec![Level { after: Span::from_mins(5), targets, ..Level::default() }];
        policy.escalation_policies.insert("up".into(), EscalationPolicy { levels, ..EscalationPolicy::default() });
        let now = Timestamp::from_millis(NOW_MS);
        step(&mut state, now, Input::Configured { policy: Box::new(policy) });
        let event: Event = serde_json::from_value(json!({
            "id": "1", "at": now, "received_at": now, "source": "nagios", "status": "firing", "name": "http",
            "dedup_key": "web1/http", "severity": "critical", "configuration_item": "web1",
        }))
        .unwrap();
        step(&mut state, now, Input::Events { events: vec![event] });
        let id = state.incidents().next().unwrap().id;
        id.to_string()
    };
    call(&world, &press("UADA", &format!("cause:{id}"))).await;
    let (_, body) = said(&out).await;
    assert_eq!(body["text"], "Which one is the cause?");
    assert_eq!(body["blocks"][1]["elements"][0]["value"], format!("cause:{id}:web1"));
    call(&world, &press("UADA", &format!("cause:{id}:web1"))).await;
    let expected = Command::ConfirmRootCause { incident: id.clone(), configuration_item: "web1".into() };
    assert_eq!(commands(&world)[0].1, expected);
    said(&out).await;
    call(&world, &press("UADA", &format!("mute:{id}"))).await;
    let commands = commands(&world);
    let Command::Silence(draft) = &commands[0].1 else { panic!("{commands:?}") };
    assert_eq!(draft.matchers[0].to_string(), r#"configuration_item="web1""#);
    assert!(draft.covers_dependants && draft.ends_at.since(draft.starts_at) == Span::from_hours(1));
    let (_, body) = said(&out).await;
    insta::assert_snapshot!(body["text"].as_str().unwrap(), @"web1 and what depends on it are muted until 2026-11-21 06:00 UTC.");
    call(&world, &press("UADA", "mute:inc-wrfhkd4vpg")).await;
    let (_, body) = said(&out).await;
    insta::assert_snapshot!(body["text"].as_str().unwrap(), @"There is no incident inc-wrfhkd4vpg.");
}
