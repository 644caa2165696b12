//! A block of outputs: each row of the input becomes a row of pairs, one for every column of the output, and rows of pairs become
//! outputs. Columns come first, since only so is the order that of the plane. Long windows are two halves, which may overlap:
//! halves of halves are shared by all neighbours. Rows of a block are computed as one, with windows between two of them that
//! nobody needs.

use std::ops::Range;

use super::{FEW, Places};
use crate::array::{Ordered, RANK, SharedOutput, View};
use crate::pool::input::ROWS;
use crate::pool::pairs::{Across, Outputs, Pairs, Term, ask_ahead, merge};
use crate::pool::tiling::Block;
use crate::shape::Window;

/// Elements that a half has which is not halves again.
const SHORTEST: usize = 4;

/// What blocks are computed with.
pub(super) struct Blocks<'a, E: Ordered> {
    pub all: &'a Places<'a>,
    pub input: &'a View<'a, E>,
    /// All of the input, if its rows can be read where they are.
    pub elements: Option<&'a [E]>,
    pub output: SharedOutput<'a, E>,
    pub indices: SharedOutput<'a, i64>,
    /// Rows of pairs: those of the first plane along the depth at each length, then of the next.
    pub pairs: Pairs<E>,
    /// Which plane along the depth they are of, and of which block: blocks that follow each other along it share planes.
    pub held: [Option<[usize; 5]>; ROWS],
    /// A pair for each column of the input, and room for a chunk at least.
    pub dense: Pairs<E>,
    /// Those that a row of outputs is made of.
    pub list: [Term<E>; ROWS * FEW],
    /// Rows of the input with their padding, and which columns of them are not padding.
    pub copy: &'a mut [E::Key],
    pub padded: Option<Range<usize>>,
    /// A row of outputs that do not lie side by side.
    pub finished: &'a mut [E],
    pub found: &'a mut [i64],
}

impl<E: Ordered> Blocks<'_, E> {
    /// Computes a block.
    #[inline(always)]
    pub fn run(&mut self, block: &Block) {
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
                    match E::as_keys(elements) {
                        Some(keys) => copy.copy_from_slice(keys),
                        None => copy.iter_mut().zip(elements).for_each(|(copy, element)| *copy = element.key()),
                    }
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
