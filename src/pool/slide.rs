//! Equal windows at equal distances: rows first, then columns. The rows that a row of outputs covers are joined into one, with
//! the value of no element where there is padding, and its columns into the outputs, each by `join`. Windows of many rows or
//! columns are made of [`Terms`] that their neighbours share, or maxima of many rows of [`Runs`](super::runs::Runs).

use std::ops::Range;

use crate::array::{Element, SharedOutput, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

mod blocks;

use blocks::Blocks;

use super::axis::Axis;
use super::chunks::CHUNK;
use super::input::{Layout, ROWS, Rows};
use super::reduction::{Reduction, Source};
use super::terms::{FEW, MOST_TAPS, Terms};
use super::tiling::{Block, Tile, Tiling};

/// Elements that a block of rows takes, about: what leaves room in the first cache.
const BLOCK: usize = 4096;
/// Elements that the rows take from which a block of tall windows is made, about; a quarter of the second cache.
const TALL_BLOCK: usize = 32768;
/// A window of as many elements is made of terms at most.
const MOST_SPREAD: usize = 16384;
/// Windows of fewer rows are joined row by row.
const FEWEST: usize = 4;
/// Windows farther apart share nothing.
const FAR: usize = 64;

/// Work after which a block asks whether to stop.
const ASKING: usize = 100_000;

/// How the windows of a pool are made of terms, and how many at once.
pub(super) struct Slide<'a> {
    shape: &'a PoolShape<'a>,
    windows: [Windows; 3],
    axes: [Axis; 3],
    /// Of the columns.
    width: Terms,
    /// Whether windows are made of single rows: where they are too many to be joined at once, or worth to be shared.
    tall: bool,
    /// Of these rows, unless they are made run by run.
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
    pub fn new<E: Element, R: Reduction<E>>(shape: &'a PoolShape<'a>) -> Option<Self> {
        let windows = shape.windows(0);
        let axes = [Axis::new(&windows[0])?, Axis::new(&windows[1])?, Axis::new(&windows[2])?];
        let [depth, height, width] = axes;
        let many = depth.kernel.saturating_mul(height.kernel) > ROWS;
        let spread = height.span().saturating_mul(width.span());
        if shape.output == [1; 3]
            || depth.kernel > ROWS
            || width.stride > FAR
            || width.kernel.max(height.kernel) > MOST_TAPS
            || (if many { spread } else { width.span() }) > MOST_SPREAD
        {
            return None;
        }
        let elements = if many { (TALL_BLOCK / (2 * height.span())).min(BLOCK / 16) } else { BLOCK / 2 };
        let columns = width.fitting(elements.max(2 * width.span()));
        let terms = Terms::new(width.kernel, width.dilation, R::IDEMPOTENT);
        // Neighbours that are widened first are parted more easily where they have been written.
        let turns = if width.stride == 2 && terms.levels == 0 && !R::WIDENS { 2 } else { 1 };
        let turn = width.covered(columns).div_ceil(turns).next_multiple_of(16);
        let pitch = turns * turn;
        // Rows that are joined along the depth or widened once serve several windows, if that leaves the order as it must be.
        let alike = if R::IDEMPOTENT { depth.kernel > 1 } else { R::WIDENS && depth.kernel == 1 && height.kernel <= FEW };
        let shares = alike && height.kernel > height.stride && 2 * height.span() <= TALL_BLOCK / pitch;
        let runs = R::RUNS && height.kernel >= FEWEST && height.stride == 1 && height.dilation == 1;
        let tall = many || shares || runs;
        let single = depth.kernel * height.kernel == 1;
        let rows = if runs {
            ((BLOCK / pitch).max(1).next_multiple_of(height.kernel)).min(height.outputs)
        } else if tall {
            height.fitting((if many { TALL_BLOCK } else { BLOCK } / pitch).max(2 * height.span()))
        } else {
            (BLOCK / pitch).clamp(1, height.outputs)
        };
        Some(Slide {
            shape,
            windows,
            axes,
            width: terms,
            tall,
            height: (tall && !runs).then(|| Terms::new(height.kernel, height.dilation, R::IDEMPOTENT)),
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
        let (covered, levels) = (self.axes[1].covered(self.block[0]), self.height.map_or(0, |terms| terms.levels));
        let gathered = if self.tall { covered * (levels + 1) } else { 0 };
        let ends = if self.tall && self.height.is_none() { self.axes[1].kernel * CHUNK / size_of::<R::Value>() } else { 0 };
        let spread = if self.axes[2].stride > self.layout.turns { self.block[0] } else { 0 };
        let even = if reduction.divides() { self.even(reduction.counts_padding()) } else { 0..self.axes[2].outputs };
        for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
            let rows = self.block[0];
            let [joined, levels, spread, gathered] = [rows, rows * self.width.levels, spread, gathered].map(|rows| rows * pitch);
            let values = [joined, levels, spread, gathered, ends];
            let elements = [ROWS, 1].map(|rows| rows * pitch);
            let bytes = |count: usize, size: usize| (count * size).next_multiple_of(64);
            let bytes = values.map(|count| bytes(count, size_of::<R::Value>())).iter().sum::<usize>()
                + elements.map(|count| bytes(count, size_of::<E>())).iter().sum::<usize>();
            with_scratch(bytes, |scratch| {
                let [joined, levels, spread, gathered, ends] = values.map(|count| scratch.cut(count));
                let [copies, finished] = elements.map(|count| scratch.cut(count));
                let (input, even) = (Rows::new(input, copies), even.clone());
                let block =
                    Blocks { slide: self, reduction, even, input, output, joined, levels, spread, gathered, ends, finished };
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

/// What an axis of a window adds to the divisor.
#[inline(always)]
fn size<E: Element, R: Reduction<E>>(reduction: R, window: &Window) -> usize {
    if reduction.counts_padding() { window.extent } else { window.taps }
}
