//! Micro-kernel of depthwise convolutions: vectors of neighbouring outputs of a few rows slide down the input.
//!
//! Each input row is read once for all output rows that it serves. Their sums stay in registers: a step down begins the sums
//! of one row and ends those of another. Tap rows beyond what the registers hold take another pass over the stored sums.

use super::ending::Ending;
use super::few::{few, few_rows};
use super::three::{blocks_of_three, three_by_three};
use crate::simd::{Operation, Simd};

/// How far the last tap may lie from the first where the ends of a row are masked: with a vector more there is a bit for each.
pub(super) const MOST_REACH: usize = 48;
/// More output rows than this are not cut into blocks.
const MOST_BLOCK_ROWS: usize = 32;

/// Some consecutive tap rows, for all outputs of one plane.
///
/// Who makes one promises that whole vectors can be read wherever a tap of a row reads, as far as `readable` goes; that sums
/// and outputs lie where the fields say; and that the outputs are this thread's own.
#[derive(Clone, Copy)]
pub(super) struct Slide<T> {
    /// What the first tap of the first output reads.
    pub input: *const T,
    /// First and end of the input rows that are there; the others are read at `zeros`, whatever their number.
    pub inside: [usize; 2],
    pub zeros: *const T,
    /// First and end of the columns that can be read, counted from `input`, if not all can. Then the taps reach
    /// [`MOST_REACH`] columns at most, and the token has cheap masks. Where all can, every input row is there.
    pub readable: Option<[isize; 2]>,
    /// Columns from one output to the next: 1, or 2 for three by three taps with masked ends and a step of two rows.
    pub apart: usize,
    /// Distance of neighbouring input rows, and rows from one output row to the next.
    pub pitch: usize,
    pub step: usize,
    /// Taps along the width, and the offset in a row of every one.
    pub taps: usize,
    pub columns: *const u32,
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
    pub ending: Ending<T>,
}

/// The most output rows whose sums are held at once: fewer where a multiply-add is no single instruction.
pub(super) const fn most_rows(pixels: usize) -> usize {
    match pixels {
        7.. => 7,
        5.. => 5,
        _ => 3,
    }
}

impl<T: Copy> Operation<T> for &Slide<T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd<Scalar = T>>(self, simd: S) {
        if const { masks::<S>() } && self.readable.is_some() {
            self.strips::<S, true>(simd);
        } else {
            self.strips::<S, false>(simd);
        }
    }
}

