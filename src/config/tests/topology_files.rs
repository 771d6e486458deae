//! Topology from JSON, YAML and Nagios.

use super::Scene;
use insta::assert_snapshot;

fn scene(files: &str) -> Scene {
    Scene::new().file("watchbell.yaml", &format!("sources: {{}}\ntopology:\n{files}\n"))
}

#[test]
fn files_of_every_form_join() {
    let scene = scene("  files: [a.yaml, b.json]\n  nagios_objects: objects.cache")
        .file("a.yaml", "nodes:\n  - { id: web1, tier: 2, service: shop }\nedges:\n  - { from: web1, to: db1 }\n")
        .file(
            "b.json",
            r#"{"nodes":[{"id":"db1","aliases":["10.0.0.2"]}],"edges":[{"from":"db1","to":"sw1","kind":"runs_on"}]}"#,
        )
        .file(
            "objects.cache",
            "define host {\n\thost_name\tsw1\n\tparents\tcore\n\t}\ndefine host {\n\thost_name\tcore\n\t}\n",
        );
    let configuration =
        scene.load(&["watchbell.yaml"]).unwrap_or_else(|_| panic!("{}", scene.said(&["watchbell.yaml"])));
    let topology = &configuration.policy.topology;
    let nodes: Vec<&str> = topology.nodes.iter().map(|node| node.id.as_str()).collect();
    assert_eq!(nodes, ["web1", "db1", "sw1", "core"]);
    assert_eq!(topology.edges.len(), 3);
    assert_eq!(
        scene.said(&["watchbell.yaml"]),
        "warning: `sources` is empty: nothing can come in\n  --> watchbell.yaml:1"
    );
}

#[test]
fn unknown_ends_are_created_and_circles_are_named() {
    let scene = scene("  files: a.yaml").file(
        "a.yaml",
        "\
nodes: [{ id: a }, { id: b, aliases: [bee] }, { id: c }]
edges:
  - { from: a, to: bee }
  - { from: b, to: c }
  - { from: c, to: b }
  - { from: c, to: zz }
",
    );
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
warning: edges name items that no node describes: `zz`
  --> a.yaml
  hint: they are created as plain items; add them to `nodes` if that is not a slip
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
warning: items depend on each other in a circle: b -> c -> b
  --> watchbell.yaml:3
  hint: the cause is then searched among all of them; remove the edge that is not a dependency
"#);
    let topology = scene.load(&["watchbell.yaml"]).unwrap().policy.topology;
    assert_eq!(topology.nodes.last().map(|node| node.id.as_str()), Some("zz"));
}

#[test]
fn each_faulty_entry_has_its_line() {
    let yaml = "\
nodes:
  - { id: a, tir: 1, tier: one }
  - { kind: host }
  - { id: b }
  - just text
  - { id: b, tier: 9 }
  - { id: c, tier: 9 }
  - { id: '' }
extra: { a: 1 }
edges:
  - { from: a }
  - { from: b, to: c, kind: depends }
";
    let scene = scene("  files: [a.yaml]").file("a.yaml", yaml);
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
error: `nodes[0].tier`: expected a whole number from 0 to 255, got the text `one`
  --> a.yaml:2
error: unknown key `tir` in `nodes[0]`
  --> a.yaml:2
  hint: did you mean `tier`? known keys: `aliases`, `id`, `kind`, `labels`, `owner`, `service`, `tier`
error: missing key `id` in `nodes[1]`
  --> a.yaml:3
error: `nodes[3]`: expected a map, got text
  --> a.yaml:5
error: `nodes[4].tier`: expected 1 to 5, got 9
  --> a.yaml:6
error: node `b` is there more than once: in lines 4 and 6
  --> a.yaml:6
error: `nodes[5].tier`: expected 1 to 5, got 9
  --> a.yaml:7
error: `nodes[6].id` is empty
  --> a.yaml:8
error: unknown key `extra`
  --> a.yaml:9
  hint: known keys: `nodes`, `edges`
error: missing key `to` in `edges[0]`
  --> a.yaml:11
error: unknown value `depends` in `edges[1].kind`
  --> a.yaml:12
  hint: known values: `depends_on`, `runs_on`, `member_of`
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
"#);
}

#[test]
fn json_is_as_exact() {
    let text = "{\"nodes\": [\n  {\"id\": \"a\"},\n  {\"id\": \"a\"},\n  {\"id\": 5}\n]}";
    let first = scene("  files: [a.json]").file("a.json", text);
    assert_snapshot!(first.said(&["watchbell.yaml"]), @r#"
error: node `a` is there more than once: in lines 2 and 3
  --> a.json:3
error: `nodes[2].id`: expected text, got the number `5`
  --> a.json:4
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
"#);
    let broken = scene("  files: [a.json]").file("a.json", "{\"nodes\": [\n  {\"id\": }]}");
    assert_snapshot!(broken.said(&["watchbell.yaml"]), @r#"
error: cannot read the file as JSON: expected value
  --> a.json:2:10
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
"#);
    assert_snapshot!(scene("  files: [a.json, 5]\n  fils: x").said(&["watchbell.yaml"]), @r#"
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
error: `topology.files`: expected a path or a list of paths
  --> watchbell.yaml:3
error: unknown key `fils` in `topology`
  --> watchbell.yaml:4
  hint: did you mean `files`? known keys: `files`, `nagios_objects`, `zabbix`
"#);
    assert_snapshot!(scene("  nagios_objects: objects.cache").said(&["watchbell.yaml"]), @r#"
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
error: `topology.nagios_objects`: cannot read `objects.cache`: No such file or directory (os error 2)
  --> watchbell.yaml:3
"#);
}

#[test]
fn an_id_in_two_files_names_both() {
    let scene = scene("  files: [a.yaml, b.yaml]")
        .file("a.yaml", "nodes:\n  - { id: db-1 }\n")
        .file("b.yaml", "nodes:\n  - { id: x }\n  - id: db-1\n");
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
error: node `db-1` is also in `a.yaml:2`
  --> b.yaml:3
warning: `sources` is empty: nothing can come in
  --> watchbell.yaml:1
"#);
}

#[test]
fn faults_without_end_are_cut_short() {
    let nodes = "  - { id: 5 }\n".repeat(1_000);
    let scene = scene("  files: [a.yaml]").file("a.yaml", &format!("nodes:\n{nodes}"));
    let said = scene.said(&["watchbell.yaml"]);
    assert_eq!(said.matches("error:").count(), 11, "{said}");
    assert!(said.contains("`nodes` has more faults, from `nodes[10]` on"), "{said}");
}
