//! The parameters of a list: which alerts are wanted. As there, a switch that is no boolean counts as off, and names
//! that are not known are left alone. So is `unprocessed`: here every alert is looked at when it comes.

use axum::extract::Query;
use http::Uri;
use regex::Regex;

use super::Refusal;
use crate::engine::dispatch::listing::Listed;
use crate::model::{Labels, Matcher};

/// What a request for alerts or groups asks for.
pub struct Wanted {
    pub matchers: Vec<Matcher>,
    receiver: Option<Regex>,
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

    pub fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).last()
    }

    fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// `filter`, which may come several times, one matcher each.
    pub fn filter(&self) -> Result<Vec<Matcher>, Refusal> {
        let read = |text: &str| match Matcher::parse_all(text).as_deref() {
            Ok([one]) => Ok(one.clone()),
            _ => Err(Refusal::bad(format!("bad matcher format: {text}"))),
        };
        self.all("filter").map(read).collect()
    }
}

impl Wanted {
    pub fn of(uri: &Uri) -> Result<Self, Refusal> {
        let parameters = Parameters::of(uri);
        let matchers = parameters.filter()?;
        let receiver = parameters.get("receiver").map(|text| {
            let compiled = regex::RegexBuilder::new(&format!("^(?:{text})$")).size_limit(1 << 20).build();
            compiled.map_err(|_| {
                Refusal::bad(format!("failed to parse receiver param: error parsing regexp: `^(?:{text})$`"))
            })
        });
        Ok(Self {
            matchers,
            receiver: receiver.transpose()?,
            active: parameters.switch("active"),
            silenced: parameters.switch("silenced"),
            inhibited: parameters.switch("inhibited"),
            muted: parameters.switch("muted"),
        })
    }

    pub fn receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|receiver| receiver.is_match(name))
    }

    pub fn state(&self, listed: &Listed) -> bool {
        let (is_silenced, is_inhibited) = (!listed.silenced_by.is_empty(), listed.inhibited_by.is_some());
        let is_active = !is_silenced && !is_inhibited;
        (self.active || !is_active) && (self.silenced || !is_silenced) && (self.inhibited || !is_inhibited)
    }

    pub fn any_receiver(&self, listed: &Listed) -> bool {
        self.receiver.is_none() || listed.receivers.iter().any(|name| self.receiver(name))
    }
}

pub fn all_match(matchers: &[Matcher], labels: &Labels) -> bool {
    matchers.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
}
