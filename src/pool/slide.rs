//! Equal windows at equal distances: rows first, then columns. The rows that a row of outputs covers are joined into one, with
//! the value of no element where there is padding, and its columns into the outputs, each by [`join`]. Windows of many rows or
//! columns are made of [`Terms`] that their neighbours share.

use std::marker::PhantomData;
use std::ops::Range;

use crate::array::{Element, SharedOutput, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::axis::Axis;
use super::input::{ROWS, Rows};
use super::join::{Combine, Finish, Grid, join, join_one};
use super::pick::{BEYOND, join_neighbours, pick};
use super::reduction::{Reduction, Source};
use super::terms::{LEVELS, MOST_TAPS, MOST_TERMS, Terms};
use super::tiling::{Tile, Tiling};

/// Elements that a block of rows takes, about: what leaves room in the first cache.
const BLOCK: usize = 4096;
/// Elements that the rows take from which a block of tall windows is made, about; a quarter of the second cache.
const TALL_BLOCK: usize = 32768;
/// A window of as many elements is made of terms at most.
const MOST_SPREAD: usize = 16384;
/// Windows farther apart share nothing.
const FAR: usize = 64;

/// How the windows of a pool are made of terms, and how many at once.
pub(super) struct Slide<'a> {
    shape: &'a PoolShape<'a>,
    windows: [Windows; 3],
    axes: [Axis; 3],
    /// Of the columns, and of the rows where they are too many to be joined at once.
    width: Terms,
    height: Option<Terms>,
    /// Outputs of a block.
    block: [usize; 2],
    /// Elements from a row of a block to the next.
    pitch: usize,
    /// Whether windows have one row.
    single: bool,
    /// Whether windows are neighbours of few columns that share none.
    apart: bool,
    /// Rows of outputs whose windows have all their rows.
    interior: Range<usize>,
}

impl<'a> Slide<'a> {
    /// The windows, if they are of this kind and planes have several.
    pub fn new(shape: &'a PoolShape<'a>) -> Option<Self> {
        let windows = shape.windows(0);
        let axes = [Axis::new(&windows[0])?, Axis::new(&windows[1])?, Axis::new(&windows[2])?];
        let [depth, height, width] = axes;
        let tall = depth.kernel.saturating_mul(height.kernel) > ROWS;
        let rows = if tall { height.span() } else { 1 };
        if shape.output == [1; 3]
            || depth.kernel > ROWS
            || width.stride > FAR
            || width.kernel > MOST_TAPS
            || rows.saturating_mul(width.span()) > MOST_SPREAD
        {
            return None;
        }
        let elements = if tall { BLOCK / 16 } else { BLOCK / 2 };
        let columns = width.fitting(elements.max(2 * width.span()));
        let pitch = width.covered(columns).next_multiple_of(16);
        let single = depth.kernel * height.kernel == 1;
        let rows = if tall {
            height.fitting((TALL_BLOCK / pitch).max(2 * height.span()))
        } else if single {
            1
        } else {
            (BLOCK / pitch).clamp(1, height.outputs)
        };
        Some(Slide {
            shape,
            windows,
            axes,
            width: Terms::new(width.kernel, width.dilation),
            height: tall.then(|| Terms::new(height.kernel, height.dilation)),
            block: [rows, columns],
            pitch,
            single,
            apart: width.kernel == width.stride && width.dilation == 1 && (2..=4).contains(&width.stride),
            interior: windows[1].interior(),
        })
    }

