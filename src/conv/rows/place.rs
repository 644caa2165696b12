//! Where the tiles at one place of all planes lie, and whether their input can be read in place.

use std::ops::Range;

use super::long::Segments;
use super::slide::{MOST_REACH, masks};
use super::tile::Columns;
use crate::array::{Element, View};
use crate::conv::patch::Tile;
use crate::conv::patch_axis::PatchAxis;
use crate::shape::{AxisPass, ConvShape, PaddingMode};
use crate::simd::Simd;

/// Where the tiles of all planes lie that have the same outputs.
pub(super) struct Place {
    pub axes: [AxisPass; 3],
    pub tile: Tile,
    pub columns: Columns,
    /// The segments into which rows are cut, if they are.
    pub segments: Option<Segments>,
    /// Depth and height of the staged input.
    pub staged: [PatchAxis; 2],
    /// First input element along each axis, which may lie in the padding.
    pub origins: [isize; 3],
    /// Whether every tap of the tile lies inside the input.
    inside: bool,
    /// Whether its copy [is plain](super::stage::Channel::is_plain).
    pub plain: bool,
    /// The columns of the first residues.
    lines: [Line; 4],
}

/// Where the columns of one residue lie in a row of the input: those from `begin` to `end` inside it.
#[derive(Clone, Copy, Default)]
pub(super) struct Line {
    pub origin: isize,
    pub begin: usize,
    pub end: usize,
}

impl Place {
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
        let mut place =
            Place { axes: *axes, tile, columns, segments, staged, origins, inside, plain: false, lines: Default::default() };
        place.lines = std::array::from_fn(|residue| place.find_line(residue, shape.input[2]));
        place
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

    /// The staged rows that lie inside an input of `height`, where no rows are left out in between.
    #[inline(always)]
    pub fn inside_rows(&self, height: usize) -> Range<usize> {
        let rows = self.staged[1].length as isize;
        let [first, end] = [0, height as isize].map(|row| (row - self.origins[1]).clamp(0, rows) as usize);
        first..end
    }

    /// The columns of one residue in a row of `width`.
    #[inline(always)]
    pub fn line(&self, residue: usize, width: usize) -> Line {
        if residue < 4 { self.lines[residue] } else { self.find_line(residue, width) }
    }

    fn find_line(&self, residue: usize, width: usize) -> Line {
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
    /// Elements between channels, between planes, and between rows.
    pub channel: usize,
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

impl<T> Source<T> {
    /// Where the taps of a channel, of one depth and one height begin.
    pub fn tap_row(&self, [channel, depth, height]: [usize; 3]) -> usize {
        channel * self.channel + depth * self.tap_steps[0] * self.plane + height * self.tap_steps[1] * self.row
    }
}

impl Place {
    /// The input of the first channel of the first image itself, if vectors with masks can be read there; `zeros` then is a row of them.
    pub fn in_place<S: Simd, E: Element<Accumulator = S::Scalar>>(
        &self,
        input: &View<'_, E>,
        mode: PaddingMode,
        zeros: &mut [S::Scalar],
    ) -> Option<Source<S::Scalar>> {
        let (shape, strides, [depth, height, width]) = (input.shape(), input.strides(), &self.axes);
        let three = height.taps == 3
            && width.taps == 3
            && height.tap_step * width.tap_step == 1
            && height.input_step == 2
            && self.tile.size[1] > 1;
        let apart = width.input_step;
        let steps = apart == 1 || (apart == 2 && three && S::PIXELS > 4);
        let native = E::IN_PLACE && strides[4] == 1 && strides[2] >= 0 && strides[3] >= 0;
        let masks = masks::<S>() && width.extent(1, width.taps) <= MOST_REACH + 1;
        let padded = self.inside || mode == PaddingMode::Zeros;
        let row = self.columns.row();
        if !(steps && native && masks && padded && self.segments.is_none()) || zeros.len() < row {
            return None;
        }
        zeros[..row].fill(S::Scalar::default());
        let first: isize = (0..3).map(|axis| self.origins[axis] * strides[2 + axis]).sum();
        let inside = |axis: usize| [0, shape[2 + axis] as isize].map(|end| (end - self.origins[axis]).max(0) as usize);
        Some(Source {
            pointer: input.pointer().wrapping_offset(first).cast(),
            channel: strides[1] as usize,
            plane: strides[2] as usize,
            row: strides[3] as usize,
            pixel_steps: [depth.input_step, height.input_step],
            tap_steps: [depth.tap_step, height.tap_step],
            apart,
            inside: [inside(0), inside(1)],
            zeros: zeros.as_ptr(),
            readable: Some([0, shape[4] as isize].map(|end| end - self.origins[2])),
        })
    }

    /// The copy that [`Channel::stage`](super::stage::Channel::stage) makes.
    pub fn copy<T>(&self, scratch: &[T]) -> Source<T> {
        let row = self.columns.row();
        Source {
            pointer: scratch.as_ptr(),
            channel: self.staged[0].length * self.staged[1].length * row,
            plane: self.staged[1].length * row,
            row,
            pixel_steps: self.staged.map(|axis| axis.pixel_step),
            tap_steps: self.staged.map(|axis| axis.tap_step),
            apart: 1,
            inside: [[0, usize::MAX]; 2],
            zeros: scratch.as_ptr(),
            readable: None,
        }
    }
}
