//! IO around the engine: the one writer, the outbox, the one place for outbound calls.

pub mod deliver;
pub mod driver;
pub mod guard;
pub mod inbox;
pub mod limits;
pub mod outbox;
pub mod retention;
