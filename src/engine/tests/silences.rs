//! The life of a silence: what it mutes and when, what may be changed of it and by whom, what is left of it.

use super::scenario::{Scenario, event, snapshot};
use crate::engine::input::{Command, Input, Principal, Reply, Role};
use crate::engine::policy::{Policy, SilenceRule};
use crate::engine::silence;
use crate::engine::state::State;
use crate::model::event::EventStatus;
use crate::model::{NotificationKind, Severity, Silence, SilenceDraft, SilenceState, Span, Timestamp};

const CRITICAL: Severity = Severity::Critical;
const HOUR: Span = Span::from_hours(1);

fn draft(s: &Scenario, matchers: &str, starts_in: Span, duration: Span) -> SilenceDraft {
    let starts_at = s.now + starts_in;
    SilenceDraft {
        matchers: crate::model::Matcher::parse_all(matchers).unwrap(),
        starts_at,
        ends_at: starts_at + duration,
        comment: "moving house".into(),
        ..SilenceDraft::default()
    }
}

fn put(s: &mut Scenario, draft: SilenceDraft) -> Reply {
    s.command(Command::Silence(Box::new(draft)))
}

fn done(reply: Reply) -> String {
    match reply {
        Reply::Done(id) => id,
        other => panic!("{other:?}"),
    }
}

fn refused(reply: Reply) -> String {
    match reply {
        Reply::Refused(why) => why,
        other => panic!("{other:?}"),
    }
}

fn command_of(s: &mut Scenario, name: &str, role: Role, command: Command) -> Reply {
    s.input(Input::Command { by: Principal { name: name.to_owned(), role }, command });
    s.replies.pop().unwrap()
}

fn state_of(s: &Scenario, id: &str) -> Option<SilenceState> {
    let silence = s.state.silence(id)?;
    assert_eq!(silence.state, silence.state_at(s.now), "{silence:?} at {}", s.now);
    Some(silence.state)
}

/// The same from what the store would hold.
fn restarted(mut s: Scenario) -> Scenario {
    s.state = State::restore(snapshot(&s.changes)).unwrap();
    s.input(Input::Started);
    s
}

#[test]
fn a_silence_is_pending_then_active_then_expired_then_forgotten() {
    for restarts in [false, true] {
        let mut s = Scenario::new(Policy::default());
        let wanted = draft(&s, "team=ops", HOUR, HOUR);
        let id = done(put(&mut s, wanted));
        let mut seen = vec![state_of(&s, &id)];
        for span in [HOUR, HOUR, Span::from_hours(120) - Span::from_secs(1), Span::from_secs(1)] {
            s.pass(span);
            seen.push(state_of(&s, &id));
            if restarts {
                s = restarted(s);
            }
        }
        let expected = [SilenceState::Pending, SilenceState::Active, SilenceState::Expired, SilenceState::Expired];
        assert_eq!(seen[..4], expected.map(Some));
        assert_eq!(seen[4], None, "it is seen for five days");
        assert!(s.says("begins, until") && s.says("has ended"));
    }
}

#[test]
fn what_happened_while_nobody_looked_happens_at_once() {
    let mut s = Scenario::new(Policy::default());
    let wanted = draft(&s, "team=ops", HOUR, HOUR);
    let id = done(put(&mut s, wanted));
    s.now = s.now + Span::from_hours(24 * 30);
    s.input(Input::Tick);
    assert_eq!(state_of(&s, &id), None);
}

#[test]
fn the_end_of_a_silence_is_heard_also_after_a_restart() {
    let mut s = Scenario::new(Policy::default());
    let wanted = draft(&s, "configuration_item=web1", Span::from_mins(10), HOUR);
    let id = done(put(&mut s, wanted));
    s.pass(Span::from_mins(11));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(30));
    assert!(s.kinds().is_empty());
    let ends_at = s.state.silence(&id).unwrap().ends_at;
    assert!(s.says(&format!("silenced by anna until {ends_at} (moving house; silence {id})")));
    s = restarted(s);
    s.pass(Span::from_mins(31));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
}

