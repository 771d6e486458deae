//! The topology over HTTP: what is pushed, what is read of it, what is refused.

use super::*;
use crate::engine::input::{Command, Principal};
use crate::engine::step;

/// Lets the engine take in what an origin tells, as the driver would.
fn tell(world: &World, origin: &str, topology: Value) {
    let by = Principal { name: "admin-token".into(), role: Role::Admin };
    let topology = Box::new(serde_json::from_value(topology).unwrap());
    let input = Input::Command { by, command: Command::PutTopology { origin: origin.into(), topology } };
    step(&mut world.state.lock(), world.clock.now(), input);
}

fn shop() -> Value {
    json!({
        "nodes": [{"id": "web1", "tier": 1}, {"id": "db1"}],
        "edges": [{"from": "web1", "to": "db1"}, {"from": "db1", "to": "shop/san", "kind": "runs_on"}],
    })
}

#[tokio::test]
async fn what_is_put_reaches_the_engine_in_order_and_once() {
    let world = World::new([], tokens());
    let body = json!({"nodes": [{"id": "b"}, {"id": "a"}],
        "edges": [{"from": "b", "to": "a"}, {"from": "a", "to": "a"}, {"from": "b", "to": "a"}]});
    let answer = world.ask("admin", "PUT", "/api/v1/topology/origins/zabbix%2Fprod", &body.to_string()).await;
    assert_eq!(answer.json(), json!({"version": 0, "node_count": 0, "edge_count": 0, "is_changed": true}));
    let recorded = world.take_recorded();
    let [Recorded::Input(Input::Command { by, command: Command::PutTopology { origin, topology } }, None)] =
        &recorded[..]
    else {
        panic!("{recorded:?}")
    };
    assert_eq!((by.name.as_str(), origin.as_str()), ("admin-token", "zabbix/prod"));
    assert_eq!(topology.names(), ["a", "b"]);
    assert_eq!((topology.nodes[0].id.as_str(), topology.edges.len()), ("a", 1));
    world.reply_next(Reply::Already("zabbix/prod".into()));
    let again = world.ask("admin", "PUT", "/api/v1/topology/origins/zabbix%2Fprod", &body.to_string()).await;
    assert_eq!(again.json()["is_changed"], false);
}

