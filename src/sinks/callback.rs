//! What comes back from where messages went: buttons, commands, replies. A sink reads them and says how to answer, purely;
//! who is behind an account, what that person may do and what becomes of it is decided in `http/callback.rs` and in the
//! engine. That a request is the vendor's is no leave to do anything: that is the person's role.
//!
//! ```text
//! vendor ─▶ http/callback ─▶ Callbacks::hear ─▶ Wish ─▶ account → person ─▶ command ─▶ Answer ─▶ Callbacks::answer
//! ```

use http::HeaderMap;
use std::fmt;

use super::HttpRequest;
use crate::model::notification::IncidentView;
use crate::model::{IncidentState, Timestamp};
use crate::render::{Language, text};

/// One request of the other side, its body as it came.
#[derive(Clone, Copy)]
pub struct Inbound<'a> {
    pub headers: &'a HeaderMap,
    pub body: &'a [u8],
    pub now: Timestamp,
}

/// The side of a sink that is called back.
pub trait Callbacks: Send + Sync {
    /// Whether the headers can be those of the other side; asked before a byte of the body is read.
    ///
    /// # Errors
    /// When a proof is missing, or is too old.
    fn greet(&self, headers: &HeaderMap, now: Timestamp) -> Result<(), Refusal>;

    /// What the other side says.
    ///
    /// # Errors
    /// When it proves not who it is, or says nothing that can be read.
    fn hear(&self, inbound: &Inbound<'_>) -> Result<Heard, Refusal>;

    /// How the answer gets to the person.
    fn answer(&self, wish: &Wish, answer: &Answer) -> Spoken;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The proof that it is the other side is missing or wrong.
    Unauthenticated(String),
    /// It is the other side, but what it says cannot be read.
    Unreadable(String),
}

#[derive(Debug)]
pub enum Heard {
    /// The vendor asks whether somebody is there, or tells something that concerns nobody: answered as it is.
    Formality(Reply),
    Wish(Box<Wish>),
}

/// What a person wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    pub account: Account,
    pub action: Action,
    /// Tells this request from every other one; the same twice is done once.
    pub stamp: [u8; 32],
    /// Until then it may come again.
    pub valid_until: Timestamp,
    /// Where the person waits for an answer, in the sink's own words.
    pub reply_to: Option<String>,
}

/// A person as the other side knows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// What `people.<name>.accounts` holds.
    pub id: String,
    /// What people call them there.
    pub name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    Acknowledge(String),
    Resolve(String),
    AssignToMe(String),
    Escalate(String),
    /// The item that is to blame and what depends on it, for an hour.
    Mute(String),
    /// Which items may be the cause?
    AskCause(String),
    ConfirmCause {
        incident: String,
        configuration_item: String,
    },
    Comment {
        incident: String,
        text: String,
    },
    /// Of one schedule, or of all.
    WhoIsOnCall(Option<String>),
    Help,
    Unknown(String),
}

impl Action {
    /// The incident that it is about.
    pub fn incident(&self) -> Option<&str> {
        match self {
            Self::Acknowledge(incident)
            | Self::Resolve(incident)
            | Self::AssignToMe(incident)
            | Self::Escalate(incident)
            | Self::Mute(incident)
            | Self::AskCause(incident)
            | Self::ConfirmCause { incident, .. }
            | Self::Comment { incident, .. } => Some(incident),
            Self::WhoIsOnCall(_) | Self::Help | Self::Unknown(_) => None,
        }
    }

    /// What a button carries: `ack:inc-wrfhkd4vpg`.
    pub fn token(&self) -> String {
        match self {
            Self::Acknowledge(incident) => format!("ack:{incident}"),
            Self::Resolve(incident) => format!("resolve:{incident}"),
            Self::AssignToMe(incident) => format!("take:{incident}"),
            Self::Escalate(incident) => format!("escalate:{incident}"),
            Self::Mute(incident) => format!("mute:{incident}"),
            Self::AskCause(incident) => format!("cause:{incident}"),
            Self::ConfirmCause { incident, configuration_item } => format!("cause:{incident}:{configuration_item}"),
            Self::Comment { incident, text } => format!("comment:{incident}:{text}"),
            Self::WhoIsOnCall(None) => "oncall".to_owned(),
            Self::WhoIsOnCall(Some(schedule)) => format!("oncall:{schedule}"),
            Self::Help => "help".to_owned(),
            Self::Unknown(text) => text.clone(),
        }
    }

    pub fn from_token(token: &str) -> Self {
        let mut parts = token.splitn(3, ':');
        let (verb, first, second) = (parts.next().unwrap_or_default(), parts.next(), parts.next());
        Self::of(verb, first.unwrap_or_default(), second).unwrap_or_else(|| Self::Unknown(clip(token)))
    }

    /// What people type: `ack inc-wrfhkd4vpg`, `who`.
    pub fn from_words(text: &str) -> Self {
        let text = text.trim();
        let (verb, rest) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
        let (first, second) = rest.trim().split_once(char::is_whitespace).unwrap_or((rest.trim(), ""));
        let second = Some(second.trim()).filter(|second| !second.is_empty());
        Self::of(&verb.to_lowercase(), first, second).unwrap_or_else(|| Self::Unknown(clip(text)))
    }

