//! The task against a server that refuses what Zabbix refuses: a token where it must not be, none where it
//! must be, and what its version does not know.

use super::*;
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

use crate::engine::effect::Effect;
use crate::error::Secret;
use crate::model::Timestamp;
use crate::model::topology::EdgeKind;
use crate::runtime::inbox::{Job, Queue};

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// What the server is like; tests change it between pulls.
struct Server {
    version: (u32, u32),
    token: &'static str,
    /// Answers with this status instead.
    status: Option<u16>,
    /// Host that web1 depends on.
    behind: &'static str,
}

#[derive(Clone)]
struct Zabbix(Arc<Mutex<Server>>);

impl Respond for Zabbix {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let server = self.0.lock();
        if let Some(status) = server.status {
            return ResponseTemplate::new(status).insert_header("location", "/elsewhere");
        }
        let header = |name: &str| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if request.method.as_str() != "POST" || header("content-type") != "application/json-rpc" {
            return ResponseTemplate::new(412);
        }
        let Ok(call) = serde_json::from_slice::<Value>(&request.body) else {
            return error(-32700, "Invalid JSON. An error occurred on the server while parsing the JSON text.");
        };
        match server.answer(&call, header("authorization")) {
            Ok(result) => {
                ResponseTemplate::new(200).set_body_json(json!({ "jsonrpc": "2.0", "result": result, "id": 1 }))
            }
            Err((code, data)) => error(code, &data),
        }
    }
}

fn error(code: i64, data: &str) -> ResponseTemplate {
    let error = json!({ "code": code, "message": "Invalid params.", "data": data });
    ResponseTemplate::new(200).set_body_json(json!({ "jsonrpc": "2.0", "error": error, "id": 1 }))
}

impl Server {
    fn answer(&self, call: &Value, authorization: &str) -> Result<Value, (i64, String)> {
        let method = call["method"].as_str().unwrap_or_default();
        let in_body = call.get("auth").and_then(Value::as_str);
        if in_body.is_some() && self.version >= (7, 2) {
            return Err((-32600, "Invalid parameter \"/\": unexpected parameter \"auth\".".to_owned()));
        }
        if method == "apiinfo.version" {
            let (major, minor) = self.version;
            return match (in_body, authorization) {
                (None, "") => Ok(json!(format!("{major}.{minor}.3"))),
                _ => Err((-32602, format!("The \"{method}\" method must be called without the \"auth\" parameter."))),
            };
        }
        let in_header = authorization.strip_prefix("Bearer ").filter(|_| self.version >= (6, 4));
        if in_header.or(in_body) != Some(self.token) {
            return Err((-32602, "Not authorized.".to_owned()));
        }
        match method {
            "host.get" => self.hosts(&call["params"]),
            "trigger.get" => Ok(self.triggers(&call["params"])),
            _ => Err((-32601, format!("Incorrect method \"{method}\"."))),
        }
    }

    fn hosts(&self, params: &Value) -> Result<Value, (i64, String)> {
        let is_old_way = params.get("selectGroups").is_some();
        if is_old_way && self.version >= (7, 2) {
            return Err((-32602, "Invalid parameter \"/\": unexpected parameter \"selectGroups\".".to_owned()));
        }
        let answered = if is_old_way { "groups" } else { "hostgroups" };
        let is_known = is_old_way || self.version >= (6, 2);
        if params.get("hostids").is_none() {
            return Ok(json!([{ "hostid": "1" }, { "hostid": "2" }, { "hostid": "3" }]));
        }
        let host = |id: &str, name: &str| {
            let mut host =
                json!({ "hostid": id, "host": name, "name": name, "status": "0", "flags": "0", "interfaces": [] });
            if is_known {
                host[answered] = json!([{ "name": "lab" }]);
            }
            host
        };
        Ok(json!([host("1", "rtr1"), host("2", "web1"), host("3", "rtr2")]))
    }

    fn triggers(&self, params: &Value) -> Value {
        if params.get("dependent").is_some() {
            return json!([{ "triggerid": "20", "hosts": [{ "hostid": "2" }], "dependencies": [{ "triggerid": "10" }] }]);
        }
        let behind = if self.behind == "rtr1" { "1" } else { "3" };
        json!([{ "triggerid": "10", "hosts": [{ "hostid": behind }] }])
    }
}

/// A puller, the server it asks, and what reaches the writer.
struct World {
    server: MockServer,
    zabbix: Zabbix,
    context: Context,
    inputs: mpsc::UnboundedReceiver<(Option<String>, Input)>,
}

