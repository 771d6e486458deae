//! Something that people or machines altered on purpose: a deployment, a commit that went live, a flag that was
//! switched. What changed shortly before a fault, on the way to its root, is the first suspect.
//!
//! A change is told of several times, once for each state it comes to. Decides how those become one:
//!
//! ```text
//! planned 14:00 → started 13:58 → succeeded 14:03      at 13:58, state succeeded, state_at 14:03
//! ```

use serde::{Deserialize, Serialize};

use super::Timestamp;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeKind {
    /// Another version runs.
    #[default]
    Deploy,
    /// Source or configuration as code that is live once it is merged.
    Commit,
    /// A feature flag or another switch.
    Flag,
    /// Settings of a component.
    Config,
    /// Planned work on infrastructure, with or without a ticket.
    Maintenance,
}

impl ChangeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deploy => "deploy",
            Self::Commit => "commit",
            Self::Flag => "flag",
            Self::Config => "config",
            Self::Maintenance => "maintenance",
        }
    }
}

/// In the order in which a change goes through them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeState {
    /// Not begun yet; `at` is when it is to begin.
    Planned,
    /// Under way.
    Started,
    /// In effect. What a change is that comes without a state.
    #[default]
    Succeeded,
    /// Ended otherwise than intended; part of it may be in effect.
    Failed,
    /// Taken back, which is a change again.
    RolledBack,
}

impl ChangeState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Started => "started",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Change {
    /// Unique within its source; the same change told again carries the same id.
    pub id: String,
    /// When it first touched anything, by the clock of whoever told us; while it is planned, when it shall.
    pub at: Timestamp,
    /// When it first reached us, by our clock.
    pub received_at: Timestamp,
    /// Name of the source instance, for example `argocd`.
    pub source: String,
    pub kind: ChangeKind,
    #[serde(default)]
    pub state: ChangeState,
    /// When it came to that state, where that is not `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_at: Option<Timestamp>,
    /// The component it altered, as the source names it; `engine/normalize.rs` resolves it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub configuration_item: Option<String>,
    /// The service it altered, where no single component is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Version, commit or ticket.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub summary: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// Bytes of an id, an item, a service, a reference, an author.
pub const NAME_BYTES_MAX: usize = 1_024;
/// Bytes of a summary or a link.
pub const TEXT_BYTES_MAX: usize = 4_096;

impl Change {
    /// When it came to its present state.
    pub fn state_at(&self) -> Timestamp {
        self.state_at.unwrap_or(self.at)
    }

    /// What tells it from the changes of every source.
    pub fn key(&self) -> String {
        format!("{}/{}", self.source, self.id)
    }