    fn of(verb: &str, first: &str, second: Option<&str>) -> Option<Self> {
        let incident = first.to_owned();
        Some(match (verb, first.is_empty(), second) {
            ("help" | "", ..) => Self::Help,
            ("oncall" | "on-call" | "who", true, _) => Self::WhoIsOnCall(None),
            ("oncall" | "on-call" | "who", false, None) => Self::WhoIsOnCall(Some(incident)),
            ("ack" | "acknowledge", false, None) => Self::Acknowledge(incident),
            ("resolve", false, None) => Self::Resolve(incident),
            ("take" | "assign", false, None) => Self::AssignToMe(incident),
            ("escalate", false, None) => Self::Escalate(incident),
            ("mute", false, None) => Self::Mute(incident),
            ("cause", false, None) => Self::AskCause(incident),
            ("cause", false, Some(item)) => Self::ConfirmCause { incident, configuration_item: item.to_owned() },
            ("comment" | "note", false, Some(text)) => Self::Comment { incident, text: text.to_owned() },
            _ => return None,
        })
    }
}

/// Characters of something unknown that are repeated.
const UNKNOWN_CHARS_MAX: usize = 80;

fn clip(text: &str) -> String {
    text::one_line(text).chars().take(UNKNOWN_CHARS_MAX).collect()
}

/// What the person is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub text: String,
    /// What they may choose from next.
    pub choices: Vec<Button>,
    /// The message that they pressed a button of says the same in a moment.
    pub shows_in_message: bool,
}

/// The answer on its way.
#[derive(Debug)]
pub struct Spoken {
    pub reply: Reply,
    /// Where the vendor wants the words to come by a request of our own.
    pub aside: Option<HttpRequest>,
}

/// The HTTP answer to the vendor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub content_type: &'static str,
    pub body: Vec<u8>,
}

impl Reply {
    pub const fn empty() -> Self {
        Self { status: 200, content_type: "text/plain; charset=utf-8", body: Vec::new() }
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self { body: text.into().into_bytes(), ..Self::empty() }
    }

    pub fn json(value: &serde_json::Value) -> Self {
        Self { content_type: "application/json", body: value.to_string().into_bytes(), ..Self::empty() }
    }
}

/// Something to press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Button {
    pub label: String,
    pub action: Action,
    pub style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    Plain,
    /// What most people want to press.
    Primary,
    /// Not easily taken back.
    Danger,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.token())
    }
}

/// What can be done with an incident as it is, most wanted first. Nothing with a group of alerts.
pub fn buttons(incident: &IncidentView, language: Language) -> Vec<Button> {
    if incident.id.is_group() {
        return Vec::new();
    }
    let id = incident.id.to_string();
    let button = |key: &str, action: Action, style| Button { label: text::message(language, key, &[]), action, style };
    let acknowledge = || button("button-acknowledge", Action::Acknowledge(id.clone()), Style::Primary);
    let escalate = || button("button-escalate", Action::Escalate(id.clone()), Style::Plain);
    let resolve = || button("button-resolve", Action::Resolve(id.clone()), Style::Plain);
    let take = || button("button-assign-to-me", Action::AssignToMe(id.clone()), Style::Plain);
    let mute = || button("button-mute", Action::Mute(id.clone()), Style::Plain);
    let cause = || button("button-wrong-cause", Action::AskCause(id.clone()), Style::Plain);
    match incident.state {
        IncidentState::Open => vec![acknowledge(), resolve(), take(), escalate(), mute(), cause()],
        IncidentState::Acknowledged => vec![resolve(), take(), mute(), cause()],
        IncidentState::Resolved => vec![cause()],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_carries_its_action_and_people_may_type_it() {
        let incident = || "inc-wrfhkd4vpg".to_owned();
        let all = [
            Action::Acknowledge(incident()),
            Action::Resolve(incident()),
            Action::AssignToMe(incident()),
            Action::Escalate(incident()),
            Action::Mute(incident()),
            Action::AskCause(incident()),
            Action::ConfirmCause { incident: incident(), configuration_item: "db:3 east".to_owned() },
            Action::Comment { incident: incident(), text: "looking: at it".to_owned() },
            Action::WhoIsOnCall(None),
            Action::WhoIsOnCall(Some("week".to_owned())),
            Action::Help,
        ];
        for action in all {
            assert_eq!(Action::from_token(&action.token()), action);
        }
        assert_eq!(Action::from_words("  ACK   inc-wrfhkd4vpg "), Action::Acknowledge(incident()));
        assert_eq!(Action::from_words("who"), Action::WhoIsOnCall(None));
        assert_eq!(Action::from_words(""), Action::Help);
        assert_eq!(
            Action::from_words("note inc-wrfhkd4vpg on my  way"),
            Action::Comment { incident: incident(), text: "on my  way".to_owned() }
        );
        assert_eq!(Action::from_words("ack"), Action::Unknown("ack".to_owned()));
        assert_eq!(Action::from_token("ack:a:b"), Action::Unknown("ack:a:b".to_owned()));
    }
}