#[test]
fn ids_are_those_of_the_input_and_never_twice() {
    let ids = || {
        let mut s = Scenario::new(Policy::default());
        let wanted = draft(&s, "team=ops", Span::ZERO, HOUR);
        [done(put(&mut s, wanted.clone())), done(put(&mut s, wanted))]
    };
    let [one, other] = ids();
    assert_ne!(one, other);
    assert_eq!(ids(), [one.clone(), other]);
    assert_eq!((one.len(), one.as_bytes()[14]), (36, b'4'));
}

/// Every row: how the change differs, whether the silence is pending, active or expired by then, and whether it
/// stays the same silence.
#[test]
fn a_change_keeps_the_id_where_nothing_that_was_would_read_differently() {
    type Edit = fn(&mut SilenceDraft, Timestamp);
    let edits: [(&str, Edit, [bool; 3]); 7] = [
        ("nothing", |_, _| {}, [true, true, false]),
        ("the comment", |draft, _| draft.comment = "other".into(), [true, true, false]),
        ("a later end", |draft, now| draft.ends_at = now + Span::from_hours(9), [true, true, false]),
        ("no start", |draft, _| draft.starts_at = Timestamp::default(), [true, true, false]),
        ("another start", |draft, now| draft.starts_at = now + Span::from_mins(1), [true, false, false]),
        ("a start in the past", |draft, now| draft.starts_at = now - HOUR, [false, false, false]),
        ("other matchers", |draft, _| draft.matchers = vec!["team=net".parse().unwrap()], [false, false, false]),
    ];
    for (what, edit, expected) in edits {
        for (age, keeps) in [Span::ZERO, Span::from_mins(90), Span::from_mins(150)].into_iter().zip(expected) {
            let mut s = Scenario::new(Policy::default());
            let mut wanted = draft(&s, "team=ops", HOUR, HOUR);
            let id = done(put(&mut s, wanted.clone()));
            s.pass(age);
            wanted.id = Some(id.clone());
            if age > Span::from_hours(2) {
                wanted.ends_at = s.now + HOUR;
            }
            edit(&mut wanted, s.now);
            let before = s.state.silence(&id).unwrap().clone();
            let reply = done(put(&mut s, wanted.clone()));
            assert_eq!(reply == id, keeps, "{what} after {}", age.human());
            let after = s.state.silence(&reply).unwrap();
            assert_eq!((&after.comment, after.ends_at, after.updated_at), (&wanted.comment, wanted.ends_at, s.now));
            if !keeps {
                assert_eq!(state_of(&s, &id), Some(SilenceState::Expired));
                assert_eq!(s.state.silence(&id).unwrap().ends_at, before.ends_at.min(s.now), "{what}");
                assert!(after.starts_at >= s.now);
            }
        }
    }
    let mut s = Scenario::new(Policy::default());
    let unknown = SilenceDraft { id: Some("sil-1".into()), ..draft(&s, "team=ops", Span::ZERO, HOUR) };
    assert_eq!(put(&mut s, unknown), Reply::NotFound("sil-1".into()));
}

#[test]
fn a_change_tells_with_its_own_words_why_people_do_not_hear() {
    let mut s = Scenario::new(Policy::default());
    let mut wanted = draft(&s, "configuration_item=web1", Span::ZERO, HOUR);
    let id = done(put(&mut s, wanted.clone()));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(1));
    wanted = SilenceDraft { id: Some(id.clone()), ends_at: wanted.ends_at + HOUR, ..wanted };
    let ends_at = wanted.ends_at;
    done(put(&mut s, wanted.clone()));
    let muted = s.open()[0].notifying.muted.clone().unwrap();
    assert!(muted.starts_with(&format!("silenced by anna until {ends_at}")), "{muted}");
    // What it muted is loud once it is about something else.
    wanted.matchers = vec!["configuration_item=web2".parse().unwrap()];
    assert_ne!(done(put(&mut s, wanted)), id);
    s.pass(Span::from_secs(10));
    assert_eq!(s.kinds(), [NotificationKind::Opened]);
}

