//! Every window reduced to one value, rows first: the rows of a window are reduced element by element into one row (which
//! vectorises for any kernel), then that row's columns into the outputs, all in the order of [`order`](super::order).

use std::ops::Range;

use crate::array::{Element, RANK, SharedOutput, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::order::{BLOCK, PARTIALS, RUN, across, carry, levels};
use super::reduction::{Reduction, Source};
use super::tiling::{Tile, Tiling};

/// Rows joined in one sweep.
const ROWS: usize = 3;

/// Pools `input` into `output` as `shape` says.
pub(super) fn run<E: Element, R: Reduction<E>>(
    isa: Isa,
    shape: &PoolShape,
    reduction: R,
    input: Source<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    let tiling = Tiling::new(shape);
    let output = SharedOutput::new(output);
    let [depth, height, _] = shape.windows(0).map(|axis| axis.most_taps());
    let levels = levels(depth.saturating_mul(height));
    for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
        let bytes = (levels + 2) * BLOCK * size_of::<R::Value>() + ROWS * BLOCK * size_of::<E>();
        with_scratch(bytes, |scratch| {
            let (reduced, values, partials) = (scratch.cut(levels * BLOCK), scratch.cut(BLOCK), scratch.cut(BLOCK));
            let staged = [scratch.cut(BLOCK), scratch.cut(BLOCK), scratch.cut(BLOCK)];
            let rows = Rows { progress, reduction, input, reduced, staged };
            vectorised(isa, Tasks { shape, tiling: &tiling, tasks, rows, output, values, partials });
        });
    })
}

struct Tasks<'a, E: Element, R: Reduction<E>> {
    shape: &'a PoolShape<'a>,
    tiling: &'a Tiling,
    tasks: Range<usize>,
    rows: Rows<'a, E, R>,
    output: SharedOutput<'a, E>,
    /// One value an output.
    values: &'a mut [R::Value],
    /// One of the partial values of each output.
    partials: &'a mut [R::Value],
}

/// The first step: the rows that a row of outputs covers become one.
struct Rows<'a, E: Element, R: Reduction<E>> {
    progress: &'a Progress<'a>,
    reduction: R,
    input: Source<'a, E>,
    /// One row a level of runs.
    reduced: &'a mut [R::Value],
    /// Copies of rows whose elements are not adjacent.
    staged: [&'a mut [E]; ROWS],
}

/// One row of outputs: where it is and which input rows it covers.
struct Row {
    image: usize,
    channel: usize,
    at: [usize; 2],
    depth: Window,
    height: Window,
}

/// Part of a row of outputs; those of `interior` have equal windows at equal distances.
struct Outputs {
    all: Range<usize>,
    interior: Range<usize>,
}

impl Outputs {
    #[inline(always)]
    fn cut(all: Range<usize>, interior: &Range<usize>) -> Self {
        let start = interior.start.clamp(all.start, all.end);
        let end = interior.end.clamp(start, all.end);
        Outputs { all, interior: start..end }
    }

    #[inline(always)]
    fn border(&self) -> impl Iterator<Item = usize> {
        (self.all.start..self.interior.start).chain(self.interior.end..self.all.end)
    }
}

impl<E: Element, R: Reduction<E>> Body for Tasks<'_, E, R> {
    type Output = ();

    #[inline(always)]
    fn run(mut self) {
        let mut windows = self.shape.windows(0);
        let mut interior = windows[2].interior();
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            if self.rows.progress.cancelled() {
                return;
            }
            if self.shape.differs_by_plane() {
                windows = self.shape.windows(plane);
                interior = windows[2].interior();
            }
            let (image, channel) = (plane / self.shape.channels, plane % self.shape.channels);
            for z in start[0]..end[0] {
                let depth = windows[0].window(z);
                for y in start[1]..end[1] {
                    let row = Row { image, channel, at: [z, y], depth, height: windows[1].window(y) };
                    let mut x = start[2];
                    while x < end[2] {
                        let (next, covered) = windows[2].fitting(x, end[2].min(x + BLOCK), BLOCK);
                        let outputs = Outputs::cut(x..next, &interior);
                        self.reduce(&row, &windows[2], &outputs, covered);
                        self.write(&row, &windows[2], &outputs);
                        x = next;
                    }
                }
            }
        }
    }
}

