//! A real sink that writes on each request which delivery it is for, so that a fake receiver knows what
//! the body alone does not say. Changes nothing else.

use std::borrow::Cow;

use watchbell::error::Secret;
use watchbell::model::{IncidentId, NotificationKind};
use watchbell::sinks::{Attempt, Outcome, RenderError, Request, Response, Sink};

pub struct Traced {
    pub sink: Box<dyn Sink>,
    pub name: String,
}

/// What is written on a request.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct Label {
    pub sink: String,
    /// What the delivery's id must be, from the notification itself.
    pub delivery: String,
    pub incident: IncidentId,
    pub number: u32,
    pub kind: NotificationKind,
}

const HEADER: &str = "x-simulated";

impl Sink for Traced {
    fn request(&self, attempt: &Attempt<'_>) -> Result<Request, RenderError> {
        let mut request = self.sink.request(attempt)?;
        let notification = attempt.notification;
        let label = serde_json::to_string(&Label {
            sink: self.name.clone(),
            delivery: format!("{}.{}", notification.id, self.name),
            incident: notification.incident.id,
            number: notification.number,
            kind: notification.kind,
        });
        let label = label.map_err(|error| RenderError(error.to_string()))?;
        match &mut request {
            Request::Http(request) => request.headers.push((Cow::Borrowed(HEADER), Secret::new(label))),
            Request::Line(line) => *line = label,
            Request::Mail(_) | Request::Skip(_) => {}
        }
        Ok(request)
    }

    fn outcome(&self, attempt: &Attempt<'_>, response: &Response) -> Outcome {
        self.sink.outcome(attempt, response)
    }
}

impl Label {
    /// Reads it back at the receiver's side.
    pub fn of(request: &Request) -> Self {
        let text = match request {
            Request::Http(request) => {
                let header = request.headers.iter().find(|(name, _)| name == HEADER);
                header.map(|(_, value)| value.expose().as_str())
            }
            Request::Line(line) => Some(line.as_str()),
            Request::Mail(_) | Request::Skip(_) => None,
        };
        serde_json::from_str(text.unwrap_or_default()).expect("every configured sink is traced")
    }
}