#[test]
fn an_end_by_hand_is_heard_and_asked_for_twice_does_nothing() {
    let mut s = Scenario::new(Policy::default());
    let wanted = draft(&s, "configuration_item=web1", Span::ZERO, HOUR);
    let id = done(put(&mut s, wanted));
    s.fire("nagios", "web1", "http", CRITICAL);
    s.pass(Span::from_mins(1));
    let expire = Command::ExpireSilence { silence: id.clone() };
    assert_eq!(s.command(expire.clone()), Reply::Done(id.clone()));
    s.pass(Span::from_secs(1));
    assert_eq!((s.kinds(), state_of(&s, &id)), (vec![NotificationKind::Opened], Some(SilenceState::Expired)));
    assert_eq!(s.command(expire), Reply::Already(id));
    assert_eq!(s.command(Command::ExpireSilence { silence: "no".into() }), Reply::NotFound("no".into()));
    // One that has not begun never does.
    let wanted = draft(&s, "team=ops", HOUR, HOUR);
    let id = done(put(&mut s, wanted));
    done(s.command(Command::ExpireSilence { silence: id.clone() }));
    s.pass(Span::from_mins(90));
    assert_eq!(state_of(&s, &id), Some(SilenceState::Expired));
}

#[test]
fn what_others_have_silenced_is_theirs_where_the_policy_says_so() {
    let rule = SilenceRule { others: Role::Admin, ..SilenceRule::default() };
    let mut s = Scenario::new(Policy { silences: rule, ..Policy::default() });
    // Who it is said to be does not make one the owner.
    let wanted = SilenceDraft { created_by: Some("bob".into()), ..draft(&s, "team=ops", Span::ZERO, HOUR) };
    let id = done(put(&mut s, wanted.clone()));
    assert_eq!(s.state.silence(&id).unwrap().created_by, "bob");
    let change = || Command::Silence(Box::new(SilenceDraft { id: Some(id.clone()), ..wanted.clone() }));
    let expire = || Command::ExpireSilence { silence: id.clone() };
    for asked in [change(), expire()] {
        let why = refused(command_of(&mut s, "bob", Role::Responder, asked));
        assert!(why.contains("is of anna") && why.contains("`silences.others`"), "{why}");
    }
    assert_eq!(s.command(change()), Reply::Done(id.clone()), "anna made it");
    assert_eq!(command_of(&mut s, "root", Role::Admin, change()), Reply::Done(id.clone()));
    assert_eq!(s.state.silence(&id).unwrap().owner(), "anna", "whoever corrects it does not take it");
    assert_eq!(command_of(&mut s, "root", Role::Admin, expire()), Reply::Done(id.clone()));
    // By default everybody on call may.
    let mut s = Scenario::new(Policy::default());
    let wanted = draft(&s, "team=ops", Span::ZERO, HOUR);
    let id = done(put(&mut s, wanted));
    let expire = Command::ExpireSilence { silence: id };
    assert!(matches!(command_of(&mut s, "bob", Role::Viewer, expire.clone()), Reply::Refused(_)));
    assert!(matches!(command_of(&mut s, "bob", Role::Responder, expire), Reply::Done(_)));
}

