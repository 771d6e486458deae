//! Zabbix servers that are asked for their topology.

use super::{Scene, said_of};
use crate::config::ZabbixSettings;
use crate::error::Secret;
use crate::model::Span;
use insta::assert_snapshot;

/// With a source, so that nothing is said about sources.
fn said(servers: &str) -> String {
    said_of(&format!("topology: {{ zabbix: {servers} }}"))
}

#[test]
fn a_server_is_its_address_and_a_token() {
    let scene = Scene::new().variable("LAB", "t0ken").file("prod.token", "hush-hush\n").file(
        "watchbell.yaml",
        "\
sources: { a: { kind: zabbix, token: abcdef } }
topology:
  zabbix:
    prod: { url: 'https://zabbix.example.org/zabbix/', token_file: prod.token, every: 1h, timeout: 5s }
    lab: { url: 'http://127.0.0.1:8080/api_jsonrpc.php', token: '${LAB}', allow_private: true }
",
    );
    let configuration =
        scene.load(&["watchbell.yaml"]).unwrap_or_else(|_| panic!("{}", scene.said(&["watchbell.yaml"])));
    let prod = ZabbixSettings {
        endpoint: "https://zabbix.example.org/zabbix/api_jsonrpc.php".to_owned(),
        token: Secret::new("hush-hush".to_owned()),
        every: Span::from_hours(1),
        timeout: Span::from_secs(5),
        allow_private: false,
    };
    assert_eq!(configuration.zabbix["prod"], prod);
    let lab = &configuration.zabbix["lab"];
    assert_eq!(
        (lab.endpoint.as_str(), lab.token.expose().as_str()),
        ("http://127.0.0.1:8080/api_jsonrpc.php", "t0ken")
    );
    assert_eq!((lab.every, lab.timeout, lab.allow_private), (ZabbixSettings::EVERY, ZabbixSettings::TIMEOUT, true));
    assert!(!format!("{configuration:?}").contains("hush"));
}

#[test]
fn each_fault_is_named() {
    assert_snapshot!(said("{ a: { url: 'https://z.example.org' }, b: { token: abcdef } }"), @r#"
    error: missing key `token_file` in `topology.zabbix.a`
      --> watchbell.yaml:3
      hint: make an API token in Zabbix, for a user who may only read (Users, API tokens)
    error: missing key `url` in `topology.zabbix.b`
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("{ a: { url: z.example.org, token: abcdef, evry: 1m, every: 10s, timeout: 10m } }"), @r#"
    error: unknown key `evry` in `topology.zabbix.a`
      --> watchbell.yaml:3
      hint: did you mean `every`? known keys: `allow_private`, `every`, `timeout`, `token`, `url`
    error: `topology.zabbix.a.timeout`: expected 1s to 5m, got 10m
      --> watchbell.yaml:3
    error: `topology.zabbix.a.url`: expected a URL such as `https://zabbix.example.org/zabbix`, got `z.example.org`
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("{ 'a/b': { url: 'https://z.example.org', token: t }, Lab: { url: 'http://z.example.org', token: 'with space' }, c: [1] }"), @r#"
    error: `topology.zabbix.a/b`: got the name `a/b`, expected up to 57 lower case letters, digits, dots, hyphens and underscores
      --> watchbell.yaml:3
    error: `topology.zabbix.Lab`: got the name `Lab`, expected up to 57 lower case letters, digits, dots, hyphens and underscores
      --> watchbell.yaml:3
    warning: `topology.zabbix.Lab.url`: the token goes over the network for everyone to read
      --> watchbell.yaml:3
      hint: use `https`
    error: `topology.zabbix.Lab.token`: expected letters and digits without spaces (its value is not shown)
      --> watchbell.yaml:3
    error: `topology.zabbix.c`: expected a map, got a list
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said("[1]"), @r#"
    error: `topology.zabbix`: expected a map, got a list
      --> watchbell.yaml:3
    "#);
    assert_snapshot!(said_of("topology: { zabix: {} }"), @r#"
    error: unknown key `zabix` in `topology`
      --> watchbell.yaml:3
      hint: did you mean `zabbix`? known keys: `files`, `nagios_objects`, `zabbix`
    "#);
}

#[test]
fn no_message_repeats_a_secret() {
    for server in [
        "{ url: 'https://ada:hush-hush@z.example.org', token: abcdef }",
        "{ url: 'https://z.example.org/?key=hush-hush', token: 'hush-hush' }",
        "{ url: 'https://z.example.org', token: { hush-hush: 1 } }",
        "{ url: 'https://z.example.org', token: 'hush-hush 2' }",
    ] {
        let said = said(&format!("{{ a: {server} }}"));
        assert!(said.contains("topology.zabbix.a") && !said.contains("hush-hush"), "{said}");
    }
}
