//! The write-ahead log that a process left behind, before SQLite reads it: is it whole, and is it on the
//! disk. Its format is at <https://www.sqlite.org/fileformat2.html#the_write_ahead_log>.
//!
//! SQLite reads it up to the first frame that does not fit. After a power loss that is right: the last
//! transaction was not synced, and any of its frames may be missing. But the next transaction is written
//! only after a sync of the one before. So when a transaction ends behind the frame that does not fit, and
//! another follows it, that frame was on the disk once and has been damaged since.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::error::Opening;
use super::file::with_suffix;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;
const MAGIC_LITTLE_ENDIAN: u32 = 0x377f_0682;
const MAGIC_BIG_ENDIAN: u32 = 0x377f_0683;
const PAGE_BYTES: std::ops::RangeInclusive<usize> = 512..=65_536;

/// Checks the log of a store that nobody has open.
pub(super) fn check(store: &Path) -> Result<(), Opening> {
    let Some(log) = open(store)? else { return Ok(()) };
    match damaged_frame(BufReader::new(&log))? {
        Some(frame) => {
            let detail = format!("frame {frame} of its write-ahead log has changed since it was written");
            Err(Opening::Damaged(detail))
        }
        None => Ok(()),
    }
}

/// Writes the log of a store that nobody has open again as it is, because a sync of it may have failed:
/// Linux then forgets that pages were still to be written, and later syncs say yes without them. What is
/// built on such a log would be lost with the next power loss.
pub(super) fn settle(store: &Path) -> Result<(), Opening> {
    let Some(log) = open(store)? else { return Ok(()) };
    let mut bytes = vec![0; 1 << 20];
    let mut at = 0;
    loop {
        let length = log.read_at(&mut bytes, at)?;
        if length == 0 {
            break;
        }
        log.write_all_at(&bytes[..length], at)?;
        at += length as u64;
    }
    if at > 0 {
        log.sync_all()?;
    }
    Ok(())
}

fn open(store: &Path) -> io::Result<Option<File>> {
    match OpenOptions::new().read(true).write(true).open(with_suffix(store, "-wal")) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        log => log.map(Some),
    }
}

/// The first frame that does not fit, counted from 1, if what follows shows that it once did.
fn damaged_frame(mut log: impl Read) -> io::Result<Option<u64>> {
    let mut header = [0; HEADER_BYTES];
    if !fill(&mut log, &mut header)? {
        return Ok(None);
    }
    // With another beginning nothing can be told from the frames; the mark still can.
    let Some(mut chain) = Chain::begin(&header) else { return Ok(None) };
    let mut frame = vec![0; FRAME_HEADER_BYTES + word(&header, 2) as usize];
    let (mut broken, mut ended_behind) = (None, false);
    let mut number = 0;
    while fill(&mut log, &mut frame)? {
        number += 1;
        let fits = chain.fits(&frame);
        match broken {
            None if !fits => broken = Some(number),
            Some(_) if fits && ended_behind => return Ok(broken),
            // A size of the file stands in the last frame of a transaction only.
            Some(_) => ended_behind = fits && word(&frame, 1) != 0,
            None => {}
        }
        chain.go_on(&frame);
    }
    Ok(None)
}

/// The running checksum, as far as the log itself says: a frame behind a broken one is judged by what its
/// predecessor has written down.
struct Chain {
    is_big_endian: bool,
    salts: [u32; 2],
    sums: [u32; 2],
}

impl Chain {
    /// None for a header that is not one.
    fn begin(header: &[u8]) -> Option<Self> {
        let is_big_endian = match word(header, 0) {
            MAGIC_LITTLE_ENDIAN => false,
            MAGIC_BIG_ENDIAN => true,
            _ => return None,
        };
        let salts = [word(header, 4), word(header, 5)];
        let chain = Self { is_big_endian, salts, sums: [word(header, 6), word(header, 7)] };
        let is_sound = chain.add([0, 0], &header[..24]) == chain.sums;
        (is_sound && PAGE_BYTES.contains(&(word(header, 2) as usize))).then_some(chain)
    }

