//! Maxima with their places where equal windows lie at equal distances: each row of the input becomes a row of pairs, one for
//! every column of the output, and rows of pairs become outputs. Columns come first, since only so is the order that of the plane.
//! Long windows are two halves, which may overlap: halves of halves are shared by all neighbours.

use std::ops::Range;

use crate::array::{DType, Ordered, RANK, SharedOutput, View, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::axis::Axis;
use super::input::ROWS;
use super::pairs::{Across, LANES, Pairs, ask_ahead, merge, write_down};
use super::tiling::{Tile, Tiling};

/// Pairs that the rows of a block take, about.
const BLOCK: usize = 4096;
/// The same for windows of more than [`FEW`] rows, which are kept at every length.
const TALL_BLOCK: usize = 16384;
/// Elements of a window along an axis that are joined one after the other.
const FEW: usize = 8;
/// Elements that a half has which is not halves again.
const SHORTEST: usize = 4;
/// A window spreads over as many elements at most.
const MOST_SPREAD: usize = 16384;

/// How maxima are computed, and how many at once.
pub(super) struct Places<'a> {
    shape: &'a PoolShape<'a>,
    windows: [Windows; 3],
    axes: [Axis; 3],
    /// Lengths 1, 2, 4, … at which rows of pairs are kept.
    levels: usize,
    /// Outputs of a block.
    block: [usize; 2],
    /// Pairs from a row to the next.
    pitch: usize,
    /// Outputs of a row whose windows begin in the padding.
    clipped: usize,
    /// Rows of the input that a block covers.
    rows: usize,
    /// Elements of a row of the input that may be read.
    reach: usize,
}

impl<'a> Places<'a> {
    /// The windows, if they are of this kind.
    pub fn new(shape: &'a PoolShape<'a>) -> Option<Self> {
        let windows = shape.windows(0);
        let axes = [Axis::new(&windows[0])?, Axis::new(&windows[1])?, Axis::new(&windows[2])?];
        let [depth, height, width] = axes;
        let spread = height.span().saturating_mul(width.span());
        // Of a window a plane, vectors would have but one lane.
        if shape.output == [1; 3] || depth.kernel > ROWS || spread > MOST_SPREAD || width.stride > MOST_SPREAD {
            return None;
        }
        let tall = height.kernel > FEW;
        let columns = width.fitting((if tall { BLOCK / 16 } else { BLOCK / 2 }).max(2 * width.span()));
        let pitch = columns.next_multiple_of(LANES);
        let rows = if tall { (TALL_BLOCK / pitch).max(2 * height.span()) } else { BLOCK / pitch / depth.kernel };
        let rows = height.fitting(rows);
        let reach = pitch * width.stride + width.span() + LANES;
        let plane = shape.input.iter().try_fold(1usize, |plane, &size| plane.checked_mul(size))?;
        (plane.checked_add(reach)? < i32::MAX as usize).then(|| Places {
            shape,
            windows,
            axes,
            levels: if tall { height.kernel.ilog2() as usize + 1 } else { 1 },
            block: [rows, columns],
            pitch,
            clipped: width.before.div_ceil(width.stride),
            rows: height.covered(rows),
            reach,
        })
    }

    /// Writes the maxima of `input` and their places.
    pub fn run<E: Ordered>(
        &self,
        isa: Isa,
        input: &View<'_, E>,
        output: SharedOutput<'_, E>,
        indices: SharedOutput<'_, i64>,
    ) -> Result<(), Error> {
        let tiling = Tiling::new(self.shape);
        for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
            let pairs = self.axes[0].kernel * self.levels * self.rows * self.pitch;
            let dense = if self.axes[2].kernel > FEW { self.reach + LANES } else { 0 };
            let counts = [pairs, dense, self.pitch];
            let size = size_of::<E::Key>();
            let bytes = counts.map(|count| (count * size + 64) + (count * size_of::<i64>() + 64)).iter().sum::<usize>();
            with_scratch(bytes + self.reach * size + 64, |scratch| {
                let [keys, dense_keys] = [pairs, dense].map(|count| scratch.cut(count).as_mut_ptr());
                let [places, dense_places] = [pairs, dense].map(|count| scratch.cut(count).as_mut_ptr());
                let pairs = Pairs::<E> { keys, places };
                let blocks = Blocks {
                    all: self,
                    input,
                    elements: E::as_keys(&[]).and(input.as_slice()),
                    output,
                    indices,
                    pairs,
                    dense: Pairs { keys: dense_keys, places: dense_places },
                    list: [pairs; ROWS * FEW],
                    copy: scratch.cut(self.reach),
                    finished: scratch.cut(self.pitch),
                    found: scratch.cut(self.pitch),
                };
                // The others make do with what all processors have: each such code adds to the wheel.
                let tasks = Tasks { tiling: &tiling, tasks, progress, blocks };
                if const { matches!(E::DTYPE, DType::F32 | DType::F64) } { vectorised(isa, tasks) } else { tasks.run() }
            });
        })
    }

    /// Where an element stands in its plane.
    #[inline(always)]
    fn place(&self, depth: usize, height: usize, width: isize) -> i32 {
        ((depth * self.shape.input[1] + height) * self.shape.input[2]) as i32 + width as i32
    }
}

