//! Lines of the log as Alertmanager writes them, for those who search and ship them by its keys. Decides the form alone;
//! what is said is said where it happens.
//!
//! ```text
//! time=2026-11-29T03:10:11.123456Z level=INFO source=app.rs:180 msg="Listening on" address=127.0.0.1:9093
//! {"time":"2026-11-29T03:10:11.123456Z","level":"INFO","source":"app.rs:180","msg":"Listening on","address":"127.0.0.1:9093"}
//! ```

use serde_json::Value;
use std::fmt::{self, Write as _};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

/// One event a line.
pub(super) struct Lines {
    pub is_json: bool,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'span> LookupSpan<'span>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut line = Line::default();
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        line.push("time", time.into());
        let metadata = event.metadata();
        line.push("level", metadata.level().as_str().into());
        if let Some(file) = metadata.file() {
            let file = file.rsplit('/').next().unwrap_or(file);
            line.push("source", format!("{file}:{}", metadata.line().unwrap_or_default()).into());
        }
        let mut said = Line::default();
        event.record(&mut said);
        let message = said.0.iter().position(|(key, _)| key == MESSAGE).map(|at| said.0.remove(at).1);
        line.push("msg", message.unwrap_or_else(|| metadata.name().into()));
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>().filter(|fields| !fields.is_empty()) {
                line.push(span.name(), fields.fields.as_str().into());
            }
        }
        line.0.extend(said.0);
        let text = if self.is_json { line.json() } else { line.logfmt() };
        writeln!(out, "{text}")
    }
}

/// What `tracing` calls the sentence itself.
const MESSAGE: &str = "message";

/// Keys and values in the order in which they are written.
#[derive(Default)]
struct Line(Vec<(String, Value)>);

impl Line {
    fn push(&mut self, key: &str, value: Value) {
        self.0.push((key.to_owned(), value));
    }

    fn json(&self) -> String {
        let pairs: Vec<String> =
            self.0.iter().map(|(key, value)| format!("{}:{value}", Value::from(key.as_str()))).collect();
        format!("{{{}}}", pairs.join(","))
    }

    fn logfmt(&self) -> String {
        let mut line = String::new();
        for (key, value) in &self.0 {
            let space = if line.is_empty() { "" } else { " " };
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            // Writing to a string cannot fail.
            let _ = match is_plain(&text) {
                true => write!(line, "{space}{key}={text}"),
                false => write!(line, "{space}{key}={}", Value::from(text)),
            };
        }
        line
    }
}

/// It needs no quotes.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '=' | '\\'))
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.push(field.name(), format!("{value:?}").into());
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.push(field.name(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.push(field.name(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.push(field.name(), value.into());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.push(field.name(), value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.push(field.name(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(pairs: &[(&str, Value)]) -> Line {
        let mut line = Line::default();
        pairs.iter().for_each(|(key, value)| line.push(key, value.clone()));
        line
    }

    #[test]
    fn what_has_spaces_or_signs_of_its_own_is_quoted() {
        let pairs = [("msg", "Listening on".into()), ("address", "[::1]:9093".into()), ("count", 3.into())];
        let line = line(&[&pairs[..], &[("why", "a=\"b\"\nc".into()), ("none", "".into())]].concat());
        assert_eq!(line.logfmt(), r#"msg="Listening on" address=[::1]:9093 count=3 why="a=\"b\"\nc" none="""#);
        assert_eq!(
            line.json(),
            r#"{"msg":"Listening on","address":"[::1]:9093","count":3,"why":"a=\"b\"\nc","none":""}"#
        );
    }
}