impl<E: Element, R: Reduction<E>> Tasks<'_, E, R> {
    /// Outputs whose windows cover `covered`: either several in one block, or one that takes several blocks.
    #[inline(always)]
    fn reduce(&mut self, row: &Row, windows: &Windows, outputs: &Outputs, covered: Range<usize>) {
        let wide = covered.len() > BLOCK;
        let columns = if wide {
            let window = windows.window(outputs.all.start);
            Columns { first: window.first, count: window.taps, step: window.step }
        } else {
            Columns { first: covered.start, count: covered.len(), step: 1 }
        };
        let reduction = self.rows.reduction;
        let combine = |before, value| reduction.combine(before, value);
        let values = &mut self.values[..outputs.all.len()];
        if !wide {
            let source = self.rows.reduced(row, &columns);
            return join_columns(reduction, source, covered.start, windows, outputs, values, self.partials);
        }
        values[0] = reduction.empty();
        // The first value of each level; the last of them gets the result.
        let count = columns.count.div_ceil(BLOCK);
        let blocks = &mut self.partials[..levels(count)];
        for block in 0..count {
            if self.rows.progress.cancelled() {
                return;
            }
            let source = self.rows.reduced(row, &columns.block(block));
            if source.is_empty() {
                return;
            }
            let value = across(source, 1, combine);
            blocks[0] = if block.is_multiple_of(RUN) { value } else { combine(blocks[0], value) };
            let last = block + 1 == count;
            if last || (block + 1).is_multiple_of(RUN) {
                carry(blocks, 1, block / RUN, last, combine);
            }
            values[0] = blocks[blocks.len() - 1];
        }
    }

    #[inline(always)]
    fn write(&self, row: &Row, windows: &Windows, outputs: &Outputs) {
        let (reduction, values) = (self.rows.reduction, &*self.values);
        let size = |window: &Window| (if reduction.counts_padding() { window.extent } else { window.taps }) as i64;
        let rows = size(&row.depth) * size(&row.height);
        let index = |output: usize| [row.image, row.channel, row.at[0], row.at[1], output];
        for output in outputs.border() {
            let divisor = (rows * size(&windows.window(output))).max(1);
            let value = values[output - outputs.all.start];
            // SAFETY: planes and tiles are disjoint, and each is one task.
            unsafe { self.output.write_row(index(output), 1, 1, |_| reduction.finish(value, divisor)) };
        }
        let interior = &outputs.interior;
        if !interior.is_empty() {
            let divisor = (rows * size(&windows.window(interior.start))).max(1);
            let values = &values[interior.start - outputs.all.start..interior.end - outputs.all.start];
            // SAFETY: as above; `write_row` asks for the positions below `values.len()` only.
            unsafe {
                let value = |position: usize| reduction.finish(*values.get_unchecked(position), divisor);
                self.output.write_row(index(interior.start), 1, values.len(), value);
            }
        }
    }
}

/// Columns `step` apart.
struct Columns {
    first: usize,
    count: usize,
    step: usize,
}

impl Columns {
    #[inline(always)]
    fn block(&self, block: usize) -> Columns {
        let from = block * BLOCK;
        Columns { first: self.first + from * self.step, count: BLOCK.min(self.count - from), step: self.step }
    }
}

impl<E: Element, R: Reduction<E>> Rows<'_, E, R> {
    /// `columns` of the rows, joined, side by side; empty if there are none.
    #[inline(always)]
    fn reduced(&mut self, row: &Row, columns: &Columns) -> &[R::Value] {
        let total = row.depth.taps * row.height.taps;
        if total == 0 || columns.count == 0 {
            return &[];
        }
        let reduction = self.reduction;
        let (input, span) = (self.input, (columns.count - 1) * columns.step + 1);
        let place = |depth: usize, height: usize| [row.image, row.channel, depth, height, columns.first];
        let slice = |place: [usize; RANK]| match input {
            Source::Array(array) if columns.step == 1 => array.run(place, span).as_slice(),
            _ => None,
        };
        if total == 1
            && let Some(lifted) = slice(place(row.depth.first, row.height.first)).and_then(|run| reduction.lifted(run))
        {
            return lifted;
        }
        let combine = |before, value| reduction.combine(before, value);
        let width = columns.count;
        let joined = &mut self.reduced[..levels(total) * width];
        let (mut depth, mut height) = (row.depth.first, row.height.first);
        let last = row.height.first + (row.height.taps - 1) * row.height.step;
        let mut done = 0;
        while done < total {
            let count = ROWS.min(RUN - done % RUN).min(total - done);
            let mut rows: [&[E]; ROWS] = [&[]; ROWS];
            for (slot, staged) in rows.iter_mut().zip(&mut self.staged).take(count) {
                let place = place(depth, height);
                *slot = slice(place).unwrap_or_else(|| {
                    let copy = &mut staged[..columns.count];
                    match input {
                        Source::Array(array) => {
                            let run = array.run(place, span);
                            copy.iter_mut().enumerate().for_each(|(column, element)| *element = run.at(column * columns.step));
                        }
                        Source::Converted(fill) => fill(place, columns.step, copy),
                    }
                    copy
                });
                (depth, height) =
                    if height == last { (depth + row.depth.step, row.height.first) } else { (depth, height + row.height.step) };
            }
            join_rows(reduction, &rows[..count], done % RUN == 0, &mut joined[..width]);
            done += count;
            if total > RUN && (done == total || done % RUN == 0) {
                carry(joined, width, (done - 1) / RUN, done == total, combine);
                // A window may be as large as the input.
                if self.progress.cancelled() {
                    break;
                }
            }
        }
        &joined[joined.len() - width..]
    }
}

