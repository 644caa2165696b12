//! Micro-kernel of depthwise convolutions: vectors of neighbouring outputs of a few rows slide down the input.
//!
//! Each input row is read once for all output rows that it serves. Their sums stay in registers: a step down begins the sums
//! of one row and ends those of another. Tap rows beyond what the registers hold take another pass over the stored sums.

use crate::simd::{Operation, Simd};

/// Some consecutive tap rows, for all outputs of one plane.
///
/// Who makes one promises that whole vectors can be read wherever a tap of a row reads, that sums and outputs lie where the
/// fields say, and that the outputs are this thread's own.
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
pub(super) const fn most_rows(pixels: usize) -> usize {
    if pixels > 4 { 5 } else { 3 }
}

impl<T> Operation<T> for &Slide<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        let vectors = self.width.div_ceil(S::LANES);
        let live = self.tap_rows.div_ceil(self.step);
        let three = const { S::PIXELS > 4 } && self.tap_rows == 3 && self.columns.len() == 3 && self.step <= 2;
        let mut first = 0;
        while first < vectors {
            let left = vectors - first;
            macro_rules! strips {
                ($strip:ident, $rows:literal, $second:literal) => {
                    strips!($strip, $rows, $second: 4 2 1);
                };
                ($strip:ident, $rows:literal, $second:literal: $($count:literal)*) => {
                    $(if const { $count == 1 || $rows * $count <= 2 * S::PIXELS } && left >= $count {
                        // SAFETY: whoever makes a `Slide` keeps its promises.
                        unsafe { $strip::<S, $second, $count>(simd, self, first) };
                        first += $count;
                        continue;
                    })*
                };
            }
            match (three, self.step, live) {
                (true, 1, _) => {
                    strips!(three_by_three, 3, 1);
                }
                (true, _, _) => {
                    strips!(three_by_three, 3, 2);
                }
                (_, _, 1) => {
                    strips!(strip, 1, 1);
                }
                (_, _, 2) => {
                    strips!(strip, 2, 2);
                }
                (_, _, 3) => {
                    strips!(strip, 3, 3);
                }
                (_, _, 4) if const { most_rows(S::PIXELS) > 3 } => {
                    strips!(strip, 4, 4);
                }
                (_, _, 5) if const { most_rows(S::PIXELS) > 3 } => {
                    strips!(strip, 5, 5);
                }
                _ => unreachable!("more tap rows than registers"),
            }
        }
    }
}

/// `V` vectors of every row, from vector `first` on; `M` rows of sums are live.
///
/// # Safety
/// The promises of [`Slide`] hold.
#[inline(always)]
unsafe fn strip<S: Simd, const M: usize, const V: usize>(simd: S, slide: &Slide<'_, S::Scalar>, first: usize) {
    let column = first * S::LANES;
    let last = slide.last::<S, V>(column);
    let mut to = slide.to.wrapping_add(column);
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
            if position + 1 >= M {
                write(simd, slide, to, last, sums[M - 1]);
                to = to.wrapping_offset(slide.to_pitch);
            }
            for older in (1..M).rev() {
                sums[older] = sums[older - 1];
            }
            sums[0] = [simd.zero(); V];
        }
    }
}

/// The same for three by three taps, whose weights stay in registers.
///
/// # Safety
/// The promises of [`Slide`] hold; there are three by three taps, and `STEP` is the slide's.
#[inline(always)]
unsafe fn three_by_three<S: Simd, const STEP: usize, const V: usize>(simd: S, slide: &Slide<'_, S::Scalar>, first: usize) {
    let column = first * S::LANES;
    let last = slide.last::<S, V>(column);
    let live = 3usize.div_ceil(STEP);
    let columns: [usize; 3] = std::array::from_fn(|tap| slide.columns[tap] as usize);
    let mut sums = [[simd.zero(); V]; 3];
    // SAFETY: by the contract of this function.
    unsafe {
        let mut weights = [simd.zero(); 9];
        for tap in 0..9 {
            weights[tap] = simd.splat(*slide.weights.add(tap));
        }
        let mut row = slide.input.wrapping_add(column);
        let mut from = slide.from.wrapping_add(column);
        let mut to = slide.to.wrapping_add(column);
        let positions = slide.rows + live - 1;
        for position in 0..positions {
            if !slide.from.is_null() && position < slide.rows {
                for vector in 0..V {
                    sums[0][vector] = simd.load(from.add(vector * S::LANES));
                }
                from = from.wrapping_offset(slide.from_pitch);
            }
            for phase in 0..STEP {
                // With two rows a step, the last step has one.
                if phase == 1 && position + 1 == positions {
                    break;
                }
                for tap in 0..3 {
                    for vector in 0..V {
                        let x = simd.load(row.add(columns[tap] + vector * S::LANES));
                        for output in 0..live {
                            let tap_row = output * STEP + phase;
                            if tap_row < 3 {
                                sums[output][vector] = simd.multiply_add(x, weights[tap_row * 3 + tap], sums[output][vector]);
                            }
                        }
                    }
                }
                row = row.wrapping_add(slide.pitch);
            }
            if position + 1 >= live {
                write(simd, slide, to, last, sums[live - 1]);
                to = to.wrapping_offset(slide.to_pitch);
            }
            for older in (1..live).rev() {
                sums[older] = sums[older - 1];
            }
            sums[0] = [simd.zero(); V];
        }
    }
}

impl<T> Slide<'_, T> {
    /// Lanes to write of the last of `V` vectors.
    #[inline(always)]
    fn last<S: Simd<Scalar = T>, const V: usize>(&self, column: usize) -> usize {
        if self.whole { S::LANES } else { (self.width - column - (V - 1) * S::LANES).min(S::LANES) }
    }
}

/// # Safety
/// The promises of [`Slide`] hold, and `to` is one of its rows.
#[inline(always)]
unsafe fn write<S: Simd, const V: usize>(
    simd: S,
    slide: &Slide<'_, S::Scalar>,
    to: *mut S::Scalar,
    last: usize,
    mut sums: [S::Vector; V],
) {
    if let Some(bias) = slide.bias {
        for sum in &mut sums {
            *sum = simd.add(*sum, simd.splat(bias));
        }
    }
    // SAFETY: by the contract of this function.
    unsafe {
        for vector in 0..V - 1 {
            simd.store(to.add(vector * S::LANES), sums[vector]);
        }
        let to = to.add((V - 1) * S::LANES);
        if last == S::LANES {
            simd.store(to, sums[V - 1]);
        } else {
            simd.store_some(to, sums[V - 1], last);
        }
    }
}

/// One input row, for all `M` live output rows, or for all but the oldest.
///
/// # Safety
/// The promises of [`Slide`] hold.
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
