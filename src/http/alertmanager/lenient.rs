//! Bodies of alerts that Go's JSON reader takes and ours does not: a name twice, `null` for nothing, text behind the
//! value, bytes that are no text. Looked at only once a body was refused, and only in an Alertmanager's place: elsewhere
//! what two readers could understand in two ways stays an error.

use serde_json::Value;

use crate::model::Timestamp;

/// Larger ones are not read a second time.
const BYTES_MAX: usize = 4 << 20;

/// The same body as strict JSON, with what Go would have made of it.
pub fn as_go_reads(body: &[u8]) -> Option<Vec<u8>> {
    if body.len() > BYTES_MAX {
        return None;
    }
    let text = String::from_utf8_lossy(body);
    let mut value = serde_json::Deserializer::from_str(&text).into_iter::<Value>().next()?.ok()?;
    match &mut value {
        Value::Null => value = Value::Array(Vec::new()),
        Value::Array(alerts) => alerts.iter_mut().for_each(plain),
        _ => {}
    }
    serde_json::to_vec(&value).ok()
}

fn plain(alert: &mut Value) {
    let Value::Object(fields) = alert else { return };
    for name in ["labels", "annotations", "startsAt", "endsAt", "generatorURL"] {
        let Some(value) = fields.get_mut(name) else { continue };
        match value {
            Value::Null => drop(fields.remove(name)),
            Value::Object(texts) => {
                texts.values_mut().filter(|text| text.is_null()).for_each(|text| *text = Value::from(""));
            }
            Value::String(text) if name.ends_with("At") => match with_zone(text) {
                Some(time) => *value = time.into(),
                None if text.is_empty() => drop(fields.remove(name)),
                None => {}
            },
            _ => {}
        }
    }
}

/// A time that names no zone is one of UTC.
fn with_zone(text: &str) -> Option<String> {
    let zoned = format!("{text}Z");
    let is_zoned = text.is_empty() || text.parse::<Timestamp>().is_ok();
    (!is_zoned && zoned.parse::<Timestamp>().is_ok()).then_some(zoned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &[u8], expected: Option<&str>) {
        let read = as_go_reads(body);
        assert_eq!(read.as_deref().map(String::from_utf8_lossy).as_deref(), expected);
    }

    #[test]
    fn what_go_takes_is_made_plain() {
        check(b"null", Some("[]"));
        check(br#"[{"labels":{"a":"b","a":"c"}}] more"#, Some(r#"[{"labels":{"a":"c"}}]"#));
        check(br#"[{"annotations":null,"labels":{"a":null},"startsAt":""}]"#, Some(r#"[{"labels":{"a":""}}]"#));
        let zoned = r#"[{"endsAt":"2026-01-01T00:00:00Z","startsAt":"2026-01-01T00:00:00+02:00"}]"#;
        check(br#"[{"endsAt":"2026-01-01T00:00:00","startsAt":"2026-01-01T00:00:00+02:00"}]"#, Some(zoned));
        check(b"[{\"labels\":{\"a\":\"\xff\"}}]", Some("[{\"labels\":{\"a\":\"\u{fffd}\"}}]"));
        check(b"[{", None);
        check(br#"[null, 1]"#, Some("[null,1]"));
    }
}
