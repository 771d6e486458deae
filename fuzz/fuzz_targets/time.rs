//! Any text as a time, a length of time, or `Retry-After`: what is printed reads back as the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use watchbell::model::{Span, Timestamp};
use watchbell::render::{Language, Reader};
use watchbell::sinks::{Response, retry_after_ms};
use watchbell_fuzz::{NOW, parts};

fuzz_target!(|data: &[u8]| {
    let parts = parts(data);
    let (one, two) = (&parts[0], parts.get(1).map_or("", String::as_str));
    if let Ok(at) = one.parse::<Timestamp>() {
        assert_eq!(at.to_string().parse::<Timestamp>().expect("our own form"), at);
        assert_eq!(Timestamp::from_millis(at.as_millis()), at);
        assert_eq!(at.clock_text().len(), 5);
        assert!(!Reader::new(Language::En).date_time(at).is_empty());
        assert_eq!(NOW + at.since(NOW), at);
        let _ = at.since(NOW).human();
    }
    if let Ok(span) = one.parse::<Span>() {
        assert!(span >= Span::ZERO);
        assert_eq!(span.to_string().parse::<Span>().expect("our own form"), span);
        assert!(NOW + span >= NOW && NOW - span <= NOW && span + span >= span);
        assert!(span.percent(75) <= span && span.percent(100) == span);
        assert!(!span.human().is_empty() && span.to_std().as_millis() == span.as_millis() as u128);
    }
    let headers = vec![("retry-after".into(), one.clone()), ("date".into(), two.to_owned())];
    let _ = retry_after_ms(&Response::Http { status: 429, headers, body: Vec::new() });
    let _ = serde_json::from_slice::<(Span, Timestamp)>(data);
});
