//! Which output rows one run down the input can serve.

use crate::shape::gcd;

/// Output rows `count` apart read input rows of the same residue: one class slides down its own rows, `unit` apart.
#[derive(Clone, Copy, Default)]
pub(super) struct Classes {
    pub count: usize,
    /// Units from an output row to the next of its class.
    pub step: usize,
    pub unit: usize,
}

impl Classes {
    pub fn new(pixel_step: usize, tap_step: usize, rows: usize, taps: usize) -> Self {
        if taps == 1 {
            Classes { count: 1, step: 1, unit: pixel_step }
        } else if rows == 1 || tap_step == 1 {
            Classes { count: 1, step: if rows == 1 { 1 } else { pixel_step }, unit: tap_step }
        } else {
            let common = gcd(pixel_step, tap_step);
            Classes { count: (tap_step / common).min(rows), step: pixel_step / common, unit: tap_step }
        }
    }
}
