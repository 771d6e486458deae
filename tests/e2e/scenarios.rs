//! What must be true when real monitors watch real faults.
//!
//! Each scenario breaks something, waits until the monitors agree that it is broken, and
//! then asks what people got to hear. "Quiet" is a short time in which nothing more may
//! happen; it is what turns "a notification came" into "only one came".

use std::collections::BTreeSet;
use std::time::Duration;

use super::lab::{Behaviour, Lab, Macros, Monitors, Recorded, Via, until};

const OPENED: &str = "watchbell.incident.opened";
const RESOLVED: &str = "watchbell.incident.resolved";

/// Everything that fails, for a monitor on this side, when the router does.
const BEHIND_THE_ROUTER: [&str; 7] = ["rtr1", "web1", "web2", "db1", "web1.http", "web2.http", "db1.pgsql"];

/// From a fault to an incident that blames the right thing.
const BLAMED_WITHIN: Duration = Duration::from_secs(30);

const QUIET: Duration = Duration::from_secs(5);

async fn quiet() {
    tokio::time::sleep(QUIET).await;
}

fn all_monitors(via: Via) -> Monitors {
    Monitors { nagios: Some(Macros::Environment), zabbix: true, prometheus: Some(via) }
}

fn only_nagios(macros: Macros) -> Monitors {
    Monitors { nagios: Some(macros), ..Monitors::default() }
}

fn only_zabbix() -> Monitors {
    Monitors { zabbix: true, ..Monitors::default() }
}

