//! The input of a tile copied with its halo, where it cannot be read in place.

use super::place::{Line, Place};
use crate::array::{Element, View};
use crate::shape::PaddingMode;
use crate::simd::{Simd, widen_run};

/// One channel of one image.
pub(super) struct Channel<'a, E: Element> {
    pub input: &'a View<'a, E>,
    pub mode: PaddingMode,
    pub image: usize,
    pub channel: usize,
}

impl<E: Element> Channel<'_, E> {
    /// Copies it, widened, with the padding filled in.
    #[inline(always)]
    pub fn stage<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, place: &Place, scratch: &mut [E::Accumulator]) {
        let Channel { input, mode, .. } = self;
        let [depth, height] = place.staged.map(|axis| axis.length);
        let (row, spacing, length) = (place.columns.row(), place.columns.spacing, place.columns.length);
        assert!(scratch.len() >= depth * height * row && spacing >= length + S::LANES);
        let (shape, strides) = (input.shape(), input.strides());
        let step = place.axes[2].input_step;
        let plain = E::IN_PLACE && strides[4] == 1 && step <= 2 && *mode == PaddingMode::Zeros && place.staged[1].is_natural();
        for z in 0..depth {
            let source = mode.source(place.origins[0] + place.staged[0].source(z) as isize, shape[2]);
            let to = &mut scratch[z * height * row..][..height * row];
            let Some(source) = source else {
                to.fill(E::Accumulator::default());
                continue;
            };
            let from = input.offset([self.image, self.channel, source, 0, 0]);
            // SAFETY: the index is inside the input.
            let from = unsafe { input.pointer().offset(from) };
            for residue in 0..place.columns.residues {
                let line = if residue < 4 { place.lines[residue] } else { place.line(residue, shape[4]) };
                if plain {
                    let first = (place.origins[1].max(0) * strides[3]) + line.origin + (line.begin * step) as isize;
                    let rows = Plain {
                        from: from.wrapping_offset(first).cast::<E::Accumulator>(),
                        from_row: strides[3],
                        to: to[residue * spacing..].as_mut_ptr(),
                        to_row: row,
                        height,
                        first: ((-place.origins[1]).max(0) as usize).min(height),
                        end: (shape[3] as isize - place.origins[1]).clamp(0, height as isize) as usize,
                        line,
                        length,
                    };
                    // SAFETY: the rows from `first` to `end` and the columns of `line` are inside the input; the scratch has
                    // a vector to spare in every row.
                    unsafe {
                        match step {
                            1 => rows.stage::<S, 1>(simd),
                            _ => rows.stage::<S, 2>(simd),
                        }
                    }
                    continue;
                }
                for y in 0..height {
                    let to = to[y * row + residue * spacing..][..spacing].as_mut_ptr();
                    let source = mode.source(place.origins[1] + place.staged[1].source(y) as isize, shape[3]);
                    // SAFETY: rows and columns are inside the input, and `to` has a vector to spare.
                    unsafe {
                        match source {
                            None => zeros(simd, to, 0, length),
                            Some(y) => self.any(simd, place, line, from.offset(y as isize * strides[3]), to),
                        }
                    }
                }
            }
        }
    }
}

/// Rows of native neighbours, or every second one, between zeros: the usual case.
struct Plain<T> {
    /// First column of `line` in row `first`.
    from: *const T,
    from_row: isize,
    to: *mut T,
    to_row: usize,
    height: usize,
    /// The rows from `first` to `end` lie inside the input.
    first: usize,
    end: usize,
    line: Line,
    length: usize,
}

impl<T> Plain<T> {
    /// # Safety
    /// The elements can be read; `length` elements and a vector more can be written in each of `height` rows.
    #[inline(always)]
    unsafe fn stage<S: Simd<Scalar = T>, const STEP: usize>(self, simd: S) {
        let Plain { from_row, to_row, height, first, length, line: Line { begin, end, .. }, .. } = self;
        let (mut from, mut to) = (self.from, self.to);
        // SAFETY: by the contract of this function.
        unsafe {
            for y in 0..height {
                if y < first || y >= self.end {
                    zeros(simd, to, 0, length);
                } else {
                    zeros(simd, to, 0, begin);
                    let (mut read, mut column) = (from, begin);
                    while column + S::LANES < end {
                        let x = simd.load(read);
                        let x = if STEP == 2 { simd.evens(x, simd.load(read.add(S::LANES))) } else { x };
                        simd.store(to.add(column), x);
                        read = read.add(STEP * S::LANES);
                        column += S::LANES;
                    }
                    if column < end {
                        let left = (end - column - 1) * STEP + 1;
                        let x = simd.load_some(read, left.min(S::LANES));
                        let x = if STEP == 2 {
                            let next = simd.load_some(read.wrapping_add(S::LANES), left.saturating_sub(S::LANES));
                            simd.evens(x, next)
                        } else {
                            x
                        };
                        simd.store(to.add(column), x);
                        column += S::LANES;
                    }
                    zeros(simd, to, column, length);
                    from = from.wrapping_offset(from_row);
                }
                to = to.wrapping_add(to_row);
            }
        }
    }
}

impl<E: Element> Channel<'_, E> {
    /// A row of whatever layout, dtype and padding.
    ///
    /// # Safety
    /// `from` is the row of the input that `line` was made for; `to` has room for a vector more than the line's length.
    #[inline(always)]
    unsafe fn any<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        place: &Place,
        line: Line,
        from: *const E,
        to: *mut E::Accumulator,
    ) {
        let (length, step, stride) = (place.columns.length, place.axes[2].input_step, self.input.strides()[4]);
        let Line { origin, begin, end } = line;
        // SAFETY: vectors written begin below `length`; what is read lies inside the row.
        unsafe {
            if self.mode == PaddingMode::Zeros {
                zeros(simd, to, 0, begin);
                zeros(simd, to, end, length);
            } else {
                for column in (0..begin).chain(end..length) {
                    let source = self.mode.source(origin + (column * step) as isize, self.input.shape()[4]);
                    let source = source.expect("only zeros come from nowhere");
                    *to.add(column) = (*from.offset(source as isize * stride)).widen();
                }
            }
            if begin == end {
                return;
            }
            let first = from.offset((origin + (begin * step) as isize) * stride);
            let inside = std::slice::from_raw_parts_mut(to.add(begin), end - begin);
            match stride * step as isize {
                1 => widen_run(simd, std::slice::from_raw_parts(first, inside.len()), inside),
                2 => every::<E, 2>(first, inside),
                3 => every::<E, 3>(first, inside),
                4 => every::<E, 4>(first, inside),
                apart => {
                    for (position, to) in inside.iter_mut().enumerate() {
                        *to = (*first.offset(position as isize * apart)).widen();
                    }
                }
            }
        }
    }
}

/// Zeros from `begin` to `end`, in whole vectors.
///
/// # Safety
/// Vectors that begin below `end` can be written.
#[inline(always)]
unsafe fn zeros<S: Simd>(simd: S, to: *mut S::Scalar, begin: usize, end: usize) {
    let mut column = begin;
    while column < end {
        // SAFETY: by the contract of this function.
        unsafe { simd.store(to.add(column), simd.zero()) };
        column += S::LANES;
    }
}

/// Every `STEP`th element: known steps become shuffles.
///
/// # Safety
/// The elements can be read.
#[inline(always)]
unsafe fn every<E: Element, const STEP: usize>(from: *const E, to: &mut [E::Accumulator]) {
    for (position, to) in to.iter_mut().enumerate() {
        // SAFETY: by the contract of this function.
        *to = unsafe { *from.add(position * STEP) }.widen();
    }
}
