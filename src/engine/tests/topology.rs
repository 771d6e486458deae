//! What is pushed of the topology: taken once, united with the rest, kept over a restart, gone when removed.

use super::scenario::{Scenario, snapshot};
use super::{CRITICAL, lab};
use crate::engine::input::{Command, Input, Principal, Reply, Role};
use crate::engine::policy::Policy;
use crate::engine::state::State;
use crate::engine::survey::{ItemView, OriginDocument, Overview, Survey};
use crate::model::event::EventStatus;
use crate::model::topology::TopologyFile;
use crate::model::{Event, Labels, Span};
use serde_json::{Value, json};

fn command(s: &mut Scenario, role: Role, command: Command) -> Reply {
    let by = Principal { name: "sync".to_owned(), role };
    s.input(Input::Command { by, command });
    s.replies.pop().unwrap()
}

fn put(s: &mut Scenario, origin: &str, topology: Value) -> Reply {
    let topology: Box<TopologyFile> = serde_json::from_value(topology).unwrap();
    command(s, Role::Admin, Command::PutTopology { origin: origin.into(), topology })
}

fn remove(s: &mut Scenario, origin: &str) -> Reply {
    command(s, Role::Admin, Command::RemoveTopology { origin: origin.into() })
}

fn done(origin: &str) -> Reply {
    Reply::Done(origin.into())
}

fn overview(state: &State) -> Overview {
    Survey::of(state).finish()
}

/// The versions of all, of the files, and of each pushed origin.
fn versions(state: &State) -> (u64, Option<u64>, Vec<(String, u64)>) {
    let origins = state.origins();
    let pushed = origins.pushed().map(|(name, origin)| (name.clone(), origin.stamp.version));
    (origins.version(), origins.files().map(|stamp| stamp.version), pushed.collect())
}

fn around(state: &State, item: &str) -> Vec<String> {
    let view = ItemView::of(state, item, 3).unwrap();
    view.near.iter().map(|near| format!("{:?} {} {}", near.kinship, near.distance, near.item)).collect()
}

/// A shop in front of the lab's first host, and what is below that host's router.
fn cmdb() -> Value {
    json!({
        "nodes": [{"id": "shop", "service": "shop"}, {"id": "web1", "tier": 1, "owner": "team-web"}],
        "edges": [{"from": "shop", "to": "web1"}, {"from": "rtr1", "to": "ups1"}],
    })
}

#[test]
fn an_origin_joins_the_files_and_goes_again() {
    let mut s = Scenario::new(lab());
    assert_eq!(versions(&s.state), (1, Some(1), vec![]));
    assert_eq!(put(&mut s, "cmdb", cmdb()), done("cmdb"));
    assert_eq!(versions(&s.state), (2, Some(1), vec![("cmdb".into(), 2)]));
    assert_eq!(around(&s.state, "web1"), ["Dependency 1 rtr1", "Dependency 2 ups1", "Dependant 1 shop"]);
    assert!(s.says("topology cmdb: 4 items and 2 dependencies more"), "{:#?}", s.timeline);
    let now = overview(&s.state);
    assert_eq!((now.node_count, now.edge_count, now.cycle_count), (7, 5, 0));

    let edges = json!([{"from": "shop", "to": "web1"}, {"from": "shop", "to": "web2"}]);
    let other = json!({"nodes": [{"id": "shop", "service": "store"}], "edges": edges});
    assert_eq!(put(&mut s, "cmdb", other), done("cmdb"));
    assert_eq!(around(&s.state, "web1"), ["Dependency 1 rtr1", "Dependant 1 shop"]);
    let text = "topology cmdb: 1 item and 1 dependency more, 2 items and 1 dependency fewer, 1 item described anew";
    assert!(s.says(text), "{:#?}", s.timeline);

    assert_eq!(remove(&mut s, "cmdb"), done("cmdb"));
    assert_eq!(around(&s.state, "web1"), ["Dependency 1 rtr1"]);
    assert!(ItemView::of(&s.state, "shop", 1).is_none());
    assert_eq!(versions(&s.state), (4, Some(1), vec![]));
    assert_eq!(remove(&mut s, "cmdb"), Reply::NotFound("cmdb".into()));
    assert!(s.says("topology cmdb is removed: 3 items and 2 dependencies fewer"), "{:#?}", s.timeline);
}

#[test]
fn the_same_again_in_whatever_order_leaves_no_trace() {
    let mut s = Scenario::new(lab());
    put(&mut s, "cmdb", cmdb());
    let (before, said) = (snapshot(&s.changes), s.timeline.len());
    s.pass(Span::from_mins(5));
    let mut same = cmdb();
    for list in ["nodes", "edges"] {
        same[list].as_array_mut().unwrap().reverse();
    }
    same["edges"]
        .as_array_mut()
        .unwrap()
        .extend([json!({"from": "shop", "to": "web1"}), json!({"from": "a", "to": "a"})]);
    assert_eq!(put(&mut s, "cmdb", same), Reply::Already("cmdb".into()));
    assert_eq!((snapshot(&s.changes), s.timeline.len()), (before, said));
}