    /// Pools `input` into `output`.
    pub fn run<E: Element, R: Reduction<E>>(
        &self,
        isa: Isa,
        reduction: R,
        input: Source<'_, E>,
        output: &mut ViewMut<'_, E>,
    ) -> Result<(), Error> {
        let tiling = Tiling::new(self.shape);
        let output = SharedOutput::new(output);
        let gathered = match &self.height {
            Some(terms) => self.axes[1].covered(self.block[0]) * (terms.levels + 1),
            None => 0,
        };
        let even = if reduction.divides() { self.even(reduction.counts_padding()) } else { 0..self.axes[2].outputs };
        for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
            let rows = self.block[0];
            let mut values = [rows, rows * self.width.levels, rows, 1, gathered].map(|rows| rows * self.pitch);
            values[2] += BEYOND;
            let elements = [ROWS, 1].map(|rows| rows * self.pitch);
            let bytes = |count: usize, size: usize| (count * size).next_multiple_of(64);
            let bytes = values.map(|count| bytes(count, size_of::<R::Value>())).iter().sum::<usize>()
                + elements.map(|count| bytes(count, size_of::<E>())).iter().sum::<usize>();
            with_scratch(bytes, |scratch| {
                let [joined, levels, spread, picked, gathered] = values.map(|count| scratch.cut(count));
                let [copies, finished] = elements.map(|count| scratch.cut(count));
                let (input, even) = (Rows::new(input, copies), even.clone());
                let block =
                    Blocks { slide: self, reduction, even, input, output, joined, levels, spread, picked, gathered, finished };
                let tasks = Tasks { slide: self, tiling: &tiling, tasks, progress, block };
                if const { R::EVERY_SET } { vectorised(isa, tasks) } else { tasks.run() }
            });
        })
    }

    /// The outputs of a row whose windows count as many elements as a whole one.
    fn even(&self, counts_padding: bool) -> Range<usize> {
        if !counts_padding {
            return self.windows[2].interior();
        }
        let width = self.axes[2];
        let whole = |output: usize| self.windows[2].window(output).extent == width.kernel;
        let cut = (0..width.outputs).rev().take_while(|&output| !whole(output)).count();
        0..width.outputs - cut
    }
}

struct Tasks<'a, E: Element, R: Reduction<E>> {
    slide: &'a Slide<'a>,
    tiling: &'a Tiling,
    tasks: Range<usize>,
    progress: &'a Progress<'a>,
    block: Blocks<'a, E, R>,
}

