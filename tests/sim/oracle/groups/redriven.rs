//! A dead letter of a group that is sent once more says what nobody has said better, and calls nobody after the end.

use watchbell::engine::effect::Effect;
use watchbell::engine::input::{Command, Input};
use watchbell::model::Delivery;

use super::super::{Reached, Verdict, ensure};
use super::{Groups, Now, said};

impl Groups {
    pub(super) fn judge_redriven(
        &self,
        input: &Input,
        effects: &[Effect],
        now: &Now<'_>,
        reached: &mut Reached,
    ) -> Verdict {
        let Input::Command { command: Command::Redrive { delivery }, .. } = input else { return Ok(()) };
        let goes = |effect: &Effect| matches!(effect, Effect::Deliver(again) if again.id == delivery.id);
        if delivery.notification.group.is_none() || !effects.iter().any(goes) {
            return Ok(());
        }
        reached.note("redriven in a group");
        self.judge_newest(delivery)?;
        let Some(view) = delivery.notification.group.as_deref() else { return Ok(()) };
        let told = said(view).firing;
        let fires = now.firing.iter().any(|alert| told.contains(&alert.labels));
        ensure(fires || told.is_empty(), "groups", || format!("{} calls people after the end", delivery.id))
    }

    fn judge_newest(&self, delivery: &Delivery) -> Verdict {
        let Some(sent) = self.sent.get(&delivery.id) else { return Ok(()) };
        let newer = self.sent.iter().find(|(_, other)| other.line == sent.line && other.number > sent.number);
        ensure(newer.is_none(), "groups", || {
            format!("{} goes out again after {newer:?}, told {:?}", delivery.id, self.told.get(&sent.line))
        })
    }
}