#[tokio::test]
async fn what_is_no_topology_is_refused_and_says_why() {
    let world = World::new([], tokens());
    let mut refusals = Vec::new();
    for (origin, body) in [
        ("CMDB", "{}"),
        ("files", "{}"),
        ("cmdb", ""),
        ("cmdb", "null"),
        ("cmdb", "[]"),
        ("cmdb", r#"{"nodes":[{"id":"a","teir":1}]}"#),
        ("cmdb", r#"{"nodes":[{"id":"a","tier":9}]}"#),
        ("cmdb", r#"{"nodes":[{"id":"a"},{"id":"a"}]}"#),
        ("cmdb", r#"{"edges":[{"from":"a","to":""}]}"#),
        ("cmdb", r#"{"edges":[{"from":"a"}]}"#),
    ] {
        let answer = world.ask("admin", "PUT", &format!("/api/v1/topology/origins/{origin}"), body).await;
        refusals.push(answer.problem());
    }
    world.reply_next(Reply::Refused("expected at most 200000 items over all origins".into()));
    refusals.push(world.ask("admin", "PUT", "/api/v1/topology/origins/cmdb", "{}").await.problem());
    world.reply_next(Reply::NotFound("cmdb".into()));
    refusals.push(world.ask("admin", "DELETE", "/api/v1/topology/origins/cmdb", "").await.problem());
    insta::assert_snapshot!(refusals.join("\n"), @"
    400 `origin`: expected 1 to 64 of `a` to `z`, `0` to `9`, `.`, `_`, `/` and `-`, a letter or a digit first, got `CMDB`
    400 `origin`: expected a name other than `files` and `monitors`, which are taken, got `files`
    400 `body`: expected an object, got nothing
    400 `body`: expected an object, got nothing
    400 `body`: expected an object, got a list
    400 `nodes[0].teir`: expected `id`, `kind`, `service`, `tier`, `owner`, `labels`, `aliases`, got a name that is not known here
    400 `nodes[0].tier`: expected 1 to 5, got `9`
    400 `nodes[1].id`: expected an id that `nodes[0]` does not have, got `a`
    400 `edges[0].to`: expected 1 to 256 bytes, got an empty text
    400 `edges[0].to`: expected a value, got nothing
    409 expected at most 200000 items over all origins
    404 no origin is called `cmdb`; `/api/v1/topology` lists all
    ");
    assert_eq!(world.take_recorded().len(), 2, "nothing else reached the engine");
}

#[tokio::test]
async fn the_overview_says_who_told_how_much_and_names_circles() {
    let world = World::new([], tokens());
    let nothing = world.get("/api/v1/topology").await.json();
    let empty = json!({"version": 0, "node_count": 0, "edge_count": 0, "origins": [], "cycle_count": 0, "cycles": []});
    assert_eq!(nothing, empty);
    tell(&world, "zabbix/prod", json!({"edges": [{"from": "db1", "to": "web1"}]}));
    tell(&world, "cmdb", shop());
    let answer = world.get("/api/v1/topology").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    insta::assert_snapshot!(answer.body, @r#"{"version":2,"node_count":3,"edge_count":3,"origins":[{"name":"cmdb","version":2,"changed_at":"2026-11-21T05:00:00.000Z","by":"admin-token","node_count":3,"edge_count":2},{"name":"zabbix/prod","version":1,"changed_at":"2026-11-21T05:00:00.000Z","by":"admin-token","node_count":2,"edge_count":1}],"cycle_count":1,"cycles":[["db1","web1","db1"]]}"#);
    assert_eq!(world.get("/api/v1/topology?limit=5").await.status, StatusCode::OK, "the path takes no parameters");
}

#[tokio::test]
async fn an_origin_is_read_as_it_was_told() {
    let world = World::new([], tokens());
    tell(&world, "zabbix/prod", shop());
    let answer = world.get("/api/v1/topology/origins/zabbix%2Fprod").await;
    insta::assert_snapshot!(answer.body, @r#"{"name":"zabbix/prod","version":1,"changed_at":"2026-11-21T05:00:00.000Z","by":"admin-token","node_count":3,"edge_count":2,"nodes":[{"id":"db1"},{"id":"web1","tier":1}],"edges":[{"from":"db1","to":"shop/san","kind":"runs_on"},{"from":"web1","to":"db1","kind":"depends_on"}]}"#);
    insta::assert_snapshot!(world.get("/api/v1/topology/origins/cmdb").await.problem(), @"404 no origin is called `cmdb`; `/api/v1/topology` lists all");
    assert_eq!(world.get("/api/v1/topology/origins/files").await.json()["edges"], json!([]));
}

#[tokio::test]
async fn an_item_is_found_by_any_of_its_names_with_what_is_around_it() {
    let world = World::new([], tokens());
    tell(&world, "cmdb", shop());
    insta::assert_snapshot!(world.get("/api/v1/topology/items/DB1:5432").await.body, @r#"{"item":{"id":"db1"},"is_described":true,"near":[{"item":"shop/san","kinship":"dependency","distance":1},{"item":"web1","kinship":"dependant","distance":1}],"is_cut":false}"#);
    let far = world.get("/api/v1/topology/items/web1?hops=2").await.json();
    assert_eq!(far["near"][1], json!({"item": "shop/san", "kinship": "dependency", "distance": 2}));
    let san = world.get("/api/v1/topology/items/shop%2Fsan").await.json();
    assert_eq!((&san["item"], &san["is_described"]), (&json!({"id": "shop/san"}), &json!(false)));
    insta::assert_snapshot!(world.get("/api/v1/topology/items/nobody").await.problem(), @"404 the topology has no item `nobody`: it is here once an origin describes it or a monitor tells what it depends on");
    insta::assert_snapshot!(world.get("/api/v1/topology/items/web1?hops=4").await.problem(), @"400 `hops`: expected a whole number from 1 to 3, got `4`");
    insta::assert_snapshot!(world.get("/api/v1/topology/items/web1?hop=1").await.problem(), @"400 `hop`: expected one of the parameters `hops`, got `1`");
}
