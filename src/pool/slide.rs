//! Equal windows at equal distances: rows first, then columns. The rows that a row of outputs covers are joined into one, with
//! the value of no element where there is padding, and its columns into the outputs, each by [`join`]. Windows of many rows or
//! columns are made of [`Terms`] that their neighbours share.

use std::ops::Range;

use crate::array::{Element, SharedOutput, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::axis::Axis;
use super::input::{Layout, ROWS, Rows};
use super::join::{Elements, Grid, Step, Values, join, join_neighbours, join_one};
use super::pick::pick;
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

/// Work after which a block asks whether to stop.
const ASKING: usize = 100_000;

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
    /// Of the rows of a block.
    layout: Layout,
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
        let terms = Terms::new(width.kernel, width.dilation);
        let turns = if width.stride == 2 && !tall && terms.levels == 0 { 2 } else { 1 };
        let turn = width.covered(columns).div_ceil(turns).next_multiple_of(16);
        let pitch = turns * turn;
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
            width: terms,
            height: tall.then(|| Terms::new(height.kernel, height.dilation)),
            block: [rows, columns],
            layout: Layout { turns, turn, pitch },
            single,
            apart: !tall && width.kernel == width.stride && width.dilation == 1 && (2..=4).contains(&width.stride),
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
        let pitch = self.layout.pitch;
        let gathered = match &self.height {
            Some(terms) => self.axes[1].covered(self.block[0]) * (terms.levels + 1),
            None => 0,
        };
        let spread = if self.axes[2].stride > self.layout.turns { self.block[0] } else { 0 };
        let even = if reduction.divides() { self.even(reduction.counts_padding()) } else { 0..self.axes[2].outputs };
        for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
            let rows = self.block[0];
            let values = [rows, rows * self.width.levels, spread, gathered].map(|rows| rows * pitch);
            let elements = [ROWS, 1].map(|rows| rows * pitch);
            let bytes = |count: usize, size: usize| (count * size).next_multiple_of(64);
            let bytes = values.map(|count| bytes(count, size_of::<R::Value>())).iter().sum::<usize>()
                + elements.map(|count| bytes(count, size_of::<E>())).iter().sum::<usize>();
            with_scratch(bytes, |scratch| {
                let [joined, levels, spread, gathered] = values.map(|count| scratch.cut(count));
                let [copies, finished] = elements.map(|count| scratch.cut(count));
                let (input, even) = (Rows::new(input, copies), even.clone());
                let block = Blocks { slide: self, reduction, even, input, output, joined, levels, spread, gathered, finished };
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

    /// Elements of the windows of a row of outputs that have so many along the width.
    #[inline(always)]
    fn divisor<E: Element, R: Reduction<E>>(&self, reduction: R, depth: &Window, y: usize, width: usize) -> i64 {
        (size(reduction, depth) * size(reduction, &self.windows[1].window(y)) * width).max(1) as i64
    }

    /// The end of the rows of outputs from `y` on whose windows have as many rows of the input.
    #[inline(always)]
    fn alike(&self, y: usize, end: usize) -> usize {
        if self.interior.contains(&y) { self.interior.end.min(end) } else { y + 1 }
    }

    /// Whether the windows of a block have all their rows, and these are some.
    #[inline(always)]
    fn has_rows(&self, block: &Block, depth: &Window) -> bool {
        depth.taps > 0 && self.interior.contains(&block.height.start) && block.height.end <= self.interior.end
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
        let mut unasked = 0;
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            let (image, channel) = (plane / channels, plane % channels);
            for z in start[0]..end[0] {
                for y in (start[1]..end[1]).step_by(rows) {
                    for x in (start[2]..end[2]).step_by(columns) {
                        // The clock takes as long as a small plane.
                        unasked += self.tiling.work;
                        if unasked > ASKING {
                            unasked = 0;
                            if self.progress.cancelled() {
                                return;
                            }
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
        let whole = inside.len() == covered;
        if slide.apart && whole && self.input.in_place() && self.adjacent(block) && slide.has_rows(block, &depth) {
            return self.join_apart(block, &depth);
        }
        if slide.single && slide.layout.turns == 1 && whole && self.input.are_values(self.reduction) {
            // Windows of one row are never in the padding.
            let window = slide.windows[1].window(block.height.start);
            let columns = self.input.row(depth.first, window.first, covered, 0).cast();
            return self.write(block, &depth, columns, covered);
        }
        // Tall windows are made of single rows, others of windows of rows.
        let tall = slide.height.is_some();
        let pitch = slide.layout.pitch;
        let (rows, first) = height.inside(block.height.start, block.height.len());
        let (joined, mut y, end) = if tall {
            let joined = &mut self.gathered[..height.covered(block.height.len()) * pitch];
            joined[..rows.start * pitch].fill(self.reduction.empty());
            joined[rows.end * pitch..].fill(self.reduction.empty());
            (&mut joined[rows.start * pitch..rows.end * pitch], 0, rows.len())
        } else {
            (&mut self.joined[..block.height.len() * pitch], block.height.start, block.height.end)
        };
        let start = y;
        pad(self.reduction, joined, slide.layout, &inside, covered);
        while y < end {
            let (window, next, stride) = if tall {
                (Window { first, taps: 1, step: 1, extent: 1 }, end, 1)
            } else {
                (slide.windows[1].window(y), slide.alike(y, end), height.stride)
            };
            let joined = &mut joined[(y - start) * pitch..];
            self.input.join(self.reduction, [&depth, &window], (next - y, stride), &inside, joined, slide.layout);
            y = next;
        }
        if tall {
            self.gather(block);
        }
        self.write(block, &depth, self.joined.as_ptr(), 0);
    }

    /// Whether outputs of a row lie side by side.
    #[inline(always)]
    fn adjacent(&self, block: &Block) -> bool {
        self.output.strides()[4] == 1 || block.width.len() == 1
    }

    /// Where an output of a block lies.
    ///
    /// # Safety
    /// Its row is one of the block's.
    #[inline(always)]
    unsafe fn target(&self, block: &Block, y: usize) -> *mut E {
        let strides = self.output.strides();
        let at = block.z as isize * strides[2] + y as isize * strides[3] + block.width.start as isize * strides[4];
        // SAFETY: the block is inside the output.
        unsafe { self.output.channel(block.image, block.channel).offset(at) }
    }

    /// Windows that share no column and have all of them, in one step.
    #[inline(always)]
    fn join_apart(&mut self, block: &Block, depth: &Window) {
        let (slide, y) = (self.slide, block.height.start);
        let [_, height, width] = slide.axes;
        let columns = block.width.len();
        let (rows, count) = self.input.window([depth, &slide.windows[1].window(y)], columns * width.stride);
        let (rows, new) = (&rows[..count], height.stride.min(count) * columns * width.stride);
        let from = height.stride as isize * self.input.stride();
        let grid = Grid { rows: block.height.len(), columns, from, to: self.output.strides()[3] };
        let step = Step::<E, R, Elements, Elements>::new(self.reduction, slide.divisor(self.reduction, depth, y, width.kernel));
        // SAFETY: the windows are inside the input; the outputs are this block's, which one task computes.
        unsafe {
            let to = self.target(block, y);
            match width.stride {
                2 => join_neighbours::<_, 2>(step, rows, grid, new, to),
                3 => join_neighbours::<_, 3>(step, rows, grid, new, to),
                _ => join_neighbours::<_, 4>(step, rows, grid, new, to),
            }
        }
    }

    /// The rows of tall windows joined.
    #[inline(always)]
    fn gather(&mut self, block: &Block) {
        let (slide, reduction) = (self.slide, self.reduction);
        let Some(terms) = &slide.height else { return };
        let (axis, pitch) = (slide.axes[1], slide.layout.pitch);
        let covered = axis.covered(block.height.len());
        let level = axis.covered(slide.block[0]) * pitch;
        let combine = Step::<E, R, Values, Values>::new(reduction, 1);
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
        let (slide, reduction, layout) = (self.slide, self.reduction, self.slide.layout);
        let (terms, axis, pitch) = (&slide.width, slide.axes[2], layout.pitch);
        let before = (block.height.len() - 1) * pitch;
        let mut left = axis.covered(block.width.len());
        let mut rows = [columns; LEVELS + 1];
        let combine = Step::<E, R, Values, Values>::new(reduction, 1);
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
            *term = unsafe { rows[level].add(layout.place(distance)) };
        }
        let mut list = &list[..terms.all().len()];
        let spread = [self.spread.as_ptr()];
        if axis.stride > layout.turns {
            let count = before + (block.width.len() - 1) * axis.stride + 1;
            // SAFETY: the terms of every window lie within the columns that it covers.
            unsafe { join(combine, list, Grid::row(count), new, self.spread[..count].as_mut_ptr()) };
            list = &spread;
        }
        let mut y = block.height.start;
        while y < block.height.end {
            let end = if reduction.divides() { slide.alike(y, block.height.end) } else { block.height.end };
            self.finish(block, y..end, depth, list, new);
            y = end;
        }
    }

    /// Rows of outputs whose windows count as many elements along depth and height; `list` has the terms of the block's first.
    #[inline(always)]
    fn finish(&mut self, block: &Block, height: Range<usize>, depth: &Window, list: &[*const R::Value], new: usize) {
        let (slide, reduction, width) = (self.slide, self.reduction, &block.width);
        let pitch = slide.layout.pitch;
        let stride = slide.layout.whole(slide.axes[2].stride);
        let first = height.start;
        let step = |output: usize| {
            let counted = size(reduction, &slide.windows[2].window(output));
            Step::<E, R, Values, Elements>::new(reduction, slide.divisor(reduction, depth, first, counted))
        };
        let start = self.even.start.clamp(width.start, width.end);
        let end = self.even.end.clamp(start, width.end);
        let whole = step(start.min(width.end - 1));
        let strides = self.output.strides();
        let adjacent = self.adjacent(block);
        let together = if adjacent { height.len() } else { 1 };
        let mut y = first;
        while y < height.end {
            let row = (y - block.height.start) * pitch;
            let grid = Grid { rows: together, columns: width.len(), from: pitch as isize, to: strides[3] };
            // SAFETY: the terms of every window lie within the columns that it covers; the outputs are this block's, which one
            // task computes, and `finished` holds a row of them.
            unsafe {
                let to = if adjacent { self.target(block, y) } else { self.finished.as_mut_ptr() };
                let mut rows = [list[0]; MOST_TERMS];
                for term in 0..list.len() {
                    rows[term] = list[term].add(row);
                }
                let rows = &rows[..list.len()];
                if stride > 1 {
                    pick(whole, rows[0], stride, grid, to)
                } else {
                    join(whole, rows, grid, new, to)
                }
                for row in 0..together as isize {
                    for output in (width.start..start).chain(end..width.end) {
                        let at = output - width.start;
                        let from = row * grid.from + (at * stride) as isize;
                        *to.offset(row * grid.to).add(at) = join_one(step(output), rows, from);
                    }
                }
                if !adjacent {
                    let finished = &*self.finished;
                    let index = [block.image, block.channel, block.z, y, width.start];
                    self.output.write_row(index, 1, width.len(), |at| finished[at]);
                }
            }
            y += together;
        }
    }
}

/// The value of no element where rows have no columns of the input.
#[inline(always)]
fn pad<E: Element, R: Reduction<E>>(reduction: R, rows: &mut [R::Value], layout: Layout, inside: &Range<usize>, covered: usize) {
    if inside.len() == covered {
        return;
    }
    let rounded_up = |columns: usize| layout.whole(columns + layout.turns - 1);
    let (start, from, end) = (rounded_up(inside.start), layout.whole(inside.end), rounded_up(covered));
    for turn in rows.chunks_exact_mut(layout.turn) {
        // Calls would take longer than what little there is to fill.
        for column in (0..start).chain(from..end) {
            turn[column] = reduction.empty();
        }
    }
}

/// What an axis of a window adds to the divisor.
#[inline(always)]
fn size<E: Element, R: Reduction<E>>(reduction: R, window: &Window) -> usize {
    if reduction.counts_padding() { window.extent } else { window.taps }
}