impl<E: Element, R: Reduction<E>> Body for Tasks<'_, E, R> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let channels = self.slide.shape.channels;
        let [rows, columns] = self.slide.block;
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            let (image, channel) = (plane / channels, plane % channels);
            for z in start[0]..end[0] {
                for y in (start[1]..end[1]).step_by(rows) {
                    for x in (start[2]..end[2]).step_by(columns) {
                        if self.progress.cancelled() {
                            return;
                        }
                        let (height, width) = (y..end[1].min(y + rows), x..end[2].min(x + columns));
                        self.block.run(&Block { image, channel, z, height, width });
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
struct Blocks<'a, E: Element, R: Reduction<E>> {
    slide: &'a Slide<'a>,
    reduction: R,
    /// The outputs of a row whose windows count as many elements as a whole one.
    even: Range<usize>,
    input: Rows<'a, E>,
    output: SharedOutput<'a, E>,
    /// A row for each row of outputs, rows that quarters of them make, and rows of windows of columns.
    joined: &'a mut [R::Value],
    levels: &'a mut [R::Value],
    spread: &'a mut [R::Value],
    /// Those of a row that are outputs.
    picked: &'a mut [R::Value],
    /// The rows of the input that a block of tall windows covers, and rows that quarters of them make.
    gathered: &'a mut [R::Value],
    /// A row of outputs that do not lie side by side.
    finished: &'a mut [E],
}

impl<E: Element, R: Reduction<E>> Blocks<'_, E, R> {
    #[inline(always)]
    fn run(&mut self, block: &Block) {
        let slide = self.slide;
        let [_, height, width] = slide.axes;
        let (inside, column) = width.inside(block.width.start, block.width.len());
        let covered = width.covered(block.width.len());
        let depth = slide.windows[0].window(block.z);
        self.input.enter(block.image, block.channel, column);
        if slide.height.is_some() {
            self.gather(block, &depth, &inside);
        } else if slide.single && inside.len() == covered && self.input.are_values(self.reduction) {
            // Windows of one row are never in the padding.
            let window = slide.windows[1].window(block.height.start);
            let columns = self.input.row(depth.first, window.first, covered, 0).cast();
            return self.write(block, &depth, columns, covered);
        } else {
            let (interior, mut y) = (&slide.interior, block.height.start);
            pad(self.reduction, &mut self.joined[..block.height.len() * slide.pitch], slide.pitch, &inside);
            while y < block.height.end {
                let outputs = if interior.contains(&y) { interior.end.min(block.height.end) - y } else { 1 };
                let windows = [&depth, &slide.windows[1].window(y)];
                let joined = &mut self.joined[(y - block.height.start) * slide.pitch + inside.start..];
                self.input.join(self.reduction, windows, (outputs, height.stride), inside.len(), joined, slide.pitch);
                y += outputs;
            }
        }
        self.write(block, &depth, self.joined.as_ptr(), 0);
    }

    /// The joined rows of tall windows.
    #[inline(always)]
    fn gather(&mut self, block: &Block, depth: &Window, columns: &Range<usize>) {
        let (slide, reduction) = (self.slide, self.reduction);
        let Some(terms) = &slide.height else { return };
        let (axis, pitch) = (slide.axes[1], slide.pitch);
        let (inside, first) = axis.inside(block.height.start, block.height.len());
        let covered = axis.covered(block.height.len());
        let rows = &mut self.gathered[..covered * pitch];
        rows[..inside.start * pitch].fill(reduction.empty());
        rows[inside.end * pitch..].fill(reduction.empty());
        pad(reduction, &mut rows[inside.start * pitch..inside.end * pitch], pitch, columns);
        if !inside.is_empty() {
            let window = Window { first, taps: 1, step: 1, extent: 1 };
            let rows = &mut rows[inside.start * pitch + columns.start..];
            self.input.join(reduction, [depth, &window], (inside.len(), 1), columns.len(), rows, pitch);
        }
        let level = axis.covered(slide.block[0]) * pitch;
        let combine = Combine(reduction, PhantomData);
        let mut left = covered;
        for number in 0..terms.levels {
            let (distances, shorter) = terms.quarters(number);
            left -= shorter;
            let (from, to) = self.gathered[number * level..].split_at_mut(level);
            let quarters = distances.map(|distance| from[distance * pitch..].as_ptr());
            // SAFETY: the last quarter ends `shorter` rows further on, with the rows of `from`.
            unsafe { join(combine, &quarters, Grid::row(left * pitch), 0, to.as_mut_ptr()) };
        }
        let mut list = [std::ptr::null(); MOST_TERMS];
        for (term, &(number, distance)) in list.iter_mut().zip(terms.all()) {
            *term = self.gathered[number * level + distance * pitch..].as_ptr();
        }
        let from = (axis.stride * pitch) as isize;
        let grid = Grid { rows: block.height.len(), columns: pitch, from, to: pitch as isize };
        // SAFETY: terms lie within the rows that the windows cover, of `pitch` values each.
        unsafe { join(combine, &list[..terms.all().len()], grid, 0, self.joined.as_mut_ptr()) };
    }

    /// The outputs from the columns that they cover, in rows of `pitch` values, of which `new` come from memory.
    #[inline(always)]
    fn write(&mut self, block: &Block, depth: &Window, columns: *const R::Value, new: usize) {
        let (slide, reduction) = (self.slide, self.reduction);
        let (terms, axis, pitch) = (&slide.width, slide.axes[2], slide.pitch);
        let before = (block.height.len() - 1) * pitch;
        let mut left = axis.covered(block.width.len());
        let mut rows = [columns; LEVELS + 1];
        let combine = Combine(reduction, PhantomData);
        for level in 0..terms.levels {
            let (distances, shorter) = terms.quarters(level);
            left -= shorter;
            let to = &mut self.levels[level * slide.block[0] * pitch..][..before + left];
            // SAFETY: the last quarter ends `shorter` columns further on, with the columns of the last row.
            unsafe {
                let quarters = distances.map(|distance| rows[level].add(distance));
                join(combine, &quarters, Grid::row(before + left), if level == 0 { new } else { 0 }, to.as_mut_ptr());
            }
            rows[level + 1] = to.as_ptr();
        }
        let mut list = [columns; MOST_TERMS];
        for (term, &(level, distance)) in list.iter_mut().zip(terms.all()) {
            // SAFETY: terms lie within the window.
            *term = unsafe { rows[level].add(distance) };
        }
        let list = &list[..terms.all().len()];
        if axis.stride > 1 && !slide.apart {
            let count = before + (block.width.len() - 1) * axis.stride + 1;
            // SAFETY: the terms of every window lie within the columns that it covers.
            unsafe { join(combine, list, Grid::row(count), new, self.spread[..count].as_mut_ptr()) };
        }
        let counts = |y: usize| size(reduction, depth) * size(reduction, &slide.windows[1].window(y));
        let mut y = block.height.start;
        while y < block.height.end {
            let counted = counts(y);
            let mut end = if reduction.divides() { y + 1 } else { block.height.end };
            while end < block.height.end && counts(end) == counted {
                end += 1;
            }
            self.finish(block, y..end, counted, list, new);
            y = end;
        }
    }

    /// Rows of outputs whose windows count as many elements along depth and height; `list` has the terms of the block's first.
    #[inline(always)]
    fn finish(&mut self, block: &Block, height: Range<usize>, counted: usize, list: &[*const R::Value], new: usize) {
        let (slide, reduction, width) = (self.slide, self.reduction, &block.width);
        let (stride, pitch) = (slide.axes[2].stride, slide.pitch);
        let divisor = |output: usize| (counted * size(reduction, &slide.windows[2].window(output))).max(1) as i64;
        let start = self.even.start.clamp(width.start, width.end);
        let end = self.even.end.clamp(start, width.end);
        let whole = Finish(reduction, if start < end { divisor(start) } else { 1 }, PhantomData);
        let strides = self.output.strides();
        let adjacent = strides[4] == 1 || width.len() == 1;
        let together = if adjacent { height.len() } else { 1 };
        for y in height.step_by(together) {
            let row = (y - block.height.start) * pitch;
            let grid = Grid { rows: together, columns: width.len(), from: pitch as isize, to: strides[3] };
            // SAFETY: the terms of every window lie within the columns that it covers; the outputs are this block's, which one
            // task computes, and `finished` holds a row of them.
            unsafe {
                let to = if adjacent {
                    let at = block.z as isize * strides[2] + y as isize * strides[3] + width.start as isize * strides[4];
                    self.output.channel(block.image, block.channel).offset(at)
                } else {
                    self.finished.as_mut_ptr()
                };
                if stride > 1 {
                    for row in 0..together {
                        let row_start = (y + row - block.height.start) * pitch;
                        if slide.apart {
                            let from = std::slice::from_raw_parts(list[0].add(row_start), width.len() * stride);
                            let to = &mut self.picked[..width.len()];
                            match stride {
                                2 => join_neighbours::<E, R, 2>(reduction, from, to),
                                3 => join_neighbours::<E, R, 3>(reduction, from, to),
                                _ => join_neighbours::<E, R, 4>(reduction, from, to),
                            }
                        } else {
                            pick(self.spread[row_start..].as_ptr(), stride, width.len(), self.picked.as_mut_ptr());
                        }
                        let to = to.offset(row as isize * strides[3]);
                        join(whole, &[self.picked.as_ptr()], Grid::row(width.len()), 0, to);
                    }
                } else {
                    let mut rows = [list[0]; MOST_TERMS];
                    rows.iter_mut().zip(list).for_each(|(to, &from)| *to = from.add(row));
                    join(whole, &rows[..list.len()], grid, new, to);
                }
                for row in 0..together {
                    for output in (width.start..start).chain(end..width.end) {
                        let uneven = Finish(reduction, divisor(output), PhantomData);
                        let (at, from) = (output - width.start, (y + row - block.height.start) * pitch);
                        *to.offset(row as isize * strides[3]).add(at) = join_one(uneven, list, from + at * stride);
                    }
                }
                if !adjacent {
                    let finished = &*self.finished;
                    let index = [block.image, block.channel, block.z, y, width.start];
                    self.output.write_row(index, 1, width.len(), |at| finished[at]);
                }
            }
        }
    }
}

/// The value of no element where rows have no columns of the input.
#[inline(always)]
fn pad<E: Element, R: Reduction<E>>(reduction: R, rows: &mut [R::Value], pitch: usize, inside: &Range<usize>) {
    for row in rows.chunks_exact_mut(pitch) {
        row[..inside.start].fill(reduction.empty());
        row[inside.end..].fill(reduction.empty());
    }
}

/// What an axis of a window adds to the divisor.
#[inline(always)]
fn size<E: Element, R: Reduction<E>>(reduction: R, window: &Window) -> usize {
    if reduction.counts_padding() { window.extent } else { window.taps }
}
