//! The suite that every source goes through, and what the sources' own tests share.
//!
//! Recorded requests and hostile corpora are larger than the repository wants; where they lie beside
//! it in `../shared` they are read too, and otherwise the test says that it was skipped.

use super::*;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// When the examples are received: after the last of them, before the firing ones of Prometheus end.
const NOW: &str = "2026-11-21T05:45:40.000Z";

/// A request as its sender would mark it.
pub fn inbound_at<'a>(source: &'a str, body: &'a str, received_at: &str) -> Inbound<'a> {
    let is_json = body.trim_start().starts_with(['{', '[']);
    Inbound {
        source,
        content_type: if is_json { "application/json" } else { "application/x-www-form-urlencoded" },
        body: body.as_bytes(),
        received_at: received_at.parse().unwrap(),
    }
}

fn built(spec: &SourceSpec) -> Box<dyn Source> {
    (spec.build)(&Table::new()).unwrap()
}

/// The events of a good body, read with the default configuration.
pub fn parse_at(spec: &SourceSpec, body: &str, received_at: &str) -> Vec<Event> {
    parsed(spec, body, received_at).into_events()
}

/// The changes of a good body, read with the default configuration.
pub fn parse_changes(spec: &SourceSpec, body: &str, received_at: &str) -> Vec<Change> {
    parsed(spec, body, received_at).into_changes()
}

/// The same, read with a configuration.
pub fn changes_with(spec: &SourceSpec, table: &serde_json::Value, body: &str, received_at: &str) -> Vec<Change> {
    let source = (spec.build)(table.as_object().unwrap()).unwrap();
    source.parse(&inbound_at(spec.name, body, received_at)).unwrap().into_changes()
}

fn parsed(spec: &SourceSpec, body: &str, received_at: &str) -> Parsed {
    built(spec)
        .parse(&inbound_at(spec.name, body, received_at))
        .unwrap_or_else(|error| panic!("{}: {error}\n{body}", spec.name))
}

/// What a bad body is answered.
pub fn parse_error(spec: &SourceSpec, body: &str, received_at: &str) -> String {
    match built(spec).parse(&inbound_at(spec.name, body, received_at)) {
        Ok(parsed) => panic!("{} events or changes from {body}", parsed.len()),
        Err(error) => error.to_string(),
    }
}

/// One event of a body, as the journal would hold it.
pub fn check_event(spec: &SourceSpec, body: &str, received_at: &str, index: usize) -> String {
    serde_json::to_string_pretty(&parse_at(spec, body, received_at)[index]).unwrap()
}

/// One change of a body, as the journal would hold it.
pub fn check_change(spec: &SourceSpec, body: &str, received_at: &str, index: usize) -> String {
    serde_json::to_string_pretty(&parse_changes(spec, body, received_at)[index]).unwrap()
}

/// The events of a good body, read with a configuration.
pub fn parse_with(spec: &SourceSpec, table: &serde_json::Value, body: &str, received_at: &str) -> Vec<Event> {
    let source = (spec.build)(table.as_object().unwrap()).unwrap_or_else(|error| panic!("{}: {error}", spec.name));
    let parsed = source.parse(&inbound_at(spec.name, body, received_at));
    parsed.unwrap_or_else(|error| panic!("{}: {error}\n{body}", spec.name)).into_events()
}

/// A block of a setup page, the `index`th of its language.
pub fn block(docs: &str, language: &str, index: usize) -> String {
    let fence = format!("```{language}\n");
    let after = docs.split(&fence).nth(index + 1).unwrap_or_else(|| panic!("no block {index} of {language}"));
    after.split("```").next().unwrap().to_owned()
}

/// A template as the monitor fills it in; a longer placeholder counts before a shorter one that begins it.
pub fn filled(template: &str, values: &[(&str, &str)]) -> String {
    let mut values = values.to_vec();
    values.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
    values.iter().fold(template.to_owned(), |text, (name, value)| {
        assert!(text.contains(name), "the template lacks {name}");
        text.replace(name, value)
    })
}

/// Those that tell of changes, not of alerts.
fn tells_changes(spec: &SourceSpec) -> bool {
    matches!(parsed(spec, spec.examples[0], NOW), Parsed::Changes(_))
}