struct Tasks<'a, E: Ordered> {
    tiling: &'a Tiling,
    tasks: Range<usize>,
    progress: &'a Progress<'a>,
    blocks: Blocks<'a, E>,
}

impl<E: Ordered> Body for Tasks<'_, E> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let channels = self.blocks.all.shape.channels;
        let [rows, columns] = self.blocks.all.block;
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            for z in start[0]..end[0] {
                for y in (start[1]..end[1]).step_by(rows) {
                    for x in (start[2]..end[2]).step_by(columns) {
                        if self.progress.cancelled() {
                            return;
                        }
                        let (height, width) = (y..end[1].min(y + rows), x..end[2].min(x + columns));
                        self.blocks.run(&Block { image: plane / channels, channel: plane % channels, z, height, width });
                    }
                }
            }
        }
    }
}

/// Outputs that are computed together.
struct Block {
    image: usize,
    channel: usize,
    z: usize,
    height: Range<usize>,
    width: Range<usize>,
}

/// What blocks are computed with.
struct Blocks<'a, E: Ordered> {
    all: &'a Places<'a>,
    input: &'a View<'a, E>,
    /// All of the input, if its rows can be read where they are.
    elements: Option<&'a [E]>,
    output: SharedOutput<'a, E>,
    indices: SharedOutput<'a, i64>,
    /// Rows of pairs: those of the first plane along the depth at each length, then of the next.
    pairs: Pairs<E>,
    /// A pair for each column of the input.
    dense: Pairs<E>,
    /// Those that a row of outputs is made of.
    list: [Pairs<E>; ROWS * FEW],
    /// A row of the input with its padding.
    copy: &'a mut [E::Key],
    /// A row of outputs that do not lie side by side.
    finished: &'a mut [E],
    found: &'a mut [i64],
}

