//! From the true stream to the files: with the clocks of the monitors, and a topology that somebody has
//! kept up more or less. Decides the bytes; the same stream always gives the same ones.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, GzBuilder};
use serde::Serialize;

use super::alerts::Alert;
use super::parameters::Parameters;
use super::plan::Change;
use super::random::Random;
use super::record::{AlertRecord, ChangeRecord, EdgeRecord, TopologyRecord, seconds};
use super::world::World;
use super::{GenerateError, Generated};

/// The files of a stream.
pub const FILES: [&str; 5] = ["alerts.jsonl.gz", "topology.json", "truth.jsonl", "changes.jsonl", "generate.json"];

/// Tries for a wrong edge, for each one that is wanted; a small estate may not have room for all.
const TRIES: usize = 20;

/// What the inventory says: edges that it lacks, and edges to another node of the same type.
pub fn topology(parameters: &Parameters, world: &World) -> TopologyRecord {
    let mut nodes: Vec<_> = world.nodes.iter().map(|node| world.node_record(node)).collect();
    nodes.sort_by(|a, b| a.id.cmp(&b.id));
    let is_known = |number: usize| {
        let mut random = Random::of(parameters.seed, "missing", number as u64);
        !random.chance(parameters.missing_edges_percent)
    };
    let known = world.edges.iter().enumerate().filter(|(number, _)| is_known(*number));
    let mut edges: Vec<EdgeRecord> = known.map(|(_, edge)| world.edge_record(edge.from, edge.to, edge.kind)).collect();
    edges.extend(wrong_edges(parameters, world));
    edges.sort();
    TopologyRecord { nodes, edges }
}

fn wrong_edges(parameters: &Parameters, world: &World) -> Vec<EdgeRecord> {
    let mut pairs: BTreeSet<(usize, usize)> = world.edges.iter().map(|edge| (edge.from, edge.to)).collect();
    let mut random = Random::of(parameters.seed, "wrong", 0);
    let count = world.edges.len() * parameters.wrong_edges_percent as usize / 100;
    let mut wrong = Vec::new();
    for _ in 0..count * TRIES {
        if wrong.len() == count {
            break;
        }
        let edge = world.edges[random.below(world.edges.len())];
        let other = random.below(world.nodes.len());
        let is_alike = world.nodes[other].kind == world.nodes[edge.to].kind;
        if is_alike && other != edge.from && pairs.insert((edge.from, other)) {
            wrong.push(world.edge_record(edge.from, other, edge.kind));
        }
    }
    wrong
}

/// How far the clock of each monitor is ahead.
pub fn offsets_ms(parameters: &Parameters, world: &World) -> Vec<i64> {
    let offset = |monitor: usize| {
        let mut random = Random::of(parameters.seed, "skew", monitor as u64);
        random.between(-1_000, 1_000) * i64::from(parameters.skew_s)
    };
    (0..world.monitors).map(offset).collect()
}

pub fn alert_record(world: &World, offsets_ms: &[i64], alert: &Alert) -> AlertRecord {
    let node = &world.nodes[alert.node];
    let offset_ms = offsets_ms[node.monitor];
    AlertRecord {
        id: alert_id(alert),
        t: seconds(alert.at_ms + offset_ms),
        rx: Some(seconds(alert.arrives_ms)),
        alertname: alert.alertname.to_owned(),
        node: node.id.clone(),
        severity: alert.severity.to_owned(),
        source: alert.source.to_owned(),
        status: "firing".to_owned(),
        labels: alert.labels.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect(),
        summary: alert.summary.clone(),
        resolved_t: Some(seconds(alert.resolved_ms + offset_ms)),
    }
}

pub fn alert_id(alert: &Alert) -> String {
    format!("a{:016x}", alert.id)
}

pub fn change_record(world: &World, change: &Change) -> ChangeRecord {
    ChangeRecord {
        id: change.id.clone(),
        t: seconds(change.at_ms),
        kind: change.kind.to_owned(),
        node: world.nodes[change.node].id.clone(),
        reference: change.reference.clone(),
        summary: change.summary.clone(),
    }
}

/// Whether the directory is free for a stream: absent, empty, or `is_forced`.
///
/// # Errors
/// When it is not, or cannot be looked into.
pub fn check_free(directory: &Path, is_forced: bool) -> Result<(), GenerateError> {
    let failed = |source| GenerateError::Write { path: directory.to_owned(), source };
    let mut entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    match entries.next().transpose().map_err(failed)? {
        Some(_) if !is_forced => Err(GenerateError::NotEmpty { path: directory.to_owned() }),
        _ => Ok(()),
    }
}

/// Writes the files of a stream, over those that are there.
///
/// # Errors
/// When a file cannot be written.
pub fn write(directory: &Path, generated: &Generated) -> Result<(), GenerateError> {
    let failed = |path: &Path| {
        let path: PathBuf = path.to_owned();
        move |source| GenerateError::Write { path, source }
    };
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    for name in FILES {
        let path = directory.join(name);
        let written = File::create(&path).and_then(|file| {
            let mut out = BufWriter::new(file);
            match name {
                "alerts.jsonl.gz" => packed(&mut out, &generated.alerts)?,
                "topology.json" => pretty(&mut out, &generated.topology)?,
                "truth.jsonl" => lines(&mut out, &generated.truth)?,
                "changes.jsonl" => lines(&mut out, &generated.changes)?,
                _ => pretty(&mut out, &generated.description)?,
            }
            out.flush()
        });
        written.map_err(failed(&path))?;
    }
    Ok(())
}

fn lines(out: &mut impl Write, records: &[impl Serialize]) -> io::Result<()> {
    for record in records {
        serde_json::to_writer(&mut *out, record)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn pretty(out: &mut impl Write, record: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, record)?;
    out.write_all(b"\n")
}

/// The header names no time and no system: they would make the bytes differ.
fn packed(out: &mut impl Write, records: &[impl Serialize]) -> io::Result<()> {
    const UNKNOWN_SYSTEM: u8 = 255;
    let builder = GzBuilder::new().mtime(0).operating_system(UNKNOWN_SYSTEM);
    let mut encoder = BufWriter::new(builder.write(out, Compression::default()));
    lines(&mut encoder, records)?;
    encoder.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?;
    Ok(())
}
