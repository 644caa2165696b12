//! Micro-kernel of depthwise convolutions: vectors of neighbouring outputs of a few rows slide down the input.
//!
//! Each input row is read once for all output rows that it serves. Their sums stay in registers: a step down begins the sums
//! of one row and ends those of another. Tap rows beyond what the registers hold take another pass over the stored sums.

use crate::simd::Simd;

/// Some consecutive tap rows, for all outputs of one plane.
pub(super) struct Slide<'a, T> {
    /// What the first tap of the first output reads.
    pub input: *const T,
    /// Distance of neighbouring input rows, and rows from one output row to the next.
    pub pitch: usize,
    pub step: usize,
    /// Offset in a row of every tap.
    pub columns: &'a [u32],
    /// `[tap row][column]`.
    pub weights: *const T,
    pub tap_rows: usize,
    /// Output rows, and outputs of a row.
    pub rows: usize,
    pub width: usize,
    /// Sums of the taps before these, in whole vectors; null where there are none.
    pub from: *const T,
    pub from_pitch: isize,
    pub to: *mut T,
    pub to_pitch: isize,
    /// Whether `to` has room for whole vectors.
    pub whole: bool,
    /// Added at last.
    pub bias: Option<T>,
}

/// The most output rows whose sums are held at once: fewer where a multiply-add is no single instruction.
pub(super) const fn most_rows<S: Simd>() -> usize {
    if S::PIXELS > 4 { 5 } else { 3 }
}

impl<T> Slide<'_, T> {
    /// # Safety
    /// Input, sums and outputs lie where the fields say; whole vectors of the input can be read; the outputs are this thread's.
    #[inline(always)]
    pub unsafe fn run<S: Simd<Scalar = T>>(&self, simd: S) {
        let vectors = self.width.div_ceil(S::LANES);
        let live = self.tap_rows.div_ceil(self.step);
        let mut first = 0;
        while first < vectors {
            let left = vectors - first;
            macro_rules! strips {
                ($($rows:literal)*) => {
                    match live {
                        $($rows if $rows <= most_rows::<S>() => {
                            strips!($rows: 4 2 1);
                        })*
                        _ => unreachable!("more tap rows than registers"),
                    }
                };
                ($rows:literal: $($count:literal)*) => {
                    $(if const { $count == 1 || $rows * $count <= 2 * S::PIXELS } && left >= $count {
                        // SAFETY: by the contract of this function.
                        unsafe { strip::<S, $rows, $count>(simd, self, first) };
                        first += $count;
                        continue;
                    })*
                };
            }
            strips!(1 2 3 4 5);
        }
    }
}

/// `V` vectors of every row, from vector `first` on; `M` rows of sums are live.
///
/// # Safety
/// That of [`Slide::run`].
#[inline(always)]
unsafe fn strip<S: Simd, const M: usize, const V: usize>(simd: S, slide: &Slide<'_, S::Scalar>, first: usize) {
    let column = first * S::LANES;
    let last = if slide.whole { S::LANES } else { (slide.width - column - (V - 1) * S::LANES).min(S::LANES) };
    let input_rows = (slide.rows - 1) * slide.step + slide.tap_rows;
    // Tap rows of the oldest live output within a step.
    let oldest = slide.tap_rows - (M - 1) * slide.step;
    let mut sums = [[simd.zero(); V]; M];
    // SAFETY: by the contract of this function.
    unsafe {
        let mut row = slide.input.add(column);
        for position in 0..slide.rows + M - 1 {
            if !slide.from.is_null() && position < slide.rows {
                let from = slide.from.offset(position as isize * slide.from_pitch).add(column);
                for vector in 0..V {
                    sums[0][vector] = simd.load(from.add(vector * S::LANES));
                }
            }
            for phase in 0..slide.step.min(input_rows - position * slide.step) {
                let weights = slide.weights.add(phase * slide.columns.len());
                if phase < oldest {
                    multiply::<S, M, V, true>(simd, slide, row, weights, &mut sums);
                } else {
                    multiply::<S, M, V, false>(simd, slide, row, weights, &mut sums);
                }
                row = row.wrapping_add(slide.pitch);
            }
            if let Some(done) = position.checked_sub(M - 1) {
                let to = slide.to.offset(done as isize * slide.to_pitch).add(column);
                for vector in 0..V {
                    let mut sum = sums[M - 1][vector];
                    if let Some(bias) = slide.bias {
                        sum = simd.add(sum, simd.splat(bias));
                    }
                    if vector < V - 1 || last == S::LANES {
                        simd.store(to.add(vector * S::LANES), sum);
                    } else {
                        simd.store_some(to.add(vector * S::LANES), sum, last);
                    }
                }
            }
            for older in (1..M).rev() {
                sums[older] = sums[older - 1];
            }
            sums[0] = [simd.zero(); V];
        }
    }
}

/// One input row, for all `M` live output rows, or for all but the oldest.
///
/// # Safety
/// That of [`Slide::run`].
#[inline(always)]
unsafe fn multiply<S: Simd, const M: usize, const V: usize, const ALL: bool>(
    simd: S,
    slide: &Slide<'_, S::Scalar>,
    row: *const S::Scalar,
    weights: *const S::Scalar,
    sums: &mut [[S::Vector; V]; M],
) {
    let live = if ALL { M } else { M - 1 };
    let taps = slide.columns.len();
    let step = slide.step * taps;
    // SAFETY: by the contract of this function.
    unsafe {
        for (tap, &column) in slide.columns.iter().enumerate() {
            let from = row.add(column as usize);
            let mut x = [simd.zero(); V];
            for vector in 0..V {
                x[vector] = simd.load(from.add(vector * S::LANES));
            }
            for output in 0..live {
                let weight = simd.splat(*weights.add(output * step + tap));
                for vector in 0..V {
                    sums[output][vector] = simd.multiply_add(x[vector], weight, sums[output][vector]);
                }
            }
        }
    }
}
