//! The part of the padded input that one tile reads: in place where it lies inside the input, else copied with its halo.
//!
//! This is the only place that knows padding, layout and dtype of the input; kernels see a box of accumulators.

use super::pack::Chunk;
use super::plan::row_length;
use crate::array::{Element, View};
use crate::shape::{AxisPass, ConvShape};

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
    channel: usize,
    plane: usize,
    row: usize,
    column: usize,
    /// Columns congruent modulo this lie side by side, `phase` elements from the next residue (1 where not de-interleaved).
    interleave: usize,
    phase: usize,
}

impl<T> Patch<T> {
    /// Offset of the first column of pixel (z, y) of the tile.
    #[inline(always)]
    pub fn pixel_row(&self, pass: &[AxisPass; 3], z: usize, y: usize) -> usize {
        z * pass[0].input_step * self.plane + y * pass[1].input_step * self.row
    }

    /// Distance of neighbouring pixels in a row.
    #[inline(always)]
    pub fn pixel_step(&self, pass: &[AxisPass; 3]) -> usize {
        if self.interleave > 1 { self.column } else { pass[2].input_step * self.column }
    }

    /// Writes the offset of every tap of the chunk, in the kernel's order.
    pub fn tap_offsets(&self, pass: &[AxisPass; 3], chunk: &Chunk, offsets: &mut [u32]) {
        let [depth, height, width] = chunk.tap_counts();
        let mut position = 0;
        for channel in 0..chunk.channel_count() {
            for z in 0..depth {
                for y in 0..height {
                    let row = channel * self.channel + z * pass[0].tap_step * self.plane + y * pass[1].tap_step * self.row;
                    for x in 0..width {
                        let column = x * pass[2].tap_step;
                        let within = column % self.interleave * self.phase + column / self.interleave * self.column;
                        offsets[position] = (row + within) as u32;
                        position += 1;
                    }
                }
            }
        }
    }
}

/// How the columns of a staged row lie: as in the input, or with those of each residue modulo `interleave` side by side.
#[derive(Clone, Copy)]
struct Columns {
    width: usize,
    interleave: usize,
    phase: usize,
}

/// What to bring in: one image, one group, one tile, one chunk of the taps.
pub(super) struct Request<'a> {
    pub shape: &'a ConvShape,
    pub pass: &'a [AxisPass; 3],
    pub tile: Tile,
    pub chunk: Chunk,
    pub image: usize,
    pub group: usize,
    /// Lanes of the vectors if pixels lie in them: columns must then be adjacent and may be overrun by a vector.
    pub pixel_lanes: Option<usize>,
}

