//! Any answer of a receiver to every sink: classified, without a secret, and what is remembered of it
//! leads to a next request.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::model::NotificationKind;
use watchbell::model::delivery::Progress;
use watchbell::render::{Language, sample_notification};
use watchbell::sinks::{Attempt, Outcome, Response};
use watchbell_fuzz::{NOW, Sinks, inert, parts, sinks};

static SINKS: LazyLock<Sinks> = LazyLock::new(|| sinks(Language::En));

/// What each sink's example has for a credential, which a receiver may echo.
const SECRETS: [(&str, &str); 3] = [
    ("slack", "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy"),
    ("servicenow", "S3rvice-N0w-pass"),
    ("email", "Tr0ub4dor-horse"),
];

// Status in two bytes, how far the delivery is in one; then the body, the content type, `Retry-After`,
// and what is remembered.
fuzz_target!(|data: &[u8]| {
    let [high, low, far, rest @ ..] = data else { return };
    let code = u16::from_be_bytes([*high, *low]) % 600;
    let parts = parts(rest);
    let part = |index: usize| parts.get(index).cloned().unwrap_or_default();
    let kinds = [NotificationKind::Opened, NotificationKind::Updated, NotificationKind::Resolved];
    let notification = sample_notification(kinds[usize::from(far >> 6) % kinds.len()], NOW);
    let progress = Progress {
        remote: (far & 1 != 0).then(|| part(3)),
        step: u16::from(far >> 1 & 0b11),
        is_ambiguous: far & 0b1000 != 0,
        is_deferred: false,
    };
    let attempt =
        Attempt { delivery: "inc-7h3kq0v9zd.1.ops/test", notification: &notification, progress: &progress, now: NOW };
    let headers = || vec![("content-type".to_owned(), part(1)), ("retry-after".to_owned(), part(2))];
    let responses = [
        Response::Http { status: code, headers: headers(), body: part(0).into_bytes() },
        Response::Mail { code, text: part(0), refused: vec![("ops@example.org".into(), part(2))] },
        Response::Written,
    ];
    for (name, sink) in SINKS.iter() {
        for response in &responses {
            let outcome = sink.outcome(&attempt, response);
            let (text, next) = match &outcome {
                Outcome::Delivered { remote, proof } => (proof, Some((remote.clone(), 0))),
                Outcome::Next { remote, step } => (&String::new(), Some((remote.clone(), *step))),
                Outcome::Retry { reason, .. } | Outcome::Rejected { reason, .. } => (reason, None),
            };
            assert!(!text.contains(char::is_control) && text.chars().count() < 2_000, "{name}: {text:?}");
            let is_shown = SECRETS.iter().any(|(sink, secret)| sink == name && text.contains(secret));
            assert!(!is_shown, "{name} shows its secret: {text}");
            if let Some((remote, step)) = next {
                let progress = Progress { remote: remote.or(progress.remote.clone()), step, ..Progress::default() };
                let request = sink.request(&Attempt { progress: &progress, ..attempt }).expect("a next request");
                inert::check(name, &request, &notification);
            }
        }
    }
});