async fn world(version: (u32, u32)) -> World {
    let server = MockServer::start().await;
    let zabbix = Zabbix(Arc::new(Mutex::new(Server { version, token: TOKEN, status: None, behind: "rtr1" })));
    Mock::given(any()).respond_with(zabbix.clone()).mount(&server).await;
    let (driver, queue) = Handle::channel(100);
    let (seen, inputs) = mpsc::unbounded_channel();
    tokio::spawn(write(queue, seen));
    let context = Context {
        driver,
        outbound: Outbound::new().unwrap(),
        clock: Clock::manual(Timestamp::from_millis(60_000)),
        metrics: Arc::new(Metrics::new()),
    };
    World { server, zabbix, context, inputs }
}

/// Steps an engine with whatever comes, as the writer would.
async fn write(mut queue: Queue, seen: mpsc::UnboundedSender<(Option<String>, Input)>) {
    let mut state = State::restore(Default::default()).unwrap();
    while let Some(mut job) = queue.recv().await {
        let mut reply = None;
        match &mut job {
            Job::Input { input, source, .. } => {
                let _ = seen.send((source.clone(), (**input).clone()));
                let effects = crate::engine::step(&mut state, Timestamp::from_millis(60_000), (**input).clone());
                reply = effects.into_iter().find_map(|effect| match effect {
                    Effect::Reply(reply) => Some(reply),
                    _ => None,
                });
            }
            Job::Look { question, .. } => question.ask(&state),
            other => panic!("{other:?}"),
        }
        job.answer(Ok(Receipt { position: 1, reply }));
    }
}

impl World {
    fn settings(&self) -> ZabbixSettings {
        ZabbixSettings {
            endpoint: format!("{}/zabbix/api_jsonrpc.php", self.server.uri()),
            token: Secret::new(TOKEN.to_owned()),
            every: Span::from_mins(10),
            timeout: Span::from_secs(10),
            allow_private: true,
        }
    }

    fn puller(&self) -> Puller {
        Puller::new("zabbix/lab", self.settings(), self.context.clone())
    }

    /// The topology that was handed over last; fails when another input was.
    fn handed_over(&mut self) -> Option<TopologyFile> {
        let (source, input) = self.inputs.try_recv().ok()?;
        assert_eq!(source.as_deref(), Some("zabbix/lab"), "it waits for its turn");
        let Input::Command { by, command: Command::PutTopology { origin, topology } } = input else {
            panic!("{input:?}")
        };
        assert_eq!((by.name.as_str(), by.role, origin.as_str()), ("zabbix/lab", Role::Admin, "zabbix/lab"));
        Some(*topology)
    }

    /// Whether people hear of it.
    async fn is_alerting(&self) -> bool {
        let fires = |state: &State| state.alerts().any(|alert| alert.is_firing() && &*alert.name == TOPOLOGY_ALERT);
        self.context.driver.look(fires).await.unwrap()
    }

    fn counted(&self, outcome: &str) -> u64 {
        self.context.metrics.topology_pulls.with_label_values(&["zabbix/lab", outcome]).get()
    }
}

fn dependencies(topology: &TopologyFile) -> Vec<String> {
    let edges = topology.edges.iter().filter(|edge| edge.kind == EdgeKind::DependsOn);
    edges.map(|edge| format!("{} -> {}", edge.from, edge.to)).collect()
}

