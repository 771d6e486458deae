//! End to end: real monitors ring, Watchbell listens, a receiver hears.
//!
//! Every scenario starts the monitors it needs as private processes on loopback, breaks
//! and mends things by writing state files, and then asks Watchbell and the receiver what
//! happened. This is the only layer of tests that sleeps, and it runs only when asked to:
//!
//! ```text
//! ./tests/run                                        installs the monitors and runs all
//! WATCHBELL_E2E=1 cargo nextest run --test e2e       when they are installed already
//! WATCHBELL_E2E_KEEP=1 …                             leaves the lab's directory behind
//! ```

#![allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "real monitors run on the real clock")]

mod lab;
mod scenarios;
