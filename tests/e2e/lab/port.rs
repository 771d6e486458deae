//! Free loopback ports.
//!
//! Monitors take a port number, not an open socket, so a port is chosen first and used a
//! moment later. Numbers below the kernel's range for outgoing connections keep a
//! connection of the lab itself from taking the port in between.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::net::TcpListener;
use std::sync::Mutex;

const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

static GIVEN: Mutex<Vec<u16>> = Mutex::new(Vec::new());

/// A port that nobody listens on and that was not given out before.
pub fn free() -> u16 {
    let mut given = GIVEN.lock().expect("no panic while choosing a port");
    // The standard library's hasher keys are its only source of randomness.
    let start = (RandomState::new().build_hasher().finish() % u64::from(COUNT)) as u16;
    let port = (0..COUNT)
        .map(|step| FIRST + (start + step) % COUNT)
        .filter(|port| !given.contains(port))
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port on loopback");
    given.push(port);
    port
}