#[tokio::test]
async fn every_version_is_asked_as_it_wants_to_be() {
    for version in [(6, 0), (6, 2), (6, 4), (7, 0), (7, 2), (7, 4), (8, 0)] {
        let mut world = world(version).await;
        let mut puller = world.puller();
        puller.round().await;
        let topology = world.handed_over().unwrap_or_else(|| panic!("{version:?} gave nothing"));
        assert_eq!(dependencies(&topology), ["web1 -> rtr1"], "{version:?}");
        assert_eq!(topology.nodes.len(), 4, "three hosts and their group: {version:?}");
        assert_eq!(world.counted("changed"), 1);
        let text = world.context.metrics.render().unwrap();
        assert!(text.contains(r#"watchbell_topology_last_pull_timestamp_seconds{origin="zabbix/lab"} 60"#), "{text}");
    }
}

#[tokio::test]
async fn only_what_has_changed_is_handed_over() {
    let mut world = world((7, 0)).await;
    let mut puller = world.puller();
    let pause = puller.round().await;
    assert!((540_000..=660_000).contains(&pause.as_millis()), "ten minutes, more or less: {pause}");
    assert!(world.handed_over().is_some());
    puller.round().await;
    assert_eq!((world.handed_over(), world.counted("unchanged")), (None, 1));
    world.zabbix.0.lock().behind = "rtr2";
    puller.round().await;
    assert_eq!(dependencies(&world.handed_over().unwrap()), ["web1 -> rtr2"]);
}

#[tokio::test]
async fn failures_keep_what_is_known_and_are_told_after_the_third() {
    let mut world = world((6, 0)).await;
    let mut puller = world.puller();
    puller.round().await;
    assert!(world.handed_over().is_some());
    world.zabbix.0.lock().token = "another";
    let pauses = [puller.round().await, puller.round().await].map(|pause| pause.as_millis());
    assert!((27_000..=33_000).contains(&pauses[0]) && (54_000..=66_000).contains(&pauses[1]), "{pauses:?}");
    assert!(world.inputs.try_recv().is_err(), "nothing is taken back");
    puller.round().await;
    let (source, input) = world.inputs.try_recv().unwrap();
    let Input::Events { events } = input else { panic!("{input:?}") };
    let event = &events[0];
    assert_eq!((source, event.source.as_str(), event.name.as_str()), (None, system::SOURCE, TOPOLOGY_ALERT));
    let summary = event.annotations.get("summary").unwrap();
    assert!(summary.contains("Not authorized.") && !summary.contains(TOKEN), "{summary}");
    assert!(world.is_alerting().await);
    puller.round().await;
    assert!(world.inputs.try_recv().is_err(), "once is enough");
    assert_eq!(world.counted("auth"), 4);
    world.zabbix.0.lock().token = TOKEN;
    puller.round().await;
    assert!(world.handed_over().is_some(), "the same once more, which ends the alert");
    assert!(!world.is_alerting().await);
    puller.round().await;
    assert_eq!(world.handed_over(), None);
}

#[tokio::test]
async fn a_redirect_leads_nowhere_and_the_token_goes_only_where_it_belongs() {
    let world = world((7, 0)).await;
    world.zabbix.0.lock().status = Some(302);
    let error = world.puller().pull().await.unwrap_err();
    insta::assert_snapshot!(error, @"the web server answered with status 302");
    let requests = world.server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    assert!(!String::from_utf8_lossy(&requests[0].body).contains(TOKEN), "not before the version is known");
    assert!(!format!("{:?}", world.puller()).contains(TOKEN));
}

#[tokio::test]
async fn private_addresses_need_leave() {
    let world = world((7, 0)).await;
    let settings = ZabbixSettings { allow_private: false, ..world.settings() };
    let error = Puller::new("zabbix/lab", settings, world.context.clone()).pull().await.unwrap_err();
    assert!(error.reason.contains("private address") && error.kind == ErrorKind::Invalid, "{error}");
    assert!(world.server.received_requests().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_server_that_is_away_is_unreachable() {
    let world = world((7, 0)).await;
    let settings = ZabbixSettings { endpoint: "http://127.0.0.1:1/api_jsonrpc.php".to_owned(), ..world.settings() };
    let error = Puller::new("zabbix/lab", settings, world.context.clone()).pull().await.unwrap_err();
    assert_eq!((error.kind, error.hint), (ErrorKind::Unreachable, UNREACHED));
}

#[tokio::test]
async fn a_reload_starts_changes_and_ends_pulls() {
    let mut world = world((7, 0)).await;
    let mut pullers = Pullers::new(world.context.clone());
    let mut wanted = BTreeMap::from([("lab".to_owned(), world.settings())]);
    let origin_of = |input: Input| match input {
        Input::Command { command: Command::PutTopology { origin, .. }, .. } => format!("put {origin}"),
        Input::Command { command: Command::RemoveTopology { origin }, .. } => format!("remove {origin}"),
        other => panic!("{other:?}"),
    };
    pullers.apply(&wanted).await;
    assert_eq!(origin_of(world.inputs.recv().await.unwrap().1), "put zabbix/lab");
    pullers.apply(&wanted).await;
    wanted.get_mut("lab").unwrap().every = Span::from_mins(5);
    pullers.apply(&wanted).await;
    assert_eq!(origin_of(world.inputs.recv().await.unwrap().1), "put zabbix/lab", "a new task knows of nothing");
    // What a person told under such a name is the person's, and what was pulled in another life is not.
    for (by, origin) in [("ada", "zabbix/hers"), ("zabbix/old", "zabbix/old")] {
        let by = Principal { name: by.to_owned(), role: Role::Admin };
        let topology = serde_json::from_value(json!({ "nodes": [{ "id": "a" }] })).unwrap();
        let command = Command::PutTopology { origin: origin.to_owned(), topology };
        world.context.driver.submit(Input::Command { by, command }, None).await.unwrap();
        world.inputs.try_recv().unwrap();
    }
    pullers.apply(&wanted).await;
    assert_eq!(origin_of(world.inputs.recv().await.unwrap().1), "remove zabbix/old");
    pullers.apply(&BTreeMap::new()).await;
    assert_eq!(origin_of(world.inputs.recv().await.unwrap().1), "remove zabbix/lab");
    assert!(!world.context.metrics.render().unwrap().contains("last_pull_timestamp_seconds{"));
    assert!(world.inputs.try_recv().is_err());
}
