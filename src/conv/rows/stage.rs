//! The input of a tile: in place where it lies inside the input, else copied with its halo.

use std::ops::Range;

use super::classes::Classes;
use super::long::Segments;
use super::slide::{MOST_REACH, masks};
use super::tile::Columns;
use crate::array::{Element, View};
use crate::conv::patch::Tile;
use crate::conv::patch_axis::PatchAxis;
use crate::shape::{AxisPass, ConvShape, PaddingMode};
use crate::simd::{Simd, widen_run};

/// What the tiles at one place of all planes have in common.
pub(super) struct Frame<T> {
    pub axes: [AxisPass; 3],
    pub tile: Tile,
    pub columns: Columns,
    /// The segments into which rows are cut, if they are.
    pub segments: Option<Segments>,
    /// Where the tile of the first channel of the first image lies, if it is read in place.
    pub in_place: Option<Source<T>>,
    /// How its rows follow each other, and the tap rows of one run down them.
    pub classes: Classes,
    pub group: usize,
    /// Where its first output lies in a channel, and whether sums are outputs that are written there as they are.
    pub output: isize,
    pub straight: bool,
    /// Depth and height of the staged input.
    pub staged: [PatchAxis; 2],
    /// First input element along each axis, which may lie in the padding.
    origins: [isize; 3],
    /// Whether every tap of the tile lies inside the input.
    inside: bool,
    /// The columns of the first residues.
    lines: [Line; 4],
}

/// Where the columns of one residue lie in a row of the input: those from `begin` to `end` inside it.
#[derive(Clone, Copy, Default)]
struct Line {
    origin: isize,
    begin: usize,
    end: usize,
}

impl<T> Frame<T> {
    /// `tile` has outputs and the pass has taps.
    pub fn new(shape: &ConvShape, axes: &[AxisPass; 3], tile: Tile, lanes: usize, segments: Option<Segments>) -> Self {
        let columns = Columns::new(&axes[2], tile.size[2], lanes);
        let staged = std::array::from_fn(|axis| PatchAxis::new(&axes[axis], tile.size[axis], axes[axis].taps));
        let origins: [isize; 3] =
            std::array::from_fn(|axis| axes[axis].input_start + (tile.start[axis] * axes[axis].input_step) as isize);
        let inside = (0..3).all(|axis| {
            let extent = axes[axis].extent(tile.size[axis], axes[axis].taps) as isize;
            origins[axis] >= 0 && origins[axis] + extent <= shape.input[axis] as isize
        });
        let lines = Default::default();
        let mut frame = Frame {
            axes: *axes,
            tile,
            columns,
            segments,
            in_place: None,
            classes: Classes::default(),
            group: 1,
            output: 0,
            straight: false,
            staged,
            origins,
            inside,
            lines,
        };
        frame.lines = std::array::from_fn(|residue| frame.line(residue, shape.input[2]));
        frame
    }

    /// Whether rows of zeros lie above or below the input, and no rows are left out in between.
    pub fn pads_rows(&self, shape: &ConvShape) -> bool {
        let below = self.origins[1] + self.staged[1].length as isize > shape.input[1] as isize;
        shape.mode == PaddingMode::Zeros && self.staged[1].is_natural() && (self.origins[1] < 0 || below)
    }

    /// The output rows to which any of some tap rows brings a row of an input of `height`.
    pub fn rows_that_read(&self, taps: Range<usize>, height: usize) -> Range<usize> {
        let axis = &self.axes[1];
        // Outputs for which `tap` reads above `row`.
        let before = |row: isize, tap: usize| {
            let distance = row - self.origins[1] - (tap * axis.tap_step) as isize;
            (distance.max(0) as usize).div_ceil(axis.input_step).min(self.tile.size[1])
        };
        before(0, taps.end - 1)..before(height as isize, taps.start)
    }

    /// The columns of one residue in a row of `width`.
    fn line(&self, residue: usize, width: usize) -> Line {
        let origin = self.origins[2] + (residue * self.axes[2].tap_step) as isize;
        let up_to = |position: isize| (position.max(0) as usize).div_ceil(self.axes[2].input_step).min(self.columns.length);
        let begin = up_to(-origin);
        Line { origin, begin, end: up_to(width as isize - origin).max(begin) }
    }
}

/// Where kernels find the input of a tile.
#[derive(Clone, Copy)]
pub(super) struct Source<T> {
    pub pointer: *const T,
    /// Elements between planes, and between rows.
    pub plane: usize,
    pub row: usize,
    /// Planes, and rows, from an output to the next and from a tap to the next.
    pub pixel_steps: [usize; 2],
    pub tap_steps: [usize; 2],
    /// Columns from an output to the next.
    pub apart: usize,
    /// First and end of the planes, and of the rows, that are there. Instead of the others, `zeros` is read.
    pub inside: [[usize; 2]; 2],
    pub zeros: *const T,
    /// First and end of the columns that can be read, if not all can.
    pub readable: Option<[isize; 2]>,
}

/// One channel of one image.
pub(super) struct Channel<'a, E: Element> {
    pub input: &'a View<'a, E>,
    pub mode: PaddingMode,
    pub image: usize,
    pub channel: usize,
}