impl<E: Ordered> Blocks<'_, E> {
    #[inline(always)]
    fn run(&mut self, block: &Block) {
        let all = self.all;
        let [_, axis, width] = all.axes;
        let (rows, first_row) = axis.inside(block.height.start, block.height.len());
        let (inside, column) = width.inside(block.width.start, block.width.len());
        let depth = all.windows[0].window(block.z);
        self.copy[..inside.start].fill(E::LOWEST);
        self.copy[inside.end..].fill(E::LOWEST);
        let level = all.rows * all.pitch;
        for plane in 0..depth.taps {
            let pairs = self.pairs.after(plane * all.levels * level);
            for row in 0..rows.len() {
                // Rows between windows are not read.
                if (rows.start + row) % axis.stride < axis.span() {
                    let place = [depth.first + plane * depth.step, first_row + row];
                    self.across(block, place, &inside, column, pairs.after(row * all.pitch));
                }
            }
            let mut left = rows.len();
            for number in 1..all.levels {
                let distance = axis.dilation << (number - 1);
                left = left.saturating_sub(distance);
                // SAFETY: rows have `pitch` pairs, a multiple of a chunk.
                unsafe {
                    let from = pairs.after((number - 1) * level);
                    merge(from, distance * all.pitch, left * all.pitch, pairs.after(number * level));
                }
            }
        }
        for y in block.height.clone() {
            self.down(block, &depth, y, first_row);
        }
    }

    /// A row of the input as a row of pairs.
    #[inline(always)]
    fn across(&mut self, block: &Block, [depth, height]: [usize; 2], inside: &Range<usize>, column: usize, to: Pairs<E>) {
        let all = self.all;
        let axis = all.axes[2];
        let before = axis.before as isize;
        let (count, covered) = (block.width.len(), axis.covered(block.width.len()));
        let place = all.place(depth, height, (block.width.start * axis.stride) as isize - before);
        let index = [block.image, block.channel, depth, height, column];
        let mut row = Across { taps: axis.kernel, step: axis.dilation, stride: axis.stride, count, place };
        if axis.kernel > FEW {
            row = Across { taps: SHORTEST, stride: 1, count: covered - (SHORTEST - 1) * axis.dilation, ..row };
        }
        let from = self.keys(index, inside, covered, row.reach());
        // SAFETY: `keys` are as many as are read; rows of pairs have whole chunks, and `dense` has room for `reach` pairs.
        unsafe {
            if axis.kernel <= FEW {
                row.run(from, to);
            } else {
                row.strided::<E, 1>(from, self.dense);
                let mut length = SHORTEST;
                while 2 * length <= axis.kernel {
                    let distance = length * axis.dilation;
                    merge(self.dense, distance, covered - (2 * length - 1) * axis.dilation, self.dense);
                    length *= 2;
                }
                let (rest, spread) = ((axis.kernel - length) * axis.dilation, (count - 1) * axis.stride + 1);
                if axis.stride == 1 {
                    merge(self.dense, rest, spread, to);
                } else {
                    merge(self.dense, rest, spread, self.dense);
                    for output in 0..count {
                        let from = self.dense.after(output * axis.stride);
                        *to.keys.add(output) = *from.keys;
                        *to.places.add(output) = *from.places;
                    }
                }
            }
        }
        // Where nothing exceeds the padding, the first element is meant.
        for x in block.width.start..block.width.end.min(all.clipped) {
            let first = all.place(depth, height, all.windows[2].window(x).first as isize);
            // SAFETY: an output of the row.
            unsafe {
                let place = to.places.add(x - block.width.start);
                *place = first.max(*place);
            }
        }
    }

    /// The columns that a block covers of a row, in place where as many as `reach` can be read.
    #[inline(always)]
    fn keys(&mut self, index: [usize; RANK], inside: &Range<usize>, covered: usize, reach: usize) -> *const E::Key {
        if let Some(elements) = self.elements
            && inside.len() == covered
        {
            let first = self.input.offset(index) as usize;
            if first + reach <= elements.len() {
                let first = elements[first..].as_ptr();
                ask_ahead(first, covered);
                return first.cast();
            }
        }
        if !inside.is_empty() {
            let run = self.input.run(index, inside.len());
            let copy = &mut self.copy[inside.clone()];
            match run.as_slice() {
                Some(elements) => {
                    ask_ahead(elements.as_ptr(), elements.len());
                    copy.iter_mut().zip(elements).for_each(|(copy, element)| *copy = element.key());
                }
                None => copy.iter_mut().enumerate().for_each(|(column, copy)| *copy = run.at(column).key()),
            }
        }
        self.copy.as_ptr()
    }

    /// A row of outputs.
    #[inline(always)]
    fn down(&mut self, block: &Block, depth: &Window, y: usize, first_row: usize) {
        let all = self.all;
        let height = all.windows[1].window(y);
        let index = [block.image, block.channel, block.z, y, block.width.start];
        let count = block.width.len();
        let mut terms = 0;
        let level = all.rows * all.pitch;
        // Of the lengths that are kept, the longest: two of it make the window.
        let number = if all.levels > 1 { height.taps.max(1).ilog2() as usize } else { 0 };
        for plane in 0..depth.taps {
            for term in 0..if all.levels > 1 { height.taps.min(2) } else { height.taps } {
                let tap = if all.levels > 1 { term * (height.taps - (1 << number)) } else { term };
                let row = height.first - first_row + tap * height.step;
                self.list[terms] = self.pairs.after((plane * all.levels + number) * level + row * all.pitch);
                terms += 1;
            }
        }
        let strides = [self.output.strides(), self.indices.strides()];
        let adjacent = count == 1 || (strides[0][RANK - 1] == 1 && strides[1][RANK - 1] == 1);
        // SAFETY: the outputs are this block's, which one task computes.
        unsafe {
            if terms == 0 {
                let first = |x| all.place(depth.first, height.first, all.windows[2].window(x).first as isize);
                self.output.write_row(index, 1, count, |_| E::from_key(E::LOWEST));
                self.indices.write_row(index, 1, count, |x| i64::from(first(block.width.start + x)));
            } else if adjacent {
                let [z, y, x] = [block.z as isize, y as isize, block.width.start as isize];
                let within = |strides: [isize; RANK]| z * strides[2] + y * strides[3] + x * strides[4];
                let to = self.output.channel(block.image, block.channel).offset(within(strides[0]));
                let places = self.indices.channel(block.image, block.channel).offset(within(strides[1]));
                write_down(&self.list[..terms], count, to, places);
            } else {
                write_down(&self.list[..terms], count, self.finished.as_mut_ptr(), self.found.as_mut_ptr());
                self.output.write_row(index, 1, count, |x| self.finished[x]);
                self.indices.write_row(index, 1, count, |x| self.found[x]);
            }
        }
    }
}
