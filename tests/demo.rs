//! `watchbell run --demo` from the outside: the recorded outage through the real daemon, as fast as it goes.
//! What has to wait is the daemon itself (`group_wait`), so this takes about ten seconds.

use std::process::Command;

#[test]
fn a_hundred_webhooks_become_one_incident_and_one_notification() {
    let temporary = tempfile::tempdir().unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_watchbell"))
        .args(["run", "--demo", "--exit-after-demo", "--demo-speed", "1000"])
        .env("TMPDIR", temporary.path())
        .env_remove("WATCHBELL_LOG")
        .env_remove("WATCHBELL_LOG_FORMAT")
        .output()
        .unwrap();
    let (told, talk) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(0), "{talk}");
    for line in [
        "host rtr1 is DOWN",
        "68 webhooks -> 31 alerts -> 1 incident -> 1 notification",
        "root cause     rtr1: it fails (seen by nagios, prometheus and zabbix)",
        "101 webhooks from 3 monitors -> 1 incident, 1 notification, 1 all-clear",
    ] {
        assert!(talk.contains(line), "no `{line}` in:\n{talk}");
    }
    assert!(!talk.contains("WARN"), "{talk}");
    for headline in ["opened [P1] rtr1 is DOWN", "resolved [P1] rtr1 is DOWN"] {
        assert_eq!(told.matches(headline).count(), 1, "`{headline}` in:\n{told}");
    }
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 0, "files are left behind");
}

#[test]
fn a_speed_out_of_range_is_bad_usage() {
    let output = Command::new(env!("CARGO_BIN_EXE_watchbell")).args(["run", "--demo", "--demo-speed", "0"]).output();
    let output = output.unwrap();
    assert_eq!(output.status.code(), Some(2));
    let talk = String::from_utf8(output.stderr).unwrap();
    assert!(talk.contains("expected a number from 0.5 to 1000"), "{talk}");
}