impl<T> Frame<T> {
    /// The input itself, if vectors with masks can be read there; `zeros` then is a row of them.
    pub fn source<S: Simd<Scalar = T>, E: Element<Accumulator = T>>(
        &self,
        input: &View<'_, E>,
        mode: PaddingMode,
        zeros: &[T],
    ) -> Option<Source<T>> {
        let (shape, strides, [_, height, width]) = (input.shape(), input.strides(), &self.axes);
        let three = height.taps == 3
            && width.taps == 3
            && height.tap_step * width.tap_step == 1
            && height.input_step == 2
            && self.tile.size[1] > 1;
        let apart = width.input_step == 1 || (width.input_step == 2 && three && S::PIXELS > 4);
        let native = E::IN_PLACE && strides[4] == 1 && strides[2] >= 0 && strides[3] >= 0;
        let masks = masks::<S>() && width.extent(1, width.taps) <= MOST_REACH + 1;
        let padded = self.inside || mode == PaddingMode::Zeros;
        if !(apart && native && masks && padded && self.segments.is_none()) || zeros.len() < self.columns.row() {
            return None;
        }
        let first: isize = (0..3).map(|axis| self.origins[axis] * strides[2 + axis]).sum();
        let inside = |axis: usize| [0, shape[2 + axis] as isize].map(|end| (end - self.origins[axis]).max(0) as usize);
        Some(Source {
            pointer: input.pointer().wrapping_offset(first).cast(),
            plane: strides[2] as usize,
            row: strides[3] as usize,
            pixel_steps: [self.axes[0].input_step, height.input_step],
            tap_steps: [self.axes[0].tap_step, height.tap_step],
            apart: width.input_step,
            inside: [inside(0), inside(1)],
            zeros: zeros.as_ptr(),
            readable: Some([0, shape[4] as isize].map(|end| end - self.origins[2])),
        })
    }
}

impl<E: Element> Channel<'_, E> {
    /// The input itself, where the frame allows it.
    #[inline(always)]
    pub fn in_place(&self, frame: &Frame<E::Accumulator>) -> Option<Source<E::Accumulator>> {
        let strides = self.input.strides();
        let offset = self.image as isize * strides[0] + self.channel as isize * strides[1];
        frame.in_place.map(|source| Source { pointer: source.pointer.wrapping_offset(offset), ..source })
    }

    /// A copy, widened, with the padding filled in.
    #[inline(always)]
    pub fn staged<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        frame: &Frame<E::Accumulator>,
        scratch: &mut [E::Accumulator],
    ) -> Source<E::Accumulator> {
        let height = frame.staged[1].length;
        let row = frame.columns.row();
        let pointer = scratch.as_ptr();
        Stage { channel: self, frame, scratch }.run(simd);
        Source {
            pointer,
            plane: height * row,
            row,
            pixel_steps: frame.staged.map(|axis| axis.pixel_step),
            tap_steps: frame.staged.map(|axis| axis.tap_step),
            apart: 1,
            inside: [[0, usize::MAX]; 2],
            zeros: pointer,
            readable: None,
        }
    }
}

struct Stage<'a, E: Element> {
    channel: &'a Channel<'a, E>,
    frame: &'a Frame<E::Accumulator>,
    scratch: &'a mut [E::Accumulator],
}

impl<E: Element> Stage<'_, E> {
    #[inline(always)]
    fn run<S: Simd<Scalar = E::Accumulator>>(self, simd: S) {
        let Stage { channel: Channel { input, mode, .. }, frame, scratch } = self;
        let [depth, height] = frame.staged.map(|axis| axis.length);
        let (row, spacing, length) = (frame.columns.row(), frame.columns.spacing, frame.columns.length);
        assert!(scratch.len() >= depth * height * row && spacing >= length + S::LANES);
        let (shape, strides) = (input.shape(), input.strides());
        let step = frame.axes[2].input_step;
        let plain = E::IN_PLACE && strides[4] == 1 && step <= 2 && *mode == PaddingMode::Zeros && frame.staged[1].is_natural();
        for z in 0..depth {
            let source = mode.source(frame.origins[0] + frame.staged[0].source(z) as isize, shape[2]);
            let to = &mut scratch[z * height * row..][..height * row];
            let Some(source) = source else {
                to.fill(E::Accumulator::default());
                continue;
            };
            let from = input.offset([self.channel.image, self.channel.channel, source, 0, 0]);
            // SAFETY: the index is inside the input.
            let from = unsafe { input.pointer().offset(from) };
            for residue in 0..frame.columns.residues {
                let line = if residue < 4 { frame.lines[residue] } else { frame.line(residue, shape[4]) };
                if plain {
                    let first = (frame.origins[1].max(0) * strides[3]) + line.origin + (line.begin * step) as isize;
                    let rows = Plain {
                        from: from.wrapping_offset(first).cast::<E::Accumulator>(),
                        from_row: strides[3],
                        to: to[residue * spacing..].as_mut_ptr(),
                        to_row: row,
                        height,
                        first: ((-frame.origins[1]).max(0) as usize).min(height),
                        end: (shape[3] as isize - frame.origins[1]).clamp(0, height as isize) as usize,
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
                    let source = mode.source(frame.origins[1] + frame.staged[1].source(y) as isize, shape[3]);
                    // SAFETY: rows and columns are inside the input, and `to` has a vector to spare.
                    unsafe {
                        match source {
                            None => zeros(simd, to, 0, length),
                            Some(y) => self.channel.any(simd, frame, line, from.offset(y as isize * strides[3]), to),
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
        frame: &Frame<E::Accumulator>,
        line: Line,
        from: *const E,
        to: *mut E::Accumulator,
    ) {
        let (length, step, stride) = (frame.columns.length, frame.axes[2].input_step, self.input.strides()[4]);
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
