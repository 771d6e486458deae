//! What `.` is: the group of alerts in Alertmanager's words.

use super::go_time::Time;
use super::value::{ListType, Shape, Value};
use crate::model::{AlertStatus, GroupAlert, GroupView, Labels, Timestamp};

pub static PAIR: Shape = Shape { name: "template.Pair", fields: &[("Name", "Name"), ("Value", "Value")] };

static ALERT: Shape = Shape {
    name: "template.Alert",
    fields: &[
        ("Status", "status"),
        ("Labels", "labels"),
        ("Annotations", "annotations"),
        ("StartsAt", "startsAt"),
        ("EndsAt", "endsAt"),
        ("GeneratorURL", "generatorURL"),
        ("Fingerprint", "fingerprint"),
    ],
};

static DATA: Shape = Shape {
    name: "template.Data",
    fields: &[
        ("Receiver", "receiver"),
        ("Status", "status"),
        ("Alerts", "alerts"),
        ("NotificationReason", "notification_reason"),
        ("GroupLabels", "groupLabels"),
        ("CommonLabels", "commonLabels"),
        ("CommonAnnotations", "commonAnnotations"),
        ("RouteLabels", "routeLabels"),
        ("ExternalURL", "externalURL"),
        // Only to be seen where all of it is printed.
        ("routeLabelsRendered", ""),
    ],
};

const ROUTE_LABELS: usize = 7;

/// A group of alerts as templates see it. Built once for one send.
#[derive(Clone, Debug)]
pub struct TemplateData {
    pub(super) root: Value,
    pub(super) now: Time,
    route_labels: Labels,
}

impl TemplateData {
    pub fn new(group: &GroupView, external_url: &str, now: Timestamp) -> Self {
        Self { root: root(group, external_url, &Labels::new()), now: time(now), route_labels: Labels::new() }
    }

    /// With the `labels` of the route, rendered.
    #[must_use]
    pub fn with_route_labels(mut self, labels: Labels) -> Self {
        if let Value::Struct(object) = &self.root {
            let mut fields = object.fields.clone();
            fields[ROUTE_LABELS] = kv(&labels);
            self.root = Value::of_shape(&DATA, fields);
        }
        self.route_labels = labels;
        self
    }

    /// Empty when the route has no such label.
    pub(super) fn route_label(&self, name: &str) -> Value {
        Value::text(self.route_labels.get(name).unwrap_or_default())
    }
}

fn root(group: &GroupView, external_url: &str, route_labels: &Labels) -> Value {
    let alerts = Value::list(ListType::Alerts, group.alerts.iter().map(alert).collect());
    let fields = vec![
        Value::text(quoted(&group.receiver)),
        Value::text(status(group.status())),
        alerts.unwrap_or(Value::Absent),
        Value::text(&*group.reason),
        kv(&group.labels),
        kv(&group.common_labels()),
        kv(&group.common_annotations()),
        kv(route_labels),
        Value::text(external_url),
        Value::Bool(true),
    ];
    Value::of_shape(&DATA, fields)
}

fn alert(alert: &GroupAlert) -> Value {
    let fields = vec![
        Value::text(status(alert.status)),
        kv(&alert.labels),
        kv(&alert.annotations),
        Value::Time(time(alert.starts_at)),
        Value::Time(alert.ends_at.map_or_else(Time::zero, time)),
        Value::text(alert.generator_url.as_deref().unwrap_or_default()),
        Value::text(&*alert.fingerprint),
    ];
    Value::of_shape(&ALERT, fields)
}

fn status(status: AlertStatus) -> &'static str {
    match status {
        AlertStatus::Firing => "firing",
        AlertStatus::Resolved => "resolved",
    }
}

fn kv(labels: &Labels) -> Value {
    Value::kv(labels.iter())
}

fn time(at: Timestamp) -> Time {
    Time::utc(jiff::Timestamp::from_millisecond(at.as_millis()).unwrap_or_default())
}

/// Alertmanager hands the receiver's name over as a pattern that matches it.
fn quoted(receiver: &str) -> String {
    let mut quoted = String::with_capacity(receiver.len());
    for char in receiver.chars() {
        if r"\.+*?()|[]{}^$".contains(char) {
            quoted.push('\\');
        }
        quoted.push(char);
    }
    quoted
}
