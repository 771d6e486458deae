//! Any sequence of inputs: no panic, the same decisions twice, invariants after every step, and a
//! restart at any moment changes nothing.
#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use watchbell_fuzz::engine::{Happening, World};

#[derive(Arbitrary, Debug)]
struct Story {
    policy: u8,
    happenings: Vec<Happening>,
    /// Before which of them the daemon starts again.
    restart: u8,
}

/// A step may look at every incident; the interesting sequences are short.
const HAPPENINGS_MAX: usize = 60;

fuzz_target!(|story: Story| {
    let happenings = &story.happenings[..story.happenings.len().min(HAPPENINGS_MAX)];
    let mut steady = World::new(story.policy);
    let mut restarted = World::new(story.policy);
    for (index, happening) in happenings.iter().enumerate() {
        if index == usize::from(story.restart) {
            restarted.restart();
            restarted.start();
            steady.start();
        }
        steady.happen(happening);
        restarted.happen(happening);
        restarted.assert_told_the_same(&steady);
    }
    // Whatever came before, a start must be possible.
    steady.restart();
});
