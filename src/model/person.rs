//! People and teams: who can be asked, and by which ways, one after the other.

use serde::{Deserialize, Serialize};

use super::{Priority, Span};

/// A person is a receiver, too: sinks and fallback are those of the receiver with the same name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// For other people; the name of the entry without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<String>,
    /// A name of the time zone database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// How to reach them when it is urgent: P1 and P2.
    pub urgent: Vec<ContactStep>,
    /// How to reach them otherwise.
    pub normal: Vec<ContactStep>,
}

/// One step of reaching a person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactStep {
    /// After the step before; the first one after the person is asked.
    pub after: Span,
    /// Names of sinks, `anna/sms`.
    pub sinks: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Team {
    /// Names of people, or of other receivers.
    #[serde(default)]
    pub members: Vec<String>,
    /// Whoever is on call in these is asked for the team; without any all members are.
    #[serde(default)]
    pub schedules: Vec<String>,
}

impl Person {
    pub fn steps(&self, priority: Priority) -> &[ContactStep] {
        if priority <= Priority::P2 { &self.urgent } else { &self.normal }
    }
}
