//! A sign of life for somebody else: a dead man's switch (healthchecks.io, Better Stack, …) that rings when
//! it stops. A request goes out only while the self check passes; what comes of it never holds anything up.

use std::sync::Arc;
use std::time::Duration;

use crate::config::HeartbeatSettings;
use crate::error::{ErrorKind, Secret};
use crate::runtime::deliver::Outbound;
use crate::runtime::self_check::SelfCheck;
use crate::sinks::{HttpRequest, Request, Response};
use crate::telemetry::Metrics;

pub struct Heartbeat {
    url: Secret<String>,
    every: Duration,
    timeout: Duration,
    allow_private: bool,
    outbound: Outbound,
    self_check: Arc<SelfCheck>,
    metrics: Arc<Metrics>,
}

/// What came of one beat; a word for the metric.
type Beat = Result<(), (ErrorKind, String)>;

impl Heartbeat {
    pub fn new(settings: &HeartbeatSettings, outbound: Outbound, self_check: Arc<SelfCheck>) -> Self {
        Self {
            url: settings.url.clone(),
            every: settings.every.to_std(),
            timeout: settings.timeout.to_std(),
            allow_private: settings.allow_private,
            outbound,
            metrics: self_check.metrics(),
            self_check,
        }
    }

    pub async fn run(self) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut was_good = true;
        loop {
            ticks.tick().await;
            was_good = self.beat(was_good).await;
        }
    }

    /// One beat, if there is one to send; false when it did not get through. Only a change is logged.
    async fn beat(&self, was_good: bool) -> bool {
        if !self.self_check.is_passing() {
            self.count("withheld");
            return was_good;
        }
        match self.send().await {
            Ok(()) => {
                self.count("sent");
                if !was_good {
                    tracing::info!("heartbeats get through again");
                }
                true
            }
            Err((kind, reason)) => {
                self.count(kind.as_str());
                if was_good {
                    tracing::warn!(%reason, "a heartbeat did not get through; tried again at the next one");
                }
                false
            }
        }
    }

    async fn send(&self) -> Beat {
        let request = HttpRequest {
            method: "GET",
            url: self.url.clone(),
            headers: Vec::new(),
            body: Vec::new(),
            client: None,
            timeout: None,
        };
        let answer = self.outbound.send(Request::Http(request), self.allow_private, self.timeout).await;
        match answer.map_err(|error| (error.kind, error.reason))? {
            Response::Http { status: 200..300, .. } => Ok(()),
            Response::Http { status, .. } => Err((ErrorKind::Rejected, format!("the answer was {status}"))),
            Response::Mail { .. } | Response::Written => Err((ErrorKind::Internal, "no HTTP answer".to_owned())),
        }
    }

    fn count(&self, outcome: &str) {
        self.metrics.heartbeats.with_label_values(&[outcome]).inc();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::config::SelfCheckSettings;
    use crate::model::{Span, Timestamp};
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    struct World {
        server: MockServer,
        clock: Clock,
        self_check: Arc<SelfCheck>,
        metrics: Arc<Metrics>,
        heartbeat: Heartbeat,
    }

    async fn world(allow_private: bool, status: u16) -> World {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/s3cret"))
            .respond_with(ResponseTemplate::new(status))
            .mount(&server)
            .await;
        let (clock, metrics) = (Clock::manual(Timestamp::from_millis(0)), Arc::new(Metrics::new()));
        let self_check = SelfCheck::new(&SelfCheckSettings::default(), clock.clone(), Arc::clone(&metrics));
        let settings = HeartbeatSettings {
            url: Secret::new(format!("{}/s3cret", server.uri())),
            every: Span::from_mins(1),
            timeout: Span::from_secs(10),
            allow_private,
        };
        let outbound = Outbound::new().unwrap();
        let heartbeat = Heartbeat::new(&settings, outbound, Arc::clone(&self_check));
        World { server, clock, self_check, metrics, heartbeat }
    }

    impl World {
        fn pass(&self) {
            self.self_check.pretend_passed();
        }

        async fn requests(&self) -> usize {
            self.server.received_requests().await.unwrap().len()
        }

        fn counted(&self, outcome: &str) -> u64 {
            self.metrics.heartbeats.with_label_values(&[outcome]).get()
        }
    }

    #[tokio::test]
    async fn beats_only_while_the_self_check_passes() {
        let world = world(true, 200).await;
        world.heartbeat.beat(true).await;
        assert_eq!((world.requests().await, world.counted("withheld")), (0, 1), "nothing has passed yet");
        world.pass();
        assert!(world.heartbeat.beat(true).await);
        assert_eq!((world.requests().await, world.counted("sent")), (1, 1));
        world.clock.advance(Span::from_secs(181));
        world.heartbeat.beat(true).await;
        assert_eq!((world.requests().await, world.counted("withheld")), (1, 2), "the last pass is too long ago");
        world.pass();
        world.heartbeat.beat(true).await;
        assert_eq!(world.requests().await, 2);
    }

    #[tokio::test]
    async fn what_goes_wrong_is_counted_and_holds_nothing_up() {
        let refused = world(true, 500).await;
        refused.pass();
        assert!(!refused.heartbeat.beat(true).await);
        assert_eq!((refused.requests().await, refused.counted("rejected")), (1, 1));
        let guarded = world(false, 200).await;
        guarded.pass();
        assert!(!guarded.heartbeat.beat(true).await);
        assert_eq!((guarded.requests().await, guarded.counted("invalid")), (0, 1), "a private address");
        let error = guarded.heartbeat.send().await.unwrap_err().1;
        assert!(!error.contains("s3cret"), "{error}");
    }
}
