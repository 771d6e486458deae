//! Parses the arguments, starts the command, renders its error, says the exit code. Decides nothing.

use clap::Parser;
use std::process::ExitCode;
use watchbell::cli::{self, Cli, failure};

fn main() -> ExitCode {
    match cli::run(Cli::parse()) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
