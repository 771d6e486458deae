//! Fixed-point arithmetic in thousandths: the engine uses no floats, so that every machine decides alike.

/// One, in thousandths.
pub const ONE: i64 = 1_000;

pub fn mul(a: i64, b: i64) -> i64 {
    a * b / ONE
}

/// `log2(n / ONE)` in thousandths, for `n > 0`.
pub fn log2(n: i64) -> i64 {
    let n = n.max(1);
    // 2^20 fractional bits keep four digits exact over the shifts below.
    let mut mantissa = (i128::from(n) << 20) / i128::from(ONE);
    let mut whole = 0;
    while mantissa >= 2 << 20 {
        mantissa >>= 1;
        whole += 1;
    }
    while mantissa < 1 << 20 {
        mantissa <<= 1;
        whole -= 1;
    }
    // Below two from here on, so its square fits 64 bits.
    let mut mantissa = mantissa as i64;
    let (mut fraction, mut bit) = (0, 1 << 19);
    while bit > 0 {
        mantissa = (mantissa * mantissa) >> 20;
        if mantissa >= 2 << 20 {
            mantissa >>= 1;
            fraction += bit;
        }
        bit >>= 1;
    }
    whole * ONE + fraction * ONE / (1 << 20)
}

/// `2^-bits` in thousandths, for bits in thousandths.
pub fn exp2_minus(bits: i64) -> i64 {
    let (whole, rest) = (bits.max(0) / ONE, bits.max(0) % ONE);
    // A parabola through the ends and the middle of an octave (error < 0.3 %).
    let within = ONE - rest * 672 / ONE + rest * rest / ONE * 172 / ONE;
    if whole >= 20 { 0 } else { within >> whole }
}

/// `exp(-elapsed / tau)` in thousandths.
pub fn decay(elapsed_ms: i64, tau_ms: i64) -> i64 {
    if elapsed_ms <= 0 {
        return ONE;
    }
    // exp(-x) = 2^(-x · log2 e): whole halvings, then a straight line within one of them (error < 6 %).
    let halvings = elapsed_ms.saturating_mul(1_443) / tau_ms.max(1);
    let (whole, rest) = (halvings / ONE, halvings % ONE);
    if whole >= 10 {
        return 0;
    }
    (ONE - rest / 2) >> whole
}

/// `1 − Π(1 − p)`: the chance that at least one of several independent reasons holds.
pub fn noisy_or(chances: impl IntoIterator<Item = i64>) -> i64 {
    ONE - chances.into_iter().fold(ONE, |rest, p| mul(rest, ONE - p.clamp(0, ONE)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agrees_with_the_textbook() {
        assert_eq!(log2(ONE), 0);
        assert_eq!(log2(8 * ONE), 3 * ONE);
        assert_eq!(log2(500), -ONE);
        assert!((log2(10 * ONE) - 3_321).abs() <= 1);
        assert_eq!(decay(0, 30_000), ONE);
        assert!((decay(30_000, 30_000) - 368).abs() <= 25);
        assert_eq!(decay(600_000, 30_000), 0);
        assert_eq!(noisy_or([243, 243]), 427);
        assert_eq!((exp2_minus(0), exp2_minus(1_000), exp2_minus(3_000), exp2_minus(30_000)), (1_000, 500, 125, 0));
        assert!((exp2_minus(500) - 707).abs() <= 3 && (exp2_minus(250) - 841).abs() <= 5);
    }
}