    /// Takes in what was said of the same change later. What is known stays where nothing was said:
    ///
    /// - `at` is the earliest time at which it touched anything: a fault during a long deployment comes after it.
    /// - The state is that of the latest time, at one time the further one; a late delivery takes nothing back.
    /// - A plan gives way to whatever happened, and is replaced by another plan.
    /// - Texts and names are those of the telling whose state counts.
    pub fn fold(&mut self, said: Self) {
        let is_planned = |change: &Self| change.state == ChangeState::Planned;
        let counts = match (is_planned(self), is_planned(&said)) {
            (true, _) => true,
            (false, true) => false,
            (false, false) if self.state == said.state => said.state_at() < self.state_at(),
            (false, false) => (said.state_at(), said.state) > (self.state_at(), self.state),
        };
        let at = match (is_planned(self), is_planned(&said)) {
            (true, _) => said.at,
            (false, true) => self.at,
            (false, false) => self.at.min(said.at),
        };
        let received_at = self.received_at.min(said.received_at);
        let known = if counts { std::mem::replace(self, said) } else { said };
        let state_at = self.state_at();
        (self.at, self.received_at, self.state_at) = (at, received_at, Some(state_at).filter(|moment| *moment != at));
        self.configuration_item = self.configuration_item.take().or(known.configuration_item);
        self.service = self.service.take().or(known.service);
        self.reference = self.reference.take().or(known.reference);
        self.author = self.author.take().or(known.author);
        self.url = self.url.take().or(known.url);
        if self.summary.is_empty() {
            self.summary = known.summary;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(state: ChangeState, at: i64) -> Change {
        Change {
            id: "deploy-1".into(),
            at: Timestamp::from_millis(at),
            received_at: Timestamp::from_millis(at),
            source: "ci".into(),
            kind: ChangeKind::Deploy,
            state,
            state_at: None,
            configuration_item: Some("shop-web".into()),
            service: None,
            reference: None,
            summary: String::new(),
            author: None,
            url: None,
        }
    }

    fn folded(tellings: impl IntoIterator<Item = Change>) -> (ChangeState, i64, i64) {
        let mut tellings = tellings.into_iter();
        let mut change = tellings.next().unwrap();
        tellings.for_each(|said| change.fold(said));
        (change.state, change.at.as_millis(), change.state_at().as_millis())
    }

    use ChangeState::{Failed, Planned, RolledBack, Started, Succeeded};

    #[test]
    fn goes_through_its_states_and_keeps_the_time_it_began() {
        let all = [told(Planned, 1_400), told(Started, 1_358), told(Succeeded, 1_403), told(RolledBack, 1_420)];
        assert_eq!(folded(all[..1].to_vec()), (Planned, 1_400, 1_400));
        assert_eq!(folded(all[..2].to_vec()), (Started, 1_358, 1_358));
        assert_eq!(folded(all[..3].to_vec()), (Succeeded, 1_358, 1_403));
        assert_eq!(folded(all.to_vec()), (RolledBack, 1_358, 1_420));
    }

    #[test]
    fn what_is_late_takes_nothing_back() {
        assert_eq!(folded([told(Succeeded, 3), told(Planned, 9)]), (Succeeded, 3, 3));
        assert_eq!(folded([told(Succeeded, 3), told(Started, 1)]), (Succeeded, 1, 3));
        assert_eq!(folded([told(Failed, 3), told(Succeeded, 3)]), (Failed, 3, 3));
        // Told once more, at another time of receipt.
        assert_eq!(folded([told(Succeeded, 3), told(Succeeded, 9)]), (Succeeded, 3, 3));
    }

    #[test]
    fn it_can_be_planned_anew_and_tried_again() {
        assert_eq!(folded([told(Planned, 5), told(Planned, 2)]), (Planned, 2, 2));
        assert_eq!(folded([told(Started, 1), told(Failed, 2), told(Started, 3)]), (Started, 1, 3));
    }

    #[test]
    fn what_was_said_once_stays_known() {
        let first = Change { author: Some("ada".into()), summary: "v2".into(), ..told(Started, 1) };
        let second = Change { reference: Some("v2.1".into()), configuration_item: None, ..told(Succeeded, 2) };
        let mut change = first;
        change.fold(second);
        let Change { author, summary, reference, configuration_item, .. } = change;
        assert_eq!((author.as_deref(), summary.as_str()), (Some("ada"), "v2"));
        assert_eq!((reference.as_deref(), configuration_item.as_deref()), (Some("v2.1"), Some("shop-web")));
    }

    #[test]
    fn reads_what_says_no_state() {
        let json =
            r#"{"id":"1","at":"2026-11-21T05:00:00Z","received_at":"2026-11-21T05:00:00Z","source":"s","kind":"flag"}"#;
        let change: Change = serde_json::from_str(json).unwrap();
        assert_eq!((change.state, change.state_at()), (Succeeded, change.at));
    }

    proptest! {
        #[test]
        fn the_order_of_arrival_and_repetitions_do_not_matter(
            tellings in proptest::collection::vec((1..5usize, 0..6i64), 1..6),
            order in any::<proptest::sample::Index>(),
        ) {
            const STATES: [ChangeState; 5] = [Planned, Started, Succeeded, Failed, RolledBack];
            // One time for each state, as a sender has it; equal ones are repetitions.
            let mut times = [None; 5];
            let all: Vec<Change> = tellings
                .iter()
                .map(|(state, at)| told(STATES[*state], *times[*state].get_or_insert(*at)))
                .collect();
            let expected = folded(all.clone());
            let mut turned = all.clone();
            turned.rotate_left(order.index(all.len()));
            turned.extend(all);
            prop_assert_eq!(folded(turned), expected);
        }
    }
}
