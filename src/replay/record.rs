//! What is replayed: the journal of a store, or JSON Lines of normalized events, packed by gzip or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;

use crate::engine::input::Input;
use crate::model::Timestamp;
use crate::sources::{changes, generic};
use crate::store::{Reader, SqliteReader, StoreError};

/// How a file of SQLite begins.
const SQLITE: &[u8] = b"SQLite format 3\0";
const GZIP: &[u8] = &[0x1f, 0x8b];
/// Rows of a journal read at once.
const ROWS: u32 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("cannot read `{path}`")]
    Unreadable {
        path: String,
        #[source]
        source: io::Error,
    },
    #[error("`{path}`, line {line}: {reason}")]
    Line { path: String, line: usize, reason: String },
    #[error("the journal of `{path}` cannot be read")]
    Store {
        path: String,
        #[source]
        source: StoreError,
    },
    #[error("row {row} of the journal of `{path}` cannot be read")]
    Row {
        path: String,
        row: u64,
        #[source]
        source: serde_json::Error,
    },
}

/// Inputs with the times at which they came.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub inputs: Vec<(Timestamp, Input)>,
    /// A journal has everything, ticks and answers of receivers too; a file of events has only those.
    pub is_journal: bool,
}

impl Record {
    /// Adds changes that were made meanwhile: JSON Lines as the source of changes takes them.
    ///
    /// # Errors
    /// When the file cannot be read, or something in it is not what it should be.
    pub fn add_changes(&mut self, path: &Path) -> Result<(), RecordError> {
        for (line, value) in lines(path)? {
            let change = changes::recorded(value).map_err(|error| RecordError::Line {
                path: path.display().to_string(),
                line,
                reason: error.to_string(),
            })?;
            self.inputs.push((change.received_at, Input::Changes { changes: vec![change] }));
        }
        // What was changed stands before what came of it at the same time.
        self.inputs.sort_by_key(|(at, input)| (*at, !matches!(input, Input::Changes { .. })));
        Ok(())
    }
}

/// Reads a record of either kind.
///
/// # Errors
/// When the file cannot be read, or something in it is not what it should be.
pub fn read(path: &Path) -> Result<Record, RecordError> {
    if is_store(path)? { journal(path) } else { events(path) }
}

fn is_store(path: &Path) -> Result<bool, RecordError> {
    let mut head = Vec::new();
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    file.take(SQLITE.len() as u64).read_to_end(&mut head).map_err(|source| unreadable(path, source))?;
    Ok(head == SQLITE)
}

fn unreadable(path: &Path, source: io::Error) -> RecordError {
    RecordError::Unreadable { path: path.display().to_string(), source }
}

fn journal(path: &Path) -> Result<Record, RecordError> {
    let mut inputs = Vec::new();
    rows(path, |at, input| inputs.push((at, input)))?;
    Ok(Record { inputs, is_journal: true })
}

fn rows(path: &Path, mut each: impl FnMut(Timestamp, Input)) -> Result<(), RecordError> {
    let shown = || path.display().to_string();
    let failed = |source| RecordError::Store { path: shown(), source };
    let reader = SqliteReader::open(path).map_err(failed)?;
    let mut after = 0;
    loop {
        let rows = reader.journal(after, ROWS).map_err(failed)?;
        let Some((last, ..)) = rows.last() else { break };
        after = *last;
        for (row, at, _, payload) in rows {
            let input = serde_json::from_slice(&payload);
            each(at, input.map_err(|source| RecordError::Row { path: shown(), row, source })?);
        }
    }
    Ok(())
}

fn events(path: &Path) -> Result<Record, RecordError> {
    let mut inputs = Vec::new();
    for (line, value) in lines(path)? {
        inputs.push(event(path, line, value)?);
    }
    // As they came, where that is known; a file may be sorted otherwise.
    inputs.sort_by_key(|(at, _)| *at);
    Ok(Record { inputs, is_journal: false })
}

fn event(path: &Path, line: usize, value: Value) -> Result<(Timestamp, Input), RecordError> {
    let event = generic::recorded(value).map_err(|error| RecordError::Line {
        path: path.display().to_string(),
        line,
        reason: error.to_string(),
    })?;
    Ok((event.received_at, Input::Events { events: vec![event] }))
}

/// As [`read`], but one input after the other in the order of the file, whose length does not matter then. `watch` may
/// look on while a file of events is read.
///
/// # Errors
/// When the file cannot be read, or something in it is not what it should be.
pub fn stream(
    path: &Path,
    watch: impl FnOnce(File) -> Box<dyn Read>,
    mut each: impl FnMut(Timestamp, Input),
) -> Result<(), RecordError> {
    if is_store(path)? {
        return rows(path, each);
    }
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    each_line(path, watch(file), |line, value| {
        let (at, input) = event(path, line, value)?;
        each(at, input);
        Ok(())
    })
}

/// The values of a file of JSON Lines, with the numbers of their lines.
///
/// # Errors
/// When the file cannot be read or a line is no JSON.
pub fn lines(path: &Path) -> Result<Vec<(usize, Value)>, RecordError> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    let mut values = Vec::new();
    each_line(path, file, |line, value| {
        values.push((line, value));
        Ok(())
    })?;
    Ok(values)
}

fn each_line(
    path: &Path,
    file: impl Read + 'static,
    mut each: impl FnMut(usize, Value) -> Result<(), RecordError>,
) -> Result<(), RecordError> {
    let mut reader = BufReader::new(file);
    let is_packed = reader.fill_buf().map_err(|source| unreadable(path, source))?.starts_with(GZIP);
    let reader: Box<dyn BufRead> =
        if is_packed { Box::new(BufReader::new(MultiGzDecoder::new(reader))) } else { Box::new(reader) };
    for (index, line) in reader.lines().enumerate() {
        let line = line.map_err(|source| unreadable(path, source))?;
        if line.trim().is_empty() {
            continue;
        }
        let value = serde_json::from_str(&line).map_err(|error| RecordError::Line {
            path: path.display().to_string(),
            line: index + 1,
            reason: format!("expected one JSON object, got {error}"),
        })?;
        each(index + 1, value)?;
    }
    Ok(())
}
