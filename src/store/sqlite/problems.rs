//! Problems as readers see them: pages by state, and the one that an id leads to.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};

use super::error::Fault;
use super::load::body;
use super::read::{FOUND_MAX, MERGES_MAX, rows};
use crate::model::Problem;
use crate::model::problem::{ProblemId, ProblemState};
use crate::store::cursor::{self, Key, List};
use crate::store::{Page, ProblemQuery};

pub(super) const BY_STATE: &str = "
    SELECT created_at, id, body FROM problem WHERE state = ?1 AND (created_at, id) < (?2, ?3)
    ORDER BY created_at DESC, id DESC LIMIT ?4";
/// The upper end is the beginning with the highest character behind it that an id may hold.
pub(super) const BY_PREFIX: &str =
    "SELECT id, body FROM problem WHERE id >= ?1 AND id < ?1 || '~' ORDER BY id LIMIT ?2";

/// One walk down the index for each state.
pub(super) fn page(snapshot: &Connection, query: &ProblemQuery) -> Result<Page<Problem>, Fault> {
    let Key { number, id } = cursor::decode(List::Problems, &query.page, Key::LAST)?;
    let limit = cursor::rows_to_fetch(&query.page);
    let all = ProblemState::ALL.into_iter().filter(|state| *state != ProblemState::Merged);
    let states: BTreeSet<ProblemState> =
        if query.states.is_empty() { all.collect() } else { query.states.iter().copied().collect() };
    let mut found = Vec::new();
    for state in states {
        found.extend(rows(snapshot, BY_STATE, params![state.as_str(), number, id, limit], |row| {
            Ok((Key { number: row.get(0)?, id: row.get(1)? }, body::<Problem>("problem", row, 1, 2)?))
        })?);
    }
    found.sort_unstable_by(|(a, _), (b, _)| b.cmp(a));
    Ok(cursor::cut(List::Problems, &query.page, found))
}

pub(super) fn find(snapshot: &Connection, prefix: &str) -> Result<Vec<Problem>, Fault> {
    let wanted = ProblemId::beginning(prefix);
    if wanted.len() <= "prb-".len() {
        return Ok(Vec::new());
    }
    let mut survivors: Vec<Problem> = Vec::new();
    for problem in with_prefix(snapshot, &wanted, FOUND_MAX)? {
        let survivor = survivor(snapshot, problem)?;
        if !survivors.iter().any(|other| other.id == survivor.id) {
            survivors.push(survivor);
        }
    }
    Ok(survivors)
}

fn with_prefix(snapshot: &Connection, prefix: &str, limit: usize) -> Result<Vec<Problem>, Fault> {
    rows(snapshot, BY_PREFIX, params![prefix, limit as i64], |row| body("problem", row, 0, 1))
}

fn survivor(snapshot: &Connection, mut problem: Problem) -> Result<Problem, Fault> {
    for _ in 0..MERGES_MAX {
        let Some(into) = problem.merged_into.clone() else { break };
        let next = with_prefix(snapshot, &into.0, 1)?.into_iter().find(|next| next.id == into);
        let Some(next) = next else { break };
        problem = next;
    }
    Ok(problem)
}
