//! A group has an open ticket where it was told to fire, and none where its end was told.

use std::collections::BTreeSet;

use watchbell::model::IncidentId;

use super::super::super::receivers::Ticket;
use super::super::{Verdict, ensure};
use super::Groups;

impl Groups {
    /// At rest.
    pub fn judge_tickets(&self, tickets: &[Ticket]) -> Verdict {
        for ((key, sink), (told_at, said)) in self.told.iter().filter(|((_, sink), _)| sink.contains("servicenow")) {
            let ids = self.ids(key, sink);
            let open =
                tickets.iter().filter(|ticket| ticket.is_open() && ticket.group().is_some_and(|id| ids.contains(&id)));
            let (open, fires) = (open.count(), !said.firing.is_empty());
            ensure(fires == (open > 0), "tickets", || {
                format!("{sink} was told of {key} at {told_at}, which fires there: {fires}; {open} tickets are open")
            })?;
        }
        Ok(())
    }

    /// Under another policy a group may have another id.
    fn ids(&self, key: &str, sink: &str) -> BTreeSet<IncidentId> {
        let of_line = self.sent.values().filter(|sent| sent.line.0 == key && sent.line.1 == sink);
        of_line.map(|sent| sent.id).collect()
    }
}
