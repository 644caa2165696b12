//! A block of outputs: its rows of the input joined, its columns joined, the outputs written.

use std::ops::Range;

use super::{Slide, size};
use crate::array::{Element, SharedOutput};
use crate::pool::input::{Layout, Rows};
use crate::pool::join::{Elements, Grid, Step, Values, join, join_neighbours, join_one};
use crate::pool::pick::pick;
use crate::pool::reduction::Reduction;
use crate::pool::runs::Runs;
use crate::pool::terms::{LEVELS, MOST_TERMS, Terms};
use crate::pool::tiling::Block;
use crate::shape::Window;

/// What blocks are computed with.
pub(super) struct Blocks<'a, E: Element, R: Reduction<E>> {
    pub slide: &'a Slide<'a>,
    pub reduction: R,
    /// The outputs of a row whose windows count as many elements as a whole one.
    pub even: Range<usize>,
    pub input: Rows<'a, E>,
    pub output: SharedOutput<'a, E>,
    /// A row for each row of outputs, rows that quarters of them make, and rows of windows of columns.
    pub joined: &'a mut [R::Value],
    pub levels: &'a mut [R::Value],
    pub spread: &'a mut [R::Value],
    /// The rows of the input that a block of tall windows covers, and rows that quarters of them make.
    pub gathered: &'a mut [R::Value],
    /// What rows of tall windows come to with those below them.
    pub ends: &'a mut [R::Value],
    /// A row of outputs that do not lie side by side.
    pub finished: &'a mut [E],
}

