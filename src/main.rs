//! Parses the arguments, starts the command, renders its error, says the exit code. Decides nothing.

use clap::Parser;
use std::process::ExitCode;
use watchbell::cli::{self, Cli, failure};

/// An alert is read on one thread, decided on the next and written on a third, and its memory goes that way
/// with it; the system's allocator pays for each piece that comes back to another thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let called = match Cli::try_parse() {
        Ok(called) => called,
        Err(error) => {
            // Help and the version come this way too. With stderr gone there is nobody left to tell.
            let _ = error.print();
            return cli::code_of_misuse(&error);
        }
    };
    match cli::run(called) {
        Ok(code) => code,
        Err(error) => failure::report(&error),
    }
}
