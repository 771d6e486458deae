//! Somebody who works on incidents while the daemon dies again and again: takes some, and silences what is
//! about to fail. Keeps a diary of what was promised.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;

use crate::support::load::{Condition, Kind, Ledger, Sender};
use crate::support::{Random, client};

/// Between two commands.
const PAUSE: Duration = Duration::from_millis(60);
/// Of a hundred commands those that make a silence.
const SILENCE_PERCENT: u64 = 25;
/// Incidents looked at before one is taken.
const LOOKED_AT: u64 = 50;

pub struct Diary {
    /// Events of what was silenced before.
    pub ledger: Ledger,
    pub commands: Commands,
}

/// What was answered 2xx.
#[derive(Default)]
pub struct Commands {
    /// Ids of incidents.
    pub taken: BTreeSet<String>,
    /// Ids of silences, and the items that each is about.
    pub silences: Vec<(String, String)>,
}

/// Works until told to stop.
pub async fn run(base: String, mut sender: Sender, seed: u64, stop: watch::Receiver<bool>) -> Diary {
    let (client, mut random, mut commands) = (client(), Random::new(!seed), Commands::default());
    let mut tried = 0;
    while !*stop.borrow() {
        if random.between(0, 100) < SILENCE_PERCENT {
            // One that was not answered may be in force: the next is about something else.
            tried += 1;
            silence(&client, &base, &mut sender, &mut commands, tried).await;
        } else if let Some(id) = pick(&client, &base, &mut random).await {
            let path = format!("{base}/api/v1/incidents/{id}/acknowledge");
            if post(&client, &path, json!({ "note": "mine" })).await.is_some() {
                commands.taken.insert(id);
            }
        }
        tokio::time::sleep(PAUSE).await;
    }
    Diary { ledger: sender.ledger, commands }
}

/// Silences an item that is not known yet, and then lets it fail.
async fn silence(client: &reqwest::Client, base: &str, sender: &mut Sender, commands: &mut Commands, number: u64) {
    let item = format!("quiet-{number}");
    let asked = json!({
        "matchers": [format!("configuration_item=\"{item}\"")], "duration": "2h", "comment": "expected",
    });
    let Some(reply) = post(client, &format!("{base}/api/v1/silences"), asked).await else { return };
    commands.silences.push((reply["id"].as_str().unwrap_or_default().to_owned(), item.clone()));
    sender.ledger.conditions.push(Condition::new(Kind::Generic, item, number));
    // Often in a later life than the silence.
    sender.post(&[sender.ledger.conditions.len() - 1], true).await;
}

/// One of the newest that nobody has taken.
async fn pick(client: &reqwest::Client, base: &str, random: &mut Random) -> Option<String> {
    let url = format!("{base}/api/v1/incidents?state=open&limit={LOOKED_AT}");
    let answer = client.get(url).send().await.ok().filter(|answer| answer.status().is_success())?;
    let list: Value = serde_json::from_slice(&answer.bytes().await.ok()?).ok()?;
    let items = list["items"].as_array().filter(|items| !items.is_empty())?;
    let item = &items[random.between(0, items.len() as u64) as usize];
    item["id"].as_str().map(str::to_owned)
}

/// The answer, if it is 2xx.
async fn post(client: &reqwest::Client, url: &str, body: Value) -> Option<Value> {
    let request = client.post(url).header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.ok().filter(|answer| answer.status().is_success())?;
    // The status is the promise; a body that breaks off takes nothing back.
    Some(answer.bytes().await.ok().and_then(|body| serde_json::from_slice(&body).ok()).unwrap_or_default())
}
