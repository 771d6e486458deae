//! Built-in values < files < variables.

use super::Scene;
use crate::config::validate::default_store_path;
use crate::config::{Auth, StoreSettings};
use crate::model::Span;
use insta::assert_snapshot;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[test]
fn without_a_file_it_listens_on_loopback_and_writes_to_the_log() {
    let configuration = Scene::new().load(&[]).unwrap();
    assert_eq!(configuration.listen.to_string(), "127.0.0.1:9494");
    assert_eq!(configuration.instance, "watchbell");
    let path = PathBuf::from("/home/ada/.local/state/watchbell/watchbell.db");
    assert_eq!(configuration.store, StoreSettings::Sqlite { path });
    let sources: Vec<_> = configuration.sources.iter().map(|(name, source)| (name.as_str(), &source.auth)).collect();
    let expected = ["alertmanager", "generic", "nagios", "prometheus", "zabbix"].map(|name| (name, &Auth::None));
    assert_eq!(sources, expected);
    assert_eq!(configuration.policy, crate::engine::policy::Policy::default());
    assert_eq!(configuration.sinks.keys().collect::<Vec<_>>(), ["log/log"]);
    assert_snapshot!(Scene::new().said(&[]), @r#"
warning: `sources` is missing: every kind of source listens on loopback without authentication
  hint: write a configuration file with `sources` before others may send
"#);
}

#[test]
fn the_state_directory_is_systemds_or_the_systems_or_the_users() {
    let check = |variables: &[(&str, &str)], is_root: bool, expected: &str| {
        let variables: BTreeMap<String, String> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        assert_eq!(default_store_path(&variables, is_root), PathBuf::from(expected).join("watchbell.db"));
    };
    check(&[("STATE_DIRECTORY", "/var/lib/a:/var/lib/b"), ("HOME", "/root")], true, "/var/lib/a");
    check(&[("HOME", "/root"), ("XDG_STATE_HOME", "/s")], true, "/var/lib/watchbell");
    check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], false, "/s/watchbell");
    check(&[("HOME", "/h"), ("XDG_STATE_HOME", "")], false, "/h/.local/state/watchbell");
    check(&[], false, "/var/lib/watchbell");
}

const FIRST: &str = "\
limits: { connections_max: 10, idle_timeout: 5s }
sources:
  Prod-Zabbix: { kind: zabbix, token: abcdef }
receivers: { ops: { sinks: [{ kind: log }, { kind: slack, channel: '#a', token: abcdef }] } }
";

#[test]
fn a_later_file_wins_key_by_key() {
    let scene = Scene::new().file("token", "ghijkl").file("first.yaml", FIRST).file("empty.yaml", "# nothing\n").file(
        "second.yaml",
        "limits: { connections_max: 20 }\nsources: { Prod-Zabbix: { token_file: token } }\nroute:\n",
    );
    let configuration = scene.load(&["first.yaml", "empty.yaml", "second.yaml"]).unwrap();
    assert_eq!(configuration.limits.connections_max, 20);
    assert_eq!(configuration.limits.idle_timeout, Span::from_secs(5));
    assert_eq!(configuration.sources["Prod-Zabbix"].kind, "zabbix");
    assert_eq!(scene.said(&["first.yaml", "second.yaml"]), "");
}

#[test]
fn variables_win_over_files() {
    let scene = Scene::new()
        .file("watchbell.yaml", FIRST)
        .variable("WATCHBELL__LISTEN", "[::1]:80")
        .variable("WATCHBELL__LIMITS__CONNECTIONS_MAX", "30")
        .variable("WATCHBELL__SOURCES__PROD_ZABBIX__TOKEN", "0123")
        .variable("WATCHBELL__RECEIVERS__OPS__SINKS__1__CHANNEL", "#b")
        .variable("WATCHBELL__PRIORITY__MAY_FALL", "true")
        .variable("WATCHBELL__STORE__SQLITE__PATH", "/data/$x.db")
        .variable("WATCHBELL_OTHER", "not ours");
    let configuration =
        scene.load(&["watchbell.yaml"]).unwrap_or_else(|_| panic!("{}", scene.said(&["watchbell.yaml"])));
    assert_eq!(configuration.listen.to_string(), "[::1]:80");
    assert_eq!(configuration.limits.connections_max, 30);
    assert!(configuration.sources.contains_key("Prod-Zabbix") && configuration.policy.priority.may_fall);
    assert_eq!(configuration.sinks["ops/slack"].table["channel"], "#b");
    assert_eq!(configuration.store, StoreSettings::Sqlite { path: "/data/$x.db".into() });
}

#[test]
fn a_variable_that_does_not_fit_is_named() {
    let scene = Scene::new()
        .file("watchbell.yaml", FIRST)
        .variable("WATCHBELL__LIMTS__CONNECTIONS_MAX", "30")
        .variable("WATCHBELL__LIMITS__CONNECTIONS_MAX", "lots")
        .variable("WATCHBELL__RECEIVERS__OPS__SINKS__7__CHANNEL", "#b")
        .variable("WATCHBELL____X", "1");
    assert_snapshot!(scene.said(&["watchbell.yaml"]), @r#"
error: `7` is no entry of a list that has 2; expected a number from 0 (set by `WATCHBELL__RECEIVERS__OPS__SINKS__7__CHANNEL`)
error: expected a name such as `WATCHBELL__LIMITS__CONNECTIONS_MAX` (set by `WATCHBELL____X`)
error: unknown key `limts` (set by `WATCHBELL__LIMTS__CONNECTIONS_MAX`)
  hint: did you mean `limits`?
error: `limits.connections_max`: expected a whole number, 0 or more, got the text `lots` (set by `WATCHBELL__LIMITS__CONNECTIONS_MAX`)
"#);
}

#[test]
fn a_file_that_is_not_there_is_one_problem() {
    assert_snapshot!(Scene::new().said(&["nowhere.yaml"]), @r#"
error: cannot read the file: No such file or directory (os error 2)
  --> nowhere.yaml
"#);
}
