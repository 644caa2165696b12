//! Planes that become one value each and lie side by side in memory, as before the last layer of most networks: a plane is too
//! small to be cut into tasks or rows, so it is read in vectors that reach beyond its rows, and what is beyond is dropped.

use std::ops::Range;

use crate::array::{Element, SharedOutput, ViewMut};
use crate::error::Error;
use crate::parallel::{Progress, for_each_chunk};
use crate::shape::{PoolShape, Window};
use crate::simd::{Body, Isa, opaque, vectorised};

use super::order::{BLOCK, PARTIALS, RUN};
use super::reduction::{Reduction, Source};

/// What a plane costs beside its elements, in elements.
const PLANE_WORK: usize = 200;

/// The one window of every plane.
pub(super) struct Planes<'a, E, R> {
    shape: &'a PoolShape<'a>,
    reduction: R,
    elements: &'a [E],
    /// Where its rows begin in a plane.
    rows: [usize; RUN],
    row_count: usize,
    columns: usize,
    divisor: i64,
}

impl<'a, E: Element, R: Reduction<E>> Planes<'a, E, R> {
    /// The planes, if they are of this kind.
    pub fn new(shape: &'a PoolShape<'a>, reduction: R, input: Source<'a, E>) -> Option<Self> {
        let Source::Array(input) = input else { return None };
        if shape.output != [1; 3] || shape.differs_by_plane() {
            return None;
        }
        let [depth, height, width] = shape.windows(0).map(|axis| axis.window(0));
        let row_count = depth.taps.checked_mul(height.taps)?;
        if !(1..=RUN).contains(&row_count) || !(1..=BLOCK).contains(&width.taps) || width.step != 1 {
            return None;
        }
        let elements = input.as_slice()?;
        let place = |window: &Window, tap: usize| window.first + tap * window.step;
        let mut rows = [0; RUN];
        for (index, row) in rows[..row_count].iter_mut().enumerate() {
            let (z, y) = (place(&depth, index / height.taps), place(&height, index % height.taps));
            *row = (z * shape.input[1] + y) * shape.input[2] + width.first;
        }
        let size = |window: &Window| if reduction.counts_padding() { window.extent } else { window.taps };
        let divisor = (size(&depth) * size(&height) * size(&width)) as i64;
        Some(Planes { shape, reduction, elements, rows, row_count, columns: width.taps, divisor })
    }

    /// Pools every plane.
    pub fn run(&self, isa: Isa, output: &mut ViewMut<'_, E>) -> Result<(), Error> {
        let output = SharedOutput::new(output);
        let work = self.row_count * self.columns + PLANE_WORK;
        for_each_chunk(self.shape.batch * self.shape.channels, work, |planes, progress| {
            vectorised(isa, Chunk { all: self, planes, progress, output });
        })
    }

    /// The plane whose first element is at `start`.
    #[inline(always)]
    fn reduced(&self, start: usize) -> R::Value {
        let whole = self.columns - self.columns % PARTIALS;
        let mut partials = [self.reduction.empty(); PARTIALS];
        for column in (0..whole).step_by(PARTIALS) {
            let sums = self.joined_rows(start + column);
            partials = if column == 0 { sums } else { self.joined(partials, sums) };
        }
        if whole < self.columns {
            let sums = self.joined_rows(start + whole);
            for lane in 0..self.columns - whole {
                partials[lane] = if whole == 0 { sums[lane] } else { self.reduction.combine(partials[lane], sums[lane]) };
            }
        }
        let mut value = partials[0];
        for &partial in &partials[1..self.columns.min(PARTIALS)] {
            value = self.reduction.combine(value, partial);
        }
        value
    }

    /// Columns from `at` on, each from its first row to its last.
    #[inline(always)]
    fn joined_rows(&self, at: usize) -> [R::Value; PARTIALS] {
        let mut sums = self.lifted(at + self.rows[0]);
        for row in &self.rows[1..self.row_count] {
            sums = self.joined(sums, self.lifted(at + row));
        }
        sums
    }

    #[inline(always)]
    fn joined(&self, mut before: [R::Value; PARTIALS], values: [R::Value; PARTIALS]) -> [R::Value; PARTIALS] {
        for lane in 0..PARTIALS {
            before[lane] = self.reduction.combine(before[lane], values[lane]);
        }
        before
    }

    #[inline(always)]
    fn lifted(&self, at: usize) -> [R::Value; PARTIALS] {
        debug_assert!(at + PARTIALS <= self.elements.len());
        // SAFETY: `reduced` is asked for planes that are followed by as many elements as vectors reach beyond them.
        let elements = unsafe { opaque(self.elements.as_ptr().add(at)).cast::<[E; PARTIALS]>().read_unaligned() };
        let mut values = [self.reduction.empty(); PARTIALS];
        for lane in 0..PARTIALS {
            values[lane] = self.reduction.lift(elements[lane]);
        }
        values
    }

    /// As `reduced`, without reaching beyond the plane.
    fn reduced_alone(&self, start: usize) -> R::Value {
        let mut partials = [self.reduction.empty(); PARTIALS];
        for column in 0..self.columns {
            let mut elements =
                self.rows[..self.row_count].iter().map(|row| self.reduction.lift(self.elements[start + row + column]));
            let first = elements.next().expect("there is a row");
            let sum = elements.fold(first, |sum, value| self.reduction.combine(sum, value));
            let partial = &mut partials[column % PARTIALS];
            *partial = if column < PARTIALS { sum } else { self.reduction.combine(*partial, sum) };
        }
        let partials = partials.into_iter().take(self.columns);
        partials.reduce(|sum, partial| self.reduction.combine(sum, partial)).expect("there is a column")
    }
}

struct Chunk<'a, 'b, E: Element, R: Reduction<E>> {
    all: &'a Planes<'b, E, R>,
    planes: Range<usize>,
    progress: &'a Progress<'a>,
    output: SharedOutput<'a, E>,
}

impl<E: Element, R: Reduction<E>> Body for Chunk<'_, '_, E, R> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let all = self.all;
        let size = all.shape.input.iter().product::<usize>();
        let reach = all.rows[all.row_count - 1] + all.columns.next_multiple_of(PARTIALS);
        let (mut image, mut channel) = (self.planes.start / all.shape.channels, self.planes.start % all.shape.channels);
        for plane in self.planes {
            if plane % 64 == 0 && self.progress.cancelled() {
                return;
            }
            let start = plane * size;
            let value = if start + reach <= all.elements.len() { all.reduced(start) } else { all.reduced_alone(start) };
            // SAFETY: a plane is one task.
            unsafe { self.output.write_row([image, channel, 0, 0, 0], 1, 1, |_| all.reduction.finish(value, all.divisor)) };
            channel += 1;
            if channel == all.shape.channels {
                (image, channel) = (image + 1, 0);
            }
        }
    }
}
