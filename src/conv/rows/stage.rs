//! The input of a tile: in place where it lies inside the input, else copied with its halo.

use super::tile::Columns;
use crate::array::{Element, View};
use crate::conv::patch::{PatchAxis, Tile};
use crate::shape::{AxisPass, ConvShape, PaddingMode};
use crate::simd::Simd;

/// What the tiles at one place of all planes have in common.
pub(super) struct Frame {
    pub axes: [AxisPass; 3],
    pub tile: Tile,
    pub columns: Columns,
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

impl Frame {
    /// `tile` has outputs and the pass has taps.
    pub fn new(shape: &ConvShape, axes: &[AxisPass; 3], tile: Tile, lanes: usize) -> Self {
        let columns = Columns::new(&axes[2], tile.size[2], lanes);
        let staged = std::array::from_fn(|axis| PatchAxis::new(&axes[axis], tile.size[axis], axes[axis].taps));
        let origins: [isize; 3] =
            std::array::from_fn(|axis| axes[axis].input_start + (tile.start[axis] * axes[axis].input_step) as isize);
        let inside = (0..3).all(|axis| {
            let extent = axes[axis].extent(tile.size[axis], axes[axis].taps) as isize;
            origins[axis] >= 0 && origins[axis] + extent <= shape.input[axis] as isize
        });
        let mut frame = Frame { axes: *axes, tile, columns, staged, origins, inside, lines: Default::default() };
        frame.lines = std::array::from_fn(|residue| frame.line(residue, shape.input[2]));
        frame
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
}

/// One channel of one image.
pub(super) struct Channel<'a, E: Element> {
    pub input: &'a View<'a, E>,
    pub mode: PaddingMode,
    pub image: usize,
    pub channel: usize,
}

impl<E: Element> Channel<'_, E> {
    /// The input itself, if vectors can be read there, `lanes` elements past the last one included.
    #[inline(always)]
    pub fn in_place(&self, frame: &Frame, lanes: usize) -> Option<Source<E::Accumulator>> {
        let (strides, axes) = (self.input.strides(), &frame.axes);
        let native = E::IN_PLACE && axes[2].input_step == 1 && strides[4] == 1;
        if !native || !frame.inside || strides.iter().any(|&stride| stride < 0) {
            return None;
        }
        let mut first = self.image as isize * strides[0] + self.channel as isize * strides[1];
        let mut reach = 0;
        for axis in 0..3 {
            first += frame.origins[axis] * strides[2 + axis];
            reach += (axes[axis].extent(frame.tile.size[axis], axes[axis].taps) - 1) as isize * strides[2 + axis];
        }
        if first + reach + lanes as isize > self.input.last_offset() {
            return None;
        }
        Some(Source {
            // SAFETY: the first element that the tile reads is inside the input.
            pointer: unsafe { self.input.pointer().offset(first) }.cast(),
            plane: strides[2] as usize,
            row: strides[3] as usize,
            pixel_steps: [axes[0].input_step, axes[1].input_step],
            tap_steps: [axes[0].tap_step, axes[1].tap_step],
        })
    }

    /// A copy, widened, with the padding filled in.
    #[inline(always)]
    pub fn staged<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        frame: &Frame,
        scratch: &mut [E::Accumulator],
    ) -> Source<E::Accumulator> {
        let [depth, height] = frame.staged.map(|axis| axis.length);
        let row = frame.columns.row();
        assert!(scratch.len() >= depth * height * row);
        let (shape, strides) = (self.input.shape(), self.input.strides());
        for z in 0..depth {
            let source = self.mode.source(frame.origins[0] + frame.staged[0].source(z) as isize, shape[2]);
            let to = &mut scratch[z * height * row..][..height * row];
            let Some(source) = source else {
                to.fill(E::Accumulator::default());
                continue;
            };
            // SAFETY: the index is inside the input.
            let from = unsafe { self.input.pointer().offset(self.input.offset([self.image, self.channel, source, 0, 0])) };
            for residue in 0..frame.columns.residues {
                let line = if residue < 4 { frame.lines[residue] } else { frame.line(residue, shape[4]) };
                for y in 0..height {
                    let at = y * row + residue * frame.columns.spacing;
                    let to = &mut to[at..at + frame.columns.spacing];
                    // SAFETY: the row is inside the input, `line` was made for it, and `to` has a vector to spare.
                    unsafe {
                        match self.mode.source(frame.origins[1] + frame.staged[1].source(y) as isize, shape[3]) {
                            Some(y) => self.copy(simd, frame, line, from.offset(y as isize * strides[3]), to),
                            None => zeros(simd, to.as_mut_ptr(), 0, frame.columns.length),
                        }
                    }
                }
            }
        }
        Source {
            pointer: scratch.as_ptr(),
            plane: height * row,
            row,
            pixel_steps: frame.staged.map(|axis| axis.pixel_step),
            tap_steps: frame.staged.map(|axis| axis.tap_step),
        }
    }

    /// # Safety
    /// `from` is the row of the input that `line` was made for; `to` has room for a vector more than the line's length.
    #[inline(always)]
    unsafe fn copy<S: Simd<Scalar = E::Accumulator>>(
        &self,
        simd: S,
        frame: &Frame,
        line: Line,
        from: *const E,
        to: &mut [E::Accumulator],
    ) {
        let (length, step, stride) = (frame.columns.length, frame.axes[2].input_step, self.input.strides()[4]);
        let Line { origin, begin, end } = line;
        let inside = begin < end;
        // SAFETY: vectors written begin below `length`; what is read lies between `begin` and `end`, inside the row.
        unsafe {
            let out = to.as_mut_ptr();
            if self.mode == PaddingMode::Zeros {
                zeros(simd, out, 0, begin);
            }
            let mut column = begin;
            if inside {
                let first = from.offset((origin + (begin * step) as isize) * stride);
                if E::IN_PLACE && stride == 1 && step == 1 {
                    let first = first.cast::<E::Accumulator>().wrapping_sub(begin);
                    while column + S::LANES <= end {
                        simd.store(out.add(column), simd.load(first.wrapping_add(column)));
                        column += S::LANES;
                    }
                    if column < end {
                        simd.store(out.add(column), simd.load_some(first.wrapping_add(column), end - column));
                        column += S::LANES;
                    }
                } else {
                    let target = &mut to[begin..end];
                    match stride * step as isize {
                        1 => E::widen_run(std::slice::from_raw_parts(first, end - begin), target),
                        2 => every::<E, 2>(first, target),
                        3 => every::<E, 3>(first, target),
                        4 => every::<E, 4>(first, target),
                        apart => {
                            for (position, to) in target.iter_mut().enumerate() {
                                *to = (*first.offset(position as isize * apart)).widen();
                            }
                        }
                    }
                    column = end;
                }
            }
            if self.mode == PaddingMode::Zeros {
                zeros(simd, to.as_mut_ptr(), column, length);
                return;
            }
            for column in (0..begin).chain(end..length) {
                let source = self.mode.source(origin + (column * step) as isize, self.input.shape()[4]);
                let source = source.expect("only zeros come from nowhere");
                to[column] = (*from.offset(source as isize * stride)).widen();
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
