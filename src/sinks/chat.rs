//! What the sinks of chats share: which request comes next, what is worth more than an edit, colours, keys.
//!
//! A chat shows one message for each incident, kept up to date, and tells news as replies to it. A sink
//! differs from the others in how it says so, and in what its vendor cannot do.
//!
//! ```text
//! MESSAGE ─ no message known ──▶ post ──▶ done
//!         └ message known ─────▶ edit ─┬ quiet ──▶ done
//!                                │     └ REPLY ──▶ reply ──▶ done
//!                                └ gone ──▶ ANEW ──▶ post ──▶ done
//! markup refused ──▶ PLAIN: as MESSAGE, but text only
//! ```

use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{Attempt, Outcome, Response, Setting, http_failure, quote};
use crate::error::{ConfigError, ErrorKind, Secret};
use crate::model::notification::IncidentView;
use crate::model::{IncidentState, NotificationKind, Priority};

/// Show the present state: post or edit.
pub(super) const MESSAGE: u16 = 0;
/// Tell the news in the thread.
pub(super) const REPLY: u16 = 1;
/// The message can no longer be edited: post another.
pub(super) const ANEW: u16 = 2;
/// As [`MESSAGE`], without markup.
pub(super) const PLAIN: u16 = 3;

/// The next request; `M` is what the sink remembers of the incident's message.
pub(super) enum Call<M> {
    Post,
    Edit(M),
    Reply(M),
}

pub(super) fn call<M: DeserializeOwned>(attempt: &Attempt<'_>) -> Call<M> {
    let progress = attempt.progress;
    let known = progress.remote.as_deref().and_then(|remote| serde_json::from_str(remote).ok());
    match (progress.step, known) {
        (REPLY, Some(message)) => Call::Reply(message),
        (MESSAGE | PLAIN, Some(message)) => Call::Edit(message),
        _ => Call::Post,
    }
}

/// Why a sink that cannot edit says nothing.
pub(super) const CANNOT_EDIT: &str = "this cannot be edited, and this is no reason for another message";

/// Worth a reply in the thread, or where nothing can be edited a message of its own.
pub(super) const fn is_news(kind: NotificationKind) -> bool {
    kind.is_loud() || kind.is_final() || kind.is_about_problem() || matches!(kind, NotificationKind::Acknowledged)
}

/// Shown in the channel too, not only to those who follow the thread.
pub(super) const fn is_for_everyone(kind: NotificationKind) -> bool {
    matches!(kind, NotificationKind::Escalated | NotificationKind::SlaThreshold | NotificationKind::Reopened)
}

/// The message shows the present state; whether that was all.
pub(super) fn edited(attempt: &Attempt<'_>, name: &str) -> Outcome {
    if is_news(attempt.notification.kind) {
        return Outcome::Next { remote: None, step: REPLY };
    }
    delivered(attempt.progress.remote.clone(), "updated", name)
}

pub(super) fn replied(attempt: &Attempt<'_>, name: &str) -> Outcome {
    delivered(attempt.progress.remote.clone(), "replied", name)
}

/// The message is gone or closed for good.
pub(super) const fn anew() -> Outcome {
    Outcome::Next { remote: None, step: ANEW }
}

pub(super) fn delivered(remote: Option<String>, what: &str, name: &str) -> Outcome {
    Outcome::Delivered { remote, proof: format!("{what} {}", quote(name, &[])).trim_end().to_owned() }
}

/// It may be there, and we were not told so.
pub(super) fn unclear(reason: String) -> Outcome {
    Outcome::Retry { after_ms: None, kind: ErrorKind::Unreachable, reason, is_ambiguous: true }
}

/// A status that is not success, with what the vendor said about it, from which the secrets are taken out,
/// and the pause it asked for in the body.
pub(super) fn refused(
    status: u16,
    response: &Response,
    vendor: &str,
    said: &str,
    secrets: &[&str],
    pause_ms: Option<u64>,
) -> Outcome {
    let mut outcome = match status {
        // A success that the sink could not make out.
        100..=299 => unclear(format!("{vendor} answered {status} with something else than expected")),
        _ => http_failure(status, response, vendor),
    };
    let said = quote(said, secrets);
    if let Outcome::Retry { reason, .. } | Outcome::Rejected { reason, .. } = &mut outcome
        && !said.is_empty()
    {
        reason.push_str(": ");
        reason.push_str(&said);
    }
    if let Outcome::Retry { after_ms, .. } = &mut outcome {
        *after_ms = (*after_ms).max(pause_ms);
    }
    outcome
}

/// Seconds as a vendor's JSON has them, whole or not, rounded up.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Saturates, and a negative pause is none.
pub(super) fn seconds_ms(value: &serde_json::Value) -> Option<u64> {
    value.as_f64().map(|seconds| (seconds * 1_000.0).ceil() as u64)
}

/// `#rrggbb` as a number: by priority, green once it is over.
pub(super) fn colour(incident: &IncidentView) -> u32 {
    match incident.state {
        IncidentState::Resolved | IncidentState::Closed | IncidentState::Merged => 0x2e_a0_43,
        _ => match incident.priority {
            Priority::P1 => 0xb3_1d_28,
            Priority::P2 => 0xe3_62_09,
            Priority::P3 => 0xf2_c7_44,
            Priority::P4 => 0x1f_6f_eb,
            Priority::P5 => 0x6e_77_81,
        },
    }
}

pub(super) fn colour_hex(incident: &IncidentView) -> String {
    format!("#{:06x}", colour(incident))
}

/// The same for every try of one request of one delivery, and for nothing else: `length` hex digits, up to 64.
pub(super) fn key(setting: &Setting, attempt: &Attempt<'_>, length: usize) -> String {
    // What is posted without markup takes the place of what was refused, so it may not be taken for it.
    digest(&[&setting.instance, attempt.delivery, &attempt.progress.step.to_string()], length)
}

/// The same for all deliveries of one incident to one sink.
pub(super) fn incident_key(setting: &Setting, attempt: &Attempt<'_>, length: usize) -> String {
    digest(&[&setting.instance, &setting.sink, &attempt.notification.incident.id.to_string()], length)
}

fn digest(parts: &[&str], length: usize) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    let mut hex: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(length);
    hex
}

/// A value for a header.
pub(super) fn read_token(key: &str, token: Secret<String>) -> Result<Secret<String>, ConfigError> {
    let token = token.expose().trim();
    if token.is_empty() || http::HeaderValue::from_str(token).is_err() {
        return Err(ConfigError::new(key, "expected visible ASCII characters (its value is not shown)"));
    }
    Ok(Secret::new(token.to_owned()))
}

/// What stands in a path or names something: no more than letters, digits and `allowed`.
pub(super) fn read_name(key: &str, text: &str, allowed: &str, what: &str) -> Result<String, ConfigError> {
    let text = text.trim();
    let is_good = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || allowed.contains(c));
    match is_good {
        true => Ok(text.to_owned()),
        false => Err(ConfigError::new(key, format!("expected {what}, got `{text}`"))),
    }
}

#[cfg(test)]
pub(super) mod tests;
