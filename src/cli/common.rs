//! What the commands that ask a daemon have in common: how they are called, and how its answer is printed. Decides
//! nothing about what is asked.

use std::process::ExitCode;

use serde::de::DeserializeOwned;
use serde_json::Value;

use super::client::{self, Client, Connection, Refusal};
use super::failure::{Failure, note};
use super::output;

/// Where the daemon is and how the result is printed.
#[derive(Debug, clap::Args)]
pub struct Common {
    /// Print the result as JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub connection: Connection,
}

impl Common {
    /// # Errors
    /// When the address or the token cannot be used.
    pub fn client(&self) -> anyhow::Result<Client> {
        Client::new(&self.connection)
    }

    /// Prints what a change led to, as JSON or in `words`.
    ///
    /// # Errors
    /// When the answer is not understood.
    pub fn finish<T: DeserializeOwned>(
        &self,
        answer: Value,
        words: impl FnOnce(T) -> String,
    ) -> anyhow::Result<ExitCode> {
        if self.json {
            output::json(&answer)?;
        } else {
            note(words(client::read(answer)?));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Prints what was asked for, as JSON or by `tell`.
    ///
    /// # Errors
    /// When the answer is not understood, or cannot be printed.
    pub fn show<T: DeserializeOwned>(
        &self,
        answer: Value,
        tell: impl FnOnce(T) -> anyhow::Result<()>,
    ) -> anyhow::Result<ExitCode> {
        if self.json {
            output::json(&answer)?;
        } else {
            tell(client::read(answer)?)?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// Says where to look when there is no such thing.
pub fn hint_where_unknown(error: anyhow::Error, hint: &str) -> anyhow::Error {
    match error.downcast_ref::<Refusal>() {
        Some(refusal) if refusal.status == 404 => Failure::new(refusal.to_string()).hint(hint).into(),
        _ => error,
    }
}