#[test]
fn only_an_admin_tells_and_only_what_is_sound_is_taken() {
    let mut s = Scenario::new(lab());
    let topology = Box::<TopologyFile>::default();
    let refused = command(&mut s, Role::Responder, Command::PutTopology { origin: "cmdb".into(), topology });
    assert_eq!(refused, Reply::Refused("topology.put needs the role admin, sync is responder".into()));
    let refused = command(&mut s, Role::Responder, Command::RemoveTopology { origin: "cmdb".into() });
    assert!(matches!(refused, Reply::Refused(_)));
    let mut whys = Vec::new();
    for (origin, topology) in [
        ("files", cmdb()),
        ("a b", cmdb()),
        ("cmdb", json!({"nodes": [{"id": "a"}, {"id": "a"}]})),
        ("cmdb", json!({"edges": [{"from": "", "to": "a"}]})),
    ] {
        let Reply::Refused(why) = put(&mut s, origin, topology) else { panic!("{origin} was taken") };
        whys.push(why);
    }
    insta::assert_snapshot!(whys.join("\n"), @"
    `origin`: expected a name other than `files` and `monitors`, which are taken, got `files`
    `origin`: expected 1 to 64 of `a` to `z`, `0` to `9`, `.`, `_`, `/` and `-`, a letter or a digit first, got `a b`
    `nodes[1].id`: expected an id that `nodes[0]` does not have, got `a`
    `edges[0].from`: expected 1 to 256 bytes, got an empty text
    ");
    assert_eq!(versions(&s.state), (1, Some(1), vec![]));
}

#[test]
fn there_is_an_end_to_what_all_origins_may_tell() {
    let mut s = Scenario::new(lab());
    let items = |prefix: &str, count: usize| -> Value {
        (0..count).map(|number| json!({"id": format!("{prefix}{number}")})).collect()
    };
    assert_eq!(put(&mut s, "a", json!({"nodes": items("a", 150_000)})), done("a"));
    let refused = put(&mut s, "b", json!({"nodes": items("b", 50_000)}));
    let why = "expected at most 200000 items over all origins, got 50000 and 150005 of the others";
    assert_eq!(refused, Reply::Refused(why.into()));
    assert_eq!(put(&mut s, "a", json!({"nodes": items("a", 1)})), done("a"), "its own share is not counted twice");
    assert_eq!(put(&mut s, "b", json!({"nodes": items("b", 50_000)})), done("b"));
}

#[test]
fn the_files_are_believed_first_and_then_the_origins_by_name() {
    let mut policy = lab();
    policy.topology.nodes[1].owner = Some("from-files".into());
    let mut s = Scenario::new(policy);
    put(
        &mut s,
        "zabbix/prod",
        json!({"nodes": [{"id": "web1", "owner": "z", "tier": 3, "kind": "vm", "aliases": ["z"]}]}),
    );
    put(&mut s, "cmdb", json!({"nodes": [{"id": "web1", "owner": "c", "tier": 1, "aliases": ["c"]}]}));
    let item = ItemView::of(&s.state, "web1", 1).unwrap().item;
    let told = (item.owner.as_deref(), item.tier, item.kind.as_deref());
    assert_eq!(told, (Some("from-files"), Some(1), Some("vm")));
    assert_eq!(item.aliases, ["c", "z"]);
    let names: Vec<String> = overview(&s.state).origins.into_iter().map(|origin| origin.name).collect();
    assert_eq!(names, ["cmdb", "files", "zabbix/prod"]);
}

#[test]
fn other_files_are_another_version_and_another_policy_is_not() {
    let mut s = Scenario::new(Policy::default());
    assert_eq!(versions(&s.state), (0, None, vec![]));
    s.input(Input::Configured { policy: Box::new(lab()) });
    let mut policy = lab();
    policy.correlation.hops_max = 2;
    s.input(Input::Configured { policy: Box::new(policy.clone()) });
    assert_eq!(versions(&s.state), (1, Some(1), vec![]));
    put(&mut s, "cmdb", cmdb());
    policy.topology.edges.clear();
    s.input(Input::Configured { policy: Box::new(policy) });
    assert_eq!(versions(&s.state), (3, Some(3), vec![("cmdb".into(), 2)]));
    assert_eq!(around(&s.state, "web1"), ["Dependant 1 shop"], "what was pushed stays");
}

#[test]
fn a_restart_finds_it_as_it_was() {
    let mut s = Scenario::new(lab());
    put(&mut s, "cmdb", cmdb());
    put(&mut s, "gone", json!({"edges": [{"from": "a", "to": "b"}, {"from": "b", "to": "a"}]}));
    assert_eq!(overview(&s.state).cycles, [["a", "b", "a"]]);
    remove(&mut s, "gone");
    let learned = Labels::from_iter([("pod", "cart-1"), ("namespace", "shop"), ("node", "web2")]);
    fire(&mut s, "Restarts", learned);
    let restored = State::restore(snapshot(&s.changes)).unwrap();
    assert_eq!(versions(&restored), versions(&s.state));
    assert_eq!(overview(&restored), overview(&s.state));
    for item in ["web1", "rtr1", "shop", "shop/cart-1"] {
        assert_eq!(ItemView::of(&restored, item, 3), ItemView::of(&s.state, item, 3));
    }
    for origin in ["files", "monitors", "cmdb"] {
        let [one, other] = [&restored, &s.state].map(|state| OriginDocument::of(state, origin).unwrap());
        assert_eq!((one.summary.clone(), one.topology()), (other.summary.clone(), other.topology()));
    }
    assert!(OriginDocument::of(&restored, "gone").is_none());
}

#[test]
fn a_group_follows_an_edge_that_comes_and_one_that_goes() {
    let rings = |told: bool, taken_back: bool| {
        let mut s = Scenario::new(Policy::default());
        s.fire("zabbix", "san1", "disk shelf failed", CRITICAL);
        if told {
            put(&mut s, "cmdb", json!({"edges": [{"from": "db7", "to": "san1"}]}));
        }
        if taken_back {
            remove(&mut s, "cmdb");
        }
        s.pass(Span::from_secs(2));
        s.fire("prometheus", "db7", "DatabaseDown", CRITICAL);
        s.pass(Span::from_secs(30));
        s.open().len()
    };
    assert_eq!((rings(false, false), rings(true, false), rings(true, true)), (2, 1, 2));
}

#[test]
fn an_item_is_met_whatever_its_case_and_an_edge_may_name_it_by_an_alias() {
    let mut s = Scenario::new(Policy::default());
    let nodes = json!([{"id": "ESX-01", "aliases": ["10.0.0.7"]}, {"id": "vm9"}]);
    put(&mut s, "cmdb", json!({"nodes": nodes, "edges": [{"from": "vm9", "to": "10.0.0.7"}]}));
    s.fire("zabbix", "esx-01", "Host down", CRITICAL);
    assert_eq!(s.state.alerts().next().unwrap().configuration_item.as_deref(), Some("ESX-01"));
    assert_eq!(around(&s.state, "esx-01"), ["Dependant 1 vm9"]);
    assert!(ItemView::of(&s.state, "10.0.0.8", 1).is_none());
    assert_eq!(ItemView::of(&s.state, "10.0.0.7", 1).unwrap().item.id, "ESX-01");
}

fn fire(s: &mut Scenario, name: &str, labels: Labels) -> Option<String> {
    let event = super::event(s.now, "prometheus", "", name, CRITICAL, EventStatus::Firing);
    let event = Event { configuration_item: None, labels, ..event };
    s.input(Input::Events { events: vec![event] });
    s.state.recent_alerts().next().unwrap().configuration_item.as_deref().map(str::to_owned)
}

#[test]
fn what_kubernetes_metrics_are_about_is_the_workload_and_not_the_exporter() {
    let mut s = Scenario::new(Policy::default());
    let mut about = |name: &str, labels: &[(&str, &str)]| {
        let exporter = [("namespace", "shop"), ("instance", "10.42.0.9:8080"), ("job", "kube-state-metrics")];
        fire(&mut s, name, exporter.iter().chain(labels).copied().collect()).unwrap()
    };
    assert_eq!(about("KubeDeploymentReplicasMismatch", &[("deployment", "cart")]), "shop/cart");
    assert_eq!(about("KubeStatefulSetReplicasMismatch", &[("statefulset", "db")]), "shop/db");
    assert_eq!(about("KubeDaemonSetRolloutStuck", &[("daemonset", "proxy")]), "shop/proxy");
    let pod = [("pod", "cart-5d9-x7"), ("deployment", "cart"), ("node", "worker-3")];
    assert_eq!(about("KubePodCrashLooping", &pod), "shop/cart-5d9-x7", "of both it is the pod that fails");
    assert_eq!(about("TargetDown", &[]), "10.42.0.9");
    assert_eq!(around(&s.state, "shop/cart"), ["Dependency 1 shop/cart-5d9-x7", "Dependency 2 worker-3"]);
}
