//! Any alert text through every sink, through the registry: what is sent never acts in the receiver's
//! system, and is the same each time.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::model::delivery::Progress;
use watchbell::render::Language;
use watchbell::sinks::{Attempt, Request};
use watchbell_fuzz::notification::{KINDS, of};
use watchbell_fuzz::{NOW, Sinks, inert, parts, sinks};

static SINKS: LazyLock<Vec<Sinks>> = LazyLock::new(|| Language::ALL.map(sinks).into());

/// What sinks remember of an incident that they have told of before.
const REMOTES: [Option<&str>; 13] = [
    None,
    Some(r#"{"channel":"C024BE91L","ts":"1795237920.000100"}"#),
    Some(r#"{"sys_id":"a9e30c7dc61122760116894de7bcc7bd","number":"INC0010001"}"#),
    Some(r#"{"message_id":"<first@example.org>","subject":"[P1] rtr1"}"#),
    Some(r#"{"chat_id":-1001234567890,"message_id":17}"#),
    Some(r#"{"post_id":"ew1hc9q5mtdhigq86yzdb5nmna"}"#),
    Some(r#"{"discord_message":"1337"}"#),
    Some(r#"{"room_id":"64f0f82c2c26843a68c1f7ba","message_id":"7aDSXtjMA3KPLxLjt"}"#),
    Some(r#"{"event_id":"$YUwRidLecu:example.com"}"#),
    Some(r#"{"google_message":"spaces/AAQAtjsc9v4/messages/client-1"}"#),
    Some(r#"{"webex_message":"Y2lzY29zcGFyazovL3Vz","edits":0}"#),
    Some(r#"{"zoom_message":"201910tryyRFjM_main"}"#),
    Some(r#"{"alias":"fra1:inc-7h3kq0v9zd"}"#),
];

// The first byte chooses kind and language, the second how far the delivery is.
fuzz_target!(|data: &[u8]| {
    let [kind, far, rest @ ..] = data else { return };
    let kind = usize::from(*kind);
    let notification = of(KINDS[kind % KINDS.len()], &parts(rest));
    let progress = Progress {
        remote: REMOTES[usize::from(far & 0b11 | far >> 5 << 2) % REMOTES.len()].map(str::to_owned),
        step: u16::from(far >> 2 & 0b11),
        is_ambiguous: far & 0b1_0000 != 0,
        is_deferred: false,
    };
    let attempt =
        Attempt { delivery: "inc-7h3kq0v9zd.1.ops/test", notification: &notification, progress: &progress, now: NOW };
    for (name, sink) in &SINKS[kind / KINDS.len() % SINKS.len()] {
        let request = sink.request(&attempt).unwrap_or_else(|error| panic!("{name}: {error}"));
        inert::check(name, &request, &notification);
        let again = sink.request(&attempt).expect("it was possible a moment ago");
        assert!(bytes(request) == bytes(again), "{name} sends something else the second time");
    }
});

fn bytes(request: Request) -> Vec<u8> {
    match request {
        Request::Http(request) => request.body,
        Request::Mail(request) => request.message,
        Request::Line(text) => text.into_bytes(),
        Request::Skip(reason) => reason.into(),
    }
}