#[test]
fn every_source_is_complete_and_in_order() {
    assert!(SOURCES.is_sorted_by_key(|spec| spec.name));
    for spec in SOURCES {
        assert!(!spec.title.trim().is_empty() && !spec.docs.trim().is_empty(), "{}", spec.name);
        assert!(spec.docs.contains("/in/") || spec.docs.contains("/api/v2/alerts"), "{}: where to post", spec.name);
        assert!(spec.examples.len() >= 2, "{}", spec.name);
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("src/sources/{}.rs", spec.name));
        assert!(file.is_file(), "{} is not in a file of its name", spec.name);
        assert_eq!(find(spec.name).unwrap().title, spec.title);
    }
    assert!(find("nagois").is_none());
}

#[test]
fn every_source_refuses_keys_that_it_does_not_have() {
    for spec in SOURCES {
        let mut table = Table::new();
        table.insert("surprise".to_owned(), serde_json::Value::Bool(true));
        let error = (spec.build)(&table).err().unwrap().to_string();
        assert!(error.contains("surprise"), "{}: {error}", spec.name);
    }
}

#[test]
fn examples_give_the_same_events_each_time() {
    for spec in SOURCES.iter().filter(|spec| !tells_changes(spec)) {
        for example in spec.examples {
            let (first, second) = (parse_at(spec, example, NOW), parse_at(spec, example, NOW));
            assert!(!first.is_empty(), "{}", spec.name);
            assert_eq!(first, second, "{}", spec.name);
            let ids: BTreeSet<_> = first.iter().map(|event| &event.id).collect();
            assert_eq!(ids.len(), first.len(), "{}: two observations with one id", spec.name);
            for event in &first {
                assert_eq!(event.source, spec.name);
                let line = serde_json::to_string(event).unwrap();
                assert_eq!(&serde_json::from_str::<Event>(&line).unwrap(), event, "{}", spec.name);
            }
        }
    }
}

#[test]
fn examples_give_the_same_changes_each_time() {
    for spec in SOURCES.iter().filter(|spec| tells_changes(spec)) {
        let mut states = std::collections::BTreeMap::<String, BTreeSet<ChangeState>>::new();
        for example in spec.examples {
            let (first, second) = (parse_changes(spec, example, NOW), parse_changes(spec, example, NOW));
            assert!(!first.is_empty() && first == second, "{}", spec.name);
            for change in first {
                assert_eq!(change.source, spec.name);
                let line = serde_json::to_string(&change).unwrap();
                assert_eq!(serde_json::from_str::<Change>(&line).unwrap(), change, "{}", spec.name);
                states.entry(change.id).or_default().insert(change.state);
            }
        }
        assert!(states.values().any(|states| states.len() > 1), "{}: no change comes to another state", spec.name);
    }
}

#[test]
fn a_resolve_matches_its_firing() {
    for spec in SOURCES.iter().filter(|spec| !tells_changes(spec)) {
        let events: Vec<_> = spec.examples.iter().flat_map(|example| parse_at(spec, example, NOW)).collect();
        let keys = |status| -> BTreeSet<String> {
            events.iter().filter(|event| event.status == status).map(|event| event.dedup_key.clone()).collect()
        };
        let (firing, resolved) = (keys(event::EventStatus::Firing), keys(event::EventStatus::Resolved));
        assert!(!firing.is_disjoint(&resolved), "{}: {firing:?} and {resolved:?}", spec.name);
    }
}

/// Everything that a journal line of JSON can be cut into and still be whole.
fn is_whole(body: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(body).into_iter::<serde_json::Value>();
    !body.trim().is_empty() && values.all(|value| value.is_ok())
}

#[test]
fn a_cut_body_is_an_error() {
    for spec in SOURCES {
        let source = built(spec);
        for example in spec.examples {
            let is_form = !example.starts_with(['{', '[']);
            for cut in (0..example.len()).filter(|cut| example.is_char_boundary(*cut)) {
                let result = source.parse(&inbound_at(spec.name, &example[..cut], NOW));
                // A form has no end that could be missed; it must only not break us.
                if !is_form && !is_whole(&example[..cut]) {
                    let error = result.expect_err(&example[..cut]);
                    assert!(!error.field.is_empty() && !error.expected.is_empty(), "{error}");
                }
            }
        }
    }
}

