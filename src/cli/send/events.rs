//! Normalized events as JSON Lines, in bodies of bounded size. Decides where a body ends, and that an
//! event without a time happened now: however late it arrives, it keeps that. What an event may hold is
//! for the source `generic` to judge.

use serde_json::{Map, Value};
use std::io::BufRead;

use crate::cli::failure::Failure;
use crate::model::Timestamp;

/// Well below what a source takes unless configured otherwise.
const BODY_BYTES_MAX: usize = 256 * 1_024;
/// A refusal is for a whole body, so it should not hold too many events.
const EVENTS_PER_BODY_MAX: usize = 200;

/// Reads all events; `name` is what the errors call the input.
///
/// # Errors
/// When a line is no JSON object.
pub fn bodies(mut input: impl BufRead, name: &str, now: Timestamp) -> Result<Vec<Vec<u8>>, Failure> {
    let (mut bodies, mut body, mut count) = (Vec::new(), Vec::new(), 0);
    let (mut line, mut number) = (Vec::new(), 0);
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line);
        if read.map_err(|error| Failure::new(format!("cannot read {name}")).cause(error))? == 0 {
            break;
        }
        number += 1;
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let mut event: Map<String, Value> = serde_json::from_slice(&line).map_err(|error| {
            Failure::misuse(format!("line {number} of {name} is no event: expected one JSON object on each line"))
                .cause(error)
                .hint(r#"an event is such as {"status":"firing","name":"Disk full","configuration_item":"db-3"}"#)
        })?;
        event.entry("at").or_insert_with(|| now.to_string().into());
        let event = Value::Object(event).to_string();
        if count > 0 && (body.len() + event.len() > BODY_BYTES_MAX || count >= EVENTS_PER_BODY_MAX) {
            bodies.push(std::mem::take(&mut body));
            count = 0;
        }
        body.extend_from_slice(event.as_bytes());
        body.push(b'\n');
        count += 1;
    }
    if count > 0 {
        bodies.push(body);
    }
    Ok(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str) -> Result<Vec<String>, String> {
        let now = "2026-11-21T05:00:00Z".parse().unwrap();
        let bodies = bodies(text.as_bytes(), "the input", now).map_err(|failure| failure.to_string())?;
        Ok(bodies.into_iter().map(|body| String::from_utf8(body).unwrap()).collect())
    }

    #[test]
    fn an_event_keeps_its_time_and_gets_one_when_it_has_none() {
        let bodies = check("{\"name\":\"a\"}\n\n{\"name\":\"b\",\"at\":\"2026-01-01T00:00:00Z\"}").unwrap();
        let expected =
            "{\"at\":\"2026-11-21T05:00:00.000Z\",\"name\":\"a\"}\n{\"at\":\"2026-01-01T00:00:00Z\",\"name\":\"b\"}\n";
        assert_eq!(bodies, [expected]);
    }

    #[test]
    fn many_events_go_in_several_bodies() {
        let text = "{\"name\":\"a\"}\n".repeat(EVENTS_PER_BODY_MAX + 1);
        let counts: Vec<usize> = check(&text).unwrap().iter().map(|body| body.lines().count()).collect();
        assert_eq!(counts, [EVENTS_PER_BODY_MAX, 1]);
        assert!(check("\n\n").unwrap().is_empty());
    }

    #[test]
    fn the_line_that_is_wrong_is_named() {
        let error = check("{\"name\":\"a\"}\n[1]\n").unwrap_err();
        assert_eq!(error, "line 2 of the input is no event: expected one JSON object on each line");
    }
}