impl<E: Element, R: Reduction<E>> Blocks<'_, E, R> {
    /// Computes a block.
    #[inline(always)]
    pub fn run(&mut self, block: &Block) {
        let slide = self.slide;
        let [_, height, width] = slide.axes;
        let (inside, column) = width.inside(block.width.start, block.width.len());
        let covered = width.covered(block.width.len());
        let depth = slide.windows[0].window(block.z);
        self.input.enter(block.image, block.channel, column);
        let whole = inside.len() == covered;
        if !R::WIDENS && slide.apart && whole && self.input.in_place() && self.adjacent(block) && slide.has_rows(block, &depth) {
            return self.join_apart(block, &depth);
        }
        let pitch = slide.layout.pitch;
        let stride = height.stride.wrapping_mul(self.input.stride() as usize);
        let fits = block.height.len() == 1 || (covered..=pitch).contains(&stride);
        let single = slide.single && slide.layout.turns == 1 && slide.has_rows(block, &depth);
        if single && whole && fits && self.input.are_values(self.reduction) {
            let window = slide.windows[1].window(block.height.start);
            let columns = self.input.row(depth.first, window.first, covered, 0).cast();
            self.write(block, &depth, columns, stride, covered);
        } else {
            self.join_down(block, &depth, &inside, covered);
            self.write(block, &depth, self.joined.as_ptr(), pitch, 0);
        }
    }

    /// The rows of windows joined: windows of rows at once, or single rows first of which tall windows are made.
    #[inline(always)]
    fn join_down(&mut self, block: &Block, depth: &Window, inside: &Range<usize>, covered: usize) {
        let (slide, axis, layout) = (self.slide, self.slide.axes[1], self.slide.layout);
        let (tall, pitch) = (slide.tall, layout.pitch);
        let count = axis.covered(block.height.len());
        let (rows, first) = axis.inside(block.height.start, block.height.len());
        // Where even and odd columns are apart, those of the padding lie among the others.
        let mixed = layout.turns > 1 || inside.is_empty();
        let columns = if mixed { 0..pitch } else { inside.clone() };
        let runs = R::RUNS && tall && slide.height.is_none();
        let in_place = runs && !mixed && depth.taps == 1 && !rows.is_empty() && self.input.are_values(self.reduction);
        let padded = if tall && mixed {
            &mut self.gathered[rows.start * pitch..rows.end * pitch]
        } else {
            &mut self.joined[..block.height.len() * pitch]
        };
        pad(self.reduction, padded, layout, inside, covered);
        if !in_place {
            let (joined, mut y, end) = if tall {
                let gathered = &mut self.gathered[..count * pitch];
                gathered[..rows.start * pitch].fill(self.reduction.empty());
                gathered[rows.end * pitch..].fill(self.reduction.empty());
                (&mut gathered[rows.start * pitch..rows.end * pitch], 0, rows.len())
            } else {
                (&mut self.joined[..block.height.len() * pitch], block.height.start, block.height.end)
            };
            let start = y;
            while y < end {
                let (window, next, stride) = if tall {
                    (Window { first, taps: 1, step: 1, extent: 1 }, end, 1)
                } else {
                    (slide.windows[1].window(y), slide.alike(y, end), axis.stride)
                };
                let joined = &mut joined[(y - start) * pitch..];
                self.input.join(self.reduction, [depth, &window], (next - y, stride), inside, joined, layout);
                y = next;
            }
        }
        if runs {
            let (row, pitch, there) = if in_place {
                let stride = self.input.stride();
                let row = self.input.row(depth.first, first, inside.len(), 0).wrapping_offset(-(rows.start as isize) * stride);
                (row.cast(), stride, rows)
            } else {
                (self.gathered[columns.start..].as_ptr(), pitch as isize, 0..count)
            };
            self.join_runs(block, row, pitch, &columns, &there);
        } else if let Some(terms) = &slide.height {
            self.join_terms(block, terms, &columns);
        }
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

    /// Tall windows from gathered rows, term by term.
    #[inline(always)]
    fn join_terms(&mut self, block: &Block, terms: &Terms, columns: &Range<usize>) {
        let (slide, reduction) = (self.slide, self.reduction);
        let (axis, pitch) = (slide.axes[1], slide.layout.pitch);
        let level = axis.covered(slide.block[0]) * pitch;
        let mut left = axis.covered(block.height.len());
        let combine = Step::<E, R, Values, Values>::new(reduction, 1);
        let grid = Grid { rows: 0, columns: columns.len(), from: pitch as isize, to: pitch as isize };
        for number in 0..terms.levels {
            let (distances, shorter) = terms.quarters(number);
            left -= shorter;
            let (from, to) = self.gathered[number * level..].split_at_mut(level);
            let quarters = at(from[columns.start..].as_ptr(), distances, pitch);
            // SAFETY: the last quarter ends `shorter` rows further on, with the rows of `from`.
            unsafe { join(combine, &quarters, Grid { rows: left, ..grid }, 0, to[columns.start..].as_mut_ptr()) };
        }
        let mut list = [std::ptr::null(); MOST_TERMS];
        for (term, &(number, distance)) in list.iter_mut().zip(terms.all()) {
            *term = self.gathered[number * level + distance * pitch + columns.start..].as_ptr();
        }
        let grid = Grid { rows: block.height.len(), from: (axis.stride * pitch) as isize, ..grid };
        // SAFETY: terms lie within the rows that the windows cover, of `pitch` values each.
        unsafe { join(combine, &list[..terms.all().len()], grid, 0, self.joined[columns.start..].as_mut_ptr()) };
    }

    /// The same run by run, from rows of which the first is at `from`, and only those `inside` are there.
    #[inline(always)]
    fn join_runs(&mut self, block: &Block, from: *const R::Value, pitch: isize, columns: &Range<usize>, inside: &Range<usize>) {
        let joining = Step::<E, R, Values, Values>::new(self.reduction, 1);
        let (empty, taps) = (self.reduction.empty(), self.slide.axes[1].kernel);
        let (ends, to) = (self.ends.as_mut_ptr(), self.joined[columns.start..].as_mut_ptr());
        let runs = Runs { joining, empty, taps, from, pitch, ends, to, to_pitch: self.slide.layout.pitch };
        // SAFETY: the rows inside are the input's, or gathered; joined rows have room for the columns, and `ends` for the ends.
        unsafe { runs.write(block.height.len(), columns.len(), inside) };
    }

    /// The outputs from the columns that they cover, in rows `pitch` values apart, of which `new` come from memory.
    #[inline(always)]
    fn write(&mut self, block: &Block, depth: &Window, columns: *const R::Value, pitch: usize, new: usize) {
        let (slide, reduction, layout) = (self.slide, self.reduction, self.slide.layout);
        let (terms, axis) = (&slide.width, slide.axes[2]);
        let before = (block.height.len() - 1) * pitch;
        let mut left = axis.covered(block.width.len());
        let mut rows = [columns; LEVELS + 1];
        let combine = Step::<E, R, Values, Values>::new(reduction, 1);
        for level in 0..terms.levels {
            let (distances, shorter) = terms.quarters(level);
            left -= shorter;
            let to = &mut self.levels[level * slide.block[0] * layout.pitch..][..before + left];
            // SAFETY: the last quarter ends `shorter` columns further on, with the columns of the last row.
            unsafe {
                let quarters = at(rows[level], distances, 1);
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
            self.finish(block, y..end, depth, list, pitch, new);
            y = end;
        }
    }

    /// Rows of outputs whose windows count as many elements along depth and height; `list` has the terms of the block's first.
    #[inline(always)]
    fn finish(
        &mut self,
        block: &Block,
        height: Range<usize>,
        depth: &Window,
        list: &[*const R::Value],
        pitch: usize,
        new: usize,
    ) {
        let (slide, reduction, width) = (self.slide, self.reduction, &block.width);
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

/// Where the elements of quarters begin; a call of `map` would not be inlined.
#[inline(always)]
fn at<V>(first: *const V, distances: [usize; 4], pitch: usize) -> [*const V; 4] {
    let mut quarters = [first; 4];
    for (quarter, distance) in quarters.iter_mut().zip(distances) {
        *quarter = first.wrapping_add(distance * pitch);
    }
    quarters
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
