//! What each sink would send, rendered by the sinks themselves and shown as `test-sink` shows it: never sent, never with a
//! secret in it.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::cli::test_sink;
use crate::cli::test_sink::preview::Preview;
use crate::config::Configuration;
use crate::model::delivery::Progress;
use crate::model::{Delivery, Timestamp};
use crate::sinks::{Attempt, Sink};

/// The sinks of a configuration.
pub struct Renderer<'a> {
    configuration: &'a Configuration,
    sinks: BTreeMap<&'a str, Box<dyn Sink>>,
}

impl<'a> Renderer<'a> {
    /// # Errors
    /// Never where the configuration was found sound.
    pub fn of(configuration: &'a Configuration) -> Result<Self, Failure> {
        let build = |(name, settings): (&'a String, _)| {
            Ok((name.as_str(), test_sink::build(name, settings, configuration, None)?))
        };
        let sinks = configuration.sinks.iter().map(build).collect::<Result<_, Failure>>()?;
        Ok(Self { configuration, sinks })
    }

    /// # Errors
    /// What keeps the sink from saying it.
    pub fn preview(&self, delivery: &Delivery, now: Timestamp) -> Result<Preview, String> {
        let name = delivery.sink.as_str();
        let Some((sink, settings)) = self.sinks.get(name).zip(self.configuration.sinks.get(name)) else {
            return Err(format!("there is no sink `{name}`"));
        };
        let progress = Progress::default();
        let attempt =
            Attempt { delivery: &delivery.id, notification: &delivery.notification, progress: &progress, now };
        let request = sink.request(&attempt).map_err(|error| error.to_string())?;
        Ok(Preview::of(&request, &settings.table))
    }
}

/// Whether a text stands in what is sent, as people would read it there.
pub fn contains(preview: &Preview, text: &str) -> bool {
    match preview {
        // As it stands in the values, and as `--render` prints the whole.
        Preview::Http { body, .. } => holds(body, text) || format!("{body:#}").contains(text),
        Preview::Mail { message, .. } => message.contains(text) || unquoted(message).contains(text),
        Preview::Line { text: line } => line.contains(text),
        Preview::Skip { .. } => false,
    }
}

fn holds(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(values) => values.iter().any(|value| holds(value, text)),
        Value::Object(map) => map.values().any(|value| holds(value, text)),
        _ => false,
    }
}

/// Quoted-printable (RFC 2045, 6.7) taken back; lines end in a plain line feed.
fn unquoted(message: &str) -> String {
    let joined = message.replace("\r\n", "\n").replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::with_capacity(joined.len()), joined.as_bytes());
    while let Some((first, tail)) = rest.split_first() {
        let code = tail.get(..2).and_then(|code| str::from_utf8(code).ok());
        match code.filter(|_| *first == b'=').and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            None => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_read_is_found_whatever_carries_it() {
        let http = |body: Value| Preview::Http { method: "POST", url: String::new(), headers: Vec::new(), body };
        let json = http(serde_json::json!({"blocks": [{"text": "says \"no\"\nand stays"}]}));
        assert!(contains(&json, "says \"no\"\nand") && contains(&json, "blocks") && !contains(&json, "yes"));
        let message =
            "Content-Transfer-Encoding: quoted-printable\r\n\r\nF=C3=BCr die =\r\nNacht =3D dunkel".to_owned();
        let mail = Preview::Mail { server: String::new(), from: String::new(), to: Vec::new(), message };
        assert!(contains(&mail, "Für die Nacht = dunkel"));
    }
}
