//! exp, tanh and erf of float32 without branches, so that loops over them become vector instructions. Nothing is fused, so
//! that every instruction set gives the same bits.
//!
//! The exponential by Cody and Waite's reduction (Software Manual for the Elementary Functions, 1980); all polynomials are
//! minimax fits by Lawson's algorithm to the functions in float64, good to a tenth of float32's roundoff or better.

/// A polynomial by Horner's rule, the highest coefficient first.
#[inline(always)]
fn polynomial(x: f32, coefficients: &[f32]) -> f32 {
    coefficients.iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

/// The power of two, for -126 to 127; anything for other exponents, which NaN has.
#[inline(always)]
fn power_of_two(exponent: i32) -> f32 {
    f32::from_bits((exponent.wrapping_add(127) << 23) as u32)
}

/// e to the power of x, within two units in the last place.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Outside, the result is zero or infinite. NaN stays.
    const LEAST: f32 = -104.0;
    const MOST: f32 = 89.0;
    /// Adding it rounds to an integer, which then lies in the last bits.
    const ROUND: f32 = 1.5 * (1 << 23) as f32;
    /// ln 2 in two parts; an integer times the first is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    let x = if x < LEAST { LEAST } else { x };
    let x = if x > MOST { MOST } else { x };
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let exponent = (rounded.to_bits() as i32).wrapping_sub(ROUND.to_bits() as i32);
    let count = rounded - ROUND;
    let rest = (x - count * LN2_HIGH) - count * LN2_LOW;
    let curve = polynomial(rest, &[0.001_395_060_2, 0.008_368_954, 0.041_666_206, 0.166_665_18, 0.5]);
    let value = 1.0 + (rest + rest * rest * curve);
    // In two steps, each of which exists: the result may be subnormal.
    let half = exponent >> 1;
    value * power_of_two(half) * power_of_two(exponent.wrapping_sub(half))
}

/// The hyperbolic tangent, within three units in the last place.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    let (size, square) = (x.abs(), x * x);
    let curve = polynomial(square, &[-0.005_717_042_4, 0.020_650_584, -0.053_743_497, 0.133_314_91, -0.333_332_84]);
    let near = x + x * square * curve;
    let far = (1.0 - 2.0 / (exp(2.0 * size) + 1.0)).copysign(x);
    if size < 0.625 { near } else { far }
}

/// The error function, within three units in the last place.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    /// Behind it the function is 1 to float32's precision.
    const MOST: f32 = 4.0;
    let (size, square) = (x.abs(), x * x);
    let near = x * polynomial(
        square,
        &[
            -9.641_519e-6,
            0.000_112_569_49,
            -0.000_848_282_9,
            0.005_220_945_5,
            -0.026_865_4,
            0.112_837_82,
            -0.376_126_38,
            std::f32::consts::FRAC_2_SQRT_PI,
        ],
    );
    let size_or_most = if size > MOST { MOST } else { size };
    let logarithm = polynomial(
        size_or_most,
        &[0.000_185_574_22, -0.002_939_609_3, 0.021_805_327, -0.103_037_39, -0.638_225_7, -1.127_04, -0.000_353_716_1],
    );
    let far = (1.0 - exp(logarithm)).copysign(x);
    if size < 1.0 { near } else { far }
}
