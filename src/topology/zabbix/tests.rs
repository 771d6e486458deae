//! Questions and answers as the documentation has them, for 6.0 and for 7.x, and what is no answer.

use super::*;
use insta::assert_snapshot;
use std::fmt::Write as _;

const TOKEN: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn pull() -> Pull {
    Pull::new("https://zabbix.example.org/zabbix/api_jsonrpc.php", Secret::new(TOKEN.to_owned()), "zabbix/prod")
}

/// The next question as text, with what is secret left out; nothing when there is none.
fn question(pull: &Pull) -> String {
    let Some(request) = pull.request() else { return String::new() };
    assert_eq!(request.method, "POST");
    let mut text = String::from_utf8(request.body).unwrap();
    for (name, value) in &request.headers {
        write!(text, " {name}: {}", value.expose()).unwrap();
    }
    text.replace(TOKEN, "<token>").replace(" content-type: application/json-rpc", "")
}

fn result(value: Value) -> Vec<u8> {
    json!({ "jsonrpc": "2.0", "result": value, "id": 1 }).to_string().into_bytes()
}

fn refusal(code: i64, data: &str) -> Vec<u8> {
    let error = json!({ "code": code, "message": "Invalid params.", "data": data });
    json!({ "jsonrpc": "2.0", "error": error, "id": 1 }).to_string().into_bytes()
}

/// Past the version and, if there are any, the ids of these hosts.
fn pull_of(version: &str, hosts: &[&str]) -> Pull {
    let mut pull = pull();
    pull.take(200, &result(json!(version))).unwrap();
    let ids: Vec<Value> = hosts.iter().map(|id| json!({ "hostid": id })).collect();
    if !ids.is_empty() {
        pull.take(200, &result(json!(ids))).unwrap();
    }
    pull
}

/// Every question of a whole pull, and what it comes to.
fn play(version: &str, answers: Vec<Value>) -> (Vec<String>, TopologyFile) {
    let mut pull = pull();
    let mut questions = vec![question(&pull)];
    pull.take(200, &result(json!(version))).unwrap();
    for answer in answers {
        questions.push(question(&pull));
        pull.take(200, &result(answer)).unwrap();
    }
    assert_eq!(question(&pull), "", "everything is answered");
    (questions, pull.finish())
}

/// A line for each node and edge.
fn lines(topology: &TopologyFile) -> String {
    let mut text = String::new();
    for node in &topology.nodes {
        let kind = node.kind.as_deref().unwrap_or("?");
        writeln!(text, "{}", format!("{} ({kind}) {}", node.id, node.aliases.join(", ")).trim_end()).unwrap();
    }
    for edge in &topology.edges {
        let kind = serde_json::to_value(edge.kind).unwrap();
        writeln!(text, "{} {} {}", edge.from, kind.as_str().unwrap(), edge.to).unwrap();
    }
    text
}

fn estate(groups: &str) -> Vec<Value> {
    let host = |id: &str, host: &str, name: &str, interfaces: Value, group: &[&str]| {
        let group: Vec<Value> = group.iter().map(|name| json!({ "groupid": "22", "name": name })).collect();
        let mut object = json!({
            "hostid": id, "host": host, "name": name, "status": "0", "flags": "0", "interfaces": interfaces,
        });
        object[groups] = json!(group);
        object
    };
    let mut disabled = host("10504", "old1", "old1", json!([]), &["Linux servers"]);
    disabled["status"] = json!("1");
    let mut prototype = host("10505", "{#VM.NAME}", "{#VM.NAME}", json!([]), &[]);
    prototype["flags"] = json!("2");
    let mut discovered = host("10506", "vm1", "vm1", json!([{ "dns": "{HOST.HOST}.example.org", "ip": "" }]), &[]);
    discovered["flags"] = json!("4");
    let ids = ["10501", "10502", "10503", "10504", "10506"].map(|id| json!({ "hostid": id }));
    vec![
        json!(ids),
        json!([
            host("10501", "rtr1", "rtr1 (router)", json!([{ "dns": "", "ip": "192.0.2.1" }]), &["Routers"]),
            host(
                "10502",
                "web1",
                "web1",
                json!([
                    { "dns": "web1.example.org", "ip": "192.0.2.11" },
                    { "dns": "localhost", "ip": "127.0.0.1" },
                    { "dns": "", "ip": "192.0.2.99" },
                ]),
                &["Linux servers", "Web"],
            ),
            host("10503", "web2", "Shop", json!([{ "dns": "", "ip": "192.0.2.99" }]), &["Linux servers", "Web"]),
            disabled,
            prototype,
            discovered,
        ]),
        json!([
            { "triggerid": "13001", "hosts": [{ "hostid": "10502" }], "dependencies": [{ "triggerid": "12001" }] },
            {
                "triggerid": "13002",
                "hosts": [{ "hostid": "10502" }, { "hostid": "10503" }],
                "dependencies": [{ "triggerid": "12001" }, { "triggerid": "12002" }],
            },
            // Within a host, of one that is disabled by now, and over both sides.
            { "triggerid": "13003", "hosts": [{ "hostid": "10502" }], "dependencies": [{ "triggerid": "13001" }] },
            { "triggerid": "13004", "hosts": [{ "hostid": "10504" }], "dependencies": [{ "triggerid": "12001" }] },
            {
                "triggerid": "13005",
                "hosts": [{ "hostid": "10506" }, { "hostid": "10503" }],
                "dependencies": [{ "triggerid": "13002" }],
            },
        ]),
        // The token may not see 12002.
        json!([{ "triggerid": "12001", "hosts": [{ "hostid": "10501" }] }]),
    ]
}