impl<T: Copy> Slide<T> {
    /// All strips, with masks at the ends of each or without.
    #[inline(always)]
    fn strips<S: Simd<Scalar = T>, const ENDS: bool>(&self, simd: S) {
        let vectors = self.width.div_ceil(S::LANES);
        let live = self.tap_rows.div_ceil(self.step);
        let three = const { S::PIXELS > 4 && S::FUSED } && self.tap_rows == 3 && self.taps == 3 && self.step <= 2;
        let whole = self.whole_vectors(S::LANES);
        if three && ENDS && vectors == 1 && self.apart == 1 && self.from.is_null() && (4..MOST_BLOCK_ROWS).contains(&self.rows) {
            // SAFETY: whoever makes a `Slide` keeps its promises.
            unsafe {
                match self.step {
                    1 => blocks_of_three::<S, 1>(simd, self),
                    _ => blocks_of_three::<S, 2>(simd, self),
                }
            }
            return;
        }
        if !ENDS && few::<S>(self.rows, self.width) {
            // SAFETY: whoever makes a `Slide` keeps its promises; without masks every row is there.
            unsafe {
                match self.rows {
                    4 => few_rows::<S, 4>(simd, self),
                    5 => few_rows::<S, 5>(simd, self),
                    6 => few_rows::<S, 6>(simd, self),
                    7 => few_rows::<S, 7>(simd, self),
                    _ => few_rows::<S, 8>(simd, self),
                }
            }
            return;
        }
        let mut first = 0;
        while first < vectors {
            // Only the first and the last vector of a strip have masks.
            let most = match (ENDS, first + 1 < whole[0]) {
                (false, _) => vectors,
                (true, true) => 2,
                (true, false) => (whole[1] + 1).saturating_sub(first).max(2),
            };
            let left = most.min(vectors - first);
            macro_rules! strips {
                ($strip:ident, $rows:literal, [$($step:literal),*]) => {
                    strips!($strip, $rows, [$($step),*]: 4 2 1);
                };
                ($strip:ident, $rows:literal, $steps:tt: $($count:literal)*) => {
                    $(if const { $count == 1 || ($rows * $count <= 2 * S::PIXELS && (S::FUSED || $count == 2)) } && left >= $count {
                        strips!(@call $strip, $steps, $count);
                        first += $count;
                        continue;
                    })*
                };
                (@call $strip:ident, [$($step:literal),*], $count:literal) => {
                    // SAFETY: whoever makes a `Slide` keeps its promises.
                    unsafe { $strip::<S, $($step,)* $count, ENDS>(simd, self, first) }
                };
            }
            match (three, self.step, live) {
                // Nine weights and the sums of more vectors do not fit the registers of AVX2.
                (true, 1, _) if const { S::PIXELS < 7 } => {
                    strips!(three_by_three, 3, [1, 1]: 2 1);
                }
                (true, _, _) if const { S::PIXELS < 7 } => {
                    strips!(three_by_three, 3, [2, 1]: 2 1);
                }
                (true, 1, _) => {
                    strips!(three_by_three, 3, [1, 1]: 4 3 2 1);
                }
                (true, _, _) if ENDS && self.apart == 2 => {
                    strips!(three_by_three, 3, [2, 2]: 4 3 2 1);
                }
                (true, _, _) => {
                    strips!(three_by_three, 3, [2, 1]);
                }
                (_, _, 1) => {
                    strips!(strip, 1, [1]: 8 4 2 1);
                }
                (_, _, 2) => {
                    strips!(strip, 2, [2]);
                }
                // Three sums of four vectors would leave AVX2 no register for the weight.
                (_, _, 3) if const { S::PIXELS < 7 } => {
                    strips!(strip, 3, [3]: 3 2 1);
                }
                (_, _, 3) => {
                    strips!(strip, 3, [3]);
                }
                (_, _, 4) if const { most_rows(S::PIXELS) > 3 } => {
                    strips!(strip, 4, [4]);
                }
                (_, _, 5) if const { most_rows(S::PIXELS) > 3 } => {
                    strips!(strip, 5, [5]);
                }
                (_, _, 6) if const { most_rows(S::PIXELS) > 5 } => {
                    strips!(strip, 6, [6]);
                }
                (_, _, 7) if const { most_rows(S::PIXELS) > 5 } => {
                    strips!(strip, 7, [7]);
                }
                _ => unreachable!("more tap rows than registers"),
            }
        }
    }

    /// First and end of the vectors that every tap can read whole.
    #[inline(always)]
    fn whole_vectors(&self, lanes: usize) -> [usize; 2] {
        let Some([begin, end]) = self.readable else { return [0, usize::MAX] };
        let reach = self.column(self.taps - 1) as isize;
        let vector = lanes * self.apart;
        [(begin.max(0) as usize).div_ceil(vector), (end - reach).max(0) as usize / vector]
    }

    /// Offset in a row of a tap.
    #[inline(always)]
    pub fn column(&self, tap: usize) -> usize {
        // SAFETY: whoever makes a `Slide` promises an offset for each tap.
        unsafe { *self.columns.add(tap) as usize }
    }

    /// Where the taps of an input row begin.
    #[inline(always)]
    pub fn row(&self, row: usize) -> *const T {
        if self.inside[0] <= row && row < self.inside[1] { self.input.wrapping_add(row * self.pitch) } else { self.zeros }
    }

    /// A bit for each of the columns from some column on: whether it can be read.
    #[inline(always)]
    pub fn bits(&self, column: usize) -> u64 {
        let Some([begin, end]) = self.readable else { return u64::MAX };
        let below = |position: isize| match position - column as isize {
            64.. => u64::MAX,
            bits @ 0..64 => (1 << bits) - 1,
            _ => 0,
        };
        below(end) & !below(begin)
    }

    /// Where the last vector of a strip begins. Without cheap masks the last one of a row ends with it, and some outputs are
    /// computed twice.
    #[inline(always)]
    pub fn last_column<S: Simd<Scalar = T>>(&self, vector: usize) -> usize {
        let column = vector * S::LANES;
        if S::MASKS || self.whole { column } else { column.min(self.width.saturating_sub(S::LANES)) }
    }