/// The one accepted request of this type; fails on none and on more.
fn the_only(lab: &Lab, kind: &str) -> Recorded {
    let mut requests = lab.receiver.accepted(kind);
    assert_eq!(requests.len(), 1, "one `{kind}`: {}", lab.receiver.describe());
    requests.remove(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn router_outage_pages_once_for_the_router() {
    let Some(lab) = Lab::start(all_monitors(Via::Direct)).await else {
        return;
    };

    lab.plant.break_down("rtr1");
    lab.daemon.opens(&["rtr1"], BLAMED_WITHIN).await;
    lab.monitors_see(&BEHIND_THE_ROUTER).await;
    the_receiver_was_told(&lab, OPENED, 1).await;
    quiet().await;
    lab.daemon.opens(&["rtr1"], Duration::ZERO).await;

    let opened = the_only(&lab, OPENED);
    let incidents = lab.daemon.incidents("open").await.expect("open incidents");
    assert_eq!(incidents[0]["id"], opened.incident_id());
    let priority = opened.incident()["priority"].as_str();
    assert!(matches!(priority, Some("P1" | "P2")), "a tier 1 service is cut off, but the priority is {priority:?}");

    lab.plant.mend("rtr1");
    lab.daemon.resolves_all().await;
    lab.monitors_see(&[]).await;
    the_receiver_was_told(&lab, RESOLVED, 1).await;
    quiet().await;
    let resolved = the_only(&lab, RESOLVED);
    assert_eq!(resolved.incident_id(), opened.incident_id());
    assert_eq!(resolved.incident()["state"], "resolved");
    the_only(&lab, OPENED);
    lab.daemon.opens(&[], Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn separate_faults_are_separate_incidents() {
    let Some(lab) = Lab::start(all_monitors(Via::Alertmanager)).await else {
        return;
    };

    // One behind the router, one elsewhere.
    two_faults(&lab, ["mon1.disk", "web2.http"], ["mon1", "web2"]).await;
    // Both behind the router, which works: sharing a path is not sharing a fault.
    two_faults(&lab, ["db1.pgsql", "web1.http"], ["db1", "web1"]).await;
    quiet().await;
    let heard = [OPENED, RESOLVED].map(|kind| lab.receiver.accepted(kind).len());
    assert_eq!(heard, [4, 4], "one of each for each fault: {}", lab.receiver.describe());
    lab.daemon.opens(&[], Duration::ZERO).await;
}

/// Breaks two things at once, expects an incident and a page for each host, and mends both.
async fn two_faults(lab: &Lab, objects: [&str; 2], hosts: [&str; 2]) {
    let [opened_before, resolved_before] = [OPENED, RESOLVED].map(|kind| lab.receiver.accepted(kind).len());

    for object in objects {
        lab.plant.break_down(object);
    }
    lab.daemon.opens(&hosts, BLAMED_WITHIN).await;
    lab.monitors_see(&objects).await;
    the_receiver_was_told(lab, OPENED, opened_before + 2).await;
    quiet().await;
    lab.daemon.opens(&hosts, Duration::ZERO).await;

    for object in objects {
        lab.plant.mend(object);
    }
    lab.daemon.resolves_all().await;
    lab.monitors_see(&[]).await;
    the_receiver_was_told(lab, RESOLVED, resolved_before + 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn acknowledging_in_zabbix_acknowledges_the_incident() {
    let Some(lab) = Lab::start(only_zabbix()).await else {
        return;
    };

    lab.plant.break_down("web1.http");
    lab.daemon.opens(&["web1"], BLAMED_WITHIN).await;
    let opened = lab.daemon.incidents("open").await.expect("open incidents");
    let id = opened[0]["id"].as_str().expect("an incident has an id");

    lab.zabbix().acknowledge("web1.http", "looking into it; \"ticket\" #42").await;
    until("the incident is acknowledged", BLAMED_WITHIN, async || {
        let incident = lab.daemon.incident(id).await?;
        match incident["state"] == "acknowledged" {
            true => Ok(()),
            false => Err(format!("it is {}", incident["state"])),
        }
    })
    .await;

    lab.plant.mend("web1.http");
    until("the incident is resolved", BLAMED_WITHIN, async || {
        let incident = lab.daemon.incident(id).await?;
        match incident["state"] == "resolved" {
            true => Ok(()),
            false => Err(format!("it is {}", incident["state"])),
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dependencies_that_only_zabbix_knows_lead_to_the_root() {
    // Zabbix keeps quiet about the hosts behind the router; their services have triggers without a dependency.
    const STILL_TOLD: [&str; 4] = ["rtr1", "web1.http", "web2.http", "db1.pgsql"];
    let Some(lab) = Lab::start(only_zabbix()).await else {
        return;
    };
    let zabbix = lab.zabbix();
    zabbix.put_hosts_behind_their_routers().await;
    lab.daemon.pulls_topology(&zabbix.url, &zabbix.api_token().await).await;
    assert_eq!(lab.daemon.dependencies("zabbix/lab").await, ["db1 -> rtr1", "web1 -> rtr1", "web2 -> rtr1"]);

    lab.plant.break_down("rtr1");
    until("Zabbix sees what it tells", BLAMED_WITHIN, async || {
        let broken = zabbix.broken().await?;
        match STILL_TOLD.iter().find(|object| !broken.contains(**object)) {
            None => Ok(()),
            Some(object) => Err(format!("it sees {broken:?}, without {object}")),
        }
    })
    .await;
    lab.daemon.opens(&["rtr1"], BLAMED_WITHIN).await;
    quiet().await;
    lab.daemon.opens(&["rtr1"], Duration::ZERO).await;
    let opened = the_only(&lab, OPENED);
    let incident = lab.daemon.incident(opened.incident_id()).await.expect("the incident");
    let alerts = incident["alert_count"].as_u64();
    assert!(alerts >= Some(STILL_TOLD.len() as u64), "{alerts:?} alerts: {incident}");

    lab.plant.mend("rtr1");
    lab.daemon.resolves_all().await;
    lab.monitors_see(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_zabbix_says_while_the_daemon_is_away_arrives_later() {
    let Some(mut lab) = Lab::start(only_zabbix()).await else {
        return;
    };

    lab.daemon.stop();
    lab.plant.break_down("web1.http");
    until("Zabbix has tried in vain", BLAMED_WITHIN, async || match lab.zabbix().messages().await? {
        messages if messages.tried_in_vain > 0 => Ok(()),
        messages => Err(format!("{messages:?}")),
    })
    .await;
    // Over before anyone heard of it. Zabbix tries the problem again after ten seconds and
    // holds the recovery back until it got through.
    lab.plant.mend("web1.http");
    lab.daemon.start_again().await;
    until("Zabbix has sent both", BLAMED_WITHIN, async || match lab.zabbix().messages().await? {
        messages if messages.arrived == 2 => Ok(()),
        messages => Err(format!("{messages:?}")),
    })
    .await;
    quiet().await;
    lab.daemon.resolves_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nagios_says_while_the_daemon_is_away_arrives_in_order() {
    let Some(mut lab) = Lab::start(only_nagios(Macros::Environment)).await else {
        return;
    };

    lab.daemon.stop();
    // A fault that comes and goes: told in the wrong order it would stay open for ever.
    lab.plant.break_down("mon1.disk");
    let problem = spool_grows(&lab, 0).await;
    lab.plant.mend("mon1.disk");
    let recovery = spool_grows(&lab, problem).await;
    // One that stays. Nagios repeats it, and with a repeat the spool drains at the latest.
    lab.plant.break_down("web1.http");
    spool_grows(&lab, recovery).await;

    lab.daemon.start_again().await;
    lab.daemon.opens(&["web1"], BLAMED_WITHIN).await;
    until("the spool is empty", BLAMED_WITHIN, async || match lab.nagios().spooled_bytes() {
        0 => Ok(()),
        bytes => Err(format!("{bytes} bytes are left")),
    })
    .await;
    quiet().await;
    lab.daemon.opens(&["web1"], Duration::ZERO).await;

    lab.plant.mend("web1.http");
    lab.daemon.resolves_all().await;
}

/// Waits until the spool holds more than before and returns how much.
async fn spool_grows(lab: &Lab, before: u64) -> u64 {
    until("a notification is spooled", BLAMED_WITHIN, async || match lab.nagios().spooled_bytes() {
        bytes if bytes > before => Ok(bytes),
        bytes => Err(format!("{bytes} bytes, as before")),
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn downtime_in_nagios_is_silent_and_what_outlives_it_is_not() {
    const DOWNTIME_SECONDS: u64 = 14;
    let Some(lab) = Lab::start(only_nagios(Macros::Arguments)).await else {
        return;
    };

    lab.nagios().schedule_downtime("mon1", "disk", DOWNTIME_SECONDS);
    until("the downtime starts", BLAMED_WITHIN, async || match lab.nagios().is_in_downtime("mon1.disk")? {
        true => Ok(()),
        false => Err("not yet".to_owned()),
    })
    .await;
    lab.plant.break_down("mon1.disk");
    lab.monitors_see(&["mon1.disk"]).await;
    quiet().await;
    assert!(
        lab.nagios().is_in_downtime("mon1.disk") == Ok(true),
        "the machine is too slow for a downtime of {DOWNTIME_SECONDS} s"
    );
    lab.daemon.opens(&[], Duration::ZERO).await;
    assert!(lab.receiver.requests().is_empty(), "announced downtime concerns nobody: {}", lab.receiver.describe());

    // Nagios tells about a fault that is still there when the downtime is over.
    lab.daemon.opens(&["mon1"], BLAMED_WITHIN).await;
    the_receiver_was_told(&lab, OPENED, 1).await;
    lab.plant.mend("mon1.disk");
    lab.daemon.resolves_all().await;
    the_receiver_was_told(&lab, RESOLVED, 1).await;
    the_only(&lab, OPENED);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_at_first_is_told_once_it_works() {
    let Some(lab) = Lab::start(only_nagios(Macros::Environment)).await else {
        return;
    };

    let ways_to_fail = [Behaviour::Status(500), Behaviour::Status(429), Behaviour::Hang];
    lab.receiver.behave(ways_to_fail[0]);
    lab.plant.break_down("mon1.disk");
    for (index, _) in ways_to_fail.iter().enumerate() {
        until("the receiver is tried again", BLAMED_WITHIN, async || match lab.receiver.requests().len() {
            tried if tried > index => Ok(()),
            tried => Err(format!("tried {tried} times")),
        })
        .await;
        lab.receiver.behave(ways_to_fail.get(index + 1).copied().unwrap_or(Behaviour::Status(200)));
    }
    the_receiver_was_told(&lab, OPENED, 1).await;
    // All tries of one delivery carry one id, so that a receiver can fold them.
    let ids: BTreeSet<String> = lab.receiver.requests().iter().map(|request| request.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1, "one delivery: {}", lab.receiver.describe());

    lab.plant.mend("mon1.disk");
    the_receiver_was_told(&lab, RESOLVED, 1).await;
    quiet().await;
    the_only(&lab, OPENED);
    the_only(&lab, RESOLVED);
}

/// Waits until that many requests of this type were accepted.
async fn the_receiver_was_told(lab: &Lab, kind: &str, times: usize) {
    // A retry may have been put off, and an answer that never comes has to time out first.
    const WITHIN: Duration = Duration::from_secs(60);
    until("the receiver was told", WITHIN, async || match lab.receiver.accepted(kind).len() {
        told if told >= times => Ok(()),
        told => Err(format!("told {told} times of {times}")),
    })
    .await;
}
