//! The transforms along one axis; along two they are applied one after the other.
//!
//! Toom-Cook: four outputs of three taps are the transpose of a product of polynomials of degree 3 and 2, which has degree 5
//! and is known by its values at six points. The points are 0, ±a, ±b and infinity with a = sqrt(1/2) and b = sqrt(2) = 1 / a:
//! of all sets these give about the least error (Barabasz, Anderson, Soodhalter and Gregg 2018, arXiv:1803.10986, compare sets
//! of rationals; symmetric reciprocal pairs do best), six times less than 0, ±1, ±2. With M(x) = x (x^2 - 1/2) (x^2 - 2) =
//! x^5 - 5/2 x^3 + x and M_p(x) = M(x) / (x - p):
//!
//! - the input transform has in row p the coefficients of M_p, in the row of infinity those of M;
//! - the weight transform has in row p the powers (1, p, p^2) / M_p(p), in the row of infinity (0, 0, 1);
//! - the output transform has in column p the powers (1, p, p^2, p^3), in the column of infinity (0, 0, 0, 1).
//!
//! M_a(±a) = -3/2 and M_b(±b) = 6. Columns ±a of the output transform are taken twice, rows ±a of the weight transform half:
//! then the two pairs mirror each other, and factors of two cost no rounding.

use std::f64::consts::{FRAC_1_SQRT_2 as A, SQRT_2 as B};

use super::{OUTPUTS, POINTS};
use crate::array::Accumulator;
use crate::simd::Simd;

/// `factor * x + y`.
#[inline(always)]
fn scaled<S: Simd>(simd: S, factor: f64, x: S::Vector, y: S::Vector) -> S::Vector {
    simd.multiply_add(simd.splat(S::Scalar::from_f64(factor)), x, y)
}

/// Six inputs of a tile to six points.
#[inline(always)]
pub(super) fn input<S: Simd>(simd: S, d: [S::Vector; POINTS]) -> [S::Vector; POINTS] {
    let (even_a, odd_a) = (scaled(simd, -2.0, d[2], d[4]), scaled(simd, -2.0, d[1], d[3]));
    let (even_b, odd_b) = (scaled(simd, -0.5, d[2], d[4]), scaled(simd, -0.5, d[1], d[3]));
    [
        scaled(simd, -2.5, d[2], scaled(simd, 1.0, d[0], d[4])),
        scaled(simd, A, odd_a, even_a),
        scaled(simd, -A, odd_a, even_a),
        scaled(simd, B, odd_b, even_b),
        scaled(simd, -B, odd_b, even_b),
        scaled(simd, -2.5, d[3], scaled(simd, 1.0, d[1], d[5])),
    ]
}

/// Six products to four outputs.
#[inline(always)]
pub(super) fn output<S: Simd>(simd: S, m: [S::Vector; POINTS]) -> [S::Vector; OUTPUTS] {
    let (sum_a, difference_a) = (scaled(simd, 1.0, m[1], m[2]), scaled(simd, -1.0, m[2], m[1]));
    let (sum_b, difference_b) = (scaled(simd, 1.0, m[3], m[4]), scaled(simd, -1.0, m[4], m[3]));
    [
        scaled(simd, 2.0, sum_a, scaled(simd, 1.0, m[0], sum_b)),
        scaled(simd, B, scaled(simd, 1.0, difference_a, difference_b), simd.zero()),
        scaled(simd, 2.0, sum_b, sum_a),
        scaled(simd, A, scaled(simd, 4.0, difference_b, difference_a), m[5]),
    ]
}

/// Three weights to six points.
pub(super) fn weight(g: [f64; 3]) -> [f64; POINTS] {
    let (even_a, odd_a) = (g[0] + g[2] / 2.0, A * g[1]);
    let (even_b, odd_b) = (g[0] + g[2] * 2.0, B * g[1]);
    [g[0], (even_a + odd_a) / -3.0, (even_a - odd_a) / -3.0, (even_b + odd_b) / 6.0, (even_b - odd_b) / 6.0, g[2]]
}
