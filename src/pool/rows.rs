//! Every window reduced to one value, rows first: the rows of a window are reduced element by element into one row (which
//! vectorises for any kernel), then that row's columns into the outputs. The order of an output's elements is fixed: each
//! column from its first row to its last, then the columns from left to right.

use std::ops::Range;

use crate::array::{Element, Plain, SharedOutput, View, ViewMut, with_scratch};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window, Windows};
use crate::simd::{Body, Isa, vectorised};

use super::tiling::{Tile, Tiling};

/// How the elements of a window become one value.
pub trait Reduction<E: Element>: Copy + Send + Sync {
    /// What is reduced.
    type Value: Plain;
    /// The value of a window without elements.
    fn empty(self) -> Self::Value;
    /// An element as a value.
    fn lift(self, element: E) -> Self::Value;
    /// A run as values without a copy, if they are the same.
    #[inline(always)]
    fn lifted(self, _run: &[E]) -> Option<&[Self::Value]> {
        None
    }
    /// `value` joined to what came before it.
    fn combine(self, before: Self::Value, value: Self::Value) -> Self::Value;
    /// The output; `divisor` counts the window's elements.
    fn finish(self, value: Self::Value, divisor: i64) -> E;
    /// Whether `divisor` counts padding elements.
    #[inline(always)]
    fn counts_padding(self) -> bool {
        false
    }
}

/// Input columns reduced at once: rows of them stay in the L1 cache.
const COLUMNS: usize = 2048;
/// Rows joined in one sweep.
const ROWS: usize = 3;

/// Pools `input` into `output` as `shape` says.
pub fn run<E: Element, R: Reduction<E>>(
    isa: Isa,
    shape: &PoolShape,
    reduction: R,
    input: &View<'_, E>,
    output: &mut ViewMut<'_, E>,
) -> Result<(), Error> {
    assert_eq!(input.shape(), [shape.batch, shape.channels, shape.input[0], shape.input[1], shape.input[2]]);
    assert_eq!(output.shape(), shape.output_shape());
    if shape.output_shape().contains(&0) {
        return Ok(());
    }
    let tiling = Tiling::new(shape);
    let output = SharedOutput::new(output);
    for_each_chunk(tiling.tasks, tiling.work, |tasks, progress| {
        let bytes = 2 * COLUMNS * size_of::<R::Value>() + ROWS * COLUMNS * size_of::<E>();
        with_scratch(bytes, |scratch| {
            let (reduced, values) = (scratch.cut(COLUMNS), scratch.cut(COLUMNS));
            let staged = [scratch.cut(COLUMNS), scratch.cut(COLUMNS), scratch.cut(COLUMNS)];
            let rows = Rows { progress, reduction, input, reduced, staged };
            vectorised(isa, Tasks { shape, tiling: &tiling, tasks, rows, output, values });
        });
    })
}

struct Tasks<'a, E: Element, R: Reduction<E>> {
    shape: &'a PoolShape,
    tiling: &'a Tiling,
    tasks: Range<usize>,
    rows: Rows<'a, E, R>,
    output: SharedOutput<'a, E>,
    /// One value an output.
    values: &'a mut [R::Value],
}

/// The first step: the rows that a row of outputs covers become one.
struct Rows<'a, E: Element, R: Reduction<E>> {
    progress: &'a Progress<'a>,
    reduction: R,
    input: &'a View<'a, E>,
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
                        let (next, covered) = windows[2].fitting(x, end[2].min(x + COLUMNS), COLUMNS);
                        let outputs = Outputs::cut(x..next, &interior);
                        if covered.len() <= COLUMNS {
                            self.short_windows(&row, &windows[2], &outputs, covered);
                        } else {
                            self.long_window(&row, &windows[2], x);
                        }
                        self.write(&row, &windows[2], &outputs);
                        x = next;
                    }
                }
            }
        }
    }
}

