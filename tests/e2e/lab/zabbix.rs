//! Zabbix 6.0 with the media type of `config/examples/zabbix-media-type.yaml`.
//!
//! Everything is configured through the API before the server starts, so that its first
//! look at the configuration is complete. Values are pushed with `zabbix_sender`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::daemon::{self, Daemon};
use super::plant::{self, Plant};
use super::postgres::Postgres;
use super::process::{self, Process};
use super::zabbix_api::{Api, text};
use super::{PATIENCE, example, until, zabbix_server};

/// How soon a changed state file becomes a value in Zabbix.
const FEED_EVERY: Duration = Duration::from_millis(250);

/// Id of the user that every fresh database has, and as which the lab works.
const ADMINISTRATOR: &str = "1";

/// Zabbix' number for "high".
const SEVERITY_HIGH: u8 = 4;

/// Fields end in the order in which they are declared: the database last.
pub struct Zabbix {
    /// Of the frontend.
    pub url: String,
    api: Api,
    feeder: JoinHandle<()>,
    _server: Process,
    _frontend: Process,
    _database: Postgres,
}

impl Zabbix {
    pub async fn start(directory: &Path, plant: &Plant, daemon: &Daemon) -> Self {
        process::make_directory(directory);
        let mut database = zabbix_server::start_database(directory).await;
        let (url, mut frontend) = zabbix_server::start_frontend(directory, &database);
        let api = until("the Zabbix frontend answers", PATIENCE, async || {
            database.check_alive();
            frontend.check_alive();
            Api::log_in(&url).await
        })
        .await;
        notify_watchbell(&api, &url, daemon).await;
        watch_plant(&api).await;

        let (port, mut server) = zabbix_server::start_server(directory, &database);
        let (fed, is_fed) = watch::channel(false);
        let feeder = tokio::spawn(feed(directory.to_path_buf(), port, plant.clone(), fed));
        until("Zabbix takes values", PATIENCE, async || {
            server.check_alive();
            match *is_fed.borrow() {
                true => Ok(()),
                false => Err("zabbix_sender still fails".to_owned()),
            }
        })
        .await;
        Self { url, api, feeder, _server: server, _frontend: frontend, _database: database }
    }

    /// The objects whose trigger is in the problem state.
    ///
    /// # Errors
    /// Says what the API answered.
    pub async fn broken(&self) -> Result<BTreeSet<String>, String> {
        let triggers = self
            .api
            .try_call(
                "trigger.get",
                json!({
                    "output": ["triggerid"],
                    "filter": { "value": 1 },
                    "selectTags": "extend",
                }),
            )
            .await?;
        let triggers = triggers.as_array().ok_or("no list of triggers")?;
        Ok(triggers.iter().map(object_of).collect())
    }

    /// How many messages Zabbix has to send: those that arrived and those that failed at
    /// least once and wait for another try.
    ///
    /// # Errors
    /// Says what the API answered.
    pub async fn messages(&self) -> Result<Messages, String> {
        let alerts = self.api.try_call("alert.get", json!({ "output": ["status", "retries"] })).await?;
        let alerts = alerts.as_array().ok_or("no list of alerts")?;
        let count = |is_counted: fn(&str, &str) -> bool| {
            alerts.iter().filter(|alert| is_counted(&text(&alert["status"]), &text(&alert["retries"]))).count()
        };
        Ok(Messages {
            arrived: count(|status, _| status == "1"),
            tried_in_vain: count(|status, retries| status == "0" && retries != "0"),
        })
    }

    /// Lets the trigger of each host that is behind another one depend on that one's trigger.
    pub async fn put_hosts_behind_their_routers(&self) {
        let params = json!({ "output": ["triggerid"], "selectTags": "extend" });
        let triggers = self.api.call("trigger.get", params).await;
        let triggers: BTreeMap<String, String> = triggers
            .as_array()
            .into_iter()
            .flatten()
            .map(|trigger| (object_of(trigger), text(&trigger["triggerid"])))
            .collect();
        for host in &plant::HOSTS {
            if let Some(router) = host.behind {
                let on = json!([{ "triggerid": triggers[router] }]);
                let update = json!({ "triggerid": triggers[host.name], "dependencies": on });
                self.api.call("trigger.update", update).await;
            }
        }
    }