#[test]
fn a_changed_byte_never_panics() {
    // xorshift: the same changes in each run.
    let mut state: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    const BYTES: &[u8] = b"\"\\{}[]:,0-9.eEnul\xff\xc3\x00 %&=$";
    for spec in SOURCES {
        let source = built(spec);
        for example in spec.examples {
            for _ in 0..400 {
                let mut body = example.as_bytes().to_vec();
                for _ in 0..=random(3) {
                    let at = random(body.len());
                    match random(3) {
                        0 => body[at] = BYTES[random(BYTES.len())],
                        1 => drop(body.remove(at)),
                        _ => body.insert(at, BYTES[random(BYTES.len())]),
                    }
                }
                let mut inbound = inbound_at(spec.name, example, NOW);
                inbound.body = &body;
                if let Ok(parsed) = source.parse(&inbound) {
                    parsed.check_limits().unwrap();
                }
            }
        }
    }
}

#[test]
fn events_beyond_the_limits_are_refused() {
    let many: String = (0..65).map(|i| format!(r#""l{i}":"x","#)).collect();
    let check = |fields: &str| {
        let body = format!(r#"{{"status":"firing","name":"x",{fields}}}"#);
        parse_error(find("generic").unwrap(), &body, NOW)
    };
    insta::assert_snapshot!(check(&format!(r#""labels":{{{}}}"#, many.trim_end_matches(','))), @"`labels`: expected at most 64 entries, got 65 entries");
    insta::assert_snapshot!(check(&format!(r#""labels":{{"a":"{}"}}"#, "x".repeat(4_097))), @"`labels.a`: expected 0 to 4096 bytes, got 4097 bytes");
    insta::assert_snapshot!(check(&format!(r#""labels":{{"{}":"x"}}"#, "n".repeat(257))), @"`labels`: expected names of 1 to 256 bytes, got a name of 257 bytes");
    insta::assert_snapshot!(check(&format!(r#""annotations":{{"a":"{}"}}"#, "x".repeat(65_537))), @"`annotations.a`: expected 0 to 65536 bytes, got 65537 bytes");
    insta::assert_snapshot!(check(&format!(r#""dedup_key":"{}""#, "x".repeat(1_025))), @"`dedup_key`: expected 1 to 1024 bytes, got 1025 bytes");
    insta::assert_snapshot!(check(&format!(r#""note":"{}""#, "x".repeat(65_537))), @"`note`: expected 0 to 65536 bytes, got 65537 bytes");
    insta::assert_snapshot!(check(r#""configuration_item":"""#), @"`configuration_item`: expected 1 to 1024 bytes, got 0 bytes");
    insta::assert_snapshot!(check(r#""parents":["a",""]"#), @"`parents`: expected 1 to 1024 bytes, got 0 bytes");
}

#[test]
fn only_links_to_the_web_are_links() {
    for good in ["https://a.example/x?y=1#z", "HTTP://a.example"] {
        assert!(is_http_url(good), "{good}");
    }
    for bad in ["", "http", "javascript:alert(1)", "/graph", "ftp://a", "https://a b", "http://a\nX: y", "ħttps://a"] {
        assert!(!is_http_url(bad), "{bad}");
    }
}

/// A folder beside the repository; none when it is not there.
fn shared(path: &str) -> Option<PathBuf> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    let found = manifest.ancestors().skip(1).map(|folder| folder.join("shared").join(path)).find(|path| path.is_dir());
    if found.is_none() {
        eprintln!("skipped: no `shared/{path}` beside the repository");
    }
    found
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

#[test]
fn recorded_requests_are_read() {
    let Some(folder) = shared("captures") else { return };
    let mut events_by_source = std::collections::BTreeMap::<&str, usize>::new();
    for (name, bytes) in files(&folder) {
        let capture: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        for request in capture["requests"].as_array().unwrap() {
            let (path, body) = (request["path"].as_str().unwrap(), request["body"].as_str().unwrap_or_default());
            let spec = match path.split('/').nth(1).unwrap_or_default() {
                "alertmanager" => find("alertmanager"),
                "api" if request["method"] == "POST" => find("prometheus"),
                "nagios" | "nagios-form" => find("nagios"),
                "zabbix" => find("zabbix"),
                "icinga" => find("icinga2"),
                _ => None,
            };
            let Some(spec) = spec else { continue };
            // The recorder cut the longest bodies.
            if body.ends_with("...") {
                continue;
            }
            let received_at = request["t_iso"].as_str().unwrap();
            let events = parse_at(spec, body, received_at);
            assert!(!events.is_empty(), "{name}: {body}");
            *events_by_source.entry(spec.name).or_default() += events.len();
            check_recorded(spec.name, &events, body);
        }
    }
    assert_eq!(events_by_source.len(), 5, "{events_by_source:?}");
    eprintln!("recorded events read: {events_by_source:?}");
}

/// What is known of every recorded event.
fn check_recorded(source: &str, events: &[Event], body: &str) {
    for event in events {
        assert!(!event.name.contains(['{', '$']) && !event.summary().contains("{EVENT"), "{event:?}");
        assert!((event.received_at.as_millis() - event.at.as_millis()).abs() < 3_600_000, "{event:?}");
        match source {
            // Ours is the fingerprint that Alertmanager itself computed.
            "alertmanager" => {
                assert!(body.contains(&format!(r#""fingerprint":"{}""#, event.dedup_key)), "{event:?}");
                assert!(!event.extra.contains_key("fingerprint"));
            }
            "prometheus" => assert_eq!(event.expires_at.is_some(), event.status == event::EventStatus::Firing),
            "nagios" | "icinga2" | "zabbix" => assert!(event.configuration_item.is_some(), "{event:?}"),
            _ => {}
        }
    }
}

/// A body of each source with `json` in a field that nobody reads.
fn with_unread(json: &str) -> Vec<(&'static SourceSpec, String)> {
    let nagios = r#""NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","HOSTSTATE":"DOWN""#;
    let zabbix = r#""event_id":"1","event_source":"0","event_value":"1","event_name":"x""#;
    let bodies = [
        ("alertmanager", format!(r#"{{"version":"4","alerts":[],"unread":{json}}}"#)),
        (
            "alertmanager",
            format!(r#"{{"version":"4","alerts":[{{"status":"firing","labels":{{"a":"b"}},"unread":{json}}}]}}"#),
        ),
        ("prometheus", format!(r#"[{{"unread":{json},"labels":{{"a":"b"}}}}]"#)),
        ("nagios", format!(r#"{{{nagios},"unread":{json}}}"#)),
        ("zabbix", format!(r#"{{{zabbix},"unread":{json}}}"#)),
        ("generic", format!(r#"{{"status":"firing","name":"x","unread":{json}}}"#)),
        ("changes", format!(r#"{{"service":"x","unread":{json}}}"#)),
        ("argocd", format!(r#"{{"app":"x","phase":"Running","unread":{json}}}"#)),
        ("gitlab", format!(r#"{{"object_kind":"push","unread":{json}}}"#)),
        ("github", format!(r#"{{"zen":"x","unread":{json}}}"#)),
        ("grafana", format!(r#"{{"version":"1","alerts":[],"unread":{json}}}"#)),
        (
            "grafana",
            format!(r#"{{"version":"1","alerts":[{{"status":"firing","labels":{{"a":"b"}},"unread":{json}}}]}}"#),
        ),
        (
            "icinga2",
            format!(r#"{{"notification.type":"PROBLEM","host.name":"h","host.state":"DOWN","unread":{json}}}"#),
        ),
        ("checkmk", format!(r#"{{{nagios},"unread":{json}}}"#)),
        ("prtg", format!(r#"{{"sensorid":1,"status":"Down","unread":{json}}}"#)),
        ("solarwinds", format!(r#"{{"alert_object_id":"1","status":"firing","alert_name":"x","unread":{json}}}"#)),
        ("uptime_kuma", format!(r#"{{"heartbeat":{{"status":0}},"monitor":{{"id":1,"unread":{json}}}}}"#)),
        ("datadog", format!(r#"{{"alert_transition":"Warn","alert_id":1,"title":"x","unread":{json}}}"#)),
        ("gcp_monitoring", format!(r#"{{"version":"test","unread":{json}}}"#)),
        ("splunk", format!(r#"{{"search_name":"x","result":{{}},"unread":{json}}}"#)),
        ("elastic", format!(r#"{{"rule_id":"1","rule_name":"x","alert_id":"y","action_group":"z","unread":{json}}}"#)),
        (
            "dynatrace",
            format!(r#"{{"ProblemTitle":"x","State":"OPEN","PID":"1","ProblemSeverity":"ERROR","unread":{json}}}"#),
        ),
        ("newrelic", format!(r#"{{"issueId":"1","state":"CLOSED","priority":"LOW","title":"x","unread":{json}}}"#)),
        ("sentry", format!(r#"{{"action":"created","data":{{"error":{{}},"unread":{json}}}}}"#)),
        (
            "cloudevents",
            format!(
                r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{{"status":"firing","unread":{json}}}}}"#
            ),
        ),
    ];
    bodies.into_iter().map(|(name, body)| (find(name).unwrap(), body)).collect()
}

/// A body of each source with `json` as the value of a label or of a text that becomes one.
fn with_label(json: &str) -> Vec<(&'static SourceSpec, String)> {
    let nagios = r#""NOTIFICATIONTYPE":"PROBLEM","HOSTNAME":"h","HOSTSTATE":"DOWN""#;
    let zabbix = r#""event_id":"1","event_source":"0","event_value":"1","event_name":"x""#;
    let bodies = [
        (
            "alertmanager",
            format!(r#"{{"version":"4","alerts":[{{"status":"firing","labels":{{"a":"b","c":{json}}}}}]}}"#),
        ),
        ("prometheus", format!(r#"[{{"labels":{{"a":"b","c":{json}}}}}]"#)),
        ("nagios", format!(r#"{{{nagios},"HOSTGROUPNAMES":{json}}}"#)),
        ("zabbix", format!(r#"{{{zabbix},"event_tags_json":[{{"tag":"t","value":{json}}}]}}"#)),
        ("generic", format!(r#"{{"status":"firing","name":"x","labels":{{"c":{json}}}}}"#)),
        ("changes", format!(r#"{{"service":"x","summary":{json}}}"#)),
        ("argocd", format!(r#"{{"app":"x","phase":"Running","message":{json}}}"#)),
        ("grafana", format!(r#"{{"version":"1","alerts":[{{"status":"firing","labels":{{"c":{json}}}}}]}}"#)),
        ("checkmk", format!(r#"{{{nagios},"HOSTGROUPNAMES":{json}}}"#)),
        ("splunk", format!(r#"{{"search_name":"x","result":{{"c":{json}}}}}"#)),
        ("datadog", format!(r#"{{"alert_transition":"Warn","alert_id":1,"title":"x","tags":{json}}}"#)),
        (
            "cloudevents",
            format!(
                r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{{"status":"firing","labels":{{"c":{json}}}}}}}"#
            ),
        ),
    ];
    bodies.into_iter().map(|(name, body)| (find(name).unwrap(), body)).collect()
}

/// Names in the corpus that are JSON and refused all the same: a name twice in one object.
const REFUSED: [&str; 2] = ["y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json"];

#[test]
fn the_json_corpus_is_read_as_it_should() {
    let Some(folder) = shared("corpora/jsontestsuite") else { return };
    let parse = |spec: &SourceSpec, body: &[u8]| {
        let content_type = "application/json";
        built(spec).parse(&Inbound { source: spec.name, content_type, body, received_at: NOW.parse().unwrap() })
    };
    let mut count = 0;
    for (name, bytes) in files(&folder.join("test_parsing")).into_iter().chain(files(&folder.join("test_transform"))) {
        // As a whole body none of them is an event, whether it is JSON or not.
        for spec in SOURCES {
            let result = parse(spec, &bytes);
            assert!(
                result.is_err() || result.is_ok_and(|parsed| parsed.is_empty()) && !name.starts_with("n_"),
                "{name}"
            );
        }
        // Bytes that are not UTF-8 cannot be put into a text; as a body they were tried above.
        let Ok(json) = std::str::from_utf8(&bytes) else { continue };
        count += 1;
        for (spec, body) in with_unread(json) {
            let result = parse(spec, body.as_bytes());
            let place = format!("{name} unread by {}: {result:?}", spec.name);
            match &name[..2] {
                "y_" => assert_eq!(result.is_ok(), !REFUSED.contains(&name.as_str()), "{place}"),
                "n_" => assert!(result.is_err(), "{place}"),
                _ => {}
            }
        }
        let inner = json.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(json);
        let is_text = serde_json::from_str::<String>(inner).is_ok();
        for (spec, body) in with_label(inner) {
            let result = parse(spec, body.as_bytes());
            if name.starts_with("y_") && is_text {
                assert!(result.is_ok(), "{name} as a label of {}: {result:?}", spec.name);
            } else if name.starts_with("n_") && serde_json::from_str::<serde_json::Value>(inner).is_err() {
                assert!(result.is_err(), "{name} as a label of {}: {result:?}", spec.name);
            }
        }
    }
    assert!(count > 250, "{count} texts");
}
