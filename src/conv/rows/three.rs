//! Three by three taps, whose weights stay in registers.

use super::slide::{Slide, shifted};
use crate::simd::Simd;

/// `V` vectors of every row, from vector `first` on; `STEP` rows and `APART` columns lie between outputs.
///
/// # Safety
/// The promises of [`Slide`] hold; there are three by three taps, and `STEP` and `APART` are the slide's.
#[inline(always)]
pub(super) unsafe fn three_by_three<S: Simd, const STEP: usize, const APART: usize, const V: usize, const ENDS: bool>(
    simd: S,
    slide: &Slide<S::Scalar>,
    first: usize,
) {
    let mut columns = std::array::from_fn(|vector| (first + vector) * S::LANES);
    columns[V - 1] = slide.last_column::<S>(first + V - 1);
    // SAFETY: by the contract of this function.
    unsafe { vectors::<S, STEP, APART, V, ENDS, false>(simd, slide, columns, [0; V], slide.rows) };
}

/// The only vector of every row: the plane is cut into two blocks of rows, since one would have too few sums in flight.
///
/// # Safety
/// The promises of [`Slide`] hold; there are three by three taps, `STEP` is the slide's, its ends are masked, and there are no
/// sums to begin from, as a row of both blocks is computed twice.
#[inline(always)]
pub(super) unsafe fn blocks_of_three<S: Simd, const STEP: usize>(simd: S, slide: &Slide<S::Scalar>) {
    let rows = slide.rows.div_ceil(2);
    // SAFETY: by the contract of this function.
    unsafe { vectors::<S, STEP, 1, 2, true, true>(simd, slide, [0; 2], [0, slide.rows - rows], rows) };
}

/// `rows` outputs of each of `V` vectors, which begin at some columns and rows: at different rows only where they are `BLOCKS`.
///
/// # Safety
/// As above.
#[inline(always)]
unsafe fn vectors<S: Simd, const STEP: usize, const APART: usize, const V: usize, const ENDS: bool, const BLOCKS: bool>(
    simd: S,
    slide: &Slide<S::Scalar>,
    columns: [usize; V],
    starts: [usize; V],
    rows: usize,
) {
    let live = 3usize.div_ceil(STEP);
    // With masks the input lies as it is, its taps evenly apart.
    let apart = slide.column(1);
    let taps = [0, apart, if ENDS { 2 * apart } else { slide.column(2) }];
    let [mut room, less] = slide.room::<S>(columns[V - 1], rows);
    let ends = [0, V - 1].map(|vector| slide.bits(columns[vector] * APART));
    // No closures around vector operations: one that is not inlined would lose the instruction set.
    let mut masks = [[[simd.mask(0); APART]; 2]; 3];
    for tap in 0..3 {
        for end in 0..2 {
            for part in 0..APART {
                masks[tap][end][part] = simd.mask(shifted(ends[end], taps[tap] + part * S::LANES));
            }
        }
    }
    let ending = slide.ending.vectors(simd);
    let mut sums = [[simd.zero(); V]; 3];
    // SAFETY: by the contract of this function.
    unsafe {
        let mut weights = [simd.zero(); 9];
        for tap in 0..9 {
            weights[tap] = simd.splat(*slide.weights.add(tap));
        }
        let positions = rows + live - 1;
        for position in 0..positions {
            if !slide.from.is_null() && position < rows {
                for vector in 0..V {
                    let from = slide.from.offset(position as isize * slide.from_pitch);
                    sums[0][vector] = simd.load(from.add(columns[vector]));
                }
            }
            for phase in 0..STEP {
                // With two rows a step, the last step has one.
                if phase == 1 && position + 1 == positions {
                    break;
                }
                let input: [_; V] = std::array::from_fn(|vector| {
                    let start = if BLOCKS { starts[vector] } else { 0 };
                    slide.row((start + position) * STEP + phase).wrapping_add(columns[vector] * APART)
                });
                for tap in 0..3 {
                    for vector in 0..V {
                        let mut parts = [simd.zero(); APART];
                        for part in 0..APART {
                            let from = input[vector].wrapping_add(taps[tap] + part * S::LANES);
                            parts[part] = if ENDS && (vector == 0 || vector + 1 == V) {
                                simd.load_masked(from, masks[tap][usize::from(vector > 0)][part])
                            } else {
                                simd.load(from)
                            };
                        }
                        let x = if APART == 2 { simd.evens(parts[0], parts[APART - 1]) } else { parts[0] };
                        for output in 0..live {
                            let tap_row = output * STEP + phase;
                            if tap_row < 3 {
                                sums[output][vector] = simd.multiply_add(x, weights[tap_row * 3 + tap], sums[output][vector]);
                            }
                        }
                    }
                }
            }
            if position + 1 >= live {
                for vector in 0..V {
                    let start = if BLOCKS { starts[vector] } else { 0 };
                    let row = (start + position + 1 - live) as isize;
                    let to = slide.to.wrapping_offset(row * slide.to_pitch).wrapping_add(columns[vector]);
                    // Without masks only a single vector may be wider than its row.
                    let partial = BLOCKS || vector + 1 == V && (V == 1 || S::MASKS);
                    let room = if partial { room } else { S::LANES };
                    ending.write(simd, to, room, sums[live - 1][vector]);
                }
                room -= less;
            }
            for older in (1..live).rev() {
                sums[older] = sums[older - 1];
            }
            sums[0] = [simd.zero(); V];
        }
    }
}
