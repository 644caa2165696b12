//! Windows that share too little to [`slide`](super::slide): each is reduced to one value, rows first: the rows of a window are
//! reduced element by element into one row, then that row's columns, all in the order of [`order`](super::order).

use std::ops::Range;

use crate::array::{Element, RANK, SharedOutput, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};

use super::order::{BLOCK, RUN, across, carry, levels};
use super::reduction::{Reduction, Source};
use super::tiling::{Tile, Tiling};

/// Rows joined in one sweep.
const ROWS: usize = 3;

/// Pools `input` into `output` as `shape` says.
pub(super) fn run<E: Element, R: Reduction<E>>(
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
            let (reduced, values, blocks) = (scratch.cut(levels * BLOCK), scratch.cut(BLOCK), scratch.cut(BLOCK));
            let staged = [scratch.cut(BLOCK), scratch.cut(BLOCK), scratch.cut(BLOCK)];
            let rows = Rows { progress, reduction, input, reduced, staged };
            Tasks { shape, tiling: &tiling, tasks, rows, output, values, blocks }.run();
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
    /// What the blocks of a window wider than a block come to.
    blocks: &'a mut [R::Value],
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

/// The windows of a tile along each axis, and its columns in segments that a block holds: to work out an uneven window takes
/// longer than to reduce it.
struct Table {
    windows: [Vec<Window>; 3],
    /// Outputs, counted from the tile's first, and the columns that they cover.
    segments: Vec<(Range<usize>, Range<usize>)>,
}

impl Table {
    fn new(windows: &[Windows; 3], start: [usize; 3], end: [usize; 3]) -> Self {
        let mut segments = vec![];
        let mut x = start[2];
        while x < end[2] {
            let (next, covered) = windows[2].fitting(x, end[2].min(x + BLOCK), BLOCK);
            segments.push((x - start[2]..next - start[2], covered));
            x = next;
        }
        let along = |axis: usize| (start[axis]..end[axis]).map(|output| windows[axis].window(output)).collect();
        Table { windows: std::array::from_fn(along), segments }
    }
}

impl<E: Element, R: Reduction<E>> Tasks<'_, E, R> {
    fn run(mut self) {
        let mut known = None;
        for Tile { plane, start, end } in self.tiling.tiles(self.tasks.clone()) {
            if self.rows.progress.cancelled() {
                return;
            }
            let key = (if self.shape.differs_by_plane() { plane } else { 0 }, start, end);
            let table = match known {
                Some((of, table)) if of == key => table,
                _ => Table::new(&self.shape.windows(plane), start, end),
            };
            let [depths, heights, widths] = &table.windows;
            let (image, channel) = (plane / self.shape.channels, plane % self.shape.channels);
            for (z, &depth) in (start[0]..).zip(depths) {
                for (y, &height) in (start[1]..).zip(heights) {
                    let row = Row { image, channel, at: [z, y], depth, height };
                    for (outputs, covered) in &table.segments {
                        let windows = &widths[outputs.clone()];
                        self.reduce(&row, windows, covered);
                        self.write(&row, windows, start[2] + outputs.start);
                    }
                }
            }
            known = Some((key, table));
        }
    }

    /// Outputs whose windows cover `covered`: either several in one block, or one that takes several blocks.
    #[inline(always)]
    fn reduce(&mut self, row: &Row, windows: &[Window], covered: &Range<usize>) {
        let wide = covered.len() > BLOCK;
        let columns = if wide {
            Columns { first: windows[0].first, count: windows[0].taps, step: windows[0].step }
        } else {
            Columns { first: covered.start, count: covered.len(), step: 1 }
        };
        let reduction = self.rows.reduction;
        let combine = |before, value| reduction.combine(before, value);
        let values = &mut self.values[..windows.len()];
        if !wide {
            let source = self.rows.reduced(row, &columns);
            for (value, window) in values.iter_mut().zip(windows) {
                *value = if source.is_empty() || window.taps == 0 {
                    reduction.empty()
                } else {
                    across(&source[window.first - covered.start..][..(window.taps - 1) * window.step + 1], window.step, combine)
                };
            }
            return;
        }
        values[0] = reduction.empty();
        // The first value of each level; the last of them gets the result.
        let count = columns.count.div_ceil(BLOCK);
        let blocks = &mut self.blocks[..levels(count)];
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
    fn write(&self, row: &Row, windows: &[Window], first: usize) {
        let reduction = self.rows.reduction;
        let size = |window: &Window| (if reduction.counts_padding() { window.extent } else { window.taps }) as i64;
        let rows = size(&row.depth) * size(&row.height);
        // SAFETY: planes and tiles are disjoint, and each is one task.
        unsafe {
            self.output.write_row([row.image, row.channel, row.at[0], row.at[1], first], 1, windows.len(), |position| {
                let divisor = rows * size(&windows[position]);
                reduction.finish(self.values[position], divisor.max(1))
            });
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
