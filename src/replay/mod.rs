//! Recorded events through the engine under a simulated clock: hours in seconds, and the same bytes each time.

pub mod outcome;
