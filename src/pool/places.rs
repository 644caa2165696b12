//! Maxima with their places where equal windows lie at equal distances: each row of the input becomes a row of pairs, one for
//! every column of the output, and rows of pairs become outputs. Columns come first, since only so is the order that of the plane.
//! Long windows are two halves, which may overlap: halves of halves are shared by all neighbours. Rows of a block are computed as
//! one, with windows between two of them that nobody needs.

use std::ops::Range;

use crate::array::{DType, Ordered, RANK, SCRATCH_BYTES, SharedOutput, View, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::axis::Axis;
use super::input::ROWS;
use super::pairs::{Across, LANES, Outputs, Pairs, Term, ask_ahead, merge};
use super::tiling::{Tile, Tiling};

/// Pairs that the rows of a block take, about.
const BLOCK: usize = 4096;
/// The same for windows of more than [`FEW`] rows, which are kept at every length.
const TALL_BLOCK: usize = 16384;
/// Elements of neighbouring rows that become pairs at once, about: enough to hide what a row costs beside them, and no more than
/// memory can be asked ahead for.
const TOGETHER: usize = 512;
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
    /// Rows of the input that a block covers, and how many of them follow each other.
    rows: usize,
    together: usize,
    /// Elements that may be read from the first of a block's on.
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
        // From a row to the next as many windows as elements, with the stride.
        let pitch = width.covered(columns).div_ceil(width.stride);
        let rows = if tall { (TALL_BLOCK / pitch).max(2 * height.span()) } else { BLOCK / pitch / depth.kernel };
        let block = height.fitting(rows);
        let rows = height.covered(block);
        // Rows between windows are not read, and long windows are made row by row.
        let alone = height.stride > height.span() || width.kernel > FEW;
        let together = if alone { 1 } else { (TOGETHER / (pitch * width.stride)).clamp(1, rows) };
        let reach = (together * pitch + LANES) * width.stride + width.span() + LANES;
        let plane = shape.input.iter().try_fold(1usize, |plane, &size| plane.checked_mul(size))?;
        let places = Places {
            shape,
            windows,
            axes,
            levels: if tall { height.kernel.ilog2() as usize + 1 } else { 1 },
            block: [block, columns],
            pitch,
            clipped: width.before.div_ceil(width.stride),
            rows,
            together,
            reach,
        };
        let fits = plane.checked_add(reach)? < i32::MAX as usize && places.bytes(size_of::<u64>()) <= SCRATCH_BYTES;
        fits.then_some(places)
    }

    /// Pairs of a block, and those that long windows of a row are made of.
    fn pairs(&self) -> [usize; 2] {
        let dense = if self.axes[2].kernel > FEW { self.pitch * self.axes[2].stride + 2 * LANES } else { LANES };
        [self.axes[0].kernel * self.levels * self.level(), dense]
    }

    /// Scratch memory, for keys of so many bytes.
    fn bytes(&self, key: usize) -> usize {
        let [pairs, dense] = self.pairs();
        let counts = [pairs, dense, self.pitch].map(|count| count * key + count * size_of::<i64>() + 128);
        counts.iter().sum::<usize>() + self.reach * key + 64
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
            let [pairs, dense] = self.pairs();
            with_scratch(self.bytes(size_of::<E::Key>()), |scratch| {
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
                    held: [None; ROWS],
                    list: [(pairs, 0); ROWS * FEW],
                    padded: None,
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

    /// Pairs of a block of a plane of the input, up to a whole chunk.
    #[inline(always)]
    fn level(&self) -> usize {
        self.rows * self.pitch + LANES
    }

    /// Where an element stands in its plane.
    #[inline(always)]
    fn place(&self, depth: usize, height: usize, width: isize) -> i32 {
        ((depth * self.shape.input[1] + height) * self.shape.input[2]) as i32 + width as i32
    }

    /// The first element of a window.
    #[inline(always)]
    fn first(&self, depth: &Window, height: &Window, x: usize) -> i64 {
        i64::from(self.place(depth.first, height.first, self.windows[2].window(x).first as isize))
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
            for y in (start[1]..end[1]).step_by(rows) {
                for x in (start[2]..end[2]).step_by(columns) {
                    for z in start[0]..end[0] {
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
    /// Which plane along the depth they are of, and of which block: blocks that follow each other along it share planes.
    held: [Option<[usize; 5]>; ROWS],
    /// A pair for each column of the input, and room for a chunk at least.
    dense: Pairs<E>,
    /// Those that a row of outputs is made of.
    list: [Term<E>; ROWS * FEW],
    /// Rows of the input with their padding, and which columns of them are not padding.
    copy: &'a mut [E::Key],
    padded: Option<Range<usize>>,
    /// A row of outputs that do not lie side by side.
    finished: &'a mut [E],
    found: &'a mut [i64],
}

impl<E: Ordered> Blocks<'_, E> {
    #[inline(always)]
    fn run(&mut self, block: &Block) {
        let all = self.all;
        let [deep, axis, _] = all.axes;
        let (rows, first_row) = axis.inside(block.height.start, block.height.len());
        let depth = all.windows[0].window(block.z);
        for plane in 0..depth.taps {
            let plane = depth.first + plane * depth.step;
            let slot = plane / deep.dilation % deep.kernel;
            let key = [block.image, block.channel, plane, block.height.start, block.width.start];
            if self.held[slot] != Some(key) {
                self.held[slot] = Some(key);
                self.plane(block, plane, (&rows, first_row), self.pairs.after(slot * all.levels * all.level()));
            }
        }
        for y in block.height.clone() {
            self.down(block, &depth, y, first_row);
        }
    }

    /// The rows of a plane that a block covers as rows of pairs, at every length.
    #[inline(always)]
    fn plane(&mut self, block: &Block, depth: usize, (rows, first): (&Range<usize>, usize), pairs: Pairs<E>) {
        let all = self.all;
        let axis = all.axes[1];
        for row in (0..rows.len()).step_by(all.together) {
            if (rows.start + row) % axis.stride < axis.span() {
                let count = all.together.min(rows.len() - row);
                self.across(block, [depth, first + row], count, pairs.after(row * all.pitch));
            }
        }
        let mut left = rows.len();
        for number in 1..all.levels {
            let distance = axis.dilation << (number - 1);
            left = left.saturating_sub(distance);
            // SAFETY: a level has room for whole chunks.
            unsafe {
                let from = pairs.after((number - 1) * all.level());
                let places = distance * all.shape.input[2];
                merge(from, distance * all.pitch, places, left * all.pitch, pairs.after(number * all.level()));
            }
        }
    }

    /// Rows of the input as rows of pairs.
    #[inline(always)]
    fn across(&mut self, block: &Block, [depth, height]: [usize; 2], rows: usize, to: Pairs<E>) {
        let all = self.all;
        let axis = all.axes[2];
        let (count, covered) = (block.width.len(), axis.covered(block.width.len()));
        let (inside, column) = axis.inside(block.width.start, count);
        let index = [block.image, block.channel, depth, height, column];
        let windows = (rows - 1) * all.pitch + count;
        let mut row = Across { taps: axis.kernel, step: axis.dilation, stride: axis.stride, count: windows };
        if axis.kernel > FEW {
            row = Across { taps: SHORTEST, stride: 1, count: covered - (SHORTEST - 1) * axis.dilation, ..row };
        }
        let from = self.keys(index, &inside, covered, rows, row.reach());
        // SAFETY: `keys` are as many as are read; `to` and `dense` have room for whole chunks.
        unsafe {
            if axis.kernel <= FEW {
                row.run(from, to);
                return;
            }
            row.strided::<E, 1>(from, self.dense);
            let mut length = SHORTEST;
            while 2 * length <= axis.kernel {
                let distance = length * axis.dilation;
                merge(self.dense, distance, distance, covered - (2 * length - 1) * axis.dilation, self.dense);
                length *= 2;
            }
            let (rest, spread) = ((axis.kernel - length) * axis.dilation, (count - 1) * axis.stride + 1);
            if axis.stride == 1 {
                merge(self.dense, rest, rest, spread, to);
            } else {
                merge(self.dense, rest, rest, spread, self.dense);
                for output in 0..count {
                    let from = self.dense.after(output * axis.stride);
                    *to.keys.add(output) = *from.keys;
                    *to.places.add(output) = *from.places;
                }
            }
        }
    }

    /// The columns that a block covers of rows that follow each other, in place where they are as far apart as windows are and
    /// as many elements as `reach` can be read.
    #[inline(always)]
    fn keys(&mut self, index: [usize; RANK], inside: &Range<usize>, covered: usize, rows: usize, reach: usize) -> *const E::Key {
        let pitch = self.all.pitch * self.all.axes[2].stride;
        if let Some(elements) = self.elements
            && inside.len() == covered
            && (rows == 1 || self.all.shape.input[2] == pitch)
        {
            let first = self.input.offset(index) as usize;
            if first + reach <= elements.len() {
                let first = elements[first..].as_ptr();
                ask_ahead(first, rows * pitch);
                return first.cast();
            }
        }
        if self.padded.as_ref() != Some(inside) {
            self.padded = Some(inside.clone());
            self.copy.fill(E::LOWEST);
        }
        if inside.is_empty() {
            return self.copy.as_ptr();
        }
        for row in 0..rows {
            let place = [index[0], index[1], index[2], index[3] + row, index[4]];
            let run = self.input.run(place, inside.len());
            let copy = &mut self.copy[row * pitch..][inside.clone()];
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
        let [deep, _, width] = all.axes;
        let height = all.windows[1].window(y);
        let index = [block.image, block.channel, block.z, y, block.width.start];
        let count = block.width.len();
        let mut terms = 0;
        // Of the lengths that are kept, the longest: two of it make the window.
        let number = if all.levels > 1 { height.taps.max(1).ilog2() as usize } else { 0 };
        for plane in 0..depth.taps {
            let plane = plane * depth.step;
            let slot = (depth.first + plane) / deep.dilation % deep.kernel;
            for term in 0..if all.levels > 1 { height.taps.min(2) } else { height.taps } {
                let tap = if all.levels > 1 { term * (height.taps - (1 << number)) } else { term };
                let row = height.first - first_row + tap * height.step;
                let pairs = self.pairs.after((slot * all.levels + number) * all.level() + row * all.pitch);
                self.list[terms] = (pairs, all.place(plane, tap * height.step, 0));
                terms += 1;
            }
        }
        let strides = [self.output.strides(), self.indices.strides()];
        let adjacent = count == 1 || (strides[0][RANK - 1] == 1 && strides[1][RANK - 1] == 1);
        // SAFETY: the outputs are this block's, which one task computes.
        unsafe {
            if terms == 0 {
                self.output.write_row(index, 1, count, |_| E::from_key(E::LOWEST));
                self.indices.write_row(index, 1, count, |x| all.first(depth, &height, block.width.start + x));
                return;
            }
            let (values, indices) = if adjacent {
                let [z, y, x] = [block.z as isize, y as isize, block.width.start as isize];
                let within = |strides: [isize; RANK]| z * strides[2] + y * strides[3] + x * strides[4];
                let values = self.output.channel(block.image, block.channel).offset(within(strides[0]));
                (values, self.indices.channel(block.image, block.channel).offset(within(strides[1])))
            } else {
                (self.finished.as_mut_ptr(), self.found.as_mut_ptr())
            };
            let begin = (block.width.start * width.stride) as isize - width.before as isize;
            let place = all.place(depth.first, height.first, begin);
            let places = self.dense.places.cast();
            Outputs { count, place, stride: width.stride, values, indices, places }.write(&self.list[..terms]);
            // Where nothing exceeds the padding, the first element is meant.
            for x in block.width.start..block.width.end.min(all.clipped) {
                let index = indices.add(x - block.width.start);
                *index = all.first(depth, &height, x).max(*index);
            }
            if !adjacent {
                self.output.write_row(index, 1, count, |x| self.finished[x]);
                self.indices.write_row(index, 1, count, |x| self.found[x]);
            }
        }
    }
}