impl Request<'_> {
    fn extent(&self, axis: usize) -> usize {
        self.pass[axis].extent(self.tile.size[axis], self.chunk.tap_counts()[axis])
    }

    fn origin(&self, axis: usize) -> isize {
        let pass = &self.pass[axis];
        pass.input_start + (self.tile.start[axis] * pass.input_step + self.chunk.taps[axis].0 * pass.tap_step) as isize
    }

    /// The box inside the input itself, if kernels can read it there.
    pub fn in_place<E: Element>(&self, input: &View<'_, E>) -> Option<Patch<E::Accumulator>> {
        if !E::IN_PLACE || self.chunk.len() == 0 {
            return None;
        }
        let strides = input.strides();
        if strides[1..].iter().any(|&stride| stride < 0) {
            return None;
        }
        let mut first = self.image as isize * strides[0] + self.first_channel() as isize * strides[1];
        let mut reach = (self.chunk.channel_count() - 1) as isize * strides[1];
        for axis in 0..3 {
            let (origin, extent) = (self.origin(axis), self.extent(axis));
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
        let stride = |axis: usize| strides[axis] as usize;
        Some(Patch {
            // SAFETY: the first element of the box is inside the input.
            pointer: unsafe { input.pointer().offset(first) }.cast(),
            channel: stride(1),
            plane: stride(2),
            row: stride(3),
            column: stride(4),
            interleave: 1,
            phase: 0,
        })
    }

    /// A copy of the box in `scratch`, widened, with the padding filled in.
    pub fn staged<E: Element>(&self, input: &View<'_, E>, scratch: &mut [E::Accumulator]) -> Patch<E::Accumulator> {
        let [depth, height, width] = [self.extent(0), self.extent(1), self.extent(2)];
        let stride = self.pass[2].input_step;
        let (row, columns) = match self.pixel_lanes {
            Some(lanes) if stride.min(width) > 1 => {
                let phase = width.div_ceil(stride) + lanes;
                (
                    row_length(&self.pass[2], self.tile.size[2], self.chunk.tap_counts()[2], lanes),
                    Columns { width, interleave: stride.min(width), phase },
                )
            }
            lanes => (width + lanes.unwrap_or(0), Columns { width, interleave: 1, phase: 0 }),
        };
        for channel in 0..self.chunk.channel_count() {
            for z in 0..depth {
                for y in 0..height {
                    if !self.read_by_a_pixel(0, z) || !self.read_by_a_pixel(1, y) {
                        continue;
                    }
                    let start = ((channel * depth + z) * height + y) * row;
                    self.stage_row(input, channel, [z, y], columns, &mut scratch[start..start + row]);
                }
            }
        }
        Patch {
            pointer: scratch.as_ptr(),
            channel: depth * height * row,
            plane: height * row,
            row,
            column: 1,
            interleave: columns.interleave,
            phase: columns.phase,
        }
    }

    fn first_channel(&self) -> usize {
        self.group * self.shape.in_channels + self.chunk.channels.0
    }

    /// With dilation, or a stride larger than the kernel, whole rows of the box are read by no pixel.
    fn read_by_a_pixel(&self, axis: usize, position: usize) -> bool {
        let pass = &self.pass[axis];
        (pass.tap_step == 1 && pass.input_step <= self.chunk.tap_counts()[axis])
            || (0..self.chunk.tap_counts()[axis]).any(|tap| {
                position
                    .checked_sub(tap * pass.tap_step)
                    .is_some_and(|rest| rest % pass.input_step == 0 && rest / pass.input_step < self.tile.size[axis])
            })
    }

    #[inline(always)]
    fn stage_row<E: Element>(
        &self,
        input: &View<'_, E>,
        channel: usize,
        [z, y]: [usize; 2],
        columns: Columns,
        row: &mut [E::Accumulator],
    ) {
        let mode = self.shape.mode;
        let Columns { width, interleave, phase } = columns;
        let place = |column: usize| if interleave > 1 { column % interleave * phase + column / interleave } else { column };
        let depth = mode.source(self.origin(0) + z as isize, self.shape.input[0]);
        let height = mode.source(self.origin(1) + y as isize, self.shape.input[1]);
        let (Some(depth), Some(height)) = (depth, height) else {
            row.fill(E::Accumulator::default());
            return;
        };
        let (origin, size) = (self.origin(2), self.shape.input[2]);
        let channel = self.first_channel() + channel;
        // Columns [inner.0, inner.1) of the box are inside the input.
        let begin = ((-origin).max(0) as usize).min(width);
        let end = (size as isize - origin).clamp(begin as isize, width as isize) as usize;
        let source_start = input.offset([self.image, channel, depth, height, 0]);
        let stride = input.strides()[4];
        for column in (0..begin).chain(end..width) {
            row[place(column)] = match mode.source(origin + column as isize, size) {
                // SAFETY: every index is inside the input's shape.
                Some(source) => unsafe { *input.pointer().offset(source_start + source as isize * stride) }.widen(),
                None => E::Accumulator::default(),
            };
        }
        if begin == end {
            return;
        }
        let inner = source_start + (origin + begin as isize) * stride;
        if stride == 1 && interleave == 1 {
            // SAFETY: these columns are inside the input and adjacent.
            let source = unsafe { std::slice::from_raw_parts(input.pointer().offset(inner), end - begin) };
            E::widen_run(source, &mut row[begin..end]);
            return;
        }
        for residue in 0..interleave {
            let first = begin + (residue + interleave - begin % interleave) % interleave;
            let mut target = place(first);
            let mut column = first;
            while column < end {
                // SAFETY: the column is inside the input.
                row[target] = unsafe { *input.pointer().offset(inner + (column - begin) as isize * stride) }.widen();
                target += 1;
                column += interleave;
            }
        }
    }
}