#[test]
fn limits_are_kept_and_named() {
    let rule = SilenceRule { duration_max: Some(HOUR), count_max: Some(2), ..SilenceRule::default() };
    let mut s = Scenario::new(Policy { silences: rule, ..Policy::default() });
    let good = draft(&s, "team=ops", Span::ZERO, HOUR);
    let mut told = Vec::new();
    let edits: [fn(&mut SilenceDraft); 4] = [
        |draft| draft.ends_at = draft.ends_at + Span::from_mins(5),
        |draft| draft.comment = " ".into(),
        |draft| draft.matchers.clear(),
        |draft| draft.ends_at = draft.starts_at,
    ];
    for edit in edits {
        let mut bad = good.clone();
        edit(&mut bad);
        told.push(refused(put(&mut s, bad)));
    }
    let first = done(put(&mut s, good.clone()));
    let second = done(put(&mut s, good.clone()));
    told.push(refused(put(&mut s, good.clone())));
    insta::assert_snapshot!(told.join("\n"), @"
    `ends_at`: the silence would last 1h 5m, expected at most 1h (`silences.duration_max`)
    `comment`: got nothing, expected a word on why
    `matchers`: got none, expected at least one that does not match an empty value
    `ends_at`: got 2026-11-21T05:00:00.000Z, expected a time after `starts_at` (2026-11-21T05:00:00.000Z)
    silences: got one more than 2 that are not over, expected at most 2 (`silences.count_max`)
    ");
    // An exchange needs no room.
    let other = vec!["team=net".parse().unwrap()];
    let changed = SilenceDraft { id: Some(first), matchers: other, ..good.clone() };
    assert_ne!(done(put(&mut s, changed)), second);
    done(s.command(Command::ExpireSilence { silence: second }));
    done(put(&mut s, good));
}

#[test]
fn what_earlier_versions_wrote_is_still_read() {
    let old = r#"{"input":"command","by":{"name":"anna","role":"responder"},"command":{"command":"silence",
        "matchers":["team=\"ops\""],"starts_at":"2026-11-21T05:00:00.000Z","ends_at":"2026-11-21T07:00:00.000Z","comment":"move"}}"#;
    let mut s = Scenario::new(Policy::default());
    s.input(serde_json::from_str(old).unwrap());
    assert!(matches!(s.replies.pop(), Some(Reply::Done(_))), "{:?}", s.replies);
    let old = serde_json::json!({"id": "sil-3f0cq2m7kd", "matchers": ["team=\"ops\""], "created_by": "ada", "comment": "move",
        "starts_at": s.now, "ends_at": s.now + HOUR});
    let mut snapshot = snapshot(&s.changes);
    snapshot.facts.push(("silence".into(), "sil-3f0cq2m7kd".into(), old));
    s.state = State::restore(snapshot).unwrap();
    assert_eq!(state_of(&s, "sil-3f0cq2m7kd"), Some(SilenceState::Active));
    s.pass(HOUR);
    assert_eq!(state_of(&s, "sil-3f0cq2m7kd"), Some(SilenceState::Expired));
}

/// Ten thousand silences for other hosts cost an alert nothing: those that are looked at in full are counted.
#[test]
fn an_alert_is_asked_about_the_silences_of_its_own_values_only() {
    let mut s = Scenario::new(Policy::default());
    let now = s.now;
    for number in 0..10_000 {
        let matchers = match number % 4 {
            0 => format!("alertname=HostDown, instance=host-{number}"),
            // Regular expressions take long to compile.
            1 if number < 500 => format!("severity=~\"critical|major\", instance=~\"host-{number}|host-{number}b\""),
            1 => format!("severity=critical, instance=host-{number}"),
            2 => format!("team!=ops, instance=host-{number}, alertname=DiskFull"),
            _ => format!("instance!=\"\", rack=r{number}"),
        };
        s.state.put_silence(silence(&format!("sil-{number}"), &matchers, now));
    }
    s.state.put_silence(silence("sil-any", "datacenter=~\"fra.*\"", now));
    let mut looked_at = 0;
    for number in 0..1_000 {
        let host = format!("host-{number}");
        let label = |name: &str| match name {
            "alertname" => Some("HostDown"),
            "severity" => Some("critical"),
            "instance" => Some(host.as_str()),
            "datacenter" => Some("fra1"),
            _ => None,
        };
        looked_at += s.state.silence_index.candidates(&label, &[]).count();
        let found: Vec<&str> = silence::matching(&s.state, now, &label).iter().map(|silence| &*silence.id).collect();
        let own = format!("sil-{number}");
        let expected = if number % 4 < 2 { vec![own.as_str(), "sil-any"] } else { vec!["sil-any"] };
        assert_eq!(found, expected, "{host}");
    }
    // One for every host, one of its own, and the first with two labels each: it was filed before there were others.
    assert!(looked_at < 5 * 1_000, "{looked_at} looked at for 1000 alerts and 10001 silences");
}