#[test]
fn zabbix_6_0_is_asked_with_the_token_in_the_body() {
    let (questions, _) = play("6.0.14", estate("groups"));
    assert_snapshot!(questions.join("\n"), @r#"
    {"id":1,"jsonrpc":"2.0","method":"apiinfo.version","params":[]}
    {"auth":"<token>","id":1,"jsonrpc":"2.0","method":"host.get","params":{"filter":{"status":0},"limit":50001,"output":["hostid"],"sortfield":"hostid"}}
    {"auth":"<token>","id":1,"jsonrpc":"2.0","method":"host.get","params":{"hostids":["10501","10502","10503","10504","10506"],"output":["hostid","host","name","status","flags"],"selectGroups":["name"],"selectInterfaces":["dns","ip"]}}
    {"auth":"<token>","id":1,"jsonrpc":"2.0","method":"trigger.get","params":{"active":true,"dependent":true,"hostids":["10501","10502","10503","10504","10506"],"output":["triggerid"],"selectDependencies":["triggerid"],"selectHosts":["hostid"]}}
    {"auth":"<token>","id":1,"jsonrpc":"2.0","method":"trigger.get","params":{"output":["triggerid"],"selectHosts":["hostid"],"triggerids":["12001","12002"]}}
    "#);
}

#[test]
fn zabbix_7_is_asked_with_the_token_in_a_header() {
    let (questions, topology) = play("7.4.3", estate("hostgroups"));
    assert_snapshot!(questions[..3].join("\n"), @r#"
    {"id":1,"jsonrpc":"2.0","method":"apiinfo.version","params":[]}
    {"id":1,"jsonrpc":"2.0","method":"host.get","params":{"filter":{"status":0},"limit":50001,"output":["hostid"],"sortfield":"hostid"}} authorization: Bearer <token>
    {"id":1,"jsonrpc":"2.0","method":"host.get","params":{"hostids":["10501","10502","10503","10504","10506"],"output":["hostid","host","name","status","flags"],"selectHostGroups":["name"],"selectInterfaces":["dns","ip"]}} authorization: Bearer <token>
    "#);
    assert_eq!(topology, play("6.0.14", estate("groups")).1, "it is the same estate");
    for (version, is_new) in [("6.2.9", false), ("6.4.0", true), ("7.0.0rc1", true), ("10.0.0", true)] {
        assert_eq!(question(&pull_of(version, &["1"])).contains("authorization"), is_new, "{version}");
    }
}

#[test]
fn hosts_are_nodes_and_dependencies_and_groups_are_edges() {
    let (_, topology) = play("7.0.5", estate("hostgroups"));
    assert_snapshot!(lines(&topology), @r"
    rtr1 (host) rtr1 (router), 192.0.2.1
    vm1 (host)
    web1 (host) web1.example.org, 192.0.2.11
    web2 (host) Shop
    zabbix/prod/Linux servers (host_group)
    zabbix/prod/Routers (host_group)
    zabbix/prod/Web (host_group)
    rtr1 member_of zabbix/prod/Routers
    vm1 depends_on web1
    vm1 depends_on web2
    web1 depends_on rtr1
    web1 member_of zabbix/prod/Linux servers
    web1 member_of zabbix/prod/Web
    web2 depends_on rtr1
    web2 depends_on web1
    web2 member_of zabbix/prod/Linux servers
    web2 member_of zabbix/prod/Web
    ");
}

#[test]
fn large_estates_come_in_pages() {
    let ids: Vec<String> = (0..250).map(|id| id.to_string()).collect();
    let mut pull = pull_of("7.0.0", &ids.iter().map(String::as_str).collect::<Vec<_>>());
    let mut methods = Vec::new();
    while let Some(request) = pull.request() {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let (method, params) = (body["method"].as_str().unwrap(), &body["params"]);
        let asked = ["hostids", "triggerids"].iter().find_map(|key| params[*key].as_array()).unwrap();
        methods.push(format!("{method} {}", asked.len()));
        let dependent = |id: &Value| {
            let dependencies: Vec<Value> =
                (0..3).map(|n| json!({ "triggerid": format!("{}{n}", id.as_str().unwrap()) })).collect();
            json!({ "triggerid": format!("t{}", id.as_str().unwrap()), "hosts": [{ "hostid": id }], "dependencies": dependencies })
        };
        let answer: Vec<Value> = match (method, &params["dependent"]) {
            ("trigger.get", Value::Bool(true)) => asked.iter().map(dependent).collect(),
            _ => Vec::new(),
        };
        pull.take(200, &result(json!(answer))).unwrap();
    }
    let (pages, targets) = methods.split_at(6);
    let expected =
        ["host.get 100", "trigger.get 100", "host.get 100", "trigger.get 100", "host.get 50", "trigger.get 50"];
    assert_eq!(pages, expected);
    assert_eq!(targets, ["trigger.get 500", "trigger.get 250"], "and what is not visible is not asked for again");
}

#[test]
fn hosts_that_are_gone_meanwhile_are_left_out() {
    let (_, topology) = play("7.0.0", vec![json!([{ "hostid": 10501 }]), json!([]), json!([])]);
    assert_eq!(topology, TopologyFile::default());
}

fn error_of(mut pull: Pull, status: u16, body: &[u8]) -> String {
    let error = pull.take(status, body).unwrap_err();
    assert!(!error.to_string().contains(TOKEN), "{error}");
    format!("{}: {error}\n  {}", error.kind, error.hint)
}

#[test]
fn refusals_say_what_to_do() {
    let mut said = String::new();
    let on_hosts = || pull_of("6.0.14", &["1"]);
    for (status, body) in [
        (200, refusal(-32602, "Not authorized.")),
        (200, refusal(-32602, "Session terminated, re-login, please.")),
        (200, refusal(-32500, "API token expired.")),
        (200, refusal(-32602, "No permissions to call \"host.get\".")),
        (200, refusal(-32602, &format!("bad \u{1b}[31m{TOKEN}"))),
        (200, br#"{"jsonrpc":"2.0","error":{"code":1,"message":"Cannot connect to the database."},"id":1}"#.to_vec()),
        (301, Vec::new()),
        (401, Vec::new()),
        (404, b"<html>".to_vec()),
        (429, Vec::new()),
        (502, b"<html>".to_vec()),
    ] {
        said.push_str(&error_of(on_hosts(), status, &body));
        said.push('\n');
    }
    assert_snapshot!(said, @r#"
    auth: `host.get` was refused: Invalid params. Not authorized. (-32602)
      the token is wrong, disabled or expired, or its user is; make one under Users, API tokens
    auth: `host.get` was refused: Invalid params. Session terminated, re-login, please. (-32602)
      the token is wrong, disabled or expired, or its user is; make one under Users, API tokens
    auth: `host.get` was refused: Invalid params. API token expired. (-32500)
      the token is wrong, disabled or expired, or its user is; make one under Users, API tokens
    auth: `host.get` was refused: Invalid params. No permissions to call "host.get". (-32602)
      the role of the token's user needs access to the API, and to `host.get` and `trigger.get` if it lists methods
    rejected: `host.get` was refused: Invalid params. bad  [31m<secret> (-32602)
      it is asked again by itself; see the log of the web server in front of Zabbix
    rejected: `host.get` was refused: Cannot connect to the database. (1)
      it is asked again by itself; see the log of the web server in front of Zabbix
    rejected: the web server answered with status 301
      give the address that it leads to: redirects are not followed
    auth: the web server answered with status 401
      the web server itself refuses; let the daemon's address in
    rejected: the web server answered with status 404
      `url` is the address of the frontend, such as `https://zabbix.example.org/zabbix`
    rate_limited: the web server answered with status 429
      it is asked again by itself; see the log of the web server in front of Zabbix
    unreachable: the web server answered with status 502
      it is asked again by itself; see the log of the web server in front of Zabbix
    "#);
}

#[test]
fn what_is_no_answer_is_named() {
    let hosts = |host: Value| result(json!([host]));
    let long = "x".repeat(2_000);
    let mut said = String::new();
    let cases = [
        (pull(), b"<html>It works!</html>".to_vec()),
        (pull(), b"[]".to_vec()),
        (pull(), result(json!({ "a": 1 }))),
        (pull(), result(json!("seven\n"))),
        (pull(), result(json!("5.4.12"))),
        (pull(), b"{}".to_vec()),
        (pull_of("7.0.0", &[]), result(json!([]))),
        (pull_of("7.0.0", &["1"]), result(json!("none"))),
        (pull_of("7.0.0", &["1"]), hosts(json!({ "hostid": ["1"], "host": "a" }))),
        (pull_of("7.0.0", &["1"]), hosts(json!({ "hostid": "1" }))),
        (pull_of("7.0.0", &["1"]), hosts(json!({ "hostid": "1", "host": "" }))),
        (pull_of("7.0.0", &["1"]), hosts(json!({ "hostid": "1", "host": long }))),
        (pull_of("7.0.0", &["1"]), vec![b' '; ANSWER_BYTES_MAX + 1]),
        (pull_of("7.0.0", &["1"]), "[".repeat(100_000).into_bytes()),
    ];
    for (pull, body) in cases {
        let error = error_of(pull, 200, &body);
        said.push_str(error.lines().next().unwrap());
        said.push('\n');
    }
    assert_snapshot!(said, @r#"
    invalid: the answer to `apiinfo.version` is no JSON object
    invalid: the answer to `apiinfo.version` is no JSON object
    invalid: the answer to `apiinfo.version` cannot be read: invalid type: map, expected a string at line 1 column 33
    invalid: `apiinfo.version` answered `seven `, which is no version
    invalid: Zabbix 5.4 is too old
    invalid: the answer to `apiinfo.version` cannot be read: missing field `result` at line 1 column 2
    auth: the token sees no monitored host
    invalid: the answer to `host.get` cannot be read: invalid type: string "none", expected a sequence at line 1 column 39
    invalid: the answer to `host.get` cannot be read: expected an id at line 1 column 61
    invalid: the answer to `host.get` cannot be read: missing field `host` at line 1 column 48
    invalid: host 1 has no name
    invalid: host 1 has a name of 2000 bytes
    invalid: an answer to `host.get` has more than 16777216 bytes
    invalid: the answer to `host.get` is no JSON object
    "#);
}

#[test]
fn more_hosts_than_are_taken_are_refused_as_a_whole() {
    let mut pull = pull();
    pull.take(200, &result(json!("7.0.0"))).unwrap();
    let ids: Vec<Value> = (0..=HOSTS_MAX).map(|id| json!({ "hostid": id.to_string() })).collect();
    assert_snapshot!(error_of(pull, 200, &result(json!(ids))), @r"
    invalid: the token sees more than 50000 hosts
      give the token to a user who sees only the host groups that matter
    ");
}

#[test]
fn a_cut_or_changed_answer_never_panics() {
    for (at, answer) in estate("hostgroups").iter().enumerate().skip(1) {
        let body = result(answer.clone());
        for cut in (0..body.len()).step_by(7) {
            let mut pull = pull_of("7.0.0", &["10501"]);
            for earlier in &estate("hostgroups")[1..at] {
                pull.take(200, &result(earlier.clone())).unwrap();
            }
            assert!(pull.take(200, &body[..cut]).is_err(), "{at} {cut}");
        }
    }
}