    /// An API token of the user who may only read.
    pub async fn api_token(&self) -> String {
        let user = self.api.call("user.get", json!({ "filter": { "username": "watchbell" } })).await;
        let token = json!({ "name": "topology", "userid": user[0]["userid"] });
        let token = self.api.create("token", token).await;
        let generated = self.api.call("token.generate", json!(token)).await;
        text(&generated[0]["token"])
    }

    /// Acknowledges the problem of one object with a message, as a person in the frontend.
    pub async fn acknowledge(&self, object: &str, message: &str) {
        const ACKNOWLEDGE: u8 = 2;
        const ADD_MESSAGE: u8 = 4;
        let problems = self.api.call("problem.get", json!({ "selectTags": "extend" })).await;
        let event = problems
            .as_array()
            .and_then(|problems| problems.iter().find(|problem| has_tag(problem, object)))
            .map(|problem| text(&problem["eventid"]))
            .unwrap_or_else(|| panic!("Zabbix has no problem for {object}: {problems}"));
        self.api
            .call(
                "event.acknowledge",
                json!({
                    "eventids": event,
                    "action": ACKNOWLEDGE | ADD_MESSAGE,
                    "message": message,
                }),
            )
            .await;
    }
}

/// What became of the messages to Watchbell.
#[derive(Clone, Copy, Debug)]
pub struct Messages {
    pub arrived: usize,
    pub tried_in_vain: usize,
}

impl Drop for Zabbix {
    fn drop(&mut self) {
        self.feeder.abort();
    }
}

/// Imports the media type and makes an action that uses it for everything.
async fn notify_watchbell(api: &Api, frontend: &str, daemon: &Daemon) {
    for (name, value) in [
        ("{$WATCHBELL.URL}", daemon.inbound("zabbix", "lab-zabbix")),
        ("{$WATCHBELL.TOKEN}", daemon::token("lab-zabbix")),
        ("{$ZABBIX.URL}", frontend.to_owned()),
    ] {
        let macro_ = json!({ "macro": name, "value": value });
        api.call("usermacro.createglobal", macro_).await;
    }
    let media_type = example::load("zabbix-media-type.yaml", &[]);
    api.call(
        "configuration.import",
        json!({
            "format": "yaml",
            "rules": { "mediaTypes": { "createMissing": true, "updateExisting": true } },
            "source": media_type,
        }),
    )
    .await;
    let media_types = api.call("mediatype.get", json!({ "filter": { "name": "Watchbell" } })).await;
    let media_type = text(&media_types[0]["mediatypeid"]);

    let group = api.create("hostgroup", json!({ "name": "lab" })).await;
    // With the administrator in the same group, or updates would come from "Inaccessible user".
    let readers = json!({
        "name": "Watchbell",
        "rights": [{ "id": group[0], "permission": 2 }],
        "users": [{ "userid": ADMINISTRATOR }],
    });
    let readers = api.create("usergroup", readers).await;
    // Not the administrator: Zabbix does not tell people about their own updates.
    let user = json!({
        "username": "watchbell",
        "passwd": "nobody-logs-in-6",
        "roleid": "1",
        "usrgrps": [{ "usrgrpid": readers[0] }],
        "medias": [{ "mediatypeid": media_type, "sendto": "watchbell" }],
    });
    let user = api.create("user", user).await;

    let message = json!({ "default_msg": 1, "mediatypeid": media_type });
    let to_all_informed = |operation: u8| json!([{ "operationtype": operation, "opmessage": { "default_msg": 1 } }]);
    api.create(
        "action",
        json!({
            "name": "Tell Watchbell",
            "eventsource": 0,
            "esc_period": "1h",
            "operations": [{
                "operationtype": 0,
                "opmessage": message,
                "opmessage_usr": [{ "userid": user[0] }],
            }],
            "recovery_operations": to_all_informed(11),
            "update_operations": to_all_informed(12),
        }),
    )
    .await;
}

