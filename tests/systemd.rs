//! The unit stays as locked up as it claims to be, by systemd's own measure.

use std::path::Path;
use std::process::Command;

/// In tenths, as `--threshold` counts: an exposure of at most 1.5.
const EXPOSURE_TENTHS_MAX: &str = "15";

fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

#[test]
fn the_service_is_hardened() {
    let unit = folder().join("watchbell.service");
    let command = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", "--threshold", EXPOSURE_TENTHS_MAX])
        .arg(&unit)
        .output();
    let output = match command {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("skipped: `systemd-analyze` is not installed");
            return;
        }
        Err(error) => panic!("cannot run `systemd-analyze`: {error}"),
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("unrecognized option") {
        eprintln!("skipped: this `systemd-analyze` cannot judge a unit that is not installed");
        return;
    }
    assert!(output.status.success(), "exposure above 1.5:\n{text}{errors}");
    assert!(text.contains("Overall exposure level"), "{text}{errors}");
    // A directive that systemd does not know would protect nothing.
    assert!(!errors.contains("Unknown key"), "{errors}");
}

#[test]
fn a_bad_configuration_neither_starts_nor_reloads() {
    let unit = std::fs::read_to_string(folder().join("watchbell.service")).unwrap();
    let lines: Vec<&str> = unit.lines().filter(|line| line.starts_with("Exec")).collect();
    let check = "/usr/bin/watchbell check --config /etc/watchbell/watchbell.yaml";
    assert_eq!(lines[0], format!("ExecStartPre={check}"));
    assert_eq!(lines[2], format!("ExecReload={check}"));
    assert!(lines[3].contains("-HUP"));
    assert!(unit.contains("Type=notify") && unit.contains("WatchdogSec="));
}
