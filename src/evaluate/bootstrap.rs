//! Intervals by resampling: how far a figure could be off, had other failures of the same kind been recorded.
//! The same seed, the same interval.

/// Draws for one interval.
pub const RESAMPLES: usize = 1_000;
pub const CONFIDENCE: f64 = 0.95;
pub const SEED: u64 = 20_261_121;

/// The percentile bootstrap: `figure` of as many units as there are, drawn with replacement, many times; what
/// the middle [`CONFIDENCE`] of the results span. None without units, or where no draw has a figure.
pub fn interval(units: usize, mut figure: impl FnMut(&[usize]) -> f64) -> Option<(f64, f64)> {
    if units == 0 {
        return None;
    }
    let mut random = SplitMix(SEED);
    let mut drawn = vec![0; units];
    let mut figures: Vec<f64> = Vec::with_capacity(RESAMPLES);
    for _ in 0..RESAMPLES {
        drawn.iter_mut().for_each(|unit| *unit = random.below(units));
        figures.push(figure(&drawn));
    }
    figures.retain(|figure| !figure.is_nan());
    figures.sort_by(f64::total_cmp);
    let last = figures.len().checked_sub(1)?;
    let at = |share: f64| figures[(share * last as f64).round() as usize];
    Some((at((1.0 - CONFIDENCE) / 2.0), at((1.0 + CONFIDENCE) / 2.0)))
}

/// Sebastiano Vigna's SplitMix64: small, and good enough to draw from hundreds.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        ((u128::from(self.next()) * limit as u128) >> 64) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mean(values: &[f64]) -> impl Fn(&[usize]) -> f64 {
        |drawn| drawn.iter().map(|unit| values[*unit]).sum::<f64>() / drawn.len() as f64
    }

    #[test]
    fn the_interval_of_a_coin_is_where_the_normal_distribution_puts_it() {
        // 100 throws, half of them heads: 0.5 ± 1.96 · √(0.25 / 100).
        let throws: Vec<f64> = (0..100).map(|throw| f64::from(throw % 2)).collect();
        let (low, high) = interval(100, mean(&throws)).unwrap();
        assert!((low - 0.402).abs() < 0.025 && (high - 0.598).abs() < 0.025, "{low} to {high}");
        assert_eq!(interval(100, mean(&throws)), Some((low, high)));
    }

    #[test]
    fn what_never_varies_has_no_width_and_nothing_has_no_interval() {
        assert_eq!(interval(7, mean(&[1.0; 7])), Some((1.0, 1.0)));
        assert_eq!(interval(0, |_| 1.0), None);
        assert_eq!(interval(3, |_| f64::NAN), None);
    }
}
