//! The parameters of a list: which alerts are wanted. As there, a switch that is no boolean counts as off, and names
//! that are not known are left alone. So is `unprocessed`: here every alert is looked at when it comes.

use axum::extract::Query;
use http::Uri;

use super::Refusal;
use crate::engine::dispatch::listing::Listed;
use crate::model::matcher::MatcherError;
use crate::model::{Labels, Matcher};

/// What a request for alerts or groups asks for.
pub struct Wanted {
    pub matchers: Vec<Matcher>,
    /// A pattern of its name.
    receiver: Option<Matcher>,
    receiver_matchers: Vec<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
    /// Groups that the time of the week mutes.
    pub muted: bool,
}

pub struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub fn of(uri: &Uri) -> Self {
        Self(Query::try_from_uri(uri).map(|Query(pairs)| pairs).unwrap_or_default())
    }

    /// On unless the request says otherwise.
    pub fn switch(&self, name: &str) -> bool {
        let is_true = |text: &str| {
            matches!(
                text.to_ascii_lowercase().as_str(),
                "true" | "1" | "yes" | "ok" | "y" | "on" | "selected" | "checked" | "t" | "enabled"
            )
        };
        self.get(name).is_none_or(is_true)
    }

    /// The last one counts, and an empty one is none.
    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last().filter(|value| !value.is_empty())
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `filter`, which may come several times, one matcher each.
    pub fn filter(&self) -> Result<Vec<Matcher>, Refusal> {
        self.all("filter").map(|text| matcher(text).map_err(Refusal::bad)).collect()
    }

    /// `receiver_matchers`, the same about the labels of receivers.
    pub fn receiver_matchers(&self) -> Result<Vec<Matcher>, Refusal> {
        let refused = |why| Refusal::bad(format!("failed to parse receiver_matchers param: {why}"));
        self.all("receiver_matchers").map(|text| matcher(text).map_err(refused)).collect()
    }
}

fn matcher(text: &str) -> Result<Matcher, String> {
    if text.starts_with('{') || text.ends_with('}') {
        return Err(format!("unexpected open or close brace: {text}"));
    }
    Matcher::parse_one(text).map_err(|error| match error {
        MatcherError::Syntax(_) => format!("bad matcher format: {text}"),
        MatcherError::Regex { pattern, reason } => bad_pattern(&pattern, &reason, &format!("^(?:{pattern})$")),
    })
}

/// What Go says about a pattern, in which the faults that people make most have names of their own.
/// `whole` is what it was made of the pattern.
pub fn bad_pattern(pattern: &str, reason: &str, whole: &str) -> String {
    let whole = whole.to_owned();
    let (what, place) = match reason {
        "unclosed group" => ("missing closing )", whole),
        "unopened group" => ("unexpected )", whole),
        "unclosed character class" => {
            let start = whole.rfind('[').unwrap_or_default();
            ("missing closing ]", whole[start..].to_owned())
        }
        "repetition operator missing expression" => {
            let operator = pattern.chars().find(|c| matches!(c, '*' | '+' | '?')).unwrap_or('*');
            ("missing argument to repetition operator", operator.to_string())
        }
        other => (other, whole),
    };
    format!("error parsing regexp: {what}: `{place}`")
}

/// Whether a receiver is asked for; its labels are its name.
pub fn has_labels(wanted: &[Matcher], receiver: &str) -> bool {
    wanted.iter().all(|matcher| matcher.is_match((matcher.name == "name").then_some(receiver)))
}

impl Wanted {
    pub fn of(uri: &Uri) -> Result<Self, Refusal> {
        let parameters = Parameters::of(uri);
        let matchers = parameters.filter()?;
        let receiver = parameters.get("receiver").map(|text| {
            let pattern = Matcher::new("receiver".to_owned(), "=~", text.to_owned());
            pattern.map_err(|error| {
                let why = match error {
                    MatcherError::Regex { pattern, reason } => {
                        bad_pattern(&pattern, &reason, &format!("^(?:{pattern})$"))
                    }
                    other => other.to_string(),
                };
                Refusal::bad(format!("failed to parse receiver param: {why}"))
            })
        });
        let receiver = receiver.transpose()?;
        Ok(Self {
            matchers,
            receiver,
            receiver_matchers: parameters.receiver_matchers()?,
            active: parameters.switch("active"),
            silenced: parameters.switch("silenced"),
            inhibited: parameters.switch("inhibited"),
            muted: parameters.switch("muted"),
        })
    }

    pub fn receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|receiver| receiver.is_match(Some(name)))
            && has_labels(&self.receiver_matchers, name)
    }

    pub fn state(&self, listed: &Listed) -> bool {
        let (is_silenced, is_inhibited) = (!listed.silenced_by.is_empty(), listed.inhibited_by.is_some());
        let is_active = !is_silenced && !is_inhibited;
        (self.active || !is_active) && (self.silenced || !is_silenced) && (self.inhibited || !is_inhibited)
    }

    pub fn any_receiver(&self, listed: &Listed) -> bool {
        let is_named = |name: &String| self.receiver.as_ref().is_none_or(|receiver| receiver.is_match(Some(name)));
        let has_labels = |name: &String| has_labels(&self.receiver_matchers, name);
        (self.receiver.is_none() || listed.receivers.iter().any(is_named))
            && (self.receiver_matchers.is_empty() || listed.receivers.iter().any(has_labels))
    }
}

pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
}