/// Whatever is filed where: what is found is what a walk through all finds.
#[test]
fn the_index_finds_what_a_walk_finds() {
    let mut s = Scenario::new(super::lab());
    let now = s.now;
    let texts = [
        "team=ops",
        "team=\"\", severity=critical",
        "team=~\"ops|net\"",
        "team=~\"(?:ops|net)\", severity!=critical",
        "team=~\"o.*\"",
        "team!~\"o.*\", severity=critical",
        "team=~\"ops|\", severity=~\".+\"",
        "severity=~\"critical|major\"",
        "configuration_item=web1",
        "severity!=\"\"",
    ];
    for (number, text) in texts.into_iter().enumerate() {
        s.state.put_silence(silence(&format!("sil-{number}"), text, now));
        // Filed anew, and taken out again.
        s.state.put_silence(silence(&format!("sil-{number}"), text, now));
        s.state.put_silence(silence("sil-gone", text, now));
        s.state.forget_silence("sil-gone");
    }
    for team in [None, Some(""), Some("ops"), Some("net"), Some("other")] {
        for severity in [None, Some("critical"), Some("major")] {
            for item in [None, Some("web1"), Some("web2")] {
                let label = |name: &str| match name {
                    "team" => team,
                    "severity" => severity,
                    "configuration_item" => item,
                    _ => None,
                };
                let is_match = |silence: &&Silence| silence.matchers.iter().all(|m| m.is_match(label(&m.name)));
                let walked: Vec<&Silence> = s.state.silences().filter(is_match).collect();
                assert_eq!(silence::matching(&s.state, now, &label), walked, "{team:?} {severity:?} {item:?}");
            }
        }
    }
}

fn silence(id: &str, matchers: &str, starts_at: Timestamp) -> Silence {
    Silence {
        id: id.into(),
        matchers: crate::model::Matcher::parse_all(matchers).unwrap(),
        starts_at,
        ends_at: starts_at + HOUR,
        created_by: "anna".into(),
        comment: "moving".into(),
        annotations: Default::default(),
        updated_at: starts_at,
        state: SilenceState::Active,
        owner: None,
        covers_dependants: false,
        recurrence: None,
        expire_when_quiet: None,
        quiet_since: None,
        quiet_check_at: None,
    }
}

#[test]
fn what_depends_on_the_item_is_covered_too_where_that_is_asked_for() {
    for covers_dependants in [false, true] {
        let mut s = Scenario::new(super::lab());
        let wanted = draft(&s, "configuration_item=rtr1, severity=critical", Span::ZERO, HOUR);
        done(put(&mut s, SilenceDraft { covers_dependants, ..wanted }));
        s.fire("prometheus", "web1", "HostDown", CRITICAL);
        s.fire("prometheus", "rtr1", "HostDown", CRITICAL);
        let item = event(s.now, "prometheus", "web1", "slow", Severity::Warning, EventStatus::Firing);
        let muted = |name: &str| {
            let alert = s.state.alerts().find(|alert| alert.configuration_item.as_deref() == Some(name)).unwrap();
            silence::cause(&s.state, s.now, alert).is_some()
        };
        assert_eq!((muted("rtr1"), muted("web1")), (true, covers_dependants));
        let label = |name: &str| match name {
            "configuration_item" => item.configuration_item.as_deref(),
            "severity" => Some("warning"),
            _ => None,
        };
        assert!(silence::matching(&s.state, s.now, &label).is_empty(), "its other matchers hold as well");
    }
}
