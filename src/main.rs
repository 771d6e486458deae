//! Parses the arguments, starts the command, renders its error, says the exit code. Decides nothing.

use clap::Parser;
use std::process::ExitCode;
use watchbell::cli::{self, Cli, failure};

/// An alert is read on one thread, decided on the next and written on a third, and its memory goes that way
/// with it; the system's allocator pays for each piece that comes back to another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let called = Cli::try_parse().unwrap_or_else(|error| {
        let _ = error.print();
        std::process::exit(cli::code_of_misuse(&error));
    });
    match cli::run(called) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
