//! Planned windows and the limits of silences: what is read, and what is refused with its line.

use insta::assert_snapshot;

use super::said_of;

#[test]
fn windows_and_limits_that_make_no_sense_are_refused() {
    let yaml = "\
maintenance:
  - { starts_at: 2026-11-21T08:00:00Z, ends_at: 2026-11-21T09:00:00Z }
  - { service: orders, rrule: FREQ=HOURLY, time_zone: UTC, starts_at: 2026-11-21T08:00:00Z, duration: 1h }
  - { site: fra1, rrule: FREQ=DAILY, starts_at: 2026-11-21T08:00:00Z, ends_at: 2026-11-21T09:00:00Z }
  - { matchers: [a=~x?], dedup_key: x, starts_at: 2026-11-21T08:00:00Z, ends_at: 2026-11-21T09:00:00Z }
silences: { others: viewer, duration_max: 1s, count_max: 0, retention: 9999d, owner: x }
";
    assert_snapshot!(said_of(yaml), @r#"
    error: `maintenance[0]`: expected `configuration_item`, `service`, `site` or `matchers`, without any nothing is muted
      --> watchbell.yaml:4
    error: `maintenance[1].rrule`: expected `DAILY`, `WEEKLY`, `MONTHLY` or `YEARLY`, got `FREQ=HOURLY`
      --> watchbell.yaml:5
    error: missing key `time_zone` in `maintenance[2]`
      --> watchbell.yaml:6
    error: missing key `duration` in `maintenance[2]`
      --> watchbell.yaml:6
    error: `maintenance[3].dedup_key`: expected a `configuration_item` with it
      --> watchbell.yaml:7
    error: `maintenance[3].matchers`: expected at least one that does not match an empty value
      --> watchbell.yaml:7
    error: unknown key `owner` in `silences`
      --> watchbell.yaml:8
      hint: known keys: `comment_required`, `count_max`, `duration_max`, `others`, `retention`
    error: `silences.others`: expected `responder` or `admin`, got `viewer`
      --> watchbell.yaml:8
    error: `silences.duration_max`: expected 1m to 52w2d, got 1s
      --> watchbell.yaml:8
    error: `silences.count_max`: expected 1 to 1000000, got 0
      --> watchbell.yaml:8
    error: `silences.retention`: expected 0s to 52w2d, got 1428w3d
      --> watchbell.yaml:8
    "#);
}
