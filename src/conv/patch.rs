//! The part of the padded input that one tile reads: in place where it lies inside the input, else copied with its halo.
//!
//! This is the only place that knows padding, layout and dtype of the input; kernels see a box of accumulators.

use std::ops::Range;

use super::pack::Chunk;
use super::patch_axis::{PatchAxis, row_length};
use super::stage::Stage;
use crate::array::{Element, View};
use crate::shape::{AxisPass, ConvShape, PaddingMode};
use crate::simd::{Isa, Lanes, dispatch};

/// So many channels, so many bytes apart or more, are too much for the sets of an L1 cache and the pages of a TLB.
const MANY_CHANNELS: usize = 64;
const FAR_APART: usize = 4096;
/// How often a tile's pixels must be read by some block for each element that is copied.
const READS_OF_A_COPY: usize = 2;

/// A tile of the output of one pass.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tile {
    /// First output along depth, height, width, counted within the pass.
    pub start: [usize; 3],
    /// Outputs along each axis.
    pub size: [usize; 3],
}

/// A box of input elements: where it starts and how far apart its elements are.
#[derive(Clone, Copy)]
pub(super) struct Patch<T> {
    pub pointer: *const T,
    image: usize,
    channel: usize,
    pub axes: [PatchAxis; 3],
    /// Distance of neighbours along each axis.
    pub strides: [usize; 3],
    /// Columns congruent modulo this lie side by side, `phase` elements from the next residue (1 where not de-interleaved).
    pub interleave: usize,
    pub phase: usize,
}

impl<T> Patch<T> {
    /// Offset of the first column of pixel (z, y) of the tile, of one of the images.
    #[inline(always)]
    pub fn pixel_row(&self, [image, z, y]: [usize; 3]) -> usize {
        image * self.image + z * self.axes[0].pixel_step * self.strides[0] + y * self.axes[1].pixel_step * self.strides[1]
    }

    /// Distance of neighbouring pixels in a row.
    #[inline(always)]
    pub fn pixel_step(&self) -> usize {
        if self.interleave > 1 { self.strides[2] } else { self.axes[2].pixel_step * self.strides[2] }
    }

    /// Writes the offset of every tap of the chunk of a pass, in the kernel's order. `union` is what the patch was brought in for,
    /// if not for this pass alone.
    pub fn tap_offsets(&self, pass: &[AxisPass; 3], union: Option<&[AxisPass; 3]>, chunk: &Chunk, offsets: &mut [u32]) {
        let [depth, height, width] = chunk.tap_counts();
        // The position of a tap: in a shared patch taps have the pass's own distance and start, which no gap was cut out of.
        let position = |axis: usize, tap: usize| match union {
            Some(union) => (pass[axis].input_start - union[axis].input_start) as usize + tap * pass[axis].tap_step,
            None => tap * self.axes[axis].tap_step,
        };
        let mut next = 0;
        for channel in 0..chunk.channel_count() {
            for z in 0..depth {
                for y in 0..height {
                    let row = channel * self.channel + position(0, z) * self.strides[0] + position(1, y) * self.strides[1];
                    for x in 0..width {
                        let column = position(2, x);
                        let within = if self.interleave > 1 {
                            column % self.interleave * self.phase + column / self.interleave
                        } else {
                            column * self.strides[2]
                        };
                        offsets[next] = (row + within) as u32;
                        next += 1;
                    }
                }
            }
        }
    }
}

/// One slice along depth of the box that a tile reads: where its elements are, and which they are. The others are zeros.
#[derive(Clone)]
pub(super) struct Slice<T> {
    /// The first of the elements.
    pub pointer: *const T,
    /// Distances of channels and rows; columns are neighbours.
    pub channel: usize,
    pub row: usize,
    /// Rows and columns of the box.
    pub rows: Range<usize>,
    pub columns: Range<usize>,
}

impl<T> Patch<T> {
    /// A slice of a staged patch whose columns are not de-interleaved.
    pub fn slice(&self, index: usize) -> Slice<T> {
        Slice {
            pointer: self.pointer.wrapping_add(index * self.strides[0]),
            channel: self.channel,
            row: self.strides[1],
            rows: 0..self.axes[1].length,
            columns: 0..self.axes[2].length,
        }
    }
}

