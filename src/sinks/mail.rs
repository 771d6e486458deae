//! What the sinks that send mail share: parts of a message, and what a server's reply means.

use lettre::message::SinglePart;
use lettre::message::header::{ContentTransferEncoding, ContentType, HeaderName, HeaderValue};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Outcome, Response, foreign_response, quote};
use crate::error::ErrorKind;
use crate::model::Timestamp;

/// What the server's last reply means. `remote` is left to the sink.
pub(super) fn outcome(response: &Response, secrets: &[&str]) -> Outcome {
    let Response::Mail { code, text, refused } = response else { return foreign_response() };
    let answer = format!("{code} {}", quote(text, secrets));
    match code {
        200..=299 => {
            let mut proof = answer;
            for (recipient, why) in refused {
                proof.push_str(&format!("; refused for {}: {}", quote(recipient, &[]), quote(why, secrets)));
            }
            Outcome::Delivered { remote: None, proof }
        }
        450..=452 => retry(ErrorKind::RateLimited, answer, false),
        400..=499 => retry(ErrorKind::Unreachable, answer, false),
        530 | 534 | 535 | 538 => Outcome::Rejected { kind: ErrorKind::Auth, reason: answer },
        500..=599 => Outcome::Rejected { kind: ErrorKind::Rejected, reason: answer },
        _ => retry(ErrorKind::Unreachable, format!("unexpected reply {answer}"), true),
    }
}

fn retry(kind: ErrorKind, reason: String, is_ambiguous: bool) -> Outcome {
    Outcome::Retry { after_ms: None, kind, reason, is_ambiguous }
}

pub(super) fn date(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.as_millis().max(0).unsigned_abs())
}

pub(super) fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

pub(super) fn part(content_type: ContentType, text: String) -> SinglePart {
    SinglePart::builder().header(content_type).header(ContentTransferEncoding::QuotedPrintable).body(text)
}

/// The same for every try. Quoted-printable text never holds `=_`, so no alert can contain it.
pub(super) fn boundary(delivery: &str) -> String {
    let hash = Sha256::digest(delivery.as_bytes());
    let hex: String = hash.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
    format!("=_wb_{hex}")
}

/// The delivery's id as the left side of a Message-ID (RFC 5322, dot-atom).
pub(super) fn message_id_local(delivery: &str) -> String {
    let mut local = String::with_capacity(delivery.len());
    for (at, byte) in delivery.bytes().enumerate() {
        let is_inner_dot = byte == b'.' && at > 0 && at + 1 < delivery.len() && !local.ends_with('.');
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'/') || is_inner_dot {
            local.push(char::from(byte));
        } else {
            local.push_str(&format!("={byte:02X}"));
        }
    }
    local
}