/// One host per host, one trapper item and one trigger per object.
async fn watch_plant(api: &Api) {
    let groups = api.call("hostgroup.get", json!({ "filter": { "name": "lab" } })).await;
    let group = json!([{ "groupid": groups[0]["groupid"] }]);
    let hosts: Vec<Value> = plant::HOSTS
        .iter()
        .map(|host| {
            json!({
                "host": host.name,
                "name": format!("{} ({})", host.name, host.role),
                "groups": group,
                "tags": [{ "tag": "role", "value": host.role }],
                // Never connected to; it is where {HOST.IP} comes from.
                "interfaces": [{
                    "type": 1, "main": 1, "useip": 1,
                    "ip": host.address, "dns": "", "port": "10050",
                }],
            })
        })
        .collect();
    let ids = api.create("host", Value::Array(hosts)).await;
    let ids: BTreeMap<&str, String> = plant::HOSTS.iter().map(|host| host.name).zip(ids).collect();

    let mut items = Vec::new();
    let mut triggers = Vec::new();
    let mut watch = |host: &str, service: Option<&str>| {
        let key = item_key(service);
        items.push(json!({
            "hostid": ids[host],
            "name": format!("{} state", service.unwrap_or("host")),
            "key_": key,
            "type": 2,
            "value_type": 3,
        }));
        let mut tags = vec![json!({ "tag": "scope", "value": "availability" })];
        let description = match service {
            Some(service) => {
                tags.push(json!({ "tag": "service", "value": service }));
                format!("Service {service} is down on {{HOST.NAME}}")
            }
            None => "Host {HOST.NAME} does not answer".to_owned(),
        };
        tags.push(json!({ "tag": "object", "value": object(host, service) }));
        triggers.push(json!({
            "description": description,
            "expression": format!("last(/{host}/{key})>=2"),
            "priority": SEVERITY_HIGH,
            "manual_close": 1,
            "opdata": "state: {ITEM.LASTVALUE1}",
            "tags": tags,
        }));
    };
    for host in &plant::HOSTS {
        watch(host.name, None);
    }
    for service in &plant::SERVICES {
        watch(service.host, Some(service.name));
    }
    api.create("item", Value::Array(items)).await;
    api.create("trigger", Value::Array(triggers)).await;
}

/// Sends what changed since the last time, for ever.
async fn feed(directory: PathBuf, port: u16, plant: Plant, fed: watch::Sender<bool>) {
    let mut sent = BTreeMap::new();
    loop {
        let states = plant.states();
        let lines: String = states
            .iter()
            .filter(|(object, works)| sent.get(*object) != Some(*works))
            .map(|(object, works)| {
                let (host, service) = match object.split_once('.') {
                    Some((host, service)) => (host, Some(service)),
                    None => (object.as_str(), None),
                };
                let value = if *works { 0 } else { 2 };
                format!("{host} {} {value}\n", item_key(service))
            })
            .collect();
        if !lines.is_empty() {
            let values = directory.join("values");
            process::write(&values, &lines);
            let sending = tokio::task::spawn_blocking(move || send(port, &values));
            // Fails while the server is starting; the same values go again.
            if sending.await.expect("run zabbix_sender") {
                sent = states;
                fed.send_replace(true);
            }
        }
        tokio::time::sleep(FEED_EVERY).await;
    }
}

/// Whether the server took every value of the file.
fn send(port: u16, values: &Path) -> bool {
    let log = values.with_extension("out");
    let output = fs::File::create(log).expect("make the log of zabbix_sender");
    Command::new("zabbix_sender")
        .args(["-z", "127.0.0.1", "-p", &port.to_string(), "-i"])
        .arg(values)
        .stdout(output)
        .stderr(Stdio::null())
        .status()
        .expect("run zabbix_sender")
        .success()
}

fn item_key(service: Option<&str>) -> String {
    match service {
        Some(service) => format!("service.state[{service}]"),
        None => "host.state".to_owned(),
    }
}

fn object(host: &str, service: Option<&str>) -> String {
    match service {
        Some(service) => format!("{host}.{service}"),
        None => host.to_owned(),
    }
}

fn object_of(trigger: &Value) -> String {
    tags(trigger)
        .find(|tag| tag["tag"] == "object")
        .map(|tag| text(&tag["value"]))
        .unwrap_or_else(|| format!("trigger {}", trigger["triggerid"]))
}

fn has_tag(problem: &Value, object: &str) -> bool {
    tags(problem).any(|tag| tag["tag"] == "object" && tag["value"] == object)
}

fn tags(from: &Value) -> impl Iterator<Item = &Value> {
    from["tags"].as_array().into_iter().flatten()
}
