//! IO around the engine: the one writer, the outbox, the one place for outbound calls.

pub mod audit;
pub mod certificate;
pub mod dead_letters;
pub mod deliver;
pub mod driver;
pub mod engine_clock;
pub mod guard;
pub mod heartbeat;
pub mod inbox;
pub mod limits;
pub mod outbox;
pub mod retention;
pub mod self_check;
pub mod topology_pull;