/// Up to three rows joined, element by element, to each other and, unless `fresh`, to what is there.
#[inline(always)]
fn join_rows<E: Element, R: Reduction<E>>(reduction: R, rows: &[&[E]], fresh: bool, reduced: &mut [R::Value]) {
    let lift = |element: &E| reduction.lift(*element);
    match (rows, fresh) {
        ([a], true) => {
            for (value, a) in reduced.iter_mut().zip(*a) {
                *value = lift(a);
            }
        }
        ([a, b], true) => {
            for ((value, a), b) in reduced.iter_mut().zip(*a).zip(*b) {
                *value = reduction.combine(lift(a), lift(b));
            }
        }
        ([a, b, c], false) => {
            for (((value, a), b), c) in reduced.iter_mut().zip(*a).zip(*b).zip(*c) {
                *value = reduction.combine(reduction.combine(reduction.combine(*value, lift(a)), lift(b)), lift(c));
            }
        }
        ([a, b, c], true) => {
            for (((value, a), b), c) in reduced.iter_mut().zip(*a).zip(*b).zip(*c) {
                *value = reduction.combine(reduction.combine(lift(a), lift(b)), lift(c));
            }
        }
        _ => {
            for row in rows {
                for (value, element) in reduced.iter_mut().zip(*row) {
                    *value = reduction.combine(*value, lift(element));
                }
            }
        }
    }
}

/// The columns of every window joined; `source` holds those from `start` on, or none if no window has any rows.
#[inline(always)]
fn join_columns<E: Element, R: Reduction<E>>(
    reduction: R,
    source: &[R::Value],
    start: usize,
    windows: &Windows,
    outputs: &Outputs,
    values: &mut [R::Value],
    partials: &mut [R::Value],
) {
    let Outputs { all, interior } = outputs;
    let (window, stride) = (windows.window(interior.start.min(all.end - 1)), windows.stride());
    // Vectors of outputs: of wide windows only where there are many, and their columns are near each other or few.
    let chains = if window.taps <= PARTIALS { 1 } else { PARTIALS };
    let near = stride <= 4 || window.taps < 3 * PARTIALS;
    let vectors = !source.is_empty() && (chains == 1 || (near && interior.len() >= PARTIALS));
    let vectors = if vectors { interior.clone() } else { all.start..all.start };
    for output in (all.start..vectors.start).chain(vectors.end..all.end) {
        let window = windows.window(output);
        values[output - all.start] = if source.is_empty() || window.taps == 0 {
            reduction.empty()
        } else {
            let columns = &source[window.first - start..][..(window.taps - 1) * window.step + 1];
            across(columns, window.step, |before, value| reduction.combine(before, value))
        };
    }
    if vectors.is_empty() {
        return;
    }
    let values = &mut values[vectors.start - all.start..vectors.end - all.start];
    let partials = &mut partials[..values.len()];
    for lane in 0..chains {
        let first = window.first - start + lane * window.step;
        let chain = Window { first, taps: (window.taps - lane).div_ceil(chains), step: chains * window.step, ..window };
        let joined = if lane == 0 { &mut *values } else { &mut *partials };
        match stride {
            1 => strided::<E, R, 1>(reduction, source, 1, &chain, joined),
            2 => strided::<E, R, 2>(reduction, source, 2, &chain, joined),
            3 => strided::<E, R, 3>(reduction, source, 3, &chain, joined),
            4 => strided::<E, R, 4>(reduction, source, 4, &chain, joined),
            _ => strided::<E, R, 0>(reduction, source, stride, &chain, joined),
        }
        if lane > 0 {
            for (value, partial) in values.iter_mut().zip(&*partials) {
                *value = reduction.combine(*value, *partial);
            }
        }
    }
}

/// The columns of windows `STRIDE` apart (`stride` where that is 0), of which `window` is the first, from left to right.
#[inline(always)]
fn strided<E: Element, R: Reduction<E>, const STRIDE: usize>(
    reduction: R,
    source: &[R::Value],
    stride: usize,
    window: &Window,
    values: &mut [R::Value],
) {
    let first = window.first;
    let stride = if STRIDE == 0 { stride } else { STRIDE };
    assert!(first + (values.len() - 1) * stride + (window.taps - 1) * window.step < source.len());
    // SAFETY: the largest index, that of the last value's last tap, was asserted.
    let column = |output: usize, tap: usize| unsafe { *source.get_unchecked(first + output * stride + tap * window.step) };
    match window.taps {
        1 => {
            for (output, value) in values.iter_mut().enumerate() {
                *value = column(output, 0);
            }
        }
        2 => {
            for (output, value) in values.iter_mut().enumerate() {
                *value = reduction.combine(column(output, 0), column(output, 1));
            }
        }
        taps => {
            for (output, value) in values.iter_mut().enumerate() {
                *value = reduction.combine(reduction.combine(column(output, 0), column(output, 1)), column(output, 2));
            }
            for tap in 3..taps {
                for (output, value) in values.iter_mut().enumerate() {
                    *value = reduction.combine(*value, column(output, tap));
                }
            }
        }
    }
}
