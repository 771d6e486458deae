//! What the commands share that deal with the store's file: where it is, how far the work is, and the way
//! out of what went wrong. Decides nothing about the store itself.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use super::failure::Failure;
use crate::app::environment;
use crate::config::{self, Problem, StoreSettings};
use crate::store::StoreError;

/// Where the daemon with this configuration has its store.
///
/// # Errors
/// When the configuration does not fit.
pub fn path(files: &[PathBuf]) -> anyhow::Result<PathBuf> {
    match config::load(files, environment()) {
        Ok(configuration) => {
            let StoreSettings::Sqlite { path } = configuration.store;
            Ok(path)
        }
        Err(problems) => {
            let first = problems.iter().find(|problem| !problem.is_warning).map(Problem::to_string);
            let failure = Failure::misuse("the configuration does not fit").cause(first.unwrap_or_default());
            Err(failure.hint("`watchbell check` shows each problem with its line").into())
        }
    }
}

/// A bar for people on stderr; without a terminal nothing is drawn.
pub fn progress_bar() -> ProgressBar {
    let template = "{msg:8} [{bar:40}] {bytes} of {total_bytes}, {eta} left";
    // The template is a constant that can be read; otherwise the bar would only be plainer.
    let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style.progress_chars("=> ")).with_message("copying")
}

/// Moves the bar on; what is copied is then read once more.
pub fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
    if done == all {
        bar.set_message("checking");
    }
}

/// Adds what to do, where the store has said what is wrong.
pub fn with_way_out(error: anyhow::Error) -> anyhow::Error {
    let hint = match error.chain().find_map(|cause| cause.downcast_ref::<StoreError>()) {
        Some(StoreError::Damaged { .. }) => {
            "`watchbell restore FILE` puts a copy made by `watchbell backup` in its place, and keeps what is there \
             now under another name"
        }
        Some(StoreError::InUse { .. }) => "stop the daemon first, `systemctl stop watchbell` where systemd runs it",
        Some(StoreError::Newer { .. }) => "install the newer version, or restore a copy from before it",
        _ => return error,
    };
    Failure::new("the store cannot be used").cause(error).hint(hint).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;

    #[test]
    fn a_damaged_store_comes_with_the_way_out() {
        let damaged = StoreError::Damaged { path: "watchbell.db".to_owned(), detail: "it is torn".to_owned() };
        let error = Err::<(), _>(damaged).context("cannot start the writer").unwrap_err();
        let text = format!("{:#}", with_way_out(error));
        assert_eq!(
            text,
            "the store cannot be used: cannot start the writer: the store at `watchbell.db` is damaged: it is torn"
        );
        assert_eq!(format!("{:#}", with_way_out(anyhow::anyhow!("it broke"))), "it broke");
    }
}
