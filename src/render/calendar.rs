//! A schedule as an iCalendar feed (RFC 5545), for the calendars of people. Each shift is an event; the same shift has the
//! same `UID` each time. Times are UTC: a reader's calendar shows them on its own clock.
//!
//! ```text
//! BEGIN:VEVENT … DTSTART:20261123T080000Z … SUMMARY:Anna Nowak: primary … END:VEVENT
//! ```

use crate::model::schedule::view::{ShiftView, TurnBy};
use crate::model::{Fingerprint, Timestamp};

/// Bytes of a line without its end; what is longer goes on in the next line, behind a blank.
const LINE_BYTES_MAX: usize = 75;

/// `shifts` are whole ones; `now` is when that is said.
pub fn calendar(instance: &str, schedule: &str, shifts: &[ShiftView], now: Timestamp) -> String {
    let mut out = String::new();
    for (name, value) in [
        ("BEGIN", "VCALENDAR"),
        ("VERSION", "2.0"),
        ("PRODID", "-//Watchbell//On-call schedule//EN"),
        ("CALSCALE", "GREGORIAN"),
        ("METHOD", "PUBLISH"),
        ("REFRESH-INTERVAL;VALUE=DURATION", "PT1H"),
    ] {
        line(&mut out, name, value);
    }
    let title = escaped(&format!("{schedule} on call"));
    line(&mut out, "NAME", &title);
    line(&mut out, "X-WR-CALNAME", &title);
    shifts.iter().for_each(|shift| event(&mut out, instance, schedule, shift, now));
    line(&mut out, "END", "VCALENDAR");
    out
}

fn event(out: &mut String, instance: &str, schedule: &str, shift: &ShiftView, now: Timestamp) {
    let who = shift.display_name.as_deref().unwrap_or(&shift.receiver);
    let id = Fingerprint::uuid(&["shift", schedule, &shift.starts_at.to_string(), &shift.receiver]);
    line(out, "BEGIN", "VEVENT");
    line(out, "UID", &escaped(&format!("{id}@{instance}")));
    line(out, "DTSTAMP", &moment(now));
    line(out, "DTSTART", &moment(shift.starts_at));
    line(out, "DTEND", &moment(shift.ends_at));
    line(out, "SUMMARY", &escaped(&format!("{who}: {schedule}")));
    if shift.by == TurnBy::Override {
        line(out, "DESCRIPTION", &escaped(&format!("{who} stands in.")));
    }
    // Whoever is on call has other appointments all the same.
    line(out, "TRANSP", "TRANSPARENT");
    line(out, "END", "VEVENT");
}

/// `20261123T080000Z`.
fn moment(at: Timestamp) -> String {
    let text = at.to_string();
    let seconds = text.split('.').next().unwrap_or_default();
    seconds.chars().filter(|c| !matches!(c, '-' | ':')).chain(['Z']).collect()
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | ';' | ',' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn line(out: &mut String, name: &str, value: &str) {
    let mut bytes = 0;
    for c in name.chars().chain([':']).chain(value.chars()) {
        if bytes + c.len_utf8() > LINE_BYTES_MAX {
            out.push_str("\r\n ");
            bytes = 1;
        }
        out.push(c);
        bytes += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shift_is_an_event_with_whatever_name() {
        let shift = |receiver: &str, name: Option<&str>, by: TurnBy| ShiftView {
            starts_at: "2026-11-23T08:00:00Z".parse().unwrap(),
            ends_at: "2026-11-30T08:00:00Z".parse().unwrap(),
            receiver: receiver.into(),
            display_name: name.map(str::to_owned),
            by,
            layer: None,
            override_id: None,
        };
        let shifts =
            [shift("anna", Some("Nowak, Anna; \\ \u{1F514}\nx"), TurnBy::Layer), shift("ops", None, TurnBy::Override)];
        let text = calendar("watchbell", "primary", &shifts, "2026-11-21T05:00:00.123Z".parse().unwrap());
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX && !line.contains('\n')), "{text}");
        insta::assert_snapshot!(text.replace("\r\n", "\n"), @r#"
        BEGIN:VCALENDAR
        VERSION:2.0
        PRODID:-//Watchbell//On-call schedule//EN
        CALSCALE:GREGORIAN
        METHOD:PUBLISH
        REFRESH-INTERVAL;VALUE=DURATION:PT1H
        NAME:primary on call
        X-WR-CALNAME:primary on call
        BEGIN:VEVENT
        UID:ca1f8c5d-1b2c-421e-8709-752372e39d2e@watchbell
        DTSTAMP:20261121T050000Z
        DTSTART:20261123T080000Z
        DTEND:20261130T080000Z
        SUMMARY:Nowak\, Anna\; \\ 🔔\nx: primary
        TRANSP:TRANSPARENT
        END:VEVENT
        BEGIN:VEVENT
        UID:00a1377a-6562-42d1-8394-0b84163c67a8@watchbell
        DTSTAMP:20261121T050000Z
        DTSTART:20261123T080000Z
        DTEND:20261130T080000Z
        SUMMARY:ops: primary
        DESCRIPTION:ops stands in.
        TRANSP:TRANSPARENT
        END:VEVENT
        END:VCALENDAR
        "#);
        let long = "ä".repeat(100);
        let text = calendar("watchbell", &long, &[], Timestamp::default());
        assert!(text.split("\r\n").all(|line| line.len() <= LINE_BYTES_MAX), "{text}");
        assert!(text.replace("\r\n ", "").contains(&format!("X-WR-CALNAME:{long} on call\r\n")), "{text}");
    }
}
