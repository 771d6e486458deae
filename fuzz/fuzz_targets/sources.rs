//! Any body for every source, through the registry: no panic, all of it or a helpful refusal, and the
//! same events or changes each time.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use watchbell::error::Table;
use watchbell::model::{Change, Event};
use watchbell::sources::{Inbound, Parsed, SOURCES, Source};
use watchbell_fuzz::NOW;

static BUILT: LazyLock<Vec<(&str, Box<dyn Source>)>> = LazyLock::new(|| {
    SOURCES.iter().map(|spec| (spec.name, (spec.build)(&Table::new()).expect("no key is required"))).collect()
});

fuzz_target!(|body: &[u8]| {
    let is_json = body.trim_ascii_start().starts_with(b"{") || body.trim_ascii_start().starts_with(b"[");
    let content_type = if is_json { "application/json" } else { "application/x-www-form-urlencoded" };
    for (name, source) in BUILT.iter() {
        let inbound = Inbound { source: name, content_type, body, received_at: NOW };
        let first = source.parse(&inbound);
        assert_eq!(first, source.parse(&inbound), "{name}");
        match first {
            Ok(parsed) => {
                assert_eq!(parsed.check_limits(), Ok(()), "{parsed:?}");
                match parsed {
                    Parsed::Events(events) | Parsed::Partly { events, .. } => {
                        events.iter().for_each(|event| check(name, event))
                    }
                    Parsed::Changes(changes) => changes.iter().for_each(|change| check_change(name, change)),
                }
            }
            Err(error) => {
                assert!(!error.field.is_empty() && !error.got.is_empty() && !error.expected.is_empty(), "{error:?}");
                let text = error.to_string();
                assert!(text.chars().count() < 1_000 && !text.contains(char::is_control), "{text:?}");
            }
        }
    }
});

fn check(source: &str, event: &Event) {
    assert_eq!((event.source.as_str(), event.received_at), (source, NOW));
    // The journal has to give back what it was given.
    let line = serde_json::to_string(event).expect("an event is JSON");
    assert_eq!(&serde_json::from_str::<Event>(&line).expect("the journal can be read"), event);
}

fn check_change(source: &str, change: &Change) {
    assert_eq!((change.source.as_str(), change.received_at), (source, NOW));
    let line = serde_json::to_string(change).expect("a change is JSON");
    assert_eq!(&serde_json::from_str::<Change>(&line).expect("the journal can be read"), change);
    // Told again, it is the same.
    let mut again = change.clone();
    again.fold(change.clone());
    assert_eq!(&again, change);
}
