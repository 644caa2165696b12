//! Few rows of one vector: all their sums are held at once, so that none waits for another and no row is begun or ended in between.

use super::slide::Slide;
use crate::simd::Simd;

/// Whether these are few rows. With cheap masks blocks of rows slide down instead.
pub(super) fn few<S: Simd>(rows: usize, width: usize) -> bool {
    S::FUSED && !S::MASKS && (4..=8).contains(&rows) && width <= S::LANES
}

/// `R` rows.
///
/// # Safety
/// The promises of [`Slide`] hold; it has `R` rows, and every input row is there.
#[inline(always)]
pub(super) unsafe fn few_rows<S: Simd, const R: usize>(simd: S, slide: &Slide<S::Scalar>) {
    let [mut room, less] = slide.room::<S>(0, R);
    let ending = slide.ending.vectors(simd);
    let mut sums = [simd.zero(); R];
    // SAFETY: by the contract of this function.
    unsafe {
        if !slide.from.is_null() {
            for row in 0..R {
                sums[row] = simd.load(slide.from.offset(row as isize * slide.from_pitch));
            }
        }
        for tap_row in 0..slide.tap_rows {
            let inputs: [_; R] = std::array::from_fn(|row| slide.input.wrapping_add((row * slide.step + tap_row) * slide.pitch));
            let weights = slide.weights.add(tap_row * slide.taps);
            for tap in 0..slide.taps {
                let column = slide.column(tap);
                let weight = simd.splat(*weights.add(tap));
                for row in 0..R {
                    sums[row] = simd.multiply_add(simd.load(inputs[row].add(column)), weight, sums[row]);
                }
            }
        }
        for row in 0..R {
            ending.write(simd, slide.to.wrapping_offset(row as isize * slide.to_pitch), room, sums[row]);
            room -= less;
        }
    }
}
