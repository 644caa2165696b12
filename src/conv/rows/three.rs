//! Three by three taps, whose weights stay in registers.

use super::slide::{Slide, write};
use crate::simd::{Operation, Simd};

/// All vectors of all rows; `STEP` rows and `APART` columns lie between outputs, as the slide says.
pub(super) struct ThreeByThree<'a, T, const STEP: usize, const APART: usize, const ENDS: bool> {
    pub slide: &'a Slide<'a, T>,
}

impl<T, const STEP: usize, const APART: usize, const ENDS: bool> Operation<T> for ThreeByThree<'_, T, STEP, APART, ENDS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let slide = self.slide;
        let (count, whole) = (slide.width.div_ceil(S::LANES), slide.whole_vectors(S::LANES));
        let mut first = 0;
        while first < count {
            let most = slide.most_vectors::<ENDS>(first, count, whole);
            macro_rules! strip {
                ($vectors:literal) => {{
                    let columns = std::array::from_fn(|vector| (first + vector) * S::LANES);
                    vectors::<S, STEP, APART, $vectors, ENDS, false>(simd, slide, columns, [0; $vectors], slide.rows);
                    first += $vectors;
                }};
            }
            // SAFETY: whoever makes a `Slide` keeps its promises.
            unsafe {
                match most {
                    4.. if const { 3 * 4 <= 2 * S::PIXELS } => strip!(4),
                    3.. if const { 3 * 3 <= 2 * S::PIXELS } => strip!(3),
                    2.. => strip!(2),
                    _ => strip!(1),
                }
            }
        }
    }
}

/// The only vector of every row, with masks: the plane is cut into two blocks of rows, since one would have too few sums in
/// flight. There are no sums to begin from, as a row of both blocks is computed twice.
pub(super) struct BlocksOfThree<'a, T, const STEP: usize> {
    pub slide: &'a Slide<'a, T>,
}

impl<T, const STEP: usize> Operation<T> for BlocksOfThree<'_, T, STEP> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let slide = self.slide;
        let rows = slide.rows.div_ceil(2);
        // SAFETY: whoever makes a `Slide` keeps its promises.
        unsafe { vectors::<S, STEP, 1, 2, true, true>(simd, slide, [0; 2], [0, slide.rows - rows], rows) };
    }
}

/// `rows` outputs of each of `V` vectors, which begin at some columns and rows: at different rows only where they are `BLOCKS`.
///
/// # Safety
/// The promises of [`Slide`] hold; there are three by three taps.
#[inline(always)]
unsafe fn vectors<S: Simd, const STEP: usize, const APART: usize, const V: usize, const ENDS: bool, const BLOCKS: bool>(
    simd: S,
    slide: &Slide<'_, S::Scalar>,
    columns: [usize; V],
    starts: [usize; V],
    rows: usize,
) {
    let live = 3usize.div_ceil(STEP);
    // With masks the input lies as it is, its taps evenly apart.
    let apart = slide.columns[1] as usize;
    let taps = [0, apart, if ENDS { 2 * apart } else { slide.columns[2] as usize }];
    let lanes = columns.map(|column| slide.lanes::<S>(column));
    let ends = [0, V - 1].map(|vector| slide.bits(columns[vector] * APART));
    let masks: [[[S::Mask; APART]; 2]; 3] =
        taps.map(|tap| ends.map(|bits| std::array::from_fn(|part| simd.mask(bits >> (tap + part * S::LANES)))));
    let bias = slide.bias.map(|bias| simd.splat(bias));
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
                        let load = |part: usize| {
                            let from = input[vector].wrapping_add(taps[tap] + part * S::LANES);
                            if ENDS && (vector == 0 || vector + 1 == V) {
                                simd.load_masked(from, masks[tap][usize::from(vector > 0)][part])
                            } else {
                                simd.load(from)
                            }
                        };
                        let x = if APART == 2 { simd.evens(load(0), load(1)) } else { load(0) };
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
                    let lanes = if BLOCKS || vector + 1 == V { lanes[vector] } else { S::LANES };
                    write(simd, bias, to, lanes, sums[live - 1][vector]);
                }
            }
            for older in (1..live).rev() {
                sums[older] = sums[older - 1];
            }
            sums[0] = [simd.zero(); V];
        }
    }
}
