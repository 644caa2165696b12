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
const PLANE_WORK: usize = 50;
/// Planes that are reduced at once, so that what a row costs beside its elements is shared.
const TOGETHER: usize = 4;
/// Columns up to which half as long vectors do.
const FEW: usize = PARTIALS / 2;

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

    /// The planes whose first elements are at `starts`, in vectors of as many columns as are looked at together.
    #[inline(always)]
    fn reduced<const LANES: usize>(&self, starts: [usize; TOGETHER]) -> [R::Value; TOGETHER] {
        let mut partials = [[self.reduction.empty(); LANES]; TOGETHER];
        for column in (0..self.columns).step_by(LANES) {
            let sums = self.joined_rows::<LANES>(starts, column);
            let count = LANES.min(self.columns - column);
            if column == 0 {
                partials = sums;
            } else {
                for plane in 0..TOGETHER {
                    for lane in 0..count {
                        partials[plane][lane] = self.reduction.combine(partials[plane][lane], sums[plane][lane]);
                    }
                }
            }
        }
        let mut values = [self.reduction.empty(); TOGETHER];
        for plane in 0..TOGETHER {
            values[plane] = partials[plane][0];
        }
        for lane in 1..self.columns.min(LANES) {
            for plane in 0..TOGETHER {
                values[plane] = self.reduction.combine(values[plane], partials[plane][lane]);
            }
        }
        values
    }

    /// The columns of each plane from `column` on, each from its first row to its last.
    #[inline(always)]
    fn joined_rows<const LANES: usize>(&self, starts: [usize; TOGETHER], column: usize) -> [[R::Value; LANES]; TOGETHER] {
        let mut sums = [[self.reduction.empty(); LANES]; TOGETHER];
        for plane in 0..TOGETHER {
            sums[plane] = self.lifted(starts[plane] + self.rows[0] + column);
        }
        for row in &self.rows[1..self.row_count] {
            for plane in 0..TOGETHER {
                let values = self.lifted::<LANES>(starts[plane] + row + column);
                for lane in 0..LANES {
                    sums[plane][lane] = self.reduction.combine(sums[plane][lane], values[lane]);
                }
            }
        }
        sums
    }

    #[inline(always)]
    fn lifted<const LANES: usize>(&self, at: usize) -> [R::Value; LANES] {
        debug_assert!(at + LANES <= self.elements.len());
        // SAFETY: `reduced` is asked for planes that are followed by as many elements as vectors reach beyond them.
        let elements = unsafe { opaque(self.elements.as_ptr().add(at)).cast::<[E; LANES]>().read_unaligned() };
        let mut values = [self.reduction.empty(); LANES];
        for lane in 0..LANES {
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
        let few = all.columns <= FEW;
        let reach = all.rows[all.row_count - 1] + all.columns.next_multiple_of(if few { FEW } else { PARTIALS });
        for first in self.planes.clone().step_by(TOGETHER) {
            if first % 64 < TOGETHER && self.progress.cancelled() {
                return;
            }
            let last = self.planes.end - 1;
            let mut starts = [0; TOGETHER];
            for plane in 0..TOGETHER {
                starts[plane] = (first + plane).min(last) * size;
            }
            let values = if starts[TOGETHER - 1] + reach > all.elements.len() {
                starts.map(|start| all.reduced_alone(start))
            } else if few {
                all.reduced::<FEW>(starts)
            } else {
                all.reduced::<PARTIALS>(starts)
            };
            for plane in first..(first + TOGETHER).min(self.planes.end) {
                let (image, channel) = (plane / all.shape.channels, plane % all.shape.channels);
                let value = all.reduction.finish(values[plane - first], all.divisor);
                // SAFETY: a plane is one task, and has one output.
                unsafe { *self.output.channel(image, channel) = value };
            }
        }
    }
}