    fn fits(&self, frame: &[u8]) -> bool {
        let sums = self.add(self.add(self.sums, &frame[..8]), &frame[FRAME_HEADER_BYTES..]);
        [word(frame, 2), word(frame, 3)] == self.salts && [word(frame, 4), word(frame, 5)] == sums
    }

    fn go_on(&mut self, frame: &[u8]) {
        self.sums = [word(frame, 4), word(frame, 5)];
    }

    fn add(&self, [mut first, mut second]: [u32; 2], bytes: &[u8]) -> [u32; 2] {
        for pair in bytes.chunks_exact(8) {
            let (a, b) = (word(pair, 0), word(pair, 1));
            let (a, b) = if self.is_big_endian { (a, b) } else { (a.swap_bytes(), b.swap_bytes()) };
            first = first.wrapping_add(a).wrapping_add(second);
            second = second.wrapping_add(b).wrapping_add(first);
        }
        [first, second]
    }
}

/// The big-endian number at this place, in words of four bytes.
fn word(bytes: &[u8], place: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[4 * place..4 * place + 4]);
    u32::from_be_bytes(word)
}

/// False when there is less left.
fn fill(log: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match log.read_exact(bytes) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        result => result.map(|()| true),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rusqlite::Connection;

    const FRAME: usize = FRAME_HEADER_BYTES + 4_096;

    /// A log of transactions with these numbers of frames, after another one has been there.
    fn log(transactions: &[usize]) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let connection = Connection::open(folder.path().join("a.db")).unwrap();
        connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).unwrap();
        connection.execute_batch("CREATE TABLE a (id INTEGER PRIMARY KEY, b BLOB)").unwrap();
        for id in 0..20 {
            connection.execute("INSERT INTO a VALUES (?1, zeroblob(4000))", [id]).unwrap();
        }
        connection.query_row("PRAGMA wal_checkpoint(RESTART)", [], |_| Ok(())).unwrap();
        for frames in transactions {
            connection.execute("UPDATE a SET b = randomblob(4000) WHERE id < ?1", [*frames as i64]).unwrap();
        }
        std::fs::read(folder.path().join("a.db-wal")).unwrap()
    }

    fn damaged(log: &[u8]) -> Option<u64> {
        damaged_frame(log).unwrap()
    }

    #[test]
    fn a_whole_log_is_whole_and_may_end_anywhere() {
        let log = log(&[2, 3, 1]);
        // Behind the six frames are those of the log before.
        assert!(log.len() > HEADER_BYTES + 8 * FRAME);
        for end in (0..HEADER_BYTES + 7 * FRAME).step_by(97) {
            assert_eq!(damaged(&log[..end]), None, "{end}");
        }
        assert_eq!(damaged(&log), None);
    }

    /// Of the last transaction any frame may be missing: it was not synced when the power went.
    #[test]
    fn the_last_transaction_may_be_torn() {
        let log = log(&[2, 4]);
        for lost in 0_usize..1 << 4 {
            let mut torn = log[..HEADER_BYTES + 6 * FRAME].to_vec();
            for frame in (0..4).filter(|frame| lost & (1 << frame) != 0) {
                let at = HEADER_BYTES + (2 + frame) * FRAME;
                torn[at..at + FRAME].fill(0);
            }
            assert_eq!(damaged(&torn), None, "lost {lost:b}");
        }
    }

    #[test]
    fn a_flipped_bit_further_back_is_damage() {
        let whole = log(&[2, 3, 1, 2]);
        // Behind these a transaction ends whose checksums fit, and another follows.
        for frame in 0..4 {
            for byte in [0, 4, 8, 12, 16, 20, FRAME_HEADER_BYTES, FRAME - 1] {
                let mut log = whole[..HEADER_BYTES + 8 * FRAME].to_vec();
                log[HEADER_BYTES + frame * FRAME + byte] ^= 0x10;
                assert_eq!(damaged(&log), Some(frame as u64 + 1), "byte {byte}");
            }
        }
    }
}
