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
    /// Whether its rows are native neighbours, or every second one, between zeros: the usual case.
    pub fn is_plain(place: &Place, input: &View<'_, E>, mode: PaddingMode) -> bool {
        let natural = mode == PaddingMode::Zeros && place.staged[1].is_natural();
        E::IN_PLACE && input.strides()[4] == 1 && place.axes[2].input_step <= 2 && natural
    }

    /// Copies it, widened, with the padding filled in; where it [is plain](Self::is_plain), into the [zeros around](surround) it.
    #[inline(always)]
    pub fn stage<S: Simd<Scalar = E::Accumulator>>(&self, simd: S, place: &Place, scratch: &mut [E::Accumulator]) {
        let Channel { input, mode, .. } = self;
        let [depth, height] = place.staged.map(|axis| axis.length);
        let (row, spacing, length) = (place.columns.row(), place.columns.spacing, place.columns.length);
        assert!(scratch.len() >= depth * height * row && spacing >= length + S::LANES);
        let (shape, strides) = (input.shape(), input.strides());
        let step = place.axes[2].input_step;
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
                let line = place.line(residue, shape[4]);
                if place.plain {
                    let (rows, column) = (place.inside_rows(shape[3]), line.origin + (line.begin * step) as isize);
                    if rows.is_empty() {
                        continue;
                    }
                    let first = place.origins[1] + rows.start as isize;
                    let adjoin = strides[3] == shape[4] as isize;
                    let below = if adjoin { (shape[3] as isize - 1 - first) * strides[3] } else { 0 };
                    let plain = Plain {
                        from: from.wrapping_offset(first * strides[3] + column).cast::<E::Accumulator>(),
                        from_row: strides[3],
                        readable: [(shape[4] as isize + below - column).max(0) as usize, if adjoin { shape[4] } else { 0 }],
                        to: to[rows.start * row + residue * spacing..].as_mut_ptr(),
                        to_row: row,
                        rows: rows.len(),
                        line,
                        length,
                    };
                    // SAFETY: these rows and the columns of `line` are inside the input; the scratch has a vector to spare in
                    // every row.
                    unsafe {
                        match step {
                            1 => plain.stage::<S, 1>(simd),
                            _ => plain.stage::<S, 2>(simd),
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

/// Zeros around the rows and columns that are [copied](Channel::stage): once for all planes, since nothing else is written there.
#[inline(always)]
pub(super) fn surround<S: Simd>(simd: S, place: &Place, input: [usize; 3], scratch: &mut [S::Scalar]) {
    let [depth, rows] = place.staged.map(|axis| axis.length);
    let (row, spacing, length) = (place.columns.row(), place.columns.spacing, place.columns.length);
    let inside = place.inside_rows(input[1]);
    assert!(scratch.len() >= depth * rows * row && spacing >= length + S::LANES);
    for (y, to) in scratch.chunks_exact_mut(row).enumerate().take(depth * rows) {
        for (residue, to) in to.chunks_exact_mut(spacing).enumerate() {
            let line = place.line(residue, input[2]);
            let [begin, end] = if inside.contains(&(y % rows)) { [line.begin, line.end] } else { [0, 0] };
            // SAFETY: there is a vector to spare.
            unsafe {
                zeros(simd, to.as_mut_ptr(), 0, begin);
                zeros(simd, to.as_mut_ptr(), end, length);
            }
        }
    }
}

/// Rows of native neighbours, or every second one.
struct Plain<T> {
    /// First column of `line` in the first row.
    from: *const T,
    from_row: isize,
    /// Elements that can be read from there on, and how many fewer in each further row: a vector may reach into the next row.
    readable: [usize; 2],
    to: *mut T,
    to_row: usize,
    rows: usize,
    line: Line,
    length: usize,
}

impl<T> Plain<T> {
    /// # Safety
    /// The elements can be read; `length` elements and a vector more can be written in each row.
    #[inline(always)]
    unsafe fn stage<S: Simd<Scalar = T>, const STEP: usize>(self, simd: S) {
        let Plain { mut from, from_row, readable: [mut readable, less], mut to, to_row, rows, length, .. } = self;
        let Line { begin, end, .. } = self.line;
        // SAFETY: by the contract of this function.
        unsafe {
            for _ in 0..rows {
                let (mut read, mut column) = (from, begin);
                while column + S::LANES <= end {
                    simd.store(to.add(column), load::<S, STEP>(simd, read));
                    read = read.wrapping_add(STEP * S::LANES);
                    column += S::LANES;
                }
                if column < end && column > begin {
                    // Once more what precedes them: cheaper than a part of a vector.
                    let last = end - S::LANES;
                    simd.store(to.add(last), load::<S, STEP>(simd, read.wrapping_sub(STEP * (column - last))));
                } else if column < end {
                    let x = if readable > STEP * (S::LANES - 1) {
                        load::<S, STEP>(simd, read)
                    } else if STEP == 1 {
                        simd.load_some(read, end - column)
                    } else {
                        let some = 2 * (end - column) - 1;
                        let next = simd.load_some(read.wrapping_add(S::LANES), some.saturating_sub(S::LANES));
                        simd.evens(simd.load_some(read, some.min(S::LANES)), next)
                    };
                    simd.store(to.add(column), x);
                    zeros(simd, to, end, length);
                }
                from = from.wrapping_offset(from_row);
                readable = readable.saturating_sub(less);
                to = to.wrapping_add(to_row);
            }
        }
    }
}

/// A vector of elements that are one or two apart.
///
/// # Safety
/// They can be read.
#[inline(always)]
unsafe fn load<S: Simd, const STEP: usize>(simd: S, from: *const S::Scalar) -> S::Vector {
    // SAFETY: by the contract of this function.
    unsafe { if STEP == 2 { simd.load_evens(from) } else { simd.load(from) } }
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