/// What to bring in: one group, one tile, one chunk of the taps.
pub(super) struct Request<'a> {
    pub shape: &'a ConvShape,
    pub pass: &'a [AxisPass; 3],
    pub tile: Tile,
    pub chunk: Chunk,
    /// The first image, and how many.
    pub images: (usize, usize),
    pub group: usize,
    /// Lanes of the vectors if pixels lie in them: columns must then be adjacent and may be overrun by a vector.
    pub pixel_lanes: Option<usize>,
    /// Kernels read nothing of the padding.
    pub inside: bool,
}

impl Request<'_> {
    pub fn origin(&self, axis: usize) -> isize {
        let pass = &self.pass[axis];
        pass.input_start + (self.tile.start[axis] * pass.input_step + self.chunk.taps[axis].0 * pass.tap_step) as isize
    }

    pub fn first_channel(&self) -> usize {
        self.group * self.shape.in_channels + self.chunk.channels.0
    }

    /// Whether so many blocks read a copy of the box faster than the input itself: its channels are many and lie far apart.
    /// Measured with vectors of 32 bytes, 1.05 to 1.3 times as fast; wider ones read where the input lies, as measured with them.
    pub fn is_worth_a_copy<E: Element>(&self, input: &View<'_, E>, blocks: usize, lanes: usize) -> bool {
        let distance = input.strides()[1].unsigned_abs() * size_of::<E>();
        if lanes * size_of::<E>() > 32 || self.chunk.channel_count() < MANY_CHANNELS || distance < FAR_APART {
            return false;
        }
        let taps = self.chunk.tap_counts();
        let length = |axis: usize| PatchAxis::new(&self.pass[axis], self.tile.size[axis], taps[axis]).length;
        let (copied, pixels) = ((0..3).map(length).product::<usize>(), self.tile.size.iter().product::<usize>());
        blocks * pixels >= READS_OF_A_COPY * copied
    }

    /// The box inside the input itself, if kernels can read it there.
    pub fn in_place<E: Element>(&self, input: &View<'_, E>) -> Option<Patch<E::Accumulator>> {
        if !E::IN_PLACE || self.chunk.len() == 0 {
            return None;
        }
        let strides = input.strides();
        let (image, images) = self.images;
        if strides[1..].iter().any(|&stride| stride < 0) || (images > 1 && strides[0] < 0) {
            return None;
        }
        let mut first = image as isize * strides[0] + self.first_channel() as isize * strides[1];
        let mut reach = (images - 1) as isize * strides[0] + (self.chunk.channel_count() - 1) as isize * strides[1];
        let taps = self.chunk.tap_counts();
        let axes: [_; 3] = std::array::from_fn(|axis| PatchAxis::natural(&self.pass[axis], self.tile.size[axis], taps[axis]));
        for axis in 0..3 {
            let (origin, extent) = (self.origin(axis), axes[axis].length);
            if origin < 0 || origin as usize + extent > self.shape.input[axis] {
                return None;
            }
            first += origin * strides[2 + axis];
            reach += (extent - 1) as isize * strides[2 + axis];
        }
        if let Some(lanes) = self.pixel_lanes {
            let adjacent = strides[4] == 1 && self.pass[2].input_step == 1;
            // The last vector of a row reads past its end: into other elements of the same array, or not at all.
            if !adjacent || strides[0] < 0 || first + reach + lanes as isize > input.last_offset() {
                return None;
            }
        }
        if reach > u32::MAX as isize / 2 {
            return None;
        }
        Some(Patch {
            // SAFETY: the first element of the box is inside the input.
            pointer: unsafe { input.pointer().offset(first) }.cast(),
            image: strides[0].max(0) as usize,
            channel: strides[1] as usize,
            axes,
            strides: std::array::from_fn(|axis| strides[2 + axis] as usize),
            interleave: 1,
            phase: 0,
        })
    }

    /// A slice of the box inside the input itself, if columns are neighbours there; `lanes` channels and `lanes` columns can be
    /// read even where there are fewer.
    pub fn slice_in_place<E: Element>(&self, input: &View<'_, E>, index: usize, lanes: usize) -> Option<Slice<E::Accumulator>> {
        let (shape, strides) = (self.shape, input.strides());
        if !E::IN_PLACE || strides[4] != 1 || strides.iter().any(|&stride| stride < 0) {
            return None;
        }
        let taps = self.chunk.tap_counts();
        let axes = PatchAxis::all(self.pass, self.tile.size, taps);
        let inside = |axis: usize| {
            let up_to = |position: isize| position.clamp(0, axes[axis].length as isize) as usize;
            let begin = up_to(-self.origin(axis));
            begin..up_to(shape.input[axis] as isize - self.origin(axis)).max(begin)
        };
        let (mut rows, columns) = (inside(1), inside(2));
        let whole = rows.len() == axes[1].length && columns.len() == axes[2].length;
        if columns.is_empty() || (shape.mode != PaddingMode::Zeros && !whole) {
            return None;
        }
        let depth = shape.mode.source(self.origin(0) + axes[0].source(index) as isize, shape.input[0]);
        if depth.is_none() {
            rows = 0..0;
        }
        let mut at = [self.images.0, self.first_channel(), 0, 0, 0];
        if !rows.is_empty() {
            let start = |axis: usize, within: usize| (self.origin(axis) + within as isize) as usize;
            at = [at[0], at[1], depth.unwrap_or(0), start(1, rows.start), start(2, columns.start)];
        }
        let first = input.offset(at);
        let reach = (lanes as isize - 1) * strides[1] + (rows.len().max(1) as isize - 1) * strides[3];
        if first + reach + columns.len().max(lanes) as isize - 1 > input.last_offset() {
            return None;
        }
        // SAFETY: the index is inside the input.
        let pointer = unsafe { input.pointer().offset(first) }.cast();
        Some(Slice { pointer, channel: strides[1] as usize, row: strides[3] as usize, rows, columns })
    }

    /// A copy of the box in `scratch`, widened, with the padding filled in.
    pub fn staged<E: Element<Accumulator: Lanes>>(
        &self,
        isa: Isa,
        input: &View<'_, E>,
        scratch: &mut [E::Accumulator],
    ) -> Patch<E::Accumulator> {
        let taps = self.chunk.tap_counts();
        let mut axes = PatchAxis::all(self.pass, self.tile.size, taps);
        let (mut row, mut interleave, mut phase) = (axes[2].length, 1, 0);
        if let Some(lanes) = self.pixel_lanes {
            axes[2] = PatchAxis::natural(&self.pass[2], self.tile.size[2], taps[2]);
            interleave = self.pass[2].input_step.min(axes[2].length).max(1);
            phase = axes[2].length.div_ceil(self.pass[2].input_step) + lanes;
            row = row_length(&self.pass[2], self.tile.size[2], taps[2], lanes);
        }
        // Where nobody reads the padding, rows begin inside the input.
        let mut before = 0;
        if self.inside && self.pixel_lanes.is_none() && axes[2].is_natural() {
            before = (-self.origin(2)).clamp(0, row as isize) as usize;
            row = (row - before).min(self.shape.input[2]);
            (axes[2].length, axes[2].run) = (row, row.max(1));
        }
        let [depth, height, _] = axes.map(|axis| axis.length);
        let patch = Patch {
            pointer: scratch.as_ptr().wrapping_sub(before),
            image: self.chunk.channel_count() * depth * height * row,
            channel: depth * height * row,
            axes,
            strides: [height * row, row, 1],
            interleave,
            phase,
        };
        dispatch(isa, Stage { request: self, input, patch: &patch, before, scratch });
        patch
    }

    /// Whether any pixel reads the elements at `position`: with dilation and stride some rows of the box may be read by none.
    pub fn read_by_a_pixel(&self, axis: usize, position: usize) -> bool {
        let pass = &self.pass[axis];
        (pass.tap_step == 1 && pass.input_step <= self.chunk.tap_counts()[axis])
            || (0..self.chunk.tap_counts()[axis]).any(|tap| {
                position
                    .checked_sub(tap * pass.tap_step)
                    .is_some_and(|rest| rest % pass.input_step == 0 && rest / pass.input_step < self.tile.size[axis])
            })
    }
}
