//! Random choices that are the same on every machine: integers only, and a stream of its own for every
//! matter, so that one parameter never changes what another one decides. Knows nothing of faults.
//!
//! ```
//! use watchbell::generate::random::Random;
//! assert_eq!(Random::of(7, "noise", 0).below(1_000), Random::of(7, "noise", 0).below(1_000));
//! ```

/// xoshiro256**, seeded by splitmix64 (<https://prng.di.unimi.it/>, both in the public domain).
#[derive(Clone, Debug)]
pub struct Random {
    state: [u64; 4],
}

/// One step of splitmix64. One to one: different numbers stay different.
pub const fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

impl Random {
    /// The stream for one matter and, within it, one number.
    pub fn of(seed: u64, matter: &str, number: u64) -> Self {
        let matter = matter.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3) // FNV-1a
        });
        let mut at = mix(mix(seed) ^ matter) ^ number.wrapping_mul(0xd134_2543_de82_ef95);
        let state = std::array::from_fn(|_| {
            at = mix(at);
            at
        });
        Self { state }
    }

    pub fn bits(&mut self) -> u64 {
        let result = self.state[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let shifted = self.state[1] << 17;
        self.state[2] ^= self.state[0];
        self.state[3] ^= self.state[1];
        self.state[1] ^= self.state[2];
        self.state[0] ^= self.state[3];
        self.state[2] ^= shifted;
        self.state[3] = self.state[3].rotate_left(45);
        result
    }

    /// From 0 up to `end`, without it; 0 when there is nothing to choose from.
    pub fn below(&mut self, end: usize) -> usize {
        ((u128::from(self.bits()) * end as u128) >> 64) as usize
    }

    /// Both ends included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low + self.below((high - low).max(0) as usize + 1) as i64
    }

    pub fn chance(&mut self, percent: u32) -> bool {
        self.below(100) < percent as usize
    }

    /// `None` when there is nothing to choose from.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let index = self.below(items.len());
        items.get(index)
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for end in (1..items.len()).rev() {
            let other = self.below(end + 1);
            items.swap(end, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_depends_on_its_seed_matter_and_number_only() {
        let draw = |seed, matter, number| {
            let mut random = Random::of(seed, matter, number);
            (0..4).map(|_| random.below(1_000)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1, "noise", 0), draw(1, "noise", 0));
        for other in [draw(2, "noise", 0), draw(1, "world", 0), draw(1, "noise", 1)] {
            assert_ne!(draw(1, "noise", 0), other);
        }
    }

    #[test]
    fn choices_stay_in_their_bounds_and_reach_both_ends() {
        let mut random = Random::of(1, "bounds", 0);
        let drawn: Vec<i64> = (0..1_000).map(|_| random.between(-2, 2)).collect();
        assert_eq!((drawn.iter().min(), drawn.iter().max()), (Some(&-2), Some(&2)));
        assert_eq!((0..1_000).filter(|_| random.chance(0)).count(), 0);
        assert_eq!((0..1_000).filter(|_| random.chance(100)).count(), 1_000);
        let count = (0..10_000).filter(|_| random.chance(30)).count();
        assert!((2_800..3_200).contains(&count), "{count}");
        assert_eq!(random.pick::<u8>(&[]), None);
    }
}