    /// Elements that may be written from the vector at a column on, in the first of `rows` rows, and how many fewer in each further
    /// one: what overruns a narrow row is overwritten by the next ones.
    #[inline(always)]
    pub fn room<S: Simd<Scalar = T>>(&self, column: usize, rows: usize) -> [usize; 2] {
        let overruns = !S::MASKS && self.width < S::LANES && self.to_pitch == self.width as isize;
        match (self.whole, overruns) {
            (true, _) => [S::LANES, 0],
            (false, true) => [rows * self.width, self.width],
            (false, false) => [self.width - column, 0],
        }
    }
}

/// `V` vectors of every row, from vector `first` on; `M` rows of sums are live.
///
/// # Safety
/// The promises of [`Slide`] hold.
#[inline(always)]
unsafe fn strip<S: Simd, const M: usize, const V: usize, const ENDS: bool>(simd: S, slide: &Slide<S::Scalar>, first: usize) {
    let last = slide.last_column::<S>(first + V - 1);
    let column = if V == 1 { last } else { first * S::LANES };
    // Where the vectors lie, from the first one on.
    let mut places = std::array::from_fn(|vector| vector * S::LANES);
    places[V - 1] = last - column;
    let [mut room, less] = slide.room::<S>(last, slide.rows);
    let mut to = slide.to.wrapping_add(column);
    let input_rows = (slide.rows - 1) * slide.step + slide.tap_rows;
    // Tap rows of the oldest live output within a step.
    let oldest = slide.tap_rows - (M - 1) * slide.step;
    let ends = [0, V - 1].map(|vector| if ENDS { slide.bits(column + places[vector]) } else { u64::MAX });
    let ending = slide.ending.vectors(simd);
    let mut sums = [[simd.zero(); V]; M];
    // SAFETY: by the contract of this function.
    unsafe {
        for position in 0..slide.rows + M - 1 {
            if !slide.from.is_null() && position < slide.rows {
                let from = slide.from.offset(position as isize * slide.from_pitch).add(column);
                for vector in 0..V {
                    sums[0][vector] = simd.load(from.add(places[vector]));
                }
            }
            for phase in 0..slide.step.min(input_rows - position * slide.step) {
                let weights = slide.weights.add(phase * slide.taps);
                let row = slide.row(position * slide.step + phase).wrapping_add(column);
                let inputs = places.map(|place| row.wrapping_add(place));
                if phase < oldest {
                    multiply::<S, M, V, true, ENDS>(simd, slide, inputs, weights, ends, &mut sums);
                } else {
                    multiply::<S, M, V, false, ENDS>(simd, slide, inputs, weights, ends, &mut sums);
                }
            }
            if position + 1 >= M {
                for vector in 0..V {
                    // Without masks only a single vector may be wider than its row.
                    let room = if vector + 1 == V && (V == 1 || S::MASKS) { room } else { S::LANES };
                    ending.write(simd, to.add(places[vector]), room, sums[M - 1][vector]);
                }
                room -= less;
                to = to.wrapping_offset(slide.to_pitch);
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
/// The promises of [`Slide`] hold.
#[inline(always)]
unsafe fn multiply<S: Simd, const M: usize, const V: usize, const ALL: bool, const ENDS: bool>(
    simd: S,
    slide: &Slide<S::Scalar>,
    inputs: [*const S::Scalar; V],
    weights: *const S::Scalar,
    ends: [u64; 2],
    sums: &mut [[S::Vector; V]; M],
) {
    let live = if ALL { M } else { M - 1 };
    let taps = slide.taps;
    let step = slide.step * taps;
    // SAFETY: by the contract of this function.
    unsafe {
        for tap in 0..taps {
            let column = slide.column(tap);
            let mut x = [simd.zero(); V];
            for vector in 0..V {
                let from = inputs[vector].wrapping_add(column);
                x[vector] = if ENDS && (vector == 0 || vector + 1 == V) {
                    simd.load_masked(from, simd.mask(shifted(ends[usize::from(vector > 0)], column)))
                } else {
                    simd.load(from)
                };
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

/// Whether rows may be read in place with masks: cheap ones, whose 64 bits hold a vector and the reach of its taps. For floats
/// alone, as every way to read is more code for each dtype and instruction set.
pub(super) const fn masks<S: Simd>() -> bool {
    S::MASKS && S::FUSED && S::LANES + MOST_REACH <= 64
}

/// The bits from a column on; columns beyond them are only asked for where no mask is used.
#[inline(always)]
pub(super) fn shifted(bits: u64, column: usize) -> u64 {
    bits.checked_shr(column as u32).unwrap_or(0)
}