impl<E: Element, R: Reduction<E>> Tasks<'_, E, R> {
    /// Outputs whose windows lie together in `covered`.
    #[inline(always)]
    fn short_windows(&mut self, row: &Row, windows: &Windows, outputs: &Outputs, covered: Range<usize>) {
        let reduction = self.rows.reduction;
        let source = self.rows.reduced(row, covered.clone());
        let values = &mut self.values[..outputs.all.len()];
        for output in outputs.border() {
            let window = windows.window(output);
            let taps = if source.is_empty() { 0 } else { window.taps };
            let mut value = reduction.empty();
            for tap in 0..taps {
                let column = source[window.first + tap * window.step - covered.start];
                value = if tap == 0 { column } else { reduction.combine(value, column) };
            }
            values[output - outputs.all.start] = value;
        }
        let interior = &outputs.interior;
        if interior.is_empty() {
            return;
        }
        let values = &mut values[interior.start - outputs.all.start..interior.end - outputs.all.start];
        if source.is_empty() {
            values.fill(reduction.empty());
            return;
        }
        let window = windows.window(interior.start);
        let first = window.first - covered.start;
        match windows.stride() {
            1 => strided::<E, R, 1>(reduction, source, first, 1, &window, values),
            2 => strided::<E, R, 2>(reduction, source, first, 2, &window, values),
            3 => strided::<E, R, 3>(reduction, source, first, 3, &window, values),
            4 => strided::<E, R, 4>(reduction, source, first, 4, &window, values),
            stride => strided::<E, R, 0>(reduction, source, first, stride, &window, values),
        }
    }

    /// One output whose window is too wide to be reduced at once.
    #[inline(always)]
    fn long_window(&mut self, row: &Row, windows: &Windows, output: usize) {
        let window = windows.window(output);
        let at_once = (COLUMNS / window.step).max(1);
        let reduction = self.rows.reduction;
        let mut value = reduction.empty();
        let mut tap = 0;
        while tap < window.taps {
            let count = at_once.min(window.taps - tap);
            let first = window.first + tap * window.step;
            if self.rows.progress.cancelled() {
                break;
            }
            let source = self.rows.reduced(row, first..first + (count - 1) * window.step + 1);
            for (index, &column) in source.iter().step_by(window.step).enumerate() {
                value = if tap + index == 0 { column } else { reduction.combine(value, column) };
            }
            tap += count;
        }
        self.values[0] = value;
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

impl<E: Element, R: Reduction<E>> Rows<'_, E, R> {
    /// `columns` of the rows, joined; empty if there are none.
    #[inline(always)]
    fn reduced(&mut self, row: &Row, columns: Range<usize>) -> &[R::Value] {
        let total = row.depth.taps * row.height.taps;
        if total == 0 || columns.is_empty() {
            return &[];
        }
        let place = |index: usize| {
            let depth = row.depth.first + index / row.height.taps * row.depth.step;
            let height = row.height.first + index % row.height.taps * row.height.step;
            [row.image, row.channel, depth, height, columns.start]
        };
        let reduction = self.reduction;
        if total == 1
            && let Some(lifted) = self.input.run(place(0), columns.len()).as_slice().and_then(|run| reduction.lifted(run))
        {
            return lifted;
        }
        let reduced = &mut self.reduced[..columns.len()];
        for first in (0..total).step_by(ROWS) {
            // A window may be as large as the input.
            if first.is_multiple_of(64 * ROWS) && self.progress.cancelled() {
                break;
            }
            let count = ROWS.min(total - first);
            let mut rows: [&[E]; ROWS] = [&[]; ROWS];
            for (index, (slot, staged)) in rows.iter_mut().zip(&mut self.staged).take(count).enumerate() {
                let run = self.input.run(place(first + index), columns.len());
                *slot = match run.as_slice() {
                    Some(slice) => slice,
                    None => {
                        let copy = &mut staged[..columns.len()];
                        copy.iter_mut().enumerate().for_each(|(position, element)| *element = run.at(position));
                        copy
                    }
                };
            }
            join_rows(reduction, &rows[..count], first == 0, reduced);
        }
        reduced
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

/// The columns of equally distant windows joined, `STRIDE` apart (`stride` where that is 0).
#[inline(always)]
fn strided<E: Element, R: Reduction<E>, const STRIDE: usize>(
    reduction: R,
    source: &[R::Value],
    first: usize,
    stride: usize,
    window: &Window,
    values: &mut [R::Value],
) {
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
